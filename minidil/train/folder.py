"""The folder that a run leaves behind.

    config.json   how the run was set up; written first
    last.npz      the whole state of the run (see `Run.state_dict`), the best weights so far included
    best.npz      the weights of the best epoch, with its row of figures
    metrics.csv   one row per epoch
    curves.png    the same as a picture
    .lock         held while a process trains here; empty, and left where it is

Every file is replaced whole or not at all. last.npz is the one source of truth: the three files below it are only derived
from it, after it, and are written again when the run is resumed. So it does not matter between which two writes a process
is killed. config.json is for people to read; last.npz and best.npz hold what it held when they were made, so that a setting
that was changed in the file later is noticed before anything comes of it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from minidil.errors import CheckpointError, DataError, OptionError
from minidil.nn import Module
from minidil.storage import checkpoint
from minidil.storage.files import atomic_write, remove_leftovers, writing
from minidil.storage.locks import locked
from minidil.train.check import check_arrays, check_rows
from minidil.train.history import History, Row, rows_from_csv
from minidil.train.restore import restore
from minidil.train.rules import MAPPING, differences, listed
from minidil.train.state import Run

CONFIG, LAST, BEST, METRICS, CURVES = "config.json", "last.npz", "best.npz", "metrics.csv", "curves.png"
_FILES, _LOCK = (CONFIG, LAST, BEST, METRICS, CURVES), ".lock"


class RunFolder:
    """The files of one run; see the top of minidil/train/folder.py for what they are."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        # What config.json may hold beside the files that are written now: one, or while it is being replaced either of two.
        self._configs: list[dict[str, Any]] = []

    def create(self, config: dict[str, Any]) -> None:
        """Make the folder if need be and write config.json. Raises: OptionError if a run is already in it."""
        self.check_new()
        self._make()
        self._configs = [_plain(config)]
        self._write_config()

    @contextmanager
    def held(self, resume: bool) -> Iterator[None]:
        """While the block runs, no other process trains in this folder; what killed ones left half written is removed.

        resume: the folder must hold a run, or else must not; nothing is made in it before that is sure.
        Raises: BusyError, which says whom to wait for; CheckpointError without a run; OptionError with one.
        """
        if resume:
            self.config()
        else:
            self.check_new()
        self._make()
        with ExitStack() as stack:
            with writing(self.path / _LOCK):
                stack.enter_context(locked(self.path / _LOCK, "training"))
            for name in _FILES:
                remove_leftovers(self.path / name, age=0)
            yield

    def check_new(self) -> None:
        """Raises: OptionError if a run is already in the folder."""
        for name in _FILES:
            if (self.path / name).exists():
                raise OptionError(f"{self.path} already holds a run ({name}); resume it, or choose another folder")

    def _make(self) -> None:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)

    def _write_config(self) -> None:
        self._write_text(CONFIG, json.dumps(self._configs[-1], indent=2) + "\n")

    def config(self) -> dict[str, Any]:
        """Read config.json. Raises: CheckpointError if it is missing or damaged."""
        path = self.path / CONFIG
        if not self.path.exists():
            raise CheckpointError(f"there is no {self.path}, which should be the folder of a run")
        if not path.is_file():
            raise CheckpointError(f"{self.path} is not the folder of a run: it has no {CONFIG}")
        try:
            config = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error
        if not isinstance(config, dict):
            raise CheckpointError(f"{path} is damaged: it holds {type(config).__name__} instead of named settings")
        return config

    def last(self) -> Any:
        """The state in last.npz, or None if the run was stopped before the first was written.

        Raises: CheckpointError if it is damaged, or made with other settings than config.json holds.
        """
        return self._checked(LAST) if (self.path / LAST).exists() else None

    def knows_its_config(self) -> bool:
        """Whether last.npz tells what config.json held; one that an older minidil wrote does not. Raises: as `last` does."""
        return self.last() is None or bool(self._configs)

    def take_up(self, run: Run, config: dict[str, Any] | None = None) -> bool:
        """Set `run` to the state in last.npz, and write again what follows from it; False if there is none yet.

        config: what takes its place in config.json.
        Raises: CheckpointError that names the file and the value in it that does not fit.
        """
        state, before = self.last(), self.config()
        after = before | _plain(config or {})
        if state is None:
            self._configs = [after]
            self._write_config()
            return False
        try:
            restore(run, state)
        except CheckpointError as error:
            raise CheckpointError(f"resume: {self.path / LAST}: {error}") from error
        if self._configs != [after]:
            self._configs = [before, after]
            self.save(run)
            self.derive(run)
            self._write_config()
            self._configs = [after]
            self.save(run)
        self.derive(run)
        return True

    def best(self) -> dict[str, Any]:
        """The tree in best.npz: {"model": state dict, "row": figures of its epoch}.

        Raises: CheckpointError if no epoch has ended yet, or the file is missing, damaged, not of a model's weights, or made
            with other settings than config.json holds.
        """
        path = self.path / BEST
        if not path.exists():
            if (self.path / METRICS).exists():
                raise CheckpointError(f"{path} is missing; resume the run, which writes it again from {LAST}")
            raise CheckpointError(f"{self.path} has no {BEST}: no epoch of the run has ended; resume it first")
        tree: dict[str, Any] = self._checked(BEST)
        if not isinstance(tree, dict) or not isinstance(tree.get("model"), dict):
            raise CheckpointError(f"{path} is a checkpoint, but not of a model's weights")
        return tree

    def _checked(self, name: str) -> Any:
        """The tree of a file, without the settings in it. Raises: CheckpointError if config.json holds others."""
        tree = checkpoint.load(self.path / name)
        self._configs = []
        if isinstance(tree, dict) and "config" in tree:  # an older minidil wrote none
            listed(MAPPING).check(tree["config"], f"{self.path / name}: config")
            self._configs = tree.pop("config")
        faults = [differences(self.config(), config, name) for config in self._configs]
        if faults and all(faults):
            raise CheckpointError(
                f"{self.path / CONFIG}: {'; '.join(faults[-1])}: set it back, or train a new run with it; "
                "epochs, backend and where the data lies are changed by what resumes the run, not here"
            )
        return tree

    def load_best(self, model: Module) -> None:
        """Give `model` the weights in best.npz. Raises: CheckpointError as `best` does, or if they do not fit."""
        tree = self.best()
        try:
            check_arrays(tree["model"], model.state_dict(), "model")
        except CheckpointError as error:
            raise CheckpointError(f"{self.path / BEST}: {error}") from error
        model.load_state_dict(tree["model"])

    def rows(self) -> list[Row]:
        """The rows of metrics.csv. Raises: CheckpointError if it is missing, DataError if it is damaged.

        Nothing but a plot is made from it: a run that is resumed writes it again from last.npz, whatever it held.
        """
        path = self.path / METRICS
        if not path.is_file():
            raise CheckpointError(f"{self.path} has no {METRICS}: it is no run, or no epoch of it has ended")
        rows = rows_from_csv(path.read_text("utf-8", errors="replace"), str(path))
        try:
            check_rows(rows, "rows")
        except CheckpointError as error:
            raise DataError(f"{path}: {error}") from error
        return rows

    def save(self, run: Run) -> None:
        """Write last.npz."""
        checkpoint.save(self.path / LAST, run.state_dict() | {"config": self._configs})

    def derive(self, run: Run, better: bool = True) -> None:
        """Write what follows from last.npz, once an epoch has ended: metrics.csv and, if there is a new best, best.npz."""
        if run.history.rows:
            if better:
                checkpoint.save(self.path / BEST, {"model": run.best, "row": run.history.best, "config": self._configs})
            self._write_text(METRICS, run.history.csv())

    def draw(self, history: History) -> None:
        """Write curves.png, once an epoch has ended."""
        if history.rows:
            from minidil import viz

            figure = viz.curves(history.rows)
            with viz.style(), atomic_write(self.path / CURVES) as file:
                figure.savefig(file, format="png")

    def _write_text(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode())


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """The same as it is read from JSON, which knows lists and no tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(config))
    return plain
