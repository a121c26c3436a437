"""The notebooks of the exercises: where they are, and how a student's version is made of an instructor's.

Both carry nbgrader's metadata (schema 3). A solution cell has the name of its exercise as grade_id, "ex03_2"; the cell after it,
"ex03_2_check", shows one line, `minidil.check("ex03_2", my_im2col)`. In an instructor's notebook the solution stands between
`### BEGIN SOLUTION` and `### END SOLUTION`, and what is graded between `### BEGIN HIDDEN TESTS` and `### END HIDDEN TESTS`.
"""

import copy
import re
from pathlib import Path
from typing import Any

from minidil.classroom.register import exercises
from minidil.errors import DataError, OptionError

STUB = ("# your code here", "raise NotImplementedError()")
_SOLUTION = ("### BEGIN SOLUTION", "### END SOLUTION")
_HIDDEN = ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS")


def folder() -> Path:
    """Where the students' notebooks are: in an installed package, or in a checkout."""
    package = Path(__file__).parents[1]
    places = [package / "exercises", package.parent / "chapters" / "exercises"]
    return next((place for place in places if place.is_dir()), places[0])


def of_chapter(chapter: str) -> Path:
    """The student's notebook. Raises: OptionError if the chapter has no exercises, DataError if the file is missing."""
    number = exercises(chapter)[0].chapter
    found = sorted(folder().glob(f"{number}_*.ipynb"))
    if not found:
        raise DataError(f"the notebook {number}_*.ipynb is missing in {folder()}")
    return found[0]


def for_students(notebook: dict[str, Any]) -> dict[str, Any]:
    """An instructor's notebook without solutions, hidden tests and outputs. Raises: OptionError for a mark without its end."""
    made = copy.deepcopy(notebook)
    for cell in made["cells"]:
        source = text(cell)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            source = _replaced(_replaced(source, _SOLUTION, STUB), _HIDDEN, ())
        cell["source"] = source.rstrip("\n").splitlines(keepends=True)
    return made


def solutions(notebook: dict[str, Any]) -> dict[str, str]:
    """The source of every solution cell, by the name of its exercise."""
    return {name: text(cell) for cell in notebook["cells"] if (name := solves(cell))}


def solves(cell: dict[str, Any]) -> str:
    """The name of the exercise that a cell is the answer to, or nothing."""
    marked = cell.get("metadata", {}).get("nbgrader", {})
    name = str(marked.get("grade_id", ""))
    return name if marked.get("solution") and re.fullmatch(r"ex\d\d_\d+", name) else ""


def text(cell: dict[str, Any]) -> str:
    """The source of a cell, which a file may hold as one string or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _replaced(source: str, marks: tuple[str, str], by: tuple[str, ...]) -> str:
    lines: list[str] = []
    inside = False
    for line in source.split("\n"):
        if line.strip() == marks[inside]:
            if not inside:
                indent = line[: len(line) - len(line.lstrip())]
                lines += [indent + each for each in by]
            inside = not inside
        elif not inside:
            lines.append(line)
    if inside:
        raise OptionError(f"a cell has {marks[0]} without {marks[1]}:\n{source}")
    return "\n".join(lines)
