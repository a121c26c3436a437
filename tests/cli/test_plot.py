"""`minidil plot` of runs that measured other things than accuracy."""

from pathlib import Path

import pytest

from minidil import viz
from minidil.cli import main
from minidil.train.history import rows_to_csv


def test_runs_are_compared_in_what_they_share(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []
    monkeypatch.setattr(viz, "save", lambda figure, path: titles.extend(axes.get_title() for axes in figure.axes))
    for name, metric in (("one", "mae"), ("other", "accuracy")):
        (tmp_path / name).mkdir()
        row = {"epoch": 1, "train_loss": 1.0, f"train_{metric}": 0.5, "val_loss": 1.0, f"val_{metric}": 0.5, "lr": 0.1}
        (tmp_path / name / "metrics.csv").write_text(rows_to_csv([row]))
    main(["plot", str(tmp_path / "one"), str(tmp_path / "other"), "--out", str(tmp_path / "runs.png")])
    assert titles == ["validation loss"]
    titles.clear()
    main(
        ["plot", str(tmp_path / "other"), str(tmp_path / "other" / ".." / "other"), "--out", str(tmp_path / "runs.png")]
    )
    assert titles == ["validation loss", "validation accuracy in %"]
