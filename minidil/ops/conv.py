"""Convolution over 1, 2 or 3 spatial axes (cross-correlation: the kernel is not flipped), and its transpose."""

from __future__ import annotations

from numbers import Integral

from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.geometry import Ints, Padding, Window, per_axis
from minidil.ops.common import Vjps, check_wide, without_batch


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> tuple[Array, Vjps]:
    """Slide F dilated filters over x: one im2col, one matrix product.

    y[n, f, o] = bias[f] + sum over channels c and taps k of weight[f, c, k] x[n, c, o stride + k dilation - padding]

    Shapes: x (N, C, *S), weight (F, C/groups, *K), bias (F,) -> y (N, F, *O); on every spatial axis
        O = (S + padding_before + padding_after - dilation (K - 1) - 1) // stride + 1.
        One image x (C, *S) gives y (F, *O).
    padding: an int, one per axis, (before, after) pairs, "same", "valid" or "causal" (see `Window.of`).
    Returns: y and (grad_x, grad_weight, grad_bias), each mapping G = dL/dy to that input's gradient.
    Raises: ShapeError if ranks or channels differ, or the dilated kernel overruns the padded input; DtypeError for bools
        and narrow integers.
    Sources: im2col, Chellapilla et al. 2006; dilation, Yu & Koltun 2016, arXiv:1511.07122.
    """
    kernels = active()  # captured, so backward runs where forward ran
    if 2 <= x.ndim == weight.ndim - 1:

        def batched(x: Array) -> tuple[Array, Vjps]:
            return conv(x, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)

        return without_batch(kernels, x, batched)
    _check("conv", x, weight, groups)
    filters, channels = weight.shape[0], weight.shape[1] * groups
    if x.shape[1] != channels:
        raise ShapeError(
            f"conv: weight {weight.shape} with groups={groups} takes {weight.shape[1]}*{groups} = {channels} channels "
            f"but x {x.shape} has {x.shape[1]}"
        )
    if filters % groups:
        raise ShapeError(f"conv: the {filters} filters of weight {weight.shape} do not divide into groups={groups}")
    _check_bias("conv", bias, filters)
    window = Window.of(x.shape[2:], weight.shape[2:], stride, padding, dilation, op="conv")
    y = kernels.conv_forward(x, weight, window, groups, bias)

    # With cols = im2col(x), image n is the matrix product y[n] = W cols[n] + b; hence
    #   dL/dW = sum_n G[n] cols[n]^T,      dL/db = sum_n,o G[n, :, o]      and      dL/dcols[n] = W^T G[n].
    # im2col is linear and col2im its adjoint, <im2col(x), c> = <x, col2im(c)>; hence
    #   dL/dx = col2im(dL/dcols).
    def grad_x(grad: Array) -> Array:
        return kernels.conv_grad_input(grad, weight, window, groups)

    def grad_weight(grad: Array) -> Array:
        return kernels.conv_grad_weight(x, grad, window, groups)

    def grad_bias(grad: Array) -> Array:
        return kernels.sum(grad, axis=(0, *range(2, grad.ndim)))

    return y, (grad_x, grad_weight, None if bias is None else grad_bias)


def conv_transpose(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: Ints = 1,
    padding: Padding = 0,
    output_padding: Ints = 0,
    groups: int = 1,
    dilation: Ints = 1,
) -> tuple[Array, Vjps]:
    """The adjoint of `conv`: for the same weight and options, <conv(u, w), x> = <u, conv_transpose(x, w)>.

    It is *not* the inverse of a convolution; it only has its shapes the other way round.
    Shapes: x (N, F, *O), weight (F, C/groups, *K), bias (C,) -> y (N, C, *S); on every spatial axis
        S = (O - 1) stride - padding_before - padding_after + dilation (K - 1) + 1 + output_padding.
        One image x (F, *O) gives y (C, *S).
    padding: as for `conv`, in numbers or "valid": it is *removed* from the output.
    output_padding: with a stride, several sizes S give the same O; this many positions at the end choose among them. It must be
        less than the stride or the dilation; what no tap reaches is the bias alone.
    Raises: ShapeError or OptionError if the sizes do not fit.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, section 4.
    """
    kernels = active()
    if 2 <= x.ndim == weight.ndim - 1:

        def batched(x: Array) -> tuple[Array, Vjps]:
            return conv_transpose(
                x,
                weight,
                bias,
                stride=stride,
                padding=padding,
                output_padding=output_padding,
                dilation=dilation,
                groups=groups,
            )

        return without_batch(kernels, x, batched)
    _check("conv_transpose", x, weight, groups)
    if x.shape[1] != weight.shape[0] or weight.shape[0] % groups:
        raise ShapeError(
            f"conv_transpose: x {x.shape} must have as many channels as weight {weight.shape} has first entries, "
            f"and groups={groups} must divide them"
        )
    channels = weight.shape[1] * groups
    _check_bias("conv_transpose", bias, channels)
    window, untouched = transposed_window(x, weight, stride, padding, output_padding, dilation)
    y = kernels.conv_grad_input(x, weight, window, groups, forward=True)
    inner = (slice(None), slice(None), *map(slice, window.size))
    if any(untouched):
        y = kernels.pad(y, ((0, 0), (0, 0), *((0, n) for n in untouched)), constant_values=0)
    if bias is not None:
        y = kernels.add(y, kernels.reshape(bias, (-1, *(1,) * (x.ndim - 2))))

    # y = A^T x for the linear map A u = conv(u, w); hence dL/dx = A G = conv(G, w). And <A^T x, G> = <x, A G>: as a function of
    # w that is the inner product of x with conv(G, w), whose gradient in w is that of a convolution with input G and gradient x.
    # Positions that no tap reaches depend on neither.
    def touched(grad: Array) -> Array:
        return kernels.take(grad, inner) if any(untouched) else grad

    def grad_x(grad: Array) -> Array:
        return kernels.conv_forward(touched(grad), weight, window, groups)

    def grad_weight(grad: Array) -> Array:
        return kernels.conv_grad_weight(touched(grad), x, window, groups)

    def grad_bias(grad: Array) -> Array:
        return kernels.sum(grad, axis=(0, *range(2, grad.ndim)))

    return y, (grad_x, grad_weight, None if bias is None else grad_bias)


