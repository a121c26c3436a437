"""Convolution layers: settings, shapes, gradients, mistakes. The arithmetic itself is tested where it lives."""

import numpy as np
import pytest

import minidil.functional as F
from minidil import nn
from minidil.errors import OptionError, ShapeError
from minidil.tensor import tensor

CONVS = [nn.Conv1d, nn.Conv2d, nn.Conv3d]
TRANSPOSED = [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d]


def zeros(*shape: int):
    return tensor(np.zeros(shape, np.float32))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_parameters(ndim: int) -> None:
    conv = CONVS[ndim - 1](4, 6, 3, groups=2)
    assert conv.weight.shape == (6, 2, *(3,) * ndim)
    assert conv.bias.shape == (6,)
    assert not conv.bias.data.any()
    transposed = TRANSPOSED[ndim - 1](4, 6, 3, groups=2)
    assert transposed.weight.shape == (4, 3, *(3,) * ndim)
    assert transposed.bias.shape == (6,)
    assert CONVS[ndim - 1](1, 1, 1, bias=False).bias is None


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, {"bias": False}])
def test_gradients(ndim: int, settings: dict[str, int], check_layer) -> None:
    check_layer(CONVS[ndim - 1](2, 4, 2, **settings), 2, 2, *(5, 4, 3)[:ndim])
    check_layer(TRANSPOSED[ndim - 1](2, 4, 2, **settings), 2, 2, *(3, 2, 3)[:ndim])


def test_the_layer_is_the_function_of_its_settings() -> None:
    rng = np.random.default_rng(0)
    x = tensor(rng.standard_normal((2, 4, 9, 8)).astype(np.float32))
    settings = {"stride": (2, 1), "padding": ((1, 0), (2, 3)), "dilation": (1, 2), "groups": 2}
    conv = nn.Conv2d(4, 6, (3, 2), **settings)
    assert np.array_equal(conv(x).data, F.conv(x, conv.weight, conv.bias, **settings).data)
    settings = {"stride": (2, 3), "padding": 1, "dilation": (1, 2), "groups": 2, "output_padding": (1, 2)}
    conv = nn.ConvTranspose2d(4, 6, (3, 2), **settings)
    assert np.array_equal(conv(x).data, F.conv_transpose(x, conv.weight, conv.bias, **settings).data)


@pytest.mark.parametrize(
    ("padding", "length"),
    [(0, 6), (2, 10), ((2,), 10), (((0, 4),), 10), ("valid", 6), ("same", 10), ("causal", 10)],
)
def test_padding(padding, length: int) -> None:
    assert nn.Conv1d(1, 1, 3, padding=padding, dilation=2)(zeros(1, 1, 10)).shape == (1, 1, length)


def test_causal_outputs_never_see_the_future() -> None:
    conv = nn.Conv1d(1, 1, 3, padding="causal", dilation=2)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, 1, 12)).astype(np.float32)
    changed = x.copy()
    changed[..., 7:] += 1
    difference = conv(tensor(x)).data != conv(tensor(changed)).data
    assert not difference[..., :7].any()
    assert difference[..., 7]


def test_the_smallest_input_that_a_dilated_kernel_fits() -> None:
    conv = nn.Conv2d(1, 1, 3, dilation=4)  # spans 9
    assert conv(zeros(1, 1, 9, 9)).shape == (1, 1, 1, 1)
    with pytest.raises(ShapeError, match=r"4\*\(3-1\)\+1 = 9"):
        conv(zeros(1, 1, 8, 9))


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1, 3), "in_channels must be an int >= 1, not 0"),
        ((1, 2.0, 3), "out_channels must be an int >= 1, not 2.0"),
        ((True, 1, 3), "in_channels must be an int >= 1, not True"),
        ((1, 1, 0), "kernel_size must be made of ints >= 1, not 0"),
        ((1, 1, (3, 3, 3)), "kernel_size must be an int or 2 ints"),
        ((1, 1, 3, 0), "stride must be made of ints >= 1"),
        ((1, 1, 3, 1, -1), "padding must be made of ints >= 0"),
        ((1, 1, 3, 1, "full"), "padding must be"),
    ],
)
def test_bad_settings(layer: type[nn.Module], arguments: tuple, message: str) -> None:
    with pytest.raises(OptionError, match=f"^{layer.__name__}: {message}"):
        layer(*arguments)


