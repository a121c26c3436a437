"""Calls of every CUDA kernel, by the module that holds it, and what each must give: the reference's result, or a formula.

The sizes are odd: 0, 1, 3, 5, 17, and numbers that no tile, warp or block divides. A case is a function of a namespace of
kernels; it raises AssertionError if a result is wrong, and the emulator raises if a kernel does something that it must not.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

from minidil.kernels import reference
from minidil.kernels.cuda.array import DTYPES, DeviceArray, to_device
from minidil.kernels.geometry import Window
from minidil.kernels.mixing import Mixing

NAN, INF = np.nan, np.inf


class Hosted:
    """Modules of device kernels, called with arrays of the host and giving such; the first that has a kernel serves."""

    def __init__(self, *modules: Any) -> None:
        self.modules = modules

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kernel = next(vars(module)[name] for module in self.modules if callable(vars(module).get(name)))
        return lambda *arguments, **options: to_host(kernel(*map(on_device, arguments), **options))


def on_device(value: Any) -> Any:
    """Arrays of the device's types, also in a list, in its memory."""
    if isinstance(value, list):
        return [on_device(entry) for entry in value]
    return to_device(value) if isinstance(value, np.ndarray) and value.dtype in DTYPES else value


def to_host(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(to_host, value))
    return np.asarray(value) if isinstance(value, DeviceArray) else value


def drawn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, dtype=np.float32)


def equals_the_reference(name: str, *arguments: Any, **options: Any) -> Callable[[Any], None]:
    """The case that calls a kernel, and the function of the same name that defines it."""
    define = getattr(reference, name)

    def case(kernels: Any) -> None:
        with np.errstate(all="ignore"):
            expected = define(*arguments, **options)
        found = getattr(kernels, name)(*arguments, **options)
        pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
        for result, wanted in pairs:
            close(result, wanted)

    case.__name__ = name
    return case


def close(found: Any, wanted: Any) -> None:
    """Equal up to the rounding of sums in another order."""
    if wanted is None:
        assert found is None
        return
    wanted = np.asarray(wanted)
    assert np.shape(found) == wanted.shape
    finite = np.abs(wanted[np.isfinite(wanted)], dtype=np.float64) if wanted.dtype.kind == "f" else np.zeros(0)
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    assert_allclose(np.asarray(found, np.float64), np.asarray(wanted, np.float64), rtol=1e-5, atol=1e-5 * scale)


call = equals_the_reference
EXTREMES = np.array([0, 1, -1, INF, -INF, NAN, 3], np.float32)
TIES = np.array([[1, NAN, 2, 2], [3, 3, NAN, 1]], np.float32)
NUMBERS = np.arange(-3, 4, dtype=np.int32)
X = drawn(4, 5, 6)
INDICES = [
    [0, 0, 3],
    ([0, 0, 3], slice(1, 3)),
    (np.array([1, 2]), np.array([[0], [4]])),
    X > 0,
    (slice(None), np.array([True, False, True, False, False])),
    np.zeros(0, int),
]
SLICES = [
    0,
    (1, 2, -3),
    (1, slice(None, None, -2)),
    (Ellipsis, None, 3),
    slice(1, 1),
    (slice(None), 2, slice(4, 0, -3)),
]
WINDOWS = {
    "dilated": Window.of((7, 6), (3, 2), (2, 1), ((1, 0), (0, 2)), (2, 3)),
    "just fits": Window.of((9,), 3, 1, 0, 4),
    "volume": Window.of((4, 4, 3), 2, (1, 2, 1), ((0, 1), (1, 0), (0, 0)), (2, 2, 1)),
    "overlapping": Window.of((5, 5), 3, 3, 1, 1),
    "same": Window.of((5, 4), 3, 1, 1, 1),
}
REDUCED = [
    ((3, 5, 7), None),
    ((3, 5, 7), (0, 2)),
    ((3, 5, 7), 1),
    ((2, 3, 4, 5), (0, 2, 3)),
    ((17, 3), 0),
    ((0, 3), 1),
    ((5,), ()),
    ((), None),
]
LONG = [((3, 2100), 1), ((1, 9000), None), ((700, 3), 0), ((2, 200, 40), 1)]


