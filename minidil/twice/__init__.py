"""Gradients of gradients: inside `create_graph()` every kernel is itself a recorded function, so that what backward computes has
a graph as well.

    with md.create_graph():
        loss = model(x).sum()
    (slope,) = md.grad(loss, [x])          # a tensor that depends on x and on the parameters of the model
    (slope * slope).mean().backward()      # dL/dparameter of a gradient penalty

An op computes on whatever arrays its backend has. Here they are tensors: the op multiplies, say, by calling the kernel
`multiply` of this backend, which calls `F.multiply` on the one below. Its value then remembers how it was computed, and so does
every number that the op's vjps make of it. An array of this backend is to the ops what one in a GPU's memory is to them: they
know its shape and type, and leave the rest to the kernels.
"""

from minidil.twice.grad import create_graph, grad

__all__ = ["create_graph", "grad"]