@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_bad_dilation_and_groups(layer: type[nn.Module]) -> None:
    with pytest.raises(OptionError, match="dilation must be made of ints >= 1, not 0"):
        layer(1, 1, 3, dilation=0)
    with pytest.raises(OptionError, match="groups must be an int >= 1"):
        layer(1, 1, 3, groups=0)
    with pytest.raises(OptionError, match=f"{layer.__name__}: in_channels=3 does not divide into groups=2"):
        layer(3, 4, 3, groups=2)
    with pytest.raises(OptionError, match=f"{layer.__name__}: out_channels=5 does not divide into groups=2"):
        layer(4, 5, 3, groups=2)


def test_output_padding_below_the_dilation_is_what_the_op_takes() -> None:
    layer = nn.ConvTranspose1d(1, 1, 3, 1, output_padding=2, dilation=3)
    assert layer(zeros(1, 1, 4)).shape == (1, 1, 3 + 7 + 2)


def test_bad_transposed_settings() -> None:
    with pytest.raises(OptionError, match="output_padding=2 must be less than stride=2 or dilation=1"):
        nn.ConvTranspose1d(1, 1, 3, 2, output_padding=2)
    with pytest.raises(OptionError, match="output_padding"):
        nn.ConvTranspose1d(1, 1, 3, 2, output_padding=-1)
    for padding in ("same", "causal"):
        with pytest.raises(OptionError, match="give it in numbers"):
            nn.ConvTranspose1d(1, 1, 3, padding=padding)


def test_bad_inputs() -> None:
    with pytest.raises(ShapeError, match=r"Conv2d: x must be \(N, C, H, W\), with 4 axes.*reshape\(1, 3, 8, 8\)"):
        nn.Conv2d(3, 1, 3)(zeros(3, 8, 8))
    with pytest.raises(
        ShapeError, match=r"Conv1d: x must be \(N, C, L\), with 3 axes, but has shape \(1, 3, 8, 8\)(\n|$)"
    ):
        nn.Conv1d(3, 1, 3)(zeros(1, 3, 8, 8))
    with pytest.raises(ShapeError, match="ConvTranspose3d"):
        nn.ConvTranspose3d(3, 1, 3)(zeros(1, 3, 8, 8))
    with pytest.raises(ShapeError, match="takes 3"):
        nn.Conv2d(3, 1, 3)(zeros(1, 4, 8, 8))


def test_repr_shows_what_is_not_the_default() -> None:
    assert repr(nn.Conv1d(1, 2, 3)) == "Conv1d(1, 2, kernel_size=3)"
    assert repr(nn.Conv2d(2, 4, (3, 1), 2, "same", (1, 2), 2, False)) == (
        "Conv2d(2, 4, kernel_size=(3, 1), stride=2, padding='same', dilation=(1, 2), groups=2, bias=False)"
    )
    assert repr(nn.ConvTranspose2d(1, 1, 3, 2, 1, 1)) == (
        "ConvTranspose2d(1, 1, kernel_size=3, stride=2, padding=1, output_padding=1)"
    )


def test_runs_on_every_backend(backend: str) -> None:
    conv = nn.Conv2d(3, 5, 3, padding=2, dilation=2, rng=np.random.default_rng(0))
    x = tensor(np.random.default_rng(1).standard_normal((2, 3, 7, 6)).astype(np.float32), requires_grad=True)
    y = conv(x)
    y.sum().backward()
    assert y.shape == (2, 5, 7, 6)
    assert x.grad.shape == x.shape
    assert conv.bias.grad.data == pytest.approx(np.full(5, 84))
