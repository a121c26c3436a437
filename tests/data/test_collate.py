"""Items become batches, or the message says which of them does not fit."""

import numpy as np
import pytest

import minidil as md
from minidil.data.collate import stack
from minidil.errors import DtypeError, ShapeError


def test_arrays_tensors_and_numbers_gain_an_axis() -> None:
    items = [(np.eye(2), n, n - 0.5, (n == 1, md.tensor([float(n)]))) for n in (1, 2)]
    x, y, z, nested = stack(items, [0, 1])
    assert (x.shape, x.dtype, y.tolist(), y.dtype) == ((2, 2, 2), np.float64, [1, 2], np.int64)
    assert (z.tolist(), z.dtype) == ([0.5, 1.5], np.float32)
    assert (nested[0].tolist(), nested[1].tolist()) == ([True, False], [[1], [2]])
    assert isinstance(nested[1], np.ndarray)


def test_numpys_own_numbers_keep_their_type() -> None:
    assert stack([np.float64(1), np.float64(2)], [0, 1]).dtype == np.float64
    assert stack([[1.0, 2.0], [3.0, 4.0]], [0, 1]).dtype == np.float32


def test_mappings_become_a_dict_of_batches() -> None:
    batch = stack([{"x": [1], "n": 3}, {"x": [2], "n": 4}], [0, 1])
    assert {key: value.tolist() for key, value in batch.items()} == {"x": [[1], [2]], "n": [3, 4]}


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        (
            [np.zeros(3), np.zeros((3, 1))],
            ShapeError,
            r"item 9 has the shape \(3, 1\), but item 4, the first .* has \(3,\)",
        ),
        ([1, 0.5], DtypeError, "item 9 has the dtype float32, but item 4, the first of its batch, has int64"),
        ([(1, 2), (1, 2, 3)], ShapeError, "item 9 is a tuple of 3, but item 4, .* is a tuple of 2"),
        ([(1, 2), 1], ShapeError, "item 9 is of type int, but item 4, .* is a tuple of 2"),
        ([{"x": 1}, {"y": 1}], ShapeError, "item 9 is a mapping with the keys 'y', .* with the keys 'x'"),
        ([{"x": 1}, {"x": [1]}], ShapeError, r"item 9\['x'\] has the shape \(1,\)"),
        ([((1, [1]),), ((1, [1, 2]),)], ShapeError, r"item 9\[0\]\[1\] has the shape \(2,\)"),
        (["a", "b"], DtypeError, "item 4 is of type str, which is no number"),
        ([None, None], DtypeError, "item 4 is of type NoneType, which is no number"),
        ([1, (1, 2)], ShapeError, r"item 9 has the shape \(2,\)"),
        ([[[1], [1, 2]], [[1], [1, 2]]], ShapeError, r"item 4 is not of one shape \(.*\)"),
    ],
)
def test_what_does_not_stack_is_named(items: list[object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=rf"^DataLoader: {message}.*; give DataLoader collate="):
        stack(items, [4, 9])
