"""Every operation, in each class of shapes that has a way of its own: which of them is the slowest beside PyTorch?"""

from __future__ import annotations

from collections.abc import Sequence

from minidil.bench import conv, layers
from minidil.bench.cases import ConvCase, LayerCase
from minidil.bench.results import Row, measure
from minidil.bench.timing import WARM_UP

COMPARED = ("numba", "torch", "torch channels-last")
OPERATIONS: list[ConvCase | LayerCase] = [
    *map(
        ConvCase.parse,
        (
            "64x64x32x32 f64 k3 d1",
            "64x64x32x32 f64 k3 d4",
            "64x128x16x16 f128 k3 d2",
            "64x256x8x8 f256 k3 d1",
            "64x256x8x8 f256 k3 d4",
            "4x16x256x256 f16 k3 d1",  # few channels, large images
            "1x32x128x128 f32 k3 d2",  # one image
            "64x3x32x32 f64 k3 d1",  # the first layer
            "16x3x64x64 f64 k7 d1 s2",  # the stem of a ResNet
            "64x64x32x32 f128 k3 d1 s2",
            "64x64x32x32 f64 k1 d1",
            "64x128x16x16 f128 k1 d1",
            "32x64x32x32 f64 k5 d2",
            "64x128x16x16 f128 k3 d1 g4",
            "64x128x16x16 f128 k3 d1 g128",  # one filter a channel
            "64x128x16x16 f128 k5 d1 g128",
            "64x64x4096 f64 k3 d64",  # sequences
            "32x32x1500 f64 k3 d16",
            "32x24x784 f24 k7 d8",
            "64x16x16x16x16 f16 k3 d2",  # volumes
            "8x1x16x16x16 f8 k3 d1",
            "8x8x16x16x16 f16 k3 d1",
        ),
    ),
    *map(
        LayerCase.parse,
        (
            "conv-transpose 16x64x32x16x16",
            "max-pool 128x64x32x32",
            "avg-pool 128x64x32x32",
            "interpolate 16x64x16x16",
            "batch-norm 128x64x32x32",
            "layer-norm 4096x256",
            "relu 128x64x32x32",
            "gelu 128x256x8x8",
            "silu 128x256x8x8",
            "sigmoid 128x256x8x8",
            "tanh 128x256x8x8",
            "dropout 128x256x8x8",
            "softmax 4096x256",
            "cross-entropy 128x10",
            "cross-entropy 4096x1000",
            "linear 128x512x512",
            "matmul 512x512x512",
            "embedding 4096x1000x64",
            "embedding 256x64x32",
            "add 10",
            "sgd 256x256x3x3",
            "sgd 64x64x3x3",
            "adam 256x256x3x3",
            "adamw 256x256x3x3",
        ),
    ),
]


def bench_ops(
    cases: Sequence[ConvCase | LayerCase], libraries: Sequence[str], rounds: int = 9, warm_up: float = WARM_UP
) -> list[Row]:
    """The rows of `bench_conv` and `bench_layers` for all cases, those with minidil's worst ratio to PyTorch last."""
    rows: list[Row] = []
    for case in cases:
        subjects = (conv if isinstance(case, ConvCase) else layers).subjects(case, libraries)
        rows += [row for subject in subjects for row in measure(subject, rounds, warm_up)]
    worst = {(row["case"], row["part"]): row["ratio"] for row in rows if row["library"] == "numba"}
    return sorted(rows, key=lambda row: worst.get((row["case"], row["part"])) or 0.0)
