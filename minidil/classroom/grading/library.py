"""Does a submission call the library's own solution? What its text names, and what its function was seen to call.

Neither is a proof of the contrary: a name can be put together at run time, and compiled code is not seen. And a name alone may
stand in a comparison that the student made. So this is told to the teacher, and costs no points by itself.
"""

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[2]
_CLASSROOM = "minidil.classroom"
_LONGEST = 200_000  # characters of a source that are looked at


def named(cells: Iterable[str], forbidden: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """Which of the forbidden dotted names some cells use, under whatever alias they, or the other cells, import them.

    And what they use of the classroom, where the exercises and their solutions are.
    """
    own = [_read(cell) for cell in cells]
    aliases = {alias: name for found, _ in [*map(_read, others), *own] for alias, name in found.items()}
    full = {_spelt_out(name, aliases) for _, used in own for name in used}
    full |= {name for found, _ in own for name in found.values()}
    wrong = [name for name in forbidden if name in full]
    return [*wrong, *sorted(name for name in full if name.startswith(_CLASSROOM) and name not in wrong)]


def called(seen: Iterable[str], forbidden: Iterable[str]) -> list[str]:
    """Which of the forbidden names stand for functions that were seen, as "ops/columns.py:unfold"."""
    there = set(seen)
    return [name for name in forbidden if (code := where(name)) and code in there]


def where(dotted: str) -> str:
    """File and name of the Python function, or of the class's `__init__`, that a dotted name of minidil stands for; or ""."""
    module, _, rest = dotted.partition(".")
    found: Any = importlib.import_module(module)
    for name in rest.split("."):
        if inspect.ismodule(found) and not hasattr(found, name):
            try:
                importlib.import_module(f"{found.__name__}.{name}")
            except ImportError:
                return ""
        found = getattr(found, name, None)
    if inspect.isclass(found):
        found = found.__init__
    code = getattr(inspect.unwrap(found) if callable(found) else None, "__code__", None)
    path = Path(code.co_filename) if code else Path()
    return (
        f"{path.relative_to(_PACKAGE).as_posix()}:{code.co_qualname}" if code and path.is_relative_to(_PACKAGE) else ""
    )


def _read(cell: str) -> tuple[dict[str, str], set[str]]:
    """What its aliases stand for, and the dotted names in it; nothing of what is not Python."""
    if len(cell) > _LONGEST:
        return {}, set()
    try:
        tree = ast.parse(_without_magics(cell))
        return _aliases(tree), set(_dotted(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, set()


def _without_magics(source: str) -> str:
    """IPython's own lines, which are not Python, as empty ones."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


def _aliases(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                found[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = next(_dotted(node.value), "") if isinstance(node.value, ast.Name | ast.Attribute) else ""
            if name and name != node.targets[0].id:
                found[node.targets[0].id] = name
    return found


def _dotted(tree: ast.AST) -> Iterator[str]:
    """Every a.b.c of a tree, the longest first."""
    for node in ast.walk(tree):
        parts: list[str] = []
        at = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if isinstance(at, ast.Name):
            yield ".".join([at.id, *reversed(parts)])


def _spelt_out(name: str, aliases: dict[str, str]) -> str:
    for _ in range(5):  # an alias of an alias
        first, dot, rest = name.partition(".")
        if aliases.get(first, first) == first:
            break
        name = aliases[first] + dot + rest
    return name
