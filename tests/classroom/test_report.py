"""How arrays are shown, what wrong numbers look like, and what counts as different."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minidil.classroom.clues import clue
from minidil.classroom.compare import difference
from minidil.classroom.ranges import ranges
from minidil.classroom.report import Beside, Panel, Say, as_html, as_text
from minidil.classroom.result import Result
from minidil.classroom.show import case_blocks, number, panel, result_blocks

A = np.arange(1.0, 7).reshape(2, 3)


@pytest.mark.parametrize(
    ("expected", "actual", "kind"),
    [
        (A, A.copy(), None),
        (A, A + 1e-12, None),
        (A, A + 1e-6, "value"),
        (A, A.astype(np.float32), "dtype"),
        (A, A.astype(int), "dtype"),
        (A, A.astype(str), "dtype"),
        (A, A.T, "shape"),
        (A, A.tolist(), "type"),
        (A, None, "none"),
        (A, np.where(A == 2, np.nan, A), "nan"),
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0]), None),
        (np.array([]), np.array([]), None),
        (3, 3, None),
        (3, np.int32(3), None),
        (3, np.array(3), None),
        (3, 3.0, "type"),
        (3, True, "type"),
        (3, "3", "type"),
        (3.0, 3, None),
        (0.0, 1e-14, None),
        (0.0, float("nan"), "nan"),
        ((1, 2), [1, 2], None),
        ((1, 2), np.array([1, 2]), None),
        ((1, 2), (2, 1), "value"),
        ((1, 2), (1, 2, 3), "shape"),
        ((1, 2), 3, "type"),
        (True, True, None),
        (True, 1, "type"),
        (True, False, "value"),
        ("same", "same", None),
        ("same", "valid", "value"),
        ("same", 3, "type"),
    ],
)
def test_what_counts_as_different(expected: Any, actual: Any, kind: str | None) -> None:
    found = difference(expected, actual)
    assert (found and found.kind) == kind


class Contrary:
    """Raises, whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError


ODD = [Contrary(), A.astype(complex), A > 2, np.ma.masked_array(A + 1), A.astype(object), (i for i in A)]


@pytest.mark.parametrize("actual", ODD, ids=range(len(ODD)))
def test_odd_results_are_shown_as_well(actual: Any) -> None:
    found = difference(A, actual)
    assert found is not None
    assert found.kind in ("type", "dtype", "value")
    text = as_text(result_blocks(found))
    assert "expected  (2, 3)" in text
    assert Result("ex01_1", False, (), "type", actual=actual).as_dict()


def test_truth_values_are_compared_and_shown() -> None:
    found = difference(A > 2, A > 3)
    assert found is not None
    assert "The only wrong entry is result[0, 2]: expected True, yours False." in as_text(result_blocks(found))


def test_parts_are_compared_one_by_one() -> None:
    assert difference((A, 1.0), (A, 1.0), ("dx", "db")) is None
    found = difference((A, 1.0), (A, 2.0), ("dx", "db"))
    assert found is not None
    assert (found.part, found.kind, found.says) == ("db", "value", "returns, for db, 2.0; expected is 1.0")
    found = difference((A, 1.0), A, ("dx", "db"))
    assert found is not None
    assert found.says.startswith("returns an array of shape (2, 3); asked for are 2 things, dx, db")


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        (A.T, "the transpose"),
        (A.reshape(3, 2), "only the shape is not"),
        (A.T.reshape(6)[::-1], "their arrangement is not"),
        (A[:, :2], "axis 1 has 2 instead of 3"),
        (0 * A, "All of your entries are 0"),
        (-A, "wrong sign"),
        (A / 2, "0.5 times what is expected: a sum against a mean?"),
        (A * 3, "3 times what is expected: a sum against a mean?"),
        (A * 1.5, "1.5 times what is expected."),
        (A + 3, "3 too large"),
        (A[::-1], "mirrored along axis 0"),
        (np.roll(A, 1, axis=1) * [0, 1, 1], "shifted by one along axis 1"),
        (A.ravel()[[1, 0, 2, 5, 4, 3]].reshape(2, 3), "another order"),
        (A + np.array([[0, 0, 0], [1, 2, 5]]), "Only index 1 of axis 0 is wrong"),
        (A + np.array([[0, 4, 0], [1, 2, 5]]), ""),
    ],
)
def test_what_wrong_numbers_look_like(actual: Any, words: str) -> None:
    wrong = ~np.isclose(A, actual) if A.shape == actual.shape else None
    text = clue(A, np.asarray(actual, float), wrong)
    assert words in text
    assert bool(words) == bool(text)


