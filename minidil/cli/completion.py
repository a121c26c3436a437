"""`minidil --print-completion SHELL`: a script with which the shell completes commands, options and files."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")


class PrintCompletion(argparse.Action):
    """Print the script for a shell, made by the package shtab, and leave."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: object, shell: Any, flag: str | None = None) -> None:
        try:
            import shtab
        except ImportError:
            parser.exit(2, f"{parser.prog}: {flag} needs shtab; pip install 'minidil[completion]'\n")
        for action in _actions(parser):
            if action.type is Path:
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        print(shtab.complete(parser, shell=shell))
        parser.exit()


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All options and positional arguments, those of the commands included."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
