"""Slow, independent definitions that the library is held against. They share no code with minidil, and little with each other.

Sizes and settings are plain tuples with one entry per spatial axis; padding is one (before, after) pair per axis.
"""

import math
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import correlate


def span(kernel, dilation):
    """The extent of a dilated kernel, by listing the positions of its taps."""
    return tuple(max(range(0, k * d, d)) + 1 for k, d in zip(kernel, dilation, strict=True))


def out_size(size, kernel, stride, padding, dilation):
    """The number of window positions, by sliding the window until it no longer fits."""
    counts = []
    for n, k, t, (before, after), d in zip(size, kernel, stride, padding, dilation, strict=True):
        (extent,) = span((k,), (d,))
        starts = [start for start in range(0, n + before + after, t) if start + extent <= n + before + after]
        counts.append(len(starts))
    return tuple(counts)


def tap_positions(out, tap, stride, padding, dilation):
    """Where in the unpadded input the tap falls for an output position."""
    return tuple(
        o * t + k * d - before for o, k, t, (before, _), d in zip(out, tap, stride, padding, dilation, strict=True)
    )


def inside(position, size):
    """Whether a position lies on the input and not on its padding."""
    return all(0 <= p < n for p, n in zip(position, size, strict=True))


def _terms(x_shape, weight_shape, stride, padding, dilation, groups):
    """Every product of the convolution, as three indices: where it is added, and its two factors."""
    images, channels, *size = x_shape
    filters, per_group, *kernel = weight_shape
    for n in range(images):
        for f in range(filters):
            for o in np.ndindex(*out_size(size, kernel, stride, padding, dilation)):
                for j in range(per_group):
                    c = f // (filters // groups) * (channels // groups) + j
                    for k in np.ndindex(*kernel):
                        place = tap_positions(o, k, stride, padding, dilation)
                        if inside(place, size):
                            yield (n, f, *o), (n, c, *place), (f, j, *k)


def conv_loops(x, weight, bias, stride, padding, dilation, groups):
    """The formula, one product at a time: over images, filters, outputs, channels and taps (seven loops in two dimensions)."""
    out = out_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    y = np.zeros((x.shape[0], weight.shape[0], *out))
    for at_y, at_x, at_w in _terms(x.shape, weight.shape, stride, padding, dilation, groups):
        y[at_y] += float(x[at_x]) * float(weight[at_w])
    if bias is not None:
        for f in range(weight.shape[0]):
            y[:, f] += bias[f]
    return y


def conv_transpose_loops(grad, weight, size, stride, padding, dilation, groups):
    """The scatter form: every output hands its share back to the places that it was computed from."""
    channels = weight.shape[1] * groups
    dx = np.zeros((grad.shape[0], channels, *size))
    for at_y, at_x, at_w in _terms(dx.shape, weight.shape, stride, padding, dilation, groups):
        dx[at_x] += float(grad[at_y]) * float(weight[at_w])
    return dx


