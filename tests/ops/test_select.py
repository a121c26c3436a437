"""Positions along an axis, against loops and NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError


class TestOneHot:
    @given(arrays(np.int64, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), elements=st.integers(0, 4)))
    def test_one_entry_at_a_time(self, backend, index):
        hot = F.one_hot(index, num_classes=5).numpy()
        expected = np.zeros((*index.shape, 5))
        for place in np.ndindex(*index.shape):
            expected[(*place, index[place])] = 1
        assert_array_equal(hot, expected)
        assert hot.dtype == np.int64

    def test_classes_are_counted(self, backend):
        assert_array_equal(F.one_hot(md.tensor(np.array([2, 0], np.int32))).numpy(), [[0, 0, 1], [1, 0, 0]])
        assert F.one_hot(np.array([0]), num_classes=1).shape == (1, 1)

    def test_refused(self, backend):
        with pytest.raises(OptionError, match=r"one_hot: index holds 0..3 but the classes are 0..2"):
            F.one_hot(np.array([0, 3]), num_classes=3)
        with pytest.raises(OptionError, match=r"one_hot: index holds -1..3 but the classes are >= 0"):
            F.one_hot(np.array([-1, 3]))
        with pytest.raises(OptionError, match=r"one_hot: no class can be counted in an empty index \(0, 2\)"):
            F.one_hot(np.zeros((0, 2), int))
        with pytest.raises(OptionError, match=r"one_hot: num_classes must be an int >= 1, or -1 to count, not 0"):
            F.one_hot(np.zeros(2, int), num_classes=0)
        with pytest.raises(DtypeError, match=r"one_hot: index must be an array or a tensor of integers, not float64"):
            F.one_hot(np.zeros(2), num_classes=2)
        with pytest.raises(DtypeError, match=r"of integers, not int"):
            F.one_hot(1, num_classes=2)
