"""Sums over paths, of numbers that are given as logarithms, as launches of other kernels."""

from __future__ import annotations

from minidil.kernels.cuda.copy import reshape
from minidil.kernels.cuda.device import Array
from minidil.kernels.cuda.elementwise import add, equal, exp, log, multiply, subtract, where
from minidil.kernels.cuda.reduce import max as largest
from minidil.kernels.cuda.reduce import sum as total


def log_matmul(a: Array, b: Array) -> Array:
    """log(e^a e^b), shifted by the largest summand of each entry."""
    sums = add(reshape(a, (*a.shape, 1)), b)
    top = largest(sums, axis=1, keepdims=True)
    shift = where(equal(top, float("-inf")), 0.0, top)
    logs = log(total(exp(subtract(sums, shift)), axis=1, keepdims=True))
    return reshape(add(logs, shift), (a.shape[0], b.shape[1]))


def path_pairs(before: Array, between: Array, behind: Array, weight: Array) -> Array:
    """sum_m weight[m] e^(before[m, i] + between[i, j] + behind[m, j])."""
    rows, columns = behind.shape
    scores = add(add(reshape(before, (*before.shape, 1)), between), reshape(behind, (rows, 1, columns)))
    return total(multiply(exp(scores), reshape(weight, (-1, 1, 1))), axis=0)
