"""Ranks that a real mpiexec has started: what they add up, and how all end when one does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import tiny_runs

import minidil as md
from minidil.cli import main

MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(MPIEXEC is None or find_spec("mpi4py") is None, reason="needs mpi4py and an mpiexec"),
]
ROOT = Path(md.__file__).parents[1]

SUMS = """
import json
import numpy as np
from minidil import parallel
with parallel.joined() as team:
    doubles = np.array([1e16, 1.0, -1e16])[team.rank : team.rank + 1]
    singles = np.full(3, team.rank, np.float32)
    found = [parallel.total(team, doubles).tolist(), parallel.total(team, singles).tolist(), team.broadcast(team.rank)]
    every = team.broadcast(found)
    assert found == every
    if team.rank == 0:
        print(json.dumps(found))
"""

STRUCK = """
import os, signal, sys
import tiny_runs
import minidil as md
from minidil.cli import main
from minidil import parallel, train

class Strike(train.Callback):
    def on_batch_end(self, run):
        if team.rank == 1 and run.epoch * run.batches + run.batch == 7:
            if sys.argv[1] == "raise":
                raise RuntimeError("struck")
            os.kill(os.getpid(), signal.Signals[sys.argv[1]])

with parallel.joined(patience=5.0) as team, md.use("numpy"):
    tiny_runs.Tiny().fit(sys.argv[2], save_every=0, callbacks=[Strike()], team=team)
"""


def on_ranks(count: int, *words: str, seconds: int = 120) -> "subprocess.CompletedProcess[str]":
    """Run Python on so many ranks. Raises: TimeoutExpired, after they have been killed."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    crowded = {
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe"
    }  # Open MPI takes no more than there are processors
    ranks = subprocess.Popen(
        [str(MPIEXEC), "-n", str(count), sys.executable, *words],
        env=os.environ | crowded | {"PYTHONPATH": paths, "NUMBA_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with ranks:
        try:
            stdout, stderr = ranks.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(ranks.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(ranks.args, ranks.returncode, stdout, stderr)


@pytest.fixture(scope="module", autouse=True)
def _ranks_meet() -> None:
    """Skip where mpiexec starts no ranks that reach each other, as it may be without a network."""
    try:
        done = on_ranks(2, "-c", "from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(1))", seconds=60)
    except subprocess.TimeoutExpired:
        pytest.skip(f"two ranks that {MPIEXEC} starts do not meet within 60 s")
    if "".join(done.stdout.split()) != "22":  # one rank may write its line into the other's
        pytest.skip(f"two ranks that {MPIEXEC} starts do not meet: {done.stdout} {done.stderr}")


def test_sums_are_alike_on_all_ranks_and_those_of_float64_are_in_their_order() -> None:
    done = on_ranks(3, "-c", SUMS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[(1e16 + 1.0) - 1e16], [3.0, 3.0, 3.0], 0]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("SIGKILL", r"minidil: rank 1 of 2, process \d+ on \S+, was killed by SIGKILL; all ranks end"),
        ("SIGSTOP", r"minidil: rank 0 of 2: rank 1 did not answer for \d+ seconds; all ranks end"),
        ("raise", r"RuntimeError: struck\nminidil: rank 1 of 2: struck"),
    ],
)
def test_a_rank_that_is_killed_or_hangs_or_fails_ends_all_and_one_process_goes_on(
    tmp_path: Path, what: str, message: str
) -> None:
    done = on_ranks(2, "-c", STRUCK, what, str(tmp_path / "run"))
    assert done.returncode != 0
    assert len(re.findall(message, done.stderr)) == 1, done.stderr
    tiny = tiny_runs.Tiny()
    with md.use("numpy"):
        history = tiny.fit(tmp_path / "run", resume=True)
    assert [row["epoch"] for row in history.rows] == [1, 2, 3]
    assert all(np.isfinite(row["train_loss"]) for row in history.rows)


def test_the_command_trains_prints_once_and_goes_on_without_mpiexec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "--backend numpy --widths 2 4 --dilations 1 2 --labels-per-class 6 --batch-size 8 --batch-norm synchronised"
    run = str(tmp_path / "run")
    done = on_ranks(2, "-m", "minidil", "train", *small.split(), "--epochs", "1", "--out", run)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("numpy, 2 ranks of 1 threads, seed 0") == 1
    assert done.stdout.count("epoch 1/1") == done.stdout.count("test loss") == 1
    assert main(["train", "--resume", run, "--epochs", "2"]) == 0
    assert "epoch 2/2" in capsys.readouterr().out
    refused = on_ranks(2, "-m", "minidil", "train", "--resume", run, "--epochs", "1")
    assert refused.returncode != 0
    assert "minidil: rank 0 of 2: resume: " in refused.stderr
