"""What is measured: convolutions and layers, each read from its name."""

from __future__ import annotations

import math
from dataclasses import dataclass

from minidil.errors import OptionError
from minidil.kernels.geometry import Window


@dataclass(frozen=True)
class ConvCase:
    """One convolution: x (batch, channels, *size), `filters` filters of `kernel` taps per axis, padded by d (k - 1) / 2."""

    batch: int
    channels: int
    size: tuple[int, ...]
    filters: int
    kernel: int = 3
    dilation: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def padding(self) -> int:
        """Half of the span: with an odd kernel and stride 1 the output is as large as the input."""
        return self.dilation * (self.kernel - 1) // 2

    @property
    def window(self) -> Window:
        """The geometry."""
        return Window.of(self.size, self.kernel, self.stride, self.padding, self.dilation, op=self.name)

    @property
    def flops(self) -> int:
        """Operations of the forward pass by the definition, two per multiply-add; with both gradients it is three times that."""
        outputs = self.batch * self.filters * math.prod(self.window.out)
        return 2 * outputs * (self.channels // self.groups) * self.window.taps

    @property
    def bytes(self) -> int:
        """What the forward pass must at least move in float32: x and the weights in, y out."""
        inputs = self.batch * self.channels * math.prod(self.size)
        weights = self.filters * (self.channels // self.groups) * self.window.taps
        return 4 * (inputs + weights + self.batch * self.filters * math.prod(self.window.out))

    @property
    def name(self) -> str:
        """For instance "64x64x32x32 f64 k3 d2"."""
        shape = "x".join(map(str, (self.batch, self.channels, *self.size)))
        extras = [f" s{self.stride}"] * (self.stride > 1) + [f" g{self.groups}"] * (self.groups > 1)
        return f"{shape} f{self.filters} k{self.kernel} d{self.dilation}" + "".join(extras)

    @classmethod
    def parse(cls, text: str) -> ConvCase:
        """Read a name of that form; what comes after the shape may be left out (f: as many as channels, k3 d1 s1 g1).

        Raises: OptionError if it has another form.
        """
        fields = {"f": "filters", "k": "kernel", "d": "dilation", "s": "stride", "g": "groups"}
        try:
            shape, *options = text.split()
            batch, channels, *size = map(int, shape.split("x"))
            given = {fields[option[0]]: int(option[1:]) for option in options}
        except (ValueError, KeyError):
            size = []
        if not 1 <= len(size) <= 3:
            raise OptionError(
                f"bench: {text!r} is no case; write batch x channels x sizes, as in '64x64x32x32 f64 k3 d2'"
            )
        return cls(batch, channels, tuple(size), **{"filters": channels} | given)


def _three_by_three() -> list[ConvCase]:
    shapes = [(64, 32), (128, 16), (256, 8)]
    return [ConvCase(64, c, (n, n), c, dilation=d) for c, n in shapes for d in (1, 2, 4)]


CASES: dict[str, list[ConvCase]] = {
    "3x3": _three_by_three(),
    "other": [
        ConvCase(64, 128, (16, 16), 128, kernel=1),
        ConvCase(64, 64, (32, 32), 128, stride=2),
        ConvCase(64, 3, (32, 32), 64),
        ConvCase(64, 128, (16, 16), 128, groups=4),
        ConvCase(64, 128, (16, 16), 128, groups=128),
        ConvCase(64, 64, (4096,), 64),
        ConvCase(64, 64, (4096,), 64, dilation=64),
        ConvCase(64, 16, (16, 16, 16), 16),
        ConvCase(64, 16, (16, 16, 16), 16, dilation=2),
    ],
    "mygrad": [ConvCase(16, 32, (32, 32), 32, dilation=d) for d in (1, 2, 4)],
}


# The letters of each kind's shape. Images are N x C x H x W; a linear layer maps N x inputs to N x outputs; an embedding looks up
# N numbers of a table V x C.
LAYER_SHAPES = {
    "batch-norm": "NCHW",
    "layer-norm": "NC",
    "relu": "NCHW",
    "gelu": "NCHW",
    "silu": "NCHW",
    "sigmoid": "NCHW",
    "tanh": "NCHW",
    "max-pool": "NCHW",
    "avg-pool": "NCHW",
    "interpolate": "NCHW",
    "conv-transpose": "NCFHW",
    "dropout": "NCHW",
    "softmax": "NK",
    "cross-entropy": "NK",
    "linear": "NIO",
    "matmul": "NIO",
    "embedding": "NVC",
    "add": "N",
    "sgd": "FCHW",
    "adam": "FCHW",
    "adamw": "FCHW",
    "augment": "NCHW",
}


@dataclass(frozen=True)
class LayerCase:
    """A layer, an optimizer's update or an augmentation, on float32 arrays.

    batch-norm: in training, followed by ReLU. max-pool, avg-pool: 2x2 windows. interpolate: twice as large, bilinear.
    conv-transpose: C to F channels, twice as large, by 4x4 taps. dropout: half of the numbers. sgd: with Nesterov momentum and
    weight decay. augment: pad by 4 and crop, flip half of the images.
    """

    kind: str
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """For instance "max-pool 128x64x32x32"."""
        return f"{self.kind} {'x'.join(map(str, self.shape))}"

    @classmethod
    def parse(cls, text: str) -> LayerCase:
        """Read a name of that form. Raises: OptionError if it has another form."""
        kind, _, shape = text.partition(" ")
        sizes = shape.split("x")
        if not all(size.isdecimal() and int(size) for size in sizes) or len(sizes) != len(LAYER_SHAPES.get(kind, "")):
            forms = ", ".join(f"{name} {'x'.join(letters)}" for name, letters in LAYER_SHAPES.items())
            raise OptionError(f"bench: {text!r} is no layer; write one of {forms}, with numbers >= 1 for the letters")
        return cls(kind, tuple(map(int, sizes)))


def layer_cases(batch: int = 128) -> list[LayerCase]:
    """Every kind as it occurs when a small VGG is trained on CIFAR-10; an update does not depend on the batch."""
    shapes = {
        "batch-norm": (batch, 64, 32, 32),
        "gelu": (batch, 256, 8, 8),
        "max-pool": (batch, 64, 32, 32),
        "dropout": (batch, 256, 8, 8),
        "cross-entropy": (batch, 10),
        "linear": (batch, 512, 512),
        "sgd": (256, 256, 3, 3),
        "adam": (256, 256, 3, 3),
        "augment": (batch, 3, 32, 32),
    }
    return [LayerCase(kind, shape) for kind, shape in shapes.items()]
