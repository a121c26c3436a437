"""Written by docs/make_stubs.py from the signatures and docstrings of minidil.calls.methods."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from minidil.calls.found import Found
from minidil.calls.recorded import Recorded
from minidil.operand import Operand
from minidil.ops.common import Axis, Scalar
from minidil.tensor import Tensor

class Methods(Recorded):
    def __add__(self, other: Operand) -> Tensor: ...
    def __radd__(self, other: Operand) -> Tensor: ...
    def __iadd__(self, other: Operand) -> Tensor: ...
    def __sub__(self, other: Operand) -> Tensor: ...
    def __rsub__(self, other: Operand) -> Tensor: ...
    def __mul__(self, other: Operand) -> Tensor: ...
    def __rmul__(self, other: Operand) -> Tensor: ...
    def __truediv__(self, other: Operand) -> Tensor: ...
    def __rtruediv__(self, other: Operand) -> Tensor: ...
    def __pow__(self, other: Operand) -> Tensor: ...
    def __rpow__(self, other: Operand) -> Tensor: ...
    def __matmul__(self, other: Operand) -> Tensor: ...
    def __rmatmul__(self, other: Operand) -> Tensor: ...
    def __isub__(self, other: Operand) -> Tensor: ...
    def __imul__(self, other: Operand) -> Tensor: ...
    def __itruediv__(self, other: Operand) -> Tensor: ...
    def __floordiv__(self, other: Operand) -> Tensor: ...
    def __rfloordiv__(self, other: Operand) -> Tensor: ...
    def __mod__(self, other: Operand) -> Tensor: ...
    def __rmod__(self, other: Operand) -> Tensor: ...
    def __neg__(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __lt__(self, other: Operand) -> Tensor: ...
    def __le__(self, other: Operand) -> Tensor: ...
    def __gt__(self, other: Operand) -> Tensor: ...
    def __ge__(self, other: Operand) -> Tensor: ...
    def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
    def __invert__(self) -> Tensor: ...
    def __and__(self, other: Operand) -> Tensor: ...
    def __rand__(self, other: Operand) -> Tensor: ...
    def __or__(self, other: Operand) -> Tensor: ...
    def __ror__(self, other: Operand) -> Tensor: ...
    def __xor__(self, other: Operand) -> Tensor: ...
    def __rxor__(self, other: Operand) -> Tensor: ...
    def add(self, b: Operand) -> Tensor:
        """a + b."""

    def subtract(self, b: Operand) -> Tensor:
        """a - b."""

    def multiply(self, b: Operand) -> Tensor:
        """a b, element by element."""

    def divide(self, b: Operand) -> Tensor:
        """a / b."""

    def power(self, b: Operand) -> Tensor:
        """a to the power b. The gradient for an array b needs a > 0 and is taken as 0 where a = 0.

        Raises: OptionError for negative powers of whole numbers.
        """

    def negative(self) -> Tensor:
        """-x."""

    def absolute(self) -> Tensor:
        """|x|. At 0 the gradient is taken as 0."""

    def clip(self, low: Scalar | None = None, high: Scalar | None = None) -> Tensor:
        """x limited to low..high; None leaves that side open. The gradient passes where low <= x <= high. A NaN stays one,
        without gradient.

        Raises: OptionError if both are None, or low > high.
        """

    def astype(self, dtype: DTypeLike) -> Tensor:
        """x as another number type; the gradient comes back as the type of x. Integers and bools have none.

        Raises: DtypeError for what is no type of numbers or bools.
        """

    def exp(self) -> Tensor:
        """e^x."""

    def log(self) -> Tensor:
        """The natural logarithm."""

    def sqrt(self) -> Tensor:
        """The square root."""

    def maximum(self, b: Operand) -> Tensor:
        """The larger of a and b, element by element, NaN if one of them is.

        A tie gives half of the gradient to each, a NaN all of it to both.
        """

    def minimum(self, b: Operand) -> Tensor:
        """The smaller of a and b, element by element, NaN if one of them is.

        A tie gives half of the gradient to each, a NaN all of it to both.
        """

    def matmul(self, b: Operand) -> Tensor:
        """The matrix product over the last two axes, NumPy's `@`: leading axes broadcast, a vector counts as a row or a column.

        Shapes: (..., M, K) @ (..., K, N) -> (..., M, N); (K,) @ and @ (K,) drop the axis that the vector lacks.
        Raises: ShapeError if the inner sizes differ or an operand has no axis; DtypeError for bools and narrow integers.
        """

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The sum over the given axes (all of them by default)."""

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The mean over the given axes (all of them by default)."""

    def var(self, axis: Axis = None, *, ddof: int = 1, keepdims: bool = False) -> Tensor:
        """The variance sum((x - mean)^2) / (n - ddof) over the given axes (all of them by default).

        ddof: 1, as in PyTorch (`correction`, `unbiased=True`), estimates it from a sample without bias; 0, as in NumPy, is that of
            the numbers themselves.
        Raises: ShapeError if there are no more than ddof numbers.
        """

    @overload
    def max(self, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The largest element: of all, or along axes. A NaN is the largest.

        `axis=`, NumPy's word for one axis or several, gives a tensor of the values; equal ones share the gradient.
        `dim=`, PyTorch's word, or the position gives the pair (values, indices); the first of equal ones gets the gradient.
        A tensor in that place, or other=, is compared element by element, as in `maximum`.
        Raises: OptionError for what is no axis, CallError for both words, ShapeError if there is no element.
        """
    @overload
    def max(self, dim: int, keepdim: bool = False) -> Found[Tensor]: ...
    @overload
    def max(self, other: Tensor | np.ndarray[Any, Any]) -> Tensor: ...

    @overload
    def min(self, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The smallest element: of all, or along axes. A NaN is the smallest. The arguments and results are those of `max`."""
    @overload
    def min(self, dim: int, keepdim: bool = False) -> Found[Tensor]: ...
    @overload
    def min(self, other: Tensor | np.ndarray[Any, Any]) -> Tensor: ...

    def amax(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The largest element over the given axes, without its position. Ties share the gradient equally; a NaN is the largest."""

    def amin(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The smallest element over the given axes, without its position. Ties share the gradient equally; a NaN is the smallest."""

    def std(self, axis: Axis = None, *, ddof: int = 1, keepdims: bool = False) -> Tensor:
        """The standard deviation: the root of `var`, with its arguments."""

    def norm(self, p: float = 2, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The length (sum |x|^p)^(1/p) over the given axes, for p = 1 and p = 2. At 0 its gradient is 0."""

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """The product over the given axes (all of them by default)."""

    def cumsum(self, axis: int) -> Tensor:
        """The sums of the first elements along an axis: y_i = x_0 + ... + x_i."""

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """log sum_i e^(x_i) over the given axes (all of them by default), shifted by the maximum, so that nothing overflows.

        Infinities keep their meaning: minus infinity adds nothing, and where there is nothing else it is the result, and has
        gradient 0; plus infinity is the result, and takes the gradient.
        Raises: ShapeError if there are no elements along the axes; DtypeError for integers.
        """

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Where the largest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Where the smallest element stands along an axis, the first of equal ones (in x flattened by default); without gradient."""

    def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether an element is true (other than 0); without gradient."""

    def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether every element is true (other than 0); without gradient."""

    def flatten(self, start: int = 0, end: int = -1) -> Tensor:
        """x with the axes start..end (both included) made one."""

    def squeeze(self, axis: Axis = None) -> Tensor:
        """x without its axes of size 1: all of them, or those given.

        Raises: ShapeError if an axis that is given has another size. (PyTorch then leaves it.)
        """

    def unsqueeze(self, axis: int) -> Tensor:
        """x with a new axis of size 1, which is axis `axis` of the result."""

    def flip(self, axis: Axis = None) -> Tensor:
        """x with the order of its elements reversed along the given axes (all of them by default)."""

    def relu(self) -> Tensor:
        """max(x, 0) (Nair & Hinton 2010). At 0 the gradient is taken as 0; a NaN stays one, and its gradient passes."""

    def sigmoid(self) -> Tensor:
        """s(x) = 1 / (1 + e^-x)."""

    def tanh(self) -> Tensor:
        """The hyperbolic tangent."""

    def softmax(self, axis: int | None = None) -> Tensor:
        """y_i = e^(x_i) / sum_j e^(x_j) along an axis; None is the last one of a vector or a matrix.

        A number without axes is alone and gives 1; nothing gives nothing.
        An x_i of minus infinity has y_i = 0 and no gradient. One of plus infinity makes NaN of all, as does minus infinity
        throughout: which y is the limit depends on the way there.
        """

    def log_softmax(self, axis: int | None = None) -> Tensor:
        """y_i = x_i - log sum_j e^(x_j) along an axis, as `softmax` takes it.

        At infinity it is the logarithm of `softmax`, with finite gradients or NaN. A number without axes is alone and gives 0;
        nothing gives nothing.
        """
