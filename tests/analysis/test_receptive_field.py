"""Receptive fields: against gradients on random networks, the published numbers, and what is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from random_networks import Twice, by_gradient, networks, positive
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import nn
from minidil.analysis import assert_receptive_field, receptive_field
from minidil.errors import FieldError, OptionError


def check(case: tuple[nn.Module, nn.Module, tuple[int, ...], tuple[int, ...]]) -> None:
    model, smooth, shape, at = case
    if not len(model):
        return
    with md.use("numpy"):
        field = receptive_field(model, shape, at)
        assert np.array_equal(field.reached, by_gradient(smooth, shape, at))
    for axis, seen in enumerate(field.axes):
        where = set(np.flatnonzero(field.reached.any(axis=tuple(a for a in range(field.reached.ndim) if a != axis))))
        assert where <= set(seen.positions)  # borders only take away


@examples(25)
@given(networks())
def test_it_is_where_the_gradient_is_not_zero(case) -> None:
    check(case)


@pytest.mark.slow
@examples(300)
@given(networks())
def test_it_is_where_the_gradient_is_not_zero_at_length(case) -> None:
    check(case)


@pytest.mark.long
@examples(3000)
@given(networks())
def test_it_is_where_the_gradient_is_not_zero_at_greater_length(case) -> None:
    check(case)


def stack(ndim: int, dilations, kernel: int = 3, padding="same") -> nn.Sequential:
    conv = (nn.Conv1d, nn.Conv2d)[ndim - 1]
    return nn.Sequential(*(conv(1, 1, kernel, padding=padding, dilation=d) for d in dilations))


def test_context_module_of_yu_and_koltun() -> None:
    field = receptive_field(stack(2, (1, 1, 2, 4, 8, 16, 1)), (1, 80, 80))
    assert [layer.size for layer in field.layers] == [(n, n) for n in (3, 5, 9, 17, 33, 65, 67)]
    assert field.size == (67, 67)
    assert field.reached.sum() == 67 * 67  # no hole, and the input is large enough


def test_a_block_of_wavenet() -> None:
    field = receptive_field(stack(1, [2**i for i in range(10)], kernel=2, padding="causal"), (1, 1500), at=1499)
    assert (field.size, field.start) == ((1024,), (-1023,))
    assert set(field.axes[0].paths) == {1}  # exactly one path to each
    assert np.flatnonzero(field.reached).tolist() == list(range(1499 - 1023, 1500))


def test_vgg16_up_to_conv5_3() -> None:
    model = nn.Sequential()
    for stage, layers in enumerate((2, 2, 3, 3, 3)):
        if stage:
            model.append(nn.MaxPool2d(2))
        model.extend(nn.Conv2d(1, 1, 3, padding=1) for _ in range(layers))
    field = receptive_field(model, (1, 224, 224))
    assert (field.size, field.jump, field.start) == ((196, 196), (16, 16), (-90, -90))
    assert receptive_field(nn.Sequential(model, nn.MaxPool2d(2)), (1, 224, 224)).size == (212, 212)


class Bottleneck(nn.Module):
    """ResNet-50's block, with the stride in one of its three convolutions."""

    def __init__(self, stride: int, place: int, project: bool) -> None:
        super().__init__()
        strides = [stride if number == place else 1 for number in range(3)]
        self.conv1 = nn.Conv2d(1, 1, 1, strides[0])
        self.conv2 = nn.Conv2d(1, 1, 3, strides[1], padding=1)
        self.conv3 = nn.Conv2d(1, 1, 1, strides[2])
        self.downsample = nn.Conv2d(1, 1, 1, stride) if project else nn.Identity()

    def forward(self, x: md.Tensor) -> md.Tensor:
        return F.relu(self.conv3(self.conv2(self.conv1(x))) + self.downsample(x))


def resnet50(slim: bool) -> nn.Sequential:
    """slim: the stride is in the last block of a stage, as in TF-slim, and not in the first."""
    model = nn.Sequential(nn.Conv2d(1, 1, 7, 2, padding=3), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1))
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            last = slim and block == blocks - 1 and stage < 3
            first = not slim and block == 0 and stage > 0
            model.append(Bottleneck(2 if last or first else 1, 1, block == 0 or last))
    return model


