"""`minidil train`: train a network on images, from nothing or from where a run was stopped."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil import data, models
from minidil.cli.experiment import TTA_HELP, Experiment, blaming, testing_images, training_images
from minidil.cli.settings import FLIP_RULES, OPTIMIZERS, RECIPES, SCHEDULES, Settings
from minidil.data.transforms import FILLS
from minidil.errors import OptionError
from minidil.files import writing
from minidil.kernels.backend import backend, use
from minidil.kernels.threads import num_threads
from minidil.train import RunFolder, evaluate, fit
from minidil.train.progress import waiting_explained
from minidil.train.views import LEVELS

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_RUNS = Path("runs")

_DESCRIPTION = """
Train a network and leave a folder with its weights, figures and curves. Without options: a small dilated VGG on the 1,797
handwritten digits that come with minidil. What is not given is taken from the recipe, and from what suits the data set.
"""

_EPILOG = """
Ctrl-C saves and stops. `--resume DIR` goes on, and ends with the same weights to the last bit as if nothing had happened, on
the same backend and number of threads. With a larger `--epochs` it also continues a run that has ended: the learning rate
then follows the schedule for the new total from the step that the run has reached, which is a warm restart (arXiv:1608.03983).
"""


def add(commands: "Commands") -> None:
    """Declare the command and its options. None is the default of all that have a place in a recipe."""
    parser = commands.add_parser("train", help="train a network on images", description=_DESCRIPTION, epilog=_EPILOG)
    parser.set_defaults(run=run)
    option = parser.add_argument
    option(
        "--data", metavar="SET", help=f"{', '.join(data.NAMES)}, or a folder with one sub-folder of images per class"
    )
    option(
        "--recipe",
        choices=sorted(RECIPES),
        help="fast: ten epochs of large batches, made for CIFAR-10 (default: standard)",
    )
    option("--model", choices=sorted(models.MODELS), help="which network (default: vgg_small)")
    option("--widths", type=int, nargs="+", metavar="N", help="channels of each stage of the network")
    option("--dilations", type=_dilations, nargs="+", metavar="N,N", help="of the layers of each stage: 1,2 1,2 1,4")
    option("--epochs", type=int, metavar="N", help="passes over the training images")
    option("--batch-size", type=int, metavar="N", help="images per step")
    option("--drop-last", action=argparse.BooleanOptionalAction, help="leave out a smaller last batch (default: no)")
    option("--optimizer", choices=OPTIMIZERS, help="default: sgd, with Nesterov momentum")
    option("--momentum", type=float, metavar="X", help="of sgd (default: 0.9)")
    option("--lr", type=float, metavar="X", help="learning rate, the highest of the schedule")
    option("--norm-bias-lr", type=float, metavar="X", help="multiple of it for the biases of batch norm (default: 1)")
    option("--weight-decay", type=float, metavar="X", help="strength of the pull of the weights towards zero")
    option("--schedule", choices=SCHEDULES, help="default: one-cycle")
    option("--average-every", type=int, metavar="N", help="steps between two averages of weights (default: 0, never)")
    option("--freeze", type=_freeze, nargs="+", metavar="NAME:N", help="parameters that stop learning after N epochs")
    option("--label-smoothing", type=float, metavar="X", help="share of the target spread over all classes")
    option("--clip-norm", type=float, metavar="X", help="largest global norm of the gradient (default: no limit)")
    option("--patience", type=int, metavar="N", help="stop after N epochs without a better one (default: never)")
    option("--crop", type=int, metavar="N", help="pad by N pixels and crop at random; 0: do not")
    option("--crop-fill", choices=sorted(FILLS), help="what to pad with (default: zeros)")
    option("--flip", action=argparse.BooleanOptionalAction, help="mirror half of the images")
    option(
        "--flip-rule", choices=FLIP_RULES, help="alternating: the other half in every second epoch (default: random)"
    )
    option("--cutout", type=int, metavar="N", help="blank a square of N pixels (default: 0, do not)")
    option("--validation", type=float, metavar="X", help="share of the training images to validate on (default: 0.1)")
    option("--tta", type=int, choices=LEVELS, help=TTA_HELP)
    option("--size", type=int, metavar="N", help="scale the images of a folder to N x N (default: 32)")
    option("--seed", type=int, metavar="N", help="of everything that is random (default: 0)")
    option("--backend", choices=("numpy", "numba", "cuda"), help="default: numba where it is installed")
    option("--save-every", type=float, metavar="SECONDS", help="how often to save within an epoch (default: 60)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--out", type=Path, metavar="DIR", help="a new folder for the run (default: runs/SET-MODEL-NUMBER)"
    )
    where.add_argument("--resume", type=Path, metavar="DIR", help="go on with the run in this folder")


def run(args: argparse.Namespace) -> None:
    """Train, then measure the best weights on the test set."""
    given = {key: value for key, value in vars(args).items() if value is not None}
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    save_every, out, resume = given.pop("save_every", 60.0), given.pop("out", None), given.pop("resume", None)
    del given["run"]

    if resume:
        folder = RunFolder(resume)
        experiment = _resumed(folder, given)
        with blaming(folder):
            learn, validate = training_images(experiment.settings)
        experiment.check_learnt(learn, folder)
    else:
        settings = Settings.of({"backend": given.get("backend", backend())} | given)
        learn, validate = training_images(settings)
        experiment = Experiment.on(settings, learn)
    with use(experiment.settings.backend):
        _train(experiment, learn, validate, save_every, out, resume)


def _train(
    experiment: Experiment,
    learn: data.Dataset,
    validate: data.Dataset | None,
    save_every: float,
    out: Path | None,
    resume: Path | None,
) -> None:
    settings = experiment.settings
    with blaming(RunFolder(resume) if resume else None):
        model = experiment.untrained(learn)
        batches, optimizer = experiment.learning(learn), experiment.optimizer(model)
        callbacks, schedule = experiment.callbacks(model), experiment.schedule(optimizer, len(batches))
    number = f"{len(validate):,}" if validate else "none"
    print(f"{Path(settings.data).name}: {len(learn):,} images to learn from, {number} to validate on")
    with waiting_explained("the forward kernels"):
        print(model.summary(experiment.shape))
    folder = resume or out or _new_folder(settings)
    print(f"run {folder}: {backend()}, {num_threads()} threads, seed {settings.seed}", flush=True)
    try:
        history = fit(
            model,
            batches,
            experiment.measuring(validate) if validate else None,
            optimizer,
            schedule,
            settings.epochs,
            callbacks,
            out=folder,
            resume=resume is not None,
            config=experiment.config(),
            clip_norm=settings.clip_norm,
            patience=settings.patience,
            label_smoothing=settings.label_smoothing,
            save_every=save_every,
        )
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"{stop}; go on with: minidil train --resume {folder}" if str(stop) else "") from None
    test = evaluate(experiment.viewed(model), experiment.measuring(testing_images(settings)))
    best = history.best
    if validate:
        print(f"best epoch {best['epoch']} of {len(history)}: validation accuracy {best['val_accuracy']:.2%}")
    print(f"test loss {test.loss:.4f}, test accuracy {test.accuracy:.2%}; everything is in {folder}")


def _resumed(folder: RunFolder, given: dict[str, Any]) -> Experiment:
    """The experiment of the run, with the settings changed that may change."""
    experiment = Experiment.of(folder)
    if fixed := sorted(given.keys() - {"epochs", "backend"}):
        names = ", ".join("--" + name.replace("_", "-") for name in fixed)
        raise OptionError(
            f"--resume goes on with the settings in {folder.path}: --epochs, --backend and --save-every may change, "
            f"but not {names}"
        )
    then = folder.config().get("fit", {})
    now = {"backend": given.get("backend", then.get("backend")), "threads": num_threads()}
    changed = [f"{key} {then.get(key)} before, {value} now" for key, value in now.items() if then.get(key) != value]
    if changed:
        print(f"note: {'; '.join(changed)}: the last bits can differ from those of a run in one go")
    return replace(experiment, settings=replace(experiment.settings, **given))


def _dilations(word: str) -> tuple[int, ...]:
    """The dilations of the layers of one stage, written as 1,2."""
    try:
        return tuple(map(int, word.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word!r} is not a list of numbers such as 1,2") from None


def _freeze(word: str) -> tuple[str, int]:
    """(name, epochs), written as name:epochs."""
    name, _, epochs = word.rpartition(":")
    if not name or not epochs.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a name and a number of epochs such as whiten:3")
    return name, int(epochs)


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
