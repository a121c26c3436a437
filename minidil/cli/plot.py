"""`minidil plot`: draw the curves of one run, or of several side by side."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from minidil import viz
from minidil.cli.output import PICTURES, check_picture
from minidil.terminal import fill
from minidil.train import Row, RunFolder

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_COMPARISON = Path("runs.png")


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("plot", help="draw the learning curves of runs")
    parser.set_defaults(run=run)
    parser.add_argument("folders", nargs="+", type=Path, metavar="RUN", help="the folders of runs")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"the picture: {', '.join(PICTURES)} (default: curves.png in RUN; {_COMPARISON} if there are several)",
    )


def run(args: argparse.Namespace) -> None:
    """Draw, and say where the picture is."""
    if args.out:
        check_picture("--out", args.out)
    runs = {folder: RunFolder(folder).rows() for folder in args.folders}
    if len(runs) == 1:
        ((folder, rows),) = runs.items()
        out = args.out or folder / "curves.png"
        viz.curves(rows, out)
    else:
        out = args.out or _COMPARISON
        _compare({str(folder): rows for folder, rows in runs.items()}, out)
    print(fill(f"drawn: {out}"))


def _compare(runs: dict[str, list[Row]], out: Path) -> None:
    """One panel for each figure of validation that all runs have, one line for each run."""
    from matplotlib.figure import Figure

    shared = [name for name in next(iter(runs.values()))[0] if name.startswith("val_")]
    shared = [name for name in shared if all(name in row for rows in runs.values() for row in rows)]
    with viz.style():
        figure = Figure(figsize=(4.5 * max(len(shared), 2), 3.4), layout="constrained")
        for axes, column in zip(figure.subplots(1, len(shared), squeeze=False)[0], shared, strict=True):
            percent = column == "val_accuracy"
            scale, title = (100 if percent else 1), column.replace("val_", "validation ") + (" in %" if percent else "")
            for name, rows in runs.items():
                axes.plot([row["epoch"] for row in rows], [scale * row[column] for row in rows], label=name)
            axes.set(title=title, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axes.legend(fontsize="small")
    viz.save(figure, out)
