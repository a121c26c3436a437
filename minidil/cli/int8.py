"""A trained network in whole numbers: what `--int8` makes for several commands."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil import deploy
from minidil.bench.timing import interleave
from minidil.cli.experiment import blaming, testing_set, training_set
from minidil.cli.images import Images
from minidil.cli.option import Option
from minidil.cli.table import table
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.terminal import fill
from minidil.train import RunFolder

if TYPE_CHECKING:
    from minidil.deploy.int8_plan import Int8Plan
    from minidil.deploy.planned import Planned

_IMAGES = 512
_TIMED = 32  # images at a time
CALIBRATE = Option("--int8: images of the training set that values are watched on", int, least=1, usual=str(_IMAGES))


def quantized(name: str, experiment: Images, model: Module, calibrate: int | None) -> "Int8Plan":
    """The plan in whole numbers; `calibrate` images, drawn by the seed of the training, tell the ranges.

    Raises: OptionError for a number of images that is none, or more than there are; what `deploy.quantize` raises.
    """
    count = _IMAGES if calibrate is None else calibrate
    CALIBRATE.check("calibrate", count)
    with blaming(_folder(name)):
        images, _ = training_set(experiment.settings)
    if count > len(images):
        raise OptionError(f"--calibrate {count}: there are {len(images)} images to learn from")
    few = images.subset(np.random.default_rng(experiment.settings.seed).choice(len(images), count, replace=False))
    normalised = np.concatenate([x for x, _ in experiment.measuring(few)])
    return deploy.quantize(model, normalised)


def compared(name: str, experiment: Images, model: Module, int8: "Int8Plan") -> dict[str, Any]:
    """Print and return accuracy on the test images, size and time of both plans."""
    with blaming(_folder(name)):
        images = testing_set(experiment.settings)
    plans: dict[str, Planned[Any]] = {"float32": deploy.compile(model, experiment.shape), "int8": int8}
    sizes = {"float32": sum(array.nbytes for array in model.state_dict().values()), "int8": int8.network.nbytes}
    answers: dict[str, list[Any]] = {kind: [] for kind in plans}
    for x, _ in experiment.measuring(images):
        for kind, plan in plans.items():
            answers[kind].append(plan(x).argmax(axis=1))
    classes = {kind: np.concatenate(each) for kind, each in answers.items()}
    x = np.random.default_rng(0).standard_normal((_TIMED, *experiment.shape), dtype=np.float32)
    times = interleave({kind: partial(plan, x) for kind, plan in plans.items()}, rounds=5, warm_up=0.05)
    found: dict[str, Any] = {"images": len(images), "batch": _TIMED}
    rows = [("plan", "test accuracy", "bytes of weights", "ms an image")]
    for kind in plans:
        accuracy, seconds = float((classes[kind] == images.labels).mean()), times[kind].wall / _TIMED
        found[kind] = {"accuracy": accuracy, "bytes": sizes[kind], "seconds_an_image": seconds}
        rows.append((kind, f"{accuracy:.2%}", f"{sizes[kind]:,}", f"{seconds * 1e3:.2f}"))
    found["same_class"] = float((classes["float32"] == classes["int8"]).mean())
    print("\n".join(table(rows, "<>>>", (3,))))
    print(
        fill(f"{found['same_class']:.2%} of {len(images):,} test images get the same class; timed {_TIMED} at a time")
    )
    return found


def _folder(name: str) -> RunFolder | None:
    return RunFolder(name) if Path(name).is_dir() else None
