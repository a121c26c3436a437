"""Array: what every op, kernel and layer computes with. Said once, and below everything that names it."""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

# Of what an op is given it may use the shape, ndim, size and dtype alone: the array may lie in a device's memory, and only
# kernels compute with it. tests/ops/test_device_neutral.py holds every op to that.
Array: TypeAlias = NDArray[Any]