def elementwise() -> Iterator[Callable[[Any], None]]:
    """Every map: on one axis, broadcasting, with numbers, on more axes than the kernels know, empty, and where it is special."""
    positive = ("log", "log1p", "sqrt")
    for name in ("absolute", "negative", "exp", "tanh", "erf", "relu", "gelu", "silu", "sigmoid", "sign", *positive):
        x = drawn(3, 5, 17)
        yield call(name, np.abs(x) if name in positive else x)
        yield call(name, EXTREMES[[0, 1, 3, 5]] if name in positive else EXTREMES)
        yield call(name, drawn(0, 3))
    for name in ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum"):
        a, b = np.abs(drawn(3, 5, 17)), drawn(3, 5, 17, seed=1)
        for operands in ((a, b), (a, 2.5), (2.5, a), (a[:, :1], b[:1]), (np.ones((0, 1), np.float32), drawn(1, 4))):
            yield call(name, *operands)
    yield call("add", drawn(2, 1, 3, 1, 2, 1, 2), drawn(1, 2, 1, 2, 1, 3, 1))
    yield call("maximum", EXTREMES, EXTREMES[::-1].copy())
    yield call("minimum", EXTREMES, EXTREMES[::-1].copy())
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        yield call(name, EXTREMES, EXTREMES[::-1].copy())
        yield call(name, EXTREMES, 1)
        yield call(name, EXTREMES.reshape(-1, 1), EXTREMES)
        yield call(name, NUMBERS, 1)
    for name in ("add", "multiply", "maximum", "subtract", "minimum"):
        yield call(name, NUMBERS, NUMBERS[::-1].copy())
        yield call(name, NUMBERS.reshape(-1, 1), NUMBERS)
    yield call("negative", NUMBERS)
    yield call("multiply", drawn(3, 4), drawn(3, 4) > 0)
    yield call("logical_and", TIES > 1, TIES < 3)
    for name in ("relu_grad", "gelu_grad", "silu_grad", "sigmoid_grad"):
        yield call(name, drawn(3, 4), drawn(3, 4, seed=1))
        yield call(name, drawn(3, 1), drawn(4))
    yield call("clip", drawn(40), -0.5, 0.5)
    yield call("clip", drawn(40), None, 0.5)
    condition = drawn(3, 1) > 0
    yield call("where", condition, drawn(4), drawn(3, 4))
    yield call("where", condition, 1.0, drawn(3, 4))
    yield call("where", drawn(300) > 0, drawn(300), drawn(300, seed=1))
    yield call("where", condition, NUMBERS, NUMBERS)
    for target in (np.float32, np.int32, np.bool_):
        for source in (np.float32, np.int32, np.bool_):
            yield call("astype", (5 * drawn(7)).astype(source), target)
    yield call("constant", [1.0, 2.0], drawn(1))


def copies() -> Iterator[Callable[[Any], None]]:
    """Shapes, orders, slices and joins, of all number types; tiles that are full and tiles that are not."""
    yield call("broadcast_to", drawn(3, 1, 2), (4, 3, 5, 2))
    yield call("broadcast_to", drawn(), (0, 3))
    yield call("broadcast_to", drawn(2, 1, 2, 1, 2, 1, 2), (2, 3, 2, 3, 2, 3, 2))
    for shape, axes in (
        ((5, 70), (1, 0)),
        ((64, 33), (1, 0)),
        ((3, 40, 35), (0, 2, 1)),
        ((3, 4, 5), (2, 1, 0)),
        ((3, 4, 5), (1, 0, 2)),
        ((3, 4, 5), (2, 0, 1)),
        ((2, 1, 3, 1, 2, 2, 2), (6, 5, 4, 3, 2, 1, 0)),
        ((1, 4, 1), (2, 1, 0)),
        ((0, 3), None),
        ((0, 1), (1, 0)),
        ((4,), None),
    ):
        yield call("transpose", drawn(*shape), axes)
    yield call("transpose", NUMBERS[:6].reshape(2, 3), (1, 0))
    yield call("transpose", drawn(3, 4) > 0)
    yield call("reshape", drawn(3, 4), (2, -1))
    yield call("pad", drawn(3, 4), ((1, 0), (0, 2)), constant_values=1.5)
    yield call("pad", drawn(3) > 0, ((1, 1),))
    yield call("pad", NUMBERS, ((1, 1),), constant_values=2)
    yield call("concatenate", [drawn(2, 3), drawn(2, 1), drawn(2, 0)], axis=1)
    yield call("stack", [drawn(2, 3), drawn(2, 3, seed=1)], axis=-1)
    yield call("stack", [drawn(), drawn(seed=1)], axis=0)
    yield call("zeros_like", drawn(3, 2))


