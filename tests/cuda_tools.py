"""What tests of CUDA kernels need, and how to leave them out where it is not installed."""

import pytest

from minidil.errors import BackendError
from minidil.kernels.cuda import problem, sass


def _tools_are_missing() -> bool:
    try:
        return problem("emulator") is not None or not all(map(sass.tool, ("ptxas", "nvdisasm")))
    except BackendError:
        return True


needs_cuda = pytest.mark.skipif(problem("emulator") is not None, reason="needs numba-cuda with its toolkit")
needs_tools = pytest.mark.skipif(_tools_are_missing(), reason="needs numba-cuda, ptxas and nvdisasm")
