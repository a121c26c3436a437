"""Write minidil/functional.pyi and minidil/calls/methods.pyi: what editors and mypy see of the functions that `lift` makes.

Run it after changing an op: python docs/make_stubs.py
"""

import inspect
import re
import textwrap
from pathlib import Path
from types import FunctionType as Function
from typing import Any

from minidil import functional
from minidil.calls import methods

_IMPORTS = """
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike

from minidil.calls.found import Found
"""

HEAD = f'''"""Written by docs/make_stubs.py from the signatures and docstrings of minidil.functional."""
{_IMPORTS}from minidil.array import Array
from minidil.kernels.geometry import Ints, Padding
from minidil.operand import Operand
from minidil.ops.common import Axis, Scalar
from minidil.ops.norm import Observer
from minidil.tensor import Tensor
'''

METHODS = f'''"""Written by docs/make_stubs.py from the signatures and docstrings of minidil.calls.methods."""
{_IMPORTS}from minidil.calls.recorded import Recorded
from minidil.operand import Operand
from minidil.ops.common import Axis, Scalar
from minidil.tensor import Tensor

class Methods(Recorded):
'''

# What is given decides what comes out.
_EXTREME = '''@overload
def {name}({x}, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """{document}"""
@overload
def {name}({x}, dim: int, keepdim: bool = False) -> Found[Tensor]: ...
@overload
def {name}({x}, other: Tensor | np.ndarray[Any, Any]) -> Tensor: ...
'''
_UNARY = ("__neg__", "__abs__", "__invert__")


def stub() -> str:
    """The text of the stub of `functional`: every public function, in the order of the source."""
    functions = [
        _declaration(name, f)
        for name, f in vars(functional).items()
        if inspect.isfunction(f) and name[0] != "_" and name not in ("lift", "understood", "as_tensor")
    ]
    return "\n".join([HEAD, *functions, "def __getattr__(name: str) -> Any: ...", ""])


def stub_of_methods() -> str:
    """The text of the stub of `Methods`: its operators, and its methods with the operand that they belong to as self."""
    parts = []
    for name, f in vars(methods.Methods).items():
        if name.startswith("__") and callable(f) and name != "__hash__":
            takes = (
                "self"
                if name in _UNARY
                else "self, other: object"
                if name in ("__eq__", "__ne__")
                else "self, other: Operand"
            )
            ignored = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
            parts.append(f"def {name}({takes}) -> Tensor: ...{ignored}")
        elif inspect.isfunction(f):
            parts.append(_declaration(name, f, method=True))
    return METHODS + textwrap.indent("\n".join(parts), "    ").rstrip() + "\n"


def _declaration(name: str, function: Function, method: bool = False) -> str:
    parameters = list(inspect.signature(function).parameters.values())
    shown = ["self" if method and not i else _parameter(p) for i, p in enumerate(parameters)]
    document = textwrap.indent(inspect.getdoc(function) or "", "    ").lstrip()
    closing = "" if "\n" not in document else "\n    "
    document = document.rstrip() + closing
    if name in ("max", "min"):
        return _EXTREME.format(name=name, x=shown[0], document=document)
    named_only = [i for i, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY]
    if named_only:
        shown.insert(named_only[0], "*")
    result = function.__annotations__.get("return", "Tensor")
    return f'def {name}({", ".join(shown)}) -> {result}:\n    """{document}"""\n'


def _parameter(p: inspect.Parameter) -> str:
    # An option that an op gets as an array may be a tensor in a call.
    kind = re.sub(r"\bArray\b", "Tensor | Array", p.annotation)
    star = "*" if p.kind is p.VAR_POSITIONAL else ""
    return f"{star}{p.name}: {kind}" + ("" if p.default is p.empty else f" = {p.default!r}")


def stubs() -> dict[Path, str]:
    """Every stub, and its text."""
    made: list[tuple[Any, str]] = [(functional, stub()), (methods, stub_of_methods())]
    return {Path(module.__file__).with_suffix(".pyi"): text for module, text in made}


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
        print(path.name, "written")
