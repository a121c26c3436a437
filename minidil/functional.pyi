"""Written by docs/make_stubs.py from the signatures and docstrings of minidil.functional."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from minidil.calls.found import Found
from minidil.array import Array
from minidil.kernels.geometry import Ints, Padding
from minidil.operand import Operand
from minidil.ops.common import Axis, Scalar
from minidil.ops.norm import Observer
from minidil.tensor import Tensor

def add(a: Operand, b: Operand) -> Tensor:
    """a + b."""

def subtract(a: Operand, b: Operand) -> Tensor:
    """a - b."""

def multiply(a: Operand, b: Operand) -> Tensor:
    """a b, element by element."""

def divide(a: Operand, b: Operand) -> Tensor:
    """a / b."""

def power(a: Operand, b: Operand) -> Tensor:
    """a to the power b. The gradient for an array b needs a > 0 and is taken as 0 where a = 0.

    Raises: OptionError for negative powers of whole numbers.
    """

def negative(x: Operand) -> Tensor:
    """-x."""

def exp(x: Operand) -> Tensor:
    """e^x."""

def log(x: Operand) -> Tensor:
    """The natural logarithm."""

def sqrt(x: Operand) -> Tensor:
    """The square root."""

def absolute(x: Operand) -> Tensor:
    """|x|. At 0 the gradient is taken as 0."""

def clip(x: Operand, low: Scalar | None = None, high: Scalar | None = None) -> Tensor:
    """x limited to low..high; None leaves that side open. The gradient passes where low <= x <= high. A NaN stays one,
    without gradient.

    Raises: OptionError if both are None, or low > high.
    """

def maximum(a: Operand, b: Operand) -> Tensor:
    """The larger of a and b, element by element, NaN if one of them is.

    A tie gives half of the gradient to each, a NaN all of it to both.
    """

def minimum(a: Operand, b: Operand) -> Tensor:
    """The smaller of a and b, element by element, NaN if one of them is.

    A tie gives half of the gradient to each, a NaN all of it to both.
    """

def astype(x: Operand, dtype: DTypeLike) -> Tensor:
    """x as another number type; the gradient comes back as the type of x. Integers and bools have none.

    Raises: DtypeError for what is no type of numbers or bools.
    """

def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The sum over the given axes (all of them by default)."""

def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The mean over the given axes (all of them by default)."""

def var(x: Operand, axis: Axis = None, *, ddof: int = 1, keepdims: bool = False) -> Tensor:
    """The variance sum((x - mean)^2) / (n - ddof) over the given axes (all of them by default).

    ddof: 1, as in PyTorch (`correction`, `unbiased=True`), estimates it from a sample without bias; 0, as in NumPy, is that of
        the numbers themselves.
    Raises: ShapeError if there are no more than ddof numbers.
    """

def amax(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element over the given axes, without its position. Ties share the gradient equally; a NaN is the largest."""

