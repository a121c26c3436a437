"""Models, and the registry that builds them by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from minidil.errors import OptionError
from minidil.models.aspp import ASPP, ASPPNet, aspp
from minidil.models.context import ContextNet, context, context_module
from minidil.models.degridding import degridding
from minidil.models.efficientnet import EfficientNet, efficientnet_lite0
from minidil.models.fast import WhitenedVGG, vgg_fast, whitening
from minidil.models.hed import HED, hed
from minidil.models.imagenet import Bottleneck, resnet18, resnet34, resnet50
from minidil.models.load import Loaded, load_weights
from minidil.models.pixels import PIXELS, Pixels
from minidil.models.pretrained import Weights, available, pretrained_weights
from minidil.models.resnet import ResNet, resnet_small
from minidil.models.transfer import replace_head, start_from
from minidil.models.unet import UNet, unet
from minidil.models.vgg import VGG, vgg_small
from minidil.models.vgg_imagenet import vgg16
from minidil.nn import Module

__all__ = [
    "ASPP",
    "HED",
    "MODELS",
    "PIXELS",
    "SEGMENTERS",
    "VGG",
    "ASPPNet",
    "Bottleneck",
    "ContextNet",
    "EfficientNet",
    "Loaded",
    "Pixels",
    "ResNet",
    "UNet",
    "Weights",
    "WhitenedVGG",
    "aspp",
    "available",
    "build",
    "context",
    "context_module",
    "degridding",
    "efficientnet_lite0",
    "hed",
    "load_weights",
    "names",
    "pretrained_weights",
    "replace_head",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet_small",
    "start_from",
    "unet",
    "vgg16",
    "vgg_fast",
    "vgg_small",
    "whitening",
]

MODELS: dict[str, Callable[..., Module]] = {
    "vgg_small": vgg_small,
    "vgg_fast": vgg_fast,
    "vgg16": vgg16,
    "resnet_small": resnet_small,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "efficientnet_lite0": efficientnet_lite0,
}
SEGMENTERS: dict[str, Callable[..., Module]] = {"unet": unet, "context": context, "aspp": aspp}
# Every network by name: the classifiers, those that give a class to every pixel, and one that takes no num_classes.
names: dict[str, Callable[..., Module]] = {**MODELS, **SEGMENTERS, "hed": hed}


def build(name: str, num_classes: int, in_channels: int, **options: Any) -> Module:
    """The model `name` of MODELS or SEGMENTERS for that many classes and image channels; options are those of its builder.

    Raises: OptionError for an unknown model or option, with the known ones.
    """
    builders = {**MODELS, **SEGMENTERS}
    if name not in builders:
        raise OptionError(f"unknown model {name!r}{_meant(name, list(builders))}")
    builder = builders[name]
    known = [option for option in inspect.signature(builder).parameters if option not in ("num_classes", "in_channels")]
    for option in options:
        if option not in known:
            raise OptionError(f"{name}: unknown option {option!r}{_meant(option, known)}")
    return builder(num_classes, in_channels=in_channels, **options)


def _meant(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