@pytest.mark.parametrize(("slim", "size"), [(False, 427), (True, 483)])
def test_resnet50(slim: bool, size: int) -> None:
    with md.use("numpy"):
        field = receptive_field(resnet50(slim), (1, 224, 224))
    assert (field.size, field.jump) == ((size, size), (32, 32))
    assert field.reached.all()  # of the 224 x 224 that are there, the middle output sees all


@pytest.mark.parametrize(("kernel", "levels"), [(2, 4), (3, 4), (7, 3)])
def test_temporal_convolutional_network(kernel: int, levels: int) -> None:
    """Bai et al. 2018: two convolutions a block with dilation 2^i see 1 + 2 (k - 1) (2^L - 1) steps."""
    blocks = [nn.Residual(stack(1, (2**level,) * 2, kernel, "causal")) for level in range(levels)]
    field = receptive_field(nn.Sequential(*blocks), (1, 16), at=15)
    assert field.size == (1 + 2 * (kernel - 1) * (2**levels - 1),)
    assert field.axes[0].first == 16 - field.size[0]  # it ends at the output itself, and begins before the input


def test_axes_differ_and_holes_are_named() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, (3, 5), dilation=(2, 1), stride=(1, 2)), nn.Conv2d(1, 1, (3, 1), dilation=2))
    field = receptive_field(model, (1, 20, 20))
    assert (field.size, field.jump) == ((9, 5), (1, 2))
    first = field.axes[0].first
    assert field.holes == (tuple(first + i for i in (1, 3, 5, 7)), ())
    assert field.axes[0].paths == (1, 0, 2, 0, 3, 0, 2, 0, 1)
    assert field.axes[1].paths == (1,) * 5


def test_each_layer_tells_its_positions_paths_and_holes() -> None:
    field = receptive_field(stack(1, (2, 2, 1)), (1, 30))
    assert [layer.axes[0].paths for layer in field.layers] == [
        (1, 0, 1, 0, 1),
        (1, 0, 2, 0, 3, 0, 2, 0, 1),
        (1, 1, 3, 2, 5, 3, 5, 2, 3, 1, 1),
    ]
    assert [layer.axes[0].positions for layer in field.layers[:1]] == [(13, 15, 17)]
    assert [len(layer.axes[0].holes) for layer in field.layers] == [2, 4, 0]
    assert field.layers[-1].axes == field.axes


def test_even_kernels_and_uneven_padding_begin_where_they_read() -> None:
    uneven = receptive_field(nn.Conv1d(1, 1, 4, dilation=3, padding=((5, 1),)), (1, 20), at=4)
    assert (uneven.size, uneven.start) == ((10,), (-5,))
    assert uneven.axes[0].positions == (4 - 5, 4 - 5 + 3, 4 - 5 + 6, 4 - 5 + 9)
    causal = receptive_field(nn.Conv1d(1, 1, 4, dilation=3, padding="causal"), (1, 20), at=4)
    assert causal.axes[0].positions == (-5, -2, 1, 4)
    same = receptive_field(nn.Conv1d(1, 1, 2, dilation=3, padding="same"), (1, 20), at=4)
    assert same.axes[0].positions == (3, 6)  # of three zeros the odd one goes behind
    strided = nn.Sequential(
        nn.Conv1d(1, 1, 2, 2, padding=((1, 0),)), nn.AvgPool1d(2, 1, padding=((0, 1),)), nn.Conv1d(1, 1, 4, dilation=2)
    )
    field = receptive_field(strided, (1, 40), at=3)
    reads = {2 * (3 + 2 * i + j) - 1 + k for i in range(4) for j in range(2) for k in range(2)}
    assert field.axes[0].positions == tuple(sorted(reads))
    assert field.start == (-1,)


def test_three_axes() -> None:
    model = nn.Sequential(nn.Conv3d(1, 2, (3, 1, 2), dilation=(2, 1, 1)), nn.MaxPool3d((1, 2, 1)))
    field = receptive_field(model, (1, 8, 8, 8))
    assert (field.size, field.jump) == ((5, 2, 2), (1, 2, 1))
    assert field.reached.sum() == 3 * 2 * 2
    assert repr(field).splitlines()[2].split()[-3:] == ["5x1x2", "1", "0"]