def gathers() -> Iterator[Callable[[Any], None]]:
    """Every kind of index, elements that are named often, once and never."""
    for index in [*SLICES, *INDICES]:
        yield call("take", X, index)
        yield call("scatter_add", drawn(*X[index].shape), index, X.shape)
    yield call("take", NUMBERS, np.array([2, 2, 0]))
    yield call("take", NUMBERS > 0, np.array([2, 2, 0]))
    yield call("scatter_add", drawn(7), np.array([0, 0, 1, 2, 2, 2, 0]), (4,))
    yield call("one_hot", np.array([[0, 2], [1, 1]]), 3, np.float32)
    yield call("one_hot", np.arange(300) % 3, 3, np.float32)
    yield call("one_hot", np.zeros(0, int), 3, np.float32)


def reductions() -> Iterator[Callable[[Any], None]]:
    """Every pattern of axes; rows for warps and for blocks; columns in one part and in several."""
    for name in ("sum", "mean", "max", "min"):
        for shape, axis in [*REDUCED, *LONG]:
            empty = 0 in shape and name not in ("sum", "mean")
            if not empty:
                yield call(name, drawn(*shape), axis=axis)
        yield call(name, drawn(3, 5, 7), axis=(0, 2), keepdims=True)
        yield call(name, TIES, axis=0)
        yield call(name, TIES, axis=1)
    yield call("sum", drawn(0, 3), axis=0)
    yield call("sum", drawn(3, 4) > 0, axis=0)
    for name in ("sum", "max", "min"):
        yield call(name, NUMBERS)
        yield call(name, np.tile(NUMBERS, 300))
        yield call(name, np.tile(NUMBERS, 10).reshape(35, 2), axis=0)
    yield call("square_sum", drawn(100))
    yield call("square_sum", np.full(10, 1e25, np.float32))
    yield call("square_sum", np.zeros(3, np.float32))


def softmaxes() -> Iterator[Callable[[Any], None]]:
    """Along the last axis and along another; rows shorter and longer than a warp; large numbers and minus infinity."""
    for name in ("softmax", "log_softmax"):
        for shape, axis in (((5, 70), 1), ((9, 10), -1), ((3, 5, 17), 1), ((30, 11), 0), ((0, 3), 1)):
            yield call(name, 10 * drawn(*shape), axis)
            y = getattr(reference, name)(drawn(*shape), axis)
            yield call(f"{name}_grad", drawn(*shape, seed=1), y, axis)
        yield call(name, np.array([[0, -INF, 1], [1000, 1001, 999]], np.float32), 1)


def rows() -> Iterator[Callable[[Any], None]]:
    """Rows shorter and longer than a warp, one and none; with weights and without."""
    for shape in ((9, 70), (3, 5), (1, 1), (17, 33), (0, 3)):
        x, (weight, bias) = 3 * drawn(*shape) + 1, drawn(2, shape[1])
        for factors, shifts in ((weight, bias), (None, None)):
            yield call("row_normalise", x, factors, shifts, 1e-3)
            _, mean, inverse = reference.row_normalise(x, factors, shifts, 1e-3)
            yield call("row_normalise_grad", drawn(*shape, seed=1), x, factors, mean, inverse)


def mixings() -> Iterator[Callable[[Any], None]]:
    """Outputs that are the sum of no input, of one and of several, along one axis, two and three; whole numbers are copied."""
    starts = np.array([0, 2, 2, 3, 6])
    table = Mixing(starts, np.array([0, 2, 1, 2, 2, 0]), np.array([0.5, -1, 2, 1, 0.25, 3]), 3)
    for mixing in (table, table.adjoint):
        for axes in (1, 2, 3):
            yield call("resample", drawn(2, 5, *(mixing.inputs,) * axes), [mixing] * axes)
    copies = Mixing(np.arange(6), np.array([2, 0, 1, 1, 2]), np.ones(5), 3)
    yield call("resample", NUMBERS[:6].reshape(1, 2, 3), [copies])
    yield call("resample", NUMBERS[:6].reshape(1, 2, 3) > 0, [copies])


def losses() -> Iterator[Callable[[Any], None]]:
    """With and without weights and smoothing, one class, positions in images, classes masked by minus infinity."""
    for shape in ((5, 3), (1, 1), (33, 10), (2, 4, 3, 5), (0, 3)):
        logits, labels = 10 * drawn(*shape), np.arange(shape[0] * int(np.prod(shape[2:]))) * 7 % shape[1]
        target, grad = labels.reshape(shape[0], *shape[2:]).astype(np.int32), drawn(shape[0], *shape[2:])
        for weight, smoothing in ((None, 0.0), (np.abs(drawn(shape[1])), 0.2)):
            yield call("cross_entropy", logits, target, weight, smoothing)
            yield call("cross_entropy_grad", grad, logits, target, weight, smoothing)
    masked, target = np.array([[0, -INF, 1], [1000, 1001, 999]], np.float32), np.array([2, 1], np.int32)
    yield call("cross_entropy", masked, target, None, 0.0)
    yield call("cross_entropy_grad", drawn(2), masked, target, None, 0.0)


