"""Smaller networks against the given ones with the outputs of the removed channels set to zero."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.deploy import prune
from minidil.errors import CheckpointError, OptionError
from minidil.nn.modes import evaluating
from minidil.storage import checkpoint

SHAPE = (3, 8, 8)
KINDS = (
    *("plain", "sum", "projected", "with itself", "both", "unet", "gate", "one gate", "shuffle", "unshuffle", "padded"),
    *("twice", "spatial", "pooled"),
)


@pytest.fixture(autouse=True)
def numpy_backend() -> Iterator[None]:
    with md.use("numpy"):
        yield


class Block(nn.Module):
    """From `channels` to as many, in one of the ways in which networks join channels."""

    def __init__(self, kind: str, channels: int, groups: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.kind = kind
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=groups, rng=rng)
        self.norm = nn.BatchNorm2d(channels)
        extra: nn.Module | None = None
        if kind in ("with itself", "both", "unet"):
            extra = nn.Conv2d(2 * channels, channels, 1, rng=rng)
        elif kind in ("gate", "projected"):
            extra = nn.Conv2d(channels, channels, 1, rng=rng)
        elif kind == "one gate":
            extra = nn.Conv2d(channels, 1, 1, rng=rng)
        elif kind == "shuffle":
            extra = nn.Conv2d(channels, 4 * channels, 1, rng=rng)
        elif kind == "unshuffle":
            extra = nn.Conv2d(4 * channels, channels, 1, rng=rng)
        elif kind == "padded":
            extra = nn.Conv2d(channels + 2, channels, 1, rng=rng)
        self.extra = extra
        self.up = nn.ConvTranspose2d(channels, channels, 2, 2, groups=groups, rng=rng) if kind == "unet" else None

    def forward(self, x: Any) -> Any:
        y, extra = F.relu(self.norm(self.conv(x))), self.extra
        if self.kind == "sum":
            return F.relu(y + x)
        if self.kind == "twice":
            return F.relu(self.norm(self.conv(y)))
        if self.kind == "spatial":
            return F.pad(y[:, :, 1:], ((0, 0), (0, 0), (1, 0), (0, 0))) * 0.5
        if self.kind == "pooled":
            return F.interpolate(F.max_pool(y, 2), scale_factor=2) + F.avg_pool(y, 3, stride=1, padding=1)
        if extra is None:
            return y
        if self.kind == "projected":
            return F.relu(y + extra(x))
        if self.kind == "with itself":
            return F.relu(extra(F.concatenate([y, y], axis=1)))
        if self.kind == "both":
            return F.relu(extra(F.concatenate([x, y], axis=1)))
        if self.kind == "unet" and self.up is not None:
            return F.relu(extra(F.concatenate([self.up(F.max_pool(y, 2)), x], axis=1)))
        if self.kind == "gate":
            return y * F.sigmoid(extra(F.mean(y, axis=(2, 3), keepdims=True)))
        if self.kind == "one gate":
            return y * F.sigmoid(extra(y))
        if self.kind == "shuffle":
            wide = extra(y)
            n, c, h, w = wide.shape
            large = wide.reshape(n, c // 4, 2, 2, h, w).transpose((0, 1, 4, 2, 5, 3))
            return F.max_pool(F.relu(large.reshape(n, c // 4, 2 * h, 2 * w)), 2)
        if self.kind == "unshuffle":
            n, c, h, w = y.shape
            small = (
                y.reshape(n, c, h // 2, 2, w // 2, 2).transpose((0, 1, 3, 5, 2, 4)).reshape(n, 4 * c, h // 2, w // 2)
            )
            return F.interpolate(F.relu(extra(small)), scale_factor=2)
        return F.relu(extra(F.pad(y, ((0, 0), (1, 1), (0, 0), (0, 0)))))


def network(kinds: list[str], channels: int, groups: int, seed: int, flat: bool = True) -> nn.Module:
    """Blocks between a first convolution and a head, with statistics and scales that are not those of the beginning."""
    rng = np.random.default_rng(seed)
    blocks = [Block(kind, channels, groups, rng) for kind in kinds]
    head: list[nn.Module] = [nn.GlobalAvgPool(), nn.Flatten()]
    if flat:
        head = [nn.Flatten(), nn.BatchNorm1d(64 * channels), nn.Linear(64 * channels, 6, rng=rng)]
    last = [nn.ReLU(), nn.Linear(6 if flat else channels, 5, rng=rng)]
    first = [nn.Conv2d(3, channels, 3, padding=1, bias=False, rng=rng), nn.BatchNorm2d(channels), nn.ReLU()]
    return shaken(nn.Sequential(*first, *blocks, *head, *last), rng)


def shaken(model: nn.Module, rng: np.random.Generator) -> nn.Module:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            count = module.num_features
            module.running_mean = rng.normal(0, 0.3, count).astype(np.float32)
            module.running_var = rng.uniform(0.5, 2, count).astype(np.float32)
            for parameter in module.own_parameters().values():
                parameter.data = rng.normal(0.5, 0.3, count).astype(np.float32)
    return model


def computed(model: nn.Module, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    with evaluating(model), md.no_grad():
        return np.array(model(md.tensor(x)).numpy())


def zeroed(model: nn.Module, pruned: deploy.Pruned, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the given model computes if the layers' outputs are zero in the channels that are gone."""
    modules, handles = dict(model.named_modules()), []
    for name, kept in pruned.kept.items():

        def hide(module: Any, inputs: Any, output: Any, name: str = name, kept: Any = kept) -> Any:
            channels = np.zeros(pruned.widths[name][0], np.float32)
            channels[list(kept)] = 1
            return output * channels.reshape(1, -1, *(1,) * (output.ndim - 2))

        handles.append(modules[name].register_forward_hook(hide))
    try:
        return computed(model, x)
    finally:
        for handle in handles:
            handle.remove()


