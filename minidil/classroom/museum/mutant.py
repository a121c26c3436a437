"""A mutant: one function of the library with a mistake in it, and how it takes the place of the right one.

What is exchanged is the code *inside* the function: the function itself stays the object that it was, so whoever imported it,
wrapped it or keeps it in a table calls the mistake too, however it came by it.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

from minidil.errors import OptionError

_NUMPY_KERNELS = "minidil.kernels.reference."


@dataclass(frozen=True)
class Mutant:
    """One exhibit of the museum.

    name: what it is called on the command line. chapter: the chapter that teaches what it gets wrong, "02".
    met_in: the public function, class or method through which a test meets it.
    replaces: the dotted name of the function that is wrong.
    right: an expression, or statements that follow each other, which stand once in that function, however they are laid out.
    wrong: what the mutant has there instead.
    says: in two sentences what goes wrong, with numbers.
    origin: where the mistake was made: an issue, a source file or a paper, or that it is a common one without a single source.
    """

    name: str
    chapter: str
    met_in: str
    replaces: str
    right: str
    wrong: str
    says: str
    origin: str

    @property
    def in_numpy_only(self) -> bool:
        """Whether the function is a NumPy kernel, in whose place another backend may have one of its own."""
        return self.replaces.startswith(_NUMPY_KERNELS)

    def source(self) -> str:
        """The function with the mistake in it, as one reads it.

        Raises: OptionError if there is no such function any more, or `right` does not stand in it exactly once.
        """
        return _spliced(self, textwrap.dedent(inspect.getsource(self.function())))

    def function(self) -> FunctionType:
        """The library's function, which is right unless the mutant is planted."""
        found, rest = _imported(self.replaces)
        try:
            for name in rest:
                found = inspect.getattr_static(found, name)
        except AttributeError:
            raise OptionError(f"museum: {self.name} replaces {self.replaces}, which is no longer there") from None
        for inside in ("fget", "func", "__func__"):
            found = getattr(found, inside, found) if not inspect.isfunction(found) else found
        found = inspect.unwrap(found)
        if not isinstance(found, FunctionType):
            raise OptionError(f"museum: {self.name} replaces {self.replaces}, which is no function written in Python")
        return found


def changed_lines(mutant: Mutant) -> tuple[list[str], list[str]]:
    """The lines of the function that the mutant changes, and what it makes of them, without what all are indented by."""
    right = textwrap.dedent(inspect.getsource(mutant.function())).splitlines()
    wrong = mutant.source().splitlines()
    before = next(i for i, (one, other) in enumerate(zip(right, wrong, strict=False)) if one != other)
    after = next(
        i for i, (one, other) in enumerate(zip(reversed(right), reversed(wrong), strict=False)) if one != other
    )
    pair = right[before : len(right) - after], wrong[before : len(wrong) - after]
    text = textwrap.dedent("\n".join(pair[0] + pair[1])).splitlines()
    return text[: len(pair[0])], text[len(pair[0]) :]


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """The library makes the mistake in this block."""
    function = mutant.function()
    right = function.__code__
    plant(mutant)
    try:
        yield
    finally:
        function.__code__ = right


def plant(mutant: Mutant) -> None:
    """The library makes the mistake from now on."""
    function = mutant.function()
    function.__code__ = _compiled(function, mutant.source())


def _imported(dotted: str) -> tuple[Any, list[str]]:
    """The innermost module of a dotted name, and the names that are left."""
    parts = dotted.split(".")
    module, used = import_module(parts[0]), 1
    while used < len(parts):
        try:
            module = import_module(".".join(parts[: used + 1]))
        except ModuleNotFoundError:
            break
        used += 1
    return module, parts[used:]


def _spliced(mutant: Mutant, source: str) -> str:
    """The source with `wrong` in the place of `right`. Both are compared as syntax trees and exchanged as text."""
    wanted = ast.parse(textwrap.dedent(mutant.right)).body
    places = _places(ast.parse(source), wanted)
    if len(places) != 1:
        raise OptionError(
            f"museum: {mutant.name} replaces a line that must stand once in {mutant.replaces}, and stands there "
            f"{len(places)} times: {mutant.right}"
        )
    first, last = places[0]
    lines = source.encode().splitlines(keepends=True)  # columns of a syntax tree count bytes
    start = sum(map(len, lines[: first.lineno - 1])) + first.col_offset
    end = sum(map(len, lines[: last.end_lineno - 1])) + last.end_col_offset
    wrong, text = inspect.cleandoc(mutant.wrong), source.encode()
    line = source.splitlines()[first.lineno - 1]
    wrong = wrong.replace("\n", "\n" + line[: len(line) - len(line.lstrip())])
    rest = text[end:].decode()
    if isinstance(first, ast.stmt):
        rest = re.sub(r"\A *#.*", "", rest)  # a comment on the right line says nothing of the wrong one
    return text[:start].decode() + wrong + rest


def _places(tree: ast.Module, wanted: list[ast.stmt]) -> list[tuple[Any, Any]]:
    """The first and the last node of every place where the expression, or the statements, stand."""
    if len(wanted) == 1 and isinstance(wanted[0], ast.Expr):
        text = ast.dump(wanted[0].value)
        return [(node, node) for node in ast.walk(tree) if isinstance(node, ast.expr) and ast.dump(node) == text]
    texts, found = list(map(ast.dump, wanted)), []
    for node in ast.walk(tree):
        for _, block in ast.iter_fields(node):
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                dumped = list(map(ast.dump, block))
                for start in range(len(block) - len(texts) + 1):
                    if dumped[start : start + len(texts)] == texts:
                        found.append((block[start], block[start + len(texts) - 1]))
    return found


def _compiled(function: FunctionType, source: str) -> CodeType:
    """The code of a function with this source, to be run with the globals of the one that it replaces.

    It claims the file and the line of the right one: a test is to find the mistake by what the library computes.
    """
    right = function.__code__
    tree = ast.parse(source)
    *classes, _ = function.__qualname__.split(".")
    for name in reversed(classes):  # so that super() and names with two underscores mean what they do there
        around = ast.parse(f"class {name}: pass")
        outer = around.body[0]
        assert isinstance(outer, ast.ClassDef)
        outer.body = tree.body
        tree = around
    ast.increment_lineno(tree, right.co_firstlineno - 1)
    flags = __future__.annotations.compiler_flag
    code = compile(tree, right.co_filename, "exec", flags=flags, dont_inherit=True)
    for name in (*classes, function.__name__):
        code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name)
    return code
