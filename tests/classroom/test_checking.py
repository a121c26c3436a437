"""What a student reads: every kind of failure in words that say where to look, and never a traceback of ours."""

from __future__ import annotations

import html
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minidil as md
from minidil.classroom import progress
from minidil.classroom.chapters.ch03 import im2col
from minidil.classroom.property import size
from minidil.classroom.register import exercise
from minidil.errors import BackendError, CheckFailed, MinidilError, OptionError


def right(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return im2col(x, kernel_size, stride, dilation).copy()


def nothing(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    right(x, kernel_size, stride, dilation)


def printing(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    print("columns:", right(x, kernel_size, stride, dilation))


def listed(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return right(x, kernel_size, stride, dilation).tolist()


def whole(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return right(x, kernel_size, stride, dilation).astype(int)


def flat(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return right(x, kernel_size, stride, dilation).ravel()


def doubling(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    y = right(x, kernel_size, stride, dilation)
    x *= 2
    return y


def undefined(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    with np.errstate(all="warn"):
        return right(x, kernel_size, stride, dilation) * (np.zeros(1) / np.zeros(1))


def broken(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    rows = [1, 2, 3]
    return rows[3 + kernel_size]


def leaving(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    sys.exit(3)


def endless(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    while kernel_size > 0:
        pass


def as_given(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    raise NotImplementedError


def short(x: Any, kernel: Any) -> Any:
    return x


def counting(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    CALLS.append(1)
    return right(x, kernel_size, stride, dilation) + len(CALLS)


def negative(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return -right(x, kernel_size, stride, dilation)


def reading_beyond(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
    return np.zeros((2, 2)) + np.zeros(3)


CALLS: list[int] = []
SAYS: list[tuple[Callable[..., Any], str, list[str]]] = [
    (nothing, "none", ["my_im2col returns nothing (None): is `return` missing"]),
    (printing, "none", ["prints something but returns nothing", "write return where it says print", "columns: [[1.]]"]),
    (listed, "type", ["returns a list; asked for is an array of shape (1, 1)", "np.array(...)"]),
    (whole, "dtype", ["returns an array of int64; expected is float64", "dtype=x.dtype"]),
    (flat, "shape", ["returns an array of shape (1,); expected is (1, 1)", "only the shape is not (reshape)"]),
    (doubling, "in place", ["The result is right, but my_im2col changes its argument x in place", "x.copy()"]),
    (undefined, "nan", ["returns nan where numbers are expected", "0/0", "NumPy warned: invalid value encountered"]),
    (broken, "exception", ["rows[3 + kernel_size]", "IndexError: list index out of range", "beyond the end"]),
    (leaving, "exception", ["sys.exit(3)", "SystemExit: 3", "use return"]),
    (reading_beyond, "exception", ["Two arrays do not fit together"]),
    (
        endless,
        "timeout",
        ["did not come to an end and was stopped here", "while kernel_size > 0:", "loop without an end"],
    ),
    (
        as_given,
        "open",
        ["my_im2col is still to be written: put your own lines in place of raise NotImplementedError()"],
    ),
    (short, "call", ["takes 2 parameters, (x, kernel), but is called with 4", "def my_im2col(x, kernel_size, stride"]),
    (counting, "value", ["Called once more with the same arguments it gives something else"]),
    (negative, "value", ["In every case that fails: every entry has the wrong sign"]),
]


@pytest.mark.parametrize(("function", "kind", "words"), SAYS, ids=[each[0].__name__ for each in SAYS])
def test_each_failure_has_its_words(function: Callable[..., Any], kind: str, words: list[str]) -> None:
    started = time.monotonic()
    result = md.check("ex03_2", function, seconds=0.5)
    assert time.monotonic() - started < 20  # on a machine that is busy with other things
    assert result.kind == kind, result.message
    assert not result
    assert [word for word in words if word not in result.message] == [], result.message
    assert result.mistake is None
    for text in (result.message, result._repr_html_()):
        assert "Traceback" not in text
        assert "classroom" not in text.replace("tests/classroom", "")
        assert "hint=1" in text
    json.dumps(result.as_dict())
    with pytest.raises(CheckFailed, match="ex03_2: not yet"):
        result.must_pass()


@pytest.mark.parametrize("given", [None, 3, np.zeros(2), "my_im2col"])
def test_what_is_no_function_is_said(given: Any) -> None:
    result = md.check("ex03_2", given)
    assert (result.passed, result.kind) == (False, "call")
    assert 'Write minidil.check("ex03_2", my_im2col)' in result.message
    assert ("Was it called?" in result.message) == (given != "my_im2col" if isinstance(given, str) else True)


def test_what_passes_says_what_was_checked(capsys: pytest.CaptureFixture[str]) -> None:
    result = md.check("ex03_2", right, seconds=10)
    assert result
    assert (result.kind, result.tried, result.case) == ("passed", 100, None)
    assert "does what is asked in 100 cases" in result.message
    assert "kernel_size 1 to 3; stride 1 to 3; dilation 1 to 3" in result.message
    assert "x of shapes (1, 1, 1) to (3, 10, 10)" in result.message
    result.must_pass()
    assert capsys.readouterr().out == ""


def test_names_of_parameters_and_their_order_are_the_students_own() -> None:
    def renamed(image: Any, k: Any, s: Any, d: Any) -> Any:
        return right(image, k, s, d)

    def turned(dilation: Any, x: Any, stride: Any, kernel_size: Any) -> Any:
        return right(x, kernel_size, stride, dilation)

    for function in (renamed, turned, lambda *values: md.tensor(right(*values))):
        assert md.check("ex03_2", function, seconds=0.1)


def test_the_smallest_failure_is_shown_side_by_side() -> None:
    def wrong(x: Any, kernel_size: Any, stride: Any, dilation: Any) -> Any:
        return (
            im2col(x, kernel_size, stride, dilation)
            if dilation < 2 or kernel_size < 2
            else 0 * right(x, kernel_size, stride, dilation)
        )

    result = md.check("ex03_2", wrong, seconds=10)  # all the time it takes to make it small
    assert result.case is not None
    assert {name: value for name, value in result.case.items() if name != "x"} == {
        "kernel_size": 2,
        "stride": 1,
        "dilation": 2,
    }
    assert np.array_equal(result.case["x"], np.arange(1.0, 10).reshape(1, 3, 3))
    assert np.array_equal(result.expected, [[1], [3], [7], [9]])
    assert np.array_equal(result.actual, np.zeros((4, 1)))
    lines = result.message.splitlines()
    assert "    expected  (4, 1)     yours  (4, 1)" in lines
    assert "   [9]                  [0]" in lines
    assert "4 of 4 entries are wrong; the worst is result[3, 0]: expected 9, yours 0." in lines
    assert result._repr_html_().count("outline: 2px") == 8


def test_parts_of_a_result_are_named() -> None:
    def wrong(x: Any, weight: Any, upstream: Any) -> Any:
        return upstream @ weight, 3 * upstream.T @ x, upstream.sum(axis=0)

    message = md.check("ex04_2", wrong).message
    assert "expected dw  (1, 1)     yours dw  (1, 1)" in message
    assert "The only wrong entry is dw[0, 0]: expected 1, yours 3." in message
    assert "In every case that fails: every entry is 3 times what is expected" in message
    assert (
        "returns an array of shape (1, 1); asked for are 3 things, dx, dw, db"
        in md.check("ex04_2", lambda x, w, u: u @ w).message
    )
    assert "returns 2 things" in md.check("ex04_2", lambda x, w, u: (u @ w, u)).message


def test_parts_in_another_order_than_asked_for_are_recognised() -> None:
    def turned(x: Any, weight: Any, upstream: Any) -> Any:
        return upstream.sum(axis=0), upstream @ weight, upstream.T @ x

    result = md.check("ex04_2", turned)
    assert result.mistake == "the right things in another order"
    assert "You return db, dx, dw where dx, dw, db are asked for." in result.message


def test_a_mistake_that_does_not_explain_all_cases_is_not_named() -> None:
    def sometimes(kernel_size: int, dilation: int) -> int:
        return kernel_size * dilation if kernel_size < 4 else dilation * (kernel_size - 1) + 1

    assert md.check("ex02_1", sometimes).mistake is None
    assert md.check("ex02_1", lambda k, d: k * d).mistake == "span k*d"


def test_the_same_seed_gives_the_same_message() -> None:
    def wrong(x: Any, w: Any) -> Any:
        return np.convolve(x, w, "valid") + (len(x) > 5)

    first, second, other = (md.check("ex01_2", wrong, seed=seed, seconds=10) for seed in (7, 7, 8))
    assert first.message == second.message
    assert first.tried == second.tried
    assert not other


def test_hints_are_asked_for_one_by_one() -> None:
    texts = [md.check("ex02_1", hint=number).message for number in (1, 2, 3)]
    assert len(set(texts)) == 3
    assert all(f"hint {number} of 3" in text for number, text in enumerate(texts, start=1))
    result = md.check("ex02_1", lambda k, d: -k, hint=2)
    assert "Hint 2 of 3" in result.message
    assert "hint=1" not in result.message
    assert "Hint" not in md.check("ex02_1", lambda k, d: d * (k - 1) + 1, hint=2).message


def test_a_call_that_makes_no_sense_is_answered() -> None:
    def my_im2col(x: Any) -> Any:
        return x

    anything: Any = my_im2col
    for result, words in (
        (md.check("ex03_2"), 'without brackets: minidil.check("ex03_2", my_im2col)'),
        (md.check("ex03_9", right), "chapter 03 has ex03_1, ex03_2"),
        (md.check("im2col", right), "there are ex01_1, ex01_2"),
        (md.check("ex03_2", hint=4), "three hints: hint=1, hint=2 and hint=3, not hint=4"),
        (md.check(anything), 'The name of the exercise comes first: minidil.check("ex03_2", my_im2col)'),
        (md.check(anything, "ex03_2"), 'The name of the exercise comes first: minidil.check("ex03_2", my_im2col)'),
        (md.check(right), 'The name of the exercise comes first: minidil.check("ex03_2", right)'),
        (md.check([3], right), "there is no exercise [3]"),
    ):
        assert (result.passed, result.kind) == (False, "call")
        assert words in result.message
        assert words in html.unescape(result._repr_html_())


def test_an_unknown_exercise_is_an_error_for_programs() -> None:
    with pytest.raises(OptionError, match="there is no exercise 'ex03_9'; chapter 03 has ex03_1"):
        exercise("ex03_9")


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(BackendError, match=r"pip install 'minidil\[classroom\]'"):
        md.check("ex03_2", right)


def test_an_interrupt_of_the_students_gets_through() -> None:
    def stopped(x: Any, w: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        md.check("ex01_2", stopped)


def test_small_is_few_entries_then_few_digits_then_small_numbers() -> None:
    two = [1.0, 2.0]
    cases = [{"x": two, "k": 9}, {"x": [1.0, 1.0, 1.0], "k": 1}, {"x": two, "k": 1}, {"x": [0.5, 0.5], "k": 1}]
    assert sorted(range(4), key=lambda number: size(cases[number])) == [2, 0, 3, 1]


def test_progress_is_noted_where_it_is_kept_and_nowhere_else(tmp_path: Path) -> None:
    md.check("ex02_1", lambda k, d: k * d)
    assert list(tmp_path.iterdir()) == []
    progress.begin(tmp_path)
    md.check("ex02_1", lambda k, d: k * d)
    md.check("ex02_1", lambda k, d: d * (k - 1) + 1)
    md.check("ex02_1", lambda k, d: k * d)
    assert progress.read(tmp_path) == {"ex02_1": {"tries": 3, "passed": True}}
    progress.begin(tmp_path)
    assert progress.read(tmp_path)["ex02_1"]["tries"] == 3
    (tmp_path / progress.FILE).write_text("[1")
    assert progress.read(tmp_path) == {}
    assert not md.check("ex02_1", lambda k, d: k * d)


@pytest.mark.slow
def test_a_check_draws_the_same_cases_in_any_program_and_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import sys, minidil, hashlib\n"
        "seen = []\n"
        "def f(kernel_size, dilation):\n    seen.append((kernel_size, dilation))\n    return dilation * (kernel_size - 1) + 1\n"
        "minidil.check('ex02_1', f, seconds=30)\n"
        "print(hashlib.sha256(repr(seen).encode()).hexdigest(), len(seen))\n"
    )
    outputs = {
        subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
        for words in (["script.py"], ["-c", "N = [5, 7, 3141592653589796]\nimport script"])
    }
    assert len(outputs) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["script.py"]


@pytest.mark.slow
def test_importing_minidil_imports_none_of_it() -> None:
    code = (
        "import sys, minidil\n"
        "print([name for name in sys.modules if name.startswith(('hypothesis', 'nbformat', 'nbclient', 'minidil.classroom'))])\n"
        "print(callable(minidil.check), 'hypothesis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue False\n"


def test_a_failed_check_is_an_error_of_minidils() -> None:
    assert issubclass(CheckFailed, MinidilError)
    assert issubclass(CheckFailed, AssertionError)