def check(model: nn.Module, pruned: deploy.Pruned) -> None:
    x = np.random.default_rng(1).normal(size=(3, *SHAPE)).astype(np.float32)
    wanted, found = zeroed(model, pruned, x), computed(pruned.model, x)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 2e-5 * max(1, np.abs(wanted).max())


@examples(8)
@given(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    st.sampled_from(((4, 1), (4, 2), (4, 4), (6, 3))),
    st.floats(0, 0.95),
    st.sampled_from(prune.SCOPES),
    st.booleans(),
)
def test_random_networks(kinds: list[str], widths: tuple[int, int], share: float, scope: str, flat: bool) -> None:
    model = network(kinds, *widths, seed=len(kinds), flat=flat)
    before = model.state_dict()
    pruned = deploy.prune_channels(model, SHAPE, share, scope=scope)
    check(model, pruned)
    assert all(len(kept) >= 1 for kept in pruned.kept.values())
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("groups", [2, 4])
def test_every_way_of_joining(kind: str, groups: int) -> None:
    model = network([kind], 4, groups, seed=0)
    pruned = deploy.prune_channels(model, SHAPE, 0.5)
    check(model, pruned)
    assert pruned.widths["3.norm"] == (4, 2)


def test_channels_of_a_shortcut_without_projection_go_together() -> None:
    model = shaken(
        models.resnet_small(widths=(8, 8), blocks=2, strides=(1, 1), dilations=(1, 2)), np.random.default_rng(0)
    )
    pruned = deploy.prune_channels(model, SHAPE, 0.5)
    check(model, pruned)
    first = pruned.kept["conv1"]
    assert len(first) == 4
    assert all(kept == first for name, kept in pruned.kept.items() if name.endswith("conv2"))
    assert pruned.kept["layer1.0.conv1"] != first


def test_what_is_concatenated_with_itself_is_read_twice() -> None:
    model = network(["with itself"], 4, 1, seed=0)
    smaller: Any = deploy.prune_channels(model, SHAPE, 0.5).model
    assert smaller[3].extra.weight.shape == (2, 4, 1, 1)
    assert smaller[3].extra.in_channels == 4


