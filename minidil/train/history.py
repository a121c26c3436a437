"""What a run has measured, one row per epoch."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from minidil.errors import DataError

COLUMNS = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")
"""The keys of a row and the columns of metrics.csv: epoch counts from 1, losses are in nats per label, accuracies 0..1.

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
    """

    rows: list[Row] = field(default_factory=list)
    best_epoch: int = 0

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
        # NaN is not less than anything: without validation, every epoch takes the place of the one before.
        better = not self.best_epoch or not row["val_accuracy"] < self.best["val_accuracy"]
        self.rows.append(row)
        if better:
            self.best_epoch = len(self.rows)
        return better

    def csv(self) -> str:
        """The rows as the text of metrics.csv; every number is written so that it reads back as the same number."""
        return rows_to_csv(self.rows)


def rows_to_csv(rows: Sequence[Row]) -> str:
    """A header and one line per row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def rows_from_csv(text: str, name: str) -> list[Row]:
    """Read what `rows_to_csv` wrote. Raises: DataError that names the file `name` and the line that is wrong."""
    reader = csv.DictReader(io.StringIO(text))
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DataError(f"{name}: the first line must be {','.join(COLUMNS)}")
    rows: list[Row] = []
    try:
        for line in reader:
            if None in line:  # more than there are columns
                raise ValueError
            rows.append({"epoch": int(line["epoch"]), **{column: float(line[column]) for column in COLUMNS[1:]}})
    except (TypeError, ValueError, csv.Error):
        raise DataError(f"{name}: line {reader.line_num} must be {len(COLUMNS)} numbers") from None
    return rows
