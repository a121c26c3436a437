"""Methods: the ops that a tensor has as operators and as methods. Editors and mypy read methods.pyi beside it."""

from __future__ import annotations

from minidil.calls import found
from minidil.calls.lift import lift
from minidil.calls.operators import comparison, in_place, on_masks, swapped, without_gradient
from minidil.calls.recorded import Recorded
from minidil.ops import activation, elementwise, linear, places, rearrange, reduce, scan
from minidil.ops import shape as shaping


class Methods(Recorded):
    """What is computed with tensors: x + y, x.sum(axis=1)."""

    __slots__ = ()

    __hash__ = object.__hash__  # which __eq__ would take away
    __add__, __radd__, __iadd__ = lift(elementwise.add), swapped(elementwise.add), in_place(elementwise.add)
    __sub__, __rsub__ = lift(elementwise.subtract), swapped(elementwise.subtract)
    __mul__, __rmul__ = lift(elementwise.multiply), swapped(elementwise.multiply)
    __truediv__, __rtruediv__ = lift(elementwise.divide), swapped(elementwise.divide)
    __pow__, __rpow__ = lift(elementwise.power), swapped(elementwise.power)
    __matmul__, __rmatmul__ = lift(linear.matmul), swapped(linear.matmul)
    __isub__, __imul__ = in_place(elementwise.subtract), in_place(elementwise.multiply)
    __itruediv__ = in_place(elementwise.divide)
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = without_gradient
    __neg__, __abs__ = lift(elementwise.negative), lift(elementwise.absolute)
    __lt__, __le__ = comparison("less"), comparison("less_equal")
    __gt__, __ge__ = comparison("greater"), comparison("greater_equal")
    __eq__, __ne__ = comparison("equal"), comparison("not_equal")
    # For bools a > b is "a and not b", a <= b is "b or not a": the comparisons of every backend serve.
    __invert__ = on_masks("~", lambda a: a == 0)
    __and__ = __rand__ = on_masks("&", lambda a, b: a > (b == 0))
    __or__ = __ror__ = on_masks("|", lambda a, b: (a == 0) <= b)
    __xor__ = __rxor__ = on_masks("^", lambda a, b: a != b)

    add, subtract, multiply = lift(elementwise.add), lift(elementwise.subtract), lift(elementwise.multiply)
    divide, power, negative = lift(elementwise.divide), lift(elementwise.power), lift(elementwise.negative)
    absolute, clip, astype = lift(elementwise.absolute), lift(elementwise.clip), lift(elementwise.astype)
    exp, log, sqrt = lift(elementwise.exp), lift(elementwise.log), lift(elementwise.sqrt)
    maximum, minimum, matmul = lift(elementwise.maximum), lift(elementwise.minimum), lift(linear.matmul)
    sum, mean, var = lift(reduce.sum), lift(reduce.mean), lift(reduce.var, by_position=2)
    max, min = found.methods
    amax, amin = lift(reduce.amax), lift(reduce.amin)
    std, norm, prod, cumsum = lift(reduce.std, by_position=2), lift(reduce.norm), lift(scan.prod), lift(scan.cumsum)
    logsumexp = lift(reduce.logsumexp)
    argmax, argmin, any, all = lift(places.argmax), lift(places.argmin), lift(places.any), lift(places.all)
    flatten, squeeze, unsqueeze = lift(shaping.flatten), lift(rearrange.squeeze), lift(rearrange.unsqueeze)
    flip = lift(rearrange.flip)
    relu, sigmoid, tanh = lift(activation.relu), lift(activation.sigmoid), lift(activation.tanh)
    softmax, log_softmax = lift(activation.softmax), lift(activation.log_softmax)
