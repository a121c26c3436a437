"""How fast a GPU runs the kernels: timed by CUDA events, beside the peak of the device and what NVIDIA's libraries reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import median

import numpy as np

from minidil.array import Array
from minidil.bench.cases import CASES, ConvCase
from minidil.doctor.driver import Gpu
from minidil.errors import BackendError
from minidil.kernels.backend import active, use
from minidil.kernels.cuda import empty, kernel, to_device

Work = Callable[[], object]


@dataclass(frozen=True)
class Gauge:
    """One measurement. share: of what the GPU could do at most; rival: the same by another library, in the same unit."""

    name: str
    value: float
    unit: str
    share: float | None = None
    rival: float | None = None
    rival_name: str = ""


def gauges(
    gpu: Gpu,
    sizes: Sequence[int] = (1000, 1024, 4096),
    cases: Sequence[ConvCase] = tuple(CASES["3x3"]),
    megabytes: int = 256,
) -> Iterator[Gauge]:
    """Measure launches, copies, matrix products of the sizes, and convolutions with both gradients."""
    with use("cuda"):
        yield from _launches()
        yield from _copies(gpu, megabytes)
        for size in sizes:
            yield _product(gpu, size)
        for case in cases:
            yield from _convolution(gpu, case)


def out_of_memory(nbytes: int) -> str:
    """Ask for more memory than there is: "" if that is refused in words and the device works on, else what is wrong."""
    with use("cuda"):
        try:
            empty((nbytes // 4,))
        except BackendError as error:
            if "no memory" not in str(error):
                return f"the refusal does not say why: {error}"
        else:
            return f"{nbytes:,} bytes were handed out, more than there are"
        twice = active().add(np.ones(3, np.float32), np.ones(3, np.float32))
        return "" if np.array_equal(np.asarray(twice), [2, 2, 2]) else "the next kernel computes nonsense"


def _launches() -> Iterator[Gauge]:
    @kernel
    def nothing() -> None:
        return

    @kernel
    def nothing_much(x: Array) -> None:
        return

    x = empty((1,))
    yield Gauge("launch, no argument", _host_seconds(nothing[1, 1]) * 1e6, "us")
    yield Gauge("launch, one array", _host_seconds(lambda: nothing_much[1, 1](x)) * 1e6, "us")
    kernels = active()
    one = kernels.place(np.ones(1, np.float32))
    yield Gauge("add of two numbers", _host_seconds(lambda: kernels.add(one, one)) * 1e6, "us")


def _copies(gpu: Gpu, megabytes: int) -> Iterator[Gauge]:
    values = np.ones(megabytes << 18, np.float32)
    kernels = active()
    x = kernels.place(values)
    yield Gauge("copy to the GPU", values.nbytes / _host_seconds(lambda: to_device(values), 5) / 1e9, "GB/s")
    yield Gauge("copy from the GPU", values.nbytes / _host_seconds(lambda: np.asarray(x), 5) / 1e9, "GB/s")
    speed = 2 * x.nbytes / seconds(lambda: kernels.negative(x)) / 1e9
    yield Gauge("negative, in memory", speed, "GB/s", speed / gpu.bandwidth)


def _product(gpu: Gpu, size: int) -> Gauge:
    a, b = np.random.default_rng(0).standard_normal((2, size, size), dtype=np.float32)
    kernels = active()
    left, right = kernels.place(a), kernels.place(b)
    operations = 2 * size**3 / 1e9
    speed = operations / seconds(lambda: kernels.matmul(left, right))
    return Gauge(
        f"matmul {size}", speed, "GFLOP/s", speed / gpu.peak, *_beside(_cupy_product(a, b), operations, "cuBLAS")
    )


def _convolution(gpu: Gpu, case: ConvCase) -> Iterator[Gauge]:
    rng = np.random.default_rng(0)
    host = [
        rng.standard_normal((case.batch, case.channels, *case.size), dtype=np.float32),
        rng.standard_normal((case.filters, case.channels // case.groups, *case.window.kernel), dtype=np.float32),
        rng.standard_normal((case.batch, case.filters, *case.window.out), dtype=np.float32),
    ]
    kernels, window, groups = active(), case.window, case.groups
    x, weight, grad = map(kernels.place, host)
    parts: dict[str, Work] = {
        "forward": lambda: kernels.conv_forward(x, weight, window, groups),
        "dL/dx": lambda: kernels.conv_grad_input(grad, weight, window, groups),
        "dL/dw": lambda: kernels.conv_grad_weight(x, grad, window, groups),
    }
    operations = case.flops / 1e9
    for part, rival in zip(parts, _cudnn_convolution(case, *host), strict=True):
        speed = operations / seconds(parts[part])
        beside = _beside(rival, operations, "cuDNN")
        yield Gauge(f"conv {case.name}, {part}", speed, "GFLOP/s", speed / gpu.peak, *beside)


def seconds(work: Work, rounds: int = 7, at_least: float = 0.005) -> float:
    """Of one call, on the GPU: the median of rounds between two events, each of as many calls as make `at_least` seconds."""
    from minidil.kernels.cuda.seam import cuda

    first, last = cuda.event(), cuda.event()

    def measure(calls: int) -> float:
        first.record()
        for _ in range(calls):
            work()
        last.record()
        last.synchronize()
        return float(cuda.event_elapsed_time(first, last)) / 1e3 / calls

    measure(1)  # compiles
    calls = max(1, round(at_least / max(measure(1), 1e-6)))
    return median(measure(calls) for _ in range(rounds))


def _host_seconds(work: Work, calls: int = 1000) -> float:
    """Of one call as the host sees it, with all work on the GPU done at the end."""
    from minidil.kernels.cuda.seam import cuda

    work()
    cuda.synchronize()
    start = time.perf_counter()
    for _ in range(calls):
        work()
    cuda.synchronize()
    return (time.perf_counter() - start) / calls


# --- NVIDIA's own libraries, where something that calls them is installed


def _beside(rival: Work | None, operations: float, name: str) -> tuple[float | None, str]:
    return (None, "") if rival is None else (operations / seconds(rival), name)


def _cupy_product(a: Array, b: Array) -> Work | None:
    """cuBLAS in float32, through CuPy."""
    if not find_spec("cupy"):
        return None
    import cupy

    left, right = cupy.asarray(a), cupy.asarray(b)
    return lambda: left @ right


def _cudnn_convolution(
    case: ConvCase, x: Array, weight: Array, grad: Array
) -> tuple[Work | None, Work | None, Work | None]:
    """cuDNN in float32, through PyTorch: forward, dL/dx and dL/dw."""
    if not find_spec("torch"):
        return None, None, None
    import torch

    if not torch.cuda.is_available():
        return None, None, None
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of mantissa would be another computation
    torch.backends.cudnn.benchmark = True
    inputs, filters, upstream = (torch.tensor(array, device="cuda") for array in (x, weight, grad))
    axes = len(case.size)
    settings = ([case.stride] * axes, [case.padding] * axes, [case.dilation] * axes, False, [0] * axes, case.groups)

    def backward(*wanted: bool) -> Work:
        return lambda: torch.ops.aten.convolution_backward(upstream, inputs, filters, None, *settings, list(wanted))

    return (
        lambda: torch.ops.aten.convolution(inputs, filters, None, *settings),
        backward(True, False, False),
        backward(False, True, False),
    )
