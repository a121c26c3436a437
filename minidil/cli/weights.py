"""`minidil weights`: trained networks that others publish as packages, and converting them to minidil's files."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil.cli.output import JSON_HELP, document
from minidil.cli.table import table
from minidil.errors import OptionError
from minidil.models import packages
from minidil.terminal import fill

if TYPE_CHECKING:
    from minidil.cli.parser import Commands


def add(commands: "Commands") -> None:
    """Declare `weights list` and `weights convert`."""
    parser = commands.add_parser("weights", help="list and convert trained networks that others publish as packages")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    action = actions.add_parser("list", help="the packages that minidil knows, and which are installed")
    action.set_defaults(run=list_packages)
    action.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)

    action = actions.add_parser("convert", help="write the weights of an installed package as a file of minidil")
    action.set_defaults(run=convert)
    action.add_argument("package", metavar="PACKAGE", help=", ".join(packages.PACKAGES))
    action.add_argument("--out", type=Path, metavar="FILE", help=".npz or .safetensors (default: MODEL.npz)")
    action.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def list_packages(args: argparse.Namespace) -> None:
    """Print a line for each package."""
    with document(args.json) as content:
        content["packages"] = []
        rows: list[tuple[str, ...]] = [("package", "installed", "model", "licence", "what it is")]
        for name, package in packages.PACKAGES.items():
            version = packages.installed(name)
            facts = {"model": package.model, "licence": package.licence, "about": package.about}
            content["packages"].append({"package": name, "installed": version, **facts, "install": package.install})
            rows.append((name, version or "no", *facts.values()))
        print("\n".join(table(rows, "<<<<<", (4, 3))))
        for name, package in packages.PACKAGES.items():
            if not packages.installed(name):
                print(fill(f"get {name}: {package.install}"))


def convert(args: argparse.Namespace) -> None:
    """Convert, and print the card. Raises: OptionError if there is a file of that name already."""
    with document(args.json) as content:
        known = packages.PACKAGES.get(args.package)
        out = args.out or Path(f"{known.model if known else args.package}.npz")
        if known and out.exists():
            raise OptionError(f"--out: {out} is there already; remove it, or name another file")
        converted = packages.convert(args.package)
        packages.write(out, converted)
        card = converted.card
        content |= {"out": str(out), "card": card}
        print(
            fill(
                f"{out}: {len(converted.state)} arrays of {card['model']}, from {card['package']} {card['version']} "
                f"({card['licence']}), {card['file']}, SHA-256 {card['sha256']}"
            )
        )
        print(fill(f"in Python: models.load_weights(models.{card['model']}(), {str(out)!r})"))
