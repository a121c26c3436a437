"""Narrow terminals: no line is longer than the terminal, and what matters most stays."""

from pathlib import Path

import pytest
from command_line import TINY

from minidil.bench import Machine
from minidil.cli import doctor, main
from minidil.cli.table import table
from minidil.doctor import Agreement, system

MACHINE = Machine("processor", 2, 2, "Linux", {"numpy": "2.4", "numba": "0.68"}, "openblas", peak=100.0, bandwidth=10.0)
ROWS = [("name", "number", "words"), ("a", "1", "one two"), ("longer", "234", "three")]


def test_a_table_gives_up_columns_and_then_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "23")
    assert table(ROWS, "<><", (2, 1)) == ["name    number  words", "a            1  one two", "longer     234  three"]
    monkeypatch.setenv("COLUMNS", "22")
    assert table(ROWS, "<><", (2, 1)) == ["name    number", "a            1", "longer     234"]
    monkeypatch.setenv("COLUMNS", "5")
    assert table(ROWS, "<><", (2, 1)) == ["name", "a", "long…"]


@pytest.mark.slow
@pytest.mark.usefixtures("quick_pictures")
@pytest.mark.parametrize("columns", [30, 60])
def test_commands_fit_the_terminal(
    columns: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("MINIDIL_DATA", "/data")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(system, "describe", lambda: MACHINE)  # measuring a busy machine takes long
    for words, first in (
        (["train", *TINY, "--dry-run"], "features.0"),
        (["train", *TINY, "--epochs", "1", "--out", "run"], "epoch"),
        (["train", "--resume", "run"], "all"),
        (["eval", "resnet_small", "--backend", "numpy"], "9"),
        (["inspect", "run"], "best.npz"),
        (["data", "list"], "cifar100"),
        (["data", "get", "digits"], "digits:"),
        (["doctor"], "processor"),
    ):
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert all(len(line) <= columns or " " not in line.strip() for line in lines), words
        assert any(line.split()[0] == first for line in lines if line), words


def test_what_doctor_says_of_an_op_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Agreement("add", "7x1x31, 65x1", 1.2e-7, 2e-7, True),
        Agreement("binary_cross_entropy_with_logits", "33x5", 1.2e-7, 2e-7, True),
        Agreement("add", "5x33", None, None, False, "RuntimeError: the driver has gone"),
    ]
    monkeypatch.setenv("COLUMNS", "30")
    assert [doctor._agreement(row).splitlines() for row in rows] == [
        ["add  7x1x31, 65x1  1.2e-07", "  2.0e-07  yes  ok"],
        ["binary_cross_entropy_with_logi", "  ts 33x5  1.2e-07  2.0e-07", "  yes  ok"],
        ["add  5x33  FAILED:", "  RuntimeError: the driver has", "  gone"],
    ]
    monkeypatch.delenv("COLUMNS")
    assert [len(doctor._agreement(row).splitlines()) for row in rows] == [1, 1, 1]
    assert doctor._agreement(rows[0]).startswith("add                              7x1x31, 65x1   ")
