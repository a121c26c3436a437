"""The arrays that the house is built on: one type, said once."""

import ast
from pathlib import Path

import minidil

HOUSE = Path(minidil.__file__).parent


def assigned(path):
    """The names that a file gives at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_the_type_of_arrays_is_said_once():
    said = {path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py") if "Array" in assigned(path)}
    # In the source of a CUDA kernel an array is what numba.cuda makes of it, which mypy knows nothing of.
    assert said == {"array.py", "kernels/cuda/grid.py"}
