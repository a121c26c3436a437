"""Trained networks as something to use: in comes a model, out goes what computes the same with less.

`compile` makes an inference plan of it: `plan(x)` is the model in evaluation mode, and `print(plan)` says what was fused.
"""

from minidil.deploy.compiler import compile

__all__ = ["compile"]
