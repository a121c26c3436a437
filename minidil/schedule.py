"""Learning rates that change: each schedule multiplies the rates of an optimizer by a factor of the number of steps taken.

    schedule = Warmup(optimizer, 100, then=Cosine(optimizer, 900))
    for images, labels in batches:
        ...
        optimizer.step()
        schedule.step()

Steps are optimizer steps, not epochs. A schedule takes the optimizer's rates at its construction as the base, and sets
group["lr"] = base * factor(step) from then on: so build it after the optimizer, and restore both after both are built.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from minidil.errors import CheckpointError, OptionError
from minidil.names import lookup


class HasGroups(Protocol):
    """What a schedule needs of an optimizer: groups with a learning rate each."""

    param_groups: list[dict[str, Any]]


class Schedule:
    """What all schedules share: the base rates, the count of steps, saving and loading. They differ in `factor` alone.

    optimizer: whose groups' learning rates, as they are now, are the base.
    taken: the number of steps taken.
    """

    def __init__(self, optimizer: HasGroups) -> None:
        if not hasattr(optimizer, "param_groups"):
            raise OptionError(f"{type(self).__name__}: the first argument is an optimizer, not {optimizer!r}")
        self.optimizer = optimizer
        self.base = [float(group["lr"]) for group in optimizer.param_groups]
        self.taken = 0
        self._apply()

    def factor(self, step: int) -> float:
        """What the base rate is multiplied by once `step` steps are taken: a pure function."""
        raise NotImplementedError(f"{type(self).__name__} has no factor()")

    def __repr__(self) -> str:
        hidden = ("optimizer", "base", "taken")
        settings = [f"{name}={value!r}" for name, value in vars(self).items() if name not in hidden]
        rates = ", ".join(f"{group['lr']:.4g}" for group in self.optimizer.param_groups)
        return f"{type(self).__name__}({', '.join([*settings, f'{self.taken} steps taken', f'lr now {rates}'])})"

    def step(self) -> None:
        """Set the rates for the next step. Call it after every step of the optimizer."""
        self.taken += 1
        self._apply()

    def state_dict(self) -> dict[str, int]:
        """The number of steps taken; everything else is a setting."""
        return {"step": self.taken}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to the step that `state_dict` gave, and set the rates that belong to it.

        Raises: CheckpointError if it is no such state; then nothing has changed.
        """
        step = state.get("step")
        if not isinstance(step, int) or isinstance(step, bool) or step < 0:
            raise CheckpointError(f'{type(self).__name__}: a state is {{"step": an int >= 0}}, not {dict(state)!r}')
        self.taken = step
        self._apply()

    def _apply(self) -> None:
        factor = self.factor(self.taken)
        for group, rate in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = rate * factor


class Constant(Schedule):
    """The factor is 1: the rates stay what they are."""

    def factor(self, step: int) -> float:
        return 1.0


class Step(Schedule):
    """Multiply by gamma every `steps` steps or, given a list, at each of these steps.

    Raises: OptionError unless steps is an int >= 1 or increasing ints >= 0, and gamma > 0.
    """

    def __init__(self, optimizer: HasGroups, steps: int | Sequence[int], gamma: float = 0.1) -> None:
        if isinstance(steps, int):
            _check_steps(self, steps=steps)
        elif list(steps) != sorted(set(steps)) or any(not isinstance(at, int) or at < 0 for at in steps):
            raise OptionError(f"Step: steps must be an int, or ints >= 0 in increasing order, not {steps!r}")
        if not gamma > 0:
            raise OptionError(f"Step: gamma must be a number > 0, not {gamma!r}")
        self.steps = steps
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        passed = step // self.steps if isinstance(self.steps, int) else sum(step >= at for at in self.steps)
        return float(self.gamma**passed)


class Cosine(Schedule):
    """Fall from 1 to `final` along half a cosine over total_steps, and stay there.

    Raises: OptionError unless total_steps is an int >= 1 and 0 <= final <= 1.
    Source: Loshchilov & Hutter 2017, arXiv:1608.03983, equation 5, without restarts.
    """

    def __init__(self, optimizer: HasGroups, total_steps: int, final: float = 0.0) -> None:
        _check_steps(self, total_steps=total_steps)
        _check_share(self, final=final)
        self.total_steps = total_steps
        self.final = final
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        return _glide(1.0, self.final, step / self.total_steps)


