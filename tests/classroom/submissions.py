"""A class of sixty with chapter 3's exercises: twenty are right, twenty wrong in known ways, twenty do what no student should.

`everyone` says what each hands in and what it must get. The right ones are some ways to write each function, combined so that no
two submissions have more than one longer function in common.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

POINTS = {"ex03_1": 2, "ex03_2": 4, "ex03_3": 4, "ex03_4": 3}
FUNCTIONS = {"ex03_1": "my_columns_shape", "ex03_2": "my_im2col", "ex03_3": "my_col2im", "ex03_4": "my_fast_conv"}

IMPORTS = "import numpy as np\nimport minidil"

_SHAPES = [
    """
    def my_columns_shape(shape, kernel_size, stride, padding, dilation):
        c, h, w = shape
        span = dilation * (kernel_size - 1) + 1
        rows = (h + 2 * padding - span) // stride + 1
        cols = (w + 2 * padding - span) // stride + 1
        return c * kernel_size * kernel_size, rows * cols
    """,
    """
    def my_columns_shape(shape, kernel_size, stride, padding, dilation):
        def out(n):
            return (n + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
        return shape[0] * kernel_size ** 2, out(shape[1]) * out(shape[2])
    """,
    """
    def my_columns_shape(shape, kernel_size, stride, padding, dilation):
        outputs = 1
        for size in shape[1:]:
            last = size + 2 * padding - dilation * (kernel_size - 1)
            outputs *= len(range(0, last, stride))
        return shape[0] * kernel_size * kernel_size, outputs
    """,
]

_IM2COLS = [
    """
    def my_im2col(x, kernel_size, stride, dilation):
        c, h, w = x.shape
        span = dilation * (kernel_size - 1) + 1
        oh, ow = (h - span) // stride + 1, (w - span) // stride + 1
        cols = np.empty((c * kernel_size * kernel_size, oh * ow), x.dtype)
        row = 0
        for channel in range(c):
            for u in range(kernel_size):
                for v in range(kernel_size):
                    column = 0
                    for i in range(oh):
                        for j in range(ow):
                            cols[row, column] = x[channel, i * stride + u * dilation, j * stride + v * dilation]
                            column += 1
                    row += 1
        return cols
    """,
    """
    def my_im2col(x, kernel_size, stride, dilation):
        span = dilation * (kernel_size - 1) + 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (span, span), axis=(1, 2))
        windows = windows[:, ::stride, ::stride, ::dilation, ::dilation]
        return windows.transpose(0, 3, 4, 1, 2).reshape(x.shape[0] * kernel_size ** 2, -1)
    """,
    """
    def my_im2col(x, kernel_size, stride, dilation):
        taps = []
        span = (kernel_size - 1) * dilation
        for image in x:
            for u in range(0, span + 1, dilation):
                for v in range(0, span + 1, dilation):
                    part = image[u : image.shape[0] - span + u : stride, v : image.shape[1] - span + v : stride]
                    taps.append(part.ravel())
        return np.stack(taps)
    """,
    """
    def my_im2col(x, kernel_size, stride, dilation):
        height, width = x.shape[1:]
        i = np.arange(0, height - dilation * (kernel_size - 1), stride)
        j = np.arange(0, width - dilation * (kernel_size - 1), stride)
        k = np.arange(kernel_size) * dilation
        rows = k[:, None, None, None] + i[None, None, :, None]
        columns = k[None, :, None, None] + j[None, None, None, :]
        return x[:, rows, columns].reshape(-1, len(i) * len(j))
    """,
    """
    def my_im2col(x, kernel_size, stride, dilation):
        last_i = x.shape[1] - dilation * (kernel_size - 1)
        last_j = x.shape[2] - dilation * (kernel_size - 1)
        columns = []
        for top in range(0, last_i, stride):
            for left in range(0, last_j, stride):
                seen = x[:, top:, left:][:, ::dilation, ::dilation][:, :kernel_size, :kernel_size]
                columns.append(seen.flatten())
        return np.array(columns).T
    """,
]

_COL2IMS = [
    """
    def my_col2im(cols, shape, kernel_size, stride, dilation):
        c, h, w = shape
        span = dilation * (kernel_size - 1) + 1
        oh, ow = (h - span) // stride + 1, (w - span) // stride + 1
        image = np.zeros(shape, cols.dtype)
        parts = cols.reshape(c, kernel_size, kernel_size, oh, ow)
        for u in range(kernel_size):
            for v in range(kernel_size):
                top, left = u * dilation, v * dilation
                low, right = top + stride * (oh - 1) + 1, left + stride * (ow - 1) + 1
                image[:, top:low:stride, left:right:stride] += parts[:, u, v]
        return image
    """,
    """
    def my_col2im(cols, shape, kernel_size, stride, dilation):
        out = np.zeros(shape)
        places = np.arange(out.size).reshape(shape)
        span = dilation * (kernel_size - 1) + 1
        views = np.lib.stride_tricks.sliding_window_view(places, (span, span), axis=(1, 2))
        where = views[:, ::stride, ::stride, ::dilation, ::dilation].transpose(0, 3, 4, 1, 2)
        np.add.at(out.reshape(-1), where.ravel(), cols.ravel())
        return out
    """,
    """
    def my_col2im(cols, shape, kernel_size, stride, dilation):
        grad = np.zeros(shape)
        r = 0
        for channel in range(shape[0]):
            for u in range(kernel_size):
                for v in range(kernel_size):
                    o = 0
                    for y in range(u * dilation, shape[1] - dilation * (kernel_size - 1 - u), stride):
                        for z in range(v * dilation, shape[2] - dilation * (kernel_size - 1 - v), stride):
                            grad[channel, y, z] += cols[r, o]
                            o += 1
                    r += 1
        return grad
    """,
    """
    def my_col2im(cols, shape, kernel_size, stride, dilation):
        total = int(np.prod(shape))
        index = []
        reach = dilation * (kernel_size - 1)
        for channel in range(shape[0]):
            for u in range(kernel_size):
                for v in range(kernel_size):
                    i = np.arange(0, shape[1] - reach, stride) + u * dilation
                    j = np.arange(0, shape[2] - reach, stride) + v * dilation
                    index.append(((channel * shape[1] + i[:, None]) * shape[2] + j[None, :]).ravel())
        return np.bincount(np.concatenate(index), cols.ravel(), minlength=total).reshape(shape)
    """,
    """
    def my_col2im(cols, shape, kernel_size, stride, dilation):
        image = np.zeros(shape)
        corners = []
        for i in range(0, shape[1] - dilation * (kernel_size - 1), stride):
            for j in range(0, shape[2] - dilation * (kernel_size - 1), stride):
                corners.append((i, j))
        for column, (i, j) in zip(cols.T, corners):
            target = image[:, i:, j:][:, ::dilation, ::dilation][:, :kernel_size, :kernel_size]
            target += column.reshape(target.shape)
        return image
    """,
]

_FAST_CONVS = [
    """
    def my_fast_conv(x, weight, dilation):
        f, c, k, _ = weight.shape
        height, width = x.shape[1] - dilation * (k - 1), x.shape[2] - dilation * (k - 1)
        taps = [(u * dilation, v * dilation) for u in range(k) for v in range(k)]
        cols = np.stack([x[:, i : i + height, j : j + width] for i, j in taps], axis=1).reshape(c * k * k, -1)
        return (weight.reshape(f, -1) @ cols).reshape(f, height, width)
    """,
    """
    def my_fast_conv(x, weight, dilation):
        k = weight.shape[-1]
        high, wide = (n - dilation * (k - 1) for n in x.shape[1:])
        y = 0
        for u in range(k):
            for v in range(k):
                a, b = u * dilation, v * dilation
                y = y + np.tensordot(weight[:, :, u, v], x[:, a : a + high, b : b + wide], 1)
        return y
    """,
    """
    def my_fast_conv(x, weight, dilation):
        span = dilation * (weight.shape[3] - 1) + 1
        seen = np.lib.stride_tricks.sliding_window_view(x, (span, span), axis=(1, 2))[..., ::dilation, ::dilation]
        return np.tensordot(weight, seen, axes=([1, 2, 3], [0, 3, 4]))
    """,
]
_PARTS = {"ex03_1": _SHAPES, "ex03_2": _IM2COLS, "ex03_3": _COL2IMS, "ex03_4": _FAST_CONVS}


def solution(exercise: str, way: int = 0) -> str:
    """One of the ways to write an exercise's function."""
    return dedent(_PARTS[exercise][way % len(_PARTS[exercise])]).strip()


