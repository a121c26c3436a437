"""The pictures of a study show its trials where they belong. Optuna is not needed."""

import math
from typing import Any

import numpy as np
import pytest

from minidil.cli.settings import options
from minidil.cli.sweep.pictures import history, importance, parallel
from minidil.cli.sweep.space import Choice, Range

SPACES = {
    "lr": Range(0.001, 0.1, True, None, options()["lr"]),
    "widths": Choice(((4,), (8,), (16,)), options()["widths"]),
}


def trial(number: int, state: str, value: float | None, lr: float = 0.01, widths: str = "8") -> dict[str, Any]:
    return {"trial": number, "state": state, "value": value, "drawn": {"lr": lr, "widths": widths}}


TRIALS = [
    trial(3, "complete", 0.9, 0.1, "16"),
    trial(0, "complete", 0.5, 0.001, "4"),
    trial(1, "pruned", 0.2),
    trial(2, "complete", 0.4),
    trial(4, "fail", None),
]


def test_the_history_has_every_trial_with_a_figure_and_the_best_so_far() -> None:
    (axes,) = history(TRIALS, "accuracy").axes
    assert axes.get_ylabel() == "validation accuracy in %"
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {
        "a trial": [[0, 50], [2, 40], [3, 90]],
        "a trial ended early": [[1, 20]],
        "the best so far": [[0, 50], [2, 50], [3, 90]],
    }


def test_a_line_of_a_trial_meets_each_axis_at_its_value() -> None:
    axes, bar = parallel(TRIALS, SPACES, "f1").axes
    assert bar.get_ylabel() == "validation f1"
    lines = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(lines, [[0.5, 0.5], [0, 0], [1, 1]], atol=1e-12)  # the best one last
    marks = {(text.xy[0], round(text.xy[1], 9)): text.get_text() for text in axes.texts}
    assert marks == {(0, 0): "0.001", (0, 0.5): "0.01", (0, 1): "0.1", (1, 0): "4", (1, 0.5): "8", (1, 1): "16"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lr", "widths"]


@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_an_axis_of_many_values_names_some(count: int) -> None:
    space = Choice(tuple((number,) for number in range(1, count + 1)), options()["widths"])
    axes, _ = parallel([trial(0, "complete", 0.5, widths="1")], {"widths": space}, "accuracy").axes
    assert len(axes.texts) == math.ceil(count / math.ceil(count / 8))
    assert axes.texts[0].get_text() == "1"


def test_bars_are_shares_in_per_cent() -> None:
    (axes,) = importance({"lr": 0.75, "widths": 0.25}).axes
    assert [bar.get_width() for bar in axes.patches] == [75, 25]
    assert [text.get_text() for text in axes.texts] == ["75", "25"]