def test_the_smallest_filters_go_and_the_output_stays() -> None:
    conv, last = nn.Conv2d(3, 4, 1, bias=False), nn.Conv2d(4, 2, 1)
    conv.weight.data = np.array([3, -1, 2, -4], np.float32).reshape(4, 1, 1, 1) * np.ones((4, 3, 1, 1), np.float32)
    pruned = deploy.prune_channels(nn.Sequential(conv, nn.ReLU(), last), SHAPE, 0.5)
    assert pruned.kept == {"0": (0, 3), "2": (0, 1)}
    assert pruned.widths == {"0": (4, 2), "2": (2, 2)}
    assert pruned.parameters == (12 + 10, 6 + 6)
    assert pruned.multiply_adds == (64 * (12 + 8), 64 * (6 + 4))
    assert "channels: 0 2 of 4" in repr(pruned)


def test_groups_of_a_transposed_convolution_keep_the_same_places() -> None:
    up = nn.ConvTranspose2d(4, 6, 1, groups=2)
    up.weight.data = np.array([[1, 7, 3], [1, 7, 3], [6, -1, 2], [6, -1, 2]], np.float32).reshape(
        4, 3, 1, 1
    )  # means 3.5, 4, 2.5
    model = nn.Sequential(nn.Conv2d(3, 4, 1), up, nn.Conv2d(6, 2, 1))
    pruned = deploy.prune_channels(model, SHAPE, 0.4, skip="0")
    check(model, pruned)
    assert pruned.kept["1"] == (0, 1, 3, 4)


def test_scales_of_batch_norm_decide_over_the_whole_network() -> None:
    layers = [nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()]
    for norm, scale in ((layers[1], [1, -2, 3, -4]), (layers[4], [0.5, 0.1, -0.1, 0.2])):
        norm.own_parameters()["weight"].data = np.array(scale, np.float32)
    model = nn.Sequential(*layers, nn.Conv2d(4, 2, 1))
    pruned = deploy.prune_channels(model, SHAPE, 0.5, "batch_norm", scope="network")
    check(model, pruned)
    assert pruned.kept["0"] == (1, 2, 3)  # four were to go; the last of a layer stays
    assert pruned.kept["4"] == (0,)


def test_an_activation_that_makes_something_of_zero_is_cut_all_the_same() -> None:
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 1, rng=rng), nn.Sigmoid(), nn.Conv2d(4, 2, 1, rng=rng))
    pruned = deploy.prune_channels(model, SHAPE, 0.5)
    hidden: Any = deepcopy(model)
    gone = [n for n in range(4) if n not in pruned.kept["0"]]
    weight = hidden[2].weight.numpy().copy()
    weight[:, gone] = 0
    hidden[2].weight.data = weight
    x = rng.normal(size=(2, *SHAPE)).astype(np.float32)
    assert np.allclose(computed(pruned.model, x), computed(hidden, x), atol=1e-6)


class Sequence(nn.Module):
    """Convolutions over positions, and between them a linear layer over the channels of each."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.conv = nn.Conv1d(3, 6, 3, padding="causal", rng=rng)
        self.linear = nn.Linear(6, 4, rng=rng)
        self.last = nn.Conv1d(4, 2, 1, rng=rng)

    def forward(self, x: Any) -> Any:
        y = F.relu(self.conv(x)).transpose((0, 2, 1))
        return self.last(F.relu(self.linear(y)).transpose((0, 2, 1)))


def test_a_linear_layer_over_the_last_axis() -> None:
    model = Sequence()
    pruned = deploy.prune_channels(model, (3, 7), 0.5)
    assert pruned.widths == {"conv": (6, 3), "linear": (4, 2), "last": (2, 2)}
    smaller: Any = pruned.model
    x = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
    before, after = (np.zeros(n, np.float32) for n in (6, 4))
    before[list(pruned.kept["conv"])] = after[list(pruned.kept["linear"])] = 1
    first = F.relu(model.conv(md.tensor(x))).transpose((0, 2, 1)) * before
    wanted = model.last((F.relu(model.linear(first)) * after).transpose((0, 2, 1)))
    assert np.allclose(smaller(md.tensor(x)).numpy(), wanted.numpy(), atol=1e-5)


class Own(nn.Module):
    """A forward of one's own between two convolutions."""

    def __init__(self, forward: Any) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        self.first = nn.Conv2d(3, 4, 1, rng=rng)
        self.inside = nn.Identity()
        self.last = nn.Conv2d(4, 2, 1, rng=rng)
        self.body = forward

    def forward(self, x: Any) -> Any:
        return self.last(self.body(self, self.inside(self.first(x))))


