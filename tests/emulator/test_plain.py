"""Plain cuda.jit kernels without a GPU: scripts run as they are, and each check names what it was made for."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda_tools import needs_tools
from numba import cuda, float32, types
from numpy.testing import assert_array_equal

from minidil.emulator import KernelError, KernelWarning, arrays, emulate, emulated, machine_code, run
from minidil.emulator.__main__ import main
from minidil.errors import BackendError, DtypeError, OptionError, ShapeError

X = np.arange(8, dtype=np.float32)


def line_of(text):
    """The number of the line of this file that ends in a comment."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}"))


def fault(kernel, *arguments, grid=1, block=8, **options):
    """What a kernel is stopped with."""
    with pytest.raises(KernelError) as caught:
        run(kernel, grid, block, *arguments, **options)
    return caught.value.finding


def warning(kernel, *arguments, grid=1, block=8):
    """The only finding of a kernel that runs through."""
    (finding,) = run(kernel, grid, block, *arguments).findings
    assert finding.severity == "warning"
    return finding


@cuda.jit
def double(x, y):
    i = cuda.grid(1)
    if i < x.size:
        y[i] = x[i] + x[i]


def test_a_script_runs_as_it_is():
    y = np.zeros_like(X)
    with emulate() as report:
        double[2, 4](X, y)
        on_device = cuda.to_device(X)
        made = cuda.device_array_like(on_device)
        double[2, 4](on_device, made)
        assert_array_equal(made.copy_to_host(), 2 * X)
        assert made[3] == 6
        assert_array_equal(made[2:4].copy_to_host(), [4, 6])
        made[0] = 9
        assert made.copy_to_host()[0] == 9
        assert cuda.is_available()
    assert_array_equal(y, 2 * X)
    assert (len(report.launches), report.findings) == (2, [])


def test_numba_is_itself_again_afterwards():
    before = cuda.to_device, cuda.is_available, type(double).__getitem__
    with emulate():
        assert cuda.to_device is not before[0]
    assert (cuda.to_device, cuda.is_available, type(double).__getitem__) == before


@pytest.mark.slow
def test_one_launch_and_a_decorated_kernel():
    y = np.zeros_like(X)
    report = run(double, 2, 4, X, y)
    assert_array_equal(y, 2 * X)
    assert report.launches[0].kernel == "double"
    y[:] = 0
    run(double.py_func, 1, 8, X, y)
    assert_array_equal(y, 2 * X)
    emulated(double)[1, 8](y.copy(), y)
    assert_array_equal(y, 4 * X)
    with pytest.warns(KernelWarning, match=r"3 of the 8 elements of y were not written, the first is y\[5\]"):
        emulated(double)[1, 8](X[:5].copy(), y)


def test_what_a_device_array_held_is_there_after_a_fault():
    with emulate():
        device = cuda.to_device(np.zeros(4, np.float32))
        with pytest.raises(KernelError, match="the index 4 on an array of 4 elements"):
            double[1, 8](X, device)
        assert_array_equal(device.copy_to_host(), np.zeros(4))


def test_arguments_and_sizes_that_nothing_takes():
    with pytest.raises(DtypeError, match="double: an argument of type str is nothing that a kernel takes"):
        run(double, 1, 8, X, "y")
    with pytest.raises(ShapeError, match=r"this array of shape \(4,\) is a part of another one"):
        run(double, 1, 8, X[::2], X)
    with pytest.raises(
        OptionError, match=r"a GPU refuses to launch grid \(1, 1, 1\), block \(2048, 1, 1\) of 2048 threads"
    ):
        run(double, 1, 2048, X, X)
    with pytest.raises(OptionError, match="the grid must be 1 to 3 whole numbers above 0, not 0"):
        run(double, 0, 8, X, X)
    with pytest.raises(DtypeError, match="double does not compile"):
        run(double, 1, 8, 3, X)


@cuda.jit
def large(y):
    tile = cuda.shared.array(20_000, float32)
    tile[0] = 1
    y[0] = tile[0]


@cuda.jit
def dynamic(y):
    tile = cuda.shared.array(0, float32)
    tile[cuda.threadIdx.x] = 1  # dynamic
    y[cuda.threadIdx.x] = tile[cuda.threadIdx.x]


@pytest.mark.slow
def test_the_limit_of_shared_memory():
    with pytest.raises(BackendError, match=r"large: a block uses 80,000 bytes of shared memory .* and may use 49,152"):
        run(large, 1, 1, X)
    run(dynamic, 1, 8, X.copy(), shared=49_152)
    with pytest.raises(BackendError, match=r"and 49,156 of dynamic shared memory"):
        run(dynamic, 1, 8, X.copy(), shared=49_156)
    finding = fault(dynamic, X.copy(), shared=16)
    assert (finding.kind, finding.line, finding.thread) == ("out of bounds", line_of("dynamic"), (4, 0, 0))
    assert "dynamic shared memory gets its size at the launch" in fault(dynamic, X.copy()).message


