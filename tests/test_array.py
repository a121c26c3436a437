"""The arrays that the house is built on: one type, said once."""

import ast
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import minidil as md
from minidil.array import OnDevice
from minidil.errors import ShapeError
from minidil.tensor import Tensor

HOUSE = Path(md.__file__).parent


def assigned(path):
    """The names that a file gives at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.slow
def test_the_type_of_arrays_is_said_once():
    said = {path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py") if "Array" in assigned(path)}
    # In the source of a CUDA kernel an array is what numba.cuda makes of it, which mypy knows nothing of; once for all of them.
    in_cuda = {path for path in said if path.startswith("kernels/cuda/")}
    assert len(in_cuda) == 1
    assert said - in_cuda == {"array.py"}


def imported(path):
    """The modules that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.slow
def test_the_core_knows_no_cuda():
    knowing = ("kernels/cuda/", "doctor/", "cli/", "bench/", "emulator/")
    core = [path for path in HOUSE.rglob("*.py") if not path.relative_to(HOUSE).as_posix().startswith(knowing)]
    assert len(core) > 100
    for path in core:
        assert not [name for name in imported(path) if f"{name}.".startswith("minidil.kernels.cuda.")], path


def test_cuda_is_found_when_it_is_first_used():
    code = """
        import sys
        import minidil as md

        print("minidil.kernels.cuda" in sys.modules, "numba" in sys.modules)
        print(md.kernels.cuda.DeviceArray.__name__, "minidil.kernels.cuda" in sys.modules)
        print(hasattr(md.kernels, "opencl"))
        """
    done = subprocess.run([sys.executable, "-c", dedent(code)], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False", "DeviceArray", "True", "False"]


class Held(OnDevice):
    """Numbers that only `copy_to_host` gives out."""

    __slots__ = ("values",)

    def __init__(self, values):
        super().__init__(values.shape, values.dtype)
        self.values = values

    def copy_to_host(self):
        return self.values.copy()


def test_an_array_on_a_device_says_what_it_is_and_computes_nothing():
    x = Held(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert (x.shape, x.ndim, x.size, x.nbytes, x.dtype) == ((2, 3), 2, 6, 24, np.float32)
    np.testing.assert_array_equal(np.asarray(x), x.values)
    assert np.asarray(x, np.float64).dtype == np.float64
    assert deepcopy(x) is x
    assert Held(np.array([7])).item() == 7
    with pytest.raises(ShapeError, match=r"item: an array of shape \(2, 3\) is not one number"):
        x.item()
    with pytest.raises(TypeError):
        np.add(x, 1)
    with pytest.raises(TypeError, match="a device array has no operators"):
        _ = x == x
    with pytest.raises(TypeError, match="a device array has no truth value"):
        bool(x)
    with pytest.raises(TypeError):
        hash(x)
    with pytest.raises(ValueError, match="can only be copied"):
        np.array(x, copy=False)


def test_a_tensor_holds_an_array_of_any_device():
    x = Held(np.ones(2, np.float32))
    assert Tensor.of(x).data is x
    assert md.tensor(x).data is x
    np.testing.assert_array_equal(md.functional.add(x, 1).numpy(), [2, 2])  # the backend of the host takes it there
