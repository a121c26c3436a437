"""Single weights that are zero, and stay zero while the others go on learning."""

from __future__ import annotations

import numpy as np

from minidil.array import Array
from minidil.deploy.prune.channels import SCOPES, check_share
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.train import Callback, Run


class Masks(Callback):
    """Keeps weights at zero: a callback for `fit`, which sets them back after every step, whatever moved them.

    kept: by parameter, True for the weights that stay. Give it last, so that no other callback moves them after it.
    It has no state of its own: for a run that is resumed, make model and masks as they were made.
    """

    def __init__(self, kept: dict[str, Array]) -> None:
        self.kept = kept

    @property
    def share(self) -> float:
        """How much of all the weights that have a mask is zero."""
        return 1 - sum(int(each.sum()) for each in self.kept.values()) / sum(each.size for each in self.kept.values())

    def apply(self, model: Module) -> None:
        """Set the weights without a place in the masks to zero."""
        for name, parameter in model.named_parameters():
            if name in self.kept:
                parameter.data = np.where(self.kept[name], parameter.numpy(), parameter.dtype.type(0))

    def on_batch_end(self, run: Run) -> None:
        self.apply(run.model)


def magnitude(model: Module, share: float, *, scope: str = "layer") -> Masks:
    """Set that share of the weights to zero, the smallest |w|, and return the masks that keep them there in training.

    Weights are the parameters of two axes and more, of convolutions and linear layers, not biases or scales. Arrays keep their
    shapes, and what computes with them its time: only the file becomes smaller, if it is compressed.
    share: 0 <= share < 1, rounded down. scope: "layer" takes it of every parameter, "network" of all together.
    Zeros are the smallest of all: with the same share, a model that was pruned before and tuned gets the same masks.
    Raises: OptionError for a share or scope that is none, or if the model has no such weights; then nothing has changed.
    Source: Han et al. 2015, arXiv:1506.02626, section 3.
    """
    check_share("magnitude", share)
    if scope not in SCOPES:
        raise OptionError(f"magnitude: scope must be {' or '.join(map(repr, SCOPES))}, not {scope!r}")
    sizes = {name: np.abs(each.numpy()) for name, each in model.named_parameters() if each.ndim >= 2}
    if not sizes:
        raise OptionError(f"magnitude: this {type(model).__name__} has no weights of two axes and more")
    rivals = [[name] for name in sizes] if scope == "layer" else [list(sizes)]
    kept: dict[str, Array] = {}
    for names in rivals:
        together = np.concatenate([sizes[name].reshape(-1) for name in names])
        stays = np.ones(together.size, bool)
        stays[np.argsort(together, kind="stable")[: int(round(share * together.size, 6))]] = False
        ends = np.cumsum([sizes[name].size for name in names])[:-1]
        kept |= {name: part.reshape(sizes[name].shape) for name, part in zip(names, np.split(stays, ends), strict=True)}
    masks = Masks(kept)
    masks.apply(model)
    return masks
