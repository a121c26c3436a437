"""The students' folder: the notebooks to hand out, and a page that says how to begin."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from minidil.classroom import notebooks
from minidil.classroom.register import exercises
from minidil.errors import DataError, OptionError

README = """# Exercises

1. `pip install 'minidil[notebooks]'`
2. `jupyter lab` in this folder, and open a notebook.
3. Fill in the functions where it says `raise NotImplementedError()`. The cell below each one checks it, as often as you like:
   it shows the smallest case that fails, and `minidil.check("{name}", hint=1)` gives a hint (there are three).
4. Before you hand it in: "Restart kernel and run all cells". Keep the functions' names, and leave the checks as they are: others
   of the same kind take their place.

{table}
"""


def release(out: Path, chosen: Sequence[str] | None = None) -> list[Path]:
    """Copy the notebooks of these chapters (None: all) into a folder. Returns: what was written.

    Raises: OptionError, before anything is written, if the folder holds files already or a chapter has no exercises.
    """
    wanted = (
        [exercises(each)[0].chapter for each in chosen]
        if chosen
        else dict.fromkeys(each.chapter for each in exercises())
    )
    sources = [notebooks.of_chapter(each) for each in wanted]
    for each in sources:
        if "### BEGIN SOLUTION" in each.read_text("utf-8"):
            raise DataError(f"{each} holds solutions: it is an instructor's notebook")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OptionError(f"release {out}: is not an empty folder; what students may have changed is not overwritten")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for each in sources:
        shutil.copyfile(each, out / each.name)
        written.append(out / each.name)
    rows = ["| exercise | what to do | points | minutes |", "| --- | --- | --- | --- |"]
    asked = [each for each in exercises() if each.chapter in wanted]
    rows += [f"| {each.name} | {each.title} | {each.points} | {each.minutes} |" for each in asked]
    readme = out / "README.md"
    readme.write_text(README.format(name=asked[0].name, table="\n".join(rows)), encoding="utf-8")
    return [*written, readme]