def conv_weight_loops(x, grad, kernel, stride, padding, dilation, groups):
    """The gradient of the weight, one product at a time."""
    dw = np.zeros((grad.shape[1], x.shape[1] // groups, *kernel))
    for at_y, at_x, at_w in _terms(x.shape, dw.shape, stride, padding, dilation, groups):
        dw[at_w] += float(grad[at_y]) * float(x[at_x])
    return dw


def spelled_out(weight, dilation):
    """The dilated kernel with its zeros written down."""
    weight = np.asarray(weight, np.float64)
    spelled = np.zeros((*weight.shape[:2], *span(weight.shape[2:], dilation)))
    for tap in np.ndindex(*weight.shape[2:]):
        at = tuple(k * d for k, d in zip(tap, dilation, strict=True))
        spelled[(slice(None), slice(None), *at)] = weight[(slice(None), slice(None), *tap)]
    return spelled


def _padded(x, padding):
    size = [n + before + after for n, (before, after) in zip(x.shape[2:], padding, strict=True)]
    padded = np.zeros((*x.shape[:2], *size))
    places = [slice(before, before + n) for n, (before, _) in zip(x.shape[2:], padding, strict=True)]
    padded[(slice(None), slice(None), *places)] = x
    return padded


def conv_scipy(x, weight, bias, stride, padding, dilation, groups):
    """SciPy's correlation of every channel with the kernel spelled out, thinned out by the stride."""
    padded, spelled = _padded(x, padding), spelled_out(weight, dilation)
    filters, per_group = weight.shape[:2]
    thin = tuple(slice(None, None, t) for t in stride)
    out = out_size(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    # SciPy centres the kernel on every position: of those, these have it inside.
    inside = tuple(slice(k // 2, k // 2 + n - k + 1) for n, k in zip(padded.shape[2:], spelled.shape[2:], strict=True))
    y = np.zeros((x.shape[0], filters, *out))
    for n, f, j in product(range(x.shape[0]), range(filters), range(per_group)):
        channel = padded[n, f * groups // filters * per_group + j]
        y[n, f] += correlate(channel, spelled[f, j], mode="constant")[inside][thin]
    return y if bias is None else y + np.reshape(bias, (-1, *(1,) * len(out)))


def conv_space_to_batch(x, weight, bias, stride, padding, dilation, groups):
    """Space-to-batch: the phases x[p::d] are convolved without dilation, and their outputs are interleaved again."""
    padded, weight = _padded(x, padding), np.asarray(weight, np.float64)
    axes = range(len(stride))
    full = [n - s + 1 for n, s in zip(padded.shape[2:], span(weight.shape[2:], dilation), strict=True)]
    y = np.zeros((x.shape[0], weight.shape[0], *full))
    for phase in product(*map(range, dilation)):
        steps = tuple(slice(p, None, d) for p, d in zip(phase, dilation, strict=True))
        if any(p >= n for p, n in zip(phase, full, strict=True)):
            continue  # no output starts in this phase
        part = padded[(slice(None), slice(None), *steps)]
        windows = sliding_window_view(part, weight.shape[2:], axis=tuple(2 + a for a in axes))
        for g in range(groups):
            filters = slice(g * weight.shape[0] // groups, (g + 1) * weight.shape[0] // groups)
            channels = slice(g * weight.shape[1], (g + 1) * weight.shape[1])
            taps = [1, *range(2 + len(axes), 2 + 2 * len(axes))]
            result = np.tensordot(windows[:, channels], weight[filters], (taps, [1, *range(2, 2 + len(axes))]))
            y[(slice(None), filters, *steps)] = np.moveaxis(result, -1, 1)
    y = y[(slice(None), slice(None), *(slice(None, None, t) for t in stride))]
    return y if bias is None else y + np.reshape(bias, (-1, *(1,) * len(stride)))


def max_pool_loops(x, kernel, stride, padding, dilation):
    """The largest tap of every window and its number in row-major order; the first of equal ones, and a NaN above all."""
    images, channels, *size = x.shape
    out = out_size(size, kernel, stride, padding, dilation)
    y, winner = np.empty((images, channels, *out)), np.empty((images, channels, *out), int)
    for n, c, *o in np.ndindex(images, channels, *out):
        best, which = None, -1
        for number, tap in enumerate(np.ndindex(*kernel)):
            place = tap_positions(o, tap, stride, padding, dilation)
            if inside(place, size):
                value = float(x[(n, c, *place)])
                if best is None or value > best or (math.isnan(value) and not math.isnan(best)):
                    best, which = value, number
        y[(n, c, *o)], winner[(n, c, *o)] = best, which
    return y, winner


def max_pool_grad_loops(grad, winner, size, kernel, stride, padding, dilation):
    """Every output's gradient, handed to the place of the tap that won."""
    dx = np.zeros((*grad.shape[:2], *size))
    taps = list(np.ndindex(*kernel))
    for n, c, *o in np.ndindex(*grad.shape):
        place = tap_positions(o, taps[winner[(n, c, *o)]], stride, padding, dilation)
        dx[(n, c, *place)] += grad[(n, c, *o)]
    return dx


def avg_pool_loops(x, kernel, stride, padding, dilation, count_include_pad=True):
    """The mean of every window's taps, where padding counts as zeros or not at all."""
    images, channels, *size = x.shape
    y = np.empty((images, channels, *out_size(size, kernel, stride, padding, dilation)))
    for n, c, *o in np.ndindex(*y.shape):
        places = [tap_positions(o, tap, stride, padding, dilation) for tap in np.ndindex(*kernel)]
        values = [float(x[(n, c, *place)]) for place in places if inside(place, size)]
        y[(n, c, *o)] = math.fsum(values) / (len(places) if count_include_pad else len(values))
    return y


def adaptive_avg_pool_loops(x, output_size):
    """The mean over the region floor(i S/O) .. ceil((i + 1) S/O) - 1 of every axis."""
    y = np.empty((*x.shape[:2], *output_size))
    for o in np.ndindex(*output_size):
        region = [
            slice(math.floor(i * n / m), math.ceil((i + 1) * n / m))
            for i, n, m in zip(o, x.shape[2:], output_size, strict=True)
        ]
        cell = x[(slice(None), slice(None), *region)]
        y[(slice(None), slice(None), *o)] = cell.mean(axis=tuple(range(2, x.ndim)))
    return y


def cross_entropy_loops(logits, target, weight, smoothing):
    """The loss of every position, and its slope for every logit, class by class: -sum q log p and p sum q - q, 0 log 0 = 0."""
    classes, losses, slopes = logits.shape[1], np.zeros(target.shape), np.zeros(logits.shape)
    for n, *s in np.ndindex(*target.shape):
        powers = [math.exp(logits[(n, c, *s)]) for c in range(classes)]
        shares = [(1 - smoothing) * (c == target[(n, *s)]) + smoothing / classes for c in range(classes)]
        wanted = [share * (1 if weight is None else weight[c]) for c, share in enumerate(shares)]
        for c, q in enumerate(wanted):
            p = powers[c] / sum(powers)
            losses[(n, *s)] -= q * math.log(p) if q else 0
            slopes[(n, c, *s)] = p * sum(wanted) - q
    return losses, slopes
