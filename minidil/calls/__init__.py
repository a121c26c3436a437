"""How calls become ops: in come tensors, arrays and numbers, by position or by name, in minidil's words or PyTorch's; out come
tensors that remember how they were computed.

`binding` says which argument is which, `lift` makes functions of tensors out of ops, `recorded` is what they return, `operators`
and `methods` are what a tensor has of them, `words` binds the arguments of plain functions and classes, `numpy_calls` serves
NumPy's functions.
"""
