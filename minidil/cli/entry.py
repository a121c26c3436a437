"""Where every command starts and every error ends.

Each command is a module of this package with `add(commands)`, which declares its options, and `run(args)`. Whatever minidil
or the operating system refuses ends as one line on standard error and exit code 2; Ctrl-C ends with 130, and a reader of the
output that leaves early with 141. `run` may return an exit code of its own.
"""

import os
import sys
from collections.abc import Sequence

from minidil import __version__
from minidil.cli import (
    bench,
    book,
    data,
    deploy,
    doctor,
    evaluate,
    exercises,
    export,
    inspect,
    plan,
    plot,
    predict,
    prune,
    sweep,
    train,
    weights,
)
from minidil.cli.completion import SHELLS, PrintCompletion
from minidil.cli.parser import Parser
from minidil.cli.refusal import one_line, refuse
from minidil.errors import MinidilError

_COMMANDS = (
    train,
    evaluate,
    predict,
    inspect,
    export,
    plan,
    data,
    weights,
    deploy,
    prune,
    sweep,
    plot,
    bench,
    doctor,
    exercises,
    book,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; argv: its words, by default those of the process. Returns the exit code."""
    parser = Parser(prog="minidil", description="Train small networks with dilated convolutions, and look at them.")
    parser.add_argument("-V", "--version", action="version", version=f"minidil {__version__}")
    parser.add_argument(
        "--print-completion",
        action=PrintCompletion,
        choices=SHELLS,
        help="print a script that completes commands and options in that shell",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    try:
        args = parser.parse_args(argv)
        code: int | None = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has gone, as in `minidil data list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as if SIGPIPE had ended the process
    except (MinidilError, OSError, MemoryError) as error:
        return refuse(one_line(error), 2)
    except KeyboardInterrupt as stop:
        return refuse(str(stop) or "interrupted", 130)
    return code or 0
