"""Execute chapters in place, each in a fresh kernel: `python chapters/execute.py 02_dilation.ipynb ...`, or all of them.

What is saved is the text, the code and its outputs, and nothing that changes from run to run: cell ids are counted, and time
stamps, kernel versions and progress bars are left out. Executing a chapter twice gives the same bytes; only chapter 9, which
measures times, prints and draws others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
SECONDS = 600  # for one cell


def execute(source: Path) -> Any:
    """The notebook with fresh outputs. Raises nbclient's CellExecutionError where a cell fails."""
    notebook = nbformat.read(source, as_version=4)
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


def tidy(notebook: Any) -> Any:
    """The same notebook without what differs from one run to the next."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:03d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type == "code":
            cell.outputs = merged(cell.outputs)
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = {}
    return notebook


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
