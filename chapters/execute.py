"""Execute chapters in place, each in a fresh kernel: `python chapters/execute.py 02_dilation.ipynb ...`, or all of them.

What is saved is the text, the code and its outputs, and nothing that changes from run to run: cell ids are counted, and time
stamps, kernel versions, progress bars and the line that excuses a wait for the compiler are left out. Executing a chapter twice
on one machine gives the same bytes, but for cells tagged "timing", and chapter 9, which measures times. On another machine the
last digits of a sum may differ: cells that print such digits are tagged "rounding", and a picture may differ in a pixel.

A cell tagged "parameters" begins with numbers that a reader may change. Its metadata list what else they may be, as code:
"alternatives": [{"d": "3"}, {"d": "1"}]. `execute(path, 0)` runs a chapter with the first entry of every such list.

A cell whose metadata have "alt" draws a figure, and "alt" says in words what it shows: it is stored with the picture, where
programs that turn notebooks into pages look for it. A cell tagged "hide-input" only draws, and is folded.
"""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 600  # for one cell


def execute(source: Path, choice: int | None = None) -> Any:
    """The notebook with fresh outputs, with the settings that are stored or those of an alternative.

    Raises: nbclient's CellExecutionError where a cell fails.
    """
    notebook = nbformat.read(source, as_version=4)
    if choice is not None:
        notebook = with_settings(notebook, choice)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # Warnings are errors in the kernel as well: what a reader sees is clean.
    environment = os.environ | {
        "PYTHONWARNINGS": "error::RuntimeWarning,error::DeprecationWarning:__main__",
        "TQDM_DISABLE": "1",
    }
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}
    )
    client.execute(env=environment)
    return tidy(notebook)


def with_settings(notebook: Any, choice: int) -> Any:
    """The notebook with the given alternative in every cell that is tagged "parameters".

    Raises: LookupError if a cell does not assign what it lists, or lists too few.
    """
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = _reassigned(cell.source, cell.metadata["alternatives"][choice])
    return notebook


def _reassigned(source: str, values: dict[str, str]) -> str:
    """The source with other right-hand sides in its first assignments to these names."""
    for name, value in values.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
                lines = source.encode().splitlines(keepends=True)
                first, last = (
                    sum(map(len, lines[: line - 1])) for line in (node.value.lineno, node.value.end_lineno or 0)
                )
                before, after = first + node.value.col_offset, last + (node.value.end_col_offset or 0)
                whole = source.encode()
                source = (whole[:before] + value.encode() + whole[after:]).decode()
                break
        else:
            raise LookupError(f"no line of its own assigns {name} in this cell:\n{source}")
    return source


def tidy(notebook: Any) -> Any:
    """The same notebook without what differs from one run to the next."""
    notebook.metadata = {key: value for key, value in notebook.metadata.items() if key == "minidil"} | {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:03d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "alternatives", "alt")}
        if cell.cell_type == "code":
            described = {"alt": cell.metadata["alt"]} if "alt" in cell.metadata else {}
            if "hide-input" in cell.metadata.get("tags", []):
                cell.metadata["jupyter"] = {"source_hidden": True}
            cell.outputs = [output for output in map(without_waiting, merged(cell.outputs)) if output.get("text") != ""]
            for output in cell.outputs:
                if "metadata" in output:
                    pictures = [kind for kind in output.data if kind.startswith("image/")]
                    output.metadata = {kind: described for kind in pictures if described}
    return notebook


def without_waiting(output: Any) -> Any:
    """The output without the line that says why nothing happens for a while: whether it comes is a matter of the machine."""
    if output.output_type == "stream":
        lines = output.text.splitlines(keepends=True)
        output.text = "".join(line for line in lines if not line.startswith("compiling the "))
    return output


def merged(outputs: list[Any]) -> list[Any]:
    """Adjacent pieces of one stream as one output: how a stream is cut into messages is a matter of timing."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def main(names: list[str]) -> None:
    """Execute the named chapters, or all of them, and save them."""
    for path in [HERE / Path(name).name for name in names] or sorted(HERE.glob("*.ipynb")):
        print(path.name, flush=True)
        nbformat.write(execute(path), path)


if __name__ == "__main__":
    main(sys.argv[1:])