@cuda.jit
def before(x, y):
    i = cuda.grid(1)
    y[i] = x[i - 1] + x[-1]  # before


@cuda.jit
def next_row(x, y):
    i, j = cuda.grid(2)
    if i < 2:
        y[i, j] = x[i, j + 1]  # next row


@pytest.mark.slow
def test_indices_that_land_elsewhere():
    finding = warning(before, X, np.zeros_like(X))
    assert (finding.kind, finding.line, finding.thread, finding.count) == (
        "negative index",
        line_of("before"),
        (0, 0, 0),
        1,
    )
    assert (
        finding.message == "the index -1 on an array of 8 elements counts from the end, as in Python: it is element 7"
    )
    finding = warning(next_row, np.zeros((3, 4)), np.zeros((2, 4)), block=(2, 4))
    assert (finding.kind, finding.line, finding.thread, finding.count) == (
        "row overrun",
        line_of("next row"),
        (0, 3, 0),
        2,
    )
    assert finding.message == "the index 4 is outside of axis 1, which has 4 elements: in memory this is in another row"


@cuda.jit
def local(y, n, k):
    mine = cuda.local.array(4, types.int32)
    for i in range(n):
        mine[i] = i  # local write
    y[cuda.grid(1)] = mine[k]  # local read


@pytest.mark.slow
def test_local_arrays():
    y = np.zeros(8, np.int32)
    run(local, 1, 8, y, 4, 3)
    assert_array_equal(y, np.full(8, 3))
    finding = fault(local, y, 5, 0)
    assert (finding.kind, finding.line) == ("out of bounds", line_of("local write"))
    assert finding.message == "the index 4 on an array of 4 elements"
    finding = fault(local, y, 2, 2)
    assert (finding.kind, finding.line) == ("uninitialised", line_of("local read"))


@cuda.jit
def neighbours(y, far):
    one = cuda.shared.array(8, float32)
    two = cuda.shared.array(8, float32)
    t = cuda.threadIdx.x
    two[t] = t
    one[t + far] = t  # one
    cuda.syncthreads()
    y[t] = one[t] + two[t]


@pytest.mark.slow
def test_a_shared_array_overrun_is_told_from_a_race():
    run(neighbours, 1, 8, X.copy(), 0)
    with emulate(checks=False), pytest.raises(KernelError) as caught:
        neighbours[1, 8](X.copy(), 1)
    finding = caught.value.finding
    assert (finding.kind, finding.line, finding.thread) == ("out of bounds", line_of("one"), (7, 0, 0))
    assert re.fullmatch(
        r"shared memory, 4 bytes at byte 32 of the array of 32 bytes, number [12] of 2", finding.message
    )
    assert fault(neighbours, X.copy(), 1).message == "the index 8 on an array of 8 elements"


@cuda.jit
def parts(x, y):
    i = cuda.grid(1)
    y[i] = i // x[i]  # divided


@cuda.jit
def small(x):
    i = cuda.grid(1)
    print("thread", i, x[i], x[i] > 1)
    if x[i] >= 2:
        raise ValueError("too large")  # raised


def test_division_asserts_and_print(capsys):
    finding = fault(parts, np.array([1, 2, 0, 4, 0]), np.zeros(5, np.int64), block=5)
    assert (finding.kind, finding.line, finding.thread, finding.count) == (
        "division by zero",
        line_of("divided"),
        (2, 0, 0),
        2,
    )
    finding = fault(small, X, block=3)
    assert (finding.kind, finding.line, finding.thread) == ("exception", line_of("raised"), (2, 0, 0))
    assert finding.message.startswith("ValueError: too large; on a GPU the thread ends here without a word")
    said = sorted(capsys.readouterr().out.splitlines())  # threads print in any order
    assert said == ["thread 0 0.000000 False", "thread 1 1.000000 False", "thread 2 2.000000 True"]


@cuda.jit
def waiting(flag):
    while flag[0] == 0:  # spins
        pass
    flag[0] = 2


@cuda.jit
def locked(lock, total):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    cuda.atomic.add(total, 0, 1)
    cuda.atomic.exch(lock, 0, 0)


@pytest.mark.slow
def test_a_loop_without_an_end_is_named_and_one_that_waits_is_not():
    finding = fault(waiting, np.zeros(1), block=32, rounds=300)
    assert (finding.kind, finding.line, finding.count) == ("endless loop", line_of("spins"), 32)
    assert "after 300 rounds threads still go round the loop of line" in finding.message
    total = np.zeros(1, np.int64)
    run(locked, 2, 4, np.zeros(1, np.int32), total, rounds=5000)
    assert total[0] == 8


