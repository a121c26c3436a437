"""What a run prints: a bar while an epoch runs, if a person is watching, and one line when it has ended."""

import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minidil.kernels.backend import backend
from minidil.terminal import fill
from minidil.train.callbacks import Callback
from minidil.train.state import Run

_SILENCE_SECONDS = 3.0


class Progress(Callback):
    """One line per epoch on standard output; on a terminal also a bar with the running loss and accuracy."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._began = time.monotonic()

    def on_start(self, run: Run) -> None:
        if run.epoch >= run.epochs:
            print(fill(f"all {run.epochs} epochs are done already"), flush=True)
        elif run.epoch or run.batch:
            print(fill(f"going on in epoch {run.epoch + 1} after batch {run.batch} of {run.batches}"), flush=True)

    def on_batch_end(self, run: Run) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from tqdm import tqdm

            title = f"epoch {run.epoch + 1}/{run.epochs}"
            self._bar = tqdm(total=run.batches, initial=run.batch - 1, desc=title, unit="batch", leave=False)
        shown = {name: _shown(name, value).strip() for name, value in run.sums.figures().items()}
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update()

    def on_epoch_end(self, run: Run) -> None:
        self.close()
        row, now = run.history.rows[-1], time.monotonic()
        width = len(str(run.epochs))
        validated = not all(math.isnan(value) for name, value in row.items() if name.startswith("val_"))

        def figures(part: str) -> str:
            return " ".join(f"{name} {_shown(name, row[f'{part}_{name}'])}" for name in ("loss", *run.metrics))

        line = (
            f"epoch {row['epoch']:{width}}/{run.epochs}  train {figures('train')}"
            + (f"  validation {figures('val')}" if validated else "")
            + f"  lr {row['lr']:.2e}  {now - self._began:.1f} s"
            + ("  best so far" if validated and run.history.best_epoch == row["epoch"] else "")
        )
        print(fill(line), flush=True)
        self._began = now

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _shown(name: str, value: float) -> str:
    """Accuracy in per cent, a loss with four places, what else there is with four digits."""
    return f"{value:7.2%}" if name == "accuracy" else f"{value:.4f}" if name == "loss" else f"{value:.4g}"


@contextmanager
def waiting_explained(what: str, first: bool = True) -> Iterator[None]:
    """Around something that may have to compile: if it is the first time and takes long, say why. what: "the ... kernels"."""
    times = {"numba": "up to half a minute the first time, then they are kept on disk", "cuda": "it can take minutes"}
    if not first or backend() not in times:
        yield
        return
    message = f"compiling {what} for this machine: {times[backend()]}"
    timer = threading.Timer(_SILENCE_SECONDS, print, [fill(message)], {"flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
