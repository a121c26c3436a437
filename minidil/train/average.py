"""A slow average of the weights that the fast ones are set back to."""

from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import CheckpointError, OptionError
from minidil.train.callbacks import Callback
from minidil.train.check import check_arrays
from minidil.train.state import Run


class WeightAverage(Callback):
    """Lookahead: every `every` steps an average moves towards the weights, and the weights are set to it.

    After step t of T, if `every` divides t or t = T,

        average += (1 - decay^every (t/T)^3) (weights - average),    weights = average.

    At the start of the training the average follows the weights closely, which leaves them alone; towards its end it
    moves only 1 - decay^every of the way, which averages out the noise of the last steps. It covers all that is a
    floating-point number in the model's state dict, so batch norm's statistics too; the optimizer's velocities go on. The
    last move comes before the epoch is measured and saved, so that the average is what a run leaves.

    The average is part of the checkpoint, and t is a function of the run's position, so that a run resumes bit for bit.
    With more epochs than before, T is the new total.
    Raises: OptionError unless every is an int >= 1 and 0 <= decay < 1.
    Source: Zhang et al. 2019, arXiv:1907.08610; the decay of Jordan 2024, arXiv:2404.00498.
    """

    def __init__(self, every: int = 5, decay: float = 0.95) -> None:
        if not isinstance(every, int) or isinstance(every, bool) or every < 1 or not 0 <= decay < 1:
            raise OptionError(f"WeightAverage: needs an int every >= 1 and 0 <= decay < 1, got {every!r} and {decay!r}")
        self.every = every
        self.decay = decay
        self.average: dict[str, Array] = {}

    def kept(self, step: int, steps: int) -> float:
        """How much of the average stays when it moves after step number `step` (from 1) of `steps`."""
        return float(self.decay**self.every * (step / steps) ** 3)

    def state_dict(self) -> dict[str, Any]:
        return {"average": self.average}

    def check_state(self, state: dict[str, Any], run: Run) -> None:
        check_arrays(state.get("average"), _weights(run), "WeightAverage: average")

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state.keys() != {"average"} or not isinstance(state["average"], dict):
            raise CheckpointError(f"WeightAverage: a state holds an average, not {', '.join(map(repr, state))}")
        self.average = dict(state["average"])

    def on_start(self, run: Run) -> None:
        self.average = self.average or _weights(run)

    def on_batch_end(self, run: Run) -> None:
        step, steps = run.epoch * run.batches + run.batch, run.epochs * run.batches
        if step % self.every == 0 or step == steps:
            moved = np.float32(1 - self.kept(step, steps))
            weights = run.model.state_dict()
            self.average = {name: slow + moved * (weights[name] - slow) for name, slow in self.average.items()}
            run.model.load_state_dict(self.average, strict=False)


def _weights(run: Run) -> dict[str, Array]:
    """What is averaged: the floating-point numbers of the model's state dict."""
    return {name: value for name, value in run.model.state_dict().items() if value.dtype.kind == "f"}
