"""Chapter 10's exercises: each right kernel keeps to its bound, and the notebook holds it and says how it is launched."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import minidil
from minidil.classroom.kernels import KernelCheck, KernelMistake
from minidil.classroom.notebooks import for_students, solutions
from minidil.classroom.register import exercises
from minidil.emulator.toolchain import missing

EXERCISES = {each.name: each for each in exercises("10")}
SOURCE = Path(__file__).parents[3] / "chapters" / "exercises" / "source" / "10_cuda.ipynb"
compiles = pytest.mark.skipif(missing() is not None, reason="kernels cannot be compiled here")


def right(name):
    return importlib.import_module(f"minidil.classroom.chapters.gpu.{EXERCISES[name].function}").KERNEL


@compiles
@pytest.mark.slow
@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_kernel_passes_within_its_bound(name):
    result = minidil.check(name, right(name))
    assert result.passed, result.message
    assert result.extra["bytes"] <= EXERCISES[name].check.slack * result.extra["least_bytes"]
    assert result.extra["bytes"] >= result.extra["least_bytes"]


def test_there_are_ten_with_three_hints_and_mistakes_each():
    assert list(EXERCISES) == [f"ex10_{number}" for number in range(1, 11)]
    for each in EXERCISES.values():
        assert isinstance(each.check, KernelCheck)
        assert len(each.hints) == 3
        assert len(each.mistakes) >= 3
        assert all(isinstance(mistake, KernelMistake) for mistake in each.mistakes)
        assert each.signature == right(each.name).text.partition(":")[0].removeprefix("def ")


@pytest.mark.slow
def test_they_are_listed_without_what_compiles_kernels():
    program = (
        "import sys; from minidil.classroom.register import exercises; exercises(); print('numba.cuda' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_the_instructors_notebook_holds_the_right_kernels():
    solved = solutions(json.loads(SOURCE.read_text("utf-8")))
    assert list(solved) == list(EXERCISES)
    for name, text in solved.items():
        lines = [line for line in text.splitlines() if not line.strip().startswith("###")]
        assert "\n".join(lines) == f"@cuda.jit\n{right(name).text}".rstrip("\n"), name


def test_the_students_notebook_states_the_launch_and_the_points():
    cells = for_students(json.loads(SOURCE.read_text("utf-8")))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"][1:-1]
    for text, each in zip(texts, EXERCISES.values(), strict=True):
        assert f"({each.points} points, {each.minutes} minutes)" in text
        block, arguments = each.check.block, each.signature.removeprefix(each.function)
        assert f", {block[0] if len(block) == 1 else block}]{arguments}`" in text
