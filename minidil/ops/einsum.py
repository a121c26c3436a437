"""Einstein's summation: products of arrays, named axis by axis, and summed over every axis that the result does not name."""

from __future__ import annotations

import math
from string import ascii_letters
from typing import TypeAlias

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp, Vjps

Labels: TypeAlias = tuple[str, ...]
Named: TypeAlias = tuple[Labels, Array]


def einsum(*operands: Array, subscripts: str) -> tuple[Array, Vjps]:
    """The sum of products that `subscripts` spells, in NumPy's and PyTorch's syntax: "ij,jk->ik" is a matrix product.

    One letter names an axis; axes of one letter have one size. Letters after "->" are the axes of the result, in this order;
    without "->" those that occur once, in alphabetical order. "..." stands for any further axes, aligned from the right.
    A letter twice in one operand (a diagonal) is refused: take it by indexing first.
    Operands are multiplied from left to right, each pair as one matrix product.
    Raises: OptionError if the subscripts cannot be read, ShapeError if they do not fit the operands.
    """
    k = active()
    named, out = _parsed(subscripts, operands)
    sizes = _sizes(subscripts, named)

    # y_out = sum over the other labels of prod_i a_i. The factor a_i enters linearly, so dL/da_i is the sum of G times the other
    # factors over every label that a_i lacks: an einsum again. A label that only a_i has was summed up: G is repeated along it.
    def gradient(i: int) -> Vjp:
        labels, shape = named[i][0], operands[i].shape
        others = [*named[:i], *named[i + 1 :]]
        known = {*out, *(label for other, _ in others for label in other)}

        def grad_operand(grad: Array) -> Array:
            product = _contract(k, [(out, grad), *others], tuple(label for label in labels if label in known), sizes)
            kept = tuple(sizes[label] if label in known else 1 for label in labels)
            return k.broadcast_to(k.reshape(product, kept), shape)

        return grad_operand

    return _contract(k, named, out, sizes), tuple(gradient(i) for i in range(len(operands)))


def _contract(k: Kernels, factors: list[Named], out: Labels, sizes: dict[str, int]) -> Array:
    """The product of the factors, summed over every label that is not in `out`."""
    labels, product = factors[0]
    for i, factor in enumerate(factors[1:], start=1):
        needed = {*out, *(label for later, _ in factors[i + 1 :] for label in later)}
        labels, product = _pair(k, (labels, product), factor, needed, sizes)
    labels, product = _summed(k, (labels, product), set(out))
    return k.transpose(product, tuple(labels.index(label) for label in out)) if labels else product


def _pair(k: Kernels, a: Named, b: Named, needed: set[str], sizes: dict[str, int]) -> Named:
    """Two factors as one stack of matrix products: (common, left, inner) @ (common, inner, right)."""
    a, b = _summed(k, a, needed | {*b[0]}), _summed(k, b, needed | {*a[0]})
    common = tuple(label for label in a[0] if label in b[0] and label in needed)
    inner = tuple(label for label in a[0] if label in b[0] and label not in needed)
    left = tuple(label for label in a[0] if label not in b[0])
    right = tuple(label for label in b[0] if label not in a[0])

    def stacked(factor: Named, *groups: Labels) -> Array:
        order = tuple(factor[0].index(label) for group in groups for label in group)
        shape = tuple(math.prod(sizes[label] for label in group) for group in groups)
        return k.reshape(k.transpose(factor[1], order) if order else factor[1], shape)

    product = k.matmul(stacked(a, common, left, inner), stacked(b, common, inner, right))
    labels = (*common, *left, *right)
    return labels, k.reshape(product, tuple(sizes[label] for label in labels))


def _summed(k: Kernels, factor: Named, needed: set[str]) -> Named:
    labels, array = factor
    axes = tuple(axis for axis, label in enumerate(labels) if label not in needed)
    return (tuple(label for label in labels if label in needed), k.sum(array, axis=axes)) if axes else factor


def _parsed(subscripts: str, operands: tuple[Array, ...]) -> tuple[list[Named], Labels]:
    """The labels of every operand and of the result. Axes under "..." are called "-1", "-2", ..., from the right."""
    if not isinstance(subscripts, str):
        raise OptionError(f'einsum: subscripts come first and are a string such as "ij,jk->ik", not {subscripts!r}')
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise OptionError(f"einsum: {subscripts!r} names {len(terms)} operands but there are {len(operands)}")
    named = []
    for i, (term, array) in enumerate(zip(terms, operands, strict=True)):
        if not hasattr(array, "shape"):
            raise DtypeError(f"einsum: operand {i} must be an array or a tensor, not {type(array).__name__}")
        letters = len(term.replace("...", ""))
        labels = _spelled(subscripts, term, array.ndim - letters)
        if len(labels) != array.ndim:
            raise ShapeError(
                f"einsum: {term!r} in {subscripts!r} names {letters} axes but operand {i} is {array.shape}"
            )
        named.append((labels, array))
    every = [label for labels, _ in named for label in labels]
    hidden = sorted({label for label in every if label[0] == "-"}, key=int)
    if not arrow:
        return named, (*hidden, *sorted(label for label in set(every) - {*hidden} if every.count(label) == 1))
    out = _spelled(subscripts, result, len(hidden))
    unknown = sorted({*out} - {*every})
    if unknown:
        raise OptionError(f"einsum: the result of {subscripts!r} names {unknown[0]!r}, which no operand has")
    return named, out


def _spelled(subscripts: str, term: str, hidden: int) -> Labels:
    before, dots, after = term.partition("...")
    labels = (*before, *(str(-i) for i in range(hidden, 0, -1) if dots), *after)
    wrong = [label for label in (*before, *after) if label not in ascii_letters]
    if wrong:
        raise OptionError(f"einsum: {wrong[0]!r} in {subscripts!r} is no letter; an axis is named by one of a-z, A-Z")
    if len({*labels}) < len(labels):
        raise OptionError(
            f"einsum: {term!r} in {subscripts!r} names an axis twice; take the diagonal by indexing first"
        )
    return labels


def _sizes(subscripts: str, named: list[Named]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for labels, array in named:
        for label, size in zip(labels, array.shape, strict=True):
            if sizes.setdefault(label, size) != size:
                shapes = ", ".join(str(other.shape) for _, other in named)
                called = f"{label!r}" if label[0] != "-" else f'axis {label} under "..."'
                raise ShapeError(f"einsum: {called} of {subscripts!r} is {sizes[label]} and {size} in {shapes}")
    return sizes
