"""What a run prints: a bar while an epoch runs, if a person is watching, and one line when it has ended."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minidil.kernels.backend import backend
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
            print(f"all {run.epochs} epochs are done already", flush=True)
        elif run.epoch or run.batch:
            print(f"going on in epoch {run.epoch + 1} after batch {run.batch} of {run.batches}", flush=True)

    def on_batch_end(self, run: Run) -> None:
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            from tqdm import tqdm

            title = f"epoch {run.epoch + 1}/{run.epochs}"
            self._bar = tqdm(total=run.batches, initial=run.batch - 1, desc=title, unit="batch", leave=False)
        loss, accuracy = run.sums.metrics()
        self._bar.set_postfix(loss=f"{loss:.4f}", accuracy=f"{accuracy:.2%}", refresh=False)
        self._bar.update()

    def on_epoch_end(self, run: Run) -> None:
        self.close()
        row, now = run.history.rows[-1], time.monotonic()
        width = len(str(run.epochs))
        print(
            f"epoch {row['epoch']:{width}}/{run.epochs}"
            f"  train loss {row['train_loss']:.4f} accuracy {row['train_accuracy']:7.2%}"
            f"  validation loss {row['val_loss']:.4f} accuracy {row['val_accuracy']:7.2%}"
            f"  lr {row['lr']:.2e}  {now - self._began:.1f} s"
            + ("  best so far" if run.history.best_epoch == row["epoch"] else ""),
            flush=True,
        )
        self._began = now

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def waiting_explained(what: str, first: bool = True) -> Iterator[None]:
    """Around something that may have to compile: if it is the first time and takes long, say why. what: "the ... kernels"."""
    times = {"numba": "up to half a minute the first time, then they are kept on disk", "cuda": "it can take minutes"}
    if not first or backend() not in times:
        yield
        return
    message = f"compiling {what} for this machine: {times[backend()]}"
    timer = threading.Timer(_SILENCE_SECONDS, print, [message], {"flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
