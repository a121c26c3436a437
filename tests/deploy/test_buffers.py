"""Where values lie: never two in one place at a time, and not more memory than is needed where that is known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from minidil.deploy.buffers import Life, lives_of, offsets

LIVES = st.tuples(st.integers(1, 200), st.integers(0, 9), st.integers(0, 5)).map(
    lambda t: Life(t[0], t[1], t[1] + t[2])
)


@given(st.dictionaries(st.integers(0, 30), LIVES, max_size=12))
def test_no_two_values_meet(lives: dict[int, Life]) -> None:
    places, needed = offsets(lives)
    assert places.keys() == lives.keys()
    for value, life in lives.items():
        assert places[value] % 16 == 0
        assert 0 <= places[value] <= needed - life.size
        for other, its in lives.items():
            apart = life.last < its.first or its.last < life.first
            beside = places[value] + life.size <= places[other] or places[other] + its.size <= places[value]
            assert value == other or apart or beside


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    lives = lives_of([[0], [1], [2], [3]], [1, 2, 3, 4], {1: 64, 2: 32, 3: 128, 4: 16}, output=4)
    assert lives == {1: Life(64, 0, 1), 2: Life(32, 1, 2), 3: Life(128, 2, 3), 4: Life(16, 3, 4)}
    assert offsets(lives)[1] == 128 + 32


def test_a_value_that_nobody_reads_lives_for_its_own_step() -> None:
    assert lives_of([[0], [1]], [1, 2], {1: 8, 2: 8}, output=1) == {1: Life(8, 0, 2), 2: Life(8, 1, 1)}
    assert offsets({}) == ({}, 0)
