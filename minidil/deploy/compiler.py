"""`compile`: a model's forward, recorded, fused, prepared, and compared with the model before anybody relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from minidil.deploy.recording import record
from minidil.errors import BackendError, OptionError
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.nn import Module
from minidil.nn.modes import evaluating
from minidil.tensor import Tensor

if TYPE_CHECKING:
    from minidil.deploy.plan import Plan

_OFF = 1e-3  # of the largest number: what rounding cannot explain; folding and other sums move float32 by about 1e-6


def compile(model: Module, input_shape: Sequence[int]) -> Plan:
    """An inference plan: what the model computes in evaluation mode, with fewer passes over the memory.

    Batch norm is folded into the convolution before it; bias, residual, ReLU and max-pooling are done where the convolution
    stores its results; filters are transformed and packed once; values share memory when they live at different times.
    `print(plan)` tells which calls became one step, and why others stayed on their own.

    input_shape: that of one image, (C, *S); the plan takes any number of them, and no other shape.
    The model may be in training mode, and stays in the one it is in. The weights are copied: a plan does not follow training.
    Raises: OptionError, with the layer's name, for a call that is not known or depends on the other images of a batch, and if the
        plan and the model differ on random images, as when a forward looks at numbers to decide what to do; BackendError
        without Numba.
    Source: Jacob et al. 2018, arXiv:1712.05877, section 3.2, for folding.
    """
    if not find_spec("numba"):
        raise BackendError("compile: a plan runs on Numba, which is not installed: pip install numba")
    from minidil.deploy.fuse import fuse  # here, as they bring Numba, which the rest of the room can do without
    from minidil.deploy.plan import Plan

    with use("numba"):
        recording = record(model, input_shape)
        plan = Plan(recording, fuse(recording))
        _compare(plan, model)
    return plan


def _compare(plan: Plan, model: Module) -> None:
    """Raises: OptionError if plan and model differ on images of random numbers."""
    x = np.random.default_rng(0).standard_normal((3, *plan.input_shape)).astype(plan.dtype)
    with evaluating(model), no_grad():
        wanted = np.asarray(model(Tensor(x)).numpy())
    found = plan(x)
    size = np.abs(wanted[np.isfinite(wanted)]).max(initial=0)
    if not np.allclose(found, wanted, rtol=_OFF, atol=_OFF * size, equal_nan=True):
        off = np.nanmax(np.abs(found - wanted))
        raise OptionError(
            f"compile: the plan of {plan.model} differs from the model by {off:.2g} on random images; its forward depends on "
            "numbers in a way that its calls do not show"
        )
