"""The layers of a model, from the first to the last, and learning rates that differ from layer to layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from minidil.errors import OptionError
from minidil.models.bert import Bert
from minidil.nn import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Module,
    ModuleDict,
    ModuleList,
    Parameter,
    Sequential,
)

_CONTAINERS = (Sequential, ModuleList, ModuleDict, Bert)
_NORMS = (BatchNorm, LayerNorm, GroupNorm, InstanceNorm)


@dataclass(frozen=True, eq=False)
class Layer:
    """What learns at one rate. name: of its first module. names: of all its parameters and buffers. parameters: the former."""

    name: str
    names: frozenset[str]
    parameters: tuple[Parameter, ...]


def layers(model: Module) -> list[Layer]:
    """The layers of a model, in the order in which it names them: for the models here, that of the forward pass.

    A layer is a convolution, a linear map or whatever else has weights, together with the normalisation behind it. What is not
    one of these but holds some counts as one layer as a whole, such as a residual block; `Sequential`, `ModuleList`,
    `ModuleDict`, `models.Bert` and the model itself are taken apart.
    """
    found: list[tuple[str, list[tuple[str, Module]]]] = []
    for name, module in _parts(model, ""):
        if isinstance(module, _NORMS) and found:
            found[-1][1].append((name, module))
        else:
            found.append((name, [(name, module)]))
    seen: set[int] = set()
    made = (_layer(name, parts, seen) for name, parts in found)
    return [layer for layer in made if layer.names]


def layer_groups(model: Module, lr: float, decay: float = 0.8) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer, whose learning rates fall from the last layer to the first.

    The last of `layers`, the head, learns at `lr`, the one before it at lr decay, then lr decay^2, and so on: what an early
    layer sees, edges and colours, is much the same in any image and has least to learn. The head comes first, so that
    `optimizer.param_groups[0]["lr"]` is its rate. Frozen parameters are left out, and keep their place in the count.

        optimizer = md.optim.SGD(md.train.layer_groups(model, lr=0.01), lr=0.01, momentum=0.9)

    A schedule multiplies every rate by the same factor.
    Raises: OptionError unless lr >= 0 and 0 < decay <= 1, or if all is frozen.
    Source: Howard & Ruder 2018, arXiv:1801.06146, section 3.2; there decay is 1/2.6.
    """
    if not lr >= 0 or not 0 < decay <= 1:
        raise OptionError(f"layer_groups: needs lr >= 0 and 0 < decay <= 1, got lr={lr!r} and decay={decay!r}")
    groups = [
        {"params": trained, "lr": lr * decay**depth}
        for depth, layer in enumerate(reversed(layers(model)))
        if (trained := [parameter for parameter in layer.parameters if parameter.requires_grad])
    ]
    if not groups:
        raise OptionError(f"layer_groups: no parameter of this {type(model).__name__} is trained; unfreeze some")
    return groups


def _parts(module: Module, prefix: str) -> Iterator[tuple[str, Module]]:
    """(name, module) of whatever is not taken apart and has parameters or buffers."""
    if not prefix and _has_own(module):
        yield "", module
    for name, child in module.named_children():
        full = f"{prefix}.{name}" if prefix else name
        if isinstance(child, _CONTAINERS) and not _has_own(child):
            yield from _parts(child, full)
        elif any(map(_has_own, child.modules())):
            yield full, child


def _has_own(module: Module) -> bool:
    return bool(module.own_parameters() or module.own_buffers())


def _layer(name: str, parts: list[tuple[str, Module]], seen: set[int]) -> Layer:
    """A layer of these modules; a parameter that an earlier layer has is not counted again."""
    names: set[str] = set()
    parameters: list[Parameter] = []
    for prefix, module in parts:
        before = f"{prefix}." if prefix else ""
        own = list(module.named_parameters()) if prefix else list(module.own_parameters().items())
        fresh = [(each, parameter) for each, parameter in own if id(parameter) not in seen]
        seen.update(id(parameter) for _, parameter in fresh)
        parameters += [parameter for _, parameter in fresh]
        buffers = module.named_buffers() if prefix else module.own_buffers().items()
        names |= {before + each for each, _ in fresh} | {before + each for each, _ in buffers}
    return Layer(name, frozenset(names), tuple(parameters))