def channels() -> Iterator[Callable[[Any], None]]:
    """Many channels and one, one position and many, a variance that is small beside the mean."""
    for shape in ((4, 3, 5, 5), (2, 3), (17, 5, 3), (2, 1, 40, 40), (3, 300)):
        x, count = drawn(*shape) + 30, shape[1]
        a, b, c = (drawn(count, seed=seed) for seed in range(3))
        yield call("channel_moments", x)
        yield call("channel_affine", x, a, b)
        yield call("channel_dots", drawn(*shape), x, a + 30)
        for activation in ("relu", "gelu"):
            yield call("channel_affine", x - 30, a, b, activation)
            yield call("channel_slope_dots", drawn(*shape), x - 30, a, b, c, activation)
        yield call("channel_combine", drawn(*shape), x, a, b, c)


def recurrences() -> Iterator[Callable[[Any], None]]:
    """One row and several; a gradient is taken of gates that the step itself has left."""
    for shape in ((1, 1), (5, 17)):
        rows, size = shape
        x, before = drawn(rows, 4 * size), drawn(*shape, seed=1)
        yield call("lstm_cell", 3 * x, before)
        gates, after, _ = reference.lstm_cell(3 * x, before)
        yield call("lstm_cell_grad", drawn(*shape, seed=2), drawn(*shape, seed=3), gates, before, after)
        x, other = drawn(rows, 3 * size), drawn(rows, 3 * size, seed=4)
        yield call("gru_cell", 3 * x, other, before)
        gates, _ = reference.gru_cell(3 * x, other, before)
        yield call("gru_cell_grad", drawn(*shape, seed=2), gates, other, before)


def logarithms() -> Iterator[Callable[[Any], None]]:
    """Large and small summands, and those that are 0: minus infinity."""
    a, b = 30 * drawn(5, 7), drawn(7, 9, seed=1)
    a[0], b[:, 1], a[1, 2] = -INF, -INF, -INF
    yield call("log_matmul", a, b)
    yield call("path_pairs", a[1:] - 90, b[:, 2:], drawn(4, 7, seed=2) - 5, drawn(4, seed=3))


def pools() -> Iterator[Callable[[Any], None]]:
    """Windows that overlap, leave gaps and reach over the padding; NaN, minus infinity and ties."""
    for window in WINDOWS.values():
        x, grad = drawn(2, 3, *window.size), drawn(2, 3, *window.out)
        yield call("window_sum", x, window)
        yield call("window_spread", grad, window)
        if window.hits.all():
            yield call("max_pool", x, window)
            yield call("max_pool_grad", grad, reference.max_pool(x, window)[1], window)
            special = x.copy()
            special[0, 0].flat[::3] = NAN
            special[1, 1], special[1, 2] = -INF, 1
            yield call("max_pool", special, window)
            yield call("max_pool", (5 * x).astype(np.int32), window)


def updates() -> Iterator[Callable[[Any], None]]:
    """Every optimizer with every option, at the first step and later."""
    for momentum, dampening, decay, nesterov in ((0.0, 0.0, 0.1, False), (0.9, 0.0, 0.1, True), (0.9, 0.3, 0.0, False)):
        options = {"lr": 0.1, "momentum": momentum, "dampening": dampening, "weight_decay": decay, "nesterov": nesterov}
        theta, g, velocity = (drawn(7, 43, seed=seed) for seed in range(3))
        yield call("sgd_update", theta, g, None, **options)
        yield call("sgd_update", theta, g, velocity if momentum else None, **options)
    for name in ("adam_update", "adamw_update"):
        for step in (1, 10):
            arrays = [drawn(7, 43, seed=seed) for seed in range(4)]
            arrays[3] = np.abs(arrays[3])
            options = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.1}
            yield call(name, *arrays, step=step, **options)
    for centred, momentum in ((False, 0.0), (True, 0.0), (False, 0.9), (True, 0.9)):
        theta, g, mean, velocity = (drawn(7, 43, seed=seed) for seed in range(4))
        kept = mean if centred else None, velocity if momentum else None
        options = {"lr": 0.01, "alpha": 0.9, "eps": 1e-8, "weight_decay": 0.1, "momentum": momentum}
        yield call("rmsprop_update", theta, g, mean * mean + 1, *kept, **options)


