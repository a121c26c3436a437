"""What the exercises expect is what the library does: on drawn cases, without any check between."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import detect, nn
from minidil.classroom.checking import check
from minidil.classroom.draw import Draw
from minidil.classroom.register import exercise
from minidil.deploy.quantized import Grid
from minidil.tasks.segmentation import Overlap, metric

CASES = 8


@pytest.fixture(autouse=True)
def _nothing_to_compile() -> Iterator[None]:
    with md.use("numpy"):
        yield


def _drawn(name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Some cases of an exercise, with what is expected."""
    asked, rng = exercise(name), np.random.default_rng(5)
    draw = Draw(lambda low, high: int(rng.integers(low, high + 1)))
    for _ in range(CASES):
        case = asked.cases(draw)
        yield case, asked.expected(**case)


def test_the_walk_back_is_autograds() -> None:
    for case, grads in _drawn("ex05_1"):
        values = [md.tensor(np.zeros(1), requires_grad=True) for _ in range(case["count"])]  # what no argument changes
        for value in range(case["count"]):
            uses = [
                (argument, float(slope))
                for (of, argument), slope in zip(case["edges"], case["slopes"], strict=True)
                if of == value
            ]
            for argument, slope in uses:
                values[value] = values[value] + values[argument] * slope
        leaves = [number for number in range(case["count"]) if not any(of == number for of, _ in case["edges"])]
        values[-1].sum().backward()
        for number in leaves:
            grad = values[number].grad
            assert (0.0 if grad is None else float(grad.numpy()[0])) == grads[number]


def test_the_gradient_of_broadcasting_is_autograds() -> None:
    for case, expected in _drawn("ex05_2"):
        x = md.tensor(np.zeros(case["shape"]), requires_grad=True)
        (x * md.tensor(case["grad"])).sum().backward()
        assert x.grad is not None
        assert x.grad.shape == case["shape"]
        assert np.array_equal(x.grad.numpy(), expected)


def test_he_is_that_of_the_layers_weights() -> None:
    for case, std in _drawn("ex06_1"):
        weight = nn.Conv2d(**case).weight
        assert nn.init.fans(weight.shape, case["groups"]).fan_in == pytest.approx(2 / std**2)


def test_running_statistics_are_those_of_the_layer() -> None:
    for case, (mean, var) in _drawn("ex06_2"):
        layer = nn.BatchNorm2d(len(mean), momentum=case["momentum"]).astype(np.float64)
        layer.running_mean, layer.running_var = case["running_mean"], case["running_var"]
        layer(md.tensor(case["x"]))
        assert np.allclose(layer.running_mean, mean, rtol=1e-12)
        assert np.allclose(layer.running_var, var, rtol=1e-12)


def test_fields_are_those_of_the_analysis() -> None:
    for case, expected in _drawn("ex11_1"):
        convs = (nn.Conv1d(1, 1, k, s, padding=p, dilation=d) for k, s, d, p in case["layers"])
        found = md.analysis.receptive_field(nn.Sequential(*convs), (1, 400)).layers[-1]
        assert (*found.size, *found.jump, *found.start) == expected
        assert exercise("ex06_3").expected(tuple(layer[:3] for layer in case["layers"])) == expected[0]


def test_paths_and_holes_are_those_of_the_analysis() -> None:
    for case, expected in _drawn("ex11_2"):
        axis = md.analysis.coverage(case["dilations"], case["kernel_size"]).axes[0]
        assert list(axis.paths) == expected.tolist()
    verdicts = []
    for case, expected in _drawn("ex11_3"):
        assert md.analysis.has_holes(case["dilations"], case["kernel_size"]) is not expected
        verdicts.append(expected)
    assert {True, False} == set(verdicts)


def test_strides_become_the_dilations_of_dilate() -> None:
    for case, (strides, dilations) in _drawn("ex12_3"):
        convs = (nn.Conv1d(1, 1, 3, s, padding=d, dilation=d) for s, d in case["layers"])
        made = md.analysis.dilate(nn.Sequential(*convs), case["output_stride"], (1, 400)).model
        assert isinstance(made, nn.Sequential)
        assert tuple(conv.stride[0] for conv in made) == strides
        assert tuple(conv.dilation[0] for conv in made) == dilations


def test_folded_weights_are_those_of_a_plan() -> None:
    for case, (weight, bias) in _drawn("ex13_1"):
        x = np.random.default_rng(0).standard_normal((1, case["weight"].shape[1], 5, 5))
        v = F.conv(x, case["weight"], case["bias"])
        settings = {"mean": case["mean"], "var": case["var"], "eps": case["eps"]}
        wanted = F.batch_norm(v, weight=case["gamma"], bias=case["beta"], **settings).numpy()
        assert np.allclose(F.conv(x, weight, bias).numpy(), wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())


def test_marks_are_those_of_a_grid() -> None:
    for case, (q, scale, zero) in _drawn("ex13_2"):
        grid = Grid.over(case["x"].min(), case["x"].max(), case["bits"])
        assert (grid.zero, grid.high) == (zero, 2 ** case["bits"] - 1)
        assert np.isclose(grid.scale, scale, rtol=1e-6)
        assert np.abs(grid.quantise(case["x"]).astype(int) - q).max() <= 1  # a half of float32 may be none of float64


def test_a_ring_gives_what_a_causal_convolution_does() -> None:
    step = exercise("ex13_3").expected
    for case, _ in _drawn("ex13_3"):
        weight, dilation = case["weight"], case["dilation"]
        signal = np.random.default_rng(0).integers(-9, 10, (weight.shape[1], 20)).astype(float)
        wanted = F.conv(signal[None], weight, padding="causal", dilation=dilation).numpy()[0]
        rows, answers = np.zeros_like(case["rows"]), []
        for t, row in enumerate(signal.T):
            y, rows = step(rows, t, row, weight, dilation)
            answers.append(y)
        assert np.array_equal(np.transpose(answers), wanted)


