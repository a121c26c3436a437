"""The benchmarks measure what they say. Nothing here judges a speed."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil import bench
from minidil.bench import CASES, ConvCase, Machine, bench_conv, bench_step, interleave, peak_memory, report
from minidil.bench.contestants import convolution, training_step
from minidil.cli import main
from minidil.errors import BackendError, OptionError

TINY = ConvCase(2, 4, (6, 5), 6, dilation=2, groups=2)
MACHINE = Machine("processor", 2, 2, "system", {"numpy": "2"}, "blas", peak=100.0, bandwidth=10.0)


# --- timing


def test_contestants_take_turns_after_one_call_that_is_not_counted() -> None:
    calls: list[str] = []
    timings = interleave({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, pause=0)
    assert calls == ["a", "b"] * 4
    assert set(timings) == {"a", "b"}
    assert all(0 <= timing.best <= timing.wall and timing.cpu >= 0 for timing in timings.values())


def test_a_slow_contestant_takes_longer_than_a_quick_one() -> None:
    timings = interleave({"quick": lambda: None, "slow": lambda: sum(range(300_000))}, rounds=3, pause=0)
    assert timings["slow"].wall > timings["quick"].wall


def test_no_rounds_are_refused() -> None:
    with pytest.raises(OptionError, match="at least 1, not 0"):
        interleave({}, rounds=0)


# --- cases


@given(
    st.integers(1, 64),
    st.integers(1, 9),
    st.lists(st.integers(9, 40), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_a_name_says_everything(batch: int, groups: int, size: list[int], per: int, dilation: int, stride: int) -> None:
    case = ConvCase(batch, groups * per, tuple(size), 2 * groups, 3, dilation, stride, groups)
    assert ConvCase.parse(case.name) == case


def test_operations_and_bytes_by_hand() -> None:
    # 2 images, 6 filters, 6x5 outputs; each output takes 4/2 channels and 3x3 taps.
    assert TINY.window.out == (6, 5)
    assert TINY.flops == 2 * (2 * 6 * 30) * (2 * 9)
    assert TINY.bytes == 4 * (2 * 4 * 30 + 6 * 2 * 9 + 2 * 6 * 30)
    assert ConvCase(1, 4, (8,), 4, dilation=3).flops == ConvCase(1, 4, (8,), 4, dilation=1).flops


@pytest.mark.parametrize("text", ["", "64", "64x3", "1x2x3x4x5x6", "2x3x4 q5", "2x3x4 k", "axb"])
def test_what_is_no_case_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="is no case; write"):
        ConvCase.parse(text)


def test_the_sets_of_cases_are_what_they_are_called() -> None:
    assert {case.kernel for case in CASES["3x3"]} == {3}
    assert {case.dilation for case in CASES["3x3"]} == {1, 2, 4}
    assert all(case.window.out for cases in CASES.values() for case in cases)


# --- contestants and results


@pytest.mark.parametrize("case", [TINY, ConvCase(2, 3, (9,), 4), ConvCase(1, 2, (4, 4, 4), 2, stride=2)])
def test_contestants_compute_the_same_convolution(case: ConvCase) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((case.batch, case.channels, *case.size), dtype=np.float32)
    weight = rng.standard_normal((case.filters, case.channels // case.groups, *case.window.kernel), dtype=np.float32)
    grad = rng.standard_normal((case.batch, case.filters, *case.window.out), dtype=np.float32)
    names = [name for name in bench.installed() if name != "mygrad"]
    works = [convolution(name, case, x, weight, grad) for name in names]
    first, *others = [work.both() for work in works if work is not None]
    assert len(others) + 1 == len(names) >= 2
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    assert all(work is not None and work.forward() is not None for work in works)


@pytest.mark.slow
def test_training_steps_of_the_backends_learn_alike() -> None:
    steps = [training_step(name, 2, ((1,), (2,), (1,))) for name in ("numpy", "numba")]
    losses = [[step() for _ in range(2)] for step in steps]
    assert losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert losses[0][0] != losses[0][-1]


def test_rows_of_convolutions() -> None:
    rows = bench_conv(TINY, ["numba", "numpy"], rounds=1)
    assert [(row["part"], row["library"]) for row in rows] == [
        ("forward", "numba"),
        ("forward", "numpy"),
        ("forward + backward", "numba"),
        ("forward + backward", "numpy"),
    ]
    for row in rows:
        factor = 1 if row["part"] == "forward" else 3
        assert row["gflops"] == pytest.approx(factor * TINY.flops / row["seconds"] / 1e9)
        assert row["error"] < 1e-5
        assert row["case"] == TINY.name


def test_ratios_are_to_the_better_order_of_pytorch() -> None:
    from minidil.bench.runs import _rows

    times = {"numba": 2.0, "torch": 4.0, "torch channels-last": 1.0}
    rows = _rows({name: bench.Timing(seconds, seconds, seconds) for name, seconds in times.items()})
    assert [row["ratio"] for row in rows] == [2, 4, 1]
    assert _rows({"numba": bench.Timing(1, 1, 1)})[0]["ratio"] is None


@pytest.mark.slow
def test_rows_of_a_training_step() -> None:
    (row,) = bench_step(["numba", "mygrad"], batch=2, rounds=1)
    assert row["library"] == "numba"
    assert row["seconds"] > 0


@pytest.mark.slow
def test_peak_memory_of_a_process() -> None:
    row = peak_memory("numpy", batch=2)
    assert 20 < row["before"] < row["peak"] < 4000


def test_a_process_that_fails_is_reported_in_one_line() -> None:
    with pytest.raises(BackendError, match=r"process for no-such failed: .*no-such"):
        peak_memory("no-such", batch=2)


# --- machine and report


@pytest.mark.slow
def test_the_machine_is_described() -> None:
    machine = bench.describe()
    assert machine.peak > 0
    assert machine.bandwidth > 0
    assert machine.versions["numpy"] == np.__version__
    assert machine.processor
    line = report.conditions(machine, 9)
    assert f"{machine.threads} threads" in line
    assert "medians of 9" in line


def test_json_holds_rows_and_conditions(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    report.write_json(path, [{"case": "c", "seconds": 1.0}], MACHINE, 5)
    content = json.loads(path.read_text())
    assert content["rounds"] == 5
    assert content["machine"]["peak"] == 100
    assert content["rows"] == [{"case": "c", "seconds": 1.0}]


def test_the_roofline_is_drawn(tmp_path: Path) -> None:
    rows = [
        {"case": case.name, "part": "forward", "library": library, "gflops": 3.0}
        for case in (TINY, CASES["3x3"][0])
        for library in ("numba", "numpy")
    ]
    report.roofline(tmp_path / "roof.png", rows, MACHINE)
    assert (tmp_path / "roof.png").read_bytes().startswith(b"\x89PNG")
    assert math.isclose(report._intensity(TINY.name), TINY.flops / TINY.bytes)


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--json", str(tmp_path / "b.json"), "--plot", str(tmp_path / "b.png")]
    shape = ["--shape", TINY.name, "--libraries", "numpy", "numba", "--rounds", "1"]
    assert main(["bench", "conv", *shape, *files]) == 0
    out = capsys.readouterr().out
    assert "medians of 1 interleaved rounds" in out
    assert out.count(TINY.name) == 4
    assert "of peak" in out
    assert {path.name for path in tmp_path.iterdir()} == {"b.json", "b.png"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bench", "conv", "--shape", "nonsense"], "is no case"),
        (["bench", "step", "--plot", "x.png"], "draws convolutions only"),
        (["bench", "conv", "--rounds", "0", "--shape", "1x1x3", "--libraries", "numpy"], "at least 1"),
        (["bench", "conv", "--libraries", "jax"], "invalid choice"),
    ],
)
def test_bad_options_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code  # type: ignore[assignment]
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
