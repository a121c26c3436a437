"""A rank's part of every batch."""

import numpy as np
import pytest
import tiny_runs
from team_of_threads import ThreadTeam, on_ranks

from minidil.data.drawn import Drawn, adding
from minidil.errors import OptionError
from minidil.parallel import Share


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_parts_together_are_the_batches_augmented_as_they_were(size: int) -> None:
    parts = on_ranks(size, lambda team: list(Share(tiny_runs.loader(36), team).batches(2, start=1)))
    whole = list(tiny_runs.loader(36).batches(2, start=1))
    assert [len(part) for part in parts] == [4] * size
    for number, (images, labels) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[number][0] for part in parts]), images)
        np.testing.assert_array_equal(np.concatenate([part[number][1] for part in parts]), labels)


def test_parts_differ_by_at_most_one_item() -> None:
    sizes = on_ranks(3, lambda team: [len(labels) for _, labels in Share(tiny_runs.loader(40), team).batches(0)])
    assert sizes == [[2] * 5, [3] * 5, [3] * 5]


def test_a_rank_without_items_goes_on_where_nothing_is_learnt() -> None:
    sizes = on_ranks(
        4, lambda team: [len(labels) for _, labels in Share(tiny_runs.loader(10), team, skip=True).batches(0)]
    )
    assert sizes == [[2], [2, 1], [2], [2, 1]]


def test_to_learn_a_batch_has_something_for_every_rank() -> None:
    def shared(team: ThreadTeam) -> None:
        Share(tiny_runs.loader(12), team)
        with pytest.raises(OptionError, match=r"^a batch of 3 items leaves nothing for some of 4 ranks; .*drop_last"):
            Share(tiny_runs.loader(11), team)
        unknown = Share(Drawn(adding(4), batch_size=2), team)
        with pytest.raises(OptionError, match=r"^a batch of 2 items"):
            next(unknown.batches(0))

    on_ranks(4, shared)
