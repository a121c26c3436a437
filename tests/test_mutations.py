"""Every mistake below, made in a copy of the library, fails a check by name; without it all of them pass."""

import ast

import numpy as np
import pytest
from mutants import CHECKS, SUITES, Mutant, load, replace

from minidil.kernels import threads
from minidil.kernels.cpu import memory

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _two_threads():
    """So that the parts of the work are as large as the cases are made for, on any machine."""
    before = threads.num_threads()
    threads.set_num_threads(min(before, 2))
    yield
    threads.set_num_threads(before)


REFERENCE = [
    # module, the function or constant in it, what stands there, the mistake, and the check that notices it
    ("conv", "patches", "step * d", "step", "forward"),
    (
        "conv",
        "touched",
        "slice(k * d, k * d + stride * (out - 1) + 1, stride)",
        "slice(k, k + stride * (out - 1) + 1, stride)",
        "grad_input",
    ),
    (
        "conv",
        "touched",
        "slice(k * d, k * d + stride * (out - 1) + 1, stride)",
        "slice(k * d + 1, k * d + 1 + stride * (out - 1) + 1, stride)",
        "grad_input",
    ),
    (
        "conv",
        "col2im",
        "padded[touched(tap, window)] += spread[slice(None), slice(None), *tap]",
        "padded[touched(tap, window)] = spread[slice(None), slice(None), *tap]",
        "grad_input",
    ),
    (
        "conv",
        "col2im",
        "padded[touched(tap, window)] += spread[slice(None), slice(None), *tap]",
        "padded[touched(tap, window)] = spread[slice(None), slice(None), *tap]",
        "adjoint",
    ),
    ("conv", "unpad", "slice(before, before + n)", "slice(0, n)", "grad_input"),
    ("conv", "conv_forward", "bias is None", "True", "forward"),
    (
        "conv",
        "conv_forward",
        "weight.reshape(groups, f // groups, -1)",
        "weight.reshape(groups, f // groups, -1)[::-1]",
        "forward",
    ),
    (
        "conv",
        "conv_forward",
        "weight.reshape(groups, f // groups, -1)",
        "weight.reshape(f // groups, groups, -1).swapaxes(0, 1)",
        "forward",
    ),
    ("conv", "conv_grad_weight", "range(groups)", "reversed(range(groups))", "grad_weight"),
    (
        "pool",
        "max_pool",
        "np.argmax(taps, axis=2)",
        "taps.shape[2] - 1 - np.argmax(taps[:, :, ::-1], axis=2) * 0",
        "max_pool",
    ),
    ("pool", "max_pool", "-np.inf", "0.0", "max_pool"),
    ("pool", "max_pool_grad", "winner == number", "winner == number + 1", "max_pool_grad"),
    (
        "pool",
        "max_pool_grad",
        "padded[touched(tap, window)] += np.where(winner == number, grad, grad.dtype.type(0))",
        "padded[touched(tap, window)] = np.where(winner == number, grad, grad.dtype.type(0))",
        "max_pool_grad",
    ),
    (
        "pool",
        "window_spread",
        "padded[touched(tap, window)] += grad",
        "padded[touched(tap, window)] = grad",
        "window_spread",
    ),
    (
        "pool",
        "window_sum",
        "range(2, 2 + len(window.kernel))",
        "range(3, 2 + len(window.kernel))",
        "window_sum",
    ),
    (
        "logits",
        "cross_entropy",
        "np.where(wanted == 0, logits.dtype.type(0), log_softmax(logits, 1))",
        "np.where(False, 0.0, log_softmax(logits, 1))",
        "cross_entropy",
    ),
    (
        "logits",
        "_wanted",
        "one_hot(target, classes, logits.dtype) * (1 - label_smoothing) + label_smoothing / classes",
        "one_hot(target, classes, logits.dtype) * (1 - label_smoothing)",
        "cross_entropy",
    ),
    (
        "logits",
        "cross_entropy_grad",
        "softmax(logits, 1) * np.sum(wanted, axis=1, keepdims=True)",
        "softmax(logits, 1)",
        "cross_entropy_grad",
    ),
    ("geometry", "Window.span", "d * (k - 1) + 1", "d * k", "positions"),
    ("geometry", "Window.span", "d * (k - 1) + 1", "d * (k - 1) + 2", "forward"),
    ("geometry", "Window.out", "(n - s) // t + 1", "(n - s) // t", "positions"),
    ("geometry", "Window.out", "n - s", "n - s + t - 1", "positions"),
    (
        "geometry",
        "Window.of",
        "Window(size, kernel, strides, pads, dilations)",
        "Window(size, kernel, dilations, pads, strides)",
        "forward",
    ),
    (
        "geometry",
        "Window.hits",
        "np.arange(self.out[axis]) * self.stride[axis] - self.padding[axis][0]",
        "np.arange(self.out[axis]) * self.stride[axis]",
        "positions",
    ),
    ("geometry", "Window._check", "missing <= 0", "missing <= 1", "overruns"),
    (
        "geometry",
        "_named_padding",
        "(total // 2, total - total // 2)",
        "(total - total // 2, total // 2)",
        "named padding",
    ),
    ("geometry", "_named_padding", "(span - 1, 0)", "(0, span - 1)", "named padding"),
]
PLACES = [  # where the taps of the compiled kernels fall
    ("layout", "_find_places", "k * dilation[2]", "k"),
    ("layout", "_find_places", "stride[2]", "dilation[2]"),
    ("layout", "_find_places", "oh * stride[1] - before[1]", "oh * stride[1]"),
    ("layout", "_find_places", "0 <= w < size[2]", "0 <= w < size[2] - 1"),
    ("layout", "_find_places", "w0 + (kernel[2] - 1) * dilation[2]", "w0 + kernel[2] - 1"),
    ("layout", "_find_places", "ow == out[2]", "ow > out[2]"),
    ("layout", "_find_places", "oh == out[1]", "oh > out[1]"),
]
IM2COL = [
    *((*place, "forward") for place in PLACES),
    *((*place, "grad_input") for place in PLACES),
    ("layout", "_find_places", "i * dilation[0]", "i", "grad_weight"),
    ("layout", "_find_places", "od == out[0]", "od > out[0]", "grad_weight"),
    (
        "im2col",
        "_scatter",
        "dx[place, g, c] += cols[r, g, tap, c]",
        "dx[place, g, c] = cols[r, g, tap, c]",
        "grad_input",
    ),
    ("im2col", "_scatter", "dx[place, g, c] += cols[r, g, tap, c]", "dx[place, g, c] = cols[r, g, tap, c]", "adjoint"),
    ("im2col", "conv_forward.work", "bias.reshape(groups, -1)", "0", "forward"),
    ("im2col", "_as_columns", "grouped.transpose(0, 3, 2, 1)", "grouped.transpose(0, 3, 2, 1)[::-1]", "forward"),
    ("im2col", "_gather", "x[place, g, c]", "x[place, 0, c]", "forward"),
    ("im2col", "conv_grad_weight.work", "total += product", "total = product", "grad_weight"),
    ("im2col", "_gather", "cols[r, g, tap, c] = 0", "cols[r, g, tap, c] = cols[r, g, tap, c]", "forward"),
    (
        "im2col",
        "_gather_colours",
        "cols[r, tap, 0] = cols[r, tap, 1] = cols[r, tap, 2] = 0",
        "cols[r, tap, 0] = cols[r, tap, 1] = cols[r, tap, 2] = 1",
        "forward",
    ),
    (
        "im2col",
        "_gather_colours",
        "(x[place, 0], x[place, 1], x[place, 2])",
        "(x[place, 2], x[place, 1], x[place, 0])",
        "forward",
    ),
    ("im2col", "_scatter_colours", "dx[place, 1] += cols[r, tap, 1]", "dx[place, 1] = cols[r, tap, 1]", "grad_input"),
]
DIRECT = [
    ("phases", "forward", "i * d", "i", "forward"),
    ("phases", "forward", "o * s", "o", "forward"),
    ("phases", "backward", "(shift - d * k) // s", "(shift - d * k) // s + 1", "grad_input"),
    ("phases", "backward", "(shift - d * k) // s", "(shift - d * k) // s - 1", "adjoint"),
    ("phases", "backward", "start + lead", "start", "grad_input"),
    ("phases", "backward", "r + window.padding[axis][0]", "r", "grad_input"),
    ("phases", "_reading", "last[::joined]", "last", "forward"),
    ("direct", "_fill_panels", "(t * depth + c) * wide", "(c * len(taps) + t) * wide", "forward"),
    ("direct", "panel_of_results", "min(len(rows), count - p)", "len(rows)", "forward"),
    (
        "direct",
        "panel_of_results",
        "equal_rows(bias, 0, rows, columns)",
        "equal_rows(bias, 0, rows, columns) * 0",
        "forward",
    ),
    ("direct", "_correlate", "base + g * (channels // groups)", "base", "forward"),
    ("direct", "panel_of_results", "offsets[t] * channels", "offsets[t]", "forward"),
    ("padded", "_padded_copy", "_clear(room, done, at)", "done", "forward"),
    (
        "direct_weight",
        "_weight_sums",
        "base + g * (channels // groups)",
        "base",
        "grad_weight",
    ),
    (
        "direct_weight",
        "_add_products",
        "total[n * wide + i] += spare[i]",
        "total[n * wide + i] = spare[i]",
        "grad_weight",
    ),
]
DEPTHWISE = [
    *((*place, "forward") for place in PLACES[2:-1]),
    ("depthwise", "_forward", "y[n, r, c] = bias[c]", "y[n, r, c] = 0", "forward"),
    (
        "depthwise",
        "_forward",
        "y[n, r, c] += weight[tap, c] * x[n, place, c]",
        "y[n, r, c] = weight[tap, c] * x[n, place, c]",
        "forward",
    ),
    ("depthwise", "_forward", "weight[1, c]", "weight[0, c]", "forward"),
    ("depthwise", "_forward", "places[r, tap] < 0", "False", "forward"),
    ("depthwise", "_forward", "range(done, taps)", "range(taps)", "forward"),
    ("depthwise", "_in_registers", "min(block, channels - len(columns) * vector)", "block * 0", "forward"),
    ("depthwise", "_in_registers", "min(block, channels - len(broad) * vector)", "block * 0", "forward"),
    ("depthwise", "_in_registers", "3 * step", "2 * step", "forward"),
    ("depthwise", "_in_registers", "min(alike[r], stop - r)", "stop - r", "forward"),
    ("depthwise", "_in_registers", "(r, r + 1, r + 2, r + 3)", "(r, r + 1, r + 3, r + 2)", "forward"),
    ("depthwise", "_alike", "there < 0", "True", "forward"),
    ("depthwise", "_alike", "there == here + step", "there >= 0", "forward"),
    ("depthwise", "conv_grad_input", "np.flip(weight, tuple(range(2, weight.ndim)))", "weight", "grad_input"),
    ("depthwise", "_reversed", "(r - before, r - after)", "(r - after, r - before)", "grad_input"),
    (
        "depthwise",
        "_scatter",
        "dx[n, place, c] += weight[tap, c] * grad[n, r, c]",
        "dx[n, place, c] = weight[tap, c] * grad[n, r, c]",
        "grad_input",
    ),
    (
        "depthwise",
        "_grad_weight",
        "total[tap, c] += grad[n, o, c] * x[n, place, c]",
        "total[tap, c] = grad[n, o, c] * x[n, place, c]",
        "grad_weight",
    ),
    ("depthwise", "_grad_weight", "grad[n, r + 3, c]", "grad[n, r + 2, c]", "grad_weight"),
    ("depthwise", "_grad_weight", "inside = inside and places[o, tap] >= 0", "pass", "grad_weight"),
]
POINTWISE = [
    ("pointwise", "_product.work", "y[start:stop] += bias", "y[start:stop] += 0", "forward"),
    ("pointwise", "conv_grad_input", "_matrices(weight, groups)", "_matrices(weight, groups)[::-1]", "grad_input"),
    ("pointwise", "conv_grad_weight", "upstream[:, start:stop]", "upstream[::-1, start:stop]", "grad_weight"),
]
WINOGRAD = [
    ("filters", "gradient.work", "total += part[:, start:stop]", "total = part[:, start:stop]", "grad_weight"),
    ("winograd_tiles", "FILTER", "-1 / 12", "1 / 12", "forward"),
    ("winograd_tiles", "_place", "4 * row * dilation", "4 * row", "forward"),
    ("winograd_tiles", "input_tiles", "5 * dilation[0]", "4 * dilation[0]", "forward"),
    ("winograd_tiles", "_bt_along_height", "before + first", "first", "forward"),
    ("winograd_tiles", "_copy_rows", "out[i] = 0", "out[i] = out[i]", "grad_weight"),
    ("winograd_tiles", "_at_along_width", "y[w0, f] = y0 + bias[f]", "y[w0, f] = y0", "forward"),
    ("winograd", "conv_grad_input", "range(3, by_group.ndim)", "range(3, 3)", "grad_input"),
    (
        "winograd",
        "_by_group",
        "matrices.reshape(*matrices.shape[:2], groups, matrices.shape[2] // groups)",
        "matrices.reshape(*matrices.shape[:2], matrices.shape[2] // groups, groups)",
        "grad_weight",
    ),
    ("filters", "in_panels.work", "panel // count", "0", "forward"),
    (
        "winograd_panels",
        "_multiply",
        "place * every * filters + g * each + j * wide",
        "place * every * filters + j * wide",
        "forward",
    ),
    ("winograd_plan", "backward_plan", "d * (k - 1) - before", "d * (k - 1)", "grad_input"),
    ("winograd_tiles", "_a", "eight * a3", "four * a3", "grad_weight"),
]
VOLUME = [
    ("winograd", "conv_grad_input", "range(3, by_group.ndim)", "range(4, by_group.ndim)", "grad_input"),
    ("winograd", "conv_grad_input", "range(3, by_group.ndim)", "range(4, by_group.ndim)", "adjoint"),
    ("winograd_plan", "_plan", "k * window.dilation[0]", "k", "forward"),
    ("winograd", "_correlate_volumes.work", "products.fill(0)", "products.fill(1)", "forward"),
    ("winograd", "conv_grad_weight.work", "slopes[:, used]", "slopes[:, met]", "grad_weight"),
]
TWO_BY_TWO = [
    ("two_by_two", "FILTER", "[1, -1, 0]", "[1, 0, 0]", "forward"),
    ("two_by_two", "_add_products", "m01 + m02 + m11 + m12 + bias[f]", "m01 + m02 + m11 + m10 + bias[f]", "forward"),
    ("two_by_two", "_add_products", "m00 + m01 + m10 + m11 + bias[f]", "m00 + m01 + m10 + m11", "forward"),
    ("two_by_two", "conv_grad_input", "weight[:, :, ::-1, ::-1]", "weight", "grad_input"),
    ("two_by_two", "conv_grad_input", "weight[:, :, ::-1, ::-1]", "weight", "adjoint"),
    ("two_by_two", "_add_inputs", "1 - zero", "1", "grad_weight"),
]
POOL = [
    ("layout", "_find_places", "k * dilation[2]", "k", "max_pool"),
    ("pool", "_wins", "not value <= best", "value <= best", "max_pool"),
    ("pool", "_larger", "other if larger else number", "number if larger else other", "max_pool"),
    (
        "pool",
        "_largest",
        "_larger(x[p2, c], np.int32(2), x[p3, c], np.int32(3))",
        "(x[p2, c], np.int32(2))",
        "max_pool",
    ),
    ("pool", "_return", "winner[r, c] == number", "winner[r, c] == number + 1", "max_pool_grad"),
    (
        "pool",
        "_return",
        "dx[place, c] += grad[r, c] if winner[r, c] == number else none",
        "dx[place, c] = grad[r, c] if winner[r, c] == number else none",
        "max_pool_grad",
    ),
]
SMALL = [
    ("elementwise", "elementwise", "_relu", "0 if x[i] < 0 else x[i]", "x[i] if x[i] > 0 else 0", "relu"),
    ("elementwise", "elementwise", "_relu_grad", "y[i] <= 0", "y[i] < 0", "relu"),
    ("channel", "channel", "channel_moments", "squares / count - shift ** 2", "squares / count", "channels"),
    ("channel", "channel", "_dots", "x[r, c] - centre[c]", "x[r, c]", "channels"),
    ("channel", "channel", "_affine", "scale[c] * x[r, c] + shift[c]", "scale[c] * x[r, c]", "channels"),
    ("channel", "channel", "_affine_relu", "0 if u < 0 else u", "u", "channels"),
    ("channel", "gaussian", "gelu_slope_of", "below + min(max(x, -_ENDS), _ENDS) * density", "below", "channels"),
    ("elementwise", "gaussian", "gelu_slope_of", "below + min(max(x, -_ENDS), _ENDS) * density", "below", "gelu"),
    ("elementwise", "elementwise", "_silu", "max(x[i], -_ENDS)", "x[i]", "gelu"),
    ("elementwise", "elementwise", "_silu_grad", "_ONE - s", "_ONE", "gelu"),
    ("elementwise", "elementwise", "_sigmoid_of", "x < 0", "x > 0", "gelu"),
    ("row", "row", "_normalise", "x[r, i] - mean", "x[r, i]", "rows"),
    ("row", "row", "_sum", "total += part", "total = part", "rows"),
    ("row", "row", "_slopes", "(x[r, i] - mean) * inverse * pull", "0", "rows"),
    ("row", "row", "_slopes", "part[:] = 0", "pass", "rows"),
    ("row", "row", "_slopes", "r % _ROWS == _ROWS - 1 or r == rows - 1", "r % _ROWS == _ROWS - 1", "rows"),
    ("row", "row", "_sums_of_slopes", "slopes[i] * factors[i]", "slopes[i]", "rows"),
    ("mixing", "kernels.mixing", "Mixing.adjoint", "takers[order]", "takers", "resample"),
    ("mixing", "cpu.mixing", "_mix", "k += 2", "k += 3", "resample"),
    ("mixing", "cpu.mixing", "_mix", "y[n, o, c] = 0", "y[n, o, c] = 1", "resample"),
    ("mixing", "cpu.mixing", "_mix", "y[n, o, c] += a * x[n, i, c]", "y[n, o, c] = a * x[n, i, c]", "resample"),
]
UPDATE = [
    ("flat", "flattened", "array = moved", "pass", "sgd"),
    ("update", "_descend", "lr * slope", "lr * g[i]", "sgd"),
    (
        "update",
        "sgd_update",
        "velocity, dampening = (np.zeros_like(theta), 0.0)",
        "velocity = np.zeros_like(theta)",
        "sgd",
    ),
    ("update", "_roll", "share * slope", "slope", "sgd"),
    ("update", "_roll", "momentum * v", "v", "sgd"),
    ("update", "_adam", "v * unbias2", "v", "adam"),
    ("update", "_adam_update", "lr / (1 - beta1 ** step)", "lr", "adam"),
    (
        "update",
        "adam_update",
        "_adam_update(theta, g, mean, square, step, lr, beta1, beta2, eps, kept=1.0, weight_decay=weight_decay)",
        "_adam_update(theta, g, mean, square, step, lr, beta1, beta2, eps, kept=1.0, weight_decay=0.0)",
        "adam",
    ),
    (
        "update",
        "adamw_update",
        "1 - lr * weight_decay",
        "1.0",
        "adamw",
    ),
    ("update", "_square_sum", "total += value * value", "total = value * value", "square_sum"),
]
LOGITS = [
    ("layout", "as_rows", "axis %= x.ndim", "axis = 1", "softmax"),
    ("logits", "_softmax", "largest_of(x[r])", "x[r, 0]", "softmax"),
    ("logits", "_softmax", "y[r, c] *= scale", "y[r, c] *= 1", "softmax"),
    ("logits", "_log_softmax", "x[r, c] - top", "x[r, c]", "softmax"),
    ("logits", "_softmax_grad", "grad[r, c] * y[r, c]", "grad[r, c]", "softmax"),
    ("logits", "_log_softmax_grad", "exp_of_minus(-y[r, c]) * total", "total", "softmax"),
    ("logits", "_losses", "top - x[r, c] + log_total", "top - x[r, c]", "cross_entropy"),
    ("logits", "_cost", "wanted != 0", "True", "cross_entropy"),
    ("logits", "_wanted", "label_smoothing / classes", "label_smoothing", "cross_entropy"),
    ("logits", "_slopes", "own * weight[target[r]]", "own", "cross_entropy_grad"),
    ("logits", "_slopes", "grad[r] * (scale * dx[r, c] - wanted)", "scale * dx[r, c] - wanted", "cross_entropy_grad"),
]
OPS = [
    ("elementwise", "add", "sum_to(k, grad, shape_a)", "grad", "add"),
    ("elementwise", "divide", "k.multiply(grad, y)", "grad", "divide"),
    ("elementwise", "power.grad_exponent", "k.multiply(y, k.log(safe))", "k.multiply(a, k.log(safe))", "power"),
    ("reduce", "var.grad_x", "count - ddof", "count", "var"),
    ("reduce", "_extreme.grad_x", "k.sum(attained, axis=axes, keepdims=True)", "1", "ties"),
    ("activation", "softmax", "k.softmax_grad(grad, y, along)", "k.softmax_grad(y, grad, along)", "softmax"),
    ("activation", "gelu", "k.gelu_grad(grad, x)", "k.gelu_grad(grad, grad)", "gelu"),
    (
        "norm",
        "batch_norm.grad_x",
        "k.negative(k.multiply(k.multiply(scale, inverse), k.divide(product, count)))",
        "k.multiply(scale, 0)",
        "batch_norm",
    ),
    ("norm", "layer_norm", "each(grad)[1]", "each(grad)[2]", "layer_norm"),
    (
        "interpolate",
        "interpolate",
        "[mixing.adjoint for mixing in mixings]",
        "mixings",
        "interpolate",
    ),
    (
        "loss",
        "cross_entropy.grad_logits",
        "k.cross_entropy_grad(masked(k, kept, grad), logits, labels, weight, label_smoothing)",
        "logits",
        "cross_entropy",
    ),
    ("loss", "_counted", "k.sum(masked(k, kept, k.take(weight, labels)))", "math.prod(labels.shape)", "weighted mean"),
]
MUTANTS = [
    *(Mutant("reference", *mutant) for mutant in REFERENCE),
    *(Mutant("im2col", *mutant) for mutant in IM2COL),
    *(Mutant("direct", *mutant) for mutant in DIRECT),
    *(Mutant("depthwise", *mutant) for mutant in DEPTHWISE),
    *(Mutant("pointwise", *mutant) for mutant in POINTWISE),
    *(Mutant("winograd", *mutant) for mutant in WINOGRAD),
    *(Mutant("two by two", *mutant) for mutant in TWO_BY_TWO),
    *(Mutant("volume", *mutant) for mutant in VOLUME),
    *(Mutant("pool", *mutant) for mutant in POOL),
    *(Mutant(*mutant) for mutant in SMALL),
    *(Mutant("update", *mutant) for mutant in UPDATE),
    *(Mutant("logits", *mutant) for mutant in LOGITS),
    *(Mutant("ops", *mutant) for mutant in OPS),
]


