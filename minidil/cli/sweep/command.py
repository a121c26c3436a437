"""`minidil sweep`: try settings of `minidil train`, in as many processes as one likes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil import viz
from minidil.cli.output import JSON_HELP, check_folder, document
from minidil.cli.settings import as_typed
from minidil.cli.sweep.config import Sweep
from minidil.cli.sweep.pictures import history, importance, parallel
from minidil.cli.sweep.study import FOLDER, REASON, WORDS, Study, needed
from minidil.cli.sweep.trial import prepared
from minidil.cli.table import table
from minidil.cli.tasks import shown
from minidil.cli.train import check_here, output_may_end
from minidil.kernels.backend import use
from minidil.terminal import fill

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from minidil.cli.parser import Commands

_RUNS, _SHOWN = Path("runs"), 5

_DESCRIPTION = """
Search good settings of minidil train with Optuna. CONFIG is a TOML file: trials, sampler (tpe, random), pruner (median,
hyperband, none), seed and storage at its top; what is the same in all trials in [settings]; and in [space] what is tried: a list
of values, { low = 0.01, high = 0.3, log = true } with or without a step, and for dilations
{ layers = [2, 2], rates = [1, 2, 4], without_holes = true }. Every trial is a run, in a folder of its own.
"""

_EPILOG = """
The same command in another process, or on another machine that shares the folder, works on the same study; after a stop, or
with more trials in CONFIG, it goes on. Trials of a process that was killed are taken up by the next one.
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "sweep", help="search good settings of train", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.set_defaults(run=run)
    parser.add_argument("config", type=Path, metavar="CONFIG", help="the TOML file")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"folder of the study (default: {_RUNS}/ and the name of CONFIG)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, say what would be tried, write nothing"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Check the file, work on its study until that is complete, and say what was found."""
    sweep, out = Sweep.read(args.config), args.out or _RUNS / args.config.stem
    needed()
    check_folder("--out", out)
    first = sweep.settings(sweep.first())
    if args.dry_run:
        check_here(first.data)
    with use(first.backend):
        prepared(first)
    with document(args.json) as content, output_may_end():
        content |= sweep.described() | {"trials": sweep.search.trials}
        print("\n".join(_plan(sweep)), flush=True)
        if args.dry_run:
            print(fill("nothing was trained or written"))
            return
        study = Study(sweep, out)
        try:
            study.work()
        except KeyboardInterrupt as stop:
            how = f"go on with: minidil sweep {args.config} --out {out}"
            raise KeyboardInterrupt("; ".join(filter(None, [str(stop), how]))) from None
        content |= _found(study)
        print("\n".join(_best(content["found"], sweep.task.by)))
        for name, share in content["importances"].items():
            print(fill(f"{name}: {share:.0%} of what made a difference"))
        for name, figure in _drawn(content["found"], content["importances"], sweep).items():
            viz.save(figure, out / name)
        print(fill(f"runs and pictures are in {out}; the test set was not looked at"))


def _plan(sweep: Sweep) -> list[str]:
    """What is going to be tried."""
    search, fixed = sweep.search, as_typed(dict(sweep.fixed))
    head = f"{sweep.path}: {search.trials} trials, sampler {search.sampler}, pruner {search.pruner}, seed {search.seed}"
    rows = [(f"{name}", str(space)) for name, space in sweep.spaces.items()]
    return [fill(head), *([fill(f"all with {fixed}")] if fixed else []), *table(rows, "<<")]


def _found(study: Study) -> dict[str, Any]:
    """The trials, the best ones first, and which settings mattered, for JSON."""
    trials = [
        {
            "trial": trial.number,
            "folder": trial.user_attrs.get(FOLDER),
            "state": trial.state.name.lower(),
            "value": trial.value,
            "reason": trial.user_attrs.get(REASON),
            "drawn": trial.params,
            "words": trial.user_attrs.get(WORDS),
            "epochs": len(trial.intermediate_values),
            "seconds": trial.duration.total_seconds() if trial.duration else None,
        }
        for trial in study.trials()
    ]
    trials.sort(key=lambda each: (each["state"] != "complete", -(each["value"] or 0)))
    return {"found": trials, "importances": study.importances()}


def _best(trials: list[dict[str, Any]], by: str) -> list[str]:
    """The best trials as a table, and what became of the others."""
    complete = [each for each in trials if each["state"] == "complete"]
    rows = [(each["folder"], shown(by, each["value"]), each["words"]) for each in complete[:_SHOWN]]
    states = [each["state"] for each in trials]
    counts = {"complete": "complete", "pruned": "ended early", "fail": "failed"}
    said = ", ".join(f"{states.count(state)} {words}" for state, words in counts.items() if state in states)
    return [*(table(rows, "<<<") if rows else []), fill(f"{len(trials)} trials: {said}")]


def _drawn(trials: list[dict[str, Any]], shares: dict[str, float], sweep: Sweep) -> dict[str, "Figure"]:
    """The pictures by the names of their files, as far as there is something to show."""
    if not any(each["state"] == "complete" for each in trials):
        return {}
    by = sweep.task.by
    figures = {"history.png": history(trials, by), "parallel.png": parallel(trials, sweep.spaces, by)}
    return figures | ({"importance.png": importance(shares)} if shares else {})