def amin(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element over the given axes, without its position. Ties share the gradient equally; a NaN is the smallest."""

def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """log sum_i e^(x_i) over the given axes (all of them by default), shifted by the maximum, so that nothing overflows.

    Infinities keep their meaning: minus infinity adds nothing, and where there is nothing else it is the result, and has
    gradient 0; plus infinity is the result, and takes the gradient.
    Raises: ShapeError if there are no elements along the axes; DtypeError for integers.
    """

def one_hot(index: Operand, num_classes: int = -1) -> Tensor:
    """1 where the new last axis equals the index and 0 elsewhere, in the integer type of the index; no gradient.

    Shapes: index (*S) of integers in 0..num_classes-1 -> (*S, num_classes); -1 stands for the largest index plus one.
    Raises: DtypeError if the index holds no integers, OptionError if one is out of range.
    """

def std(x: Operand, axis: Axis = None, *, ddof: int = 1, keepdims: bool = False) -> Tensor:
    """The standard deviation: the root of `var`, with its arguments."""

def norm(x: Operand, p: float = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The length (sum |x|^p)^(1/p) over the given axes, for p = 1 and p = 2. At 0 its gradient is 0."""

def argmax(x: Operand, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""

def argmin(x: Operand, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""

def any(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether an element is true (other than 0); without gradient."""

def all(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every element is true (other than 0); without gradient."""

def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The product over the given axes (all of them by default)."""

def cumsum(x: Operand, axis: int) -> Tensor:
    """The sums of the first elements along an axis: y_i = x_0 + ... + x_i."""

def squeeze(x: Operand, axis: Axis = None) -> Tensor:
    """x without its axes of size 1: all of them, or those given.

    Raises: ShapeError if an axis that is given has another size. (PyTorch then leaves it.)
    """

def unsqueeze(x: Operand, axis: int) -> Tensor:
    """x with a new axis of size 1, which is axis `axis` of the result."""

def expand(x: Operand, shape: Sequence[int]) -> Tensor:
    """x repeated along axes of size 1, and along new ones in front, to this shape; -1 keeps the size of an axis."""

def repeat(x: Operand, counts: Sequence[int]) -> Tensor:
    """x laid side by side counts[i] times along axis i; more counts than axes add axes in front. (NumPy calls it tile.)"""

def flip(x: Operand, axis: Axis = None) -> Tensor:
    """x with the order of its elements reversed along the given axes (all of them by default)."""

def reshape(x: Operand, shape: Sequence[int]) -> Tensor:
    """x with another shape of the same size; one entry may be -1."""

def transpose(x: Operand, axes: Sequence[int] | None = None) -> Tensor:
    """x with its axes in another order: axis i of the result is axis axes[i] of x. By default the order is reversed."""

def flatten(x: Operand, start: int = 0, end: int = -1) -> Tensor:
    """x with the axes start..end (both included) made one."""

def getitem(x: Operand, index: Any) -> Tensor:
    """x[index] for any NumPy index. An element that is taken several times collects the sum of its gradients."""

def pad(x: Operand, width: Sequence[tuple[int, int]] | Sequence[int], *, value: float = 0.0) -> Tensor:
    """x with constant entries added before and behind.

    width: one (before, after) pair for each axis, as in NumPy; or plain numbers as in PyTorch, where before and after of the last
        axis come first: (left, right, top, bottom).
    """

def insert_zeros(x: Operand, factor: Ints) -> Tensor:
    """Put factor - 1 zeros between neighbours on every spatial axis: (N, C, *S) -> (N, C, *(factor (S - 1) + 1)).

    Applied to a kernel it spells a dilated kernel out: conv(x, w, dilation=d) = conv(x, insert_zeros(w, factor=d)).
    """

def matmul(a: Operand, b: Operand) -> Tensor:
    """The matrix product over the last two axes, NumPy's `@`: leading axes broadcast, a vector counts as a row or a column.

    Shapes: (..., M, K) @ (..., K, N) -> (..., M, N); (K,) @ and @ (K,) drop the axis that the vector lacks.
    Raises: ShapeError if the inner sizes differ or an operand has no axis; DtypeError for bools and narrow integers.
    """

def linear(x: Operand, weight: Operand, bias: Operand = None) -> Tensor:
    """An affine map of the last axis, y = x W^T + b.

    Shapes: x (..., I), weight (O, I), bias (O,) -> y (..., O).
    Raises: ShapeError if the sizes do not fit; DtypeError for bools and narrow integers.
    """

def conv(x: Operand, weight: Operand, bias: Operand = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, groups: int = 1) -> Tensor:
    """Slide F dilated filters over x: one im2col, one matrix product.

    y[n, f, o] = bias[f] + sum over channels c and taps k of weight[f, c, k] x[n, c, o stride + k dilation - padding]

    Shapes: x (N, C, *S), weight (F, C/groups, *K), bias (F,) -> y (N, F, *O); on every spatial axis
        O = (S + padding_before + padding_after - dilation (K - 1) - 1) // stride + 1.
        One image x (C, *S) gives y (F, *O).
    padding: an int, one per axis, (before, after) pairs, "same", "valid" or "causal" (see `Window.of`).
    Raises: ShapeError if ranks or channels differ, or the dilated kernel overruns the padded input; DtypeError for bools
        and narrow integers.
    Sources: im2col, Chellapilla et al. 2006; dilation, Yu & Koltun 2016, arXiv:1511.07122.
    """

def conv_transpose(x: Operand, weight: Operand, bias: Operand = None, stride: Ints = 1, padding: Padding = 0, output_padding: Ints = 0, groups: int = 1, dilation: Ints = 1) -> Tensor:
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

def place_taps(weight: Operand, positions: Operand, size: Ints) -> Tensor:
    """The kernel of `size` whose taps have these weights and stand at these positions, for `conv`.

    Shapes: weight (F, C, M), M taps for each filter and channel; positions (axes, F, C, M), of 1 to 3 axes, measured from the
        middle of the kernel -> y (F, C, *size). Taps at one place add up.
    A position beyond (size - 1) / 2 counts as that, and has no gradient there.
    Raises: ShapeError if the shapes do not fit, OptionError for a size below 1, DtypeError for whole numbers.
    Source: Hassani et al. 2021, "Dilated convolution with learnable spacings", arXiv:2112.03740, section 2.
    """

def unfold(x: Operand, kernel_size: Ints, dilation: Ints = 1, padding: Padding = 0, stride: Ints = 1) -> Tensor:
    """im2col: every window of x as a column, of which conv makes one matrix product.

    Shapes: x (N, C, *S) -> (N, C prod(K), L), L = prod(O), O as for `conv`; a row is a channel and a tap, row-major.
    Raises: ShapeError if the window overruns the padded input.
    """

def fold(cols: Operand, output_size: Ints, kernel_size: Ints, dilation: Ints = 1, padding: Padding = 0, stride: Ints = 1) -> Tensor:
    """col2im: every entry of the columns added where `unfold` would have taken it from. Not its inverse: overlaps add up.

    Shapes: cols (N, C prod(K), L) -> (N, C, *output_size), where L windows fit into output_size, which has one int per axis
        (a single int stands for one per entry of kernel_size, or for two axes).
    Raises: ShapeError if the columns do not fit the window.
    """

def avg_pool(x: Operand, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0, ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None, dilation: Ints = 1) -> Tensor:
    """The mean of every window's taps. Padding counts as zeros, or not at all with count_include_pad=False.

    Shapes, ceil_mode: as for `max_pool`. What hangs over the padded end in ceil mode never counts.
    divisor_override: the sum of the taps is divided by this number instead of their count.
    Raises: ShapeError if the window overruns the padded input, or some window would be the mean of no taps; DtypeError for
        integers; OptionError if divisor_override is 0.
    """

def adaptive_avg_pool(x: Operand, output_size: Ints) -> Tensor:
    """Means over a grid of output_size regions, as even as the input size S allows.

    Along an axis, region i of O holds the positions floor(i S/O) .. ceil((i+1) S/O) - 1.

    Shapes: x (N, C, *S) -> (N, C, *output_size), or, where output_size has one entry per axis, (C, *S) -> (C, *output_size).
    Raises: ShapeError if x has no spatial axis or an empty one; DtypeError for integers.
    """

def interpolate(x: Operand, size: Ints | None = None, scale_factor: float | Sequence[float] | None = None, mode: str = 'nearest', align_corners: bool = False) -> Tensor:
    """Resize the spatial axes to `size`, or to floor(S scale_factor), as in PyTorch. No filter precedes a reduction.

    mode: "nearest" takes x[floor(o s)]; "linear", "bilinear", "trilinear" (1, 2, 3 spatial axes) mix the two neighbours on every
        axis; "bicubic" (2 axes) the four next ones by Keys' kernel with a = -0.75. Beyond the border its value goes on.
    scale_factor: one number, or one per spatial axis; s is then 1 / scale_factor also where floor has shortened the output.
    Coordinates are computed in float64, those of "nearest" without rounding where `size` is given.

    Shapes: x (N, C, *S) -> (N, C, *size).
    Raises: ShapeError, OptionError or DtypeError if the settings do not fit x.
    Source: Keys 1981, "Cubic convolution interpolation for digital image processing".
    """

def roi_align(x: Operand, boxes: Sequence[Any], output_size: Ints, spatial_scale: float = 1.0, sampling_ratio: int = 2, aligned: bool = True) -> Tensor:
    """The map under each box, output_size bins high and wide: means of samples that lie where the box says, unrounded.

    boxes: for every image of x its boxes (R_n, 4) as (x1, y1, x2, y2), in pixels of the picture; constants, without gradient.
        A sample more than one cell away from the map's cells is 0, a nearer one takes the cell at the border.
    spatial_scale: the map's size over the picture's, 1 / its stride.
    sampling_ratio: the samples P along each axis of a bin.
    aligned: False reads half a cell too far on, and makes every box at least one cell large; for weights trained that way.

    Shapes: x (N, C, H, W) -> (R, C, *output_size), R = sum R_n, the boxes of the first image first.
    Two matrix products an image, H O W C R_n multiply-adds and W O^2 C R_n: for maps of some dozens of cells a side.
    Raises: ShapeError, DtypeError or OptionError if x or the options do not fit, or a box is inverted or not finite.
    Source: He et al. 2017, arXiv:1703.06870, section 3.
    """

def relu(x: Operand) -> Tensor:
    """max(x, 0) (Nair & Hinton 2010). At 0 the gradient is taken as 0; a NaN stays one, and its gradient passes."""

def leaky_relu(x: Operand, slope: float = 0.01) -> Tensor:
    """x where x > 0, slope x elsewhere (Maas et al. 2013)."""

def sigmoid(x: Operand) -> Tensor:
    """s(x) = 1 / (1 + e^-x)."""

def tanh(x: Operand) -> Tensor:
    """The hyperbolic tangent."""

def silu(x: Operand) -> Tensor:
    """x s(x) with the sigmoid s, also called swish (Elfwing et al. 2018, arXiv:1702.03118)."""

def gelu(x: Operand, approximate: str = 'none') -> Tensor:
    """x P(Z <= x) for a standard normal Z (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    approximate: "none" is exact, by the error function; "tanh" is the paper's x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2.
    Raises: OptionError for another word.
    """

def softplus(x: Operand, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(beta x)) / beta, a smooth relu (Dugas et al. 2001); x itself where beta x exceeds the threshold.

    Raises: OptionError unless beta is positive and finite.
    """

def softmax(x: Operand, axis: int | None = None) -> Tensor:
    """y_i = e^(x_i) / sum_j e^(x_j) along an axis; None is the last one of a vector or a matrix.

    A number without axes is alone and gives 1; nothing gives nothing.
    An x_i of minus infinity has y_i = 0 and no gradient. One of plus infinity makes NaN of all, as does minus infinity
    throughout: which y is the limit depends on the way there.
    """

def log_softmax(x: Operand, axis: int | None = None) -> Tensor:
    """y_i = x_i - log sum_j e^(x_j) along an axis, as `softmax` takes it.

    At infinity it is the logarithm of `softmax`, with finite gradients or NaN. A number without axes is alone and gives 0;
    nothing gives nothing.
    """

def dropout(x: Operand, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None) -> Tensor:
    """Zero each element with probability p and scale the rest by 1 / (1 - p), which keeps the mean (arXiv:1207.0580).

    training: False leaves x as it is.
    rng: where the mask is drawn; by default the generator that `minidil.seed` sets.
    Raises: OptionError unless 0 <= p < 1 and training is a bool.
    """

def scaled_dot_product_attention(query: Operand, key: Operand, value: Operand, attn_mask: Tensor | Array | None = None, *, is_causal: bool = False, scale: float | None = None) -> Tensor:
    """softmax(scale query key^T) value: y_l = sum_s p_ls v_s with p_ls = e^(scale q_l . k_s) / sum_s e^(scale q_l . k_s).

    Shapes: query (*B, L, E), key (*B, S, E), value (*B, S, V) -> (*B, L, V).
    attn_mask: bools that broadcast to (*B, L, S), true where a key counts, or numbers to add to the scores; no gradient.
    is_causal: query l sees the keys 0..l and no later one. scale: 1 / sqrt(E) by default.
    A query that no key answers, all being masked, gets 0 and no gradient.
    Raises: ShapeError, DtypeError or OptionError if the arrays do not fit together.
    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """

def batch_norm(x: Operand, *, weight: Operand = None, bias: Operand = None, mean: Tensor | Array | None = None, var: Tensor | Array | None = None, eps: float = 1e-05, observe: Observer | None = None, activation: str | None = None) -> Tensor:
    """Normalise every channel, u = weight (x - mean) / sqrt(var + eps) + bias, and apply an activation, y = f(u).

    All after x is given by name: PyTorch's function has the running statistics where the weight is here.
    Shapes: x (N, C, *S); weight, bias, mean and var (C,) -> y like x.
    mean, var: constants to normalise with (evaluation). Left out, they are those of the batch itself (training; the
        variance is the biased one), the gradient goes through them, and `observe(mean, var)` is called with them.
    activation: "relu" or "gelu", computed in the same pass over the memory; None leaves y = u. Of all that lies between, x
        alone is kept for the backward pass.
    In training, an infinity or a NaN makes NaN of its channel, since infinity less an infinite mean has no value. Where the type
    cannot hold the variance, in float32 for deviations beyond 1e19, it is infinite, and x counts as nothing: h = 0.
    Raises: ShapeError if sizes do not fit, or if a training batch has a single value per channel, whose variance is 0;
        DtypeError if mean or var are of another type than x.
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1 and the gradients that follow it.
    """

def layer_norm(x: Operand, normalized_shape: int | Sequence[int], weight: Operand = None, bias: Operand = None, eps: float = 1e-05) -> Tensor:
    """Normalise the last axes of every sample to mean 0 and variance 1, then y = weight h + bias.

    Shapes: x (..., *normalized_shape); weight and bias of shape normalized_shape. A function of tensors takes them in PyTorch's
        order, with normalized_shape first.
    An infinity or a NaN makes NaN of its sample, and what is too large to be squared makes h = 0, as in `batch_norm`.
    Raises: ShapeError if x does not end in normalized_shape.
    Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, section 3.
    """

def mse_loss(x: Operand, target: Operand, *, reduction: str = 'mean') -> Tensor:
    """(x - target)^2."""

def l1_loss(x: Operand, target: Operand, *, reduction: str = 'mean') -> Tensor:
    """|x - target|; the gradient is taken as 0 where they are equal."""

def huber_loss(x: Operand, target: Operand, reduction: str = 'mean', delta: float = 1.0) -> Tensor:
    """e^2 / 2 for an error |e| <= delta and delta (|e| - delta/2) beyond, where both and their slopes meet (Huber 1964)."""

def focal_loss(x: Operand, target: Tensor | Array, *, alpha: float | None = 0.25, gamma: float = 2.0, reduction: str = 'mean') -> Tensor:
    """-a t (1 - p)^gamma log p - (1 - a) (1 - t) p^gamma log(1 - p): cross-entropy in which answers that are right hardly count.

    p is the sigmoid of the logits x, and targets t lie in 0..1; x and target of one shape. A detector sums the losses of all its
    anchors and divides by the number of those that hold something.
    alpha: the weight a of the positive targets, against 1 - a of the others; None: a factor of 1 for both.
    gamma: 0 is cross-entropy; 2 makes the loss of a right answer with p = 0.9 a hundred times smaller.
    Raises: ShapeError or DtypeError if target does not fit x; OptionError if alpha or a target lies outside 0..1, or gamma < 0.
    An infinite logit costs nothing on the side of a target of 0 or 1, and infinity on the other side, or between.
    Source: Lin et al. 2017, arXiv:1708.02002, equation 5 and appendix B.
    """

def cross_entropy(logits: Operand, target: Tensor | Array, weight: Tensor | Array | None = None, *, ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = 'mean') -> Tensor:
    """Minus the log-probability that softmax(logits) gives to the target.

    Shapes: logits (N, K, *S), target (N, *S) of class numbers (integers) in 0..K-1, or of the logits' shape and number type:
        a probability per class -> a scalar, or (N, *S) for "none". weight (K,).
    weight: a factor per class; with class numbers "mean" then divides by the sum of the targets' weights.
    ignore_index: targets of this class number cost nothing and do not count.
    label_smoothing: the share e of the target that is spread evenly over all classes (arXiv:1512.00567, section 7).
    Raises: ShapeError, DtypeError or OptionError if the target does not fit the logits, or "mean" finds every target ignored.
    """

def dice_loss(logits: Operand, target: Tensor | Array, smooth: float = 1.0, ignore_index: int = -100, reduction: str = 'mean') -> Tensor:
    """1 - D, where D is the soft Dice overlap of the softmax of the logits with the target, for each image and class but class 0.

        D = (2 sum p t + e) / (sum p + sum t + e)        over the positions of an image, e = smooth

    With p of 0 and 1 alone and e = 0 that is the Dice coefficient, 2 |P and T| / (|P| + |T|). Unlike cross-entropy it does not
    care how many positions there are of class 0, the background, so it is for objects that cover little.
    Shapes: logits (N, K, *S), target (N, *S) of class numbers (integers) in 0..K-1 -> a scalar, or (N, K - 1) for "none".
    smooth: makes D = 1 of a class that is neither in the image nor in the prediction, where it would be 0/0.
    ignore_index: positions with this target are in no sum.
    Raises: ShapeError, DtypeError or OptionError if the target does not fit the logits, there is no class but the background,
        or smooth is not positive.
    Source: Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, section 3, there with squares in the denominator.
    """

def binary_cross_entropy_with_logits(x: Operand, target: Tensor | Array, *, pos_weight: Tensor | Array | None = None, reduction: str = 'mean') -> Tensor:
    """-w t log s(x) - (1 - t) log(1 - s(x)) for logits x and targets t in 0..1, with the sigmoid s; x and target of one shape.

    pos_weight: the factor w of the positive targets, of a shape that broadcasts to that of x; 1 by default.
    Raises: ShapeError or DtypeError if target or pos_weight does not fit x; OptionError if a target lies outside 0..1.
    An infinite logit on the side of a target of 0 or 1 costs nothing; on the other side, or for a target between, infinity.
    """

def where(condition: Tensor | Array, a: Operand, b: Operand) -> Tensor:
    """a where the condition holds, b elsewhere; the condition is a bool array and has no gradient.

    Raises: DtypeError if the condition holds anything but bools, ShapeError if the shapes do not broadcast.
    """

def nll_loss(log_probs: Operand, target: Tensor | Array, weight: Tensor | Array | None = None, *, ignore_index: int = -100, reduction: str = 'mean') -> Tensor:
    """Minus the entry of the target class: `cross_entropy` of what has been through `log_softmax` already.

    Shapes: log_probs (N, K, *S), target (N, *S) of integers in 0..K-1, weight (K,) -> a scalar, or (N, *S) for "none".
    weight, ignore_index, Raises: as for `cross_entropy`.
    """

def concatenate(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors joined along an existing axis; all other sizes must agree."""

def stack(tensors: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""

def einsum(subscripts: str, *operands: Operand) -> Tensor:
    """The sum of products that `subscripts` spells, in NumPy's and PyTorch's syntax: "ij,jk->ik" is a matrix product.

    One letter names an axis; axes of one letter have one size. Letters after "->" are the axes of the result, in this order;
    without "->" those that occur once, in alphabetical order. "..." stands for any further axes, aligned from the right.
    A letter twice in one operand (a diagonal) is refused: take it by indexing first.
    Operands are multiplied from left to right, each pair as one matrix product.
    Raises: OptionError if the subscripts cannot be read, ShapeError if they do not fit the operands.
    """

def split(x: Operand, sizes: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x in parts along an axis: of one size (the last may be smaller), or of these sizes."""

def chunk(x: Operand, chunks: int, axis: int = 0) -> list[Tensor]:
    """x in this number of parts along an axis, all but the last of one size."""

@overload
def max(x: Operand, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The largest element: of all, or along axes. A NaN is the largest.

    `axis=`, NumPy's word for one axis or several, gives a tensor of the values; equal ones share the gradient.
    `dim=`, PyTorch's word, or the position gives the pair (values, indices); the first of equal ones gets the gradient.
    A tensor in that place, or other=, is compared element by element, as in `maximum`.
    Raises: OptionError for what is no axis, CallError for both words, ShapeError if there is no element.
    """
@overload
def max(x: Operand, dim: int, keepdim: bool = False) -> Found[Tensor]: ...
@overload
def max(x: Operand, other: Tensor | np.ndarray[Any, Any]) -> Tensor: ...

@overload
def min(x: Operand, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The smallest element: of all, or along axes. A NaN is the smallest. The arguments and results are those of `max`."""
@overload
def min(x: Operand, dim: int, keepdim: bool = False) -> Found[Tensor]: ...
@overload
def min(x: Operand, other: Tensor | np.ndarray[Any, Any]) -> Tensor: ...

def sort(x: Operand, axis: int = -1, descending: bool = False) -> Found[Tensor]:
    """The elements in order along an axis, and where each came from."""

def topk(x: Operand, k: int, axis: int = -1, largest: bool = True) -> Found[Tensor]:
    """The k largest (or smallest) elements along an axis, in order, and where each stands."""

def max_pool(x: Operand, kernel_size: Ints, stride: Ints | None = None, padding: Padding = 0, dilation: Ints = 1, ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The largest of every window's taps; of equal ones the first, in row-major order, gets the gradient.

    Shapes: x (N, C, *S) -> (N, C, *O), O as for `conv`; also (C, *S) -> (C, *O), where kernel_size has one entry per axis, and
        (C, S) -> (C, O). Padding counts as minus infinity.
    ceil_mode: a last window that fits only in part is kept, if it begins on the input or the padding before it.
    return_indices: return (y, indices): a tensor of integers like y, the place of every winner in the flattened *S.
    Raises: ShapeError if the window overruns the padded input, or some window sees nothing but padding.
    """

def global_avg_pool(x: Operand) -> Tensor:
    """The mean over all spatial axes: (N, C, *S) -> (N, C, 1, ..., 1).

    Source: Lin, Chen & Yan 2014, arXiv:1312.4400, section 3.2.
    """

def __getattr__(name: str) -> Any: ...
