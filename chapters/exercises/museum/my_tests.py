"""Your tests. See which mutants they kill:  minidil exercises mutants my_tests.py"""

import numpy as np

import minidil.functional as F


def test_a_dilated_kernel_skips_what_lies_between_its_taps():
    """Three taps with dilation 2 read the inputs o, o + 2 and o + 4: five inputs give one output, and seven give three."""
    x = np.array([[[1.0, 10, 100, 1000, 10000, 100000, 1000000]]])
    weight = np.array([[[1.0, 2, 3]]])

    y = F.conv(x, weight, dilation=2).numpy()

    assert y.tolist() == [[[1 + 200 + 30000, 10 + 2000 + 300000, 100 + 20000 + 3000000]]]
