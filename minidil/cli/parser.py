"""An argument parser whose errors are one line, and whose help keeps its paragraphs."""

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction["Parser"]


class _Paragraphs(argparse.HelpFormatter):
    """argparse, but an empty line in a description or an epilog stays one."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(super(_Paragraphs, self)._fill_text(part, width, indent) for part in text.split("\n\n"))


class Parser(argparse.ArgumentParser):
    """argparse, but an error does not repeat the usage: it says what is wrong and where the options are listed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"formatter_class": _Paragraphs} | options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (options: {self.prog} --help)\n")
