"""Device arrays and the memory behind them, in the emulator's address space. None of this needs a CUDA package."""

import copy
import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minidil.emulator.memory import BASE, Memory
from minidil.errors import BackendError, DtypeError, ShapeError
from minidil.kernels.cuda import dlpack
from minidil.kernels.cuda.array import DeviceArray, empty, indices_to_device, to_device, to_host
from minidil.kernels.cuda.memory import Pool, pool, rounded


@pytest.fixture(autouse=True)
def _emulated(monkeypatch):
    """The active target, without asking for the packages that compile kernels."""
    monkeypatch.setattr("minidil.kernels.cuda.memory.target", lambda: "emulator")


SHAPES = [(), (0,), (3,), (2, 0, 4), (2, 3, 5)]


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_come_back(shape, dtype):
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    array = to_device(values)
    assert (array.shape, array.dtype, array.ndim, array.size) == (shape, dtype, values.ndim, values.size)
    assert (array.nbytes, array.target) == (values.nbytes, "emulator")
    assert array.strides == values.strides or not values.size
    assert_array_equal(to_host(array), values)
    assert to_host(array).flags.writeable
    assert to_device(array) is array


def test_what_is_not_contiguous_becomes_it():
    values = np.arange(24, dtype=np.float32).reshape(4, 6).T[::-1]
    assert_array_equal(np.asarray(to_device(values)), values)


def test_the_device_has_three_types():
    for values in (np.ones(2), np.ones(2, np.int64), np.ones(2, np.float16), np.ones(2, complex)):
        with pytest.raises(DtypeError, match=f"arrays on the device are float32, int32 or bool, not {values.dtype}"):
            to_device(values)
    with pytest.raises(DtypeError):
        empty((2,), np.float64)


def test_class_numbers_become_int32_if_they_fit():
    labels = np.array([3, -1, 2**31 - 1])
    device = indices_to_device(labels)
    assert device.dtype == np.int32
    assert_array_equal(np.asarray(device), labels)
    assert indices_to_device(device) is device
    with pytest.raises(DtypeError, match="indices from 0 to 2147483648 do not fit into int32"):
        indices_to_device(np.array([0, 2**31]))
    with pytest.raises(DtypeError, match="are integers, not float32"):
        indices_to_device(np.ones(2, np.float32))


def test_another_shape_shares_the_memory():
    array = to_device(np.arange(6, dtype=np.int32))
    other = array.reshaped((2, -1))
    assert other.shape == (2, 3)
    assert other.address == array.address
    assert_array_equal(np.asarray(other), np.arange(6).reshape(2, 3))
    for shape in ((4,), (4, -1), (-1, -1)):
        with pytest.raises(ShapeError, match="has 6 elements and cannot become"):
            array.reshaped(shape)


def test_an_array_does_nothing_by_itself():
    array = to_device(np.ones(3, np.float32))
    for misuse in (
        lambda: array + 1,
        lambda: np.ones(3) * array,
        lambda: array @ array,
        lambda: array[0],
        lambda: -array,
        lambda: np.exp(array),
        lambda: array == array,
        lambda: len(array),
        lambda: bool(array),
        lambda: hash(array),
    ):
        with pytest.raises(TypeError):
            misuse()


def test_what_it_can_do():
    array = to_device(np.array([2.5], np.float32))
    assert array.item() == 2.5
    assert isinstance(array.item(), float)
    with pytest.raises(ShapeError, match=r"an array of shape \(2,\) is not one number"):
        to_device(np.ones(2, np.float32)).item()
    assert repr(array) == "DeviceArray(shape=(1,), dtype=float32, target='emulator')"
    assert np.asarray(array, np.float64).dtype == np.float64
    assert copy.deepcopy(array) is array
    with pytest.raises(ValueError, match="can only be copied"):
        np.asarray(array, copy=False)


def test_other_libraries_take_it():
    array = to_device(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert array.__dlpack_device__() == (1, 0)
    assert_array_equal(np.from_dlpack(array), np.asarray(array))
    assert not hasattr(array, "__cuda_array_interface__")  # the emulator's addresses mean nothing to CUDA


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.bool_])
def test_a_capsule_shares_the_memory_and_keeps_it_until_it_is_not_used(dtype):
    values = np.random.default_rng(1).integers(0, 2, (2, 3)).astype(dtype)

    class Exporter:
        def __dlpack__(self, **_):
            return dlpack.capsule(values, values.ctypes.data, values.shape, values.dtype, (1, 0))

        def __dlpack_device__(self):
            return (1, 0)

    before = len(dlpack._exported)
    taken = np.from_dlpack(Exporter())
    assert_array_equal(taken, values)
    assert np.shares_memory(taken, values)
    assert len(dlpack._exported) == before + 1
    del taken
    gc.collect()
    assert len(dlpack._exported) == before


# --- the pool


def test_memory_is_used_again():
    source = Memory()
    memory = Pool(source)
    block = memory.take(1000)
    address = block.address
    assert (memory.in_use, memory.cached) == (1024, 0)
    del block
    assert (memory.in_use, memory.cached) == (0, 1024)
    again = memory.take(900)  # of the same size class
    assert again.address == address
    other = memory.take(900)
    assert other.address != address
    assert (memory.in_use, memory.cached, memory.peak) == (2048, 0, 2048)
    memory.clear()
    assert memory.cached == 0


def test_shapes_share_a_block_until_the_last_one_is_gone():
    memory = Pool(Memory())
    array = to_device(np.ones(6, np.float32), memory)
    view = array.reshaped((2, 3))
    del array
    assert memory.in_use == 512
    assert_array_equal(np.asarray(view), np.ones((2, 3)))
    del view
    assert memory.in_use == 0


@given(st.integers(0, 10**9))
def test_at_most_a_fifth_is_wasted(nbytes):
    capacity = rounded(nbytes)
    assert capacity >= max(nbytes, 1)
    assert capacity % 512 == 0
    assert capacity <= 512 or capacity < 1.25 * nbytes + 512


def test_a_full_device_gives_up_what_is_cached_and_then_says_how_full_it_is():
    memory = Pool(Memory(limit=100_000))
    kept = memory.take(20_000)
    for size in (5_000, 10_000, 15_000):
        memory.take(size)
    assert memory.cached > 0
    with pytest.raises(
        BackendError, match=r"no memory for an array of 90,000 bytes: 20,480 are in use and the .* use smaller"
    ):
        memory.take(90_000)
    assert memory.cached == 0
    assert memory.in_use == kept.capacity


def test_the_address_space_grows_and_keeps_its_values():
    memory = Memory()
    first = memory.allocate(1000)
    memory.taken(first, 1000)
    memory.write(first, np.arange(200, dtype=np.uint8))
    size = len(memory.bytes)
    second = memory.allocate(3 * size)
    assert len(memory.bytes) > 3 * size
    assert second >= first + 1000
    assert_array_equal(memory.read(first, 200), np.arange(200))
    assert first > BASE


def test_used_memory_is_unwritten_again():
    memory = Pool(Memory())
    array = to_device(np.ones(4, np.float32), memory)
    del array
    with pytest.raises(BackendError, match="never written"):
        empty((4,), np.float32, memory).copy_to_host()


def test_one_pool_per_target():
    assert pool("emulator") is pool("emulator")
    assert isinstance(to_device(np.ones(1, np.float32)), DeviceArray)
    assert to_device(np.ones(1, np.float32)).block.pool is pool("emulator")
