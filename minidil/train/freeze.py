"""Parameters that learn for the first epochs only."""

from minidil.errors import OptionError
from minidil.nn import Module
from minidil.train.callbacks import Callback
from minidil.train.state import Run


class FreezeAfter(Callback):
    """Once `epochs` epochs have ended, stop training a part of the model: the parameters called `name`, or `name`.something.

    Which epoch it is, is part of the run, so a resumed run freezes at the same place. An optimizer passes over what has no
    gradient, and its velocity stands still. Parameters that were frozen before stay frozen.
    Raises: OptionError if epochs is no int >= 0, or the model has no such parameter.
    """

    def __init__(self, model: Module, name: str, epochs: int) -> None:
        if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
            raise OptionError(f"FreezeAfter: epochs must be an int >= 0, not {epochs!r}")
        parameters = dict(model.named_parameters())
        self.parameters = [each for key, each in parameters.items() if f"{key}.".startswith(f"{name}.")]
        if not self.parameters:
            raise OptionError(f"FreezeAfter: no parameter is {name!r} or part of it; there are {', '.join(parameters)}")
        self.epochs = epochs

    def on_start(self, run: Run) -> None:
        self.on_epoch_end(run)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch >= self.epochs:
            for parameter in self.parameters:
                parameter.requires_grad = False
                parameter.grad = None
