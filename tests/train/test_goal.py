"""fit with a loss, metrics and a choice of the best epoch that are the user's own."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_runs import StopAt

import minidil as md
import minidil.functional as F
from minidil import nn, optim, train
from minidil.errors import CheckpointError, DataError, OptionError, ShapeError
from minidil.train.history import rows_from_csv

FILES = ("last.npz", "best.npz", "metrics.csv")


class Points:
    """Batches of a line with noise: float inputs (n, 3) and float targets (n, 1), shuffled by the epoch."""

    def __init__(self, seed: int, count: int = 20) -> None:
        rng = np.random.default_rng(seed)
        self.x = rng.standard_normal((count, 3)).astype(np.float32)
        noise = 0.1 * rng.standard_normal((count, 1))
        self.y = (self.x @ np.array([[1.0], [-2.0], [0.5]]) + noise).astype(np.float32)

    def __len__(self) -> int:
        return 3

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Any, Any]]:
        order = np.random.default_rng(epoch).permutation(len(self.x))
        for part in np.array_split(order, 3)[start:]:
            yield self.x[part], self.y[part]


def mae(outputs: Any, targets: Any) -> float:
    return float(np.abs(outputs - targets).mean())


def close(outputs: Any, targets: Any) -> Any:
    return np.abs(outputs - targets) < 0.5


def fitted(out: Path | None = None, lr: float = 0.2, **options: Any) -> tuple[nn.Linear, train.History]:
    model = nn.Linear(3, 1, rng=np.random.default_rng(0))
    optimizer = optim.SGD(model.parameters(), lr, momentum=0.9)
    options = {"loss": F.mse_loss, "metrics": {"mae": mae, "close": close}, "best": "loss", "progress": False} | options
    history = train.fit(model, Points(0), Points(1), optimizer, epochs=4, out=out, **options)
    return model, history


def test_the_epoch_of_the_lowest_loss_is_kept() -> None:
    model, history = fitted()
    losses = [row["val_loss"] for row in history.rows]
    assert history.best_epoch == 1 + int(np.argmin(losses))
    assert history.best_epoch < 4, "the last epoch would be kept without a choice"
    points = Points(1)
    error = model(md.tensor(points.x)).numpy() - points.y
    assert history.best["val_loss"] == pytest.approx(float((error**2).mean()), rel=1e-5)
    assert history.best["val_mae"] == pytest.approx(float(np.abs(error).mean()), rel=1e-5)
    assert history.best["val_close"] == (np.abs(error) < 0.5).mean()


def test_the_columns_are_those_of_the_metrics(tmp_path: Path) -> None:
    _, history = fitted(tmp_path / "run")
    header = "epoch,train_loss,train_mae,train_close,val_loss,val_mae,val_close,lr"
    text = (tmp_path / "run" / "metrics.csv").read_text()
    assert text.splitlines()[0] == header
    assert train.RunFolder(tmp_path / "run").rows() == history.rows == rows_from_csv(text, "metrics.csv")
    fit = train.RunFolder(tmp_path / "run").config()["fit"]
    assert (fit["loss"], fit["metrics"], fit["best"]) == ("mse_loss", ["mae", "close"], "min loss")


@pytest.mark.parametrize("batches", [2, 3, 7])
def test_a_resumed_run_ends_in_the_same_bits(
    tmp_path: Path, quick_pictures: None, batches: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, history = fitted(tmp_path / "whole")
    with pytest.raises(ZeroDivisionError):
        fitted(tmp_path / "cut", callbacks=[StopAt(batches)], save_every=0)
    resumed, again = fitted(tmp_path / "cut", resume=True)
    assert again == history
    assert resumed.weight.numpy().tobytes() == whole.weight.numpy().tobytes()
    for name in FILES:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(("best", "pick"), [("min mae", np.argmin), ("max close", np.argmax), ("max loss", np.argmax)])
def test_any_figure_can_choose(best: str, pick: Callable[[Any], int]) -> None:
    _, history = fitted(best=best)
    values = np.array([row[f"val_{best[4:]}"] for row in history.rows])
    assert values[history.best_epoch - 1] == values[pick(values)]


def test_patience_waits_for_a_lower_loss() -> None:
    _, history = fitted(lr=0.0, patience=2)
    assert len(history) == 3
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(OptionError, match="patience=2 waits for a lower validation loss, and val is None"):
        train.fit(model, Points(0), None, optimizer, patience=2, loss=F.mse_loss)


def test_progress_shows_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    _, history = fitted(progress=True)
    line, row = capsys.readouterr().out.splitlines()[0], history.rows[0]
    wanted = (
        f"train loss {row['train_loss']:.4f} mae {row['train_mae']:.4g} close {row['train_close']:.4g}  validation loss"
    )
    assert wanted in line


def test_evaluate_takes_them_as_well() -> None:
    model, history = fitted()
    measured = train.evaluate(model, Points(1), loss=F.mse_loss, metrics={"mae": mae})
    assert measured._asdict() == {"loss": history.best["val_loss"], "mae": history.best["val_mae"]}


def test_without_validation_the_last_epoch_is_kept() -> None:
    model = nn.Linear(3, 1)
    optimizer = optim.SGD(model.parameters(), 0.1)
    history = train.fit(model, Points(0), None, optimizer, epochs=2, loss=nn.MSELoss(), progress=False)
    assert history.best_epoch == 2
    assert math.isnan(history.best["val_loss"])
    assert list(history.best) == ["epoch", "train_loss", "val_loss", "lr"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "mse"}, "loss must be a function of (output, target), not 'mse'"),
        ({"metrics": {"loss": mae}}, "'loss' cannot name a metric"),
        ({"metrics": {"my metric": mae}}, "'my metric' cannot name a metric"),
        ({"metrics": {"mae": 3}}, "metric 'mae' must be a function of (output, target), not 3"),
        ({"best": "mae"}, "best='mae' does not say which way is better; write 'min mae' or 'max mae'"),
        ({"best": "accuracy"}, "best='accuracy' must name one of loss, mae, close, or 'min' or 'max' and one of them"),
        ({"label_smoothing": 0.1}, "label_smoothing=0.1 belongs to F.cross_entropy"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        fitted(tmp_path / "run", **options)
    assert message in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_loss_of_many_numbers_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"the loss must be one number, not a tensor of shape \(7, 1\); take its mean"):
        fitted(loss=lambda output, target: (output - target) ** 2)


def test_a_run_goes_on_with_its_own_metrics_and_choice(tmp_path: Path, quick_pictures: None) -> None:
    fitted(tmp_path)
    with pytest.raises(CheckpointError, match="the metrics of the run were mae, close, and are now mae"):
        fitted(tmp_path, resume=True, metrics={"mae": mae})
    with pytest.raises(CheckpointError, match="chose its best epoch by 'min loss', and now would by 'min mae'"):
        fitted(tmp_path, resume=True, best="min mae")


def test_an_empty_loader_is_refused() -> None:
    points = Points(1)
    points.batches = lambda epoch, start=0: iter(())  # type: ignore[method-assign]
    with pytest.raises(DataError, match="no batch"):
        train.evaluate(nn.Linear(3, 1), points, loss=F.mse_loss)