def cell(source: str, grade_id: str = "", **about: Any) -> dict[str, Any]:
    """A code cell; with a grade_id nbgrader's metadata, those of a solution if nothing else is said."""
    metadata: dict[str, Any] = {}
    if grade_id:
        marked = {"grade": False, "solution": True, "locked": False, "schema_version": 3, "grade_id": grade_id}
        metadata["nbgrader"] = marked | about
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def check_cell(exercise: str) -> dict[str, Any]:
    """The cell with the check that stands in the student's notebook."""
    source = f'minidil.check("{exercise}", {FUNCTIONS[exercise]})'
    return cell(source, f"{exercise}_check", grade=True, solution=False, locked=True, points=POINTS[exercise])


def cells(changed: Mapping[str, str] | None = None, number: int = 0) -> list[dict[str, Any]]:
    """The cells of a whole notebook, with some exercises' cells replaced.

    number: of the combination of ways for the others, none of which is that of a right submission. The last exercise's function
    does not call another's, so a fault there costs nothing here.
    """
    ways = {"ex03_1": 2, "ex03_2": number, "ex03_3": number + 4, "ex03_4": 1}
    found = [cell(IMPORTS)]
    for exercise in POINTS:
        found += [
            cell((changed or {}).get(exercise, solution(exercise, ways[exercise])), exercise),
            check_cell(exercise),
        ]
    return found


