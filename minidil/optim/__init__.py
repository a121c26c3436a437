"""Optimizers: what turns gradients into new parameters."""

import sys
from typing import Any

from minidil.names import lookup
from minidil.optim.adam import Adam, AdamW
from minidil.optim.clip import clip_grad_norm
from minidil.optim.optimizer import Optimizer
from minidil.optim.rmsprop import RMSprop
from minidil.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "RMSprop", "clip_grad_norm"]


def __getattr__(name: str) -> Any:
    return lookup.of_room("optim", name, sys.modules[__name__])
