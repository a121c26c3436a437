"""The target "gpu" with numba.cuda's part played by NumPy: which calls are made, with what, and what happens without memory.

This shows that the calls are right, and nothing about a GPU.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidil.errors import BackendError, OptionError
from minidil.kernels.cuda import kernel, to_device
from minidil.kernels.cuda.array import empty
from minidil.kernels.cuda.memory import GpuMemory, Pool, pool


class Block:
    """Memory as numba.cuda hands it out."""

    def __init__(self, values):
        self._values = values

    def __getitem__(self, part):
        return Block(self._values[part])

    def copy_to_device(self, values):
        self._values[:] = values

    def copy_to_host(self):
        return self._values.copy()

    @property
    def __cuda_array_interface__(self):
        return {"data": (self._values.ctypes.data, False)}


class Driver:
    """What minidil uses of numba.cuda. limit: the memory of the device in bytes."""

    def __init__(self, limit=1 << 30):
        self.limit = limit
        self.launches = []

    def device_array(self, size, dtype):
        from numba.cuda.cudadrv.driver import CudaAPIError

        if size > self.limit:
            raise CudaAPIError(2, "out of memory")
        return Block(np.zeros(size, dtype))

    def jit(self, function, *, lineinfo):
        assert lineinfo
        return Compiled(function, self)

    @staticmethod
    def as_cuda_array(array, sync):
        assert not sync
        return ("native", array.__cuda_array_interface__["data"][0], array.shape)


class Compiled:
    def __init__(self, function, driver):
        self.function, self.driver = function, driver

    def __getitem__(self, sizes):
        return lambda *arguments: self.driver.launches.append((self.function.__name__, sizes, arguments))


@pytest.fixture
def driver(monkeypatch):
    driver = Driver()
    monkeypatch.setattr("minidil.kernels.cuda.seam.cuda", driver)
    monkeypatch.setattr("minidil.kernels.cuda.memory.target", lambda: "gpu")
    monkeypatch.setattr("minidil.kernels.cuda.launch.target", lambda: "gpu")
    monkeypatch.setattr("minidil.kernels.cuda.memory._pools", {})
    return driver


def a_kernel():
    def work(x, n, f, sizes):
        """Never run here."""

    return kernel(work)


def test_values_go_to_the_gpu_and_come_back(driver):
    values = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    array = to_device(values)
    assert array.target == "gpu"
    assert_array_equal(array.copy_to_host(), values)
    interface = array.__cuda_array_interface__
    assert interface["shape"] == (3, 4)
    assert interface["typestr"] == "<f4"
    assert interface["data"] == (array.address, False)
    assert interface["version"] == 3
    assert array.__dlpack_device__() == (2, 0)
    assert "dltensor" in repr(array.__dlpack__())


def test_a_launch_passes_native_arrays_and_typed_numbers(driver):
    work, array = a_kernel(), to_device(np.zeros((2, 3), np.float32))
    work[(2, 1), 64](array, 7, 0.5, (1, 2))
    work[4, 64](array, 7, 0.5, (1, 2))
    (name, sizes, arguments), (_, other, _) = driver.launches
    assert (name, sizes, other) == ("work", ((2, 1, 1), (64, 1, 1)), ((4, 1, 1), (64, 1, 1)))
    native, count, factor, pair = arguments
    assert native == ("native", array.address, (2, 3))
    assert (type(count), type(factor), type(pair[0])) == (np.int32, np.float32, np.int32)


def test_numpy_arrays_are_copied_there_and_back(driver):
    host = np.ones(4, np.float32)
    a_kernel()[1, 4](host, 7, 0.5, (1, 2))
    assert driver.launches[0][2][0][0] == "native"
    assert_array_equal(host, np.ones(4))


def test_the_gpu_and_the_emulator_are_not_mixed(driver):
    with pytest.raises(OptionError, match="some of its arrays are on the GPU and some in the emulator"):
        a_kernel()[1, 4](empty((2,)), empty((2,), where=pool("emulator")), 1, 1)


def test_a_gpu_without_memory_is_said_with_numbers(driver):
    driver.limit = 10_000
    memory = Pool(GpuMemory())
    block = memory.take(5_000)
    with pytest.raises(
        BackendError, match=r"no memory for an array of 20,000 bytes: 5,120 are in use .* out of memory"
    ):
        memory.take(20_000)
    del block
    assert memory.cached == 5_120
    memory.clear()
    assert memory.source._blocks == {}
