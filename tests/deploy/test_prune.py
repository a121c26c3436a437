"""Smaller networks against the given ones with the outputs of the removed channels set to zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidil as md
import minidil.functional as F
from minidil import deploy, nn
from minidil.deploy import prune
from minidil.nn.modes import evaluating

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
    head = [nn.Flatten(), nn.Linear(64 * channels, 6, rng=rng)] if flat else [nn.GlobalAvgPool(), nn.Flatten()]
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


@settings(max_examples=12, deadline=None)
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
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_every_way_of_joining(kind: str, groups: int) -> None:
    model = network([kind], 4, groups, seed=0)
    pruned = deploy.prune_channels(model, SHAPE, 0.5)
    check(model, pruned)
    assert pruned.widths["3.norm"] == (4, 2)
