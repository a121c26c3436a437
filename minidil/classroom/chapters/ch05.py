"""Chapter 5, autograd: the walk back through a graph whose values are used more than once, and the gradient of broadcasting."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.classroom.draw import Draw
from minidil.classroom.exercise import Exercise, Mistake

Edges = tuple[tuple[int, int], ...]


# What is expected


def backward(edges: Edges, slopes: Array, count: int) -> Array:
    """edges: (value, argument), in the order in which they were made. Returns the slopes of the last value for all values."""
    grads = np.zeros(count)
    grads[-1] = 1
    for (value, argument), slope in zip(edges[::-1], slopes[::-1], strict=True):
        grads[argument] += slope * grads[value]
    return grads


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of an array of this shape that was stretched to the shape of grad."""
    in_front, stretched = _stretched(grad, shape)
    return np.asarray(grad.sum(axis=(*range(in_front), *stretched))).reshape(shape)


def _stretched(grad: Array, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """How many axes stand in front, and which of all have been stretched."""
    in_front = grad.ndim - len(shape)
    return in_front, tuple(axis for axis in range(in_front, grad.ndim) if shape[axis - in_front] != grad.shape[axis])


# How cases are drawn


def _graph_cases(draw: Draw) -> dict[str, Any]:
    count = draw.integer(1, 6)
    uses = [(value, draw.integer(0, 2)) for value in range(1, count)]  # how many arguments each value has
    edges = [(value, draw.integer(0, value - 1)) for value, arguments in uses for _ in range(arguments)]
    if draw.integer(0, 3) == 3:  # a chain, and a short cut in it: where that ends is met long before it is complete
        count = max(count, 5)
        edges = [*((value, value - 1) for value in range(1, count)), (count - 1, draw.integer(1, count - 4))]
    return {"edges": tuple(edges), "slopes": draw.array(len(edges)), "count": count}


def _stretched_cases(draw: Draw) -> dict[str, Any]:
    shape = tuple(draw.integer(1, 3) for _ in range(draw.integer(0, 3)))
    stretched = tuple(draw.integer(1, 3) if size == 1 else size for size in shape)
    in_front = tuple(draw.integer(1, 3) for _ in range(draw.integer(0, 2)))
    return {"grad": np.asarray(draw.array(*in_front, *stretched)), "shape": shape}


# What students get wrong


def _back_overwritten(edges: Edges, slopes: Array, count: int) -> Array:
    grads = np.zeros(count)
    grads[-1] = 1
    for (value, argument), slope in zip(edges[::-1], slopes[::-1], strict=True):
        grads[argument] = slope * grads[value]
    return grads


def _back_forwards(edges: Edges, slopes: Array, count: int) -> Array:
    grads = np.zeros(count)
    grads[-1] = 1
    for (value, argument), slope in zip(edges, slopes, strict=True):
        grads[argument] += slope * grads[value]
    return grads


def _back_from_nothing(edges: Edges, slopes: Array, count: int) -> Array:
    return np.zeros(count)


def _back_local(edges: Edges, slopes: Array, count: int) -> Array:
    grads = np.zeros(count)
    grads[-1] = 1
    for (_, argument), slope in zip(edges, slopes, strict=True):
        grads[argument] += slope
    return grads


def _back_nearest_first(edges: Edges, slopes: Array, count: int) -> Array:
    grads = np.zeros(count)
    grads[-1] = 1
    queue, met = [count - 1], {count - 1}
    while queue:
        passed = queue.pop(0)
        for (value, argument), slope in zip(edges, slopes, strict=True):
            if value == passed:
                grads[argument] += slope * grads[value]
                if argument not in met:
                    met.add(argument)
                    queue.append(argument)
    return grads


def _back_once_each(edges: Edges, slopes: Array, count: int) -> Array:
    known = dict(zip(edges, slopes.tolist(), strict=True))  # the second of two equal edges takes the place of the first
    return backward(tuple(known), np.array(list(known.values())), count)


def _only_in_front(grad: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(grad.sum(axis=tuple(range(grad.ndim - len(shape)))))


def _only_stretched(grad: Array, shape: tuple[int, ...]) -> Array:
    return np.asarray(grad.sum(axis=_stretched(grad, shape)[1], keepdims=True))


def _axes_lost(grad: Array, shape: tuple[int, ...]) -> Array:
    in_front, stretched = _stretched(grad, shape)
    return np.asarray(grad.sum(axis=(*range(in_front), *stretched)))


def _mean(grad: Array, shape: tuple[int, ...]) -> Array:
    times = grad.size / max(int(np.prod(shape)), 1)
    return unbroadcast(grad, shape) / times


def _first_copy(grad: Array, shape: tuple[int, ...]) -> Array:
    in_front, stretched = _stretched(grad, shape)
    place = tuple(0 if axis < in_front else slice(1) if axis in stretched else slice(None) for axis in range(grad.ndim))
    return np.asarray(grad[place])


EXERCISES = (
    Exercise(
        name="ex05_1",
        title="The walk back",
        function="my_backward",
        signature="my_backward(edges, slopes, count)",
        cases=_graph_cases,
        expected=backward,
        hints=(
            "Take y = h * (h + 1) with h = x + x and follow it by hand: what must have arrived at h before h passes "
            "anything on to x?",
            "A value may be passed on only after everything that uses it. A value is made after its arguments, so "
            "the order is the reverse of the order in which the edges were made.",
            "Start with zeros and a 1 for the last value; then, for the edges from the last to the first: "
            "grads[argument] += slope * grads[value].",
        ),
        mistakes=(
            Mistake(
                "= for +=",
                _back_overwritten,
                "A value that is used twice gets a gradient through each of its uses. With = the last one to arrive "
                "wins, and the others are lost.",
            ),
            Mistake(
                "the walk goes forwards",
                _back_forwards,
                "The edges are followed in the order in which they were made, so a value passes on its gradient "
                "before any has arrived. Which value knows its gradient at the start?",
            ),
            Mistake(
                "passed on too early",
                _back_nearest_first,
                "A value is passed on as soon as something has arrived. What comes in later, on a longer way, is "
                "never passed on: who must have been passed before it?",
            ),
            Mistake(
                "an argument that is used twice by one value counts once",
                _back_once_each,
                "In x + x or x * x the same edge is there twice, and each of the two carries a gradient.",
            ),
            Mistake(
                "the walk starts with nothing",
                _back_from_nothing,
                "All gradients are 0, so nothing can be passed on. What is the slope of the last value for itself?",
            ),
            Mistake(
                "the slopes are not multiplied along the way",
                _back_local,
                "The slope of each edge is added up as it is. What arrives at an argument is this slope times what "
                "has arrived at the value.",
            ),
        ),
        points=3,
        minutes=25,
    ),
    Exercise(
        name="ex05_2",
        title="The gradient of broadcasting",
        function="my_unbroadcast",
        signature="my_unbroadcast(grad, shape)",
        cases=_stretched_cases,
        expected=unbroadcast,
        hints=(
            "Broadcasting uses one number in several places. What is the gradient of a value that is used several times?",
            "There are two kinds of axes to sum over: those that were added in front, and those that had length 1 "
            "and were stretched. Only the first kind disappears.",
            "Sum over the first grad.ndim - len(shape) axes; then, for each axis where shape has a 1, grad = "
            "grad.sum(axis=axis, keepdims=True).",
        ),
        mistakes=(
            Mistake(
                "only the axes in front are summed",
                _only_in_front,
                "An axis of length 1 is stretched by broadcasting, too: it is to have length 1 again.",
            ),
            Mistake(
                "only the stretched axes are summed",
                _only_stretched,
                "Broadcasting also adds axes in front where an array has fewer than the other: these are to go.",
            ),
            Mistake(
                "the axes of length 1 are lost",
                _axes_lost,
                "The sums are right, but an axis that had length 1 is to be there afterwards (keepdims).",
            ),
            Mistake(
                "mean for sum",
                _mean,
                "Each copy has moved the loss on its own account, so their gradients are added up, not averaged.",
            ),
            Mistake(
                "the first copy is taken",
                _first_copy,
                "All copies receive a gradient, not only the first: what happens to the others?",
            ),
        ),
        points=2,
        minutes=20,
    ),
)
