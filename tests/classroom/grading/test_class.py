"""A class of sixty, graded as a teacher would: every mark as expected, nothing written outside, nothing graded twice."""

import contextlib
import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("nbclient")

from classroom.submissions import POINTS, Student, everyone, hostile

from minidil.classroom.grading import fence
from minidil.classroom.grading.grade import Graded, grade
from minidil.classroom.grading.session import Limits
from minidil.cli import main

resource = pytest.importorskip("resource")  # Windows has none
LIMITS = Limits(seconds=6.0, total=200.0, memory=4 << 30)
SEED = 20_240_611


def snapshot(folder: Path) -> dict[str, str]:
    """Every file below a folder, with its contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def hand_in(students: Sequence[Student], folder: Path) -> Path:
    """Their files in a new folder."""
    folder.mkdir()
    for each in students:
        each.write(folder)
    return folder


def assert_as_expected(graded: Graded, students: Sequence[Student]) -> None:
    """Marks, kinds of failure, recognised mistakes, and flags, student by student."""
    reports = {each.name: each for each in graded.reports}
    assert sorted(reports) == sorted(each.name for each in students)
    got = {each.name: tuple(mark.points for mark in reports[each.name].marks) for each in students}
    assert got == {each.name: each.marks for each in students}
    for student in students:
        report = reports[student.name]
        marks = {mark.exercise: mark for mark in report.marks}
        assert list(marks) == list(POINTS)
        for exercise, kind in student.kinds.items():
            assert marks[exercise].kind == kind, student.name
        for exercise, mistake in student.mistakes.items():
            assert f"Probable cause: {mistake}." in marks[exercise].message, student.name
        for flag in student.flags:
            assert any(flag in each for each in report.flags), student.name


def _worked() -> float:
    """Seconds of the processor that ended children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.long
