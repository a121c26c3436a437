"""A run that is stopped anywhere and resumed ends bit for bit as one that was not."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import EPOCHS, Tiny, generator_state

from minidil import checkpoint, train
from minidil.errors import CheckpointError, OptionError
from minidil.train import interrupt

pytestmark = pytest.mark.usefixtures("quick_pictures")
FILES = ("last.npz", "best.npz", "metrics.csv")


class KilledError(Exception):
    """Stands for a process that is killed: nothing after it is run."""


class KillAt(train.Callback):
    """Dies after so many batches of the whole run, or after so many epochs, before these are saved."""

    def __init__(self, batches: int = -1, epochs: int = -1) -> None:
        self.batches, self.epochs = batches, epochs

    def on_batch_end(self, run: train.Run) -> None:
        if run.epoch * run.batches + run.batch == self.batches:
            raise KilledError

    def on_epoch_end(self, run: train.Run) -> None:
        if run.epoch == self.epochs:
            raise KilledError


class Press(train.Callback):
    """Sends a signal to this process after so many batches of the whole run."""

    def __init__(self, batches: int, number: signal.Signals = signal.SIGINT) -> None:
        self.batches, self.number = batches, number

    def on_batch_end(self, run: train.Run) -> None:
        if run.epoch * run.batches + run.batch == self.batches:
            os.kill(os.getpid(), self.number)


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """Tests that a shell runs in the background are started with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module", params=["sgd", "adam"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(kind of optimizer, files, history, generator) of a run in one go."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    history = Tiny(kind=request.param).fit(folder)
    return request.param, contents(folder), history, generator_state()


def expect_the_same(whole: Any, folder: Path, **options: Any) -> None:
    """Resume, and compare everything there is."""
    kind, files, history, generator = whole
    tiny = Tiny(kind=kind)
    assert tiny.fit(folder, resume=True, **options) == history
    assert contents(folder) == files
    assert generator_state() == generator
    for name, value in checkpoint.load(folder / "best.npz")["model"].items():
        assert tiny.model.state_dict()[name].tobytes() == value.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 4, 5, 6, 9, 10, 15])
def test_killed_after_any_batch(tmp_path: Path, whole: Any, batches: int) -> None:
    """5 batches are an epoch: before, at and after its end, and at the very end; saved after every batch."""
    with pytest.raises(KilledError):
        Tiny(kind=whole[0]).fit(tmp_path, callbacks=[KillAt(batches)], save_every=0)
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("batches", [3, 8, 14])
def test_killed_long_after_the_last_save(tmp_path: Path, whole: Any, batches: int) -> None:
    """Saved at the ends of epochs only, so that up to 4 batches are repeated; before the first, the run starts again."""
    with pytest.raises(KilledError):
        Tiny(kind=whole[0]).fit(tmp_path, callbacks=[KillAt(batches)], save_every=1e9)
    assert (tmp_path / "last.npz").exists() == (batches > 5)
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 2, EPOCHS])
def test_killed_between_validation_and_the_save(tmp_path: Path, whole: Any, epochs: int) -> None:
    with pytest.raises(KilledError):
        Tiny(kind=whole[0]).fit(tmp_path, callbacks=[KillAt(epochs=epochs)], save_every=0)
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [("best.npz",), ("metrics.csv",), FILES[1:]])
@pytest.mark.parametrize("epoch", [1, EPOCHS])
def test_killed_between_two_writes(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch, lost: tuple[str, ...], epoch: int
) -> None:
    """last.npz is written first; any of what is derived from it may be missing or a whole epoch old."""
    with monkeypatch.context() as patch:
        derive = train.RunFolder.derive

        def partly(folder: train.RunFolder, run: train.Run, better: bool = True) -> None:
            kept = {name: (tmp_path / name).read_bytes() for name in lost if (tmp_path / name).exists()}
            derive(folder, run, better)
            if run.epoch == epoch:
                for name in lost:
                    (tmp_path / name).unlink(missing_ok=True)
                    if name in kept:
                        (tmp_path / name).write_bytes(kept[name])
                raise KilledError

        patch.setattr(train.RunFolder, "derive", partly)
        with pytest.raises(KilledError):
            Tiny(kind=whole[0]).fit(tmp_path)
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, whole: Any) -> None:
    for batches in range(1, EPOCHS * 5 + 1):
        with pytest.raises(KilledError):
            Tiny(kind=whole[0]).fit(tmp_path, callbacks=[KillAt(batches)], save_every=0, resume=batches > 1)
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("batches", [2, 5, 15])
def test_an_interrupt_saves_after_the_batch_and_says_so(
    tmp_path: Path, whole: Any, number: signal.Signals, batches: int
) -> None:
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt, match="saved in") as caught:
        Tiny(kind=whole[0]).fit(tmp_path, callbacks=[Press(batches, number)], save_every=1e9)
    assert f"after batch {(batches - 1) % 5 + 1} of 5" in str(caught.value)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    state = checkpoint.load(tmp_path / "last.npz")
    assert state["epoch"] * 5 + state["batch"] == batches
    expect_the_same(whole, tmp_path)