def test_an_inflated_layer_is_that_of_inflate() -> None:
    for case, (weight, bias) in _drawn("ex17_1"):
        if case["frames"] % 2 == 0:
            continue
        flat = nn.Conv2d(*case["weight"].shape[1::-1], case["weight"].shape[2]).astype(np.float64)
        flat.weight.data, flat.bias.data = case["weight"], case["bias"]
        with md.use("numpy"):
            state = md.models.inflate(flat, case["frames"]).state_dict()
        assert np.array_equal(state["weight"], weight)
        assert np.array_equal(state["bias"], bias)


def test_frames_are_counted_as_by_receptive_field() -> None:
    for case, frames in _drawn("ex17_2"):
        convs = [nn.Conv1d(1, 1, kernel, stride, dilation=d) for kernel, stride, d in case["layers"]]
        assert md.analysis.receptive_field(nn.Sequential(*convs), (1, 2000)).size == (frames,)


def test_a_causal_filter_is_that_of_conv() -> None:
    for case, filtered in _drawn("ex17_3"):
        columns = case["clip"].reshape(len(case["clip"]), 1, -1).transpose(2, 1, 0)  # (H W, 1, T)
        y = F.conv(columns, case["taps"][None, None], padding="causal", dilation=case["dilation"]).numpy()
        assert np.array_equal(y[:, 0].T.reshape(filtered.shape), filtered)


def test_overlaps_and_what_stays_are_the_detectors() -> None:
    for case, expected in _drawn("ex18_1"):
        assert np.array_equal(detect.box_iou(case["a"], case["b"]), expected)
    for case, expected in _drawn("ex18_2"):
        assert np.array_equal(detect.nms(**case), expected)


def test_a_map_is_read_where_roi_align_does() -> None:
    """A map that holds its own indices, on which the box lies: what a bin reads is where it is."""
    for case, expected in _drawn("ex18_3"):
        stride, bins = case["stride"], case["bins"]
        inside = {key: case[key] + 5 * stride for key in ("low", "high")}
        indices = np.broadcast_to(np.arange(60.0), (1, 1, 60, 60))
        box = [[inside["low"], inside["low"], inside["high"], inside["high"]]]
        settings = {"output_size": bins, "spatial_scale": 1 / stride, "sampling_ratio": 1}
        read = F.roi_align(indices, boxes=[box], **settings).numpy()[0, 0, 0]
        assert np.allclose(read, expected + 5)


def test_optimizers_and_schedule_are_the_librarys() -> None:
    for case, (theta, velocity) in _drawn("ex07_1"):
        if not case["momentum"]:
            continue
        weight = nn.Parameter(case["theta"].copy())
        optimizer = md.optim.SGD([weight], case["lr"], case["momentum"], nesterov=case["nesterov"])
        weight.grad = md.tensor(case["velocity"])
        optimizer.step()  # after which the velocity is this gradient
        weight.data, weight.grad = case["theta"].copy(), md.tensor(case["grad"])
        optimizer.step()
        assert np.allclose(weight.numpy(), theta, rtol=1e-12)
        assert np.allclose(optimizer.state_dict()["state"][0]["velocity"], velocity, rtol=1e-12)
    rates = [exercise("ex07_3").expected(step, 1.0, 3, 9) for step in range(12)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert all(before > after for before, after in pairwise(rates[3:10]))
    assert rates[9:] == [0, 0, 0]


def test_crops_are_parts_of_the_padded_image() -> None:
    for case, expected in _drawn("ex08_3"):
        padding, images = case["padding"], case["images"]
        straight = np.where(case["flips"][:, None, None, None], expected[..., ::-1], expected)
        shifts = zip(straight, images, case["tops"] - padding, case["lefts"] - padding, strict=True)
        for made, image, down, right in shifts:
            for row, column in np.ndindex(image.shape[1:]):
                inside = 0 <= row + down < image.shape[1] and 0 <= column + right < image.shape[2]
                read = image[:, row + down, column + right] if inside else np.zeros(len(image))
                assert np.array_equal(made[:, row, column], read)


def test_the_smallest_failure_among_words_is_small() -> None:
    """Names are compared by how many and how long they are."""
    result = check("ex12_1", lambda names, patterns: [])
    assert not result.passed
    assert result.case is not None
    assert (len(result.case["names"]), len(result.case["patterns"])) == (1, 1)


def test_the_mean_iou_is_that_of_overlap() -> None:
    for case, expected in _drawn("ex14_1"):
        assert np.isclose(metric.mean(Overlap.of(case["said"], case["true"], 2).iou()), expected)


def test_the_slope_of_soft_dice_is_that_of_the_loss() -> None:
    """Of two classes the softmax sends the slope h of the probability on as p (1 - p) h."""
    for case, _ in _drawn("ex14_2"):
        p = np.clip(case["p"], 1e-3, 1 - 1e-3)
        logits = np.stack([np.zeros_like(p), np.log(p / (1 - p))])[None]
        x = md.tensor(logits, requires_grad=True)
        F.dice_loss(x, case["t"].astype(int)[None], smooth=case["e"]).backward()
        assert x.grad is not None
        slope = exercise("ex14_2").expected(p, case["t"], case["e"])
        assert np.allclose(x.grad.numpy()[0, 1], p * (1 - p) * slope)


def test_weights_that_begin_as_the_identity_are_those_of_dirac() -> None:
    for case, weight in _drawn("ex14_3"):
        assert np.array_equal(nn.init.dirac((case["channels"],) * 2 + (case["kernel_size"],) * 2), weight)