def test_branches_of_unequal_field_are_a_union() -> None:
    cross = nn.Residual(
        nn.Conv2d(1, 1, (5, 1), padding="same"), nn.Conv2d(1, 1, (1, 3), padding="same", dilation=(1, 2))
    )
    field = receptive_field(cross, (1, 9, 9))
    expected = np.zeros((9, 9), bool)
    expected[2:7, 4] = expected[4, [2, 4, 6]] = True
    assert np.array_equal(field.reached, expected)
    assert field.axes[1].paths == (1, 0, 2, 0, 1)  # the middle by both


def test_a_module_used_twice_counts_twice() -> None:
    field = receptive_field(Twice(nn.Conv1d(1, 1, 3, dilation=2, padding=2)), (1, 30))
    assert [layer.size for layer in field.layers] == [(5,), (9,)]
    assert [layer.name for layer in field.layers] == ["body", "body"]


def test_a_field_may_exceed_the_input() -> None:
    field = receptive_field(stack(1, (1, 2, 4)), (1, 5), at=0)
    assert field.size == (15,)
    assert field.axes[0].first == -7
    assert field.reached.all()


def test_transposed_convolutions_halve_the_jump() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 3, 2), nn.ConvTranspose1d(1, 1, 4, 2))
    field = receptive_field(model, (1, 40), at=20)
    assert field.jump == (Fraction(1),)
    assert field.size == (5,)
    lone = receptive_field(nn.ConvTranspose1d(1, 1, 1, 3), (1, 5), at=1)
    assert lone.size == (0,)  # between the taps there is the bias alone
    assert not lone.reached.any()


def test_what_comes_after_a_global_mean_sees_all() -> None:
    class Excite(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool, self.conv = nn.GlobalAvgPool(), nn.Conv2d(2, 2, 1)

        def forward(self, x: md.Tensor) -> md.Tensor:
            return x * self.conv(self.pool(x))

    field = receptive_field(Excite(), (2, 6, 7), at=(0, 3))
    assert field.size == (6, 7)
    assert field.reached.all()
    assert field.axes[0].paths == (2, 1, 1, 1, 1, 1)


def test_gates_that_split_channels() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 4, 2, dilation=3, padding="causal")

        def forward(self, x: md.Tensor) -> md.Tensor:
            a, b = F.chunk(self.conv(x), 2, axis=1)
            return F.tanh(a) * F.sigmoid(b) + x

    field = receptive_field(Gated(), (2, 12), at=9)
    assert field.axes[0].positions == (6, 9)
    assert field.axes[0].paths == (2, 0, 0, 3)


def test_library_models_and_classifiers() -> None:
    field = receptive_field(md.models.resnet_small(blocks=1, widths=(2, 2, 2)), (3, 16, 16))
    assert field.reached.all()
    assert [layer.size for layer in field.layers if layer.name == "layer3.0.relu"] == [
        (17, 17),
        (25, 25),
    ]  # it runs twice
    dense = nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2), nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    assert receptive_field(dense, (1, 8, 8)).reached.all()


@pytest.mark.parametrize(
    "layer",
    [
        nn.Upsample(scale_factor=2.5),
        nn.Upsample((4,), mode="linear"),
        nn.Upsample(scale_factor=2, mode="linear", align_corners=True),
        nn.AvgPool1d(3, 2, padding=1),
        nn.AdaptiveAvgPool1d(4),
        nn.GroupNorm(1, 2),
        nn.GroupNorm(2, 2),
        nn.InstanceNorm1d(2),
        nn.LayerNorm(11),
        nn.Linear(11, 5),
        nn.Softmax(2),
    ],
    ids=lambda layer: repr(layer),
)
def test_single_layers(layer: nn.Module) -> None:
    """At every output position, behind a convolution that mixes channels and before one that joins them."""
    body = nn.Sequential(nn.Conv1d(2, 2, 2, padding=((1, 0),)), layer, nn.Conv1d(2, 1, 1))
    positive(body)
    x = np.random.default_rng(0).uniform(0.5, 1.5, (1, 2, 11))
    n = body(md.tensor(x)).shape[2]
    for at in range(n):
        given = md.tensor(x, requires_grad=True)
        body(given)[0, 0, at].backward()
        reached = (np.abs(given.grad.numpy()[0]) > 1e-14).any(axis=0)
        assert np.array_equal(receptive_field(body, (2, 11), at).reached, reached)


