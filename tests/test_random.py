"""The process-wide generator."""

import numpy as np

import minidil as md
from minidil.random import default_rng


def test_the_same_seed_gives_the_same_numbers() -> None:
    md.seed(5)
    first = default_rng().random(3)
    md.seed(5)
    assert (default_rng().random(3) == first).all()
    md.seed(6)
    assert (default_rng().random(3) != first).any()


def test_ops_draw_from_it_unless_given_a_generator() -> None:
    x = np.ones(100, np.float32)
    md.seed(1)
    shared = md.functional.dropout(x).numpy()
    md.seed(1)
    assert (md.functional.dropout(x).numpy() == shared).all()
    own = md.functional.dropout(x, rng=np.random.default_rng(7)).numpy()
    assert (md.functional.dropout(x, rng=np.random.default_rng(7)).numpy() == own).all()
