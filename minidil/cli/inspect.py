"""`minidil inspect`: what is in the folder of a run, in a checkpoint file, or in weights that come with minidil."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil import models
from minidil.cli.described import chosen, facts_of, listed, summarised
from minidil.cli.experiment import Experiment, blaming
from minidil.cli.output import JSON_HELP, document
from minidil.cli.seen import add_options, check_options, refuse_options, shape_of, show_seen
from minidil.cli.table import table
from minidil.cli.tasks import shown as shown_figure
from minidil.cli.trained import RUN_HELP, of_weights, weights_named
from minidil.errors import CheckpointError
from minidil.models import Weights
from minidil.nn import Summary
from minidil.storage import checkpoint
from minidil.terminal import fill
from minidil.train import RunFolder
from minidil.train.folder import BEST, LAST
from minidil.train.rules import shown

if TYPE_CHECKING:
    from minidil.cli.parser import Commands

_POSITION = ("epoch", "epochs", "batch", "batches")


def add(commands: "Commands") -> None:
    """Declare the command and its options."""
    parser = commands.add_parser("inspect", help="what is in a run, in a checkpoint file or in weights")
    parser.set_defaults(run=run)
    parser.add_argument(
        "what", metavar="RUN", help=f"{RUN_HELP}; or a file of a run, such as last.npz; or a network, such as vgg16"
    )
    add_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help=JSON_HELP)


def run(args: argparse.Namespace) -> None:
    """Print what there is. Raises: CheckpointError, after the last line, if a file of a run is damaged."""
    check_options(args)
    with document(args.json) as content:
        content["inspected"] = args.what
        if Path(args.what).is_file():
            refuse_options(args, "a file")
            _show_file(Path(args.what), content)
        elif args.what in models.names and not _has_weights(args.what) and not Path(args.what).exists():
            _show_untrained(args, content)
        elif weights := weights_named(args.what):
            _show_weights(weights, args, content)
        else:
            _show_run(RunFolder(args.what), args, content)


def _show_file(path: Path, content: dict[str, Any]) -> None:
    """Every array and every value, by its place in the tree."""
    leaves = dict(_leaves(checkpoint.load(path)))
    arrays = {name: value for name, value in leaves.items() if isinstance(value, np.ndarray)}
    values = {name: value for name, value in leaves.items() if name not in arrays}
    content |= {"bytes": path.stat().st_size, "arrays": facts_of(arrays), "values": values}
    print(fill(f"{path}: sealed and whole, {content['bytes']:,} bytes, {len(arrays)} arrays, {len(values)} values"))
    for lines in (listed(content["arrays"]), table([(name, shown(value)) for name, value in values.items()], "<<")):
        print("\n".join(["", *lines]))


def _leaves(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(place, value) of whatever is no dict or list with something in it."""
    if isinstance(node, dict | list) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(value, f"{place}/{key}" if place else str(key))
    else:
        yield place, node


def _show_weights(weights: Weights, args: argparse.Namespace, content: dict[str, Any]) -> None:
    content |= {"epoch": weights.epoch, "test_accuracy": weights.test_accuracy, **weights.figures}
    accuracy = {} if weights.test_accuracy is None else {"accuracy": weights.test_accuracy}
    found = ", ".join(f"test {shown_figure(name, value)}" for name, value in (accuracy | weights.figures).items())
    print(
        fill(
            f"weights of {weights.model} for {weights.data}, which come with minidil: sealed and whole, of epoch "
            f"{weights.epoch}, {found}"
        )
    )
    _show_network(of_weights(weights), weights.state, args, content)


def _has_weights(name: str) -> bool:
    return any(name == model for model, _ in models.available())


def _show_untrained(args: argparse.Namespace, content: dict[str, Any]) -> None:
    """The layers of a network by its name, for the pictures that it was made for."""
    name = args.what
    pixels = models.PIXELS.get(name)
    shape = shape_of(args, pixels.shape if pixels else (3, 32, 32))
    model = models.names[name](in_channels=shape[0]) if name in models.MODELS else models.names[name]()
    summary = model.summary(shape)
    print(fill(f"{name}: a network without weights; its layers for a picture {shape}"))
    _show_layers(summary, content)
    show_seen(name, model, shape, args, content)


def _show_layers(summary: Summary, content: dict[str, Any]) -> None:
    content["layers"] = [asdict(row) | {"field": str(row.field) if row.field else None} for row in summary.rows]
    content["parameters"] = summary.parameters
    print("\n".join(["", *summarised(summary).splitlines()]))


def _show_run(folder: RunFolder, args: argparse.Namespace, content: dict[str, Any]) -> None:
    """What can be said of a run, whichever of its files are missing or damaged."""
    experiment = Experiment.of(folder)
    faults: list[str] = []
    state = _read(folder.last, faults)
    if state is not None and not (isinstance(state, dict) and {*_POSITION, "model"} <= state.keys()):
        faults.append(f"{folder.path / LAST} is a checkpoint, but not the state of a run")
        state = None
    if state is not None:
        content |= {name: state[name] for name in _POSITION}
        place = f", and {state['batch']} of {state['batches']} batches" if state["batch"] else ""
        done = f"{state['epoch']} of {state['epochs']} epochs are done{place}"
        print(fill(f"{folder.path}: {done}; last.npz is sealed and whole"))
    elif not faults:
        print(fill(f"{folder.path}: stopped before anything was saved"))
    best = None
    if (folder.path / BEST).exists() or (state and state["epoch"]):
        best = _read(folder.best, faults)
    if best:
        content["best"] = best.get("row")
        figures = [f"{name} {value:.6g}" for name, value in _leaves(best.get("row")) if isinstance(value, int | float)]
        print(fill(f"best.npz is sealed and whole: {', '.join(figures) or 'weights without figures'}"))
    weights = (best or state or {}).get("model", {})
    with blaming(folder):
        _show_network(experiment, weights, args, content)
    content["faults"] = faults
    if faults:
        raise CheckpointError("; ".join(faults))


def _read(act: Any, faults: list[str]) -> Any:
    try:
        return act()
    except CheckpointError as error:
        faults.append(str(error))
        return None


def _show_network(
    experiment: Experiment, weights: dict[str, Any], args: argparse.Namespace, content: dict[str, Any]
) -> None:
    """Settings, layers, arrays, and what an output sees."""
    content |= experiment.config()
    print("\n".join(["", *chosen(experiment.settings)]))
    model, shape = experiment.model(), shape_of(args, experiment.shape)
    _show_layers(experiment.summary(model) if args.input_shape is None else model.summary(shape), content)
    content["arrays"] = facts_of({name: value for name, value in _leaves(weights) if isinstance(value, np.ndarray)})
    print("\n".join(["", *listed(content["arrays"])]))
    show_seen(experiment.settings.model, model, shape, args, content)