def test_a_class_of_sixty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fence.version():
        pytest.skip("nothing keeps a process from its owner's files on this system")
    outside, home = tmp_path / "outside", tmp_path / "home"
    (outside / "submissions").mkdir(parents=True)
    (outside / "secret.json").write_text('{"seed": 1}')
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    students = everyone(str(outside))
    assert len(students) == 60
    folder, out = hand_in(students, tmp_path / "submissions"), tmp_path / "out"
    before = snapshot(tmp_path)

    began, clock = _worked(), time.monotonic()
    first = grade(folder, out, seed=SEED, limits=LIMITS, jobs=2)
    worked = _worked() - began
    print(f"graded in {time.monotonic() - clock:.0f} s by the clock, {worked:.0f} s of processors")
    assert worked < 2 * 300  # under five minutes on two of them, where nothing else runs
    assert (first.run, first.kept) == (60, 0)
    assert_as_expected(first, students)
    assert {name: kept for name, kept in snapshot(tmp_path).items() if Path(name).parts[0] != "out"} == before
    assert not [each for each in out.iterdir() if each.name == ".scratch"]
    assert not [place for place in (Path("/tmp"), Path("/var/tmp")) if (place / "was here").exists()]
    assert not [each for each in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\0001234" in _content(each)]
    flags = {each.name: " ".join(each.flags) for each in first.reports}
    assert not [f"{name}: {flag}" for name, flag in flags.items() if "not graded" in flag]
    assert "hostile copy (100%)" in flags["right 00"]
    assert not [name for name, flag in flags.items() if name.startswith("right") and "right" in flag]

    table = list(csv.DictReader((out / "grades.csv").read_text("utf-8").splitlines()))
    assert len(table) == 60
    assert sum(int(row["points"]) for row in table) == sum(sum(each.marks) for each in students)
    pages = [out / row["feedback"] for row in table]
    assert len({page for page in pages if page.is_file()}) == 60
    assert not any("<script" in page.read_text("utf-8") for page in pages)

    clock = time.monotonic()
    second = grade(folder, out, seed=SEED, limits=LIMITS, jobs=2)
    assert (second.run, second.kept) == (0, 60)
    assert second.reports == first.reports
    print(f"looked at again in {time.monotonic() - clock:.1f} s")


@pytest.mark.long
def test_only_what_changed_is_graded_again(tmp_path: Path) -> None:
    students = [each for each in hostile() if each.name in ("hostile gap", "hostile half")]
    folder, out = hand_in(students, tmp_path / "submissions"), tmp_path / "out"
    first = grade(folder, out, seed=1, limits=LIMITS)
    assert_as_expected(first, students)
    (folder / "hostile half.ipynb").write_bytes(b"{}")
    second = grade(folder, out, seed=1, limits=LIMITS)
    assert (second.run, second.kept) == (1, 1)
    assert second.reports[0] == first.reports[0]
    other = grade(folder, out, seed=2, limits=LIMITS)
    assert (other.run, other.kept) == (2, 0)
    assert [each.marks for each in other.reports][1] == second.reports[1].marks


def verdicts(graded: Graded) -> list[tuple[object, ...]]:
    """All that was said, but for how many times faster one exercise was."""
    marks = [(report.name, mark) for report in graded.reports for mark in report.marks]
    return [(name, m.exercise, m.points, m.kind, m.message if m.exercise != "ex03_4" else "") for name, m in marks]


@pytest.mark.long
def test_one_seed_gives_one_grade(tmp_path: Path) -> None:
    names = ("wrong no dilation", "hostile order")
    students = [each for each in everyone() if each.name in names]
    folder = hand_in(students, tmp_path / "submissions")
    first = grade(folder, tmp_path / "one", seed=3, limits=LIMITS)
    second = grade(folder, tmp_path / "two", seed=3, limits=LIMITS)
    assert_as_expected(first, students)
    assert verdicts(first) == verdicts(second)


def _content(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")
def test_a_run_that_is_broken_off_goes_on_from_there(tmp_path: Path) -> None:
    students = [each for each in hostile() if each.name in ("hostile age", "hostile deaf loop")]
    folder, out = hand_in(students, tmp_path / "submissions"), tmp_path / "out"
    words = ["exercises", "grade", str(folder), "--feedback", str(out), "--seed", "5", "--jobs", "2", "--seconds", "60"]
    place = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(Path(fence.__file__).parents[3])}}
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # whatever runs the tests in the background ignores it
    process = subprocess.Popen([sys.executable, "-m", "minidil", *words], stderr=subprocess.PIPE, **place)
    signal.signal(signal.SIGINT, before)
    patience = time.monotonic() + 240
    while not (out / "grading.json").exists() and time.monotonic() < patience:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert not (out / ".scratch").exists()
    assert not [each for each in Path("/proc").glob("[0-9]*/environ") if bytes(out) in _content(each)]
    assert list(json.loads((out / "grading.json").read_text())["submissions"]) == ["hostile age"]
    shutil.rmtree(folder / "hostile deaf loop")
    rest = grade(folder, out, seed=5, limits=Limits(60.0))
    assert (rest.run, rest.kept) == (0, 1)


@pytest.mark.slow
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    students = [each for each in hostile() if each.name in ("hostile crash", "hostile pdf")]
    folder, out = hand_in(students, tmp_path / "submissions"), tmp_path / "out"
    words = ["exercises", "grade", str(folder), "--feedback", str(out), "--seed", "5", "--csv", str(tmp_path / "g.csv")]
    assert main([*words, "--jobs", "2", "--seconds", "6"]) == 0
    said = capsys.readouterr().out
    assert "hostile crash       9  13" in said
    assert "hostile pdf         0  13" in said
    assert "2 graded, 0 unchanged; chapters: 03" in said
    rows = list(csv.DictReader((tmp_path / "g.csv").read_text("utf-8").splitlines()))
    assert [row["ex03_2"] for row in rows] == ["0", "0"]
    assert "there is no notebook" not in rows[1]["notes"]
    assert "this is no notebook" in rows[1]["notes"]
    assert main([*words, "--seconds", "6"]) == 0
    assert "0 graded, 2 unchanged" in capsys.readouterr().out
    assert os.listdir(tmp_path) == [name for name in os.listdir(tmp_path) if name in ("submissions", "out", "g.csv")]