class OneCycle(Schedule):
    """Rise from `start` to 1, then fall to `final`, each along half a cosine; the base rate is the peak.

    total_steps: the length of the cycle. The last rate, `final`, is that of step total_steps - 1, and stays.
    rise: the share of the steps in which the rate rises.
    Raises: OptionError unless total_steps is an int >= 2 and the others lie in 0..1.
    Source: Smith & Topin 2018, arXiv:1708.07120, with the shape and the default numbers of PyTorch; momentum is left alone.
    """

    def __init__(
        self, optimizer: HasGroups, total_steps: int, rise: float = 0.3, start: float = 1 / 25, final: float = 4e-6
    ) -> None:
        _check_steps(self, total_steps=total_steps, least=2)
        _check_share(self, rise=rise, start=start, final=final)
        self.total_steps = total_steps
        self.rise = rise
        self.start = start
        self.final = final
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        last = self.total_steps - 1
        peak = max(self.rise * self.total_steps - 1, 0.0)
        if step < peak:
            return _glide(self.start, 1.0, step / peak)
        return _glide(1.0, self.final, (step - peak) / (last - peak) if peak < last else 1.0)


class Triangular(Schedule):
    """Rise from `start` to 1, then fall to `final`, each along a straight line; the base rate is the peak.

    total_steps: the length of both lines; `final` belongs to step total_steps, the one after the last, and stays.
    rise: the share of the steps in which the rate rises.
    Raises: OptionError unless total_steps is an int >= 1 and the others lie in 0..1.
    Source: Smith 2017, arXiv:1506.01186, one cycle of it; the default numbers are those of Jordan 2024, arXiv:2404.00498.
    """

    def __init__(
        self, optimizer: HasGroups, total_steps: int, rise: float = 0.23, start: float = 0.2, final: float = 0.07
    ) -> None:
        _check_steps(self, total_steps=total_steps)
        _check_share(self, rise=rise, start=start, final=final)
        self.total_steps = total_steps
        self.rise = rise
        self.start = start
        self.final = final
        super().__init__(optimizer)

    def factor(self, step: int) -> float:
        peak = self.rise * self.total_steps
        if step < peak:
            return self.start + (1 - self.start) * step / peak
        if step >= self.total_steps:
            return self.final
        return 1 + (self.final - 1) * (step - peak) / (self.total_steps - peak)


class Warmup(Schedule):
    """Rise evenly over `steps` steps, 1/(steps + 1), 2/(steps + 1), ..., and go on as the schedule `then` from its start.

    then: a schedule of the same optimizer, by default a constant one; call `step` of the warm-up only.
    Raises: OptionError unless steps is an int >= 1 and `then` belongs to the same optimizer.
    Source: Goyal et al. 2017, arXiv:1706.02677, section 2.2.
    """

    def __init__(self, optimizer: HasGroups, steps: int, then: Schedule | None = None) -> None:
        _check_steps(self, steps=steps)
        if then is not None and then.optimizer is not optimizer:
            raise OptionError("Warmup: `then` must be a schedule of the same optimizer")
        self.steps = steps
        self.then = Constant(optimizer) if then is None else then
        super().__init__(optimizer)
        self.base = self.then.base  # the rates before `then` set its first ones
        self._apply()

    def factor(self, step: int) -> float:
        if step < self.steps:
            return self.then.factor(0) * (step + 1) / (self.steps + 1)
        return self.then.factor(step - self.steps)


def _glide(start: float, end: float, progress: float) -> float:
    """From start to end along half a cosine: flat, steep, flat. Beyond progress 1 it is the end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def _check_steps(schedule: Schedule, least: int = 1, **steps: int) -> None:
    for name, number in steps.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise OptionError(f"{type(schedule).__name__}: {name} must be an int >= {least}, not {number!r}")


def _check_share(schedule: Schedule, **shares: float) -> None:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise OptionError(f"{type(schedule).__name__}: {name} must lie in 0..1, not {share!r}")


def __getattr__(name: str) -> Any:
    return lookup.of_room("schedule", name, sys.modules[__name__])
