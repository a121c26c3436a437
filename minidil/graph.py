"""The memory of a computation, and the backward pass through it.

Every recorded call of an op is a Node with one edge per argument that needs a gradient: where the gradient goes on to (the
node that made the argument, or the leaf that it is) and the vjp that leads there. `propagate` walks the nodes from the last
made to the first. A node is always made after those it depends on, so this is a topological order, found without recursion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from typing import Protocol, TypeAlias, cast

from minidil.array import Array
from minidil.errors import GraphError
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp
from minidil.rows import Rows


class Receiver(Protocol):
    """Where gradients end up: a leaf, or a tensor that watches a node."""

    def receive(self, grad: Array) -> None:
        """Add to the gradient that is kept there."""


Edge: TypeAlias = "tuple[Node | Receiver, Vjp]"
_recording: ContextVar[bool] = ContextVar("minidil_recording", default=True)
_serial = count()


class Node:
    """One call of an op: where its gradient goes, and how."""

    __slots__ = ("edges", "kernels", "op", "serial", "watcher")

    def __init__(self, op: str, edges: Sequence[Edge], kernels: Kernels) -> None:
        self.op = op
        self.edges: Sequence[Edge] | None = edges  # None once they have been used and freed
        self.kernels = kernels
        self.serial = next(_serial)
        self.watcher: Receiver | None = None  # the tensor that asked to keep its gradient


def is_grad_enabled() -> bool:
    """Whether calls of ops are being recorded."""
    return _recording.get()


@contextmanager
def no_grad() -> Iterator[None]:
    """Record nothing inside this block (`with no_grad():`) or function (`@no_grad()`): faster, and it keeps no arrays."""
    token = _recording.set(False)
    try:
        yield
    finally:
        _recording.reset(token)


def propagate(root: Node | Receiver, seed: Array, retain_graph: bool) -> dict[Receiver, Array]:
    """Send the gradient `seed` of the root's value back through the graph; return what arrives at each leaf.

    A value that is used several times receives the sum: dL/dx = sum over its uses u of dL/du du/dx.
    Watched nodes report theirs on the way. Unless retain_graph is true, each node is freed once it has been passed.
    Raises: GraphError, before anything is computed, if a part of the graph was freed by an earlier pass.
    """
    order = last_made_first(root)
    arrived: dict[Node | Receiver, Array] = {root: seed}
    for node in order:
        grad = node.kernels.place(arrived.pop(node))  # backward runs where forward ran
        if node.watcher is not None:
            node.watcher.receive(grad)
        for target, vjp in node.edges or ():
            contribution = vjp(grad)
            before = arrived.get(target)
            arrived[target] = contribution if before is None else total(node.kernels, before, contribution)
        if not retain_graph:
            node.edges = None
    return cast(dict[Receiver, Array], arrived)  # every node was popped: leaves are what is left


def total(kernels: Kernels, before: Array | Rows, more: Array | Rows) -> Array:
    """The sum of two gradients: rows if both are."""
    if isinstance(before, Rows) and isinstance(more, Rows):
        return cast(Array, before.plus(more))
    return kernels.add(kernels.place(before), kernels.place(more))


def last_made_first(root: Node | Receiver) -> list[Node]:
    reached = {root} if isinstance(root, Node) else set()
    waiting = list(reached)
    while waiting:
        node = waiting.pop()
        if node.edges is None:
            raise GraphError(
                f"backward: the graph behind this tensor was already used and freed (at {node.op!r}); "
                "call backward(retain_graph=True) the first time, or compute the value again"
            )
        fresh = [target for target, _ in node.edges if isinstance(target, Node) and target not in reached]
        reached.update(fresh)
        waiting.extend(fresh)
    return sorted(reached, key=lambda node: node.serial, reverse=True)
