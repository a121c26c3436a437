"""Strides traded for dilations: the old output is in the new one, and what cannot be converted is named first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_networks import built, layers, shape_after
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.analysis import dilate, receptive_field
from minidil.errors import MinidilError, OptionError


def of_integers(model: nn.Module, seed: int) -> nn.Module:
    """Weights of small whole numbers in float64, with which sums are exact in any order."""
    rng = np.random.default_rng(seed)
    model.astype(np.float64).eval()
    for parameter in model.parameters():
        parameter.data = rng.integers(-2, 3, parameter.shape).astype(np.float64)
    return model


@st.composite
def strided(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...], bool]:
    """A network, the shape of its input, and whether sums in it are exact."""
    ndim = draw(st.integers(1, 2))
    size = out = tuple(draw(st.integers(8, 30 if ndim == 1 else 14)) for _ in range(ndim))
    model = nn.Sequential()
    exact = True
    for layer in draw(
        st.lists(layers(ndim).filter(lambda each: each[0] not in ("up", "transposed")), min_size=2, max_size=6)
    ):
        added = built(layer, ndim, smooth=False)
        try:
            out = shape_after(added, out)
        except MinidilError:
            continue
        model.append(added)
        exact = exact and layer[0] != "avg"
    return of_integers(model, draw(st.integers(0, 99))), (2, *size), exact


def check(case: tuple[nn.Module, tuple[int, ...], bool], output_stride: int) -> None:
    model, shape, exact = case
    try:
        made = dilate(model, output_stride, shape)
    except OptionError as error:
        if "multiply to" not in str(error) and "sees nothing but padding" not in str(error):
            raise
        assume(False)
    x = np.random.default_rng(0).integers(-3, 4, (2, *shape)).astype(np.float64)
    old, new = model(md.tensor(x)).numpy(), made.model(md.tensor(x)).numpy()
    assert all(a is not b for a, b in zip(model.parameters(), made.model.parameters(), strict=True))
    sparse = new[(slice(None), slice(None), *(slice(None, None, f) for f in made.factor))]
    assert sparse.shape == old.shape
    if exact:
        assert np.array_equal(sparse, old)  # at the borders, too
    else:
        assert np.allclose(sparse, old, rtol=1e-12, atol=1e-12 * np.abs(old).max(initial=0))


@pytest.mark.slow
@examples(25)
@given(strided(), st.sampled_from((1, 1, 2, 3, 4)))
def test_the_old_output_is_in_the_new_one(case, output_stride: int) -> None:
    with md.use("numpy"):
        check(case, output_stride)


@pytest.mark.long
@examples(1000)
@given(strided(), st.sampled_from((1, 1, 2, 3, 4)))
def test_the_old_output_is_in_the_new_one_at_length(case, output_stride: int) -> None:
    with md.use("numpy"):
        check(case, output_stride)


@pytest.mark.parametrize("output_stride", [1, 2])
def test_a_residual_network(output_stride: int) -> None:
    model = of_integers(md.models.resnet_small(widths=(4, 4, 8), blocks=2, in_channels=1), 1)
    body = nn.Sequential(model.conv1, model.bn1, model.relu, model.layer1, model.layer2, model.layer3)
    made = dilate(body, output_stride, (1, 13, 18))
    x = md.tensor(np.random.default_rng(0).integers(-3, 4, (1, 1, 13, 18)).astype(np.float64))
    factor = 4 // output_stride
    assert made.factor == (factor, factor)
    old, new = body(x).numpy(), made.model(x).numpy()
    assert np.allclose(new[:, :, ::factor, ::factor], old, rtol=1e-12)
    assert receptive_field(made.model, (1, 13, 18)).jump == (output_stride, output_stride)
    # The last factor of 2 of Yu, Koltun & Funkhouser's networks is the argument that resnet_small has for it.
    if output_stride == 2:
        settings_ = {"widths": (4, 4, 8), "blocks": 2, "strides": (1, 2, 1), "dilations": (1, 1, 2), "in_channels": 1}
        theirs = md.models.resnet_small(**settings_)
        convs = [[m for m in each.modules() if isinstance(m, nn.Conv2d)] for each in (theirs, made.model)]
        different = [a.dilation != b.dilation for a, b in zip(*convs, strict=True)]
        assert sum(different) == 1  # they dilate the first convolution of the stage, which the stride came before


def test_vgg() -> None:
    model = of_integers(md.models.vgg_small(widths=(2, 3, 4)), 2)
    made = dilate(model, 2)
    assert [change.name for change in made.changes] == ["features.13", "features.14", "features.17"]
    assert made.notes == ("avgpool (mean) looks at all of a map that is now 2 times denser, so its numbers are others",)
    x = md.tensor(np.random.default_rng(0).integers(-3, 4, (1, 3, 33, 34)).astype(np.float64))
    old, new = model.features(x).numpy(), made.model.features(x).numpy()
    assert np.allclose(new[:, :, ::2, ::2], old, rtol=1e-12)
    assert made.model(x).shape == (1, 10)
    assert model.features[13].stride == (2, 2)
    assert model.features[14].dilation == (1, 1)


def test_report() -> None:
    made = dilate(
        nn.Sequential(nn.Conv1d(1, 2, 3, 2, padding=1), nn.ReLU(), nn.Conv1d(2, 1, 3, padding="causal")), 1, (1, 20)
    )
    assert repr(made).splitlines() == [
        "layer  kind    stride  dilation  padding   output shape",
        "-------------------------------------------------------------------",
        "0      Conv1d  2 -> 1  1         1         (1, 2, 10) -> (1, 2, 20)",
        "2      Conv1d  1       1 -> 2    'causal'  (1, 1, 10) -> (1, 1, 20)",
        "-------------------------------------------------------------------",
        "Sequential: output stride 1, 2 times denser, 2 layers changed, all weights kept",
    ]
    assert '<td style="text-align: left">2 -&gt; 1</td>' in made._repr_html_()


def test_same_padding_with_a_stride_becomes_numbers() -> None:
    model = of_integers(nn.Sequential(nn.Conv1d(1, 1, 4, 2, padding="same"), nn.Conv1d(1, 1, 4, padding="same")), 3)
    made = dilate(model, 1, (1, 9))
    assert made.model[0].padding == ((1, 2),)  # 9 positions make 5, which lack 3
    assert made.model[1].padding == ((2, 4),)
    x = md.tensor(np.arange(9.0).reshape(1, 1, 9))
    assert np.array_equal(made.model(x).numpy()[..., ::2], model(x).numpy())


def test_nothing_to_do() -> None:
    made = dilate(nn.Sequential(nn.Conv1d(1, 1, 3, 2), nn.Conv1d(1, 1, 3)), 2, (1, 20))
    assert (made.changes, made.factor) == ((), (1,))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.pool = nn.Conv2d(1, 1, 3), Halving()

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.pool(self.conv(x))


class Halving(nn.Module):
    def forward(self, x: md.Tensor) -> md.Tensor:
        return F.avg_pool(x, kernel_size=2)


class Summing(nn.Module):
    def forward(self, x: md.Tensor) -> md.Tensor:
        return F.cumsum(x, axis=2)


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (
            Functional(),
            (1, 9, 9),
            r"avg_pool in layer 'pool' \(Halving\) takes steps of 2 and is no layer whose stride can be set",
        ),
        (
            nn.Sequential(nn.Conv1d(1, 1, 3, 2), Summing()),
            (1, 9),
            "cumsum in layer '1' is an op whose reach is not known",
        ),
        (
            nn.Sequential(nn.Conv1d(1, 2, 2, 2), nn.Flatten(), nn.Linear(8, 2)),
            (1, 8),
            r"flatten in layer '1' \(Flatten\) makes one vector of a map that becomes 2 times denser",
        ),
        (
            nn.Sequential(nn.Conv1d(1, 1, 2, 2), nn.ConvTranspose1d(1, 1, 2, 2)),
            (1, 8),
            r"conv_transpose in layer '1' \(ConvTranspose1d\) would read a map that becomes 2 times denser",
        ),
        (nn.Sequential(nn.Conv1d(1, 1, 2, 2), nn.InstanceNorm1d(1)), (1, 8), r"layer '1' \(InstanceNorm1d\)"),
    ],
)
def test_what_is_not_known_is_named_before_anything_changes(model: nn.Module, shape, words: str) -> None:
    before = {name: module.extra_repr() for name, module in model.named_modules()}
    with pytest.raises(OptionError, match=words):
        dilate(model, 1, shape)
    assert before == {name: module.extra_repr() for name, module in model.named_modules()}


def test_a_layer_that_runs_twice_with_a_stride() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 2, 2)

        def forward(self, x: md.Tensor) -> md.Tensor:
            return self.conv(self.conv(x))

    with pytest.raises(OptionError, match="runs several times, and would need another window each time"):
        dilate(Twice(), 2, (1, 16))


def test_a_maximum_over_padding_alone() -> None:
    """Between the old positions there can be windows that lie on padding, where the old ones did not."""
    model = nn.Sequential(nn.Conv1d(1, 1, 1, 3), nn.MaxPool1d(2, 1, padding=1, dilation=3))
    with pytest.raises(
        OptionError, match=r"does not run on \(1, 8\): max_pool: output \(2,\) sees nothing but padding .* layer '1'"
    ):
        dilate(model, 1, (1, 8))
    assert dilate(model, 1, (1, 10)).factor == (3,)


def test_refusals() -> None:
    model = md.models.resnet_small(widths=(2, 2, 2), blocks=1)
    with pytest.raises(
        OptionError,
        match=r"multiply to 4x4, and leaving out the last ones makes 2 or less, not 3; "
        r"layer 'layer3.0.conv1' .Conv2d. with stride 2 would make 4x4; the model",
    ):
        dilate(model, 3)
    with pytest.raises(
        OptionError, match=r"not 8; its strides: 2 in 'features.6', 2 in 'features.13'; the model is unch"
    ):
        dilate(md.models.vgg_small(), 8)
    with pytest.raises(OptionError, match="not 2; no layer has a stride above 1"):
        dilate(nn.Sequential(nn.Conv1d(1, 1, 1)), 2)
    with pytest.raises(OptionError, match="output_stride must be an int >= 1, not 0"):
        dilate(model, 0)
    with pytest.raises(OptionError, match="pass input_shape"):
        dilate(nn.MaxPool1d(2), 1)


class Resizing(nn.Module):
    """Halves twice, and resizes what it has to the size of its input, as networks that say something of every position do."""

    def __init__(self, factor: int | None = None, own: bool = False) -> None:
        super().__init__()
        self.own = own
        self.first = nn.Conv2d(1, 2, 3, stride=2, padding=1)
        self.second = nn.Conv2d(2, 2, 3, stride=2, padding=1)
        self.factor = factor

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.second(F.relu(self.first(x)))
        if self.factor:
            return F.interpolate(y, scale_factor=self.factor, mode="bilinear")
        if self.own:
            return F.interpolate(y, size=(4 * y.shape[2], 4 * y.shape[3]), mode="bilinear")
        return F.add(F.interpolate(y, size=x.shape[2:], mode="bilinear"), x)


def test_what_is_resized_to_a_given_size_may_be_denser() -> None:
    model = Resizing().eval()
    made = dilate(model, 2, (1, 16, 16))
    assert made.notes == (
        "the model (interpolate) resizes a map that is now 2 times denser to the size that it had, so its numbers are others",
    )
    x = md.tensor(np.random.default_rng(0).standard_normal((1, 1, 16, 16)).astype(np.float32))
    first, second = made.model.first, made.model.second
    assert (first.stride, second.stride, second.dilation) == ((2, 2), (1, 1), (1, 1))
    expected = F.interpolate(second(F.relu(first(x))), size=(16, 16), mode="bilinear").numpy() + x.numpy()
    np.testing.assert_array_equal(made.model(x).numpy(), expected)


def test_what_is_enlarged_by_a_factor_is_refused() -> None:
    with pytest.raises(
        OptionError, match="interpolate in the forward of Resizing would read a map that becomes 2 times"
    ):
        dilate(Resizing(4), 2, (1, 16, 16))


def test_a_size_that_is_computed_from_a_denser_map_is_refused() -> None:
    with pytest.raises(
        OptionError, match=r"would have \(32, 32\) positions, where \(1, 1\) times \(16, 16\) were expected"
    ):
        dilate(Resizing(own=True), 2, (1, 16, 16))


@pytest.mark.parametrize("size", [9, 12])
def test_padding_same_keeps_the_size_of_the_map(size: int) -> None:
    model = of_integers(nn.Sequential(nn.Conv1d(1, 1, 5, 2, padding="same"), nn.Conv1d(1, 1, 3, padding="same")), 4)
    made = dilate(model, 1, (1, size))
    x = md.tensor(np.random.default_rng(1).integers(-3, 4, (1, 1, size)).astype(np.float64))
    assert made.model(x).shape == (1, 1, size)
    assert np.array_equal(made.model(x).numpy()[:, :, ::2], model(x).numpy())
