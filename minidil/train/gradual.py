"""Layers that begin to learn one after the other, from the last to the first."""

from minidil.errors import OptionError
from minidil.nn import Module
from minidil.train.callbacks import Callback
from minidil.train.freeze import hold, release
from minidil.train.layers import layers
from minidil.train.state import Run


class GradualUnfreezing(Callback):
    """Train the last layer alone for the first `every` epochs, then with each further `every` epochs one layer more.

    A head that is new has large and random gradients at first; so it learns on the features as they are, before they are allowed
    to follow. Layers are those of `train.layers`. What is frozen when this is made stays frozen.
    What is trained is a function of the number of finished epochs, so a resumed run goes on bit for bit. Build the optimizer
    with all that will be trained: it passes over what has no gradient, and keeps no state of it.
    Raises: OptionError unless every is an int >= 1, or if the model has nothing to train.
    Source: Howard & Ruder 2018, arXiv:1801.06146, section 3.3.
    """

    def __init__(self, model: Module, every: int = 1) -> None:
        if not isinstance(every, int) or isinstance(every, bool) or every < 1:
            raise OptionError(f"GradualUnfreezing: every must be an int >= 1, not {every!r}")
        self.every = every
        fixed = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        for prefix, module in model.named_modules():
            if module.frozen:
                fixed |= {f"{prefix}.{name}" if prefix else name for name in module.own_buffers()}
        trained = [layer for layer in layers(model) if any(each.requires_grad for each in layer.parameters)]
        self.layers = [set(layer.names - fixed) for layer in trained]
        if not self.layers:
            raise OptionError("GradualUnfreezing: no parameter of the model is trained; unfreeze some")

    def on_start(self, run: Run) -> None:
        self.on_epoch_end(run)

    def on_epoch_end(self, run: Run) -> None:
        first = max(len(self.layers) - 1 - run.epoch // self.every, 0)
        hold(run.model, set().union(*self.layers[:first]))
        release(run.model, set().union(*self.layers[first:]))