@cuda.jit
def some(y):
    i = cuda.grid(1)
    if i < 3:
        y[i] = 1


@cuda.jit
def flag(x, found, same):
    i = cuda.grid(1)
    if x[i] > 2:
        found[0] = 1 if same else i  # flag


@pytest.mark.slow
def test_outputs_that_are_not_written_and_races_that_do_not_matter():
    finding = warning(some, X.copy())
    assert (finding.kind, finding.count) == ("never written", 5)
    assert finding.message.startswith("5 of the 8 elements of y were not written, the first is y[3]; ")
    with emulate():
        made = cuda.device_array(8)
        some[1, 8](made)
        with pytest.raises(BackendError, match=r"5 of the 8 elements of this array were never written, first at \[3\]"):
            made.copy_to_host()
    finding = warning(flag, X, np.zeros(1), True)
    assert (finding.kind, finding.line) == ("benign race", line_of("flag"))
    assert "all of them write the same value" in finding.message
    assert fault(flag, X, np.zeros(1), False).kind == "race"


@cuda.jit
def whole_grid(x):
    cuda.cg.this_grid().sync()
    x[0] = 1


@cuda.jit
def sines(x, y):
    i = cuda.grid(1)
    y[i] = math.sin(x[i])


@pytest.mark.slow
def test_what_is_not_supported_is_said_in_words():
    with pytest.raises(BackendError, match=r"in line \d+ of .*test_plain\.py the kernel synchronises the whole grid"):
        run(whole_grid, 1, 8, X.copy())


@pytest.mark.slow
def test_sines_of_large_numbers():
    x = np.array([0.5, 1e6, 1e22, -3, 1e30])
    y = np.zeros(5)
    run(sines, 1, 5, x, y)
    np.testing.assert_allclose(y, np.sin(x), rtol=1e-15)


@needs_tools
@pytest.mark.slow
def test_what_a_plain_kernel_becomes():
    found = machine_code(double, X, X.copy(), capability=(9, 0))
    assert 8 <= found.registers <= 32
    assert (found.stack, found.spills, found.shared) == (0, 0, 0)
    assert [name for name in found.instructions if name.startswith("LDG")] == ["LDG.E"]
    shared = machine_code(neighbours, X, 0)
    assert shared.shared == 64


@pytest.mark.slow
def test_arrays_that_live_until_the_end_go_quietly():
    code = "import numpy as np\nfrom minidil.emulator.arrays import to_device\nimport builtins\n"
    code += "builtins.kept = [to_device(np.ones(4)) for _ in range(3)]\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_is_used_again():
    held = arrays.device_array(1000)
    address = held.address
    del held
    assert arrays.device_array(1000).address == address


SCRIPT = """
import sys
import numpy as np
from numba import cuda

@cuda.jit
def copy(x, y):
    i = cuda.grid(1)
    y[i] = x[i + {shift}]

y = np.zeros(8)
copy[1, 8](np.arange(8.0), y)
copy[1, 8](np.arange(8.0), y)
print("last", y[6], sys.argv[1:])
"""


def test_the_command_runs_a_script_and_explains_it(tmp_path, capsys):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(shift=0))
    assert main([str(file), "word"]) == 0
    said = capsys.readouterr().out
    assert "last 6.0 ['word']" in said
    assert "2 launches, nothing found." in said
    file.write_text(SCRIPT.format(shift=1))
    assert main([str(file)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "last 7.0 []" in said  # it went on
    assert "2 launches, 1 finding: 1. out of bounds in kernel copy" in said
    assert "the index 8 on an array of 8 elements script.py:9: y[i] = x[i + 1]" in said
    assert "Guard the access" in said
    assert main(["--stop", str(file)]) == 1
    assert "1 launch, 1 finding" in capsys.readouterr().out
    assert main([str(tmp_path / "nothing.py")]) == 2


@pytest.mark.slow
def test_the_command_names_an_assert_that_fails(tmp_path, capsys):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(shift=0).replace("    y[i]", "    assert i < 5, 'too far'\n    y[i]"))
    assert main([str(file)]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "thread (5, 0, 0): AssertionError: too far" in said
    assert "script.py:9: assert i < 5, 'too far'" in said


@pytest.mark.slow
def test_the_command_without_a_script_shows_its_example(capsys):
    assert main([]) == 1
    said = capsys.readouterr().out
    assert "python -m minidil.emulator file.py" in said
    assert [kind in said for kind in ("race in", "negative index in", "never written in")] == [True] * 3
    assert "2 launches, 3 findings" in said
