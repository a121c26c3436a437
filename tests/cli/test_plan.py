"""`minidil plan`: schedules, verdicts, and requests that cannot be met."""

from __future__ import annotations

import json

import pytest

from minidil.cli import main


def test_a_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--kernel", "3", "--reach", "65"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "layer  kernel  stride  dilation  padding  sees",
        "----------------------------------------------",
        "1           3       1         1        1     3",
        "2           3       1         3        3     9",
        "3           3       1         9        9    27",
        "4           3       1        19       19    65",
        "----------------------------------------------",
        "4 layers of 3 taps can see up to 81 positions without holes and 3 up to 27, so 4 "
        "is the least for 65; this schedule sees 65, with the smallest largest dilation",
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--output-stride", "4", "--channels", "8", "--axes", "2", "--json", "-"]
    assert main(["plan", "--reach", "30", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dilations"] == [1, 1, 1, 2]
    assert found["strides"] == [2, 2, 1, 1]
    assert (found["reach"], found["parameters"]) == (31, 4 * (8 * 8 * 9 + 8))


def test_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--check", "2", "2", "2", "--axes", "2"]) == 1
    assert " ".join(capsys.readouterr().out.split()) == (
        "2, 2, 2: all rates are multiples of 2, so it sees a grid; 71 % of the pixels of its field of 13x13 are not seen; "
        "the nearest schedule without holes is 1, 2, 2"
    )
    assert main(["plan", "--check", "1", "2", "4", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "dilations": [1, 2, 4],
        "good": True,
        "problem": None,
        "nearest": [1, 2, 4],
        "field": [15],
        "seen": 15,
        "holes": [],
    }


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "plan: say how far an output must see, as in --reach 65"),
        (["--reach", "0"], "--reach must be >= 1, got 0"),
        (["--reach", "65", "--kernel", "1"], "layers of 1 tap see 1 position however many there are"),
        (["--reach", "65", "--depth", "2"], "2 layers of 3 taps can see at most 9 positions without holes, not 65"),
        (["--reach", "65", "--axes", "4"], "--axes must be >= 1 and <= 3, got 4"),
        (["--check", "1", "2", "--reach", "9"], "--check judges dilations and plans none: leave out --reach"),
    ],
)
def test_refusals(words: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *words]) == 2
    assert answer in capsys.readouterr().err
