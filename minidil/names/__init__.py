"""PyTorch's names: which of them work here too, and which word minidil has for the others.

The library has one word for a thing. Who brings PyTorch's finds it in these tables: `words` are aliases, `of_*` say what to
write instead, `left_out` why there is nothing to write, and `arguments` does the same for the arguments of a call. A room
(`functional`, `nn`, `optim`, `minidil` itself, `Tensor`) asks `lookup` through `__getattr__`, so that a name costs nothing until
it is missed.
"""
