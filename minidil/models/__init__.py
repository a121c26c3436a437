"""Models, and the registry that builds them by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from minidil.errors import OptionError
from minidil.models.aspp import ASPP, ASPPNet, aspp
from minidil.models.bert import Bert, minilm
from minidil.models.c3d import C3D, c3d
from minidil.models.context import ContextNet, context, context_module
from minidil.models.degridding import degridding
from minidil.models.efficientnet import EfficientNet, efficientnet_lite0
from minidil.models.fast import WhitenedVGG, vgg_fast, whitening
from minidil.models.hed import HED, hed
from minidil.models.imagenet import Bottleneck, resnet18, resnet34, resnet50
from minidil.models.inflate import InflatedConv, inflate
from minidil.models.load import Loaded, load_weights
from minidil.models.pixels import PIXELS, Pixels
from minidil.models.pixelwise import Pixelwise
from minidil.models.pretrained import Weights, available, pretrained_weights
from minidil.models.recurrent import SequenceLSTM, lstm
from minidil.models.resnet import ResNet, resnet_small
from minidil.models.tagger import TAGGERS, Tagger, bilstm_crf, idcnn, no_context
from minidil.models.tcn import last_answer, tcn
from minidil.models.text import SentenceNet, bilstm, dilated_cnn, kim_cnn
from minidil.models.transfer import replace_head, start_from
from minidil.models.unet import UNet, unet
from minidil.models.vgg import VGG, vgg_small
from minidil.models.vgg_imagenet import vgg16
from minidil.models.wavenet import wavenet, wavenet_generator
from minidil.nn import Module

__all__ = [
    "ASPP",
    "C3D",
    "CLIP_MODELS",
    "HED",
    "MODELS",
    "PIXELS",
    "SEGMENTERS",
    "SENTENCES",
    "TAGGERS",
    "VGG",
    "ASPPNet",
    "Bert",
    "Bottleneck",
    "ContextNet",
    "EfficientNet",
    "InflatedConv",
    "Loaded",
    "Pixels",
    "Pixelwise",
    "ResNet",
    "SentenceNet",
    "SequenceLSTM",
    "Tagger",
    "UNet",
    "Weights",
    "WhitenedVGG",
    "aspp",
    "available",
    "bilstm",
    "bilstm_crf",
    "build",
    "c3d",
    "context",
    "context_module",
    "degridding",
    "dilated_cnn",
    "efficientnet_lite0",
    "hed",
    "idcnn",
    "inflate",
    "kim_cnn",
    "last_answer",
    "load_weights",
    "lstm",
    "minilm",
    "names",
    "no_context",
    "pretrained_weights",
    "replace_head",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet_small",
    "start_from",
    "tcn",
    "unet",
    "vgg16",
    "vgg_fast",
    "vgg_small",
    "wavenet",
    "wavenet_generator",
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
CLIP_MODELS: dict[str, Callable[..., Module]] = {"c3d": c3d}
# Those that give a class to a sentence are built for the words of a vocabulary: (words, num_classes, **options).
SENTENCES: dict[str, Callable[..., Module]] = {"kim_cnn": kim_cnn, "dilated_cnn": dilated_cnn, "bilstm": bilstm}
# Every network of images or clips by name, and one that takes no num_classes.
names: dict[str, Callable[..., Module]] = {**MODELS, **SEGMENTERS, **CLIP_MODELS, "hed": hed}


def build(name: str, num_classes: int, in_channels: int, **options: Any) -> Module:
    """The model `name` of MODELS, SEGMENTERS or CLIP_MODELS for that many classes and channels, with its builder's options.

    Raises: OptionError for an unknown model or option, with the known ones.
    """
    builders = {**MODELS, **SEGMENTERS, **CLIP_MODELS}
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
