"""Parameters that stand still: by name, from the start, or after some epochs."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from fnmatch import fnmatchcase

from minidil.errors import OptionError
from minidil.nn import Module
from minidil.train.callbacks import Callback
from minidil.train.state import Run

_MOST_SHOWN = 12


def freeze(model: Module, patterns: str | Iterable[str]) -> list[str]:
    """Stop training the parameters of these names; return their names, in the order of the model.

    patterns: one or several names of parameters or of modules, whose parameters all count, as in "features.0". "*" stands
        for anything, dots too, "?" for one character, "[0-3]" for one of these: "features.*".
    A frozen parameter gets no gradient, and the backward pass ends at the lowest layer that is trained. Batch norm whose own
    parameters are all frozen stays in evaluation mode, whatever `model.train()` says: its running statistics do not move.
    Raises: OptionError for a pattern that matches nothing, with names that are near; then nothing has changed.
    """
    names = matching(model, patterns, "freeze")
    hold(model, names)
    return [name for name, _ in model.named_parameters() if name in names]


def unfreeze(model: Module, patterns: str | Iterable[str] = "*") -> list[str]:
    """Train the parameters of these names again, and let their batch norm follow the batches; return their names.

    Patterns are those of `freeze`; by default all. Raises: OptionError as there.
    """
    names = matching(model, patterns, "unfreeze")
    release(model, names)
    return [name for name, _ in model.named_parameters() if name in names]


def matching(model: Module, patterns: str | Iterable[str], who: str) -> set[str]:
    """The names of parameters and buffers that a pattern fits. Raises: OptionError if one of them fits none."""
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    names = [name for named in (model.named_parameters(), model.named_buffers()) for name, _ in named]
    found: set[str] = set()
    for pattern in wanted:
        if not isinstance(pattern, str):
            raise OptionError(f'{who}: a pattern is a text such as "features.*", not {pattern!r}')
        fits = [name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
        if not fits:
            raise OptionError(f"{who}: no parameter is {pattern!r} or part of it; {_there_are(model, pattern)}")
        found.update(fits)
    return found


def _there_are(model: Module, pattern: str) -> str:
    """Names that may be meant, or those that there are."""
    parameters = [name for name, _ in model.named_parameters()]
    modules = [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
    if near := get_close_matches(pattern, [*modules, *parameters], cutoff=0.7):
        return f"did you mean {' or '.join(map(repr, near))}?"
    shown = parameters if len(parameters) <= _MOST_SHOWN else modules[:_MOST_SHOWN]
    return f"there are {', '.join(shown)}{' ...' if len(shown) < len(parameters) else ''}"


def hold(model: Module, names: set[str]) -> None:
    """Freeze the parameters of these names, and the running statistics that nothing trainable is left beside."""
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.requires_grad, parameter.grad = False, None
    for module in _tracking(model, names):
        if not any(parameter.requires_grad for parameter in module.own_parameters().values()):
            module.frozen, module.training = True, False


def release(model: Module, names: set[str]) -> None:
    """Train the parameters of these names, and let the running statistics beside them move."""
    for name, parameter in model.named_parameters():
        if name in names:
            parameter.requires_grad = True
    for module in _tracking(model, names):
        if module.frozen:
            module.frozen, module.training = False, model.training


def _tracking(model: Module, names: set[str]) -> Iterator[Module]:
    """The modules with running statistics of which something has one of these names."""
    for prefix, module in model.named_modules():
        own = (*module.own_parameters(), *module.own_buffers())
        if module.own_buffers() and any((f"{prefix}.{name}" if prefix else name) in names for name in own):
            yield module


class FreezeAfter(Callback):
    """Once `epochs` epochs have ended, stop training a part of the model: the parameters that `freeze` finds under `name`.

    Which epoch it is, is part of the run, so a resumed run freezes at the same place. An optimizer passes over what has no
    gradient, and its velocity stands still. Parameters that were frozen before stay frozen.
    Raises: OptionError if epochs is no int >= 0, or the model has no such parameter.
    """

    def __init__(self, model: Module, name: str, epochs: int) -> None:
        if not isinstance(epochs, int) or isinstance(epochs, bool) or epochs < 0:
            raise OptionError(f"FreezeAfter: epochs must be an int >= 0, not {epochs!r}")
        self.names = matching(model, name, "FreezeAfter")
        self.parameters = [parameter for each, parameter in model.named_parameters() if each in self.names]
        self.epochs = epochs

    def on_start(self, run: Run) -> None:
        self.on_epoch_end(run)

    def on_epoch_end(self, run: Run) -> None:
        if run.epoch >= self.epochs:
            hold(run.model, self.names)
