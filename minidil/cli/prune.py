"""`minidil prune`: a trained network with fewer channels, tuned afterwards, as a run of its own."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minidil.cli.experiment import blaming, testing_set, training_set
from minidil.cli.images import as_images
from minidil.cli.option import declarations, declared, flag
from minidil.cli.settings import options
from minidil.cli.start import starting
from minidil.cli.train import carry_out, check_new, output_may_end
from minidil.cli.trained import RUN_HELP, trained
from minidil.deploy import prune_channels
from minidil.deploy.prune import BY, SCOPES
from minidil.deploy.prune.widths import widths_of
from minidil.kernels.backend import backend, use
from minidil.terminal import fill
from minidil.train import RunFolder

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_EPOCHS, _RATE, _SAVE_EVERY = 1, 0.2, 60.0
_DESCRIPTION = """
Take channels out of a trained network, train what is left for a while, and leave the folder of a run, which all other commands
take. It learns as the network did, but for the options here, and from the same images. A fair comparison tunes the network
itself alike: `minidil train --init RUN` with the same epochs and rate.
"""


@dataclass(frozen=True)
class Cut:
    """What is cut, as `deploy.prune_channels` takes it."""

    share: float = declared(0.3, "of the channels that go", kind=float, least=0, below=1)
    by: str = declared("l1", "which go first: small filters, or small scales of batch norm", choices=BY)
    scope: str = declared("layer", "the share of every layer, or of the whole network", choices=SCOPES)
    skip: tuple[str, ...] = declared((), "layers that keep all their channels: features.0", many=True, usual="none")


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser(
        "prune", help="take channels out of a trained network, and tune it", description=_DESCRIPTION
    )
    parser.set_defaults(run=run)
    parser.add_argument("what", metavar="RUN", help=RUN_HELP)
    for name, option in declarations(Cut):
        option.add_to(parser, name)
    for name, usual in {"epochs": str(_EPOCHS), "lr": f"{_RATE:g} of that of the run", "backend": None}.items():
        option = options()[name]
        replace(option, usual=usual or option.usual).add_to(parser, name)
    parser.add_argument(
        flag("out"), type=Path, metavar="DIR", help="a new folder for the run (default: runs/SET-MODEL-NUMBER)"
    )


def run(args: argparse.Namespace) -> None:
    """Prune, tune, and measure on the test set.

    Raises: OptionError for options that make no sense, and see `trained`, `deploy.prune_channels`; before anything is written.
    """
    given: dict[str, Any] = {name: getattr(args, name) for name, _ in declarations(Cut)}
    given |= {"skip": None if args.skip is None else tuple(args.skip)}
    cut = Cut(**{name: value for name, value in given.items() if value is not None})
    for name, option in declarations(Cut):
        option.check(name, getattr(cut, name))
    check_new(args.out)
    experiment, model = trained(args.what, tta=0)
    experiment = as_images(experiment, "prune")
    start, before = starting(args.what), experiment.settings
    settings = replace(
        before,
        init=start.name,
        epochs=args.epochs or _EPOCHS,
        lr=args.lr or _RATE * before.lr,
        backend=args.backend or backend(),
        freeze=(),
        unfreeze_every=0,
    )
    settings.check()
    with use(settings.backend), output_may_end():
        pruned = prune_channels(model, experiment.shape, cut.share, cut.by, scope=cut.scope, skip=cut.skip)
        experiment = replace(experiment, settings=settings, widths=widths_of(pruned.model))
        with blaming(RunFolder(args.what) if Path(args.what).is_dir() else None):
            learn, validate = training_set(settings)
        print(fill(str(pruned)))
        start = replace(start, state=pruned.model.state_dict())
        carry_out(experiment, learn, validate, testing_set(settings), start, _SAVE_EVERY, args.out, None, dry=False)
