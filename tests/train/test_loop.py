"""fit trains, keeps the best weights, stops early, explains a loss that is not finite."""

import contextlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import EPOCHS, StopAt, Tiny, images

import minidil as md
import minidil.functional as F
from minidil import data, nn, optim, train
from minidil.errors import DataError, OptionError, TrainingError

pytestmark = pytest.mark.usefixtures("quick_pictures")


def states_equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


class Recorder(train.Callback):
    """Remembers what it is told, and the weights at the end of every epoch."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.weights: list[dict[str, Any]] = []
        self.rates: list[float] = []

    def on_start(self, run: train.Run) -> None:
        self.events.append("start")

    def on_batch_end(self, run: train.Run) -> None:
        self.events.append(f"{run.epoch}.{run.batch}")
        self.rates.append(run.lr)

    def on_epoch_end(self, run: train.Run) -> None:
        self.events.append(f"end {run.epoch}")
        self.weights.append(run.model.state_dict())

    def on_end(self, run: train.Run) -> None:
        self.events.append("end")


def test_it_learns(backend: str) -> None:
    tiny = Tiny(epochs=12)
    history = tiny.fit()
    assert history.best["val_accuracy"] > 0.9
    assert train.evaluate(tiny.model, tiny.val).accuracy == history.best["val_accuracy"]
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"]


def test_the_figures_of_an_epoch_are_the_means_over_its_labels() -> None:
    """With a learning rate of zero the model stands still, so the mean can be taken again from outside."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, rng=np.random.default_rng(0)))
    loader = data.DataLoader(images(21), 8)  # batches of 8, 8 and 5
    history = train.fit(model, loader, loader, optim.SGD(model.parameters(), 0.0), epochs=1, progress=False)
    inputs = images(21).images / np.float32(255)
    logits = model(md.tensor(inputs))
    row = history.rows[0]
    loss = F.cross_entropy(logits, target=images(21).labels).item()
    accuracy = float((logits.numpy().argmax(1) == images(21).labels).mean())
    assert row["train_loss"] == pytest.approx(loss, rel=1e-6)
    assert row["val_loss"] == pytest.approx(loss, rel=1e-6)
    assert row["train_accuracy"] == row["val_accuracy"] == accuracy


def test_the_optimizer_and_the_schedule_step_once_a_batch() -> None:
    tiny, recorder = Tiny(), Recorder()
    tiny.fit(callbacks=[recorder])
    assert recorder.rates == pytest.approx([0.1 * tiny.schedule.factor(step) for step in range(EPOCHS * 5)])
    assert tiny.schedule.state_dict() == {"step": EPOCHS * 5}


def test_callbacks_are_called_in_order() -> None:
    tiny, recorder = Tiny(epochs=2), Recorder()
    tiny.fit(callbacks=[recorder])
    first, second = ([f"{epoch}.{batch}" for batch in range(1, 6)] for epoch in (0, 1))
    assert recorder.events == ["start", *first, "end 1", *second, "end 2", "end"]


def test_a_callback_can_stop_the_run() -> None:
    class Stop(train.Callback):
        def on_batch_end(self, run: train.Run) -> None:
            run.stop = run.epoch == 1

    assert len(Tiny(epochs=5).fit(callbacks=[Stop()])) == 2


class Dictate(train.Callback):
    """Puts given weights into the model at the end of each epoch, before it is validated."""

    def __init__(self, weights: list[dict[str, Any]]) -> None:
        self.weights = weights

    def on_batch_end(self, run: train.Run) -> None:
        if run.batch == run.batches:
            run.model.load_state_dict(self.weights[run.epoch])


def test_a_callback_with_a_misspelt_method_is_refused() -> None:
    with pytest.raises(OptionError, match=r"Typo\.on_epoch_ends would never be called: a callback has on_start, on_b"):
        type("Typo", (train.Callback,), {"on_epoch_ends": lambda self, run: None})


def test_the_best_weights_are_restored_and_the_model_is_left_in_evaluation_mode(tmp_path: Path) -> None:
    learnt = Tiny(epochs=12)
    learnt.fit()
    good = learnt.model.state_dict()
    poor = {key: value * 0 for key, value in good.items()}
    tiny = Tiny(epochs=3)
    history = tiny.fit(tmp_path / "run", callbacks=[Dictate([poor, good, poor])])
    assert history.best_epoch == 2
    assert states_equal(tiny.model.state_dict(), good)
    assert states_equal(train.RunFolder(tmp_path / "run").best()["model"], good)
    assert not tiny.model.training


def test_without_validation_the_last_weights_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny, recorder = Tiny(epochs=3), Recorder()
    tiny.val = None
    history = tiny.fit(tmp_path / "run", callbacks=[recorder], progress=True)
    assert history.best_epoch == 3
    assert all(math.isnan(row["val_loss"]) and math.isnan(row["val_accuracy"]) for row in history.rows)
    assert states_equal(tiny.model.state_dict(), recorder.weights[-1])
    assert states_equal(train.RunFolder(tmp_path / "run").best()["model"], recorder.weights[-1])
    out = capsys.readouterr().out
    assert "epoch 3/3  train loss" in out
    assert "validation" not in out
    assert "best" not in out


def test_without_validation_there_is_nothing_to_be_patient_for(tmp_path: Path) -> None:
    tiny = Tiny()
    tiny.val = None
    with pytest.raises(OptionError, match="patience=2 waits for a higher validation accuracy, and val is None"):
        tiny.fit(tmp_path / "run", patience=2)
    assert not (tmp_path / "run").exists()