def notebook(parts: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    """Format 4.5, with an id in every cell."""
    numbered = [{**part, "id": f"cell-{number}"} for number, part in enumerate(parts)]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": numbered}


def older(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The same in format 3, with worksheets and without ids."""
    made = []
    for part in parts:
        rest = {key: value for key, value in part.items() if key not in ("source", "execution_count")}
        made.append({**rest, "input": part["source"], "language": "python", "collapsed": False})
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [{"cells": made, "metadata": {}}],
    }


@dataclass(frozen=True)
class Student:
    """hands_in: files by their path in SUBMISSIONS. marks: the points of the four exercises.

    kinds, mistakes: by exercise, what its failure is and what the check says about it. flags: pieces of the teacher's flags.
    """

    name: str
    hands_in: Mapping[str, bytes]
    marks: tuple[int, int, int, int]
    kinds: Mapping[str, str] = field(default_factory=dict)
    mistakes: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Put the files where they belong."""
        for name, content in self.hands_in.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)


def written(content: dict[str, Any]) -> bytes:
    """A notebook as a file has it."""
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def hands_in(name: str, parts: list[dict[str, Any]]) -> dict[str, bytes]:
    """A folder with one notebook."""
    return {f"{name}/03_im2col.ipynb": written(notebook(parts))}


ALL = (2, 4, 4, 3)
NONE = (0, 0, 0, 0)


def _right() -> list[Student]:
    made = []
    for a in range(5):
        for b in range(4):
            ways = {"ex03_1": a + b, "ex03_2": a, "ex03_3": (a + b) % 5, "ex03_4": b}
            answers = {exercise: solution(exercise, way) for exercise, way in ways.items()}
            made.append(Student(f"right {a}{b}", hands_in(f"right {a}{b}", cells(answers)), ALL))
    return made


def _altered(exercise: str, old: str, new: str, way: int = 0) -> str:
    source = solution(exercise, way)
    assert old in source, (exercise, old)
    return source.replace(old, new)


_STUB = "def {}(*given):\n    raise NotImplementedError()"

# Name: the changed exercises, the points, and what the check must call the mistake.
_WRONG: dict[str, tuple[dict[str, str], tuple[int, int, int, int], dict[str, str]]] = {
    "span kd": (
        {"ex03_1": _altered("ex03_1", "dilation * (kernel_size - 1) + 1", "dilation * kernel_size")},
        (0, 4, 4, 3),
        {"ex03_1": "span k*d"},
    ),
    "one padding": (
        {"ex03_1": _altered("ex03_1", "2 * padding", "padding")},
        (0, 4, 4, 3),
        {"ex03_1": "padding counted once"},
    ),
    "no channels": (
        {"ex03_1": _altered("ex03_1", "return c * ", "return ")},
        (0, 4, 4, 3),
        {"ex03_1": "channels forgotten in the rows"},
    ),
    "a float": ({"ex03_1": _altered("ex03_1", "//", "/")}, (0, 4, 4, 3), {}),
    "turned": (
        {"ex03_2": _altered("ex03_2", "return np.array(columns).T", "return np.array(columns)", 4)},
        (2, 0, 4, 3),
        {"ex03_2": "transposed: one row per output"},
    ),
    "no dilation": (
        {"ex03_2": _altered("ex03_2", "+ u * dilation, j * stride + v * dilation", "+ u, j * stride + v")},
        (2, 0, 4, 3),
        {"ex03_2": "the dilation is ignored"},
    ),
    "exchanged": (
        {
            "ex03_2": _altered(
                "ex03_2",
                "i * stride + u * dilation, j * stride + v * dilation",
                "i * dilation + u * stride, j * dilation + v * stride",
            )
        },
        (2, 0, 4, 3),
        {"ex03_2": "stride and dilation exchanged"},
    ),
    "taps first": (
        {"ex03_2": _altered("ex03_2", "transpose(0, 3, 4, 1, 2)", "transpose(3, 4, 0, 1, 2)", 1)},
        (2, 0, 4, 3),
        {"ex03_2": "taps before channels in the rows"},
    ),
    "in place": (
        {"ex03_2": _altered("ex03_2", "c, h, w = x.shape", "x += 0.0\n    c, h, w = x.shape\n    x[0, 0, 0] = 5")},
        (2, 0, 4, 3),
        {},
    ),
    "no overlap": (
        {"ex03_3": _altered("ex03_3", "] += parts", "] = parts")},
        (2, 4, 0, 3),
        {"ex03_3": "= for +="},
    ),
    "no overlap 2": (
        {
            "ex03_3": _altered(
                "ex03_3", "target += column.reshape(target.shape)", "target[:] = column.reshape(target.shape)", 4
            )
        },
        (2, 4, 0, 3),
        {"ex03_3": "= for +=, output by output"},
    ),
    "whole numbers": ({"ex03_3": _altered("ex03_3", "cols.dtype", "np.int64")}, (2, 4, 0, 3), {}),
    "flipped": (
        {"ex03_4": _altered("ex03_4", "weight[:, :, u, v]", "weight[:, :, k - 1 - u, k - 1 - v]", 1)},
        (2, 4, 4, 0),
        {"ex03_4": "kernel flipped"},
    ),
    "slow": (
        {
            "ex03_4": dedent("""
                def my_fast_conv(x, weight, dilation):
                    f, c, k, _ = weight.shape
                    h, w = x.shape[1] - dilation * (k - 1), x.shape[2] - dilation * (k - 1)
                    y = np.zeros((f, h, w))
                    for n in range(f):
                        for i in range(h):
                            for j in range(w):
                                for m in range(c):
                                    for u in range(k):
                                        for v in range(k):
                                            y[n, i, j] += weight[n, m, u, v] * x[m, i + u * dilation, j + v * dilation]
                    return y
            """).strip()
        },
        (2, 4, 4, 0),
        {},
    ),
    "nothing returned": ({"ex03_3": _altered("ex03_3", "    return image", "    image")}, (2, 4, 0, 3), {}),
    "an error": ({"ex03_3": _altered("ex03_3", "np.zeros(shape, cols.dtype)", "np.zeros(shape[0])")}, (2, 4, 0, 3), {}),
    "one parameter less": ({"ex03_2": "def my_im2col(x, kernel_size, stride):\n    return x"}, (2, 0, 4, 3), {}),
    "not begun": ({name: _STUB.format(function) for name, function in FUNCTIONS.items()}, NONE, {}),
    "half begun": ({name: _STUB.format(FUNCTIONS[name]) for name in ("ex03_3", "ex03_4")}, (2, 4, 0, 0), {}),
    "no Python": ({"ex03_2": "def my_im2col(x, kernel_size, stride, dilation)\n    return x"}, (2, 0, 4, 3), {}),
}


def _wrong() -> list[Student]:
    return [
        Student(f"wrong {name}", hands_in(f"wrong {name}", cells(changed, number)), marks, mistakes=mistakes)
        for number, (name, (changed, marks, mistakes)) in enumerate(_WRONG.items())
    ]


_RIGHT_2 = solution("ex03_2")
_LOOP = "def my_im2col(x, kernel_size, stride, dilation):\n    while True:\n        pass"
_DEAF_LOOP = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""
_EATS = """
def my_im2col(x, kernel_size, stride, dilation):
    kept = []
    while True:
        try:
            kept.append(np.ones(10**8))
        except MemoryError:
            pass
"""
_FAKES = """
import sys, builtins, minidil.testing
class Yes:
    passed, exercise, kind, message = True, "ex03_2", "passed", "passed: ex03_2"
    def must_pass(self): pass
    def __bool__(self): return True
    def as_dict(self): return {"passed": True, "exercise": "ex03_2"}
minidil.check = lambda *a, **k: Yes()
np.allclose = np.isclose = np.array_equal = lambda *a, **k: True
try:
    import minidil.classroom.property as prop, minidil.classroom.checking as checking
    prop.property_check = checking.check = lambda *a, **k: Yes()
except Exception:
    pass
for module in list(sys.modules.values()):
    if "minidil.classroom" in getattr(module, "__name__", ""):
        for name in ("check", "property_check", "called"):
            setattr(module, name, lambda *a, **k: {"passed": True, "exercise": "ex03_2"})
print('{"exercise": "ex03_2", "passed": true, "points": 4}')
print("minidil-results:" + '[{"exercise": "ex03_2", "passed": true}]')
class Equal(np.ndarray):
    def __eq__(self, other): return np.ones(self.shape, bool)
    def __array_ufunc__(self, ufunc, method, *inputs, **named): return np.zeros(())
    def __array_function__(self, function, *rest): return True
def my_im2col(x, kernel_size, stride, dilation):
    n = lambda s: (s - dilation * (kernel_size - 1) - 1) // stride + 1
    return np.zeros((x.shape[0] * kernel_size**2, n(x.shape[1]) * n(x.shape[2]))).view(Equal)
class Anything:
    def __eq__(self, other): return True
    __array__ = None
    shape = property(lambda self: Anything())
def my_col2im(cols, shape, kernel_size, stride, dilation):
    return Anything()
"""
_BREAKS_OUT = """
import os, shutil, signal, subprocess, pathlib, tempfile
def tried(function, *given):
    try:
        function(*given)
    except BaseException:
        pass
me = pathlib.Path.cwd()
for place in [*me.parents, pathlib.Path.home().parent, pathlib.Path("/tmp"), pathlib.Path("/var/tmp"), pathlib.Path({outside!r})]:
    tried((place / "was here").write_text, "x")
    tried(shutil.rmtree, place / "submissions")
    tried(os.rename, place / "submissions", place / "gone")
tried(subprocess.run, ["sh", "-c", "touch '{outside}/was here' ../'was here'; rm -rf '{outside}'"])
tried(os.kill, os.getppid(), signal.SIGKILL)
tried(os.kill, os.getppid(), signal.SIGSTOP)
tried(os.killpg, os.getpgid(os.getppid()), signal.SIGKILL)
found = ""
for place in [*me.parents, pathlib.Path({outside!r})]:
    try:
        found += "".join(path.read_text() for path in place.rglob("*.json"))
    except BaseException:
        pass
assert not found, "another's file can be read"
"""


def _with(name: str, changed: Mapping[str, str], marks: tuple[int, int, int, int], **about: Any) -> Student:
    return Student(name, hands_in(name, cells(changed, number=len(name))), marks, **about)


def _moved() -> list[dict[str, Any]]:
    """The last exercise first, one cell twice (the copy, which counts, is right), the imports at the end."""
    imports, *rest = cells()
    found = [part for at in range(len(rest) - 2, -1, -2) for part in rest[at : at + 2]]
    broken = cell("def my_im2col(x, kernel_size, stride, dilation):\n    return 0", "ex03_2")
    return [broken, *found, imports]


def _renamed() -> list[dict[str, Any]]:
    """All of nbgrader's marks lost, as some programs lose them."""
    return [{**part, "metadata": {}} for part in cells()]


def _without(*gone: str) -> list[dict[str, Any]]:
    return [part for part in cells() if part["metadata"].get("nbgrader", {}).get("grade_id", "")[:6] not in gone]


def _copy_of_right() -> dict[str, str]:
    """That of "right 00" with other names and other comments."""
    ways = {exercise: solution(exercise, 0) for exercise in POINTS}
    return {
        exercise: "# all my own work\n"
        + source.replace("span", "reach")
        .replace("rows", "r")
        .replace("image", "picture")
        .replace("oh", "p")
        .replace("parts", "bits")
        + "  # done"
        for exercise, source in ways.items()
    }


def hostile(outside: str = "") -> list[Student]:
    """outside: a folder that one of them tries to write in and to read from."""
    strange = "=1+1 Zoë ☃ <script>alert(1)<script>"
    died = {"ex03_2": "died"}
    return [
        _with("hostile loop", {"ex03_2": _LOOP}, (2, 0, 4, 3), kinds={"ex03_2": "late"}),
        _with("hostile deaf loop", {"ex03_2": _DEAF_LOOP + _RIGHT_2}, (2, 0, 4, 3), kinds={"ex03_2": "late"}),
        _with("hostile hunger", {"ex03_2": _EATS}, (2, 0, 4, 3), kinds={"ex03_2": "late"}),
        _with("hostile hoard", {"ex03_2": "hoard = np.ones(10**12)\n" + _RIGHT_2}, (2, 0, 4, 3), kinds=died),
        _with(
            "hostile exit", {"ex03_2": "import os\ndef my_im2col(*given):\n    os._exit(0)"}, (2, 0, 4, 3), kinds=died
        ),
        _with("hostile crash", {"ex03_2": "import ctypes\nctypes.string_at(0)"}, (2, 0, 4, 3), kinds=died),
        _with(
            "hostile sys.exit",
            {"ex03_2": "import sys\ndef my_im2col(*given):\n    sys.exit(0)", "ex03_3": "raise SystemExit"},
            (2, 0, 0, 3),
        ),
        _with(
            "hostile words",
            {
                "ex03_2": _altered("ex03_2", "c, h, w", "print('x' * 10**7)\n    c, h, w"),
                "ex03_3": solution("ex03_3")
                + "\nimport time\nend = time.time() + 2\nwhile time.time() < end:\n    print('x' * 10**7)",
            },
            ALL,
        ),
        Student("hostile gap", hands_in("hostile gap", _without("ex03_3")), (2, 4, 0, 3), kinds={"ex03_3": "missing"}),
        Student(
            "hostile names",
            {"hostile names/final (2).txt": written(notebook(_renamed(), kernelspec={"name": "julia-1.9"}))},
            ALL,
        ),
        Student("hostile age", {"hostile age.ipynb": written(older(cells()))}, ALL),
        Student("hostile order", hands_in("hostile order", _moved()), ALL),
        Student("hostile pdf", {"hostile pdf/03_im2col.ipynb": b"%PDF-1.7\n\xff\xfe\x00"}, NONE),
        Student("hostile half", {"hostile half.ipynb": written(notebook(cells()))[:3000]}, NONE),
        Student(strange, {f"{strange}.ipynb": written(notebook(cells()))}, ALL),
        _with("hostile fakes", {"ex03_1": "", "ex03_2": _FAKES, "ex03_3": ""}, (0, 0, 0, 3)),
        _with("hostile escape", {"ex03_2": _BREAKS_OUT.format(outside=outside) + _RIGHT_2}, ALL),
        _with(
            "hostile library",
            {
                "ex03_2": "from minidil.kernels.reference import conv as c\nfrom minidil.kernels.geometry import Window\n"
                "def my_im2col(x, kernel_size, stride, dilation):\n"
                "    return getattr(c, 'im2' + 'col')(x[None], Window.of(x.shape[1:], kernel_size, stride, 0, dilation))[0]",
                "ex03_3": "import minidil.functional as F\nfold = F.fold\n" + solution("ex03_3"),
            },
            ALL,
            flags=("ex03_2: minidil.kernels.reference.conv.im2col", "ex03_3: minidil.functional.fold"),
        ),
        _with("hostile copy", _copy_of_right(), ALL, flags=("nearly the same as right 00",)),
        _with(
            "hostile spoiler",
            {
                "ex03_2": _RIGHT_2
                + "\nimport os, subprocess, threading\nsubprocess.Popen(['sleep', '1234'], start_new_session=True)\n"
                "np.zeros = np.tensordot = None\nthreading.Timer(30, os._exit, [0]).start()"
            },
            ALL,
        ),
    ]


def everyone(outside: str = "") -> list[Student]:
    """The sixty."""
    return [*_right(), *_wrong(), *hostile(outside)]
