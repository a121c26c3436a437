"""Every chapter runs in a fresh kernel, says what it said when it was committed, and is fit to be read by anyone."""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
import re
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest

import minidil
from minidil.kernels.cuda.target import problem

CHAPTERS = Path(__file__).parent.parent / "chapters"
NAMES = sorted(path.name for path in CHAPTERS.glob("*.ipynb"))


@cache
def _read(name: str) -> Any:
    """A chapter, which no test changes."""
    return nbformat.read(CHAPTERS / name, as_version=4)


# A chapter whose metadata are {"minidil": {"outputs": "compared"}, ...} keeps all rules of this file
COMPARED = [name for name in NAMES if _read(name).metadata.get("minidil") == {"outputs": "compared"}]
# A chapter of which one figure is described in words has a description and a caption for every one
DESCRIBED = [name for name in NAMES if any("alt" in cell.metadata for cell in _read(name).cells)]
VARIES = {"timing", "rounding", "data", "compiler"}  # tags of cells whose text may be another one on another machine
MOST_DRAWN = 8  # lines of code that may stand before a figure; more are folded away
MOST_BYTES = 2_000_000
SHOWS_SOURCE = re.compile(r"print\(inspect\.getsource\([\w.]+\)\)")
HERE = re.escape(str(CHAPTERS.parent))
LOCAL_PATH = re.compile(rf"({HERE}|/home/|/root/|/Users/|/tmp/|[A-Z]:\\\\|site-packages)")


