"""Choosing an implementation by name: for a block, for the rest of the context, for a thread."""

import ast
import contextvars
import inspect
from contextvars import ContextVar
from pathlib import Path

import pytest

import minidil as md
from minidil.errors import OptionError
from minidil.kernels.algorithm import chosen
from minidil.kernels.choice import Choice


class colour(Choice):
    """Red or blue."""

    names = ("red", "blue")
    variable = ContextVar("colour", default="red")


def test_a_block_chooses_and_puts_the_old_choice_back():
    assert colour.chosen() == "red"
    with colour("blue") as one:
        assert isinstance(one, colour)
        with pytest.raises(ZeroDivisionError), colour("red"):
            _ = 1 / 0
        assert colour.chosen() == "blue"
    assert colour.chosen() == "red"


def test_a_statement_chooses_for_the_rest_of_the_context():
    def rest():
        colour("blue")
        return colour.chosen()

    assert contextvars.copy_context().run(rest) == "blue"
    assert colour.chosen() == "red"


def test_a_name_that_is_none_of_them_is_refused_and_nothing_changes():
    with colour("blue"):
        with pytest.raises(OptionError, match=r"^colour: 'green' is none of 'red', 'blue'$"):
            colour("green")
        assert colour.chosen() == "blue"
    with pytest.raises(OptionError, match=r"^conv_algorithm: 'fft' is none of 'auto', 'im2col', 'direct', 'winograd'$"):
        md.conv_algorithm("fft")


def test_choices_do_not_meet():
    with md.conv_algorithm("im2col"), md.use("numpy"), colour("blue"):
        assert (chosen(), md.backend(), colour.chosen()) == ("im2col", "numpy", "blue")
    assert (chosen(), md.backend(), colour.chosen()) == ("auto", "numba", "red")


def test_what_is_chosen_by_name_is_a_choice():
    assert issubclass(md.use, Choice)
    assert issubclass(md.conv_algorithm, Choice)
    kernels = Path(inspect.getfile(Choice)).parent
    leaving = {
        path.relative_to(kernels).as_posix()
        for path in [*kernels.glob("*.py"), *kernels.glob("cpu/*.py"), *kernels.glob("cuda/*.py")]
        if "__exit__" in {node.name for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "name")}
    }
    assert leaving == {"choice.py"}
