"""The moment at which a leaf's gradient is whole, while the backward pass goes on with the others."""

from collections import Counter
from collections.abc import Callable

from minidil.array import Array
from minidil.graph import Node, Receiver, last_made_first, total
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjp


def on_arrival(root: Node, told: Callable[[Receiver, Array], object]) -> None:
    """Have the next backward pass from `root` call told(leaf, dL/dleaf) when nothing more of it is to come, and then go on."""
    order = last_made_first(root)
    uses = Counter(target for node in order for target, _ in node.edges or () if not isinstance(target, Node))
    arrived: dict[Receiver, Array] = {}

    def noting(leaf: Receiver, vjp: Vjp, kernels: Kernels) -> Vjp:
        def contribution(grad: Array) -> Array:
            more, before = vjp(grad), arrived.get(leaf)
            arrived[leaf] = more if before is None else total(kernels, before, more)
            uses[leaf] -= 1
            if not uses[leaf]:
                told(leaf, arrived.pop(leaf))
            return more

        return contribution

    for node in order:
        node.edges = [
            (target, vjp if isinstance(target, Node) else noting(target, vjp, node.kernels))
            for target, vjp in node.edges or ()
        ]
