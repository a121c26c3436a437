"""One dense pass gives what all shifted passes give, position by position, and says what both cost."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import deploy, nn
from minidil.errors import OptionError, ShapeError


def of_integers(model: nn.Module) -> nn.Module:
    """Weights of small whole numbers in float64, with which sums are exact in any order."""
    draw = np.random.default_rng(1)
    model.astype(np.float64).eval()
    for parameter in model.parameters():
        parameter.data = draw.integers(-2, 3, parameter.shape).astype(np.float64)
    return model


@st.composite
def strided(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...], bool]:
    """A network of convolutions and maxima, the shape of its input, and whether it pads."""
    ndim, padded, channels = draw(st.integers(1, 2)), draw(st.booleans()), 2
    conv, pool = ((nn.Conv1d, nn.MaxPool1d), (nn.Conv2d, nn.MaxPool2d))[ndim - 1]
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(1, 3))):
        kernel = tuple(draw(st.integers(1, 3)) for _ in range(ndim))
        stride = tuple(draw(st.sampled_from((1, 2, 2, 3))) for _ in range(ndim))
        dilation = draw(st.integers(1, 2))
        if draw(st.booleans()):
            padding = draw(st.integers(1, 2)) if padded else 0
            layers += [conv(channels, 3, kernel, stride, padding, dilation), nn.ReLU()]
            channels = 3
        else:
            layers.append(pool(kernel, stride, draw(st.integers(0, 1)) if padded else 0, dilation))
    size = tuple(draw(st.integers(75, 90) if ndim == 1 else st.integers(60, 66)) for _ in range(ndim))
    return of_integers(nn.Sequential(*layers)), (2, *size), padded


@pytest.mark.slow
@given(strided())
def test_dense_is_all_shifted_passes(drawn: tuple[nn.Module, tuple[int, ...], bool]) -> None:
    model, shape, padded = drawn
    made = deploy.dense(model, shape)
    x = md.tensor(np.random.default_rng(0).integers(-3, 4, (2, *shape)).astype(np.float64))
    got, want = made(x).numpy(), deploy.shifted(model, x, made.stride).numpy()
    assert got.shape == want.shape
    first = [0] * len(made.stride)
    if padded:  # a pass that begins later pads where the dense map sees: from here on none of its outputs reaches there
        axes = md.analysis.receptive_field(model, shape).axes
        first = [s * max(0, int(np.ceil(-axis.start / axis.jump))) for s, axis in zip(made.stride, axes, strict=True)]
    inside = (..., *(slice(a, None) for a in first))
    assert got[inside].size
    assert np.array_equal(got[inside], want[inside])
    unshifted = (..., *(slice(None, None, s) for s in made.stride))
    assert np.array_equal(got[unshifted], want[unshifted])


def test_the_costs_are_those_of_the_layers() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d((2, 3)), nn.Conv2d(2, 5, (1, 2)))
    made = deploy.dense(model, (1, 8, 9))
    assert made.stride == (2, 3)
    assert made.multiply_adds == 8 * 9 * 2 * 9 + 7 * 4 * 5 * 4  # the second map: 8 - 1 by 9 - 2 - 3
    passes = 0
    for a, b in product(range(2), range(3)):
        passes += (8 - a) * (9 - b) * 2 * 9 + ((8 - a) // 2) * ((9 - b) // 3 - 1) * 5 * 4
    assert made.shifted_multiply_adds == passes
    assert repr(made) == (
        f"Dense Sequential on (1, 8, 9): {made.multiply_adds:,} multiply-adds; 6 shifted passes of stride (2, 3) have "
        f"{passes:,}, {passes / made.multiply_adds:.1f} times as many"
    )


@pytest.mark.slow
def test_vgg_is_twice_as_cheap_in_one_pass() -> None:
    made = deploy.dense(md.models.vgg_small().features, (3, 32, 32))
    assert (made.stride, made.multiply_adds, made.shifted_multiply_adds) == ((4, 4), 996_139_008, 2_114_728_704)


def test_the_given_model_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 2, 2)).train()
    made = deploy.dense(model, (1, 8))
    assert (model.training, model[0].stride, made.model[0].stride) == (True, (2,), (1,))
    assert made.model[0].weight is not model[0].weight


def test_a_model_that_looks_at_a_whole_map_is_refused() -> None:
    with pytest.raises(
        OptionError, match=r"dense: avgpool \(mean\) looks at all of a map .*; make the part .* before it dense"
    ):
        deploy.dense(md.models.vgg_small(widths=(2, 2, 2)), (3, 16, 16))
    with pytest.raises(OptionError, match="makes one vector of a map"):
        deploy.dense(nn.Sequential(nn.Conv1d(1, 2, 2, 2), nn.Flatten()), (1, 8))


def test_a_stride_for_each_axis() -> None:
    with pytest.raises(
        ShapeError, match=r"shifted: stride \(2,\) must have an entry for each spatial axis of x \(1, 1, 4, 4\)"
    ):
        deploy.shifted(nn.Identity(), md.tensor(np.zeros((1, 1, 4, 4))), (2,))
