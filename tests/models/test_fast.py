"""The fast network: whitening, its first values, shapes, mistakes, and that it learns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil.functional as F
from minidil.data import digits
from minidil.errors import DataError, OptionError, ShapeError
from minidil.graph import no_grad
from minidil.models import WhitenedVGG, vgg_fast, whitening
from minidil.nn import BatchNorm2d, Conv2d
from minidil.optim import SGD
from minidil.schedule import Triangular
from minidil.tensor import tensor

SMALL = {"widths": (4, 6), "dilations": ((1, 2), (2,))}


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def correlated(count: int, channels: int, seed: int) -> np.ndarray:
    """Images whose neighbouring pixels and channels are alike, as in photographs, with mean about 0."""
    noise = images(count, channels, 9, 9, seed=seed)
    smooth = noise[:, :, 1:] + noise[:, :, :-1]
    smooth = smooth[:, :, :, 1:] + smooth[:, :, :, :-1]
    return (smooth + 2 * smooth.mean(axis=1, keepdims=True)).astype(np.float32)


def patches(values: np.ndarray) -> np.ndarray:
    """Every 2x2 patch, one a row: float64 (N (H - 1) (W - 1), 4 C), by loops."""
    n, _, height, width = values.shape
    rows = [
        values[i, :, y : y + 2, x : x + 2].ravel()
        for i in range(n)
        for y in range(height - 1)
        for x in range(width - 1)
    ]
    return np.array(rows, np.float64)


@given(st.integers(1, 3), st.integers(0, 9))
def test_whitened_patches_are_uncorrelated_and_of_variance_1(channels: int, seed: int) -> None:
    values = correlated(40, channels, seed)
    filters = whitening(values, eps=0.0)
    assert (filters.shape, filters.dtype) == ((4 * channels, channels, 2, 2), np.float32)
    white = F.conv(tensor(values), tensor(filters)).numpy()
    outputs = white.transpose(0, 2, 3, 1).reshape(-1, 4 * channels)
    np.testing.assert_allclose(np.cov(outputs.T, bias=True), np.eye(4 * channels), atol=2e-3)


def test_filters_are_the_directions_of_the_covariance_strongest_first() -> None:
    values, eps = correlated(30, 2, seed=0), 0.05
    covariance = np.cov(patches(values).T, bias=True)
    directions = whitening(values, eps).reshape(8, 8).astype(np.float64)
    lengths = np.linalg.norm(directions, axis=1)
    units = directions / lengths[:, None]
    variances = np.einsum("ij,jk,ik->i", units, covariance, units)
    np.testing.assert_allclose(lengths, 1 / np.sqrt(variances + eps), rtol=1e-3)
    np.testing.assert_allclose(units @ units.T, np.eye(8), atol=1e-4)
    assert np.all(np.diff(variances) < 1e-6)
    assert variances.sum() == pytest.approx(np.trace(covariance), rel=1e-4)


def test_a_direction_without_variance_stays_finite() -> None:
    filters = whitening(np.ones((3, 1, 4, 4), np.float32))
    np.testing.assert_allclose(np.linalg.norm(filters.reshape(4, 4), axis=1), 1 / np.sqrt(5e-4), rtol=1e-5)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 1, 4), (0, 3, 4, 4)])
def test_images_without_a_patch_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"whitening: images must be \(N, C, H, W\) of at least 2x2"):
        whitening(np.zeros(shape, np.float32))


def test_images_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        whitening(np.full((1, 1, 2, 2), np.nan, np.float32))


def test_the_first_layer_has_each_filter_and_its_negative() -> None:
    model, values = vgg_fast(3, in_channels=2, **SMALL), correlated(20, 2, seed=1)
    model.whiten_by(values)
    weight = model.whiten.weight.data
    np.testing.assert_array_equal(weight[:8], whitening(values))
    np.testing.assert_array_equal(weight[8:], -whitening(values))
    with pytest.raises(ShapeError, match=r"give a first weight \(8, 1, 2, 2\), but the model's is \(16, 2, 2, 2\)"):
        model.whiten_by(values[:, :1])


def test_the_default_is_that_of_the_paper() -> None:
    model = vgg_fast()
    # 24 biases; 24*64*9 + 64*64*9, 64*256*9 + 256*256*9, 2*256*256*9; 2*(64+256+256) biases of batch norm; 2,560
    trained = 24 + 50_688 + 737_280 + 1_179_648 + 1152 + 2560
    assert sum(p.size for p in model.parameters() if p.requires_grad) == trained
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    norms = [name for name, module in model.named_modules() if isinstance(module, BatchNorm2d)]
    assert frozen == {"whiten.weight", *(f"{name}.weight" for name in norms)}
    assert len(norms) == 6
    assert all(module.momentum == 0.4 for module in model.modules() if isinstance(module, BatchNorm2d))
    shapes = {row.name: row.output_shape[2:] for row in model.summary((3, 32, 32)).rows}
    assert shapes["whiten"] == (31, 31)
    assert [shapes[f"features.{block}.2"] for block in range(3)] == [(15, 15), (7, 7), (3, 3)]


def test_convolutions_begin_by_copying() -> None:
    model = vgg_fast(**SMALL, rng=np.random.default_rng(0))
    x = tensor(images(2, 24, 6, 6))
    first, second = model.features[0][0], model.features[0][3]
    np.testing.assert_allclose(first(x).numpy(), x.numpy()[:, :4], rtol=1e-5, atol=1e-6)
    narrow = tensor(images(2, 4, 7, 7))
    np.testing.assert_allclose(second(narrow).numpy(), narrow.numpy(), rtol=1e-5, atol=1e-6)
    drawn = model.features[1][0].weight.data[4:]
    assert drawn.var() == pytest.approx(1 / (3 * 4 * 9), rel=0.5)


def test_dilations_change_what_is_seen_and_not_the_sizes() -> None:
    def last(dilations: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], str]:
        rows = vgg_fast(widths=(4, 4), dilations=dilations).summary((3, 16, 16)).rows
        row = next(row for row in rows if row.name == "features.1.4")
        return row.output_shape, str(row.field)

    # 2 | 4, 5, 9 | 13, 15, 23, and with dilations 1, 2 and 3, 1: 2 | 4, 5, 13 | 25, 27, 35
    assert last(((1, 1), (1, 1))) == ((1, 4, 3, 3), "23")
    assert last(((1, 2), (3, 1))) == ((1, 4, 3, 3), "35")


@pytest.mark.parametrize("shape", [(2, 1, 5, 5), (3, 1, 6, 9)])
def test_any_size_that_can_be_halved_gives_logits(shape: tuple[int, ...], backend: str) -> None:
    model = vgg_fast(7, in_channels=1, **SMALL)
    assert model(tensor(images(*shape))).shape == (shape[0], 7)
    with pytest.raises(
        ShapeError, match=r"images of 4x9 cannot be halved 2 times .* at least 5x5 pixels, or fewer widths"
    ):
        model(tensor(images(1, 1, 4, 9)))


def test_logits_are_scaled() -> None:
    outputs = []
    for scale in (1.0, 0.25):
        model = vgg_fast(3, **SMALL, scale=scale, rng=np.random.default_rng(0))
        outputs.append(model(tensor(images(2, 3, 8, 8))).numpy())
    np.testing.assert_allclose(outputs[1], outputs[0] / 4, rtol=1e-6)


def test_what_is_trained_gets_a_gradient_and_what_is_frozen_gets_none(backend: str) -> None:
    model = vgg_fast(3, **SMALL)
    F.cross_entropy(model(tensor(images(4, 3, 8, 8))), target=np.array([0, 1, 2, 0])).backward()
    for parameter in model.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad
        assert parameter.grad is None or np.any(parameter.grad.data)


@pytest.mark.slow
def test_it_learns_the_digits_in_one_epoch() -> None:
    train, test = digits("train"), digits("test")
    model = vgg_fast(10, in_channels=1, widths=(32, 32), dilations=((1, 1), (1, 1)), rng=np.random.default_rng(0))

    def prepared(values: np.ndarray) -> np.ndarray:
        return (values / np.float32(255) - train.mean()[:, None, None]) / train.std()[:, None, None]

    model.whiten_by(prepared(train.images))
    optimizer = SGD([p for p in model.parameters() if p.requires_grad], 4.0, momentum=0.85, nesterov=True)
    schedule = Triangular(optimizer, 22)
    order = np.random.default_rng(0).permutation(len(train))
    for start in range(0, 22 * 64, 64):
        chosen = order[start : start + 64]
        optimizer.zero_grad()
        F.cross_entropy(model(tensor(prepared(train.images[chosen]))), target=train.labels[chosen]).backward()
        optimizer.step()
        schedule.step()
    with no_grad():
        logits = model.eval()(tensor(prepared(test.images))).numpy()
    assert (logits.argmax(axis=1) == test.labels).mean() > 0.95


def test_names_of_the_state() -> None:
    names = list(vgg_fast(**SMALL).state_dict())
    assert names[:3] == ["whiten.weight", "whiten.bias", "features.0.0.weight"]
    assert "features.0.2.running_mean" in names
    assert names[-1] == "classifier.weight"
    assert isinstance(vgg_fast(**SMALL), WhitenedVGG)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": (4,)}, r"1 widths \(4,\) and 3 entries of dilations"),
        ({"widths": (), "dilations": ()}, "0 widths"),
        ({"widths": (4,), "dilations": (1,)}, r"dilations\[0\] must be a sequence .* not 1"),
        ({"widths": (4,), "dilations": ((),)}, r"dilations\[0\] must be a sequence"),
        ({"widths": (4,), "dilations": ((0,),)}, "dilation must be made of ints >= 1"),
        ({"widths": (0,), "dilations": ((1,),)}, "out_channels must be an int >= 1"),
    ],
)
def test_mistakes(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        vgg_fast(**options)


def test_a_convolution_is_dilated_and_padded_alike() -> None:
    convs = [module for module in vgg_fast(**SMALL).features.modules() if isinstance(module, Conv2d)]
    assert [(conv.dilation, conv.padding) for conv in convs] == [((1, 1), 1), ((2, 2), 2), ((2, 2), 2)]
