"""Costs against dilation: what is counted is counted by hand here."""

from __future__ import annotations

import pytest

import minidil as md
from minidil import nn
from minidil.analysis import cost
from minidil.errors import OptionError


def test_only_the_field_grows_with_the_dilation() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, (3, 1), padding=((1, 1), (0, 0))))
    found = cost(model, (3, 8, 10), (1, 2), batch_size=5, rounds=0)
    one, two = found.rows
    assert (one.field, two.field) == ((5, 3), (9, 5))
    for row in found.rows:
        assert row.parameters == 4 * 3 * 9 + 4 + 2 * 4 * 3 + 2
        assert row.multiply_adds == 5 * 80 * (4 * 27 + 2 * 12)
        assert row.activation_bytes == 4 * 5 * 80 * (4 + 4 + 2)  # two convolutions and what is between
        assert row.im2col_bytes == 4 * 5 * 80 * 27
        assert row.seconds is None
    assert model[0].dilation == (1, 1)
    assert model.training


def test_number_types_and_views() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 2, padding="causal"), nn.Flatten(), nn.Linear(6, 2)).astype("float64")
    (row,) = cost(model, (1, 6), (3,), rounds=0).rows
    assert row.activation_bytes == 8 * (6 + 2)  # flattening shares its memory
    assert row.im2col_bytes == 8 * 2 * 6


def test_time_and_table() -> None:
    with md.use("numpy"):
        found = cost(nn.Conv1d(1, 1, 3, padding=1), (1, 300), (1, 4), rounds=3)
    assert all(0 < row.best <= row.seconds for row in found.rows)
    lines = repr(found).splitlines()
    assert lines[0].split() == ["dilation", "sees", "parameters", "multiply-adds", "activations", "im2col", "time"]
    assert lines[3].split()[:8] == ["4", "9", "4", "900", "1.2", "KiB", "3.5", "KiB"]
    assert lines[-1] == "Conv1d on (1, 1, 300), backend numpy, time: median of 3 forward passes"
    assert "<th style" in found._repr_html_()


def test_the_picture_has_a_panel_for_each_column() -> None:
    with md.use("numpy"):
        timed = cost(nn.Conv1d(1, 1, 3, padding=1), (1, 300), (1, 2, 8), rounds=2)
    panels = {axes.get_title(): axes for axes in timed.draw().axes}
    wanted = ["positions seen", "parameters", "multiply-adds", "activations, KiB", "im2col, KiB", "time, ms"]
    assert list(panels) == wanted
    assert panels["positions seen"].lines[0].get_xydata().tolist() == [[1, 3], [2, 5], [8, 17]]
    assert panels["multiply-adds"].lines[0].get_ydata().tolist() == [900, 900, 900]
    assert panels["im2col, KiB"].lines[0].get_ydata().tolist() == [4 * 300 * 3 / 1024] * 3
    medians, least = (line.get_ydata().tolist() for line in panels["time, ms"].lines)
    assert medians == [1000 * row.seconds for row in timed.rows]
    assert least == [1000 * row.best for row in timed.rows]
    assert all(axes.get_ylim()[0] == 0 for axes in panels.values())  # so that what does not grow looks level
    counted = cost(nn.Conv2d(1, 1, (3, 1)), (1, 9, 9), (1, 2), rounds=0).draw()
    assert [axes.get_title() for axes in counted.axes] == wanted[:-1]
    assert [line.get_ydata().tolist() for line in counted.axes[0].lines] == [[3, 5], [1, 1]]
    assert [text.get_text() for text in counted.axes[0].get_legend().get_texts()] == ["axis 0", "axis 1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dilations": ()}, r"dilations must be ints >= 1, not \(\)"),
        ({"dilations": (0,)}, "dilations must be ints >= 1"),
        ({"batch_size": 0}, "batch_size must be an int >= 1, not 0"),
        ({"rounds": -1}, "rounds must be an int >= 0, not -1"),
    ],
)
def test_refusals(options, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        cost(nn.Conv1d(1, 1, 3), (1, 9), **options)
