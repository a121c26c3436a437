"""The contract: every kernel that a backend offers, with its shapes and its meaning. Read it from top to bottom.

A kernel takes arrays and gives a new array, or several; nothing writes into what it was given. It trusts its arguments: the ops
check shapes and options, and say what is wrong, before they call one. N is the batch, C channels, *S the spatial sizes, *K the
taps of a window and *O its positions. Operands broadcast as in NumPy where nothing is said of shapes. Floating ones have one
number type, which the result has, too; `minidil.ops.common` says what becomes of whole numbers.

`active()` gives an op the kernels of its backend as one `Kernels`, the sum of the groups below. Where each group is written
stands below `active`, in backend.py. The reference in NumPy defines every kernel, and for many that is NumPy itself. Numba
has the ones that pay, and takes the others from it; CUDA has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array
from minidil.kernels.geometry import Window
from minidil.kernels.mixing import Mixing

Axis: TypeAlias = int | Sequence[int] | None


# --- numbers for numbers


class Elementwise(Protocol):
    """Arithmetic and comparisons, element by element; a comparison gives bools."""

    def add(self, a: Array | float, b: Array | float, /) -> Array:
        """a + b."""

    def subtract(self, a: Array | float, b: Array | float, /) -> Array:
        """a - b."""

    def multiply(self, a: Array | float, b: Array | float, /) -> Array:
        """a b."""

    def divide(self, a: Array | float, b: Array | float, /) -> Array:
        """a / b."""

    def power(self, a: Array | float, b: Array | float, /) -> Array:
        """a to the power b."""

    def maximum(self, a: Array | float, b: Array | float, /) -> Array:
        """The larger of a and b, NaN if one of them is."""

    def minimum(self, a: Array | float, b: Array | float, /) -> Array:
        """The smaller of a and b, NaN if one of them is."""

    def negative(self, x: Array, /) -> Array:
        """-x."""

    def absolute(self, x: Array, /) -> Array:
        """|x|."""

    def sign(self, x: Array, /) -> Array:
        """-1, 0 or 1; NaN stays."""

    def exp(self, x: Array, /) -> Array:
        """e^x."""

    def log(self, x: Array, /) -> Array:
        """The natural logarithm."""

    def log1p(self, x: Array, /) -> Array:
        """log(1 + x), exact for small x."""

    def sqrt(self, x: Array, /) -> Array:
        """The square root."""

    def tanh(self, x: Array, /) -> Array:
        """The hyperbolic tangent."""

    def clip(self, x: Array, low: float | None, high: float | None, /) -> Array:
        """x limited to low..high; None leaves that side open."""

    def where(self, condition: Array, a: Array | float, b: Array | float, /) -> Array:
        """a where the condition, an array of bools, holds, b elsewhere."""

    def equal(self, a: Array | float, b: Array | float, /) -> Array:
        """a = b."""

    def not_equal(self, a: Array | float, b: Array | float, /) -> Array:
        """Whether a and b differ, as NaN does from itself."""

    def less(self, a: Array | float, b: Array | float, /) -> Array:
        """a < b."""

    def less_equal(self, a: Array | float, b: Array | float, /) -> Array:
        """a <= b."""

    def greater(self, a: Array | float, b: Array | float, /) -> Array:
        """a > b."""

    def greater_equal(self, a: Array | float, b: Array | float, /) -> Array:
        """a >= b."""

    def logical_and(self, a: Array, b: Array, /) -> Array:
        """Whether both are true, or not 0."""


class Activations(Protocol):
    """The activations with a kernel of their own, and the gradients of those that are not made of other kernels."""

    def relu(self, x: Array) -> Array:
        """max(x, 0); NaN stays."""

    def relu_grad(self, grad: Array, y: Array) -> Array:
        """0 where the output y is 0, grad elsewhere, also where y is NaN."""

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + e^-x), without overflow for any x."""

    def sigmoid_grad(self, grad: Array, y: Array) -> Array:
        """grad y (1 - y): through the sigmoid that gave y."""

    def erf(self, x: Array) -> Array:
        """The error function."""

    def gelu(self, x: Array) -> Array:
        """x P(Z <= x) for a standard normal Z."""

    def gelu_grad(self, grad: Array, x: Array) -> Array:
        """grad times the slope of gelu at x."""

    def silu(self, x: Array) -> Array:
        """x sigmoid(x)."""

    def silu_grad(self, grad: Array, x: Array) -> Array:
        """grad times the slope of silu at x."""


