"""Runs of several ranks, here threads: they end alike, as one process does, and another number of them goes on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_runs
from team_of_threads import ThreadTeam, on_ranks

import minidil as md
from minidil import nn, optim, parallel, train
from minidil.random import default_rng
from minidil.train import Run
from minidil.train.together import TeamSession, begin_alike

pytestmark = pytest.mark.usefixtures("quick_pictures")


def net(dtype: Any) -> nn.Module:
    """Batch norm, and nothing that draws random numbers."""
    rng = np.random.default_rng(3)
    layers = [nn.Conv2d(1, 4, 3, padding=2, dilation=2, rng=rng), nn.BatchNorm2d(4), nn.ReLU(), nn.GlobalAvgPool()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 2, rng=rng)).astype(dtype)


class Doubles:
    """A loader of float64."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def batches(self, epoch: int, start: int = 0) -> Any:
        return ((images.astype(np.float64), labels) for images, labels in self.loader.batches(epoch, start))


def fitted(
    team: Any, dtype: Any = np.float64, synchronised: bool = True, epochs: int = 2, **options: Any
) -> tuple[dict[str, Any], train.History]:
    """The weights and the history of a run with batches of 8, the last one of 3."""
    loaders = [tiny_runs.loader(35), tiny_runs.loader(23, seed=9, augment=False)]
    learn, val = map(Doubles, loaders) if dtype == np.float64 else loaders
    model = net(dtype)
    if synchronised and team is not None:
        model = parallel.synchronise(model, team)
    optimizer = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    options = {"progress": False, "epochs": epochs, "clip_norm": 1.0} | options
    history = train.fit(model, learn, val, optimizer, team=team, **options)
    return model.state_dict(), history


def close(state: dict[str, Any], other: dict[str, Any], within: float) -> None:
    assert state.keys() == other.keys()
    for name, value in state.items():
        np.testing.assert_allclose(value, other[name], rtol=within, atol=within, err_msg=name)


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("size", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_ranks_end_alike_and_as_one_process_does(size: int, dtype: Any, within: float) -> None:
    state, history = fitted(None, dtype)
    runs = on_ranks(size, lambda team: fitted(team, dtype))
    for found, rows in runs:
        close(found, state, within)
        assert all(np.array_equal(value, runs[0][0][name]) for name, value in found.items())
        assert rows.rows == runs[0][1].rows
        assert [list(row) for row in rows.rows] == [list(row) for row in history.rows]
        for row, wanted in zip(rows.rows, history.rows, strict=True):
            np.testing.assert_allclose(list(row.values()), list(wanted.values()), rtol=within)


def test_the_running_statistics_of_local_batch_norm_are_the_mean_over_the_ranks() -> None:
    def statistics(team: Any) -> Any:
        return fitted(team, synchronised=False, epochs=1)[0]

    found = on_ranks(2, statistics)
    for name in found[0]:
        np.testing.assert_array_equal(found[0][name], found[1][name])
    images, _ = next(Doubles(tiny_runs.loader(8)).batches(0))

    def one_batch(team: Any) -> Any:
        model = net(np.float64)
        loader = Doubles(tiny_runs.loader(8))
        train.fit(model, loader, None, optim.SGD(model.parameters(), 0.1), epochs=1, progress=False, team=team)
        return model[1].running_mean, model[1].running_var

    means = [], []
    for half in (images[:4], images[4:]):
        fresh = net(np.float64)
        fresh(md.tensor(half))
        means[0].append(fresh[1].running_mean)
        means[1].append(fresh[1].running_var)
    for mean, var in on_ranks(2, one_batch):
        np.testing.assert_allclose(mean, np.mean(means[0], axis=0), rtol=1e-13)
        np.testing.assert_allclose(var, np.mean(means[1], axis=0), rtol=1e-13)


@pytest.mark.parametrize("after", [pytest.param(None, marks=pytest.mark.slow), 3])
def test_rank_0_alone_writes_the_folder_and_another_number_of_ranks_goes_on(tmp_path: Path, after: int | None) -> None:
    whole, history = fitted(None)
    stopping = [] if after is None else [tiny_runs.StopAt(after)]
    folders = [tmp_path / "run", tmp_path / "none", tmp_path / "none either"]

    def begin(team: ThreadTeam) -> None:
        options = {"out": folders[team.rank], "save_every": 0, "callbacks": stopping}
        if after is None:
            fitted(team, epochs=1, **options)
        else:
            with pytest.raises(ZeroDivisionError):
                fitted(team, **options)

    on_ranks(3, begin)
    assert folders[0].exists()
    assert not folders[1].exists()
    for found, rows in on_ranks(2, lambda team: fitted(team, out=folders[0], resume=True)):
        close(found, whole, 1e-12)
        np.testing.assert_allclose([*rows.rows[1].values()], [*history.rows[1].values()], rtol=1e-12)
    again, _ = fitted(None, out=folders[0], resume=True)
    close(again, whole, 1e-12)


def test_all_begin_with_the_state_of_rank_0_and_draw_from_streams_of_their_own() -> None:
    class Hears:
        """A rank that is told the state of rank 0."""

        rank, size = 2, 3

        def broadcast(self, value: Any) -> Any:
            assert value is None
            return first.state_dict()

    def run() -> Run:
        tiny = tiny_runs.Tiny()
        return Run(tiny.model, tiny.optimizer, tiny.schedule, tiny.epochs, len(tiny.train))

    first, own = run(), run()
    first.model[0].weight.data = first.model[0].weight.numpy() + 1
    stream = default_rng().bit_generator.jumped(2).state
    begin_alike(own, Hears())  # type: ignore[arg-type]
    np.testing.assert_array_equal(own.model[0].weight.numpy(), first.model[0].weight.numpy())
    assert default_rng().bit_generator.state == stream


def test_what_one_rank_is_asked_all_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Asked(TeamSession):
        """Rank 1 is asked to stop, as by SIGTERM, after its second batch."""

        def wishes(self) -> tuple[bool, bool]:
            return self.team.rank == 1 and self.run.batch == 2, super().wishes()[1]

    def work(team: ThreadTeam) -> str:
        with pytest.raises(KeyboardInterrupt) as stopped:
            fitted(team, out=tmp_path / "run")
        return str(stopped.value)

    monkeypatch.setattr("minidil.train.loop.TeamSession", Asked)
    assert on_ranks(2, work) == [
        f"stopped in epoch 1 after batch 3 of 5; saved in {tmp_path / 'run'}",
        "stopped in epoch 1 after batch 3 of 5",
    ]
