"""Ops: a formula and its gradient, side by side.

An op is a plain function from arrays to `(y, vjps)`: the value, and one closure per array argument that maps the gradient
G = dL/dy of any scalar L to dL/d(argument) (a vector-Jacobian product). Arrays come first and by position, options follow by
keyword. Ops touch arrays only through the kernels of the active backend, and capture those, so that the backward pass
runs where the forward pass ran.
"""
