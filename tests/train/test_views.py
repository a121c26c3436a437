"""Test-time augmentation, held against the same views made with NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import Tiny

from minidil import nn, train
from minidil.errors import OptionError
from minidil.models import vgg_small
from minidil.tensor import Tensor, tensor
from minidil.train import AveragedViews


class Cubes(nn.Module):
    """sum of w x^3, which no view of an image leaves as it is; logits (N, 1)."""

    def forward(self, x: Tensor) -> Tensor:
        weight = np.arange(1, 1 + np.prod(x.shape[1:]), dtype=x.dtype).reshape(x.shape[1:])
        return (x * x * x * weight).flatten(1).sum(axis=1, keepdims=True)


@pytest.mark.slow
@given(st.integers(1, 3), st.integers(1, 2), st.integers(2, 6), st.integers(2, 6))
def test_the_weights_of_the_views(n: int, channels: int, height: int, width: int) -> None:
    x = np.random.default_rng(0).standard_normal((n, channels, height, width))

    def logits(images: np.ndarray) -> np.ndarray:
        return Cubes()(tensor(np.ascontiguousarray(images))).numpy()

    def both(images: np.ndarray) -> np.ndarray:
        return (logits(images) + logits(images[..., ::-1])) / 2

    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect")
    corners = padded[:, :, :height, :width], padded[:, :, 2:, 2:]
    expected = [logits(x), both(x), both(x) / 2 + (both(corners[0]) + both(corners[1])) / 4]
    for level, wanted in enumerate(expected):
        np.testing.assert_allclose(AveragedViews(Cubes(), level)(tensor(x)).numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_it_is_measured_like_any_model(backend: str) -> None:
    tiny = Tiny()
    for level in train.LEVELS:
        views = AveragedViews(tiny.model, level)
        metrics = train.evaluate(views, tiny.val)
        assert 0 <= metrics.accuracy <= 1
        assert (metrics == train.evaluate(tiny.model, tiny.val)) == (level == 0)


def test_the_mode_and_the_parameters_are_those_of_the_model() -> None:
    model = vgg_small(2, widths=(4,), dilations=((1,),))
    views = AveragedViews(model, 1).eval()
    assert not model.training
    assert list(map(id, views.parameters())) == list(map(id, model.parameters()))


@pytest.mark.slow
def test_there_are_three_levels() -> None:
    with pytest.raises(OptionError, match="level must be one of 0, 1, 2, not 3"):
        AveragedViews(Cubes(), 3)
