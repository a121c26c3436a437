"""`minidil exercises mutants`, as far as nothing has to be run."""

import json

import pytest

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.cli import main


def test_the_list_names_every_mutant_and_fits_a_narrow_terminal(capsys, monkeypatch):
    """One line for each."""
    monkeypatch.setenv("COLUMNS", "30")
    assert main(["exercises", "mutants", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [mutant.name for mutant in EXHIBITS] == [line.split()[0] for line in lines[1 : len(EXHIBITS) + 1]]
    assert max(map(len, lines)) <= 30


def test_one_exhibit_is_shown_with_its_lines_and_its_origin(capsys):
    """What the tour says of it."""
    assert main(["exercises", "mutants", "--list", "--only", "col2im-assign"]) == 0
    text = capsys.readouterr().out
    assert "\n- padded[touched(tap, window)] += spread" in text
    assert "\n+ padded[touched(tap, window)] = spread" in text
    assert "deep-learning-from-scratch/issues/27" in text


def test_the_list_is_a_document_too(capsys):
    """On standard output, and the text on standard error."""
    assert main(["exercises", "mutants", "--list", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)["mutants"]
    assert [each["name"] for each in found] == [mutant.name for mutant in EXHIBITS]
    assert found[0].keys() == {"name", "chapter", "met_in", "replaces", "right", "wrong", "says", "origin"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name your file of tests, as in: minidil exercises mutants my_tests.py"),
        (["nowhere.py"], "mutants nowhere.py: there is no such file"),
        (["--list", "--only", "span"], "there is no 'span'; did you mean 'span-kd'?"),
        (["--list", "--only", "im2col-layout", "--backend", "numba"], "im2col-layout is a mistake in a NumPy kernel"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_code_2(capsys, arguments, says):
    """Without a process being started."""
    assert main(["exercises", "mutants", *arguments]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
