"""Ctrl-C on a training in a process of its own: once saves and ends, twice ends at once; and memory over many steps."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_runs import Tiny

from minidil import checkpoint, train

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")

# A batch that takes long, so that a second Ctrl-C comes before the first has been answered.
TRAINING = """
import signal, sys, time
from tiny_runs import Tiny
from minidil import train
signal.signal(signal.SIGINT, signal.default_int_handler)
class Slow(train.Callback):
    def on_batch_end(self, run):
        if run.epoch * run.batches + run.batch == 7:
            print("slow", flush=True)
            try:
                time.sleep(60 if sys.argv[2] == "twice" else 0.3)
            except KeyboardInterrupt:
                print("at once", flush=True)
                raise
try:
    Tiny().fit(sys.argv[1], callbacks=[Slow()], save_every=1e9)
except KeyboardInterrupt as stop:
    sys.exit(str(stop) or "no word")
"""


def press(folder: Path, times: str) -> tuple[str, str, float]:
    """Train in another process and press Ctrl-C in the seventh batch: (output, errors, seconds from there to its end)."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "Agg"}
    words = [sys.executable, "-c", TRAINING, str(folder), times]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if first.startswith("compiling"):  # the first time on a machine
            first = process.stdout.readline()
        assert first == "slow\n"
        began = time.monotonic()
        for _ in range(2 if times == "twice" else 1):
            process.send_signal(signal.SIGINT)
            time.sleep(0.1)
        out, err = process.communicate(timeout=50)
    assert process.returncode == 1
    return out, err, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("times", ["once", "twice"])
def test_once_saves_and_twice_ends_at_once_with_nothing_torn(tmp_path: Path, times: str) -> None:
    whole = Tiny().fit(tmp_path / "whole")
    folder = tmp_path / "cut"
    out, err, seconds = press(folder, times)
    state = checkpoint.load(folder / "last.npz")
    if times == "once":
        assert (out, err) == ("", f"stopped in epoch 2 after batch 2 of 5; saved in {folder}\n")
        assert (state["epoch"], state["batch"]) == (1, 2)
    else:
        assert (out, err) == ("at once\n", "no word\n")
        assert seconds < 30
        assert (state["epoch"], state["batch"]) == (1, 0)  # as it was saved at the end of the first epoch
    assert not list(folder.glob("*.tmp"))
    assert not (folder / ".lock.by").exists()
    assert checkpoint.load(folder / "best.npz")["row"] == whole.rows[0]
    assert Tiny().fit(folder, resume=True) == whole
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class Resident(train.Callback):
    """The memory of this process, in bytes, at the end of every epoch."""

    def __init__(self) -> None:
        self.bytes: list[int] = []

    def on_epoch_end(self, run: train.Run) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.bytes.append(pages * os.sysconf("SC_PAGE_SIZE"))


@pytest.mark.long
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="reads the memory of the process where Linux tells it"
)
def test_two_thousand_steps_take_no_more_memory_than_the_first_hundreds(backend: str) -> None:
    """5 steps an epoch. A tensor, a graph or a batch kept each step would be over 10 MB in the end: 8 images and what
    the layers make of them are 8 (36 + 3 x 144) x 4 bytes, 15 kB, and there are 1,500 steps between the two measures."""
    watch = Resident()
    Tiny(epochs=400).fit(callbacks=[watch])
    assert len(watch.bytes) == 400
    early, late = max(watch.bytes[80:100]), max(watch.bytes[380:])
    assert late - early < 4_000_000
