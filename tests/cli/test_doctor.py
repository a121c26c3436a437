"""`minidil doctor`: what it says of this machine, of machines that tests make up, and of a backend that computes wrongly."""

import ctypes
import dataclasses
import json
from functools import partial
from inspect import isfunction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from command_line import refused

import minidil as md
import minidil.functional as F
from minidil import doctor
from minidil.bench import ConvCase, Machine
from minidil.cli import main
from minidil.doctor import driver, system
from minidil.doctor.agreement import evaluate
from minidil.doctor.cases import Case
from minidil.doctor.driver import Driver, Gpu
from minidil.kernels.cuda.target import problem

MACHINE = Machine("processor", 2, 2, "Linux", {"numpy": "2.4", "numba": "0.68"}, "openblas", peak=100.0, bandwidth=10.0)
GPU = Gpu("Imaginary 1", (8, 6), 46, 8 << 30, 1725.0, 7001.0, 256)
NOTHING = {"gpu": "needs the package numba-cuda: install it", "emulator": "needs the package numba-cuda: install it"}
BARE = doctor.System(
    "0.1.0", MACHINE, "0.68; a convolution is right", Driver(None, (), "no driver"), {}, NOTHING, False
)


class FakeDriver:
    """libcuda with one GPU, as ctypes sees it: functions that write through pointers and return an error code."""

    def __init__(self, devices=1, failing=None, code=999):
        attributes = {13: 1_725_000, 16: 46, 36: 7_001_000, 37: 256, 75: 8, 76: 6}

        def set_to(pointer, value):
            pointer._obj.value = value

        def name(buffer, length, device):
            buffer.value = b"Imaginary 1"[: length - 1]

        calls = {
            "cuInit": lambda flags: None,
            "cuDriverGetVersion": lambda pointer: set_to(pointer, 13020),
            "cuDeviceGetCount": lambda pointer: set_to(pointer, devices),
            "cuDeviceGet": set_to,
            "cuDeviceGetName": name,
            "cuDeviceTotalMem_v2": lambda pointer, device: set_to(pointer, 8 << 30),
            "cuDeviceGetAttribute": lambda pointer, number, device: set_to(pointer, attributes[number]),
        }
        for symbol, call in calls.items():
            setattr(self, symbol, self.returning(symbol, call, code if symbol == failing else 0))

    @staticmethod
    def returning(symbol, call, code):
        def function(*arguments):
            if not code:
                call(*arguments)
            return code

        function.__name__ = symbol
        return function


# --- the driver


def test_a_gpu_is_described_by_its_driver(monkeypatch):
    monkeypatch.setattr(driver, "_load", FakeDriver)
    assert driver.ask_driver() == Driver("13.2", (GPU,))
    # 46 multiprocessors of 128 lanes, two operations each; 256 wires, two bits a cycle each
    assert GPU.peak == pytest.approx(46 * 128 * 2 * 1.725)
    assert GPU.bandwidth == pytest.approx(256 / 8 * 2 * 7.001)
    assert dataclasses.replace(GPU, capability=(8, 0)).peak == GPU.peak / 2


@pytest.mark.parametrize(
    ("failing", "code", "version", "words"),
    [
        ("cuDriverGetVersion", 3, None, "cuDriverGetVersion failed with CUDA error 3"),
        ("cuInit", 100, "13.2", "cuInit failed with CUDA error 100 (no GPU that it can use)"),
        ("cuDeviceGetAttribute", 999, "13.2", "cuDeviceGetAttribute failed"),
    ],
)
def test_a_driver_that_fails_is_an_answer(failing, code, version, words, monkeypatch):
    monkeypatch.setattr(driver, "_load", lambda: FakeDriver(failing=failing, code=code))
    answer = driver.ask_driver()
    assert (answer.version, answer.gpus) == (version, ())
    assert words in answer.trouble


