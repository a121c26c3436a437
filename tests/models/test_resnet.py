"""Small residual networks."""

import numpy as np
import pytest

import minidil.functional as F
from minidil.errors import OptionError
from minidil.models import resnet_small
from minidil.tensor import tensor


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_the_default_is_resnet_20() -> None:
    model = resnet_small()
    layers = [module for module in model.modules() if type(module).__name__ in ("Conv2d", "Linear")]
    shortcuts = 2
    assert len(layers) - shortcuts == 20
    # 16*27 + 6*(9*16*16) + (9*16*32 + 5*9*32*32) + (9*32*64 + 5*9*64*64) for the convolutions, 16*32 + 32*64 for the
    # shortcuts, 2*(7*16 + 7*32 + 7*64) for batch norm with those of the shortcuts, and 650
    convs = 432 + 13824 + 4608 + 46080 + 18432 + 184320
    assert sum(p.size for p in model.parameters()) == convs + 512 + 2048 + 2 * (7 * 16 + 7 * 32 + 7 * 64) + 650


def test_names() -> None:
    names = [
        name for name, _ in resnet_small(blocks=1, widths=(4, 8), strides=(1, 2), dilations=(1, 2)).named_parameters()
    ]
    assert names[:4] == ["conv1.weight", "bn1.weight", "bn1.bias", "layer1.0.conv1.weight"]
    assert "layer2.0.downsample.0.weight" in names
    assert names[-2:] == ["fc.weight", "fc.bias"]


def test_a_stride_traded_for_a_dilation_keeps_the_resolution() -> None:
    options = {"widths": (4, 4, 4), "blocks": 1}
    strided = resnet_small(**options).summary((3, 32, 32))
    dilated = resnet_small(strides=(1, 2, 1), dilations=(1, 1, 2), **options).summary((3, 32, 32))

    def last(summary) -> tuple[tuple[int, ...], str]:
        row = next(row for row in summary.rows[::-1] if row.name == "layer3.0.relu")
        return row.output_shape[2:], str(row.field)

    # 3, 5, 7 | 9 and, with jump 2, 13 | 17 and, with jump 4, 25
    assert last(strided) == ((8, 8), "25")
    # ... 13 | 13 + 2*2*2 = 21 and 29: dilation 2 from the first convolution of the stage on
    assert last(dilated) == ((16, 16), "29")


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 3, 8, 8), (3, 3, 5, 7)])
def test_any_size_gives_logits(shape: tuple[int, ...]) -> None:
    assert resnet_small(7, widths=(2, 3, 4), blocks=1)(tensor(images(*shape))).shape == (shape[0], 7)


def test_every_parameter_gets_a_gradient(backend: str) -> None:
    model = resnet_small(3, widths=(4, 6), blocks=2, strides=(1, 2), dilations=(1, 2))
    F.cross_entropy(model(tensor(images(4, 3, 8, 8))), target=np.array([0, 1, 2, 0])).backward()
    assert all(np.any(parameter.grad.data) for parameter in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "blocks must be an int >= 1, not 0"),
        ({"widths": (4, 8)}, "2 widths, 3 strides and 3 dilations"),
        ({"widths": (), "strides": (), "dilations": ()}, "0 widths"),
        ({"dilations": (1, 1, 0)}, "dilation must be an int >= 1"),
        ({"strides": (1, 0, 1)}, "stride must be an int >= 1"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resnet_small(**options)
