"""The explorer as users have it: its numbers beside those of the other tools, its table and picture, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from random_networks import Twice, networks
from strategies import examples

import minidil as md
from minidil import nn
from minidil.analysis import coverage, explore, receptive_field
from minidil.analysis.explorer.look import look
from minidil.analysis.explorer.sources import of_model
from minidil.analysis.explorer.window import axis_of
from minidil.analysis.taps import Slide, Spread
from minidil.errors import OptionError


@examples(10)
@given(networks())
def test_its_last_layer_sees_what_the_model_sees(case) -> None:
    model, _, shape, at = case
    assume(len(model))
    with md.use("numpy"):
        field = receptive_field(model, shape, at)
        assume(field.size != (1,) * len(field.axes) or any(field.start))
        network = of_model(model, shape)
        seen = look(network, len(network.rows) - 1, at)
    assert (seen.paths, seen.first) == (tuple(a.paths for a in field.axes), tuple(a.first for a in field.axes))
    assert (seen.jump, seen.start) == (field.jump, field.start)
    assert np.array_equal(seen.counted > 0, field.reached)


def test_with_weights_of_one_the_counted_paths_are_the_gradient() -> None:
    body = nn.Conv2d(1, 1, 3, padding=(2, 1), dilation=(2, 1), bias=False)
    model = nn.Sequential(nn.Residual(body), nn.Conv2d(1, 1, (2, 3), stride=2, bias=False)).astype(np.float64)
    for parameter in model.parameters():
        parameter.data = np.ones(parameter.shape)
    x = md.tensor(np.zeros((1, 1, 9, 8)), requires_grad=True)
    model(x)[0, 0, 0, 2].backward()
    assert np.array_equal(explore(model, (1, 9, 8), at=(0, 2)).seen.counted, x.grad.numpy()[0, 0])


def test_a_schedule_is_that_of_coverage() -> None:
    found, whole = explore((2, 2, 2)), coverage((2, 2, 2), ndim=2)
    assert found.seen.paths == tuple(axis.paths for axis in whole.axes)
    assert (found.seen.within, found.seen.reached) == (whole.size, whole.seen) == (169, 49)
    assert found.seen.unseen == pytest.approx(whole.unseen_share)
    assert found.facts() == {
        "field": "13 × 13",
        "jump": "1",
        "start": "−6",
        "reached": "49 of 169",
        "unseen": "71.0 %",
        "parameters": "30",
        "output": "33 × 33",
        "verdict": "Holes at rows 11, 13, 15, 17, 19, 21 (6); columns 11, 13, 15, 17, 19, 21 (6). A step of 2 passes "
        "over what the smaller ones see without a gap, 1. HDC as published accepts (M₂ = 2, K = 3); repaired it refuses "
        "(smallest rate 2, not 1).",
    }


def test_printed_it_is_a_table() -> None:
    text = repr(explore((1, 3), (1, 30), kernel_size=2, strides=(2, 1))).splitlines()
    assert text[0].split() == ["layer", "kind", "output", "shape", "size", "jump", "start", "reached", "unseen"]
    assert text[2].split() == ["1", "Conv1d", "(1,", "1,", "15)", "2", "2", "0", "2", "0.0", "%"]
    assert text[3].split() == ["2", "Conv1d", "(1,", "1,", "15)", "8", "2", "-2", "4", "50.0", "%"]
    assert text[-1].startswith(
        "A stack of 1-d convolutions, 1 channel: output 7 of layer 2 sees a field of 8; 4 of 8 positions"
    )


def test_a_model_is_looked_at_before_it_sees_everything_and_counts_each_parameter_once() -> None:
    shared = Twice(nn.Conv2d(4, 4, 3, padding=1))
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), shared, nn.GlobalAvgPool(), nn.Flatten())
    found = explore(model.append(nn.Linear(4, 2)), (1, 12, 12), name="mine")
    assert [row.name for row in found.network.rows] == ["0", "3.body", "3.body", "4"]
    assert [row.size for row in found.layers()] == [(3, 3), (5, 5), (7, 7), (16, 16)]
    assert found.network.rows[found.network.depth].value == found.network.rows[2].value
    assert found.seen.parameters == (9 * 4 + 4) + 2 * 4 + (9 * 16 + 4)
    assert "<p>mine</p>" in found.html()


@pytest.mark.parametrize(
    "last",
    [nn.GlobalAvgPool(), nn.GlobalMaxPool(), nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.Flatten(), nn.Linear(128, 2))],
)
def test_what_sees_everything_is_not_looked_back_from_at_first(last: nn.Module) -> None:
    found = explore(nn.Sequential(nn.Conv2d(1, 2, 3), last), (1, 10, 10))
    assert found.network.rows[found.network.depth].name == "0"
    assert [row.size for row in found.layers()] == [(3, 3), (10, 10)]


def test_the_page_and_the_picture_are_written(tmp_path: Path) -> None:
    found = explore((4,), (1, 5, 5))
    found.save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == found.html()
    md.viz.save(found.draw(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_shows_classes_holes_frame_and_profiles() -> None:
    figure = explore((2, 2), (1, 11, 13)).draw()
    drawn, rows, columns = figure.axes
    shown = drawn.images[0].get_array()
    assert shown.shape == (11, 13)
    assert [(shown == kind).sum() for kind in (1, 2, 3, 4, 7)] == [4, 12, 4 + 4, 1, 81 - 25]
    assert drawn.patches[0].get_bbox().bounds == (1.5, 0.5, 9, 9)
    for panel, where in ((rows, [2, 4, 6, 8]), (columns, [3, 5, 7, 9])):
        assert panel.lines[0].get_xdata().tolist() == where
    along = explore((1, 2), (1, 20)).draw().axes[0]
    assert along.get_xlabel() == "position of the input; 7 of 7 reached, 0.0 % unseen"


@pytest.mark.parametrize(
    ("settings", "taps"),
    [
        ((7, 3, 2, 2, "half", False), Slide(7, 4, 3, 2, 2, 2)),
        ((5, 4, 1, 1, "none", False), Slide(5, 2, 4, 1, 1, 0)),
        ((4, 3, 2, 1, "none", True), Spread(4, 9, 3, 2, 1, 0)),
        ((4, 4, 3, 2, "half", True), Spread(4, 10, 4, 3, 2, 3)),
    ],
)
def test_a_drawn_window_reads_what_the_layer_reads(settings: tuple, taps: Slide | Spread) -> None:
    axis = axis_of(*settings)
    assert axis.out == taps.out
    places = [place for place, kind in enumerate(axis.cells) if kind == 1]
    assert len(places) == taps.size
    for output in range(axis.out):
        read = [places.index(place) for place in axis.taps(output) if place in places]
        positions, counted = taps.read(np.array([output]))
        real = positions[0][counted[0]]
        assert sorted(read) == sorted(i for i in real.tolist() if 0 <= i < taps.size)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: explore(nn.Sequential(nn.Conv2d(1, 1, 3))), "a model needs input_shape"),
        (lambda: explore(nn.Sequential(nn.Conv3d(1, 1, 3)), (1, 5, 5, 5)), "draws one or two spatial axes"),
        (
            lambda: explore(nn.Sequential(nn.ReLU()), (1, 5)),
            "no layer of Sequential reads any other position than its own",
        ),
        (lambda: explore((1, 2), (1, 2, 3, 4)), "input_shape is (C, *S) with one or two spatial axes"),
        (lambda: explore((1, 2), 7), "input_shape is (C, *S) with one or two spatial axes"),
        (lambda: explore((0, 2)), "ints >= 1"),
        (lambda: explore((1, 2), at=(99, 0)), "at=(99, 0) is no position of an output of (33, 33)"),
    ],
)
def test_what_it_refuses(act, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        act()
    assert said in str(caught.value)
