"""Every place in the CUDA kernels where a barrier stands or a bound is checked, and copies of their modules without one of them.

A site is a `cuda.syncthreads()`, or a condition of an `if` in the code of a kernel; of conditions joined by `and`, each is one.
It is taken away by putting None, or True, in its place in the syntax tree, so that line numbers stay and reports can be read.
Its name is where it stands in the tree: the function, and the number of the barrier or of the condition there, from the top. So
a line can be written in other words, and the site keeps its name.
"""

import ast
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "minidil.kernels.cuda"
# The module to change: those to execute afresh after it, because they take something from it, and the cases that must notice.
SUITES = {
    "maps": (("maps", "elementwise"), ("elementwise",)),
    "copy": (("copy",), ("copy",)),
    "gather": (("gather",), ("gather",)),
    "device": (("device", "channel"), ("channel",)),
    "reduce": (("reduce",), ("reduce",)),
    "softmax": (("softmax",), ("softmax",)),
    "loss": (("loss",), ("loss",)),
    "channel": (("channel",), ("channel",)),
    "window": (("window", "pool", "conv", "conv_weight"), ("pool", "conv")),
    "pool": (("pool",), ("pool",)),
    "row": (("row",), ("row",)),
    "mixing": (("mixing",), ("mixing",)),
    "update": (("update",), ("update",)),
    "tiles": (("tiles", "gemm", "conv", "conv_weight"), ("gemm", "conv")),
    "gemm": (("gemm",), ("gemm",)),
    "conv": (("conv", "conv_weight"), ("conv",)),
    "conv_weight": (("conv_weight",), ("conv",)),
}


@dataclass(frozen=True)
class Site:
    """The `number`th barrier or condition of a function. line: where it stands today; it is no part of the name."""

    module: str
    function: str
    kind: str
    number: int
    line: int = field(compare=False)

    def __str__(self) -> str:
        return f"{self.module}-{self.function}-{self.kind}-{self.number}"


def sites(module: str) -> list[Site]:
    """All sites of a module, in the order of its text."""
    return [site for site, _ in _places(module, _tree(module))]


def without(site: Site) -> types.CodeType:
    """The module's code without this site."""
    tree = _tree(site.module)
    (remove,) = (remove for other, remove in _places(site.module, tree) if other == site)
    remove()
    ast.fix_missing_locations(tree)
    return compile(tree, str(_path(site.module)), "exec")


def load(module: str, monkeypatch: Any, code: types.CodeType | None = None) -> list[types.ModuleType]:
    """Fresh copies of a module, from this code or its own, and of those that depend on it."""
    copies = []
    package = import_module(PACKAGE)
    import_module(f"{PACKAGE}.namespace")  # now, since what is imported later would keep the copies for good
    for name in SUITES[module][0]:
        import_module(f"{PACKAGE}.{name}")
        copy = types.ModuleType(f"{PACKAGE}.{name}")
        copy.__package__ = PACKAGE
        copy.__file__ = str(_path(name))
        monkeypatch.setitem(sys.modules, copy.__name__, copy)
        monkeypatch.setattr(package, name, copy)
        own = compile(_path(name).read_text(), str(_path(name)), "exec")
        exec(code if name == module and code else own, vars(copy))
        copies.append(copy)
    return copies


def _path(module: str) -> Path:
    return Path(str(import_module(PACKAGE).__file__)).with_name(f"{module}.py")


def _tree(module: str) -> ast.Module:
    return ast.parse(_path(module).read_text())


def _places(module: str, tree: ast.Module) -> Iterator[tuple[Site, Any]]:
    """Every site with what removes it."""
    for name, function in _functions(tree, ""):
        if not _on_device(function):
            continue
        counts = {"barrier": 0, "condition": 0}
        for node, kind, remove in sorted(
            _in_function(function), key=lambda found: (found[0].lineno, found[0].col_offset)
        ):
            yield Site(module, name, kind, counts[kind], node.lineno), remove
            counts[kind] += 1


def _functions(node: ast.AST, outer: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """All functions with their names, those of functions inside others behind the name of the other."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield outer + child.name, child
            yield from _functions(child, f"{outer}{child.name}.")


def _on_device(function: ast.FunctionDef) -> bool:
    """Whether it is a kernel or a piece of one: by its decorator, or, inside a function that makes kernels, by its content."""
    decorators = {ast.unparse(decorator).split("(")[0] for decorator in function.decorator_list}
    if decorators & {"kernel", "inline"}:
        return True
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    inner = any(isinstance(node, ast.FunctionDef) for node in ast.walk(function) if node is not function)
    return not inner and not decorators and bool(names & {"thread_index", "cuda"})


def _in_function(function: ast.FunctionDef) -> Iterator[tuple[Any, str, Any]]:
    """Barriers and conditions: the node, which of both it is, and what removes it."""
    for node in ast.walk(function):
        if isinstance(node, ast.Expr) and _called(node.value) == "syncthreads":
            yield node, "barrier", lambda node=node: setattr(node, "value", ast.Constant(None))
        elif isinstance(node, ast.If | ast.IfExp):
            yield from _conditions(node, "test")
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Compare):
            yield from _conditions(node, "value")


def _called(node: ast.expr) -> str:
    """The name of the method that is called, if one is."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def _conditions(node: Any, field: str) -> Iterator[tuple[Any, str, Any]]:
    test = getattr(node, field)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        for i, part in enumerate(test.values):
            yield part, "condition", lambda i=i: test.values.__setitem__(i, ast.Constant(True))
    else:
        yield test, "condition", lambda: setattr(node, field, ast.Constant(True))
