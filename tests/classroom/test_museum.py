"""Every exhibit of the bug museum is one line away from the library, changes a number, and says where it comes from."""

import inspect

import numpy as np
import pytest
from museum_numbers import NUMBERS

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant, plant, planted
from minidil.errors import OptionError
from minidil.kernels.backend import use
from minidil.kernels.geometry import Window

BY_NAME = {mutant.name: mutant for mutant in EXHIBITS}


def test_there_is_a_number_for_every_exhibit():
    """And no exhibit has the name of another."""
    assert len(BY_NAME) == len(EXHIBITS) >= 25
    assert BY_NAME.keys() == NUMBERS.keys()


@pytest.mark.parametrize("name", BY_NAME)
@np.errstate(invalid="ignore", divide="ignore", over="ignore")
def test_an_exhibit_changes_its_number_and_leaves_the_library_as_it_was(name):
    """Right before, wrong while it is planted, right after."""
    number, right, wrong = NUMBERS[name]
    with use("numpy"):
        assert number() == right
        with planted(BY_NAME[name]):
            assert number() == wrong
        assert number() == right
