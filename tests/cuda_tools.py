"""How to leave out what NVIDIA's assembler and disassembler are needed for."""

import pytest

from minidil.emulator import sass
from minidil.errors import BackendError
from minidil.kernels.cuda.target import problem


def _tools_are_missing() -> bool:
    try:
        return problem("emulator") is not None or not all(map(sass.tool, ("ptxas", "nvdisasm")))
    except BackendError:
        return True


needs_tools = pytest.mark.skipif(_tools_are_missing(), reason="needs numba-cuda, ptxas and nvdisasm")
