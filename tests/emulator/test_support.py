"""What the README says is supported runs, and gives the right result."""

import numpy as np
import pytest
from support_cases import CASES

from minidil.emulator import emulate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_what_is_supported(name):
    kernel, size, inputs, expected = CASES[name]
    found = np.zeros_like(expected)
    with emulate() as report:
        kernel[size](*inputs, found)
    assert report.findings == []
    if found.dtype.kind in "fc":
        np.testing.assert_allclose(found, expected, rtol=1e-6 if found.dtype == np.float32 else 1e-14, atol=1e-15)
    else:
        np.testing.assert_array_equal(found, expected)
