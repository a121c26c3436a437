"""Inflation: a clip of equal frames gets the answer of the image, whatever the network."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import examples

import minidil as md
from minidil import nn
from minidil.analysis import dilate, receptive_field
from minidil.errors import OptionError
from minidil.models import context, inflate, resnet_small, unet, vgg_small
from minidil.models.inflate import InflatedConv


def clip_of(images: np.ndarray, frames: int) -> np.ndarray:
    return np.repeat(images[:, :, None], frames, axis=2)


def answers(
    model: nn.Module, inflated: nn.Module, shape: tuple[int, ...], frames: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the network says of two images, and the inflated one of their clips."""
    images = np.random.default_rng(1).standard_normal((2, *shape)).astype(next(model.parameters()).dtype)
    with md.use("numpy"), md.no_grad():
        return model.eval()(md.tensor(images)).numpy(), inflated(md.tensor(clip_of(images, frames))).numpy()


def moved_statistics(model: nn.Module, rng: np.random.Generator) -> nn.Module:
    """In float64, with batch norms that do something."""
    model.astype(np.float64)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            module.running_mean = rng.normal(size=module.num_features)
            module.running_var = rng.uniform(0.5, 2, module.num_features)
    return model


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    """Two channels in, any of the layers that can be inflated, on frames of 12x11."""
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    model = nn.Sequential()

    def conv(stride: int = 1) -> nn.Conv2d:
        kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        padding = draw(st.sampled_from([0, 1, (2, 0), ((0, 1), (2, 1)), "valid", "causal"] + ["same"] * (stride == 1)))
        groups, bias = draw(st.sampled_from([1, 2])), draw(st.booleans())
        return nn.Conv2d(2, 2, kernel, stride, padding, draw(st.integers(1, 2)), groups, bias, rng=rng)

    def layer() -> nn.Module:
        kind = draw(st.sampled_from(["conv", "max", "avg", "norm", "block", "residual", "act"]))
        padding = draw(st.sampled_from([0, 1, (1, 0), ((0, 1), (1, 0)), "same"]))
        return {
            "conv": lambda: conv(draw(st.integers(1, 2))),
            "max": lambda: nn.MaxPool2d(2, draw(st.integers(1, 2)), padding),
            "avg": lambda: nn.AvgPool2d((2, 3), 1, padding, count_include_pad=draw(st.booleans())),
            "norm": lambda: nn.BatchNorm2d(2, activation=draw(st.sampled_from([None, "relu"]))),
            "block": lambda: nn.ResidualBlock(2, 2, draw(st.integers(1, 2)), draw(st.integers(1, 2)), rng=rng),
            "residual": lambda: nn.Residual(nn.Conv2d(2, 2, 3, padding=1, rng=rng), nn.GroupNorm(1, 2)),
            "act": lambda: nn.Sequential(nn.GELU(), nn.Dropout2d(0.5)),
        }[kind]()

    for _ in range(draw(st.integers(1, 5))):
        try:
            grown = nn.Sequential(*model, layer())
            with md.use("numpy"), md.no_grad():
                if min(grown.eval()(md.tensor(np.zeros((1, 2, 12, 11), np.float32))).shape) > 0:
                    model = grown
        except md.errors.MinidilError:  # it does not fit what is left
            continue
    model.append(nn.Conv2d(2, 2, 1, rng=rng))
    if draw(st.booleans()):
        pool = draw(st.sampled_from([nn.GlobalAvgPool(), nn.GlobalMaxPool(), nn.AdaptiveAvgPool2d(1)]))
        model.extend([pool, nn.Flatten(), nn.Linear(2, 3, rng=rng)])
    return moved_statistics(model, rng)


@examples(15)
@given(model=networks(), frames=st.sampled_from([1, 3, 5]), length=st.integers(1, 6))
def test_equal_frames_get_the_answer_of_the_image(model: nn.Module, frames: int, length: int) -> None:
    with md.use("numpy"):
        inflated = inflate(model, frames, (2, 12, 11))
    said, of_clip = answers(model, inflated, (2, 12, 11), length)
    assert_allclose(of_clip, said if said.ndim == 2 else clip_of(said, length), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("built", "shape"),
    [
        pytest.param(lambda: vgg_small(pretrained="cifar10"), (3, 16, 16), marks=pytest.mark.slow, id="vgg_small"),
        pytest.param(
            lambda: resnet_small(in_channels=1, pretrained="digits"),
            (1, 8, 8),
            marks=pytest.mark.slow,
            id="resnet_small",
        ),
        pytest.param(lambda: context(2, width=4), (3, 9, 9), id="context"),
    ],
)
def test_networks_that_come_with_minidil(built: Callable[[], nn.Module], shape: tuple[int, int, int]) -> None:
    model = built()
    with md.use("numpy"):
        inflated = inflate(model, input_shape=shape)
    said, of_clip = answers(model, inflated, shape, 4)
    assert_allclose(of_clip, said if said.ndim == 2 else clip_of(said, 4), rtol=1e-3, atol=1e-4)
    assert list(inflated.state_dict()) == list(model.state_dict())


