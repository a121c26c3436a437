"""The pages of the reference: one for every room with public names, made of the docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import docstrings
from sphinx.application import Sphinx
from sphinx.util.inspect import signature, stringify_signature

ROOMS = (
    "minidil",
    "minidil.functional",
    "minidil.nn",
    "minidil.nn.init",
    "minidil.optim",
    "minidil.schedule",
    "minidil.data",
    "minidil.data.transforms",
    "minidil.train",
    "minidil.models",
    "minidil.analysis",
    "minidil.deploy",
    "minidil.detect",
    "minidil.text",
    "minidil.tasks.segmentation",
    "minidil.tasks.entities",
    "minidil.tasks.language",
    "minidil.tasks.memory",
    "minidil.tasks.sentiment",
    "minidil.tasks.sound",
    "minidil.tasks.video",
    "minidil.storage.checkpoint",
    "minidil.testing",
    "minidil.viz",
    "minidil.classroom",
    "minidil.emulator",
    "minidil.errors",
)


def public(room: ModuleType) -> list[str]:
    """The names that a room offers: those it lists, or else the functions and classes that it defines itself."""
    if hasattr(room, "__all__"):
        return [name for name in room.__all__ if not inspect.ismodule(getattr(room, name))]
    return [name for name, it in vars(room).items() if not name.startswith("_") and _made_here(room, it)]


def _made_here(room: ModuleType, it: object) -> bool:
    """Whether it was made in that room: by a definition, or by lifting an op."""
    defined = (inspect.isfunction(it) or inspect.isclass(it)) and it.__module__ == room.__name__
    return defined or (room.__name__ == "minidil.functional" and hasattr(it, "__wrapped__"))


def page(room: ModuleType, told: dict[int, str]) -> str:
    """The page of a room: what it is for, a table of its names, and each with its docstring.

    told: where classes and functions of earlier rooms stand, by their identity; those of this room are added.
    """
    name, names = room.__name__, sorted(public(room), key=str.lower)
    places = {each: told.get(id(getattr(room, each)), f"{name}.{each}") for each in names}
    about = docstrings.as_rst(inspect.getdoc(room).splitlines())  # type: ignore[union-attr]  # every room has one
    lines = [name, "=" * len(name), "", *about, f".. py:module:: {name}", ""]
    lines += [".. list-table::", "   :widths: 25 75", ""]
    for each in names:
        lines += [f"   * - :py:obj:`{each} <{places[each]}>`", f"     - {_first_sentence(getattr(room, each))}"]
    for each in names:
        if places[each] == f"{name}.{each}":
            lines += ["", *_entry(places[each], getattr(room, each))]
    told |= {id(getattr(room, each)): places[each] for each in names if callable(getattr(room, each))}
    return "\n".join(lines) + "\n"


def _first_sentence(it: object) -> str:
    if not (inspect.isclass(it) or inspect.isroutine(it)):
        return docstrings.escaped(f"A {type(it).__name__}.")
    return docstrings.escaped((inspect.getdoc(it) or "").split("\n\n")[0].split("\n")[0])


def _entry(path: str, it: object) -> list[str]:
    if inspect.isclass(it):
        return [f".. autoclass:: {path}", "   :members:", ""]
    if inspect.isroutine(it):
        return [f".. autofunction:: {path}", ""]
    return [f".. py:data:: {path}", f"   :type: {type(it).__name__}", ""]


def _write(app: Sphinx, _config: object) -> None:
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    told: dict[int, str] = {}
    for name in ROOMS:
        (folder / f"{name}.rst").write_text(page(importlib.import_module(name), told), encoding="utf-8")


def _mend(_app: Sphinx, _what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    lines[:] = docstrings.as_rst(lines)


def _mend_signature(
    _app: Sphinx, what: str, _name: str, it: Any, _options: object, arguments: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Layers are made by a class of classes that takes anything: what they take stands in `__init__`.

    A function that is a default is shown by its name.
    """
    if what == "class" and re.match(r"\(\*args: \S+, \*\*kwargs:", arguments or ""):
        made = signature(it.__init__, bound_method=True)
        arguments = stringify_signature(made, unqualified_typehints=True, show_return_annotation=False)
    return arguments and re.sub(
        r"<function (\w+)(?: at 0x\w+)?>", r"\1", arguments
    ), None if what == "class" else returns


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", _write)
    app.connect("autodoc-process-docstring", _mend)
    app.connect("autodoc-process-signature", _mend_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