def _execute_module() -> Any:
    spec = importlib.util.spec_from_file_location("execute", CHAPTERS / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _texts(notebook: Any) -> list[str]:
    """What a reader sees: the source of every cell, and every text that came out of it."""
    texts = []
    for cell in notebook.cells:
        texts.append(cell.source)
        for output in cell.get("outputs", []):
            texts.append(output.get("text", ""))
            texts.extend(value for kind, value in output.get("data", {}).items() if kind.startswith("text/"))
    return texts


def _warnings(notebook: Any) -> list[str]:
    """What the cells wrote to standard error."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.text for output in outputs if output.get("name") == "stderr"]


def _said(cell: Any) -> list[tuple[str, str]]:
    """The outputs of a cell as (kind, text); of a picture only that it is there, since fonts and versions draw it differently."""
    said = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            said.append((output.name, output.text))
        else:
            kinds = output.get("data", {})
            said += [(kind, text if kind.startswith("text/") else "") for kind, text in sorted(kinds.items())]
    return said


def _differences(stored: Any, fresh: Any) -> list[str]:
    """Where two runs of a chapter say different things, but for cells that are tagged as varying."""
    return [
        f"cell {number}: stored {_said(old)}, fresh {_said(new)}"
        for number, (old, new) in enumerate(zip(stored.cells, fresh.cells, strict=True))
        if not VARIES & set(old.metadata.get("tags", [])) and _said(old) != _said(new)
    ]


def _draws(cell: Any) -> bool:
    return any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def _code(notebook: Any) -> list[tuple[int, str]]:
    return [(number, cell.source) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]


@cache
def _public_names() -> set[str]:
    names = {name for name in dir(minidil) if not name.startswith("_")}
    for package in (minidil.functional, minidil.nn, minidil.optim, minidil.schedule, minidil.testing):
        names.update(getattr(package, "__all__", None) or [name for name in dir(package) if not name.startswith("_")])
    ops = importlib.import_module("minidil.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        tree = ast.parse(Path(ops.__path__[0], f"{module.name}.py").read_text(encoding="utf-8"))
        names.update(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_")
    return names


@cache
def _lines_of_the_library() -> set[str]:
    files = Path(minidil.__file__).parent.rglob("*.py")
    return {line.strip() for path in files for line in path.read_text(encoding="utf-8").splitlines()}


def test_there_are_chapters_and_the_index_lists_them() -> None:
    assert NAMES
    index = (CHAPTERS / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"]({name})" not in index] == []


@pytest.mark.parametrize("name", NAMES)
def test_committed_with_outputs_and_without_what_changes(name: str) -> None:
    notebook = _read(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert "widgets" not in notebook.metadata
    assert not any("widget" in kind for cell in code for output in cell.outputs for kind in output.get("data", {}))
    assert (CHAPTERS / name).stat().st_size < MOST_BYTES
    assert not [line for text in _texts(notebook) for line in text.splitlines() if LOCAL_PATH.search(line)]
    assert _warnings(notebook) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_cell_redefines_a_public_name(name: str) -> None:
    public, redefined = _public_names(), []
    for cell in _read(name).cells:
        if cell.cell_type == "code":
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in public:
                    redefined.append(node.name)
    assert redefined == []


@pytest.mark.parametrize("name", NAMES)
def test_the_library_code_it_shows_is_the_library_of_today(name: str) -> None:
    known, stale = _lines_of_the_library(), []
    for cell in _read(name).cells:
        lines = [
            line for line in cell.source.splitlines() if line.strip() and not line.startswith(("#", "from ", "import "))
        ]
        if cell.cell_type == "code" and lines and all(SHOWS_SOURCE.fullmatch(line) for line in lines):
            shown = "".join(output.text for output in cell.outputs)
            stale += [line for line in shown.splitlines() if line.strip() not in known]
    assert stale == []


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_runs_in_a_fresh_kernel(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if name == "10_cuda.ipynb" and (missing := problem("emulator")):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))  # the embedded data only
    notebook = _execute_module().execute(CHAPTERS / name)
    assert _warnings(notebook) == []
    if name in COMPARED:
        assert _differences(_read(name), notebook) == []


@pytest.mark.long
@pytest.mark.parametrize("choice", [0, 1])
@pytest.mark.parametrize("name", COMPARED)
def test_runs_with_other_numbers(name: str, choice: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MINIDIL_DATA", str(tmp_path))
    notebook = _execute_module().execute(CHAPTERS / name, choice)
    assert _warnings(notebook) == []


def test_some_chapters_are_compared() -> None:
    assert COMPARED


@pytest.mark.parametrize("name", COMPARED)
def test_what_a_reader_may_change_has_two_other_settings(name: str) -> None:
    notebook = _read(name)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert tagged
    assert [cell.source for cell in tagged if len(cell.metadata.get("alternatives", [])) < 2] == []
    for choice in (0, 1):
        changed = _execute_module().with_settings(deepcopy(_read(name)), choice)
        different = [new.source != old.source for new, old in zip(changed.cells, notebook.cells, strict=True)]
        assert different == [cell in tagged for cell in notebook.cells]


@pytest.mark.parametrize("name", COMPARED)
def test_every_assertion_says_what_it_means(name: str) -> None:
    bare = [
        (number, node.lineno)
        for number, source in _code(_read(name))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert) and node.msg is None
    ]
    assert bare == []


@pytest.mark.parametrize("name", COMPARED)
def test_it_leads_to_its_neighbours(name: str) -> None:
    cells, place = _read(name).cells, NAMES.index(name)
    neighbours = [*NAMES[max(place - 1, 0) : place], *NAMES[place + 1 : place + 2]]
    for cell in (cells[0], cells[-1]):
        assert [other for other in neighbours if f"]({other})" not in cell.source] == []
    linked = re.findall(r"\]\((\d\d_\w+\.ipynb)[)#]", "\n".join(cell.source for cell in cells))
    assert sorted(set(linked) - set(NAMES)) == []


@pytest.mark.parametrize("name", COMPARED)
def test_its_sources_are_links(name: str) -> None:
    plain = r"(?<![\[/])(?:arXiv:\d{4}\.\d{4,5}|doi:10\.\S+)"
    assert [
        found for cell in _read(name).cells if cell.cell_type == "markdown" for found in re.findall(plain, cell.source)
    ] == []


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_figure_has_a_caption_and_says_in_words_what_it_shows(name: str) -> None:
    cells, captions = _read(name).cells, []
    for number, cell in enumerate(cells):
        if _draws(cell):
            pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
            assert [output.metadata.get("image/png") for output in pictures] == [{"alt": cell.metadata["alt"]}]
            assert len(cell.metadata["alt"]) > 60, f"cell {number}: too short to stand for a figure"
            captions.append(cells[number + 1].source.split("\n")[0])
    expected = [rf"\*Figure {int(name[:2])}\.{number}\. .+\*" for number in range(1, len(captions) + 1)]
    assert [line for line, form in zip(captions, expected, strict=True) if not re.fullmatch(form, line)] == []


@pytest.mark.parametrize("name", DESCRIBED)
def test_code_that_only_draws_is_folded_and_nothing_else_is(name: str) -> None:
    for cell in _read(name).cells:
        folded = "hide-input" in cell.metadata.get("tags", [])
        assert cell.metadata.get("jupyter") == ({"source_hidden": True} if folded else None)
        if folded:
            assert "assert " not in cell.source
            assert "print(" not in cell.source
            assert _draws(cell)
        elif _draws(cell):
            assert len(cell.source.splitlines()) <= MOST_DRAWN, cell.source


def test_other_settings_take_the_place_of_what_is_assigned() -> None:
    v4 = nbformat.v4
    metadata = {"tags": ["parameters"], "alternatives": [{"d": "3"}, {"d": "1", "x": "np.arange(\n    9)"}]}
    source = "x = np.arange(\n    8)\nd = 2  # the dilation\nprint(x, d)"
    whole = v4.new_notebook(cells=[v4.new_code_cell(source, metadata=metadata), v4.new_code_cell("d = 5")])
    with_settings = _execute_module().with_settings
    assert (
        with_settings(deepcopy(whole), 0).cells[0].source
        == "x = np.arange(\n    8)\nd = 3  # the dilation\nprint(x, d)"
    )
    assert (
        with_settings(deepcopy(whole), 1).cells[0].source
        == "x = np.arange(\n    9)\nd = 1  # the dilation\nprint(x, d)"
    )
    assert with_settings(deepcopy(whole), 1).cells[1].source == "d = 5"
    whole.cells[0].metadata["alternatives"] = [{"e": "3"}]
    with pytest.raises(LookupError, match="no line of its own assigns e"):
        with_settings(whole, 0)


def test_what_is_compared_are_texts_and_the_presence_of_pictures() -> None:
    v4 = nbformat.v4

    def ran(text: str, tags: list[str], picture: str = "a") -> Any:
        cell = v4.new_code_cell("f()", metadata={"tags": tags})
        cell.outputs = [
            v4.new_output("stream", name="stdout", text=text),
            v4.new_output("display_data", data={"image/png": picture}),
        ]
        return v4.new_notebook(cells=[cell])

    assert _differences(ran("1", []), ran("1", [], picture="b")) == []
    assert len(_differences(ran("1", []), ran("2", []))) == 1
    assert _differences(ran("1", ["timing"]), ran("2", ["timing"])) == []
    assert _differences(ran("1", ["rounding"]), ran("2", ["rounding"])) == []


def test_streams_are_joined_and_what_changes_is_left_out() -> None:
    v4 = nbformat.v4
    kept = {"tags": ["figure"], "alternatives": [{"d": "3"}], "alt": "a line"}
    cell = v4.new_code_cell("print(1)", metadata={"execution": {"when": "now"}, **kept})
    cell.outputs = [
        v4.new_output("stream", name="stdout", text=text)
        for text in ("1\n", "compiling the training kernels: wait\n2\n")
    ]
    notebook = _execute_module().tidy(
        v4.new_notebook(
            cells=[cell],
            metadata={"language_info": {"name": "python", "version": "3.99"}, "minidil": {"outputs": "compared"}},
        )
    )
    assert [output.text for output in notebook.cells[0].outputs] == ["1\n2\n"]
    assert notebook.cells[0].metadata == kept
    assert notebook.metadata["minidil"] == {"outputs": "compared"}
    assert notebook.cells[0].id == "cell-001"
    assert "3.99" not in str(notebook.metadata)


def test_a_description_is_stored_with_the_picture_and_drawing_code_is_folded() -> None:
    v4 = nbformat.v4
    cell = v4.new_code_cell("plot()", metadata={"tags": ["hide-input"], "alt": "a line that falls"})
    cell.outputs = [
        v4.new_output("stream", name="stdout", text="1"),
        v4.new_output("display_data", data={"image/png": "a", "text/plain": "<Figure>"}, metadata={"needs": "light"}),
    ]
    tidied = _execute_module().tidy(v4.new_notebook(cells=[cell, v4.new_code_cell("1")])).cells
    assert tidied[0].outputs[1].metadata == {"image/png": {"alt": "a line that falls"}}
    assert tidied[0].metadata["jupyter"] == {"source_hidden": True}
    assert "jupyter" not in tidied[1].metadata
