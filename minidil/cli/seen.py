"""What an output of a network sees, for `minidil inspect`: a table, a picture and a page."""

import argparse
from pathlib import Path
from typing import Any

from minidil import viz
from minidil.analysis import Explorer, explore
from minidil.cli.output import check_file, check_picture
from minidil.cli.table import table
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.terminal import fill

_COLUMNS = ("layer", "kind", "output shape", "size", "jump", "start", "reached", "unseen")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to draw, and for which input."""
    parser.add_argument(
        "--input-shape",
        nargs="+",
        type=int,
        metavar="N",
        help="channels and positions of an input, as in 3 224 224 (default: what the network was made for)",
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw which positions of an input an output sees")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page on which kernels and dilations can be changed"
    )


def check_options(args: argparse.Namespace) -> None:
    """Raises: OptionError, before any work, if a file cannot be written or a shape is none."""
    if args.png:
        check_picture("--png", args.png)
    if args.html:
        check_file("--html", args.html)
    shape = args.input_shape
    if shape is not None and (len(shape) < 2 or min(shape) < 1):
        raise OptionError(
            f"--input-shape must be channels and positions, each >= 1, as in 3 224 224, got {_spaced(shape)}"
        )


def shape_of(args: argparse.Namespace, usual: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that was asked for, else the usual one."""
    return usual if args.input_shape is None else tuple(args.input_shape)


def refuse_options(args: argparse.Namespace, what: str) -> None:
    """Raises: OptionError if something is to be drawn of what is no network."""
    for name in ("png", "html", "input_shape"):
        if getattr(args, name) is not None:
            raise OptionError(f"--{name.replace('_', '-')}: {what} is no network, so there is nothing that it sees")


def show_seen(
    name: str, model: Module, shape: tuple[int, ...], args: argparse.Namespace, content: dict[str, Any]
) -> None:
    """Print the table, and write what was asked for.

    Raises: OptionError if something is to be drawn of a network about which nothing can be said; else that is printed.
    """
    try:
        if not model.casts:
            raise OptionError(f"{name} takes whole numbers, between which nothing changes gradually")
        found = explore(model, shape, name=name)
    except OptionError as error:
        if args.png or args.html:
            raise
        content["seen"] = None
        print("\n" + fill(f"what an output sees is not known: {error}"))
        return
    content["seen"] = found.as_dict()
    print("\n".join(["", *_lines(found)]))
    if args.png:
        viz.save(found.draw(), args.png)
        print(fill(f"drawn: {args.png}"))
    if args.html:
        found.save(args.html)
        print(fill(f"written: {args.html}"))


def _lines(found: Explorer) -> list[str]:
    rows = [_COLUMNS, *(layer.cells() for layer in found.layers())]
    return [*table(rows, "<<<>>>>>", (1, 2, 5, 4, 6)), "", *fill(found.note()).splitlines()]


def _spaced(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))
