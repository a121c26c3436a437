"""Rows of figures, the best of them, and metrics.csv."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.errors import DataError
from minidil.train import COLUMNS, History
from minidil.train.history import rows_from_csv, rows_to_csv

NUMBERS = st.floats(allow_nan=False)
ROWS = st.lists(
    st.fixed_dictionaries({"epoch": st.integers(1, 999), **dict.fromkeys(COLUMNS[1:], NUMBERS)}), max_size=4
)


def row(epoch: int, accuracy: float, loss: float) -> dict[str, float]:
    return dict(zip(COLUMNS, (epoch, 1.0, 0.5, loss, accuracy, 0.1), strict=True))


@given(ROWS)
def test_rows_come_back_from_csv_exactly(rows: list[dict[str, float]]) -> None:
    assert rows_from_csv(rows_to_csv(rows), "metrics.csv") == rows


def test_csv_is_a_header_and_a_line_per_epoch() -> None:
    history = History()
    history.add(row(1, 0.75, 0.5))
    assert history.csv() == "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr\n1,1.0,0.5,0.5,0.75,0.1\n"


def test_the_best_has_the_highest_accuracy_and_is_the_latest_among_equals() -> None:
    history = History()
    figures = [(0.5, 0.9), (0.5, 1), (0.4, 0.1), (0.6, math.nan), (0.5, 0.2)]
    added = [history.add(row(epoch, *of_epoch)) for epoch, of_epoch in enumerate(figures, 1)]
    assert added == [True, True, False, True, False]
    assert history.best_epoch == 4
    assert history.best["val_accuracy"] == 0.6


def test_without_validation_the_latest_is_the_best() -> None:
    history = History()
    assert all(history.add(row(epoch, math.nan, math.nan)) for epoch in (1, 2, 3))
    assert history.best["epoch"] == 3
    read = rows_from_csv(history.csv(), "metrics.csv")
    assert [math.isnan(line["val_accuracy"]) for line in read] == [True] * 3


def test_an_empty_history_has_no_best() -> None:
    with pytest.raises(DataError, match="no epoch has ended"):
        _ = History().best


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line must be epoch,train_loss"),
        ("a,b\n1,2\n", "first line must be"),
        (",".join(COLUMNS) + "\n1,2,3\n", "line 2 must be 6 numbers"),
        (",".join(COLUMNS) + "\n1,2,3,4,5,six\n", "line 2 must be 6 numbers"),
    ],
)
def test_a_damaged_csv_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"run/metrics.csv: .*{message}"):
        rows_from_csv(text, "run/metrics.csv")
