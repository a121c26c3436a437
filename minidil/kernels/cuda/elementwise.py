"""The elementwise maps, each as what it does to numbers; maps.py makes functions of arrays of them."""

from __future__ import annotations

import math

from minidil.kernels.cuda.device import Array, inline
from minidil.kernels.cuda.maps import binary, comparison, of_floats, ternary, unary
from minidil.kernels.cuda.seam import float32
from minidil.kernels.reference.elementwise import NORMAL_ENDS, SIGMOID_ENDS

# --- pieces of several maps


@inline
def below(x: float) -> float:
    """P(Z <= x) for a standard normal Z."""
    return float32(0.5) * (float32(1) + math.erf(x * float32(math.sqrt(0.5))))


@inline
def gelu_of(x: float) -> float:
    """x P(Z <= x)."""
    return max(x, float32(-NORMAL_ENDS)) * below(x)


@inline
def gelu_slope(x: float) -> float:
    """The slope of gelu, P(Z <= x) + x times the normal density at x."""
    near = min(max(x, float32(-NORMAL_ENDS)), float32(NORMAL_ENDS))
    density = math.exp(float32(-0.5) * near * near) * float32(1 / math.sqrt(2 * math.pi))
    return below(x) + near * density


@inline
def sigmoid_of(x: float) -> float:
    """1 / (1 + e^-x), for x < 0 as e^x / (1 + e^x), so that no power overflows."""
    power = math.exp(-abs(x))
    return (power if x < float32(0) else float32(1)) / (float32(1) + power)


# --- arithmetic


@binary
def add(a: float, b: float) -> float:
    """a + b."""
    return a + b


@binary
def subtract(a: float, b: float) -> float:
    """a - b."""
    return a - b


@binary
def multiply(a: float, b: float) -> float:
    """a b."""
    return a * b


@of_floats
def divide(a: float, b: float) -> float:
    """a / b."""
    return a / b


@of_floats
def power(a: float, b: float) -> float:
    """a to the power b."""
    return math.pow(a, b)


@binary
def maximum(a: float, b: float) -> float:
    """The larger of a and b, and NaN if one of them is: a NaN is the only number that differs from itself."""
    return a if a >= b or a != a else b


@binary
def minimum(a: float, b: float) -> float:
    """The smaller of a and b, and NaN if one of them is."""
    return a if a <= b or a != a else b


@unary
def negative(x: float) -> float:
    """-x."""
    return -x


@unary
def absolute(x: float) -> float:
    """|x|."""
    return abs(x)


@unary
def sign(x: float) -> float:
    """-1, 0 or 1; NaN stays."""
    return float32(x > float32(0)) - float32(x < float32(0)) if x == x else x


@unary
def exp(x: float) -> float:
    """e^x."""
    return math.exp(x)


@unary
def log(x: float) -> float:
    """The natural logarithm."""
    return math.log(x)


@unary
def log1p(x: float) -> float:
    """log(1 + x), exact for small x."""
    return math.log1p(x)


@unary
def sqrt(x: float) -> float:
    """The square root."""
    return math.sqrt(x)


@unary
def tanh(x: float) -> float:
    """The hyperbolic tangent."""
    return math.tanh(x)


@unary
def erf(x: float) -> float:
    """The error function."""
    return math.erf(x)


@unary
def relu(x: float) -> float:
    """max(x, 0); NaN stays."""
    return float32(0) if x < float32(0) else x


@of_floats
def relu_grad(grad: float, y: float) -> float:
    """0 where the output y is 0, grad elsewhere, also where y is NaN."""
    return float32(0) if y <= float32(0) else grad


@unary
def gelu(x: float) -> float:
    """x P(Z <= x) for a standard normal Z."""
    return gelu_of(x)


@of_floats
def gelu_grad(grad: float, x: float) -> float:
    """grad times the slope of gelu at x."""
    return grad * gelu_slope(x)


@unary
def sigmoid(x: float) -> float:
    """1 / (1 + e^-x)."""
    return sigmoid_of(x)


@of_floats
def sigmoid_grad(grad: float, y: float) -> float:
    """grad y (1 - y)."""
    return grad * (y * (float32(1) - y))


@unary
def silu(x: float) -> float:
    """x sigmoid(x)."""
    return max(x, float32(-SIGMOID_ENDS)) * sigmoid_of(x)


@of_floats
def silu_grad(grad: float, x: float) -> float:
    """grad times the slope of silu at x."""
    s = sigmoid_of(x)
    near = min(max(x, float32(-SIGMOID_ENDS)), float32(SIGMOID_ENDS))
    return grad * (s + near * s * (float32(1) - s))


@ternary
def where(condition: bool, a: float, b: float) -> float:
    """a where the condition holds, b elsewhere."""
    return a if condition else b


def clip(x: Array, low: float | None, high: float | None) -> Array:
    """x limited to low..high; None leaves that side open."""
    raised = x if low is None else maximum(x, low)
    return raised if high is None else minimum(raised, high)


# --- comparisons


@comparison
def equal(a: float, b: float) -> bool:
    """a = b."""
    return a == b


@comparison
def not_equal(a: float, b: float) -> bool:
    """a != b."""
    return a != b


@comparison
def less(a: float, b: float) -> bool:
    """a < b."""
    return a < b


@comparison
def less_equal(a: float, b: float) -> bool:
    """a <= b."""
    return a <= b


@comparison
def greater(a: float, b: float) -> bool:
    """a > b."""
    return a > b


@comparison
def greater_equal(a: float, b: float) -> bool:
    """a >= b."""
    return a >= b


@comparison
def logical_and(a: float, b: float) -> bool:
    """Whether both are true (not zero)."""
    return bool(a) and bool(b)
