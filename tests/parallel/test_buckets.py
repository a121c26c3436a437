"""Gradients added up in buckets: their order, their weights, and the moment when they start."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from team_of_threads import ThreadTeam, on_ranks

import minidil as md
import minidil.functional as F
from minidil import nn, parallel
from minidil.parallel.arrival import on_arrival
from minidil.parallel.buckets import _divided


def network(dtype: Any = np.float64) -> nn.Module:
    rng = np.random.default_rng(0)
    layers = [nn.Conv2d(2, 3, 3, rng=rng), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5, rng=rng)]
    return nn.Sequential(*layers).astype(dtype)


def batch(dtype: Any = np.float64) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((7, 2, 6, 6)).astype(dtype), rng.integers(0, 5, 7)


def gradients(model: nn.Module, inputs: Any, targets: Any, count: int = 1) -> list[Any]:
    """Of count times the mean loss."""
    model.zero_grad()
    (F.cross_entropy(model(md.tensor(inputs)), targets) * count).backward()
    return [parameter.grad.numpy() for parameter in model.parameters()]


def over_ranks(team: ThreadTeam, dtype: Any, bucket_bytes: int) -> list[Any]:
    model, (inputs, targets) = network(dtype), batch(dtype)
    places = slice(len(targets) * team.rank // team.size, len(targets) * (team.rank + 1) // team.size)
    loss = F.cross_entropy(model(md.tensor(inputs[places])), targets[places]) * len(targets[places])
    sums = parallel.Gradients(model.parameters(), team, bucket_bytes)
    sums.listen(loss)
    loss.backward()
    sums.finish(len(targets))
    return [parameter.grad.numpy() for parameter in model.parameters()]


@pytest.mark.parametrize("bucket_bytes", [1, 300, 1 << 20])
@pytest.mark.parametrize("size", [2, 3])
def test_the_gradients_are_those_of_the_parts_in_the_order_of_the_ranks_bit_for_bit(
    size: int, bucket_bytes: int
) -> None:
    inputs, targets = batch()
    bounds = [7 * rank // size for rank in range(size + 1)]
    parts = [
        gradients(network(), inputs[start:end], targets[start:end], end - start) for start, end in pairwise(bounds)
    ]
    for found in on_ranks(size, lambda team: over_ranks(team, np.float64, bucket_bytes)):
        for number, grad in enumerate(found):
            wanted = parts[0][number]
            for part in parts[1:]:
                wanted = wanted + part[number]
            np.testing.assert_array_equal(grad, wanted / 7)


@pytest.mark.parametrize(("dtype", "within"), [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_the_gradients_are_those_of_the_whole_batch(dtype: Any, within: float) -> None:
    whole = gradients(network(dtype), *batch(dtype))
    for found in on_ranks(3, lambda team: over_ranks(team, dtype, 300)):
        for grad, wanted in zip(found, whole, strict=True):
            assert grad.dtype == dtype
            assert np.linalg.norm(grad - wanted) <= within * np.linalg.norm(wanted)


def test_a_bucket_starts_before_backward_has_gone_on_to_the_layers_before() -> None:
    def order(team: ThreadTeam) -> list[str]:
        events: list[str] = []
        model, (inputs, targets) = network(), batch()
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        sums = parallel.Gradients(model.parameters(), team, bucket_bytes=1)
        start, take = team.start_sum, sums.take
        team.start_sum = lambda part: (events.append("start"), start(part))[1]  # type: ignore[method-assign]
        sums.take = lambda leaf, grad: (events.append(names[id(leaf)]), take(leaf, grad))[1]  # type: ignore[method-assign]
        loss = F.cross_entropy(model(md.tensor(inputs)), targets)
        sums.listen(loss)
        loss.backward()
        return events

    for events in on_ranks(2, order):
        assert sorted(events[:2]) == ["3.bias", "3.weight"] or events[1] == "start"
        assert events.count("start") == 4
        assert events.index("start") < events.index("0.weight")


def test_parameters_go_into_buckets_from_the_last_to_the_first_by_number_type() -> None:
    first, second, third = (nn.Parameter(np.zeros(4, np.float32)) for _ in range(3))
    fixed, double = nn.Parameter(np.zeros(4, np.float32), False), nn.Parameter(np.zeros(4))
    lists = _divided([first, second, fixed, double, third], 20)
    assert [[id(each) for each in part] for part in lists] == [[id(third)], [id(double)], [id(second), id(first)]]


def test_a_parameter_that_no_rank_has_reached_keeps_no_gradient_and_one_that_some_have_gets_it() -> None:
    def work(team: ThreadTeam) -> list[Any]:
        used, sometimes, never = (nn.Parameter(np.ones(2)) for _ in range(3))
        loss = (used * 2).sum() if team.rank else (used + sometimes).sum()
        sums = parallel.Gradients([used, sometimes, never], team)
        sums.listen(loss)
        loss.backward()
        sums.finish(4)
        return [
            parameter.grad if parameter.grad is None else parameter.grad.numpy().tolist()
            for parameter in (used, sometimes, never)
        ]

    assert on_ranks(2, work) == [[[0.75, 0.75], [0.25, 0.25], None]] * 2


def test_what_arrives_at_a_leaf_is_told_once_and_whole() -> None:
    x, told = md.tensor([1.0, 2.0], requires_grad=True), list[Any]()
    y = (x * x + x).sum()
    on_arrival(y._node, lambda leaf, grad: told.append((leaf is x, grad.tolist())))
    y.backward()
    assert told == [(True, [3.0, 5.0])]
    assert x.grad.numpy().tolist() == [3.0, 5.0]
