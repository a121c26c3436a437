"""Looking a name of PyTorch's up: what it is here, or what is said instead."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NoReturn

from minidil.errors import NoSuchNameError
from minidil.names import of_data, of_functional, of_layers, of_optimizers, of_package, of_tensors
from minidil.names.left_out import REASONS
from minidil.names.words import NUMBER_TYPES, WORDS

HINTS: dict[str, dict[str, str]] = {
    "functional": of_functional.HINTS,
    "minidil": of_package.HINTS,
    "Tensor": of_tensors.HINTS,
    "nn": of_layers.LAYERS,
    "nn.init": of_layers.INITIALISERS,
    "nn.utils": of_layers.UTILITIES,
    "Module": of_layers.MODULE,
    "Optimizer": of_optimizers.METHODS,
    "data": of_data.HINTS,
    "data.transforms": of_data.TRANSFORMS,
    "optim": of_optimizers.OPTIMIZERS,
    "optim.lr_scheduler": of_optimizers.SCHEDULERS,
    "schedule": of_optimizers.SCHEDULES,
}


def of_room(room: str, name: str, *places: Any) -> Any:
    """What `room.name` is, where the room itself does not have it: the alias, found in the first place that has our word.

    Raises: NoSuchNameError, an AttributeError, that says what to write instead, or what is spelt nearly like it.
    """
    if (
        name == "__path__"
    ):  # as a package has it: only of a package's names does `from room import name` ask modules.Finder
        return []
    if name.startswith("_"):
        raise AttributeError(f"module {room!r} has no attribute {name!r}")
    if f"{room}.{name}" in HINTS:
        return Hints(f"{room}.{name}")
    word = WORDS.get(room, {}).get(name, name)
    for place in places:
        if word in vars(place):
            return vars(place)[word]
        if room == "minidil" and place is not places[0] and word in WORDS["functional"]:
            return vars(place)[WORDS["functional"][word]]
    raise _refusal(room, name, [known for place in places for known in dir(place)])


def of_tensor(tensor: Any, name: str) -> Any:
    """The same for a tensor: one of its methods under PyTorch's name."""
    if name.startswith("_"):
        raise AttributeError(f"{type(tensor).__name__!r} object has no attribute {name!r}")
    if name in NUMBER_TYPES:
        return lambda: tensor.astype(NUMBER_TYPES[name])
    word = WORDS["Tensor"].get(name)
    if word is not None:
        return getattr(tensor, word)
    raise _refusal("Tensor", name, dir(type(tensor)))


def of_object(room: str, thing: Any, name: str) -> NoReturn:
    """What is said of an attribute that a module or an optimizer has in PyTorch, and not here. Raises: an AttributeError."""
    if (
        said := HINTS[room].get(name) or next((s for p, s in HINTS[room].items() if fnmatchcase(name, p)), None)
    ) is None:
        raise AttributeError(f"{type(thing).__name__!r} object has no attribute {name!r}")
    raise NoSuchNameError(f"{type(thing).__name__} has no {name!r}; {said}")


class Hints:
    """A module of PyTorch's that has no counterpart, such as optim.lr_scheduler: each of its names says what to write."""

    def __init__(self, room: str) -> None:
        self._room = room

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _refusal(self._room, name, [])


def hint(room: str, name: str) -> str | None:
    """What to write for a name of PyTorch's that is none here, or why there is nothing to write; None if it is unknown."""
    for pattern, sentence in HINTS.get(room, {}).items():
        if fnmatchcase(name, pattern):
            return sentence
    for reason, patterns in REASONS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns.split()):
            return f"minidil leaves it out: {reason}"
    return None


def nearest(name: str, known: Iterable[str]) -> str:
    """A question in brackets if something is spelt nearly like the name, else nothing."""
    close = get_close_matches(name, [word for word in known if not word.startswith("_")], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _refusal(room: str, name: str, known: Iterable[str]) -> NoSuchNameError:
    rooms = (room, "functional", "Tensor") if room == "minidil" else (room,)
    said = next((found for place in rooms if (found := hint(place, name))), None)
    return NoSuchNameError(f"{room} has no {name!r}" + (f"; {said}" if said else nearest(name, known)))