def transposed_window(
    x: Array, weight: Array, stride: Ints, padding: Padding, output_padding: Ints, dilation: Ints
) -> tuple[Window, tuple[int, ...]]:
    """The window of the convolution whose adjoint is wanted, and how many positions at the end of each axis no tap reaches.

    It slides over the *output* and has the size of x as `out`. An output_padding of a stride or more would make room for another
    position: it is taken off the padding after the output, and what is left of it lies beyond the last tap.
    """
    op, ndim = "conv_transpose", x.ndim - 2
    if padding in ("same", "causal"):
        raise OptionError(
            f"{op}: padding must be given in numbers, since {padding!r} depends on the size that is wanted"
        )
    strides = per_axis(stride, ndim, "stride", op, least=1)
    dilations = per_axis(dilation, ndim, "dilation", op, least=1)
    extra = per_axis(output_padding, ndim, "output_padding", op, least=0)
    for axis, (amount, step, d) in enumerate(zip(extra, strides, dilations, strict=True)):
        if amount >= max(step, d):
            raise OptionError(
                f"{op}: output_padding {amount} must be less than the stride {step} or the dilation {d} on spatial axis {axis}"
            )
    # A window over one span has the padding and the span spelled out per axis, whatever the size will be.
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, weight.shape[2:], strict=True)]
    pads = list(Window.of(spans, weight.shape[2:], stride, padding, dilations, op).padding)
    size, untouched = [], [0] * ndim
    for axis, o in enumerate(x.shape[2:]):
        before, after = pads[axis]
        positions = (o - 1) * strides[axis] + spans[axis] + extra[axis] - before - after
        if extra[axis] >= strides[axis]:
            untouched[axis] = max(extra[axis] - after, 0)
            pads[axis] = (before, max(after - extra[axis], 0))
        if o < 1 or positions - untouched[axis] < 1:
            raise ShapeError(
                f"{op}: spatial axis {axis} of x {x.shape} would give ({o}-1)*{strides[axis]} + {spans[axis]} + {extra[axis]}"
                f" - {before + after} = {positions} positions; at least 1 is needed"
                + (f" besides the {untouched[axis]} that no tap reaches" if untouched[axis] else "")
            )
        size.append(positions - untouched[axis])
    return Window.of(size, weight.shape[2:], strides, pads, dilations, op), tuple(untouched)


def _check(op: str, x: Array, weight: Array, groups: int) -> None:
    check_wide(op, x=x, weight=weight)
    if not 3 <= x.ndim <= 5 or x.ndim != weight.ndim:
        raise ShapeError(
            f"{op}: x (N, C, *S) and weight (F, C/groups, *K) need 1 to 3 spatial axes, the same number; "
            f"they are {x.shape} and {weight.shape}"
        )
    if 0 in weight.shape[:2]:
        raise ShapeError(f"{op}: weight {weight.shape} has no filters or no channels")
    if not isinstance(groups, Integral) or isinstance(groups, bool) or groups < 1:
        raise OptionError(f"{op}: groups must be an int >= 1, not {groups!r}")


def _check_bias(op: str, bias: Array | None, outputs: int) -> None:
    if bias is not None and bias.shape != (outputs,):
        raise ShapeError(f"{op}: bias must be ({outputs},), one number per output channel, not {bias.shape}")
