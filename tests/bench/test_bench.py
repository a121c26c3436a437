"""The benchmarks measure what they say. Nothing here judges a speed."""

import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil import bench
from minidil.bench import (
    CASES,
    ConvCase,
    LayerCase,
    Machine,
    bench_conv,
    bench_layers,
    bench_step,
    bench_train,
    interleave,
    layer_cases,
    layers,
    peak_memory,
    report,
    results,
    training,
)
from minidil.bench.conv import convolution
from minidil.bench.results import Subject, measure, timed
from minidil.bench.training import training_step
from minidil.bench.updates import augmentation, update
from minidil.cli import main
from minidil.errors import BackendError, OptionError

TINY = ConvCase(2, 4, (6, 5), 6, dilation=2, groups=2)
MACHINE = Machine("processor", 2, 2, "system", {"numpy": "2"}, "blas", peak=100.0, bandwidth=10.0)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here judges a time, so nothing waits for the processor to become fast."""
    monkeypatch.setattr(results, "interleave", partial(interleave, pause=0, warm_up=0))


# --- timing


def test_contestants_take_turns_after_one_call_that_is_not_counted() -> None:
    calls: list[str] = []

    def taking(name: str) -> Callable[[], None]:
        def call() -> None:
            calls.append(name)
            sleep(0.002)

        return call

    timings = interleave({"a": taking("a"), "b": taking("b")}, 3, pause=0, warm_up=0)
    assert calls == ["a", "a", "b", "b"] * 3  # each time once to warm up
    assert set(timings) == {"a", "b"}
    assert all(0 <= timing.best <= timing.wall and timing.cpu >= 0 for timing in timings.values())


def test_a_short_call_is_repeated_until_the_processor_is_warm() -> None:
    calls: list[float] = []
    began = perf_counter()
    interleave({"a": lambda: calls.append(perf_counter())}, rounds=1, pause=0, warm_up=0.01)
    assert calls[-1] - began >= 0.01  # the last calls are those that count


def test_of_calls_that_are_shorter_than_a_millisecond_the_mean_of_many_counts() -> None:
    calls: list[float] = []
    timing = interleave({"a": lambda: calls.append(perf_counter())}, rounds=1, pause=0, warm_up=0.002)["a"]
    assert timing.wall < 5e-4
    assert calls[-1] - calls[0] >= 0.0025  # those that warm up, and those that count


@pytest.mark.slow
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


@pytest.mark.parametrize("case", layer_cases(8))
def test_a_layer_is_read_from_its_name(case: LayerCase) -> None:
    assert LayerCase.parse(case.name) == case
    assert case.shape[0] in (8, 256)


@pytest.mark.parametrize("text", ["", "gelu", "gelu 2x3x4", "gelu 2x3x4x0", "gelu 2x3xax4", "elu 2x3x4x5", "2x3x4x5"])
def test_what_is_no_layer_is_refused(text: str) -> None:
    with pytest.raises(
        OptionError, match=r"is no layer; write one of batch-norm NxCxHxW, .*linear NxIxO, .*augment NxCxHxW"
    ):
        LayerCase.parse(text)


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


def test_ratios_are_to_the_better_order_of_pytorch_and_to_mygrad() -> None:
    times = {"numba": 2.0, "torch": 4.0, "torch channels-last": 1.0, "mygrad": 8.0}
    rows = timed({name: bench.Timing(seconds, seconds, seconds) for name, seconds in times.items()})
    assert [row["ratio"] for row in rows] == [2, 4, 1, 8]
    assert [row["ratio_mygrad"] for row in rows] == [1 / 4, 1 / 2, 1 / 8, 1]
    (alone,) = timed({"numba": bench.Timing(1, 1, 1)})
    assert alone["ratio"] is None
    assert alone["ratio_mygrad"] is None


def test_amounts_are_shown_per_second() -> None:
    subject = Subject(
        "case", "part", {"numba": lambda: sum(range(1000))}, {"gbytes": 6.0, "images": 2}, {"numba": 1e-7}
    )
    (row,) = measure(subject, rounds=3)
    assert row["gbytes"] * row["seconds"] == pytest.approx(6)
    assert row["images"] * row["seconds"] == pytest.approx(2)
    assert (row["case"], row["part"], row["error"]) == ("case", "part", 1e-7)


def _small(case: LayerCase) -> LayerCase:
    sizes = {"N": 4, "C": 3, "F": 3, "H": 6, "W": 4, "K": 5, "I": 5, "O": 2, "V": 6}
    return LayerCase(case.kind, tuple(sizes[letter] for letter in bench.cases.LAYER_SHAPES[case.kind]))


@pytest.mark.parametrize("kind", bench.cases.LAYER_SHAPES)
def test_every_kind_of_layer_is_measured_right(kind: str) -> None:
    case = _small(LayerCase(kind, ()))
    subjects = layers.subjects(case, bench.installed(bench.COMPARED))
    assert all(error < 1e-5 for subject in subjects for error in subject.errors.values())
    assert {tuple(subject.calls) for subject in subjects} == {tuple(bench.installed(bench.COMPARED))}
    assert bool(subjects[0].errors) == (kind not in ("dropout", "augment"))


def test_all_operations_are_measured_the_worst_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def paced(calls: Mapping[str, object], rounds: int, warm_up: float) -> dict[str, bench.Timing]:
        assert (rounds, warm_up) == (3, 0.02)
        times = dict.fromkeys(calls, next(seconds)) | {"torch": 2.0, "torch channels-last": 4.0}
        return {name: bench.Timing(taken, taken, taken) for name, taken in times.items()}

    seconds = iter([3.0, 1.0, 6.0])
    monkeypatch.setattr(results, "interleave", paced)
    monkeypatch.setattr(bench, "describe", lambda: MACHINE)
    assert main(["bench", "ops", "--quick", "--shape", "2x3x8 f2 k3 d2", "adamw 2x3x3x3", "--json", "-"]) == 0
    out, table = capsys.readouterr()
    rows = [row for row in json.loads(out)["rows"] if row["library"] == "numba"]
    assert [(row["case"], row["part"], row["ratio"]) for row in rows] == [
        ("2x3x8 f2 k3 d2", "forward + backward", 0.5),
        ("2x3x8 f2 k3 d2", "forward", 1.5),
        ("adamw 2x3x3x3", "update", 3),
    ]
    assert table.count("2.000000") == 3  # PyTorch's better order, once in each row
    assert table.count("2x3x8 f2 k3 d2") == 2


def test_the_operations_have_names_and_shapes_of_their_own() -> None:
    names = [case.name for case in bench.OPERATIONS]
    assert len(set(names)) == len(names)
    assert {case.kind for case in bench.OPERATIONS if isinstance(case, LayerCase)} == {
        kind for kind in bench.cases.LAYER_SHAPES if kind != "augment"
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", layer_cases(2), ids=lambda case: case.kind)
def test_rows_of_layers(case: LayerCase) -> None:
    case = _small(case)
    rows = bench_layers(case, ["numba", "numpy"], rounds=1)
    parts = [row["part"] for row in rows if row["library"] == "numba"]
    if case.kind in ("sgd", "adam", "augment"):
        assert len(parts) == 1
    else:
        assert parts == ["forward", "forward + backward"]
    for row in rows:
        assert ("gflops" in row) == (case.kind == "linear")
        if case.kind in ("dropout", "augment"):
            assert row["error"] is None
        else:
            assert row["error"] < 1e-6


def test_what_layers_move_and_compute() -> None:
    forward, both = bench_layers(LayerCase("max-pool", (1, 2, 4, 6)), ["numpy"], rounds=1)
    assert forward["gbytes"] * forward["seconds"] == pytest.approx(4 * (48 + 12) / 1e9)
    assert both["gbytes"] * both["seconds"] == pytest.approx(2 * 4 * (48 + 12) / 1e9)
    forward, both = bench_layers(LayerCase("linear", (2, 3, 5)), ["numpy"], rounds=1)
    assert forward["gflops"] * forward["seconds"] == pytest.approx(2 * 2 * 3 * 5 / 1e9)
    assert both["gflops"] * both["seconds"] == pytest.approx(6 * 2 * 3 * 5 / 1e9)
    (step,) = bench_layers(LayerCase("adam", (2, 1, 3, 3)), ["numpy"], rounds=1)
    assert step["gbytes"] * step["seconds"] == pytest.approx(4 * 7 * 18 / 1e9)


@pytest.mark.skipif("torch" not in bench.installed(), reason="PyTorch is not installed")
def test_pytorch_does_the_same_work() -> None:
    images = np.random.default_rng(0).random((6, 3, 8, 5), dtype=np.float32)
    theta, grad = np.random.default_rng(1).standard_normal((2, 3, 4, 3, 3), dtype=np.float32)
    for library in ("torch", "torch channels-last"):
        ours, theirs = augmentation("numpy", images), augmentation(library, images)
        for _ in range(3):
            np.testing.assert_array_equal(ours(), theirs())
        for kind in ("sgd", "adam", "adamw"):
            step, other = update("numpy", kind, theta, grad), update(library, kind, theta, grad)
            for _ in range(3):
                np.testing.assert_allclose(step(), other(), rtol=1e-5, atol=1e-6)
        for case in (LayerCase("batch-norm", (3, 4, 6, 5)), LayerCase("cross-entropy", (4, 5))):
            assert all(row["error"] < 1e-5 for row in bench_layers(case, [library], rounds=1))


@pytest.mark.skipif("mygrad" not in bench.installed(), reason="MyGrad is not installed")
def test_mygrad_takes_part_where_it_can() -> None:
    for case in (*CASES["other"], ConvCase(1, 1, (2,), 1, dilation=3)):
        small = ConvCase(**{**vars(case), "batch": 1, "size": tuple(min(n, 12) for n in case.size)})
        x = np.ones((1, small.channels, *small.size), np.float32)
        weight = np.ones((small.filters, small.channels // small.groups, *small.window.kernel), np.float32)
        grad = np.ones((1, small.filters, *small.window.out), np.float32)
        work = convolution("mygrad", small, x, weight, grad)
        assert work is None if small.groups > 1 else work is None or work.both()[0].shape == grad.shape
    for kind, takes_part in (("max-pool", True), ("batch-norm", True), ("gelu", False), ("dropout", False)):
        rows = bench_layers(LayerCase(kind, (2, 3, 4, 4)), ["numba", "mygrad"], rounds=1)
        assert [row["library"] for row in rows] == (["numba", "mygrad"] if takes_part else ["numba"]) * 2
        assert all((row["ratio_mygrad"] is not None) == takes_part for row in rows)
    assert not bench_layers(LayerCase("max-pool", (2, 3, 5, 4)), ["mygrad"], rounds=1)
    (row,) = bench_layers(LayerCase("sgd", (2, 3, 3, 3)), ["numpy", "mygrad"], rounds=1)
    assert row["library"] == "numpy"


@pytest.mark.slow
def test_rows_of_a_training_step() -> None:
    (row,) = bench_step(["numba", "mygrad"], batch=2, rounds=1)
    assert row["library"] == "numba"
    assert row["images"] * row["seconds"] == pytest.approx(2)


@pytest.mark.slow
def test_training_goes_through_the_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[np.ndarray]] = []

    def learner(library: str, dilations: object) -> training.Learn:
        seen.append([])
        own, learn = seen[-1], made(library, dilations)
        return lambda images, labels: own.append(images.copy()) or learn(images, labels)

    made = training.learner
    monkeypatch.setattr(training, "learner", learner)
    rows = bench_train(["numpy", "numba", "mygrad"], batch=2, steps=2, rounds=1, dilations=((1,), (2,), (1,)))
    assert [row["library"] for row in rows] == ["numpy", "numba"]
    assert all(row["images"] * row["seconds"] == pytest.approx(4) for row in rows)
    first, second = seen
    assert {len(first) % 2, len(second) % 2} == {0}
    assert min(len(first), len(second)) >= 4  # an epoch that is not counted, of the faster some more, and one that is
    for a, b in zip(first, second, strict=False):
        np.testing.assert_array_equal(a, b)  # every library sees the same images
    assert a.shape == (2, 3, 32, 32)
    assert a.dtype == np.float32
    assert (a == 0).any()  # what PadCrop puts around the images
    assert not np.array_equal(first[0], first[2])  # epochs differ


@pytest.mark.slow
def test_peak_memory_of_a_process() -> None:
    row = peak_memory("numpy", batch=2)
    assert 20 < row["before"] < row["peak"] < 4000
    assert 0 < row["first_step"] < 300


@pytest.mark.slow
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
    assert f"load {machine.load:.1f}; medians of 9" in line
    assert "load" not in report.conditions(MACHINE, 9)


def test_json_holds_rows_and_conditions() -> None:
    content = json.loads(json.dumps(report.content([{"case": "c", "seconds": 1.0}], MACHINE, 5)))
    assert content["rounds"] == 5
    assert content["machine"]["peak"] == 100
    assert content["rows"] == [{"case": "c", "seconds": 1.0}]


@pytest.mark.slow
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


@pytest.mark.slow
def test_inference_with_one_network_in_every_library() -> None:
    names = [name for name in bench.installed(bench.INFERENCE) if name != "numpy"]
    rows = bench.bench_infer(names, batch=2, rounds=1, dilations=((1,), (2,), (1,)))
    assert [row["library"] for row in rows] == names
    assert all(row["error"] < 1e-5 for row in rows)
    assert all(row["images"] * row["seconds"] == pytest.approx(2) for row in rows)
    assert {row["case"] for row in rows} == {"vgg_small, batch 2"}
    assert all((row["ratio_onnxruntime"] is None) == ("onnxruntime" not in names) for row in rows)


@pytest.mark.slow
def test_the_command_measures_layers_and_training(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(bench, "describe", lambda: MACHINE)
    words = ["--libraries", "numba", "--rounds", "1"]
    assert main(["bench", "layers", "--shape", "gelu 2x3x4x5", "linear 2x3x4", *words]) == 0
    out = capsys.readouterr().out
    assert "medians of 1 interleaved rounds" in out
    assert "GB/s" in out
    assert "GFLOP/s" in out
    assert out.count("gelu 2x3x4x5") == out.count("linear 2x3x4") == 2
    assert main(["bench", "train", "--batch", "2", "--steps", "1", *words]) == 0
    out = capsys.readouterr().out
    assert "vgg_small, batch 2, steps 1" in out
    assert "images/s" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["bench", "conv", "--shape", "nonsense"], "is no case"),
        (["bench", "layers", "--shape", "2x3x4"], "is no layer"),
        (["bench", "step", "--plot", "x.png"], "bench step: --plot belongs to bench conv"),
        (["bench", "conv", "--batch", "3"], "--batch belongs to bench infer, layers, memory, step, train"),
        (["bench", "conv", "--libraries", "onnxruntime"], "bench conv: onnxruntime takes part in bench infer"),
        (["bench", "infer", "--libraries", "mygrad"], "mygrad takes part in bench conv, layers, step, train, memory"),
        (["bench", "ops", "--libraries", "mygrad"], "bench ops: mygrad takes part in bench conv, layers"),
        (["bench", "conv", "--quick"], "bench conv: --quick belongs to bench ops"),
        (["bench", "ops", "--shape", "64"], "is no case"),
        (["bench", "ops", "--shape", "gelu 2"], "is no layer"),
        (["bench", "conv", "--steps", "3"], "--steps belongs to bench train"),
        (["bench", "train", "--steps", "0"], "--steps must be >= 1, got 0"),
        (["bench", "conv", "--rounds", "0"], "--rounds must be >= 1, got 0"),
        (["bench", "conv", "--libraries", "jax"], "invalid choice"),
        (["bench", "conv", "--plot", "x.gif"], "--plot x.gif: a picture is a file that ends in .png, .svg, .pdf"),
        (["bench", "conv", "--json", "no folder/x.json"], "there is no folder no folder"),
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