def test_a_machine_without_a_driver(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert driver.ask_driver().version is None
    assert "is not on this machine" in driver.ask_driver().trouble


# --- what is said of a machine


def said(**changes):
    return doctor.verdicts(dataclasses.replace(BARE, **changes))


def test_what_works_without_cuda():
    assert said() == [
        'md.use("numpy") works.',
        'md.use("numba") works, and is the default.',
        'md.use("cuda") needs the package numba-cuda: install it.',
    ]


def test_with_the_packages_it_depends_on_the_gpu():
    no_gpu = {"gpu": "needs a GPU; MINIDIL_CUDA=emulator runs without", "emulator": None}
    assert "`minidil doctor --cuda` checks" in said(missing={"gpu": None, "emulator": None})[-1]
    assert said(missing=no_gpu)[-1] == 'md.use("cuda") needs a GPU; MINIDIL_CUDA=emulator runs without.'
    assert "runs its kernels in the emulator" in said(missing=no_gpu, emulating=True)[-1]


def test_broken_and_absent_numba_are_told_apart():
    assert "pip install numba" in said(machine=dataclasses.replace(MACHINE, versions={"numpy": "2.4"}))[1]
    assert "does not work" in said(numba="0.68; a convolution fails: ImportError: no llvmlite")[1]


def test_a_numba_that_raises_is_reported(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no compiler")

    assert system._numba().endswith("a convolution is right")
    monkeypatch.setattr(system, "conv", broken)
    assert system._numba().endswith("a convolution fails: RuntimeError: no compiler")


def test_a_gpu_has_a_line_of_its_own():
    lines = dict(doctor.facts(dataclasses.replace(BARE, driver=Driver("13.2", (GPU,)))))
    assert lines["CUDA driver"] == "for CUDA 13.2"
    assert "Imaginary 1; compute capability 8.6; 8.0 GiB; at most 20.3 TFLOP/s float32, 448 GB/s" in lines["GPU"]
    assert dict(doctor.facts(BARE))["GPU"] == "none"


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(system, "describe", lambda: MACHINE)  # measuring a busy machine takes long
    assert main(["doctor", "--json", str(tmp_path / "found.json")]) == 0
    out = capsys.readouterr().out
    for word in ("NumPy", "Numba", "BLAS openblas", "2 threads in use", "CUDA driver", "GPU", 'md.use("numpy") works.'):
        assert word in out
    found = json.loads((tmp_path / "found.json").read_text())["system"]
    assert found["machine"]["peak"] == 100
    assert found["driver"].keys() == {"version", "gpus", "trouble"}


# --- every op beside float64


def test_every_public_function_is_compared():
    public = {
        name
        for name, value in vars(F).items()
        if isfunction(value)
        and not name.startswith("_")
        and value.__module__.startswith(("minidil.ops.", "minidil.functional"))
    }
    answered_on_the_host = {"all", "any", "argmax", "argmin", "one_hot"}  # without a gradient to compare
    assert {case.name for case in doctor.cases()} == public - answered_on_the_host


@pytest.mark.slow
def test_the_backends_of_a_cpu_agree_with_float64():
    for backend in ("numpy", "numba"):
        rows = list(doctor.compare(backend, [*doctor.op_checks(), *doctor.training_checks()]))
        assert [row for row in rows if not row.passed] == []


def compared(function, *arrays):
    case = Case("case", function, arrays, {})
    check = doctor.Check("case", case.shapes, partial(evaluate, case), partial(evaluate, case, "numpy", np.float64))
    (row,) = doctor.compare("numpy", [check])
    return row


def test_a_wrong_value_fails():
    calls = []

    def wrong(x):
        calls.append(x.dtype)
        return x * (1.001 if x.dtype == np.float32 else 1)

    row = compared(wrong, np.ones(5, np.float32))
    assert not row.passed
    assert row.error == pytest.approx(1e-3, rel=1e-3)
    assert row.repeatable
    assert len(calls) == 3


def test_a_value_that_is_no_number_fails():
    row = compared(lambda x: x * (np.nan if x.dtype == np.float32 else 1), np.ones(5, np.float32))
    assert not row.passed


def test_other_bits_the_second_time_fail():
    factors = iter([1.0, 1.0 + 1e-7, 1.0])
    row = compared(lambda x: x * next(factors), np.ones(5, np.float32))
    assert row.error < 1e-6
    assert not row.repeatable
    assert not row.passed


def test_what_raises_is_a_row():
    def broken(x):
        raise RuntimeError("the driver\nhas gone")

    row = compared(broken, np.ones((5, 2), np.float32))
    assert row.trouble == "RuntimeError: the driver has gone"
    assert row.shapes == "5x2"
    assert not row.passed


# --- CUDA, in the emulator

emulated = pytest.mark.skipif(problem("emulator") is not None, reason=f"cuda {problem('emulator')}")


@pytest.fixture
def emulator(monkeypatch):
    """Let the backend "cuda" run in the emulator, and no benchmark of the host disturb."""
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    monkeypatch.setattr(system, "describe", lambda: MACHINE)


@pytest.mark.skipif(problem("gpu") is None, reason="there is a GPU")
def test_without_a_gpu_the_check_says_what_is_missing_and_json_is_written(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(system, "describe", lambda: MACHINE)
    monkeypatch.delenv("MINIDIL_CUDA", raising=False)
    line = refused(capsys, "doctor", "--cuda", "--json", str(tmp_path / "found.json"))
    assert line == f"minidil: backend 'cuda' {problem('gpu')}\n"
    assert json.loads((tmp_path / "found.json").read_text())["system"]["machine"]["peak"] == 100


@pytest.mark.slow
@emulated
def test_chosen_ops_are_run_in_the_emulator_which_is_said(emulator, tmp_path, capsys):
    assert main(["doctor", "--cuda", "--ops", "add", "sum", "--json", str(tmp_path / "found.json")]) == 0
    out = capsys.readouterr().out
    assert "Every op on the emulator" in out
    assert "What only a GPU\ncan tell is left out" in out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("add ", "sum "))] == ["ok"] * 3
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["target"] == "emulator"
    assert [row["passed"] for row in found["ops"]] == [True] * 3
    assert "gauges" not in found


@emulated
def test_an_op_that_computes_wrongly_fails_the_command(emulator, capsys, monkeypatch):
    from minidil.kernels.backend import active

    with md.use("cuda"):
        monkeypatch.setattr(active(), "add", active().subtract)
    line = refused(capsys, "doctor", "--cuda", "--ops", "add")
    assert line == "minidil: doctor: failed: add (7x1x31, 65x1)\n"


@emulated
def test_an_unknown_op_is_refused(emulator, capsys):
    line = refused(capsys, "doctor", "--cuda", "--ops", "addd")
    assert "nothing is called addd; names are those of minidil.functional; did you mean 'add'" in line


def test_ops_without_cuda_and_places_that_cannot_be_written_are_refused_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: pytest.fail("there is nothing to look at yet"))
    line = refused(capsys, "doctor", "--ops", "nosuch")
    assert line == "minidil: --ops nosuch: chooses among the checks of --cuda; give that, too\n"
    (tmp_path / "file").touch()
    assert f"{tmp_path / 'file'} is not a folder" in refused(
        capsys, "doctor", "--static", str(tmp_path / "file" / "table")
    )
    assert "there is no folder" in refused(capsys, "doctor", "--json", str(tmp_path / "none" / "found.json"))


