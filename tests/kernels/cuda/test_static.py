"""No kernel crawls on a real GPU for a reason that its machine code gives away, on any architecture."""

import dataclasses
from pathlib import Path

import pytest
from cuda_tools import needs_tools

from minidil.doctor import static
from minidil.emulator import sass
from minidil.emulator.sass import ARCHITECTURES
from minidil.kernels.cuda import kernel

FOLDER = Path(__file__).parents[3] / "docs" / "cuda"


def row(**changes):
    row = static.Row(
        kernel="gemm",
        file="gemm.py",
        signature="float32[::1]",
        architecture="sm_80",
        threads=128,
        registers=128,
        stack=0,
        spills=0,
        shared=48 << 10,
        occupancy=0.5,
        instructions=400,
        float64=0,
        loop=100,
        share=0.75,
        shared_loads={"128": 12},
        fast=True,
    )
    return dataclasses.replace(row, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"float64": 2}, "gemm on sm_80: 2 float64 instructions"),
        ({"stack": 320}, "320 bytes of stack and 0 of spills"),
        ({"spills": 8}, "0 bytes of stack and 8 of spills"),
        ({"registers": 129}, "129 registers, more than 128"),
        ({"shared": (48 << 10) + 4}, "49156 bytes of shared memory"),
        ({"share": 0.74}, "only 74% of the hot loop"),
        ({"shared_loads": {"128": 11, "32": 4}}, "all should be of 128"),
        ({"shared_loads": {}}, "all should be of 128"),
    ],
)
def test_each_limit_is_noticed_at_its_edge(changes, words):
    assert static.broken(row()) == []
    (fault,) = static.broken(row(**changes))
    assert words in fault


def test_only_fast_kernels_owe_a_fast_loop():
    assert static.broken(row(share=0.1, shared_loads={"32": 3}, fast=False)) == []


def test_rows_survive_a_file_and_make_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(static, "tools", lambda: {"ptxas": "13.5"})
    rows = [row(architecture=name) for name in ("sm_80", "sm_90")]
    tuples = "float32[::1],boolean[::1],UniTuple(int32,5),uint32,int32,float32"
    rows += [row(kernel="add", signature=tuples, architecture=name, loop=0) for name in ("sm_80", "sm_90")]
    rows += [row(kernel="add", signature="int32[::1]", loop=0, architecture=name) for name in ("sm_80", "sm_90")]
    static.write(tmp_path, rows)
    assert static.read(tmp_path) == ({"ptxas": "13.5"}, rows)
    page = (tmp_path / "static.md").read_text()
    assert "The 3 kernels" in page
    assert "| `gemm` | 128 | 49152 | 128, 50% | 128, 50% |" in page
    assert "| `add(i)` |" in page
    assert "| `add(fb5unr)` |" in page
    assert page.count("75% of 100, 12x128") == 2


@needs_tools
@pytest.mark.slow
@pytest.mark.parametrize("capability", [min(ARCHITECTURES), max(ARCHITECTURES)])
def test_what_a_careless_kernel_becomes(capability):
    from minidil.doctor.launches import Launch
    from minidil.kernels.cuda.seam import cuda, float32, int32

    @kernel
    def careless(x, y, n):
        sums = cuda.local.array(64, float32)
        for i in range(n):
            sums[i] = x[i] * 0.1  # a float64, and an index that only the run knows
        y[int32(cuda.threadIdx.x)] = sums[n - 1]

    (found,) = static.measure([Launch(careless, "float32[::1],float32[::1],int32", 64)], [capability])
    assert found.float64 > 0
    assert found.stack >= 256
    assert len(static.broken(found)) == 2


@needs_tools
@pytest.mark.slow
def test_one_front_end_for_all_gives_what_each_for_itself_gives():
    from minidil.emulator.compiler import ptx_for_all, ptx_of
    from minidil.emulator.sass import assemble
    from minidil.kernels.cuda.seam import cuda, float32

    def scaled(x, y):
        i = cuda.grid(1)
        if i < y.size:
            y[i] = x[i] * float32(0.1)

    signature = "float32[::1],float32[::1]"
    together = ptx_for_all(scaled, signature, [(7, 5), (12, 0)])
    for capability, ptx in together.items():
        assert assemble([ptx], capability) == assemble([ptx_of(scaled, signature, capability)], capability)


@needs_tools
@pytest.mark.slow
def test_kernels_that_are_assembled_together_keep_their_own_figures():
    from minidil.emulator.compiler import ptx_for_all
    from minidil.emulator.sass import assemble
    from minidil.kernels.cuda.seam import cuda, float32

    def small(x):
        x[0] = float32(1)

    def large(x):
        tile = cuda.shared.array(256, float32)
        tile[cuda.threadIdx.x] = x[cuda.threadIdx.x]
        cuda.syncthreads()
        for i in range(256):
            x[i] += tile[i] * tile[255 - i]

    modules = [ptx_for_all(one, "float32[::1]", [(8, 0)])[8, 0] for one in (small, large)]
    together = assemble(modules, (8, 0))
    assert together == [assemble([module], (8, 0))[0] for module in modules]
    assert together[0].shared == 0
    assert together[1].shared == 1024
    assert len(together[0].instructions) < len(together[1].instructions)
    assert together[1].hot_loop()


@pytest.mark.slow
def test_the_doctor_and_the_table_know_every_kernel():
    import gc

    from minidil.doctor.launches import every_launch
    from minidil.kernels.cuda import Kernel

    launched = {(one.kernel.name, one.signature) for one in every_launch()}
    declared = {
        (one.name, signature)
        for one in gc.get_objects()
        if issubclass(type(one), Kernel) and one.function.__module__.startswith("minidil.kernels.cuda.")
        for signature in one.signatures
    }
    assert declared <= launched
    _, rows = static.read(FOLDER)
    assert {(one.kernel, one.signature) for one in rows} == launched


def test_the_committed_table_breaks_no_limit():
    _, rows = static.read(FOLDER)
    assert {one.architecture for one in rows} == {"sm_{}{}".format(*capability) for capability in ARCHITECTURES}
    assert [fault for one in rows for fault in static.broken(one)] == []


@needs_tools
@pytest.mark.long
def test_the_table_is_what_the_kernels_of_today_become():
    tools, committed = static.read(FOLDER)
    rows = static.measure_all()
    assert [fault for one in rows for fault in static.broken(one)] == []
    if tools == static.tools():  # another compiler may use a register more or less
        assert rows == committed


@pytest.mark.parametrize(
    ("share", "capability", "ceiling"),
    [(0.25, (8, 6), 0.25), (0.25, (8, 0), 0.5), (0.25, (7, 5), 0.5), (0.75, (8, 0), 1.0), (0.75, (9, 0), 0.75)],
)
def test_half_of_the_issues_suffice_where_a_multiply_add_takes_two_cycles(share, capability, ceiling):
    assert sass.issue_ceiling(share, capability) == ceiling