@pytest.mark.slow
def test_an_interrupt_while_validating_is_answered_after_the_epoch(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PressLate(train.Callback):
        def on_epoch_end(self, run: train.Run) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="stopped after epoch 1; saved in"):
        Tiny(kind=whole[0]).fit(tmp_path, callbacks=[PressLate()])
    assert (tmp_path / "curves.png").exists()
    expect_the_same(whole, tmp_path)


def test_a_second_interrupt_acts_at_once() -> None:
    asked = []

    def press_twice() -> None:
        with interrupt.Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGINT)
            asked.append(interrupts.asked)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        press_twice()
    assert asked == [True]


def test_without_a_folder_an_interrupt_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        Tiny().fit(callbacks=[Press(2)])
    assert str(caught.value) == ""


def test_another_thread_can_train(tmp_path: Path) -> None:
    """Only the main thread may set signal handlers."""
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(len(Tiny(epochs=1).fit(tmp_path))))
    thread.start()
    thread.join()
    assert results == [1]


def test_a_finished_run_can_be_resumed_and_does_nothing(tmp_path: Path, whole: Any) -> None:
    Tiny(kind=whole[0]).fit(tmp_path)
    for name in ("best.npz", "metrics.csv", "curves.png"):
        (tmp_path / name).unlink()
    expect_the_same(whole, tmp_path)
    assert (tmp_path / "curves.png").exists()


def test_more_epochs_continue_on_the_schedule_of_the_new_total(tmp_path: Path) -> None:
    Tiny(epochs=2).fit(tmp_path)
    first = (tmp_path / "metrics.csv").read_text()
    longer = Tiny(epochs=4)
    rates: list[float] = []

    class Rates(train.Callback):
        def on_batch_end(self, run: train.Run) -> None:
            rates.append(run.lr)

    history = longer.fit(tmp_path, resume=True, callbacks=[Rates()])
    assert len(history) == 4
    assert (tmp_path / "metrics.csv").read_text().startswith(first)
    assert rates == pytest.approx([0.1 * longer.schedule.factor(step) for step in range(10, 20)])


def test_more_epochs_after_early_stopping_start_a_new_patience(tmp_path: Path) -> None:
    tiny = Tiny(epochs=50)
    tiny.schedule.base = [0.0]
    stopped = len(tiny.fit(tmp_path, patience=2))
    assert stopped < 50
    assert len(Tiny(epochs=50).fit(tmp_path, patience=2, resume=True)) == stopped
    more = Tiny(epochs=51)
    more.schedule.base = [0.0]
    assert len(more.fit(tmp_path, patience=2, resume=True)) > stopped


def test_fewer_epochs_than_done_are_refused(tmp_path: Path) -> None:
    Tiny(epochs=2).fit(tmp_path)
    with pytest.raises(CheckpointError, match="2 epochs are done already, more than the 1 planned now"):
        Tiny(epochs=1).fit(tmp_path, resume=True)


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(OptionError, match="already holds a run"):
        Tiny(epochs=1).fit(tmp_path)
    assert contents(tmp_path) == before


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    Tiny(epochs=1).fit(tmp_path)
    other = Tiny(epochs=2, kind="adam")
    with pytest.raises(CheckpointError, match="Adam"):
        other.fit(tmp_path, resume=True)
    fewer = Tiny(epochs=2)
    fewer.train.batch_size = 20
    with pytest.raises(CheckpointError, match="5 batches an epoch and the loader now has 2"):
        fewer.fit(tmp_path, resume=True)
    unscheduled = Tiny(epochs=2)
    with pytest.raises(CheckpointError, match="made with a schedule and now goes on without one"):
        train.fit(
            unscheduled.model, unscheduled.train, unscheduled.val, unscheduled.optimizer, out=tmp_path, resume=True
        )
    checkpoint.save(tmp_path / "last.npz", {"model": {}})
    with pytest.raises(CheckpointError, match="not the state of a training run"):
        Tiny(epochs=2).fit(tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="nowhere, which should be the folder of a run"):
        Tiny().fit(tmp_path / "nowhere", resume=True)
