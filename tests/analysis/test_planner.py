"""The planner against exhaustive search."""

from __future__ import annotations

from itertools import combinations_with_replacement, product

import pytest

from minidil.analysis import has_holes, plan
from minidil.errors import OptionError


def best(reach: int, kernel: int, depth: int) -> tuple[int, int] | None:
    """(field, largest dilation) of the best schedule of that depth, by trying all."""
    found = []
    for rates in combinations_with_replacement(range(1, 9), depth):
        field = 1 + (kernel - 1) * sum(rates)
        if field >= reach and not has_holes(rates, kernel):
            found.append((field, max(rates)))
    return min(found, default=None)


@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_no_search_finds_a_cheaper_one(kernel: int) -> None:
    for reach in range(kernel, 10 if kernel == 2 else 14):
        made = plan(reach, kernel)
        depth = len(made.dilations)
        assert not has_holes(made.dilations, kernel)
        assert (made.reach, max(made.dilations)) == best(reach, kernel, depth)
        assert depth == 1 or best(reach, kernel, depth - 1) is None
        deeper = plan(reach, kernel, depth=depth + 1)
        assert (deeper.reach, max(deeper.dilations)) == best(reach, kernel, depth + 1)


@pytest.mark.parametrize("stride", [2, 4, 8])
@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_with_an_output_stride(stride: int, kernel: int) -> None:
    for reach in range(kernel, 80, 3):
        made = plan(reach, kernel, output_stride=stride)
        assert made.reach >= reach
        assert not has_holes(made.dilations, kernel, made.strides)
        count = 1
        for each in made.strides:
            count *= each
        assert count == stride
        free = made.strides.count(1)
        if free:  # not with one layer fewer, whatever the dilations
            fewer = made.strides[:-1]
            for tail in product(range(1, 9), repeat=min(free - 1, 2)):
                rates = (*made.dilations[: len(fewer) - len(tail)], *tail)
                field = 1 + sum((kernel - 1) * r * 2 ** min(i, len(fewer) - free + 1) for i, r in enumerate(rates))
                assert field < reach or has_holes(rates, kernel, fewer)


def test_the_example() -> None:
    made = plan(65)
    assert (made.dilations, made.reach) == ((1, 3, 9, 19), 65)
    assert made.reason == (
        "4 layers of 3 taps can see up to 81 positions without holes and 3 up to 27, so 4 is the least for 65; "
        "this schedule sees 65, with the smallest largest dilation"
    )
    assert repr(made).splitlines()[:3] == [
        "layer  kernel  stride  dilation  padding  sees",
        "----------------------------------------------",
        "1           3       1         1        1     3",
    ]
    assert plan(65, parameters=50_000, channels=64).parameters == 4 * (64 * 64 * 3 + 64)
    assert plan(10**9).reach == 10**9 + 1
    assert plan(1024, 2).dilations == tuple(2**i for i in range(10))  # WaveNet's block
    assert plan(3).reason.startswith("1 layer of 3 taps can see up to 3 positions")
    assert plan(6, 2, depth=3).as_dict()["dilations"] == [1, 2, 2]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"reach": 65, "kernel_size": 1}, "layers of 1 tap see 1 position however many there are, not 65"),
        (
            {"reach": 65, "depth": 3},
            r"3 layers of 3 taps can see at most 27 positions without holes, not 65; take depth >= 4 or kernel_size >= 5",
        ),
        ({"reach": 0}, "reach must be an int >= 1, not 0"),
        (
            {"reach": 4, "kernel_size": 5},
            "a layer of 5 taps sees 5 positions, more than the 4 that are wanted; take kernel_size <= 4 or reach >= 5",
        ),
        ({"reach": 9, "output_stride": 6}, "output_stride is a power of 2, made of layers with stride 2, not 6"),
        (
            {"reach": 9, "output_stride": 8, "depth": 2},
            "an output stride of 8 takes 3 layers of stride 2, and depth is 2",
        ),
        ({"reach": 9, "parameters": 100}, "a budget of 100 parameters says nothing without channels"),
        (
            {"reach": 65, "parameters": 30_000, "channels": 64},
            "4 layers of 12,352 parameters each are 49,408, over the budget of 30,000, which is enough for 2 and a reach of 9",
        ),
    ],
)
def test_impossible_requests(request_, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        plan(**request_)
