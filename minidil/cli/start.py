"""Weights that a run begins with, by the name that people give them: those that come with minidil, a run, or a file."""

from pathlib import Path
from typing import Any

from minidil.cli.experiment import Experiment, Start
from minidil.cli.images import Images
from minidil.cli.settings import Settings
from minidil.cli.trained import weights_named
from minidil.errors import OptionError
from minidil.storage import states
from minidil.train import RunFolder

_OF_THE_NETWORK = ("model", "widths", "dilations", "output_stride")


def starting(name: str) -> Start:
    """The weights of that name. A folder or a file comes before weights that come with minidil.

    A file is a .safetensors or an .npz of arrays by name; the model that they are of is for `--model` to say.
    Raises: OptionError for a name of nothing, CheckpointError for a folder or file without weights.
    """
    if weights := weights_named(name):
        shipped = f"{weights.model}:{weights.data}"
        return Start(shipped, Settings.from_json(weights.settings), weights.classes, weights.state)
    path = Path(name).resolve()
    if path.is_dir():
        folder = RunFolder(path)
        experiment = Experiment.of(folder)
        widths = experiment.widths if isinstance(experiment, Images) else None
        return Start(str(path), experiment.settings, experiment.classes, folder.best()["model"], widths)
    if path.is_file():
        with states.opened(path) as file:
            return Start(str(path), None, None, {each: file.read(each) for each in file.arrays})
    raise OptionError(
        f"--init {name}: neither weights that come with minidil, nor the folder of a run, nor a file of weights"
    )


def network_of(start: Start | None, given: dict[str, Any]) -> dict[str, Any]:
    """The settings that make a network which the weights fit, where that is known.

    Raises: OptionError if another one was asked for.
    """
    if start is None or start.settings is None:
        return {}
    network = {name: getattr(start.settings, name) for name in _OF_THE_NETWORK}
    if given.get("model", network["model"]) != network["model"]:
        raise OptionError(f"--model {given['model']}: the weights of --init {start.name} are of {network['model']}")
    return network
