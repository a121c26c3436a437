"""The checks that layers share."""

import numpy as np
import pytest

from minidil.errors import OptionError, ShapeError
from minidil.nn.checks import brief, check_counts, check_range, check_rank


def test_counts() -> None:
    check_counts("Layer", a=1, b=np.int64(3))
    for bad in (0, -1, 1.0, True, "1", None):
        with pytest.raises(OptionError, match=r"^Layer: b must be an int >= 1, not "):
            check_counts("Layer", a=1, b=bad)


def test_range() -> None:
    check_range("Layer", "p", 0, 0, 1)
    check_range("Layer", "p", np.float64(1), 0, 1)
    for bad in (-0.1, 1.1, float("nan"), True, "0", None):
        with pytest.raises(OptionError, match=r"^Layer: p must be a number from 0 to 1, not "):
            check_range("Layer", "p", bad, 0, 1)


def test_rank() -> None:
    check_rank("Layer", (2, 3, 4), 1)
    with pytest.raises(ShapeError, match=r"^Layer: x must be \(N, C, L\), with 3 axes, but has shape \(2,\)$"):
        check_rank("Layer", (2,), 1)
    with pytest.raises(ShapeError, match=r"add the batch axis with x\.reshape\(1, 3, 4, 5, 6\)$"):
        check_rank("Layer", (3, 4, 5, 6), 3)


def test_brief() -> None:
    assert [brief(value) for value in ((3, 3), (3, 5), 2, "same", (4,))] == ["3", "(3, 5)", "2", "'same'", "4"]
