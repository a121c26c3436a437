"""A trained network by the name that people give it: the folder of a run, or weights that come with minidil."""

from pathlib import Path

from minidil import models
from minidil.cli.experiment import Experiment, kind_of
from minidil.cli.images import Images
from minidil.cli.parser import nearest
from minidil.cli.settings import Settings
from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.storage import checkpoint
from minidil.train import RunFolder

_NAMES = tuple(f"{model}:{data}" for model, data in models.available())

FILE_HELP = "; or a file that `minidil weights convert` wrote"
RUN_HELP = f"the folder of a run; or weights that come with minidil: {', '.join(_NAMES)}, or the model's name alone"


def trained(name: str, tta: int | None = None) -> tuple[Experiment, Module]:
    """The experiment and its model in evaluation mode, as `Experiment.trained` has it. A folder comes before weights of its name.

    Raises: OptionError for a name of weights that is not known, CheckpointError for a folder that is not that of a run.
    """
    if weights := weights_named(name):
        network = models.build(weights.model, **weights.options)
        experiment = of_weights(weights)
        model = weights.load_into(network, len(weights.classes), weights.shape[0])
        return experiment, experiment.viewed(model, tta).eval()
    folder = RunFolder(name)
    experiment = Experiment.of(folder)
    return experiment, experiment.trained(folder, tta)


def converted(path: Path, tta: int | None = None) -> tuple[Images, Module]:
    """As `trained`, for the classifier in a file that `minidil weights convert` wrote. Its classes have numbers for names.

    Raises: CheckpointError for a file without the card that tells what it holds; OptionError if that is no classifier.
    """
    tree = checkpoint.load(path)
    name = tree["card"].get("model") if isinstance(tree, dict) and isinstance(tree.get("card"), dict) else None
    if name not in models.names:
        raise CheckpointError(f"{path} has no card that tells its network; `minidil weights convert` writes such files")
    if name not in models.MODELS:
        raise OptionError(
            f"{path} holds the weights of {name}, which is no classifier; README.md shows its use in Python"
        )
    model = models.names[name]()
    models.load_weights(model, path)
    last, pixels = list(model.parameters())[-1], models.PIXELS[name]
    classes = tuple(f"class {number}" for number in range(last.size))
    mean, std = (tuple(value / 255 for value in each) for each in (pixels.mean, pixels.std))
    experiment = Images(Settings(model=name), classes, pixels.shape, mean, std)
    return experiment, experiment.viewed(model, tta).eval()


def of_weights(weights: models.Weights) -> Experiment:
    """How they were trained."""
    settings = Settings.from_json(weights.settings)
    return kind_of(weights.model).from_facts(settings, vars(weights), Path(f"{weights.model}-{weights.data}"))


def weights_named(name: str) -> models.Weights | None:
    """The weights that come with minidil under that name; None if it is that of a folder, or of nothing that there is.

    Raises: OptionError, with what may be meant, for a name that is nearly one, or that of several.
    """
    model, _, data = name.partition(":")
    known = [each for each in _NAMES if each.partition(":")[0] == model and data in ("", each.partition(":")[2])]
    if Path(name).exists() or not (known or _meant(name)):
        return None
    if len(known) != 1:
        which = f"there are {' and '.join(known)}" if known else f"did you mean {' or '.join(map(repr, _meant(name)))}?"
        raise OptionError(f"{name}: neither the folder of a run nor weights that come with minidil; {which}")
    return models.pretrained_weights(*known[0].split(":"))


def _meant(name: str) -> list[str]:
    """The names of weights that this one may be a slip of; a path is none."""
    model = name.partition(":")[0]
    same = [each for each in _NAMES if each.partition(":")[0] == model]
    return same or nearest(name, _NAMES) or [each for each in _NAMES if nearest(model, [each.partition(":")[0]])]
