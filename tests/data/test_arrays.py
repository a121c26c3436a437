"""Any arrays of one length as a set."""

import numpy as np
import pytest

import minidil as md
from minidil.data import DataLoader, TensorDataset
from minidil.errors import OptionError, ShapeError

X = np.arange(12, dtype=np.float64).reshape(4, 3)
Y = np.array([True, False, True, True])


def test_items_and_slices_are_tuples() -> None:
    dataset = TensorDataset(X, Y)
    assert len(dataset) == 4
    x, y = dataset[-1]
    assert (x.tolist(), bool(y)) == ([9, 10, 11], True)
    x, y = dataset[1:3]
    np.testing.assert_array_equal(x, X[1:3], strict=True)
    np.testing.assert_array_equal(y, Y[1:3], strict=True)
    x, _ = dataset[[3, 0]]
    np.testing.assert_array_equal(x, X[[3, 0]])
    assert [bool(y) for _, y in dataset] == Y.tolist()
    with pytest.raises(IndexError, match="TensorDataset has 4 items, and none at index 4"):
        dataset[4]


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int8, np.int64, np.uint8, np.bool_, np.complex64]
)
def test_every_dtype_comes_out_as_it_went_in(dtype: type) -> None:
    array = np.arange(5).astype(dtype)
    batches = list(DataLoader(TensorDataset(array), 2))
    assert [batch.dtype for (batch,) in batches] == [np.dtype(dtype)] * 3
    np.testing.assert_array_equal(np.concatenate([batch for (batch,) in batches]), array)


def test_images_and_masks_stay_together() -> None:
    images = np.random.default_rng(0).random((7, 3, 4, 4), dtype=np.float32)
    masks = images[:, 0] > 0.5
    for image, mask in DataLoader(TensorDataset(images, masks), 3, shuffle=True):
        np.testing.assert_array_equal(mask, image[:, 0] > 0.5, strict=True)


def test_tensors_and_lists_are_taken_too() -> None:
    dataset = TensorDataset(md.tensor([[1.0], [2.0]], requires_grad=True), [0.5, 1.5], [3, 4])
    assert [array.dtype.name for array in dataset.tensors] == ["float32", "float32", "int64"]
    ((x, y, z),) = DataLoader(dataset, 2)
    assert (x.tolist(), y.tolist(), z.tolist()) == ([[1], [2]], [0.5, 1.5], [3, 4])
    x[0] = 7  # a batch is a copy
    assert dataset[0][0].tolist() == [1]


def test_the_set_is_read_only_and_the_callers_array_is_not() -> None:
    mine = X.copy()
    dataset = TensorDataset(mine)
    with pytest.raises(ValueError, match="read-only"):
        dataset.tensors[0][0] = 1
    mine[0] = 5
    assert dataset[0][0].tolist() == [5, 5, 5]  # a view, not a copy


def test_subset() -> None:
    part = TensorDataset(X, Y).subset(Y)
    assert repr(part) == "TensorDataset(3 items: float64 (3,), bool ())"
    assert len(TensorDataset(X).subset([])) == 0
    with pytest.raises(OptionError, match=r"TensorDataset\.subset: there are 4 items: "):
        TensorDataset(X).subset([4])


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(OptionError, match=r"at least one tensor or array, such as TensorDataset\(x, y\)"):
        TensorDataset()
    with pytest.raises(ShapeError, match=r"number 0 \(4, 3\) has 4 items and number 1 \(3,\) has 3"):
        TensorDataset(X, Y[:3])
    with pytest.raises(ShapeError, match="number 1 is one value without an axis of items"):
        TensorDataset(X, 3)
    with pytest.raises(ShapeError, match="number 1 is not of one shape"):
        TensorDataset(X, [[1], [1, 2], [1], [1]])
