"""Narrow terminals: no line is longer than the terminal, and what matters most stays."""

from pathlib import Path

import pytest
from command_line import TINY

from minidil.cli import main
from minidil.cli.table import fill, room, table

ROWS = [("name", "number", "words"), ("a", "1", "one two"), ("longer", "234", "three")]


def test_a_table_gives_up_columns_and_then_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "23")
    assert table(ROWS, "<><", (2, 1)) == ["name    number  words", "a            1  one two", "longer     234  three"]
    monkeypatch.setenv("COLUMNS", "22")
    assert table(ROWS, "<><", (2, 1)) == ["name    number", "a            1", "longer     234"]
    monkeypatch.setenv("COLUMNS", "5")
    assert table(ROWS, "<><", (2, 1)) == ["name", "a", "long…"]


def test_a_line_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    assert fill("test loss 0.1, accuracy 9 in /a/long-path/indeed") == (
        "test loss\n  0.1,\n  accuracy 9\n  in\n  /a/long-path/indeed"
    )
    assert fill("short enough") == "short enough"


def test_a_file_has_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert room() == 10_000


@pytest.mark.parametrize("columns", [30, 60])
def test_commands_fit_the_terminal(
    columns: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("MINIDIL_DATA", "/data")
    for words in (["train", *TINY, "--dry-run"], ["eval", "resnet_small", "--backend", "numpy"], ["data", "list"]):
        assert main(words) == 0
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= columns
        assert any(line.split()[0] in ("features.0", "9", "cifar100") for line in lines)
