"""Which ranks there are, and what becomes of a rank's child; the rest needs an mpiexec, in test_mpi.py."""

import os
import signal
import subprocess
import sys

import pytest

from minidil import parallel
from minidil.errors import OptionError
from minidil.parallel import keeper

NAMES = [name for pair in keeper._RANK_AND_SIZE for name in pair]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("names", keeper._RANK_AND_SIZE)
def test_mpiexec_tells_its_processes_who_they_are(names: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert keeper.launched() == (0, 1)
    for name, value in zip(names, ("2", "4"), strict=True):
        monkeypatch.setenv(name, value)
    assert keeper.launched() == (2, 4)


def test_one_process_is_no_team(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parallel.join() is None
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("PMI_SIZE", "1")
    with parallel.joined() as team:
        assert team is None


def test_without_mpi4py_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_keep", lambda rank, size: None)
    monkeypatch.setenv("PMI_RANK", "1")
    monkeypatch.setenv("PMI_SIZE", "3")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.delitem(sys.modules, "minidil.parallel.mpi", raising=False)
    with pytest.raises(OptionError, match=r"^mpiexec has started 3 ranks, .*; pip install 'minidil\[mpi\]', and mpich"):
        parallel.join()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        ("os._exit(2)", 2, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL, "minidil: rank 1 of 3, process "),
        ("os.kill(os.getppid(), signal.SIGTERM), os._exit(130)", 130, ""),
    ],
)
def test_the_keeper_ends_as_its_child_and_names_what_killed_it(end: str, code: int, words: str) -> None:
    script = f"import os, signal\nfrom minidil.parallel import keeper\nkeeper._keep(1, 3)\n{end}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stderr.startswith(words)
    assert bool(done.stderr) == bool(words)
    assert "was killed by SIGKILL" in done.stderr or not words