def products() -> Iterator[Callable[[Any], None]]:
    """Every pair of stacks; tiles that are full, tiles that are not; each operand transposed; bias and ReLU."""
    for a, b in (
        ((3, 5), (5, 2)),
        ((17, 33), (33, 18)),
        ((70, 17), (17, 66)),
        ((2, 1, 3, 4), (5, 4, 2)),
        ((3, 4, 5), (5, 6)),
        ((1, 1), (1, 1)),
        ((3, 0), (0, 2)),
        ((0, 1, 1), (1, 1, 1)),
        ((0, 3), (3, 2)),
        ((2, 3, 17), (1, 17, 4)),
        ((2, 17, 5), (2, 5, 4)),
    ):
        yield call("matmul", drawn(*a), drawn(*b, seed=1))
    for transpose_a in (False, True):
        for transpose_b in (False, True):
            yield _product(transpose_a, transpose_b, (2, 70, 19), (2, 19, 67))
    yield _product(False, True, (3, 5), (5, 4))
    yield _product(True, False, (65, 9), (9, 3))


def _product(transpose_a: bool, transpose_b: bool, *shapes: tuple[int, ...]) -> Callable[[Any], None]:
    a, b, bias = drawn(*shapes[0]), drawn(*shapes[1], seed=1), drawn(shapes[1][-1], seed=2)
    b[..., 0] = NAN if transpose_a else b[..., 0]  # which ReLU lets through

    def case(kernels: Any) -> None:
        left = to_device(np.ascontiguousarray(a.swapaxes(-1, -2)) if transpose_a else a)
        right = to_device(np.ascontiguousarray(b.swapaxes(-1, -2)) if transpose_b else b)
        options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
        close(kernels.gemm(left, right, bias=to_device(bias), relu=True, **options), np.maximum(a @ b + bias, 0))
        close(kernels.gemm(left, right, **options), a @ b)

    case.__name__ = f"gemm_{transpose_a:d}{transpose_b:d}"
    return case


def convolutions() -> Iterator[Callable[[Any], None]]:
    """Every window with groups, an empty batch, and with more channels than a tile."""
    for window in WINDOWS.values():
        for n, groups, channels, filters in ((2, 1, 3, 5), (1, 2, 2, 3), (3, 3, 1, 1), (0, 1, 2, 2)):
            yield from _convolution(window, n, groups, channels, filters)
    yield from _convolution(WINDOWS["dilated"], 2, 1, 17, 66)
    yield from _convolution(Window.of((9, 9), 3, 1, 2, 2), 2, 1, 9, 3)
    yield from _convolution(Window.of((7,), 1, 4, 0, 1), 1, 2, 65, 2)
    yield _rectified(WINDOWS["dilated"])


def _rectified(window: Window) -> Callable[[Any], None]:
    """The epilogue that the reference does not have: bias and ReLU at once."""
    x, weight, bias = drawn(2, 3, *window.size), drawn(5, 3, *window.kernel, seed=1), drawn(5, seed=2)
    expected = np.maximum(reference.conv_forward(x, weight, window, 1, bias), 0)
    return lambda kernels: close(kernels.conv_forward(x, weight, window, 1, to_device(bias), True), expected)


def _convolution(window: Window, n: int, groups: int, channels: int, filters: int) -> Iterator[Callable[[Any], None]]:
    x, weight = drawn(n, groups * channels, *window.size), drawn(groups * filters, channels, *window.kernel, seed=1)
    bias, grad = drawn(groups * filters, seed=2), drawn(n, groups * filters, *window.out, seed=3)
    yield call("conv_forward", x, weight, window, groups, bias)
    yield call("conv_forward", x, weight, window, groups)
    yield call("conv_grad_input", grad, weight, window, groups)
    yield call("conv_grad_weight", x, grad, window, groups)


CASES: dict[str, Callable[[], Iterator[Callable[[Any], None]]]] = {
    "elementwise": elementwise,
    "copy": copies,
    "gather": gathers,
    "reduce": reductions,
    "softmax": softmaxes,
    "loss": losses,
    "channel": channels,
    "row": rows,
    "mixing": mixings,
    "recurrent": recurrences,
    "logarithm": logarithms,
    "pool": pools,
    "update": updates,
    "gemm": products,
    "conv": convolutions,
}
