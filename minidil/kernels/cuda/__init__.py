"""numba.cuda behind the seam: device arrays, launches and kernels, which `minidil.emulator` runs where there is no GPU.

Importing this package needs no CUDA package and no GPU; `md.use("cuda")`, a launch and `emulate()` do, and say what is missing.

    @md.kernels.cuda.kernel
    def double(x, y):
        i = cuda.grid(1)                    # `from numba import cuda` stands at the top of the file
        if i < x.size:
            y[i] = x[i] + x[i]

    with md.kernels.cuda.emulate() as report:
        double[4, 256](x, y)                # NumPy arrays go to the device and come back
    print(report)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from minidil.kernels.cuda.array import DeviceArray, empty, indices_to_device, to_device, to_host

if TYPE_CHECKING:
    from minidil.emulator import KernelError, Report
    from minidil.kernels.cuda.choice import kernel_version
    from minidil.kernels.cuda.launch import Kernel, kernel
    from minidil.kernels.cuda.target import emulate

__all__ = [
    "DeviceArray",
    "Kernel",
    "KernelError",
    "Report",
    "empty",
    "emulate",
    "indices_to_device",
    "kernel",
    "kernel_version",
    "to_device",
    "to_host",
]

# Found when they are first used: `import minidil` needs device arrays, and neither launches nor the emulator.
_LATER = {
    **dict.fromkeys(("KernelError", "Report"), "minidil.emulator"),
    "emulate": "minidil.kernels.cuda.target",
    **dict.fromkeys(("Kernel", "kernel"), "minidil.kernels.cuda.launch"),
    "kernel_version": "minidil.kernels.cuda.choice",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