# --- one number for many


class Reductions(Protocol):
    """Sums and extremes along an axis, several, or all (None); keepdims leaves axes of size 1 in their place."""

    def sum(self, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
        """The sum. Whole numbers and bools are added in 64 bits where the backend has them."""

    def mean(self, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
        """The sum over the number of elements."""

    def max(self, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
        """The largest, NaN if there is one."""

    def min(self, x: Array, /, axis: Axis = None, *, keepdims: bool = False) -> Array:
        """The smallest, NaN if there is one."""


# --- the same numbers elsewhere


class Movement(Protocol):
    """Arrays that move, to this backend, to another number type or to another shape. What is given back may share memory."""

    def place(self, x: Any) -> Array:
        """x where this backend computes. A number type that its device has none of stays on the host, for a kernel to judge."""

    def constant(self, values: Any, like: Array) -> Array:
        """Host values as an array of the number type of `like`, where this backend computes."""

    def zeros_like(self, x: Array) -> Array:
        """Zeros of the shape and number type of x: where a moving average starts."""

    def astype(self, x: Array, dtype: DTypeLike) -> Array:
        """x as another number type."""

    def broadcast_to(self, x: Array, shape: Sequence[int]) -> Array:
        """x repeated along the axes that `shape` stretches."""


class Shapes(Protocol):
    """The movements that NumPy has under the same names."""

    def reshape(self, x: Array, /, shape: int | Sequence[int]) -> Array:
        """x with another shape of the same size; one entry may be -1."""

    def transpose(self, x: Array, /, axes: Sequence[int] | None = None) -> Array:
        """Axis i of the result is axis axes[i] of x; None reverses the order."""

    def concatenate(self, arrays: Sequence[Array], /, axis: int = 0) -> Array:
        """Arrays joined along an existing axis."""

    def stack(self, arrays: Sequence[Array], /, axis: int = 0) -> Array:
        """Arrays of one shape joined along a new axis."""

    def pad(self, x: Array, width: Sequence[tuple[int, int]], /, *, constant_values: float = 0) -> Array:
        """x with (before, after) constant entries added on every axis."""


# --- products


class Products(Protocol):
    """The matrix product, of which linear layers and `einsum` are made, and what sums over paths are made of."""

    def matmul(self, a: Array, b: Array, /) -> Array:
        """(*B, M, K) times (*B, K, N) -> (*B, M, N); the leading axes broadcast."""

    def log_matmul(self, a: Array, b: Array) -> Array:
        """log(e^a e^b) for a (M, K) and b (K, N), without overflow; minus infinity stands for 0."""

    def path_pairs(self, before: Array, between: Array, behind: Array, weight: Array) -> Array:
        """sum_m weight[m] e^(before[m, i] + between[i, j] + behind[m, j]), (I, J): the sums in the exponents are at most 0."""


class Convolution(Protocol):
    """x (N, C, *S), weight (F, C/groups, *K), y and grad (N, F, *O). `window` says how S, K and O hang together."""

    def conv_forward(
        self, x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None
    ) -> Array:
        """y[n, f, o] = sum_c,k weight[f, c, k] x[n, c, stride o + dilation k - padding] + bias[f], for each group of channels."""

    def conv_grad_input(
        self, grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False
    ) -> Array:
        """dL/dx (N, C, *S): the adjoint of `conv_forward` in x, and the forward pass of a transposed convolution.

        forward: whether it is the latter, of numbers that are no gradient; a backend may round both differently."""

    def conv_grad_weight(self, x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
        """dL/dweight (F, C/groups, *K): the adjoint of `conv_forward` in the weight."""


# --- pooling


class Pooling(Protocol):
    """x (N, C, *S), y and grad (N, C, *O); each channel by itself."""

    def max_pool(self, x: Array, window: Window) -> tuple[Array, Array]:
        """y, the largest tap of every window, and winner (int32), which tap it was: of equal ones the first, row by row."""

    def max_pool_grad(self, grad: Array, winner: Array, window: Window) -> Array:
        """dL/dx (N, C, *S): every output's gradient goes to the tap that won."""

    def window_sum(self, x: Array, window: Window) -> Array:
        """The sum of every window's taps; padding counts as 0."""

    def window_spread(self, grad: Array, window: Window) -> Array:
        """The adjoint of `window_sum`, (N, C, *S): every output's gradient goes to all of its taps."""


# --- normalisation


class Normalisation(Protocol):
    """Arithmetic by channel: x and grad are (N, C, *S), every vector is (C,)."""

    def channel_moments(self, x: Array) -> tuple[Array, Array]:
        """Mean and biased variance of every channel."""

    def channel_affine(self, x: Array, scale: Array, shift: Array, activation: str | None = None) -> Array:
        """f(scale x + shift); the activation f is None (none), "relu" or "gelu"."""

    def channel_dots(self, grad: Array, x: Array, mean: Array) -> tuple[Array, Array]:
        """For every channel, sum(grad) and sum(grad (x - mean))."""

    def channel_slope_dots(
        self, grad: Array, x: Array, scale: Array, shift: Array, mean: Array, activation: str
    ) -> tuple[Array, Array, Array]:
        """H = grad f'(scale x + shift) for the activation f; and for every channel, sum(H) and sum(H (x - mean))."""

    def channel_combine(self, grad: Array, x: Array, a: Array, b: Array, c: Array) -> Array:
        """a grad + b x + c."""


class RowNormalisation(Protocol):
    """Every row by itself: x, grad and y are (R, L), mean and inverse (R,), weight and bias (L,) or None."""

    def row_normalise(
        self, x: Array, weight: Array | None, bias: Array | None, eps: float
    ) -> tuple[Array, Array, Array]:
        """y = weight h + bias for h = (x - mean) inverse; the mean of every row; inverse = 1 / sqrt(biased variance + eps)."""

    def row_normalise_grad(
        self, grad: Array, x: Array, weight: Array | None, mean: Array, inverse: Array
    ) -> tuple[Array, Array, Array]:
        """dL/dx = inverse (H - mean(H) - h mean(H h)) for H = grad weight; sum(grad h) and sum(grad) of every column."""


# --- recurrence


class Recurrence(Protocol):
    """One step of N sequences in a recurrent layer of H units; its gates stand side by side on the second axis."""

    def lstm_cell(self, sums: Array, cell: Array) -> tuple[Array, Array, Array]:
        """The gates i, f, g, o (N, 4 H) of their sums, the new cell f c + i g and the new hidden state o tanh(c')."""

    def lstm_cell_grad(
        self, grad_hidden: Array, grad_cell: Array, gates: Array, before: Array, after: Array
    ) -> tuple[Array, Array]:
        """dL/dsums (N, 4 H) and dL/dcell, from the gradients of the new hidden state and cell; before, after: the cells."""

    def gru_cell(self, from_x: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array]:
        """The gates r, z, n (N, 3 H) of what x and the hidden state give them, and the new hidden state (1 - z) n + z h."""

    def gru_cell_grad(self, grad: Array, gates: Array, from_hidden: Array, hidden: Array) -> tuple[Array, Array, Array]:
        """dL/dfrom_x, dL/dfrom_hidden (N, 3 H), and z grad: the part of dL/dhidden that goes through no gate."""


# --- losses


class Losses(Protocol):
    """logits (N, K, *S), K scores for every position; target (N, *S), the number of the class that is right."""

    def softmax(self, x: Array, axis: int) -> Array:
        """e^x / sum e^x along an axis, without overflow."""

    def softmax_grad(self, grad: Array, y: Array, axis: int) -> Array:
        """y (grad - sum grad y), with the sum along the axis: through the softmax that gave y."""

    def log_softmax(self, x: Array, axis: int) -> Array:
        """x - log sum e^x along an axis, without overflow."""

    def log_softmax_grad(self, grad: Array, y: Array, axis: int) -> Array:
        """grad - e^y sum grad, with the sum along the axis: through the log_softmax that gave y."""

    def cross_entropy(self, logits: Array, target: Array, weight: Array | None, label_smoothing: float) -> Array:
        """-sum_c q_c log p_c at every position, (N, *S), where p is the softmax of the logits along axis 1.

        q: the wanted distribution, (1 - label_smoothing) [c = target] + label_smoothing / K, times the weight (K,) of the class.
        """

    def cross_entropy_grad(
        self, grad: Array, logits: Array, target: Array, weight: Array | None, label_smoothing: float
    ) -> Array:
        """dL/dlogits, (N, K, *S): grad (N, *S) times p_c sum_j q_j - q_c."""


# --- by position


class Gathering(Protocol):
    """What is named by an index, a label or a position."""

    def take(self, x: Array, index: Any) -> Array:
        """x[index], for any index that NumPy knows."""

    def scatter_add(self, grad: Array, index: Any, shape: Sequence[int]) -> Array:
        """The adjoint of `take`: zeros of `shape`, plus grad added at `index`, as often as an element is named there."""

    def one_hot(self, labels: Array, classes: int, dtype: DTypeLike) -> Array:
        """Labels (N, *S) -> (N, classes, *S), 1 where the class axis equals the label and 0 elsewhere."""


class Resampling(Protocol):
    """What mixes the positions along each spatial axis, as a resized image does."""

    def resample(self, x: Array, mixings: Sequence[Mixing]) -> Array:
        """x (N, C, *S) -> (N, C, *O): along each spatial axis the product with its `Mixing`, a sparse matrix (O, S)."""


# --- boxes


class Boxes(Protocol):
    """Boxes (N, 4) as (x1, y1, x2, y2), float64 and on the host on every backend: they are too few to send to a device."""

    def box_iou(self, a: Array, b: Array, crowd: Array | None) -> Array:
        """What a (N, 4) and b (M, 4) share, over what they cover together, (N, M); over a's own area alone where b is a crowd.

        crowd: bools (M,), or None for none. Where nothing is covered it is 0."""

    def nms(self, boxes: Array, groups: Array, threshold: float) -> Array:
        """Which boxes are kept, (N,) bools: each, from the first on, removes those behind it with a larger IoU in its group.

        groups: ints (N,). Boxes of different groups leave each other alone."""


# --- random numbers


class Random(Protocol):
    """What is drawn: on the host, so that the same seed draws the same numbers on every backend."""

    def keep_mask(self, rng: np.random.Generator, shape: Sequence[int], drop: float, dtype: DTypeLike) -> Array:
        """Dropout's multiplier: 0 with probability `drop`, else 1 / (1 - drop)."""


# --- updates


class Updates(Protocol):
    """One step of each optimizer, from a parameter theta, its gradient g and the state of the step before; all of one shape."""

    def sgd_update(
        self,
        theta: Array,
        g: Array,
        velocity: Array | None,
        *,
        lr: float,
        momentum: float,
        dampening: float,
        weight_decay: float,
        nesterov: bool,
    ) -> tuple[Array, Array | None]:
        """Stochastic gradient descent: the new parameter and velocity. velocity: None at first, and without momentum."""

    def adam_update(
        self,
        theta: Array,
        g: Array,
        mean: Array,
        square: Array,
        *,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
    ) -> tuple[Array, Array, Array]:
        """Adam: the new parameter, mean and square, which start as zeros. step: 1 at the first update."""

    def adamw_update(
        self,
        theta: Array,
        g: Array,
        mean: Array,
        square: Array,
        *,
        step: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
    ) -> tuple[Array, Array, Array]:
        """Adam with decoupled weight decay: gives what `adam_update` gives."""

    def rmsprop_update(
        self,
        theta: Array,
        g: Array,
        square: Array,
        mean: Array | None,
        velocity: Array | None,
        *,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
    ) -> tuple[Array, Array, Array | None, Array | None]:
        """RMSprop: the new parameter, square, mean and velocity. mean: None if not centred; velocity: None without momentum."""

    def square_sum(self, x: Array) -> float:
        """The sum of the squares of all elements, in float64, by which gradients are clipped."""


# --- all of them


class Kernels(
    Elementwise,
    Activations,
    Reductions,
    Movement,
    Shapes,
    Products,
    Convolution,
    Pooling,
    Normalisation,
    RowNormalisation,
    Recurrence,
    Losses,
    Gathering,
    Resampling,
    Boxes,
    Random,
    Updates,
    Protocol,
):
    """What `active()` gives: every kernel of one backend."""

    name: str  # of the backend
    hold: Callable[[Any], Array] | None  # where arrays are tensors (`minidil.twice`): the array that a tensor is there


GROUPS = Kernels.__bases__[:-1]
KERNELS = tuple(name for group in GROUPS for name in vars(group) if not name.startswith("_"))


def offered(*modules: ModuleType) -> dict[str, Callable[..., Any]]:
    """The kernels that these modules have, by name; a later module goes before an earlier one."""
    return {name: getattr(module, name) for module in modules for name in KERNELS if hasattr(module, name)}
