"""Write minidil/functional.pyi: what editors and mypy see of the functions that `lift` makes. Run it after changing an op.

python docs/make_stubs.py
"""

import inspect
import re
import textwrap
from pathlib import Path
from types import FunctionType as Function

from minidil import functional

HEAD = '''"""Written by docs/make_stubs.py from the signatures and docstrings of minidil.functional."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array
from minidil.kernels.geometry import Ints, Padding
from minidil.operand import Operand
from minidil.ops.common import Axis, Scalar
from minidil.ops.norm import Observer
from minidil.tensor import Sorted, Tensor
'''


def stub() -> str:
    """The text of the stub: every public function, in the order of the source."""
    functions = [
        f for name, f in vars(functional).items() if inspect.isfunction(f) and name[0] != "_" and name != "lift"
    ]
    return "\n".join([HEAD, *map(_declaration, functions), "def __getattr__(name: str) -> Any: ...", ""])


def _declaration(function: Function) -> str:
    parameters = list(inspect.signature(function).parameters.values())
    shown = [_parameter(p) for p in parameters]
    named_only = [i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY]
    if named_only:
        shown.insert(named_only[0], "*")
    result = "Tensor" if hasattr(function, "__wrapped__") else function.__annotations__["return"]
    document = textwrap.indent(inspect.getdoc(function) or "", "    ").lstrip()
    closing = '"""' if "\n" not in document else '\n    """'
    return f'def {function.__name__}({", ".join(shown)}) -> {result}:\n    """{document.rstrip()}{closing}\n'


def _parameter(p: inspect.Parameter) -> str:
    # An option that an op gets as an array may be a tensor in a call.
    kind = re.sub(r"\bArray\b", "Tensor | Array", p.annotation)
    star = "*" if p.kind is p.VAR_POSITIONAL else ""
    return f"{star}{p.name}: {kind}" + ("" if p.default is p.empty else f" = {p.default!r}")


if __name__ == "__main__":
    path = Path(functional.__file__).with_suffix(".pyi")
    path.write_text(stub(), encoding="utf-8")
    print(path.name, "written")