def test_without_validation_a_run_is_resumed_in_the_same_bits(tmp_path: Path) -> None:
    for folder, stop in (("whole", []), ("cut", [StopAt(8)])):
        tiny = Tiny()
        tiny.val = None
        with pytest.raises(ZeroDivisionError) if stop else contextlib.nullcontext():
            tiny.fit(tmp_path / folder, callbacks=stop, save_every=0)
    tiny = Tiny()
    tiny.val = None
    tiny.fit(tmp_path / "cut", resume=True)
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def linear_run(lr: float, epochs: int, **options: Any) -> train.History:
    """Without batch norm or dropout: with lr = 0 every epoch measures the same."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, rng=np.random.default_rng(0)))
    loader = data.DataLoader(images(), 8)
    optimizer = optim.SGD(model.parameters(), lr)
    return train.fit(model, loader, loader, optimizer, epochs=epochs, progress=False, **options)


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_waits_for_patience_epochs_and_no_better_means_worse_or_equal(patience: int) -> None:
    history = linear_run(0.0, 20, patience=patience)
    assert len(history) == 1 + patience


def test_without_patience_all_epochs_are_run() -> None:
    assert len(linear_run(0.0, 6)) == 6


def test_among_equal_accuracies_the_later_epoch_is_better() -> None:
    history = linear_run(1e-3, 4)
    highest = max(row["val_accuracy"] for row in history.rows)
    assert history.best_epoch == max(row["epoch"] for row in history.rows if row["val_accuracy"] == highest)
    assert linear_run(0.0, 3).best_epoch == 3


def test_clipping_bounds_the_step() -> None:
    weights = []
    for clip_norm in (None, 0.01):
        model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2, rng=np.random.default_rng(0)))
        before = model.state_dict()
        loader = data.DataLoader(images(8), 8)
        optimizer = optim.SGD(model.parameters(), 1.0)
        train.fit(model, loader, loader, optimizer, epochs=1, clip_norm=clip_norm, progress=False)
        after = model.state_dict()
        weights.append(sum(float(((after[key] - before[key]) ** 2).sum()) for key in after) ** 0.5)
    assert weights[0] > 0.05
    assert weights[1] == pytest.approx(0.01, rel=1e-3)


class Overflow(nn.Module):
    """exp(1000 x): finite for nothing that is bright."""

    def forward(self, x: md.Tensor) -> md.Tensor:
        return F.exp(1000 * x)


def failing_run(model: nn.Module, train_set: Any = None, lr: float = 0.1) -> str:
    loader = data.DataLoader(images(), 8) if train_set is None else train_set
    with pytest.raises(TrainingError) as caught, np.errstate(all="ignore"):
        train.fit(model, loader, loader, optim.SGD(model.parameters(), lr), epochs=3, progress=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_loss_that_is_not_finite_names_the_first_layer_at_fault() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Sequential(nn.ReLU(), Overflow()), nn.Linear(36, 2))
    message = failing_run(model)
    assert "in epoch 1, batch 1 of 5" in message
    assert "'1.1' (Overflow), whose output (8, 36) holds" in message


def test_a_step_too_far_is_explained() -> None:
    message = failing_run(nn.Sequential(nn.Flatten(), nn.Linear(36, 9), nn.Linear(9, 2)), lr=1e30)
    assert "the first layer whose output is not finite is '" in message
    assert "lower learning rate or clip_norm" in message


def test_weights_that_are_broken_themselves_are_named() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
    model.load_state_dict({key: np.full_like(value, np.nan) for key, value in model.state_dict().items()})
    message = failing_run(model)
    assert "'1' (Linear), whose output (8, 2) holds 16 of 16 values" in message
    assert "as its weight and bias did before" in message


def test_inputs_that_are_not_finite_are_named() -> None:
    class Broken(data.DataLoader):
        def _prepare(self, *args: Any) -> Any:
            inputs, labels = super()._prepare(*args)
            return np.where(inputs > 0.9, np.float32(np.nan), inputs), labels

    message = failing_run(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), Broken(images(), 8))
    assert "the inputs of the batch hold" in message


def test_a_loss_that_overflows_by_itself_is_said_to() -> None:
    class Huge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(np.float32(3e38))

        def forward(self, x: md.Tensor) -> md.Tensor:
            signs = np.array([[1.0, -1.0]], np.float32)
            return self.scale * signs * (x.flatten(1).sum(axis=1, keepdims=True) * 0 + 1)

    assert "outputs of all layers are finite" in failing_run(Huge())


def test_an_empty_loader_is_refused() -> None:
    class Empty:
        def __len__(self) -> int:
            return 0

        def batches(self, epoch: int, start: int = 0) -> Any:
            return iter(())

    tiny = Tiny()
    with pytest.raises(DataError, match="no batch"):
        train.evaluate(tiny.model, Empty())
    with pytest.raises(DataError, match="no batch"):
        train.fit(tiny.model, Empty(), tiny.val, tiny.optimizer, epochs=1, progress=False)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"patience": 0}, {"save_every": -1.0}, {"resume": True}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    tiny = Tiny()
    with pytest.raises(OptionError, match="fit: needs"):
        train.fit(tiny.model, tiny.train, tiny.val, tiny.optimizer, progress=False, **options)


def test_evaluate_restores_the_mode_and_changes_nothing() -> None:
    tiny = Tiny()
    tiny.model.train()
    before = tiny.model.state_dict()
    first = train.evaluate(tiny.model, tiny.val)
    assert first == train.evaluate(tiny.model, tiny.val)
    assert tiny.model.training
    assert states_equal(tiny.model.state_dict(), before)


def test_evaluate_shows_every_batch() -> None:
    tiny, seen = Tiny(), []
    metrics = train.evaluate(tiny.model, tiny.val, lambda logits, labels: seen.append((logits, labels)))
    logits, labels = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    assert logits.shape == (24, 2)
    assert metrics.accuracy == (logits.argmax(1) == labels).mean()
