"""What a run has measured, one row per epoch."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from minidil.errors import DataError
from minidil.train.goal import better


def columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """The keys of a row and the columns of metrics.csv of a run with these metrics."""
    measured = ("loss", *metrics)
    return ("epoch", *(f"train_{name}" for name in measured), *(f"val_{name}" for name in measured), "lr")


COLUMNS = columns(["accuracy"])
"""Those of a run that learns to classify: epoch counts from 1, losses are in nats per label, accuracies 0..1.

The training figures are means over the epoch while the weights were changing, with dropout and augmentation on; the
validation figures are those of the weights at its end, or NaN without images to validate on. lr is the learning rate of
the epoch's last step.
"""

Row: TypeAlias = dict[str, float]


@dataclass
class History:
    """The rows of the epochs so far, and which of them was the best.

    best_epoch: the epoch (from 1) with the highest validation accuracy, among equals the latest, which has learnt longest
        and, with most schedules, at the lowest rate; without validation simply the latest; 0 before the first has ended.
    by, lowest: the figure that is compared in place of accuracy, and whether its lowest value is the best one.
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0
    by: str = "accuracy"
    lowest: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best(self) -> Row:
        """The row of the best epoch. Raises: DataError before the first epoch has ended."""
        if not self.best_epoch:
            raise DataError("History.best: no epoch has ended yet")
        return self.rows[self.best_epoch - 1]

    def add(self, row: Row) -> bool:
        """Append the row of the next epoch; True if it is the best so far."""
        # NaN is not worse than anything: without validation, every epoch takes the place of the one before.
        best = not self.best_epoch or not better(self.best[f"val_{self.by}"], row[f"val_{self.by}"], self.lowest)
        self.rows.append(row)
        if best:
            self.best_epoch = len(self.rows)
        return best

    def improves(self, row: Row) -> bool:
        """Whether the row, not added yet, is strictly better than the best so far."""
        best = self.best[f"val_{self.by}"] if self.best_epoch else None
        return better(row[f"val_{self.by}"], best, self.lowest)

    def csv(self) -> str:
        """The rows as the text of metrics.csv; every number is written so that it reads back as the same number."""
        return rows_to_csv(self.rows)


def rows_to_csv(rows: Sequence[Row]) -> str:
    """A header and one line per row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(metrics_of(rows[0])) if rows else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def metrics_of(row: Iterable[str]) -> list[str]:
    """The names of the metrics in a row or a header, in their order."""
    return [name.removeprefix("train_") for name in row if name.startswith("train_") and name != "train_loss"]


def rows_from_csv(text: str, name: str) -> list[Row]:
    """Read what `rows_to_csv` wrote. Raises: DataError that names the file `name` and the line that is wrong."""
    reader = csv.DictReader(io.StringIO(text))
    header = tuple(reader.fieldnames or ())
    if header != columns(metrics_of(header)):
        raise DataError(
            f"{name}: the first line must be {','.join(COLUMNS)}, or have other metrics in place of accuracy"
        )
    rows: list[Row] = []
    try:
        for line in reader:
            if None in line:  # more than there are columns
                raise ValueError
            rows.append({"epoch": int(line["epoch"]), **{column: float(line[column]) for column in header[1:]}})
    except (TypeError, ValueError, csv.Error):
        raise DataError(f"{name}: line {reader.line_num} must be {len(header)} numbers") from None
    return rows
