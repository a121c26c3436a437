"""Running a student's notebook in a fresh kernel, and checking what it defines."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from minidil.classroom.notebooks import solves, text
from minidil.classroom.register import exercises
from minidil.errors import BackendError, CheckFailed, DataError

_SECONDS = 60  # for one cell
_MARK = "minidil-results:"
_CHECKS = """
def _minidil_results(names):
    import json, minidil
    results = []
    for name, function in names:
        if function in globals():
            results.append(minidil.check(name, globals()[function]).as_dict())
        else:
            results.append({{"exercise": name, "passed": False, "kind": "missing", "message": function}})
    print({mark!r} + json.dumps(results))

_minidil_results({names!r})
"""


def results(path: Path, chapter: str) -> list[dict[str, Any]]:
    """Run the cells of a notebook, whatever they raise, and check the functions of a chapter's exercises.

    Cells that only check are left out, since all are checked at the end, and noted in the folder's progress.
    Raises: DataError if the file is no notebook, BackendError if nbclient is missing, CheckFailed if the kernel dies.
    """
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise BackendError("running a notebook needs nbclient: pip install 'minidil[classroom]'") from error
    try:
        notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat lets out whatever it stumbles over
        raise DataError(f"{path} is no notebook: {type(error).__name__}") from error
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not _only_checks(cell)]
    names = [(each.name, each.function) for each in exercises(chapter)]
    last = nbformat.v4.new_code_cell(_CHECKS.format(mark=_MARK, names=names))  # type: ignore[no-untyped-call]
    notebook.cells.append(last)
    client = NotebookClient(
        notebook,
        timeout=_SECONDS,
        interrupt_on_timeout=True,
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute(stderr=subprocess.DEVNULL)  # what a kernel says of its own
    except (CellTimeoutError, DeadKernelError) as error:
        raise CheckFailed(f"{path}: its kernel died or did not answer within {_SECONDS} s in a cell") from error
    printed = "".join(output.get("text", "") for output in last.outputs)
    line = next((line for line in printed.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise CheckFailed(f"{path}: the checks did not run to their end in its kernel")
    found: list[dict[str, Any]] = json.loads(line.removeprefix(_MARK))
    errors = {solves(cell): _error(cell) for cell in notebook.cells}
    for each in found:
        if each["kind"] == "missing":
            name, function = each["exercise"], each["message"]
            why = (
                f"its cell stops with {errors[name]}" if errors.get(name) else "is it called so, and is its cell there?"
            )
            each["message"] = f"not yet: {name}\nThere is no function {function}: {why}"
    return found


def _error(cell: Any) -> str:
    """The last line of what a cell raised, or nothing."""
    raised = [output for output in cell.get("outputs", []) if output.output_type == "error"]
    if not raised:
        return ""
    said = re.sub(r"\(\d+\.py, line", "(line", raised[0].evalue)  # a cell's file is known to its kernel only
    return f"{raised[0].ename}: {said}"


def _only_checks(cell: Any) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade")) and "minidil.check(" in text(cell)
