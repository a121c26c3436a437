"""A session of several ranks: what differs from one process. After every step all of them hold the same state."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.nn import BatchNorm
from minidil.parallel import Gradients, Share, Sum, SyncBatchNorm, Team, total
from minidil.random import default_rng
from minidil.tensor import Tensor
from minidil.train.goal import value_of
from minidil.train.metrics import Loader, Sums, summed
from minidil.train.restore import restore
from minidil.train.session import Session, Watched
from minidil.train.state import Run


def begin_alike(run: Run, team: Team) -> None:
    """Set `run` to what it is on rank 0; only what is drawn from now on differs: rank r has the r-th stream after that one."""
    state = team.broadcast(run.state_dict() if team.rank == 0 else None)
    if team.rank:
        restore(run, state)
        generator: Any = default_rng().bit_generator
        generator.state = generator.jumped(team.rank).state


@dataclass
class TeamSession(Session):
    """The run of a rank. Only that of rank 0 has a folder; when to save and to stop, all decide together."""

    team: Team

    def watched(self) -> Watched:
        """What `learn` is given."""
        self.step = _Shared(self)
        return self.step

    def wishes(self) -> tuple[bool, bool]:
        """Whether this rank has been asked to stop, and whether for its folder it is time to save."""
        return self.interrupts.asked, super().due()

    def count(self, outputs: Array, targets: Array, loss: float) -> None:
        """Add the batches of all ranks."""
        self.run.sums.add_numbers(self.goal.metrics, self.step.figures)

    def due(self) -> bool:
        """Whether it is time for rank 0 to save."""
        return self.step.due

    def asked(self) -> bool:
        """Whether any rank has been asked to stop, as all of them know since the latest step."""
        return self.step.asked

    def measured(self, val: Loader) -> dict[str, float]:
        """The figures of validation, to which every rank gives its part."""
        names, sums = tuple(self.goal.metrics), Sums()
        part = summed(self.run.model, Share(val, self.team, skip=True), self.goal)
        sums.add_numbers(names, total(self.team, np.array(part.numbers(names), np.float64)).tolist())
        return sums.figures()


class _Shared(Watched):
    """The loss is this rank's part of the sum over the whole batch, and a step is taken when the gradients of all are there.

    Let rank r's part have c_r targets and the mean loss L_r, and c = sum_r c_r. The loss of the whole batch is
    L = sum_r c_r L_r / c; so each rank differentiates c_r L_r, the gradients are added up, and the sum is divided by c,
        dL/dw = sum_r d(c_r L_r)/dw / c,
    also where the parts are not equally large.
    """

    def __init__(self, session: TeamSession) -> None:
        super().__init__(session.run, session.goal, session.clip_norm)
        self.session, self.team = session, session.team
        self.asked = self.due = False
        self.figures: list[float] = []  # of the batches of all ranks, see `Sums.numbers`

    def loss(self, outputs: Tensor, targets: Array) -> Tensor:
        """c_r L_r; the sums that do not need its gradient are started."""
        loss, part = super().loss(outputs, targets), Sums()
        part.add(value_of(loss), outputs.numpy(), targets, self.goal.metrics, self.goal.count(targets))
        news = np.array([*self.session.wishes(), *part.numbers(self.goal.metrics)], np.float64)
        self._news = self.team.start_sum(news)
        self._statistics = _Statistics(self.run, part.count, self.team)
        self._gradients = Gradients(self.run.model.parameters(), self.team)
        whole: Tensor = loss * part.count
        self._gradients.listen(whole)
        return whole

    def step(self) -> None:
        """Take the step of all ranks."""
        asked, due, *self.figures = self._news.wait().tolist()
        self.asked, self.due = asked > 0, due > 0
        count = self.figures[1]
        self._statistics.finish(count)
        self._gradients.finish(count)
        super().step()


class _Statistics:
    """The running statistics of batch norm, which are averaged over the ranks after every forward pass.

    The mean is then that of all items, and the variance the one within the ranks' parts. Those of `SyncBatchNorm` are the same
    everywhere already.
    """

    def __init__(self, run: Run, count: int, team: Team) -> None:
        self._norms = [
            each
            for each in run.model.modules()
            if isinstance(each, BatchNorm)
            and not isinstance(each, SyncBatchNorm)
            and each.training
            and each.running_mean is not None
        ]
        held = [np.asarray(array) for each in self._norms for array in (each.running_mean, each.running_var)]
        self._sum: Sum | None = team.start_sum(np.concatenate(held) * held[0].dtype.type(count)) if held else None

    def finish(self, count: float) -> None:
        """Give every batch norm the mean over the ranks, each of which counts as much as it has items."""
        if self._sum is None:
            return
        sums = self._sum.wait()
        means = sums / sums.dtype.type(count)
        for each in self._norms:
            each.running_mean, each.running_var, means = np.split(means, [each.num_features, 2 * each.num_features])
