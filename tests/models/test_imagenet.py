"""The networks for large images: torchvision's names and shapes, what they see, and what they become with dilations."""

import json
from pathlib import Path

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import models, nn
from minidil.analysis import dilate, receptive_field
from minidil.errors import OptionError, ShapeError

STATES = json.loads(Path(__file__).with_name("torchvision_states.json").read_text())
SIZES = {
    "vgg16": 138_357_544,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "efficientnet_lite0": 4_652_008,
    "hed": 14_716_171,
}
HEAVY = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet34", "resnet50", "vgg16")]


def images(*shape: int) -> md.Tensor:
    return md.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", *HEAVY])
def test_names_and_shapes_are_torchvisions_in_its_order(name: str) -> None:
    state = models.names[name]().state_dict()
    assert {key: list(array.shape) for key, array in state.items()} == STATES[name]
    assert list(state) == list(STATES[name])


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "hed", *HEAVY])
def test_number_of_parameters(name: str) -> None:
    assert sum(parameter.size for parameter in models.names[name]().parameters()) == SIZES[name]


def test_hed_has_the_convolutions_of_vgg16() -> None:
    convolutions = {key: shape for key, shape in STATES["vgg16"].items() if key.startswith("features.")}
    state = models.hed().state_dict()
    assert {key: list(state[key].shape) for key in convolutions} == convolutions
    rest = {key: array.shape for key, array in state.items() if key not in convolutions}
    widths = (64, 128, 256, 512, 512)
    expected = {f"dsn{n}.weight": (1, width, 1, 1) for n, width in enumerate(widths, 1)} | {"fuse.weight": (1, 5, 1, 1)}
    assert rest == expected | {f"dsn{n}.bias": (1,) for n in range(1, 6)} | {"fuse.bias": (1,)}


def field_behind(model: nn.Module, layer: str, shape: tuple[int, ...] = (3, 224, 224)) -> tuple[int, int]:
    """The size of the field behind a layer, and its jump."""
    (found,) = [row for row in receptive_field(model, shape).layers if row.name == layer]
    return found.size[0], int(found.jump[0])


def test_what_the_last_convolution_of_hed_sees() -> None:
    assert field_behind(models.hed(widths=(2, 2, 2, 2, 2)), "features.28", (3, 64, 64)) == (196, 16)


@pytest.mark.slow
def test_what_the_last_convolutions_of_the_large_ones_see() -> None:
    assert field_behind(models.vgg16(), "features.28") == (196, 16)
    assert field_behind(models.efficientnet_lite0(), "blocks.15.project_conv") == (851, 32)
    assert field_behind(models.resnet18(), "layer4.1.conv2") == (435, 32)
    assert field_behind(models.resnet50(), "layer4.2.conv3") == (427, 32)


def test_dilation_leaves_the_field_as_it_is() -> None:
    assert field_behind(dilate(models.hed(widths=(2, 2, 2, 2, 2)), 4).model, "features.28", (3, 64, 64)) == (196, 4)


def last_map(model: nn.Module, x: md.Tensor) -> np.ndarray:
    with md.no_grad():
        return (model.maps(x)[-1] if isinstance(model, models.HED) else model.features(x)).numpy()


@pytest.mark.parametrize(
    ("name", "had", "strides"),
    [
        ("efficientnet_lite0", 32, (16, 8)),
        ("hed", 16, (8, 4)),
        pytest.param("resnet18", 32, (16, 8), marks=pytest.mark.slow),
        pytest.param("resnet50", 32, (16, 8), marks=pytest.mark.slow),
    ],
)
def test_the_old_map_is_in_the_denser_one(name: str, had: int, strides: tuple[int, ...]) -> None:
    model = (models.hed(widths=(4, 8, 8, 16, 16)) if name == "hed" else models.names[name]()).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):  # as after training, when a batch norm is not near the identity
            module.running_var = np.linspace(0.5, 2, module.num_features, dtype=np.float32)
    x = images(1, 3, 64, 64)
    old = last_map(model, x)
    for stride in strides:
        made = dilate(model, stride)
        assert (made.output_stride, made.factor) == (stride, (had // stride,) * 2)
        whole = last_map(made.model.eval(), x)
        if name == "efficientnet_lite0":  # its padding is "same", and stays so
            assert whole.shape[2:] == (64 // stride, 64 // stride)
        new = whole[:, :, :: made.factor[0], :: made.factor[1]]
        assert new.shape == old.shape
        np.testing.assert_allclose(new, old, rtol=0, atol=2e-5 * np.abs(old).max())


@pytest.mark.slow
def test_the_option_output_stride_is_the_same_surgery() -> None:
    model = models.efficientnet_lite0(7, output_stride=16, rng=np.random.default_rng(1)).eval()
    same = dilate(models.efficientnet_lite0(7, rng=np.random.default_rng(1)), 16).model.eval()
    x = images(1, 3, 32, 32)
    assert np.array_equal(last_map(model, x), last_map(same, x))
    assert model(x).shape == (1, 7)
    assert [model.blocks[n].depthwise_conv.stride for n in (5, 11)] == [(2, 2), (1, 1)]
    assert [model.blocks[n].depthwise_conv.dilation for n in (11, 12)] == [(1, 1), (2, 2)]


@pytest.mark.parametrize("stride", [5, 64])
def test_an_output_stride_that_there_cannot_be(stride: int) -> None:
    with pytest.raises(OptionError, match=rf"ResNet multiply to 32x32.*not {stride}"):
        models.resnet18(output_stride=stride)


def test_any_channels_and_sizes() -> None:
    assert models.resnet18(3, in_channels=1).eval()(images(1, 1, 33, 70)).shape == (1, 3)
    assert models.efficientnet_lite0(3, in_channels=1).eval()(images(1, 1, 33, 70)).shape == (1, 3)


@pytest.mark.parametrize("name", [pytest.param("resnet18", marks=pytest.mark.slow), "efficientnet_lite0"])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    model = models.build(name, 3, 3)
    F.cross_entropy(model(images(2, 3, 32, 32)), target=np.array([0, 2])).backward()
    assert all(np.any(parameter.grad.data) for parameter in model.parameters())


def test_pictures_as_the_networks_were_trained_on_them() -> None:
    pixels = np.zeros((1, 3, 1, 2), np.uint8)
    pixels[0, :, 0, 1] = (255, 0, 128)
    usual = models.PIXELS["resnet50"].prepare(pixels)
    assert usual.dtype == np.float32
    np.testing.assert_allclose(usual[0, :, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-6)
    np.testing.assert_allclose(usual[0, 0, 0, 1], (1 - 0.485) / 0.229, rtol=1e-6)
    turned = models.PIXELS["hed"].prepare(pixels)[0, :, 0, 1]
    np.testing.assert_allclose(turned, [128 - 104.00699, -116.66877, 255 - 122.67892], rtol=1e-6)
    with pytest.raises(ShapeError, match=r"\(N, 3, H, W\), not \(1, 1, 4, 4\)"):
        models.PIXELS["hed"].prepare(np.zeros((1, 1, 4, 4)))
    assert set(models.PIXELS) < set(models.names)
