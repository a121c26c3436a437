"""Layers, losses, containers and initial weights: what models are built from."""

import sys
from typing import Any

from minidil.names import lookup
from minidil.nn import init
from minidil.nn.activation import (
    GELU,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    Gate,
    Identity,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Tanh,
)
from minidil.nn.attention import MultiheadAttention, TransformerEncoderLayer
from minidil.nn.container import ModuleList, Sequential
from minidil.nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from minidil.nn.crf import CRF
from minidil.nn.embedding import Embedding
from minidil.nn.field import Field
from minidil.nn.group import GroupNorm, InstanceNorm, InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from minidil.nn.keyed import ModuleDict, ParameterList
from minidil.nn.linear import Linear
from minidil.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss
from minidil.nn.module import Module
from minidil.nn.norm import BatchNorm, BatchNorm1d, BatchNorm2d, BatchNorm3d, LayerNorm
from minidil.nn.parameter import Parameter
from minidil.nn.pool import (
    AdaptiveAvgPool,
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AvgPool1d,
    AvgPool2d,
    AvgPool3d,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1d,
    MaxPool2d,
    MaxPool3d,
)
from minidil.nn.recurrent import GRU, LSTM
from minidil.nn.residual import Residual, ResidualBlock
from minidil.nn.resize import Upsample
from minidil.nn.smooth import PhaseMixing, SharedConv, SmoothedDilation
from minidil.nn.spacing import Dcls1d, Dcls2d, Dcls3d
from minidil.nn.summary import Summary
from minidil.nn.watch import watch
from minidil.nn.weight_norm import WeightNormConv1d

__all__ = [
    "CRF",
    "GELU",
    "GRU",
    "LSTM",
    "AdaptiveAvgPool",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCEWithLogitsLoss",
    "BatchNorm",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CrossEntropyLoss",
    "Dcls1d",
    "Dcls2d",
    "Dcls3d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "Field",
    "Flatten",
    "Gate",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "HuberLoss",
    "Identity",
    "InstanceNorm",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiheadAttention",
    "Parameter",
    "ParameterList",
    "PhaseMixing",
    "ReLU",
    "Residual",
    "ResidualBlock",
    "Sequential",
    "SharedConv",
    "SiLU",
    "Sigmoid",
    "SmoothedDilation",
    "Softmax",
    "Summary",
    "Tanh",
    "TransformerEncoderLayer",
    "Upsample",
    "WeightNormConv1d",
    "init",
    "watch",
]


def __getattr__(name: str) -> Any:
    return lookup.of_room("nn", name, sys.modules[__name__])
