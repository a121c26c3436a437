"""`minidil exercises`: list, start, check, progress."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import refused

from minidil.classroom import progress, running
from minidil.cli import main


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["exercises", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    head, *rows = lines(capsys, "list", "03")
    assert head.split() == ["name", "what", "to", "do", "function", "points", "minutes"]
    assert [row.split()[0] for row in rows] == ["ex03_1", "ex03_2", "ex03_3", "ex03_4"]
    assert "my_im2col" in rows[1]
    everything = json.loads("\n".join(lines(capsys, "list", "--json", "-")))["exercises"]
    assert len(everything) > 12
    assert everything[0] == {"name": "ex01_1", "title": "How many outputs?", "points": 1, "minutes": 10}
    assert "chapter 99 has no exercises; those that have are 01, 02" in refused(capsys, "exercises", "list", "99")


def test_start_copies_the_notebook_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    assert "03_im2col.ipynb is ready" in lines(capsys, "start", "3", str(folder))[0]
    assert {path.name for path in folder.iterdir()} == {"03_im2col.ipynb", progress.FILE}
    (folder / "03_im2col.ipynb").write_text("my work")
    assert "is there already and stays as it is" in lines(capsys, "start", "03", str(folder))[0]
    assert (folder / "03_im2col.ipynb").read_text() == "my work"
    (tmp_path / "file").touch()
    assert "is not a folder" in refused(capsys, "exercises", "start", "03", str(tmp_path / "file"))


def test_progress_is_a_bar_for_each_chapter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert all("0 of" in line for line in lines(capsys, "progress"))
    lines(capsys, "start", "03")
    (tmp_path / "exercises" / progress.FILE).write_text(json.dumps({"ex03_1": {"tries": 2, "passed": True}}))
    rows = {line[:2]: line for line in lines(capsys, "progress")}
    assert " ".join(rows["03"].split()) == "03 [#####---------------] 1 of 4 next: ex03_2 Write im2col"
    assert "next: ex01_1" in rows["01"]
    everything = {f"ex01_{number}": {"tries": 1, "passed": True} for number in (1, 2, 3)}
    (tmp_path / "exercises" / progress.FILE).write_text(json.dumps(everything))
    first = lines(capsys, "progress", "exercises")[0]
    assert " ".join(first.split()) == "01 [####################] 3 of 3 all done"


def test_check_needs_a_notebook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "minidil exercises start 02 exercises" in refused(capsys, "exercises", "check", "02")
    (tmp_path / "02_dilation.ipynb").write_text("no notebook")
    assert "is no notebook" in refused(capsys, "exercises", "check", "02", ".")


@pytest.mark.slow
def test_check_runs_what_the_student_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(capsys, "start", "02", str(tmp_path))
    path = tmp_path / "02_dilation.ipynb"
    answers = {
        "ex02_1": "def my_span(kernel_size, dilation):\n    return dilation * (kernel_size - 1) + 1",
        "ex02_2": "def my_same_padding(size, kernel_size, stride, dilation):\n    return size (",
        "ex02_3": "def my_causal_conv(x, w, dilation):\n    while True:\n        pass",
    }
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = answers.get(cell["id"], cell["source"])
    path.write_text(json.dumps(notebook))
    assert main(["exercises", "check", "02", str(tmp_path), "--json", str(tmp_path / "out.json")]) == 1
    printed = capsys.readouterr().out
    assert "1 of 4 exercises of chapter 02 pass." in printed
    assert "There is no function my_same_padding: its cell stops with SyntaxError: " in printed
    assert re.search(r"\(line 2\)$", printed, re.MULTILINE)
    assert "while True:" in printed
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [each["kind"] for each in results] == ["passed", "missing", "timeout", "open"]
    assert progress.read(tmp_path)["ex02_1"] == {"tries": 1, "passed": True}


def _with_answer(tmp_path: Path, source: str) -> None:
    path = tmp_path / "02_dilation.ipynb"
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        cell["source"] = source if cell["id"] == "ex02_2" else cell["source"]
    path.write_text(json.dumps(notebook))


@pytest.mark.long
def test_a_cell_that_does_not_end_costs_its_own_exercise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_SECONDS", 5)
    lines(capsys, "start", "02", str(tmp_path))
    _with_answer(tmp_path, "while True:\n    pass")
    assert main(["exercises", "check", "02", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert "There is no function my_same_padding: its cell stops with KeyboardInterrupt" in printed
    assert "my_receptive_field is still to be written" in printed


@pytest.mark.slow
def test_a_kernel_that_dies_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines(capsys, "start", "02", str(tmp_path))
    _with_answer(tmp_path, "import os\nos._exit(1)")
    assert "its kernel died" in refused(capsys, "exercises", "check", "02", str(tmp_path))
