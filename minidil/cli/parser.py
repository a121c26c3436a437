"""An argument parser whose errors are one line that says what was probably meant, and whose help keeps its paragraphs."""

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]

_SUGGESTIONS = 3


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """Up to three of `known` that a word was probably to be: what difflib finds near, then what begins with the word."""
    names = list(known)
    near = get_close_matches(word, names, _SUGGESTIONS)
    near += [name for name in names if word and name.startswith(word) and name not in near]
    return near[:_SUGGESTIONS]


def meant(word: str, known: Iterable[str]) -> str:
    """The end of an error about a word that is none of `known`: what was probably meant or, if nothing is near, all there are."""
    names = list(known)
    near = nearest(word, names)
    return _question(near) if near else f" (choose from {', '.join(names)})"


def _question(near: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(map(repr, near))}?"


class _Paragraphs(argparse.HelpFormatter):
    """argparse, but an empty line in a description or an epilog stays one."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(super(_Paragraphs, self)._fill_text(part, width, indent) for part in text.split("\n\n"))


class Parser(argparse.ArgumentParser):
    """argparse, but an error does not repeat the usage: it says what is wrong and where the options are listed.

    Options are written out: a shortened one would mean something else once there is a longer one that begins like it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.formatter_class, self.allow_abbrev = _Paragraphs, False

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (options: {self.prog} --help)\n")

    def parse_known_args(  # type: ignore[override]  # typeshed has an overload for each type of the namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As in argparse, but nothing may be left over: so the command that does not know an option is the one to say so."""
        known, rest = super().parse_known_args(args, namespace)
        if rest:
            word = next((word for word in rest if word.startswith("-")), "")
            flags = {flag.lstrip("-"): flag for action in self._actions for flag in action.option_strings}
            near = [flags[name] for name in nearest(word.lstrip("-").partition("=")[0], flags)]
            self.error(f"unrecognized arguments: {' '.join(rest)}{_question(near) if near else ''}")
        return known, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices and value != []:  # [] is "*" met by nothing
            raise argparse.ArgumentError(
                action, f"invalid choice: {value!r}{meant(str(value), map(str, action.choices))}"
            )
