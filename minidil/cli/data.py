"""`minidil data`: which data sets there are, and getting and checking their files."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import data
from minidil.cli.output import JSON_HELP, document
from minidil.cli.table import table
from minidil.data.cache import locate
from minidil.errors import DataError
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare `data list`, `data get` and `data check`."""
    parser = commands.add_parser("data", help="list, fetch and check data sets")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    action = actions.add_parser("list", help="the data sets that minidil knows, and which are on this machine")
    action.set_defaults(run=list_sets)
    action.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)

    action = actions.add_parser("get", help="fetch data sets")
    action.add_argument("names", nargs="+", choices=data.NAMES, metavar="NAME", help=", ".join(data.NAMES))
    action.set_defaults(run=get)

    action = actions.add_parser("check", help="hold the files of data sets against their checksums")
    action.add_argument(
        "names", nargs="*", choices=data.NAMES, metavar="NAME", help="default: all that are on this machine"
    )
    action.set_defaults(run=check)
    action.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def list_sets(args: argparse.Namespace) -> None:
    """Print one line for each set, and where the files belong."""
    with document(args.json) as content:
        content |= {"root": str(data.root()), "sets": []}
        rows = [("name", "on disk", "to fetch", "what it is; licence")]
        for name, source in data.SOURCES.items():
            size, present = sum(file.size for file in source.files), _present(name)
            entry = {"name": name, "present": present, "bytes": 0 if source.embedded else size}
            content["sets"].append(entry | {"title": source.title, "licence": source.licence})
            by_hand = not source.embedded and not all(file.mirrors for file in source.files)
            amount = "nothing" if source.embedded else f"{size / 1e6:.0f} MB" + " by hand" * by_hand
            rows.append((name, "yes" if present else "no", amount, f"{source.title}; {source.licence}"))
        print("\n".join(table(rows, "<<><", (3, 2))))
        print(fill(f"Files belong into {data.root()} (set MINIDIL_DATA to use another folder)."))


def get(args: argparse.Namespace) -> None:
    """Fetch the named sets."""
    for name in args.names:
        data.get(name)
        print(fill(f"{name}: complete in {data.path(name)}"))


def check(args: argparse.Namespace) -> None:
    """Print the state of every file. Raises: DataError, after the last line, if any is missing or damaged."""
    names = args.names or [name for name in data.NAMES if _present(name)]
    with document(args.json) as content:
        states = [(name, status) for name in names for status in data.check(name)]
        content["files"] = [{"set": name} | asdict(status) | {"path": str(status.path)} for name, status in states]
        for name, status in states:
            print(fill(f"{name:14} {status.state:8} {status.path}" + (f": {status.detail}" if status.detail else "")))
    bad = [status.name for _, status in states if status.state != "ok"]
    if bad:
        raise DataError(f"{len(bad)} of {len(states)} files are missing or damaged: {', '.join(bad)}")


def _present(name: str) -> bool:
    source = data.SOURCES[name]
    return all(locate(source, file).is_file() for file in source.files)
