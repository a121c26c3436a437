"""The folder that a run leaves behind.

    config.json   how the run was set up; written first
    last.npz      the whole state of the run (see `Run.state_dict`), the best weights so far included
    best.npz      the weights of the best epoch, with its row of figures
    metrics.csv   one row per epoch
    curves.png    the same as a picture

Every file is replaced whole or not at all. last.npz is the one source of truth: the three files below it are only derived
from it, after it, and are written again when the run is resumed. So it does not matter between which two writes a process
is killed.
"""

import json
import os
from pathlib import Path
from typing import Any

from minidil import checkpoint
from minidil.errors import CheckpointError, OptionError
from minidil.train.history import History, Row, rows_from_csv
from minidil.train.state import Run

CONFIG, LAST, BEST, METRICS, CURVES = "config.json", "last.npz", "best.npz", "metrics.csv", "curves.png"


class RunFolder:
    """The files of one run; see the top of minidil/train/folder.py for what they are."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder if need be and write config.json. Raises: OptionError if a run is already in it."""
        self.check_new()
        self.path.mkdir(parents=True, exist_ok=True)
        self.write_config(config)

    def check_new(self) -> None:
        """Raises: OptionError if a run is already in the folder."""
        for name in (CONFIG, LAST, BEST, METRICS, CURVES):
            if (self.path / name).exists():
                raise OptionError(f"{self.path} already holds a run ({name}); resume it, or choose another folder")

    def write_config(self, config: dict[str, Any]) -> None:
        """Replace config.json. config: what JSON can hold."""
        self._write_text(CONFIG, json.dumps(config, indent=2) + "\n")

    def config(self) -> dict[str, Any]:
        """Read config.json. Raises: CheckpointError if it is missing or damaged."""
        path = self.path / CONFIG
        if not path.is_file():
            raise CheckpointError(f"{self.path} is not the folder of a run: it has no {CONFIG}")
        try:
            config = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error
        if not isinstance(config, dict):
            raise CheckpointError(f"{path} is damaged: it holds {type(config).__name__} instead of named settings")
        return config

    def last(self) -> Any:
        """The state in last.npz, or None if the run was stopped before the first was written."""
        path = self.path / LAST
        return checkpoint.load(path) if path.exists() else None

    def best(self) -> dict[str, Any]:
        """The tree in best.npz: {"model": state dict, "row": figures of its epoch}.

        Raises: CheckpointError if no epoch has ended yet, or the file is damaged.
        """
        path = self.path / BEST
        if not path.exists():
            raise CheckpointError(f"{self.path} has no {BEST}: no epoch of the run has ended; resume it first")
        tree: dict[str, Any] = checkpoint.load(path)
        return tree

    def rows(self) -> list[Row]:
        """The rows of metrics.csv. Raises: CheckpointError if it is missing, DataError if it is damaged."""
        path = self.path / METRICS
        if not path.is_file():
            raise CheckpointError(f"{self.path} has no {METRICS}: it is no run, or no epoch of it has ended")
        return rows_from_csv(path.read_text("utf-8", errors="replace"), str(path))

    def save(self, run: Run) -> None:
        """Write last.npz."""
        checkpoint.save(self.path / LAST, run.state_dict())

    def derive(self, run: Run, better: bool = True) -> None:
        """Write what follows from last.npz, once an epoch has ended: metrics.csv and, if there is a new best, best.npz."""
        if run.history.rows:
            if better:
                checkpoint.save(self.path / BEST, {"model": run.best, "row": run.history.best})
            self._write_text(METRICS, run.history.csv())

    def draw(self, history: History) -> None:
        """Write curves.png, once an epoch has ended."""
        if history.rows:
            from minidil import viz

            figure = viz.curves(history.rows)
            with viz.style(), checkpoint.atomic_write(self.path / CURVES) as file:
                figure.savefig(file, format="png")

    def _write_text(self, name: str, text: str) -> None:
        with checkpoint.atomic_write(self.path / name) as file:
            file.write(text.encode())
