"""The pages around the code: one version, links that lead somewhere, and types for whoever installs it."""

import re
import tomllib
from pathlib import Path

import pytest

import minidil as md

PACKAGE = Path(md.__file__).parent
ROOT = PACKAGE.parent
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
of_the_source = pytest.mark.skipif(not PAGES[1].exists(), reason="this is an installed package, without its documents")


def test_type_checkers_are_told_that_there_are_types() -> None:
    assert (PACKAGE / "py.typed").read_bytes() == b""
    assert (PACKAGE / "functional.pyi").is_file()


@of_the_source
def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (cited,) = re.findall(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert md.__version__ == project["version"] == cited
    assert md.__version__ in (ROOT / "CHANGELOG.md").read_text()


@of_the_source
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


@of_the_source
def test_the_map_of_the_house_names_rooms_that_there_are() -> None:
    rooms = re.findall(r"`(minidil/[a-z_/.]+)`", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(rooms) > 12
    assert [room for room in rooms if not (ROOT / room).exists()] == []