def test_scalars_are_too_large_or_too_small() -> None:
    assert clue(5, 7, None) == "It is 2 too large."
    assert clue(5.0, 4.5, None) == "It is 0.5 too small."
    assert clue(True, 3, None) == ""


def test_large_arrays_are_shown_around_what_is_wrong() -> None:
    big = np.zeros((40, 50))
    wrong = np.zeros(big.shape, bool)
    wrong[30, 20] = True
    shown = panel("x", big, wrong, (30, 20))
    assert (len(shown.rows), len(shown.rows[0])) == (12, 12)
    assert shown.marked == {(6, 6)}
    assert shown.note == "rows 24 to 35; columns 14 to 25"


def test_many_axes_are_shown_slice_by_slice() -> None:
    shown = panel("x", np.arange(12.0).reshape(3, 2, 2))
    assert shown.note == "3 slices of 2 x 2, one below the other"
    assert [row for row in range(6) if shown.begins(row)] == [2, 4]
    wrong = np.zeros((9, 4, 4), bool)
    wrong[7, 1, 2] = True
    shown = panel("x", np.zeros((9, 4, 4)), wrong, (7, 1, 2))
    assert (shown.note, shown.marked) == ("only [7, :, :]", {(1, 2)})
    assert panel("x", np.zeros((0, 3))).rows == [["empty"]]


def test_numbers_are_short_and_exact_where_they_can_be() -> None:
    values = (3.0, -0.5, 1 / 3, 1e9, np.float64("nan"), np.int64(4), True)
    assert [number(value) for value in values] == ["3", "-0.5", "0.3333", "1e+09", "nan", "4", "True"]


def test_a_case_is_plain_arguments_in_a_line_and_arrays_as_tables() -> None:
    text = as_text(case_blocks({"x": A, "k": 3, "mode": "same"}))
    assert text.splitlines() == ["    k = 3, mode = 'same'", "    x  (2, 3)", "    1  2  3", "    4  5  6"]


def test_marked_entries_stand_in_brackets_and_in_frames() -> None:
    found = difference(A, A + np.array([[0, 0, 1], [0, 0, 0]]))
    assert found is not None
    blocks = result_blocks(found)
    assert as_text(blocks).splitlines() == [
        "    expected  (2, 3)     yours  (2, 3)",
        "    1  2 [3]             1  2 [4]",
        "    4  5  6              4  5  6",
        "The only wrong entry is result[0, 2]: expected 3, yours 4.",
    ]
    assert as_html(blocks).count("outline: 2px") == 2


def test_nothing_of_a_students_becomes_html() -> None:
    panels = Beside((Panel("<b>", [["<i>"]], note="<u>"),))
    html = as_html(
        [Say("<script>", "failed"), Say("<script>", "code"), Say("<script>", "cause"), Say("<script>"), panels]
    )
    assert not [tag for tag in ("<script>", "<b><", "<i>", "<u>") if tag in html]


def test_ranges_of_what_was_checked() -> None:
    cases = [
        {"x": np.zeros((1, 5)), "k": 2, "mode": "same", "dilations": (1, 2)},
        {"x": np.zeros((3, 2)), "k": 7, "mode": "causal", "dilations": (4,)},
    ]
    assert ranges(cases) == [
        "x of shapes (1, 2) to (3, 5)",
        "k 2 to 7",
        "mode 'same', 'causal'",
        "dilations with 1 to 2 entries of 1 to 4",
    ]
    assert ranges([]) == []


def test_a_result_becomes_json() -> None:
    case = {"x": np.array([1.0, np.inf]), "n": np.int64(3), "f": len, "big": np.zeros(2000)}
    plain = Result("ex01_1", False, (Say("no", "failed"),), "value", case=case, expected=(1, 2.5)).as_dict()
    assert plain["case"] == {
        "x": [1.0, "inf"],
        "n": 3,
        "f": "<builtin_function_or_method>",
        "big": "array (2000,) float64",
    }
    assert plain["expected"] == [1, 2.5]
    assert plain["message"] == "not yet: no"