def test_flips_crops_and_padding() -> None:
    class Moved(nn.Module):
        def forward(self, x: md.Tensor) -> md.Tensor:
            x = F.flip(F.pad(x, ((0, 0), (0, 0), (2, 1))), axis=-1)  # 2 zeros, 10 positions, 1 zero; then backwards
            return x[..., 3:12:2].transpose(0, 2, 1).transpose(0, 2, 1)

    for at in range(5):
        source = 12 - (3 + 2 * at) - 2
        expected = [source] if 0 <= source < 10 else []
        assert np.flatnonzero(receptive_field(Moved(), (1, 10), at).reached).tolist() == expected


def test_the_model_is_as_it_was() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 3), nn.BatchNorm1d(1)).train()
    before = model.state_dict()
    receptive_field(model, (1, 9))
    assert model.training
    assert model[1].training
    assert not any(module._pre_hooks for module in model.modules())
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


def test_table() -> None:
    field = receptive_field(nn.Sequential(nn.Conv1d(1, 1, 3, dilation=2), nn.ReLU(), nn.MaxPool1d(2)), (1, 14))
    assert repr(field).splitlines() == [
        "layer  kind       output shape  size  jump  start",
        "-------------------------------------------------",
        "0      Conv1d     (1, 1, 10)       5     1      0",
        "2      MaxPool1d  (1, 1, 5)        6     2      0",
        "-------------------------------------------------",
        "Sequential: output 2 sees 6 positions of an input 14; 6 of the 14 that are there (42.9 %)",
    ]
    assert '<td style="text-align: left">MaxPool1d</td>' in field._repr_html_()
    holes = receptive_field(stack(1, (2, 2)), (1, 20))
    assert repr(holes).endswith("axis 0: 4 holes, 7, 9, 11, 13")


class Sorted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.order = Cumulative()

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.order(x)


class Cumulative(nn.Module):
    def forward(self, x: md.Tensor) -> md.Tensor:
        return F.cumsum(x, axis=2)


def test_an_unknown_op_is_named_with_its_layer() -> None:
    with pytest.raises(OptionError, match=r"cumsum in layer 'order' is an op whose reach is not known"):
        receptive_field(Sorted(), (1, 5))


def test_refusals() -> None:
    conv = nn.Conv1d(1, 1, 3)
    with pytest.raises(OptionError, match=r"input_shape is \(C, \*S\)"):
        receptive_field(conv, (1,))
    with pytest.raises(OptionError, match=r"at=7 is no position of an output with the spatial axes \(7,\)"):
        receptive_field(conv, (1, 9), at=7)

    class Concatenated(nn.Module):
        def forward(self, x: md.Tensor) -> md.Tensor:
            return F.concatenate([x, F.flip(x, axis=2)], axis=1)[:, :1]

    with pytest.raises(OptionError, match="takes a part of channels that were joined"):
        receptive_field(Concatenated(), (1, 9))


def test_assertion() -> None:
    model = stack(1, (1, 2, 4))
    assert assert_receptive_field(model, at_least=15).size == (15,)
    with pytest.raises(FieldError, match="Sequential sees 15 positions on axis 0, 1 fewer than the 16 wanted"):
        assert_receptive_field(model, at_least=16)
    with pytest.raises(FieldError, match=r"sees 7 of the 13 positions of its field on axis 0; the holes are"):
        assert_receptive_field(stack(1, (2, 2, 2)), at_least=13, without_holes=True)
    with pytest.raises(FieldError, match="on axis 1"):
        assert_receptive_field(stack(2, (1, 2)), (1, 9, 9), at_least=(7, 8))
    with pytest.raises(OptionError, match="pass input_shape"):
        assert_receptive_field(nn.ReLU(), at_least=3)


def test_groups_of_channels_are_normalised_over_all_positions() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1))
    field = receptive_field(model, (2, 5, 6), at=(0, 0))
    assert field.reached.all()
    assert [layer.size for layer in field.layers] == [(3, 3), (7, 8), (7, 8)]
