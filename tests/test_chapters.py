"""Every chapter runs in a fresh kernel, says what it said when it was committed, and is fit to be read by anyone."""

from __future__ import annotations

import ast
import importlib.util
import pkgutil
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import minidil
from minidil.kernels.cuda.target import problem

CHAPTERS = Path(__file__).parent.parent / "chapters"
NAMES = sorted(path.name for path in CHAPTERS.glob("*.ipynb"))
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


def _read(name: str) -> Any:
    return nbformat.read(CHAPTERS / name, as_version=4)


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


def _public_names() -> set[str]:
    names = {name for name in dir(minidil) if not name.startswith("_")}
    for package in (minidil.functional, minidil.nn, minidil.optim, minidil.schedule, minidil.testing):
        names.update(getattr(package, "__all__", None) or [name for name in dir(package) if not name.startswith("_")])
    ops = importlib.import_module("minidil.ops")
    for module in pkgutil.iter_modules(ops.__path__):
        tree = ast.parse(Path(ops.__path__[0], f"{module.name}.py").read_text(encoding="utf-8"))
        names.update(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_")
    return names


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
    package = Path(minidil.__file__).parent
    known = {line.strip() for path in package.rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()}
    stale = []
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


def test_streams_are_joined_and_what_changes_is_left_out() -> None:
    v4 = nbformat.v4
    cell = v4.new_code_cell("print(1)", metadata={"execution": {"when": "now"}, "tags": ["figure"]})
    cell.outputs = [v4.new_output("stream", name="stdout", text=text) for text in ("1\n", "2\n")]
    notebook = _execute_module().tidy(
        v4.new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.99"}})
    )
    assert [output.text for output in notebook.cells[0].outputs] == ["1\n2\n"]
    assert notebook.cells[0].metadata == {"tags": ["figure"]}
    assert notebook.cells[0].id == "cell-001"
    assert "3.99" not in str(notebook.metadata)
