"""Gradients of a step, added up over the ranks while the backward pass still makes the others."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minidil.array import Array
from minidil.graph import Receiver
from minidil.nn import Parameter
from minidil.parallel.arrival import on_arrival
from minidil.parallel.team import Sum, Team
from minidil.tensor import Tensor

BUCKET_BYTES = 1 << 20
"""Small enough for several in a network of 7 MB, and large enough that the time of a message is that of its bytes."""


class Gradients:
    """The sums over the ranks of dL/dparameter, where L is the sum of the ranks' losses; made anew for each backward pass.

    Backward makes the last layer's gradients first. So parameters are put into buckets of about `bucket_bytes` from the last to
    the first, and the sum of a bucket is started when the last of its gradients has arrived, but never before that of the bucket
    ahead of it: then every rank starts them in the same order, as MPI demands.

        gradients = Gradients(model.parameters(), team)
        gradients.listen(loss)
        loss.backward()
        gradients.finish(count)
    """

    def __init__(self, parameters: Iterable[Parameter], team: Team, bucket_bytes: int = BUCKET_BYTES) -> None:
        self.team = team
        self.buckets = [_Bucket(each) for each in _divided(parameters, bucket_bytes)]
        self._of = {id(parameter): bucket for bucket in self.buckets for parameter in bucket.parameters}
        self._sums: list[Sum] = []

    def listen(self, loss: Tensor) -> None:
        """Take what the next loss.backward() finds, when it finds it."""
        if loss._node is not None:
            on_arrival(loss._node, self.take)

    def take(self, leaf: Receiver, grad: Array) -> None:
        """The gradient of one leaf; one that is no parameter is left out."""
        if id(leaf) in self._of:
            self._of[id(leaf)].put(leaf, grad)
            while len(self._sums) < len(self.buckets) and self.buckets[len(self._sums)].full:
                self._start_next()
            for each in self._sums:
                each.poll()

    def finish(self, count: float) -> None:
        """Wait for the sums, and give every parameter its own, divided by `count`, as its gradient.

        One that no rank has found a gradient of keeps what it has; one that other ranks have found, but not this, counts as 0.
        """
        while len(self._sums) < len(self.buckets):
            self._start_next()
        for bucket, each in zip(self.buckets, self._sums, strict=True):
            bucket.hand_out(each.wait(), count)

    def _start_next(self) -> None:
        self._sums.append(self.team.start_sum(self.buckets[len(self._sums)].buffer))


class _Bucket:
    """Gradients of one number type, end to end in one buffer; behind them a 1 for each of them that has arrived, or a 0."""

    def __init__(self, parameters: list[Parameter]) -> None:
        self.parameters = parameters
        ends = np.cumsum([parameter.size for parameter in parameters])
        self._places = {
            id(parameter): slice(int(end) - parameter.size, int(end))
            for parameter, end in zip(parameters, ends, strict=True)
        }
        self._flags = int(ends[-1]) + np.arange(len(parameters))
        self.buffer = np.zeros(int(ends[-1]) + len(parameters), parameters[0].dtype)
        self._waiting = {id(parameter): number for number, parameter in enumerate(parameters)}

    @property
    def full(self) -> bool:
        """Whether every gradient is there."""
        return not self._waiting

    def put(self, parameter: Any, grad: Array) -> None:
        self.buffer[self._places[id(parameter)]] = np.asarray(grad).ravel()
        self.buffer[self._flags[self._waiting.pop(id(parameter))]] = 1

    def hand_out(self, sums: NDArray[Any], count: float) -> None:
        for parameter, flag in zip(self.parameters, self._flags, strict=True):
            if sums[flag]:
                mean = sums[self._places[id(parameter)]] / sums.dtype.type(count)
                parameter.grad = Tensor.of(mean.reshape(parameter.shape))


def _divided(parameters: Iterable[Parameter], most: int) -> list[list[Parameter]]:
    """Those that are trained from the last to the first, in lists of one number type and about `most` bytes."""
    lists: list[list[Parameter]] = []
    room, kind = -math.inf, None
    for parameter in reversed([each for each in parameters if each.requires_grad]):
        if room <= 0 or parameter.dtype != kind:
            lists.append([])
            room, kind = most, parameter.dtype
        lists[-1].append(parameter)
        room -= parameter.size * parameter.dtype.itemsize
    return lists