@emulated
def test_a_full_memory_is_refused_in_words(emulator):
    from minidil.doctor.gauges import out_of_memory

    assert out_of_memory(1 << 40) == ""
    assert "were handed out" in out_of_memory(1 << 10)


@emulated
@pytest.mark.slow
def test_what_is_measured_on_a_gpu_runs(emulator, monkeypatch):
    """With another clock: events exist on a GPU only."""
    from minidil.doctor import gauges as measured

    def clock(work, *_):
        work()
        return 1e-3

    monkeypatch.setattr(measured, "seconds", clock)
    monkeypatch.setattr(measured, "_host_seconds", clock)
    case = ConvCase(2, 4, (6, 5), 6, dilation=2, groups=2)
    found = {gauge.name: gauge for gauge in measured.gauges(GPU, [33], [case], megabytes=1)}
    assert found["launch, no argument"].value == pytest.approx(1000)
    assert found["matmul 33"].value == pytest.approx(2 * 33**3 / 1e6)
    assert found["matmul 33"].share == pytest.approx(2 * 33**3 / 1e6 / GPU.peak)
    assert found["negative, in memory"].value == pytest.approx(2 * (1 << 20) / 1e6)
    for part in ("forward", "dL/dx", "dL/dw"):
        assert found[f"conv {case.name}, {part}"].value == pytest.approx(case.flops / 1e6)


@emulated
def test_event_times_are_medians_of_calls(monkeypatch):
    from minidil.doctor import gauges as measured
    from minidil.kernels.cuda import seam

    class Event:
        """A clock that every call of `work` sets forward by two milliseconds, and one call by a second."""

        def record(self):
            self.time = now[0]

        def synchronize(self):
            pass

    now, calls = [0.0], []

    def work():
        calls.append(1)
        now[0] += 1000 if len(calls) == 5 else 2

    fake = SimpleNamespace(event=Event, event_elapsed_time=lambda first, last: last.time - first.time)
    monkeypatch.setattr(seam, "cuda", fake)
    assert measured.seconds(work, rounds=5) == pytest.approx(2e-3)
    assert len(calls) == 1 + 1 + 5 * 2  # 5 ms take two or three calls of 2 ms
