"""numba.cuda behind the seam: device arrays, launches, kernels, and an emulator that executes their PTX without a GPU.

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

from minidil.kernels.cuda.array import DeviceArray, empty, indices_to_device, to_device, to_host
from minidil.kernels.cuda.emulator import KernelError, Report, emulate
from minidil.kernels.cuda.launch import Kernel, kernel, launch

__all__ = [
    "DeviceArray",
    "Kernel",
    "KernelError",
    "Report",
    "empty",
    "emulate",
    "indices_to_device",
    "kernel",
    "launch",
    "to_device",
    "to_host",
]
