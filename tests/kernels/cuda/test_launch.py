"""Kernels in Python, compiled to PTX and launched in the emulator: arguments, sizes, faults with their source, and counts."""

import linecache
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil.emulator import compiler
from minidil.errors import DtypeError, OptionError
from minidil.kernels.cuda import DeviceArray, KernelError, emulate, kernel, to_device
from minidil.kernels.cuda.launch import launch
from minidil.kernels.cuda.target import problem

if problem("emulator") is None:  # else the tests are skipped, but the kernels below must be readable
    from minidil.kernels.cuda.seam import cuda, float32


def line_of(text):
    """The number of the line of this file that ends in a comment."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.endswith(f"# {text}"))


@kernel
def scale(x, y, factor, n):
    i = cuda.grid(1)
    if i < n:
        y[i] = factor * x[i]  # scale


@kernel
def strided(x, y, step):
    i = cuda.threadIdx.x
    y[i] = x[i * step]  # strided


@kernel
def reverse(x, y):
    tile = cuda.shared.array(64, float32)
    i = cuda.threadIdx.x
    tile[i] = x[i]  # written
    y[i] = tile[63 - i]  # read


@kernel
def through_banks(y, step):
    tile = cuda.shared.array(1024, float32)
    i = cuda.threadIdx.x
    tile[i * step] = float32(i)  # banks
    cuda.syncthreads()
    y[i] = tile[i * step]


@kernel("float32[:,::1], int32[::1], boolean[::1], UniTuple(int32, 2), float32")
def everything(x, index, mask, sizes, value):
    i = cuda.grid(1)
    if i < sizes[0] and mask[i]:
        x[i, index[i]] = value + float32(sizes[1])


def test_arrays_go_there_and_come_back():
    x, y = np.arange(100, dtype=np.float32), np.full(100, -1, np.float32)
    scale[4, 32](x, y, 3.0, 70)
    assert_array_equal(y, np.where(np.arange(100) < 70, 3 * x, -1))
    assert_array_equal(x, np.arange(100))


def test_device_arrays_stay_where_they_are():
    x, y = to_device(np.ones(5, np.float32)), to_device(np.zeros(5, np.float32))
    launch(scale, 1, 32, x, y, np.float32(2.5), 5)
    assert_array_equal(np.asarray(y), np.full(5, 2.5))
    assert isinstance(y, DeviceArray)


def test_what_must_not_be_written_is_not_copied_back():
    x, y = np.ones(4, np.float32), np.zeros(4, np.float32)
    y.flags.writeable = False
    scale[1, 4](x, y, 1.0, 4)
    assert not y.any()


def test_every_kind_of_argument():
    x = np.zeros((4, 3), np.float32)
    everything[1, 8](x, np.array([0, 1, 2, 0], np.int32), np.array([True, False, True, True]), (4, 10), 0.5)
    expected = np.zeros((4, 3))
    expected[[0, 2, 3], [0, 2, 0]] = 10.5
    assert_array_equal(x, expected)


def test_only_declared_signatures_are_launched():
    x, index = np.zeros((4, 3), np.float32), np.zeros(4, np.int32)
    with pytest.raises(
        DtypeError,
        match=r"everything\(float32\[:,::1\],int32\[::1\],int32\[::1\].* is not among its sign",
    ):
        everything[1, 8](x, index, index, (4, 10), 0.5)


def test_an_empty_grid_runs_nothing():
    y = np.zeros(3, np.float32)
    scale[0, 32](y, y.copy(), 1.0, 0)
    assert not y.any()


@pytest.mark.parametrize(
    ("grid", "block", "said"),
    [
        (1, 0, "a block has 1 to 1024 threads"),
        (1, 1025, "block \\(1025, 1, 1\\) of 1025 threads"),
        (1, (1, 1, 65), "at most 64 along z"),
        ((1, 70_000), 1, "at most 65535 blocks along y and z"),
        (-1, 1, "grid must be 1 to 3 ints >= 0, not -1"),
        ((1, 1, 1, 1), 1, "grid must be 1 to 3 ints"),
        (1, 1.5, "block must be 1 to 3 ints >= 0, not 1.5"),
    ],
)  # fmt: skip
def test_sizes_that_no_gpu_takes(grid, block, said):
    y = np.zeros(3, np.float32)
    with pytest.raises(OptionError, match=said):
        scale[grid, block](y, y, 1.0, 3)


def test_arguments_that_no_kernel_takes():
    y = np.zeros(3, np.float32)
    with pytest.raises(DtypeError, match="arguments are arrays, ints, floats and tuples of ints, not str"):
        scale[1, 1](y, y, "1", 3)
    with pytest.raises(DtypeError, match="the argument 2147483648 does not fit into int32"):
        scale[1, 1](y, y, 1.0, 2**31)
    with pytest.raises(DtypeError, match="float32, int32 or bool, not float64"):
        scale[1, 1](y.astype(np.float64), y, 1.0, 3)


def test_a_kernel_is_not_called_without_sizes():
    with pytest.raises(OptionError, match=r"say how many blocks and threads, as in scale\[grid, block\]"):
        scale(1, 2)
    with pytest.raises(OptionError, match=r"launch it as scale\[grid, block\]"):
        scale[3]
    assert repr(scale) == "Kernel(scale)"
    assert scale.__name__ == scale.name == "scale"


# --- faults


def test_a_fault_names_the_source():
    x, y = np.ones(70, np.float32), np.zeros(64, np.float32)
    with pytest.raises(KernelError) as caught:
        scale[1, 70](x, y, 1.0, 70)
    finding = caught.value.finding
    assert (finding.kernel, Path(finding.file).name, finding.line) == ("scale", Path(__file__).name, line_of("scale"))
    assert finding.source == "y[i] = factor * x[i]  # scale"
    assert (finding.block, finding.thread, finding.count) == ((0, 0, 0), (64, 0, 0), 6)
    assert f"{Path(__file__).name}:{line_of('scale')}: y[i] = factor * x[i]" in str(caught.value)


def test_a_race_names_both_lines():
    x = np.ones(64, np.float32)
    with pytest.raises(
        KernelError, match=rf"race .* reads in line {line_of('read')}, and no barrier lies between"
    ) as caught:
        reverse[1, 64](x, np.zeros_like(x))
    assert caught.value.finding.line == line_of("written")


def test_all_faults_can_be_collected():
    x = np.ones(64, np.float32)
    with emulate(keep_going=True) as report:
        reverse[1, 64](x, np.zeros_like(x))
        scale[1, 70](np.ones(70, np.float32), np.zeros(64, np.float32), 1.0, 70)
    assert [(f.kind, f.kernel) for f in report.findings] == [("race", "reverse"), ("out of bounds", "scale")]
    assert str(report.findings[1]) in str(report)
    with pytest.raises(KernelError), emulate() as report:
        reverse[1, 64](x, np.zeros_like(x))
    assert len(report.findings) == 1


# --- counts


@pytest.mark.parametrize(("step", "sectors"), [(1, 4), (2, 8), (8, 32), (32, 32)])
def test_sectors_grow_with_the_distance_between_neighbours(step, sectors):
    x, y = np.ones(32 * step, np.float32), np.zeros(32, np.float32)
    with emulate() as report:
        strided[1, 32](x, y, step)
    (counted,) = report.launches
    line = counted.lines()[line_of("strided")]
    assert line["sectors"] == sectors + 4  # the store is coalesced always
    assert line["requested"] == 2 * 32 * 4
    assert counted.bytes_moved == 32 * (sectors + 4)
    assert counted.coalescing == 256 / counted.bytes_moved


@pytest.mark.parametrize(("step", "ways"), [(1, 1), (2, 2), (4, 4), (32, 32), (31, 1)])
def test_bank_conflicts_grow_with_what_the_stride_shares_with_32(step, ways):
    with emulate() as report:
        through_banks[1, 32](np.zeros(32, np.float32), step)
    (counted,) = report.launches
    assert counted.bank_conflicts == 2 * (ways - 1)  # one store and one load
    assert counted.lines()[line_of("banks")]["conflicts"] == ways - 1


def test_instructions_are_counted_by_threads_and_warps():
    x, y = np.ones(100, np.float32), np.zeros(100, np.float32)
    with emulate() as report:
        scale[2, 64](x, y, 2.0, 100)
        scale[2, 64](x, y, 2.0, 100)
    first, second = report.launches
    assert first.instructions() == second.instructions()
    assert first.instructions()["mul.f32"] == 100
    assert first.flops == 100
    assert first.instructions()["st.global.f32"] == 100
    stores = [i for i, ins in enumerate(first.program.instructions) if ins.op[0] == "st"]
    assert first.issued[stores].sum() == 4  # warps, of which the last has four threads at work
    assert 0.8 < first.lane_use < 1
    assert "scale[(2, 1, 1), (64, 1, 1)]" in str(report)
    assert "no faults found" in str(report)
    assert f"{line_of('scale'):5}  " in str(report)


def test_outside_of_emulate_nothing_is_counted_and_faults_stop():
    with emulate() as report:
        pass
    scale[1, 4](np.ones(4, np.float32), np.zeros(4, np.float32), 1.0, 4)
    assert report.launches == []


def test_the_names_under_md():
    assert md.kernels.cuda.emulate is emulate
    assert md.kernels.cuda.kernel is kernel


# --- compiling


@pytest.mark.parametrize("capability", [(7, 5), (9, 0), (12, 0)])
def test_kernels_run_as_compiled_for_any_gpu(capability):
    x, y = np.linspace(-2, 2, 64, dtype=np.float32), np.zeros(64, np.float32)
    with emulate(capability=capability) as report:
        curved[1, 64](x, y)
    assert_allclose(y, np.exp(x) * np.float32(0.5) + np.tanh(x), rtol=1e-5)
    assert f"sm_{capability[0]}{capability[1]}" in compiler.ptx_of(
        curved.function, "float32[::1],float32[::1]", capability
    )
    assert not [name for name in report.launches[0].instructions() if "f64" in name]


if problem("emulator") is None:

    @cuda.jit(device=True)
    def half(value):
        return value * float32(0.5)

    @kernel
    def curved(x, y):
        i = cuda.grid(1)
        if i < x.size:
            y[i] = half(math.exp(x[i])) + math.tanh(x[i])


def function_of(source, **names):
    """A function from text, in a file of its own."""
    file = f"<kernel {len(linecache.cache)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"cuda": cuda, "float32": float32, **names}
    exec(compile(source, file, "exec"), namespace)
    return namespace["fill"]


FILL = "def fill(y):\n    i = cuda.grid(1)\n    if i < y.size:\n        y[i] = float32(VALUE)\n"


@pytest.mark.slow
def test_what_is_compiled_is_kept_on_disk(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIDIL_PTX_CACHE", str(tmp_path))
    fill = function_of(FILL, VALUE=3)
    first = compiler.ptx_of.__wrapped__(fill, "float32[::1]")
    (file,) = tmp_path.iterdir()
    assert file.read_text() == first
    monkeypatch.setattr(compiler, "_compile", lambda *_: pytest.fail("compiled again"))
    assert compiler.ptx_of.__wrapped__(fill, "float32[::1]") == first


def test_the_fingerprint_knows_all_that_the_code_depends_on():
    def fingerprint(function, signature="float32[::1]", capability=(8, 0)):
        return compiler._fingerprint(function, signature, capability)

    source = FILL.replace("VALUE", "value()")
    helper = function_of("def fill():\n    return 3\n")
    other = function_of("def fill():\n    return 4\n")
    kernels = [function_of(FILL, VALUE=3), function_of(FILL, VALUE=4), function_of(source, value=helper)]
    kernels += [function_of(source, value=other), function_of("\n" + FILL, VALUE=3)]
    prints = [fingerprint(function) for function in kernels]
    prints += [fingerprint(kernels[0], "int32[::1]"), fingerprint(kernels[0], capability=(9, 0))]
    assert len(set(prints)) == len(prints)
    assert fingerprint(kernels[0]) == prints[0]