def test_a_weight_is_shared_out_to_three_frames_and_the_model_stays() -> None:
    flat = nn.Conv2d(2, 4, (3, 2), 2, padding=(1, 0), dilation=(1, 2), groups=2)
    before = flat.weight.numpy().copy()
    with md.use("numpy"):
        wide, pointwise = inflate(nn.Sequential(flat, nn.Conv2d(4, 1, 1)), 5)
    assert isinstance(wide, InflatedConv)
    assert (wide.kernel_size, wide.stride, wide.dilation) == ((5, 3, 2), (1, 2, 2), (1, 1, 2))
    assert wide.padding == ((2, 2), (1, 1), (0, 0))
    assert pointwise.kernel_size == (1, 1, 1)
    for frame in range(5):
        assert_array_equal(wide.weight.numpy()[:, :, frame], before / np.float32(5), strict=True)
    wide.weight.data, wide.bias.data = wide.weight.numpy() + 1, wide.bias.numpy() + 1
    assert_array_equal(flat.weight.numpy(), before)
    assert not flat.bias.numpy().any()


def test_frames_that_differ_get_the_mean_of_their_answers_and_the_ends_are_repeated() -> None:
    flat = nn.Conv2d(1, 1, 3)
    images = np.random.default_rng(0).standard_normal((4, 1, 5, 5)).astype(np.float32)
    with md.use("numpy"), md.no_grad():
        said = flat(md.tensor(images)).numpy()[:, 0]
        of_clip = inflate(flat, input_shape=(1, 5, 5))(md.tensor(images.swapaxes(0, 1)[None])).numpy()[0, 0]
    for moment, near in enumerate([(0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 3)]):
        assert_allclose(of_clip[moment], said[list(near)].mean(axis=0), rtol=1e-5, atol=1e-6)


def test_a_shared_layer_stays_shared() -> None:
    layer = nn.Conv2d(1, 1, 3, padding=1)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    with md.use("numpy"):
        inflated = inflate(model, input_shape=(1, 6, 6))
    assert inflated[0] is inflated[2] is not layer
    said, of_clip = answers(model, inflated, (1, 6, 6), 3)
    assert_allclose(of_clip, clip_of(said, 3), rtol=1e-4, atol=1e-5)


def test_what_it_sees_is_known_and_its_strides_can_become_dilations() -> None:
    with md.use("numpy"):
        inflated = inflate(nn.Sequential(nn.Conv2d(1, 2, 3, 2, padding=1), nn.Conv2d(2, 1, 3, padding=1)))
        field = receptive_field(inflated, (1, 9, 16, 16))
        assert field.size == (5, 7, 7)
        denser = dilate(inflated, 1, (1, 4, 16, 16)).model
        x = md.tensor(np.random.default_rng(0).standard_normal((1, 1, 4, 16, 16)).astype(np.float32))
        assert_allclose(denser(x).numpy()[..., ::2, ::2], inflated(x).numpy(), rtol=1e-4, atol=1e-5)


class _Squeezing(nn.Module):
    """A forward of its own that takes the mean over the last two axes, whatever they are, and then what is left of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.conv(x).mean(axis=(2, 3))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(2, 2), "inflate: this Linear has no Conv2d, and so nothing to inflate"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2)),
            "inflate: layer '1' (Upsample) cannot be inflated: there is no rule for this kind of layer",
        ),
        (unet(), "layer 'up.0' (ConvTranspose2d) cannot be inflated"),
        (
            nn.Sequential(nn.Conv2d(1, 1, 3, 2, padding="same")),
            "layer '0' (Conv2d) cannot be inflated: padding \"same\" with a stride depends on the size of the frame",
        ),
        (
            _Squeezing(),
            "inflate: the forward of _Squeezing, or of a part of it, suits images only; a clip of two equal",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 1, 33)),
            "inflate: Sequential does not take an image (1, 32, 32); give input_shape: ",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 1, 29), nn.Flatten(), nn.Linear(16, 2)),
            "inflate: the forward of Sequential, or of a part of it, suits images only; clips do not pass: ",
        ),
    ],
)
def test_what_cannot_be_inflated_is_named(model: nn.Module, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)), md.use("numpy"):
        inflate(model)


@pytest.mark.parametrize(("frames", "message"), [(2, "frames must be odd"), (0, "frames must be an int >= 1")])
def test_windows_have_a_middle(frames: int, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        inflate(vgg_small(), frames)
