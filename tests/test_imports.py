"""No file of the package imports itself, in whatever round-about way: not for the types alone, nor inside a function."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import minidil

ROOT = Path(minidil.__file__).parent


def modules(root: Path) -> dict[str, Path]:
    """The files of a package by the names of their modules."""
    found = {}
    for path in root.rglob("*.py"):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of `known` that a file names in its imports, wherever in it these stand."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:  # a module in the room, or else a name in the room's own file
                yield from [each for each in (f"{base}.{alias.name}", base) if each in known][:1]


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The sets of files of which each one leads to every other."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        seen: set[str] = set()
        pending = [*edges[start]]
        while pending:
            if (each := pending.pop()) not in seen:
                seen.add(each)
                pending.extend(edges[each])
        reached[start] = seen
    return {
        frozenset(other for other in reached[name] if name in reached[other]) for name in edges if name in reached[name]
    }


def edges_of(root: Path) -> dict[str, set[str]]:
    known = modules(root)
    return {name: set(imported(name, path, known)) for name, path in known.items()}


@pytest.mark.slow
def test_no_file_leads_back_to_itself() -> None:
    assert circles(edges_of(ROOT)) == set()


def test_every_kind_of_import_is_seen(tmp_path: Path) -> None:
    """A package with a circle for the types, one inside a function, one by a relative name, and a chain that is none."""
    texts = {
        "__init__": "",
        "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.b import B\n",
        "b": "def f():\n    import house.a\n",
        "room/__init__": "from .c import C\nimport numpy\n",
        "room/c": "from .. import room\n",
        "d": "from house import e, room\nfrom house.room import C\n",
        "e": "import house.room.c\n",
        "f": "from house import f\n",
    }
    for name, text in texts.items():
        path = tmp_path / "house" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    edges = edges_of(tmp_path / "house")
    assert edges["house.d"] == {"house.e", "house.room"}
    assert circles(edges) == {
        frozenset({"house.a", "house.b"}),
        frozenset({"house.room", "house.room.c"}),
        frozenset({"house.f"}),
    }


def test_the_layers_are_the_rooms_that_there_are() -> None:
    """import-linter holds the direction of imports against this list: a room that is missing from it would go unchecked."""
    config = ROOT.parent / "pyproject.toml"
    if not config.exists():
        pytest.skip("this is an installed package, without its pyproject.toml")
    contract, *_ = tomllib.loads(config.read_text())["tool"]["importlinter"]["contracts"]
    layers = [name.strip() for line in contract["layers"] for name in line.split("|")]
    rooms = {name for name in modules(ROOT) if name.count(".") == 1} - {"minidil.__main__"}
    assert sorted(layers) == sorted(rooms)
