"""BatchNorm and LayerNorm: statistics by hand, both modes, gradients, mistakes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minidil import nn
from minidil.calls.listen import listening
from minidil.errors import OptionError, ShapeError
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.tensor import tensor


def batch(*shape: int, seed: int = 0) -> np.ndarray:
    return (3 + 2 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2)])
def test_training_normalises_every_channel(shape: tuple[int, ...], backend: str) -> None:
    y = nn.BatchNorm(3)(tensor(batch(*shape))).data
    axes = (0, *range(2, len(shape)))
    assert y.mean(axis=axes) == pytest.approx(np.zeros(3), abs=1e-5)
    assert y.var(axis=axes) == pytest.approx(np.ones(3), abs=1e-4)


def test_running_statistics_by_hand() -> None:
    norm = nn.BatchNorm(1, momentum=0.25)
    norm(tensor([[[1.0, 2.0]], [[3.0, 6.0]]]))  # mean 3; sum of squares 4 + 1 + 0 + 9 = 14, so 14/3 unbiased
    assert norm.running_mean == pytest.approx([0.25 * 3])
    assert norm.running_var == pytest.approx([0.75 + 0.25 * 14 / 3])
    norm(tensor([[[0.0, 0.0]], [[0.0, 4.0]]]))  # mean 1; 1 + 1 + 1 + 9 = 12, so 4 unbiased
    assert norm.running_mean == pytest.approx([0.75 * 0.75 + 0.25 * 1])
    assert norm.running_var == pytest.approx([0.75 * (0.75 + 0.25 * 14 / 3) + 0.25 * 4])
    assert norm.num_batches_tracked == 2
    assert norm.running_mean.dtype == norm.running_var.dtype == np.float32
    assert norm.num_batches_tracked.dtype == np.int64


def test_without_momentum_the_plain_mean_is_tracked() -> None:
    norm = nn.BatchNorm(2, momentum=None)
    batches = [batch(5, 2, 3, seed=seed) for seed in range(3)]
    for x in batches:
        norm(tensor(x))
    assert norm.running_mean == pytest.approx(np.mean([x.mean((0, 2)) for x in batches], axis=0), rel=1e-5)
    assert norm.running_var == pytest.approx(np.mean([x.var((0, 2), ddof=1) for x in batches], axis=0), rel=1e-5)


def test_evaluation_uses_the_running_statistics_and_leaves_them() -> None:
    norm = nn.BatchNorm(2)
    norm(tensor(batch(8, 2)))
    norm.weight.data = np.array([2, 3], np.float32)
    norm.bias.data = np.array([-1, 1], np.float32)
    before = norm.state_dict()
    norm.eval()
    x = batch(1, 2, seed=1)
    expected = (x - before["running_mean"]) / np.sqrt(before["running_var"] + 1e-5) * [2, 3] + [-1, 1]
    assert norm(tensor(x)).data == pytest.approx(expected, rel=1e-5)
    assert all(np.array_equal(before[name], value) for name, value in norm.state_dict().items())


def test_statistics_are_tracked_without_gradients_too() -> None:
    norm = nn.BatchNorm(2)
    with no_grad():
        norm(tensor(batch(4, 2)))
    assert norm.num_batches_tracked == 1


def test_frozen_it_keeps_its_statistics_and_without_gradients_it_goes_on() -> None:
    norm = nn.BatchNorm(2).requires_grad_(False)
    norm(tensor(batch(4, 2)))
    assert norm.num_batches_tracked == 1
    assert norm.freeze() is norm
    norm.train()(tensor(batch(4, 2)))
    assert not norm.training
    assert norm.num_batches_tracked == 1
    norm.unfreeze().train()(tensor(batch(4, 2)))
    assert norm.num_batches_tracked == 2
    net = nn.Sequential(norm).freeze()
    assert [net.training, norm.training, net.train()[0].training] == [True, False, False]
    assert net.unfreeze()[0].training
    assert not net.freeze().eval().unfreeze()[0].training


def test_a_recorded_graph_keeps_the_statistics_it_was_computed_with() -> None:
    norm = nn.BatchNorm(1).eval()
    x = tensor([[1.0], [2.0]], requires_grad=True)
    y = norm(x).sum()
    norm.running_var = np.array([1e6], np.float32)
    y.backward()
    assert x.grad.data == pytest.approx(np.ones((2, 1)), rel=1e-4)


def test_without_tracking_evaluation_uses_the_batch() -> None:
    norm = nn.BatchNorm(2, track_running_stats=False)
    assert list(norm.state_dict()) == ["weight", "bias"]
    x = tensor(batch(6, 2))
    assert np.array_equal(norm(x).data, norm.eval()(x).data)


def test_without_affine_there_are_no_parameters() -> None:
    norm = nn.BatchNorm(2, affine=False)
    assert list(norm.parameters()) == []
    assert norm(tensor(batch(6, 2))).shape == (6, 2)


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (2, 3, 2, 2), (2, 3, 2, 1, 2)])
def test_gradients_in_both_modes(shape: tuple[int, ...], check_layer) -> None:
    check_layer(nn.BatchNorm(3), *shape)
    check_layer(nn.BatchNorm(3).eval(), *shape)
    check_layer(nn.BatchNorm(3, affine=False), *shape)


def test_batch_norm_mistakes() -> None:
    with pytest.raises(OptionError, match="BatchNorm2d: num_features must be an int >= 1"):
        nn.BatchNorm2d(0)
    with pytest.raises(OptionError, match="BatchNorm: momentum must be a number from 0 to 1, not 2"):
        nn.BatchNorm(3, momentum=2)
    with pytest.raises(OptionError, match="BatchNorm: eps"):
        nn.BatchNorm(3, eps=-1)
    with pytest.raises(ShapeError, match=r"BatchNorm: x must be \(N, 3, \*S\).*but has shape \(2, 4, 5\)"):
        nn.BatchNorm(3)(tensor(batch(2, 4, 5)))
    with pytest.raises(ShapeError, match=r"BatchNorm2d: x must be \(N, C, H, W\)"):
        nn.BatchNorm2d(3)(tensor(batch(2, 3, 5)))
    with pytest.raises(ShapeError, match=r"BatchNorm1d.*0 or 1 spatial axes"):
        nn.BatchNorm1d(3)(tensor(batch(2, 3, 5, 5)))


def test_one_value_per_channel_cannot_be_normalised_and_changes_nothing() -> None:
    norm = nn.BatchNorm(3)
    with pytest.raises(ShapeError, match="1 value per channel"):
        norm(tensor(batch(1, 3)))
    assert norm.num_batches_tracked == 0
    assert norm.eval()(tensor(batch(1, 3))).shape == (1, 3)


@pytest.mark.parametrize(
    ("layer", "rank"), [(nn.BatchNorm1d, 2), (nn.BatchNorm1d, 3), (nn.BatchNorm2d, 4), (nn.BatchNorm3d, 5)]
)
def test_pytorchs_names(layer: type[nn.Module], rank: int) -> None:
    x = batch(2, 3, *(2,) * (rank - 2))
    assert np.array_equal(layer(3)(tensor(x)).data, nn.BatchNorm(3)(tensor(x)).data)


@pytest.mark.parametrize("normalized_shape", [4, (4,), (3, 4)])
def test_layer_norm_by_its_formula(normalized_shape, check_layer) -> None:
    norm = nn.LayerNorm(normalized_shape)
    x = batch(2, 3, 4)
    axes = (-1,) if normalized_shape in (4, (4,)) else (-2, -1)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    assert norm(tensor(x)).data == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(norm(tensor(x)).data, norm.eval()(tensor(x)).data)
    check_layer(norm, 2, 3, 4)


def test_layer_norm_settings() -> None:
    assert list(nn.LayerNorm(4, elementwise_affine=False).parameters()) == []
    assert list(nn.LayerNorm(4, bias=False).state_dict()) == ["weight"]
    with pytest.raises(OptionError, match="LayerNorm: normalized_shape"):
        nn.LayerNorm(0)
    with pytest.raises(OptionError, match="at least one axis"):
        nn.LayerNorm(())
    with pytest.raises(ShapeError, match="normalized_shape"):
        nn.LayerNorm(4)(tensor(batch(2, 5)))


def test_repr() -> None:
    assert repr(nn.BatchNorm2d(8)) == "BatchNorm2d(8)"
    assert repr(nn.BatchNorm(8, 1e-3, None, False, False)) == (
        "BatchNorm(8, eps=0.001, momentum=None, affine=False, track_running_stats=False)"
    )
    assert repr(nn.LayerNorm(4)) == "LayerNorm(4)"
    assert repr(nn.LayerNorm((2, 2), 1e-6, bias=False)) == "LayerNorm((2, 2), eps=1e-06, bias=False)"
    assert repr(nn.LayerNorm(4, elementwise_affine=False)) == "LayerNorm(4, elementwise_affine=False)"


class TestBatchNormAndReLUInSequential:
    """They are one pass over the memory, and nothing else about them changes."""

    def pair(self):
        layers = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
        x = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
        return layers, x

    def apart(self, layers, x):
        norm, relu = layers
        return relu(norm(x))

    @pytest.mark.parametrize("backend", ["numpy", "numba"])
    @pytest.mark.parametrize("training", [True, False])
    def test_values_slopes_and_statistics_are_those_of_the_two(self, backend, training):
        found = []
        for run in (lambda layers, x: layers(x), self.apart):
            layers, values = self.pair()
            layers.train(training)
            x = tensor(values, requires_grad=True)
            with use(backend):
                y = run(layers, x)
                (y * y).sum().backward()
            found.append([y.numpy(), x.grad, layers[0].weight.grad, layers[0].bias.grad, layers[0].running_mean])
        for one, other in zip(*found, strict=True):
            assert_allclose(one, other, rtol=1e-5, atol=1e-6)

    def test_one_operation_is_recorded(self):
        layers, x = self.pair()
        with listening(lambda name, *_: names.append(name)):
            names = []
            layers(tensor(x))
            assert names == ["batch_norm"]
            names.clear()
            self.apart(layers, tensor(x))
        assert names == ["batch_norm", "relu"]

    def test_whoever_looks_sees_both(self):
        layers, x = self.pair()
        seen = []
        with nn.watch(layers, lambda name, module, inputs, output: seen.append((name, float(output.min().item())))):
            layers(tensor(x))
        assert [name for name, _ in seen] == ["0", "1", ""]
        assert seen[0][1] < 0 == seen[1][1]
        for hooked in layers:
            lowest = []
            handle = hooked.register_forward_hook(
                lambda module, inputs, output, to=lowest: to.append(output.data.min())
            )
            layers(tensor(x))
            handle.remove()
            assert len(lowest) == 1
            assert (lowest[0] < 0) == (hooked is layers[0])

    def test_an_activation_of_its_own_or_another_layer_is_not_joined(self):
        _, x = self.pair()
        for layers in (
            nn.Sequential(nn.BatchNorm2d(3, activation="gelu"), nn.ReLU()),
            nn.Sequential(nn.BatchNorm2d(3), nn.LeakyReLU(0.5)),
        ):
            with no_grad():
                assert_array_equal(layers.eval()(x).numpy(), layers[1](layers[0](x)).numpy())
