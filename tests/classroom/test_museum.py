"""Every exhibit of the bug museum is one line away from the library, changes a number, and says where it comes from."""

import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from museum_numbers import NUMBERS

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant, changed_lines, plant, planted
from minidil.classroom.museum.tour import tour
from minidil.classroom.museum.visit import chosen
from minidil.errors import OptionError
from minidil.kernels.backend import active, use
from minidil.kernels.geometry import Window
from minidil.ops.common import sum_to

CHAPTERS = Path(__file__).parents[2] / "chapters"
MUSEUM = CHAPTERS / "exercises" / "museum"
SOURCE = (
    r"github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+|github\.com/[\w.-]+/[\w.-]+, [\w/.]+\.py|arXiv:\d{4}\.\d{5}"
    r"|The article that this library grew from, section"
)
WORDS = {
    "causal-halved",
    "relu-hides-nan",
    "ignored-counted",
    "adamw-is-l2",
    "constant-moments",
}  # which say it in words
BY_NAME = {mutant.name: mutant for mutant in EXHIBITS}


def test_there_is_a_number_for_every_exhibit():
    """And no exhibit has the name of another."""
    assert len(BY_NAME) == len(EXHIBITS) >= 25
    assert BY_NAME.keys() == NUMBERS.keys()


@pytest.mark.parametrize("name", BY_NAME)
@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def test_an_exhibit_changes_its_number_and_leaves_the_library_as_it_was(name):
    """Right before, wrong while it is planted, right after."""
    number, right, wrong = NUMBERS[name]
    with use("numpy"):
        assert number() == right
        with planted(BY_NAME[name]):
            assert number() == wrong
        assert number() == right


@pytest.mark.parametrize("name", BY_NAME)
def test_an_exhibit_says_in_a_few_sentences_what_goes_wrong_and_where_it_comes_from(name):
    """With a number, and with a source that can be looked up."""
    mutant = BY_NAME[name]
    assert re.fullmatch(r"[a-z0-9-]{4,18}", name), "longer names leave no room in 30 columns"
    assert 2 <= len(re.findall(r"[.?!](?: |$)", mutant.says)) <= 4
    assert re.search(SOURCE, mutant.origin)
    assert mutant.chapter in {path.name[:2] for path in CHAPTERS.glob("[01]*.ipynb")}


@pytest.mark.parametrize("name", BY_NAME)
def test_an_exhibit_is_met_in_something_public(name):
    """It is there, under that name."""
    found, *rest = BY_NAME[name].met_in.split(".")
    found = import_module(found)
    for part in rest:
        assert not part.startswith("_") or part == "__getitem__"
        found = getattr(found, part)
    assert callable(found)


def test_the_numbers_in_what_an_exhibit_says_are_those_that_it_shows():
    """Wherever the result is a plain number, the text gives the right one and the wrong one."""
    for name, (_, right, wrong) in NUMBERS.items():
        for number in (right, wrong):
            if isinstance(number, int | float) and not isinstance(number, bool) and name not in WORDS:
                text = BY_NAME[name].says.replace(",", "")
                assert re.search(rf"(?<![\d.]){re.escape(f'{number:g}')}(?![\d])", text), (name, number)


def test_the_mistake_reaches_those_who_imported_the_function_by_its_name():
    """`from x import y` keeps the function itself, which is the one that is changed."""
    kept, x = sum_to, np.ones((4, 1))
    with use("numpy"), planted(BY_NAME["broadcast-mean"]):
        assert kept(active(), x, (1,)) == [1]
    with use("numpy"):
        assert kept(active(), x, (1,)) == [4]


def test_a_mutant_reads_like_the_function_with_one_place_changed():
    """The source of a mutant, and the lines that differ."""
    mutant = BY_NAME["span-kd"]
    assert mutant.source() == textwrap.dedent(inspect.getsource(Window.span.func)).replace("d * (k - 1) + 1", "d * k")
    right, wrong = changed_lines(mutant)
    assert right == ["return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))"]
    assert wrong == ["return tuple(d * k for d, k in zip(self.dilation, self.kernel, strict=True))"]


def test_statements_are_exchanged_with_their_indentation():
    """However the exhibit itself is indented."""
    source = BY_NAME["mean-of-means"].source()
    assert '    """Count one batch.' in source
    assert "\n    self.loss += loss\n    self.count += 1\n    for name, metric" in source


@pytest.mark.parametrize(
    ("replaces", "right", "says"),
    [
        ("minidil.kernels.geometry.Window.reach", "d * (k - 1) + 1", "no longer there"),
        ("minidil.kernels.geometri.span", "d * (k - 1) + 1", "no longer there"),
        ("minidil.kernels.geometry.Window", "d * (k - 1) + 1", "no function"),
        ("minidil.kernels.geometry.Window.span", "d * k", "stands there 0 times: d * k"),
        ("minidil.kernels.geometry.Window.span", "self", "stands there 2 times: self"),
    ],
)
def test_a_function_or_a_line_that_is_gone_is_missed(replaces, right, says):
    """A renamed function, a rewritten line, and one that stands there twice."""
    with pytest.raises(OptionError, match=re.escape(says)):
        plant(Mutant("name", "02", "", replaces, right, "1", "", ""))


def test_the_tour_shows_the_exhibits_as_they_are():
    """README.md is written by make.py: run it after a change."""
    assert (MUSEUM / "README.md").read_text(encoding="utf-8") == tour()


def test_the_readme_says_how_many_exhibits_there_are():
    """The number is written out there."""
    assert f"it puts {len(EXHIBITS)} real mistakes" in (CHAPTERS.parent / "README.md").read_text(encoding="utf-8")


def test_the_tour_shows_no_test():
    """The reference tests are not in it, nor in what a student begins with."""
    shown = (MUSEUM / "README.md").read_text() + (MUSEUM / "my_tests.py").read_text()
    reference = Path(__file__).with_name("museum_reference.py").read_text()
    assert "assert_" not in shown
    assert not [line for line in reference.splitlines() if "assert" in line and line.strip() in shown]


def test_which_mutants_there_are_to_choose_from():
    """By name, in the order of the museum; and on Numba those that are not in NumPy's kernels."""
    assert chosen([]) == list(EXHIBITS)
    assert [mutant.name for mutant in chosen(["reused-node", "span-kd"])] == ["span-kd", "reused-node"]
    assert not any(mutant.replaces.startswith("minidil.kernels.reference") for mutant in chosen([], "numba"))
    with pytest.raises(OptionError, match="there is no 'span'"):
        chosen(["span"])
    with pytest.raises(OptionError, match="relu-hides-nan is a mistake in a NumPy kernel"):
        chosen(["relu-hides-nan"], "numba")
