"""All exercises, by name and by chapter. A chapter's exercises are `EXERCISES` in a module of chapters/."""

import importlib
import pkgutil
from functools import cache

from minidil.classroom import chapters
from minidil.classroom.exercise import Exercise
from minidil.errors import OptionError


def exercise(name: str) -> Exercise:
    """Raises: OptionError, which says what there is, for an unknown name."""
    known = _all()
    if isinstance(name, str) and name in known:
        return known[name]
    of_chapter = [each for each in known if each.startswith(str(name)[:5])]
    there = f"chapter {str(name)[2:4]} has {', '.join(of_chapter)}" if of_chapter else f"there are {', '.join(known)}"
    raise OptionError(f"there is no exercise {name!r}; {there}")


def exercises(chapter: str | None = None) -> tuple[Exercise, ...]:
    """In order. chapter: "03" or "3"; None: all of them. Raises: OptionError for a chapter that has none."""
    found = tuple(_all().values())
    if chapter is None:
        return found
    of_chapter = tuple(each for each in found if each.chapter == str(chapter).zfill(2))
    if not of_chapter:
        there = ", ".join(dict.fromkeys(each.chapter for each in found))
        raise OptionError(f"chapter {chapter} has no exercises; those that have are {there}")
    return of_chapter


@cache
def _all() -> dict[str, Exercise]:
    names = sorted(module.name for module in pkgutil.iter_modules(chapters.__path__) if module.name.startswith("ch"))
    modules = [importlib.import_module(f"{chapters.__name__}.{name}") for name in names]
    return {each.name: each for module in modules for each in module.EXERCISES}