def sliced(model: Any, x: Any) -> Any:
    return F.concatenate([x[:, 2:], x[:, :2]], axis=1)


REFUSED = {
    "getitem in the model's own forward takes some of the channels": sliced,
    "mean in the model's own forward puts numbers of several channels": lambda model, x: (
        x - F.mean(x, axis=1, keepdims=True)
    ),
    "multiply in the model's own forward has a number for each": lambda model, x: x * np.ones((4, 1, 1), np.float32),
    "cumsum in the model's own forward is an op": lambda model, x: F.cumsum(x, axis=1),
    "conv in the model's own forward does not take its weights": lambda model, x: F.conv(
        x, np.ones((4, 4, 1, 1), np.float32)
    ),
    "does not run: reshape": lambda model, x: x.reshape(x.shape[0], 4, 8, 8),
    "computes something else": lambda model, x: x / x.shape[1],
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(words: str) -> None:
    model = Own(REFUSED[words])
    before = model.state_dict()
    with pytest.raises(OptionError, match=words):
        deploy.prune_channels(model, SHAPE, 0.5)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    kept = deploy.prune_channels(model, SHAPE, 0.5, skip="first")
    assert kept.widths["first"] == (4, 4)


def test_weights_of_two_layers_are_refused() -> None:
    layers: list[Any] = [nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)]
    layers[2].weight = layers[1].weight
    with pytest.raises(OptionError, match="conv in layer '1' does not take its weights from a layer of its own"):
        deploy.prune_channels(nn.Sequential(*layers), SHAPE, 0.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"share": 1}, "0 <= share < 1, not 1"),
        ({"share": 0.5, "by": "l2"}, "by must be 'l1' or 'batch_norm', not 'l2'"),
        ({"share": 0.5, "scope": "all"}, "scope must be 'layer' or 'network', not 'all'"),
        ({"share": 0.5, "by": "batch_norm"}, "no batch norm scales 4 of the channels that layer 'first' makes"),
        ({"share": 0.5, "skip": "firts"}, "did you mean 'first'"),
        ({"share": 0.5, "input_shape": (3, 0, 8)}, "prune_channels: input_shape is"),
    ],
)
def test_options_that_are_none(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        deploy.prune_channels(Own(lambda model, x: x), **{"input_shape": SHAPE} | options)


def test_a_pruned_model_is_loaded_into_what_it_was_made_of(tmp_path: Path) -> None:
    model = network(["plain", "unet", "gate"], 4, 2, seed=0)
    pruned = deploy.prune_channels(model, SHAPE, 0.5).model
    deploy.save_pruned(tmp_path / "small.npz", pruned)
    fresh = network(["plain", "unet", "gate"], 4, 2, seed=9)
    loaded = deploy.load_pruned(tmp_path / "small.npz", fresh)
    x = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float32)
    assert np.array_equal(computed(loaded, x), computed(pruned, x))
    assert repr(loaded) == repr(pruned)
    assert fresh.state_dict()["0.weight"].shape == (4, 3, 3, 3)


def test_a_pruned_model_of_another_network_is_refused(tmp_path: Path) -> None:
    deploy.save_pruned(tmp_path / "wide.npz", network(["plain"], 6, 1, seed=0))
    with pytest.raises(
        CheckpointError, match=r"wide.npz: widths: layer '0' .Conv2d. reads 3 channels and makes 4, and cannot"
    ):
        deploy.load_pruned(tmp_path / "wide.npz", network(["plain"], 4, 1, seed=0))
    with pytest.raises(CheckpointError, match=r"3\.extra is in one of both only"):
        deploy.load_pruned(tmp_path / "wide.npz", network(["gate"], 6, 1, seed=0))
    checkpoint.save(tmp_path / "plain.npz", {"model": {}})
    with pytest.raises(CheckpointError, match=r"plain.npz holds no widths"):
        deploy.load_pruned(tmp_path / "plain.npz", network(["plain"], 4, 1, seed=0))
