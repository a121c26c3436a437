"""Make the students' notebooks of the instructors': `python chapters/exercises/make.py`.

source/NN_name.ipynb holds everything; NN_name.ipynb beside this file is the same without solutions, hidden tests and outputs.
Edit the source, in JupyterLab or any editor, then run this. A test compares.
"""

import json
from pathlib import Path

from minidil.classroom.notebooks import for_students

HERE = Path(__file__).parent


def made(source: Path) -> str:
    """The student's notebook as text."""
    notebook = for_students(json.loads(source.read_text("utf-8")))
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write a student's notebook for every instructor's."""
    for source in sorted((HERE / "source").glob("*.ipynb")):
        (HERE / source.name).write_text(made(source), encoding="utf-8")
        print(source.name)


if __name__ == "__main__":
    main()
