"""Every mistake below, made in a copy of the library, fails a check by name; without it all of them pass."""

import pytest
from mutants import CHECKS, SUITES, Mutant, load

REFERENCE = [
    # module, the text, the mistake, and the check that notices it
    (
        "conv_reference",
        "step * d for step, d in zip(steps, window.dilation",
        "step for step, d in zip(steps, window.dilation",
        "forward",
    ),
    ("conv_reference", "slice(k * d, k * d + stride", "slice(k, k + stride", "grad_input"),
    ("conv_reference", "slice(k * d, k * d + stride", "slice(k * d + 1, k * d + 1 + stride", "grad_input"),
    (
        "conv_reference",
        "padded[_touched(tap, window)] += spread",
        "padded[_touched(tap, window)] = spread",
        "grad_input",
    ),
    ("conv_reference", "padded[_touched(tap, window)] += spread", "padded[_touched(tap, window)] = spread", "adjoint"),
    ("conv_reference", "slice(before, before + n)", "slice(0, n)", "grad_input"),
    ("conv_reference", "return y if bias is None else y + bias", "return y if True else y + bias", "forward"),
    (
        "conv_reference",
        "np.matmul(weight.reshape(groups, f // groups, -1), cols)",
        "np.matmul(weight.reshape(groups, f // groups, -1)[::-1], cols)",
        "forward",
    ),
    (
        "conv_reference",
        "np.matmul(weight.reshape(groups, f // groups, -1), cols)",
        "np.matmul(weight.reshape(f // groups, groups, -1).swapaxes(0, 1), cols)",
        "forward",
    ),
    ("conv_reference", "for g in range(groups)]", "for g in reversed(range(groups))]", "grad_weight"),
    (
        "conv_reference",
        "np.argmax(taps, axis=2)",
        "taps.shape[2] - 1 - np.argmax(taps[:, :, ::-1], axis=2) * 0",
        "max_pool",
    ),
    ("conv_reference", "fill = -np.inf if", "fill = 0.0 if", "max_pool"),
    ("conv_reference", "winner == number", "winner == number + 1", "max_pool_grad"),
    (
        "conv_reference",
        "padded[_touched(tap, window)] += np.where",
        "padded[_touched(tap, window)] = np.where",
        "max_pool_grad",
    ),
    (
        "conv_reference",
        "padded[_touched(tap, window)] += grad",
        "padded[_touched(tap, window)] = grad",
        "window_spread",
    ),
    ("conv_reference", "range(2, 2 + len(window.kernel))))", "range(3, 2 + len(window.kernel))))", "window_sum"),
    ("reference", "np.where(wanted == 0, logits.dtype.type(0), log", "np.where(False, 0.0, log", "cross_entropy"),
    ("reference", "(1 - label_smoothing) + label_smoothing / classes", "(1 - label_smoothing)", "cross_entropy"),
    ("reference", "* np.sum(wanted, axis=1, keepdims=True) - wanted", "- wanted", "cross_entropy_grad"),
    ("geometry", "d * (k - 1) + 1 for d, k in zip(self.dilation", "d * k for d, k in zip(self.dilation", "positions"),
    (
        "geometry",
        "d * (k - 1) + 1 for d, k in zip(self.dilation",
        "d * (k - 1) + 2 for d, k in zip(self.dilation",
        "forward",
    ),
    ("geometry", "(n - s) // t + 1", "(n - s) // t", "positions"),
    ("geometry", "(n - s) // t + 1", "(n - s + t - 1) // t + 1", "positions"),
    (
        "geometry",
        "Window(size, kernel, strides, pads, dilations)",
        "Window(size, kernel, dilations, pads, strides)",
        "forward",
    ),
    (
        "geometry",
        "np.arange(self.out[axis]) * self.stride[axis] - self.padding[axis][0]",
        "np.arange(self.out[axis]) * self.stride[axis]",
        "positions",
    ),
    ("geometry", "if missing <= 0:", "if missing <= 1:", "overruns"),
    ("geometry", "(total // 2, total - total // 2)", "(total - total // 2, total // 2)", "named padding"),
    ("geometry", "(span - 1, 0) for span", "(0, span - 1) for span", "named padding"),
]
PLACES = [  # where the taps of the compiled kernels fall
    ("layout", "w = w0 + k * dilation[2]", "w = w0 + k"),
    ("layout", "w0 = ow * stride[2] - before[2]", "w0 = ow * dilation[2] - before[2]"),
    ("layout", "h0 = oh * stride[1] - before[1]", "h0 = oh * stride[1]"),
    ("layout", "0 <= w < size[2])", "0 <= w < size[2] - 1)"),
    ("layout", "w0 + (kernel[2] - 1) * dilation[2] < size[2]", "w0 + kernel[2] - 1 < size[2]"),
    ("layout", "if ow == out[2]:", "if ow > out[2]:"),
    ("layout", "if oh == out[1]:", "if oh > out[1]:"),
]
IM2COL = [
    *((*place, "forward") for place in PLACES),
    *((*place, "grad_input") for place in PLACES),
    ("layout", "d = d0 + i * dilation[0]", "d = d0 + i", "grad_weight"),
    ("layout", "if od == out[0]:", "if od > out[0]:", "grad_weight"),
    ("im2col", "dx[place, g, c] += cols", "dx[place, g, c] = cols", "grad_input"),
    ("im2col", "dx[place, g, c] += cols", "dx[place, g, c] = cols", "adjoint"),
    ("im2col", "rows += bias.reshape(groups, -1)", "rows += 0", "forward"),
    ("im2col", "grouped.transpose(0, 3, 2, 1)).reshape", "grouped.transpose(0, 3, 2, 1)[::-1]).reshape", "forward"),
    ("im2col", "= x[place, g, c]", "= x[place, 0, c]", "forward"),
    ("im2col", "total += product", "total = product", "grad_weight"),
    ("im2col", "cols[r, g, tap, c] = 0", "cols[r, g, tap, c] = cols[r, g, tap, c]", "forward"),
    ("im2col", "cols[r, tap, 1] = cols[r, tap, 2] = 0", "cols[r, tap, 1] = cols[r, tap, 2] = 1", "forward"),
    ("im2col", "x[place, 0], x[place, 1], x[place, 2]", "x[place, 2], x[place, 1], x[place, 0]", "forward"),
    ("im2col", "dx[place, 1] += cols", "dx[place, 1] = cols", "grad_input"),
]
DEPTHWISE = [
    *((*place, "forward") for place in PLACES[2:-1]),
    ("depthwise", "y[n, r, c] = bias[c]", "y[n, r, c] = 0", "forward"),
    ("depthwise", "y[n, r, c] += weight", "y[n, r, c] = weight", "forward"),
    ("depthwise", "weight[1, c] * x[n, p1, c]", "weight[0, c] * x[n, p1, c]", "forward"),
    ("depthwise", "if places[r, tap] < 0:", "if False:", "forward"),
    ("depthwise", "range(done, taps)", "range(taps)", "forward"),
    ("depthwise", "np.flip(weight, tuple(range(2, weight.ndim)))", "weight", "grad_input"),
    ("depthwise", "(r - before, r - after)", "(r - after, r - before)", "grad_input"),
    ("depthwise", "dx[n, place, c] += weight", "dx[n, place, c] = weight", "grad_input"),
    ("depthwise", "total[tap, c] += grad", "total[tap, c] = grad", "grad_weight"),
    ("depthwise", "grad[n, r + 3, c] * x[n, p3, c]", "grad[n, r + 2, c] * x[n, p3, c]", "grad_weight"),
    ("depthwise", "inside = inside and places[o, tap] >= 0", "pass", "grad_weight"),
]
POINTWISE = [
    ("pointwise", "y[start:stop] += bias", "y[start:stop] += 0", "forward"),
    (
        "pointwise",
        "_matrices(weight, groups), window, None",
        "_matrices(weight, groups)[::-1], window, None",
        "grad_input",
    ),
    ("pointwise", "upstream[:, start:stop].transpose", "upstream[::-1, start:stop].transpose", "grad_weight"),
]
WINOGRAD = [
    ("filters", "total += part", "total = part", "grad_weight"),
    ("winograd_tiles", "[1 / 24, -1 / 12, 1 / 6]", "[1 / 24, 1 / 12, 1 / 6]", "forward"),
    ("winograd_tiles", "phase + 4 * row * dilation", "phase + 4 * row", "forward"),
    ("winograd_tiles", "top + 5 * dilation[0] < height", "top + 4 * dilation[0] < height", "forward"),
    ("winograd_tiles", "before + first, max(0, last - first)", "first, max(0, last - first)", "forward"),
    ("winograd_tiles", "out[i] = 0", "out[i] = out[i]", "grad_weight"),
    ("winograd_tiles", "y[w0, f] = y0 + bias[f]\n", "y[w0, f] = y0\n", "forward"),
    ("winograd", "range(3, by_group.ndim)", "range(3, 3)", "grad_input"),
    ("winograd", "groups, matrices.shape[2] // groups", "matrices.shape[2] // groups, groups", "forward"),
    ("winograd_plan", "d * (k - 1) - before for", "d * (k - 1) for", "grad_input"),
    ("winograd_tiles", "two * a1 + eight * a3", "two * a1 + four * a3", "grad_weight"),
]
VOLUME = [
    ("winograd", "range(3, by_group.ndim)", "range(4, by_group.ndim)", "grad_input"),
    ("winograd", "range(3, by_group.ndim)", "range(4, by_group.ndim)", "adjoint"),
    ("winograd_plan", "shift = k * window.dilation[0] - before[0]", "shift = k - before[0]", "forward"),
    ("winograd", "products.fill(0)", "products.fill(1)", "forward"),
    ("winograd", "slopes[:, used]", "slopes[:, met]", "grad_weight"),
]
TWO_BY_TWO = [
    ("two_by_two", "[[1, -1, 0],", "[[1, 0, 0],", "forward"),
    ("two_by_two", "m01 + m02 + m11 + m12", "m01 + m02 + m11 + m10", "forward"),
    ("two_by_two", "y[part] += bias", "y[part] += 0", "forward"),
    ("two_by_two", "weight[:, :, ::-1, ::-1]", "weight", "grad_input"),
    ("two_by_two", "weight[:, :, ::-1, ::-1]", "weight", "adjoint"),
    ("two_by_two", "upstream[part, ::-1, :, ::-1]", "upstream[part]", "grad_weight"),
]
POOL = [
    ("layout", "w = w0 + k * dilation[2]", "w = w0 + k", "max_pool"),
    ("pool", "not value <= best", "value <= best", "max_pool"),
    ("pool", "= number if larger", "= number + 1 if larger", "max_pool"),
    ("pool", "if winner[r, c] == number", "if winner[r, c] == number + 1", "max_pool_grad"),
    ("pool", "dx[place, c] += grad", "dx[place, c] = grad", "max_pool_grad"),
]
SMALL = [
    ("elementwise", "elementwise", "0 if x[i] < 0 else x[i]", "x[i] if x[i] > 0 else 0", "relu"),
    ("elementwise", "elementwise", "0 if y[i] <= 0 else grad[i]", "0 if y[i] < 0 else grad[i]", "relu"),
    ("channel", "channel", "squares / count - shift**2", "squares / count", "channels"),
    ("channel", "channel", "grad[r, c] * (x[r, c] - centre[c])", "grad[r, c] * x[r, c]", "channels"),
    ("channel", "channel", "y[r, c] = scale[c] * x[r, c] + shift[c]", "y[r, c] = scale[c] * x[r, c]", "channels"),
    ("channel", "channel", "y[r, c] = 0 if u < 0 else u", "y[r, c] = u", "channels"),
    ("channel", "gaussian", "return below + min(max(x, -_ENDS), _ENDS) * density", "return below", "channels"),
    ("elementwise", "gaussian", "return below + min(max(x, -_ENDS), _ENDS) * density", "return below", "gelu"),
]
UPDATE = [
    ("flat", "        array = moved\n", "        pass\n", "sgd"),
    ("update", "new[i] = theta[i] - lr * slope", "new[i] = theta[i] - lr * g[i]", "sgd"),
    ("update", "velocity, dampening = np.zeros_like(theta), 0.0", "velocity = np.zeros_like(theta)", "sgd"),
    ("update", "momentum * velocity[i] + share * slope", "momentum * velocity[i] + slope", "sgd"),
    ("update", "slope + momentum * v if nesterov else v", "slope + v if nesterov else v", "sgd"),
    ("update", "np.sqrt(v * unbias2) + eps", "np.sqrt(v) + eps", "adam"),
    ("update", "lr / (1 - beta1**step)", "lr", "adam"),
    ("update", "1.0, weight_decay, **options", "1.0, 0.0, **options", "adam"),
    ("update", "1 - lr * weight_decay, 0.0, lr=lr", "1.0, weight_decay, lr=lr", "adamw"),
    ("update", "total += value * value", "total = value * value", "square_sum"),
]
LOGITS = [
    ("layout", "moved = np.moveaxis(x, axis, -1)", "moved = np.moveaxis(x, 1, -1)", "softmax"),
    ("logits", "x[r, c] if x[r, c] > top else top", "x[r, c] if x[r, c] < top else top", "softmax"),
    ("logits", "y[r, c] *= scale", "y[r, c] *= 1", "softmax"),
    ("logits", "x[r, c] - top - log_total", "x[r, c] - log_total", "softmax"),
    ("logits", "(top - x[r, c] + log_total) if wanted != 0", "(top - x[r, c]) if wanted != 0", "cross_entropy"),
    ("logits", "if wanted != 0 else", "if True else", "cross_entropy"),
    ("logits", "number(label_smoothing / classes)", "number(label_smoothing)", "cross_entropy"),
    ("logits", "own * weight[target[r]]", "own", "cross_entropy_grad"),
    ("logits", "grad[r] * (scale * dx[r, c] - wanted)", "scale * dx[r, c] - wanted", "cross_entropy_grad"),
]
OPS = [
    (
        "elementwise",
        "lambda grad: sum_to(k, grad, shape_a), lambda grad: sum_to(k, grad, shape_b)",
        "lambda grad: grad, lambda grad: sum_to(k, grad, shape_b)",
        "add",
    ),
    ("elementwise", "k.negative(k.divide(k.multiply(grad, y), b))", "k.negative(k.divide(grad, b))", "divide"),
    ("elementwise", "k.multiply(y, k.log(safe))", "k.multiply(a, k.log(safe))", "power"),
    ("reduce", "2 / (count - ddof)", "2 / count", "var"),
    ("reduce", "k.sum(attained, axis=axes, keepdims=True)", "1", "ties"),
    (
        "activation",
        "k.sum(k.multiply(grad, y), axis=along, keepdims=True)",
        "k.sum(grad, axis=along, keepdims=True)",
        "softmax",
    ),
    ("activation", "k.gelu_grad(grad, x)", "k.gelu_grad(grad, grad)", "gelu"),
    (
        "norm",
        "k.negative(k.multiply(k.multiply(scale, inverse), k.divide(product, count)))",
        "k.multiply(scale, 0)",
        "batch_norm",
    ),
    ("norm", "k.subtract(centred_grad, k.multiply(h, product))", "centred_grad", "layer_norm"),
    (
        "loss",
        "k.cross_entropy_grad(masked(k, kept, grad), logits, labels, weight, label_smoothing)",
        "logits",
        "cross_entropy",
    ),
    ("loss", "k.sum(masked(k, kept, k.take(weight, labels)))", "math.prod(labels.shape)", "weighted mean"),
]
MUTANTS = [
    *(Mutant("reference", *mutant) for mutant in REFERENCE),
    *(Mutant("im2col", *mutant) for mutant in IM2COL),
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
    copies = load(mutant.suite, monkeypatch, mutant)
    with pytest.raises((AssertionError, ValueError, IndexError)):
        CHECKS[mutant.suite][mutant.noticed_by](copies)


def test_every_check_notices_something():
    noticing = {(mutant.suite, mutant.noticed_by) for mutant in MUTANTS}
    general = {("depthwise", "adjoint"), ("pointwise", "adjoint"), ("winograd", "adjoint")}
    assert {(suite, name) for suite, checks in CHECKS.items() for name in checks} - noticing <= general
