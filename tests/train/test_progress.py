"""What a run prints while a person waits."""

import time

import pytest
from tiny_runs import Tiny

import minidil as md
from minidil.train import progress

pytestmark = pytest.mark.usefixtures("quick_pictures")


def test_progress_is_one_plain_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    Tiny(epochs=2).fit(progress=True)
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("epoch 1/2  train loss ")
    assert first.endswith("best so far")
    assert second.startswith("epoch 2/2")
    assert err == ""


def test_a_bar_is_shown_on_a_terminal_and_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    Tiny(epochs=1).fit(progress=True)
    err = capsys.readouterr().err
    assert "epoch 1/1" in err
    assert err.rpartition("\r")[0].rpartition("\r")[2].strip() == ""


@pytest.mark.parametrize(
    ("backend", "first", "said"), [("numba", True, True), ("numba", False, False), ("numpy", True, False)]
)
def test_a_long_first_step_is_explained_where_kernels_are_compiled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, backend: str, first: bool, said: bool
) -> None:
    monkeypatch.setattr(progress, "_SILENCE_SECONDS", 0.01)
    with md.use(backend), progress.waiting_explained("the kernels", first):
        time.sleep(0.2)
    assert ("compiling the kernels for this machine" in capsys.readouterr().out) == said


def test_a_short_first_step_is_not_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with md.use("numba"), progress.waiting_explained("the kernels"):
        pass
    assert capsys.readouterr().out == ""