@pytest.mark.parametrize("suite", SUITES)
def test_copies_without_a_mistake_pass_every_check(suite, monkeypatch):
    copies = load(suite, monkeypatch)
    for check in CHECKS[suite].values():
        check(copies)


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mistake_is_noticed(mutant, monkeypatch):
    if (mutant.module, mutant.place) == ("filters", "gradient.work") and threads.num_threads() < 2:
        pytest.skip("one thread has all of the work in one part, and there is nothing to add")
    copies = load(mutant.suite, monkeypatch, mutant)
    with pytest.raises((AssertionError, ValueError, IndexError)):
        CHECKS[mutant.suite][mutant.noticed_by](copies)


def test_every_check_notices_something():
    noticing = {(mutant.suite, mutant.noticed_by) for mutant in MUTANTS}
    general = {("depthwise", "adjoint"), ("pointwise", "adjoint"), ("winograd", "adjoint")}
    assert {(suite, name) for suite, checks in CHECKS.items() for name in checks} - noticing <= general


def test_a_place_is_found_however_it_is_written():
    text = """
def other(x):
    return x + 1

class Window:
    def span(self, k):  # of one axis
        def inner(x): return x + 1
        return ( self.d*(k - 1)
                 + 1 )
"""
    tree = ast.parse(text)
    replace(tree, "Window.span", "self.d * (k - 1) + 1", "0")
    replace(tree, "Window.span.inner", "return x + 1", "pass")
    assert ast.unparse(tree) == ast.unparse(
        ast.parse(
            "def other(x):\n    return x + 1\n"
            "class Window:\n    def span(self, k):\n        def inner(x):\n            pass\n        return 0\n"
        )
    )


@pytest.mark.parametrize(
    ("place", "old", "words"),
    [
        ("Window.spam", "k", "there is no 'Window.spam' any more"),
        ("span", "k - 1", "'k - 1' stands 2 times in span"),
        ("span", "k - 3", "'k - 3' stands 0 times in span; there is k - 1"),
        ("span", "k = 3", "'k = 3' stands 0 times in span"),
    ],
)
def test_a_place_that_is_none_is_said(place, old, words):
    tree = ast.parse("def span(k):\n    return (k - 1) * (k - 1)\n")
    with pytest.raises(AssertionError) as caught:
        replace(tree, place, old, "0")
    assert words in str(caught.value)


def test_what_is_left_out_is_not_what_the_call_before_left_in_memory(monkeypatch):
    load("depthwise", monkeypatch)
    assert np.isnan(memory.empty((3, 4), np.float32)).all()
    assert (memory.empty((3,), np.int32) < 0).all()
