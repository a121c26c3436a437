"""What a run is for: the loss that it lowers, the metrics that it reports, and the figure that chooses its best epoch."""

import keyword
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import minidil.functional as F
from minidil.array import Array
from minidil.errors import OptionError, ShapeError
from minidil.nn import CrossEntropyLoss
from minidil.tensor import Tensor

Loss: TypeAlias = Callable[[Tensor, Array], Tensor]
"""(what the model gave, the targets of the batch) -> one number, the mean over the batch.

Where some targets are padding, which the mean leaves out, a method `count` of it says how many of them are left."""

Metric: TypeAlias = Callable[[Array, Array], Any]
"""(what the model gave, the targets of the batch), both as arrays -> one number, the mean over the batch; or an array of
numbers or bools, one for each target, which is summed exactly where it is counted."""

# Which way is better is known of these; of any other metric its user has to say.
_DIRECTIONS = {"loss": "min", "accuracy": "max"}


def accuracy(outputs: Array, targets: Array) -> Array:
    """Whether the largest logit (N, K, *S) is that of the target (N, *S)."""
    return outputs.argmax(axis=1) == targets


@dataclass(frozen=True)
class Goal:
    """loss: lowered while learning. measured: its twin for validation, without label smoothing. metrics: by their names.

    by: the figure whose validation value chooses the best epoch. lowest: whether less of it is better.
    """

    loss: Loss
    measured: Loss
    metrics: Mapping[str, Metric]
    by: str
    lowest: bool

    @staticmethod
    def of(
        loss: Loss = F.cross_entropy,
        metrics: Mapping[str, Metric] | None = None,
        best: str | None = None,
        label_smoothing: float = 0.0,
    ) -> "Goal":
        """The goal that these arguments of `fit` describe. Raises: OptionError, naming the argument at fault."""
        if not callable(loss):
            raise OptionError(f"fit: loss must be a function of (output, target), not {loss!r}")
        if metrics is None:
            metrics = {"accuracy": accuracy} if loss is F.cross_entropy or isinstance(loss, CrossEntropyLoss) else {}
        for name, metric in metrics.items():
            if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_") or name == "loss":
                raise OptionError(f"fit: {name!r} cannot name a metric; take a word such as 'accuracy' and not 'loss'")
            if not callable(metric):
                raise OptionError(f"fit: metric {name!r} must be a function of (output, target), not {metric!r}")
        if label_smoothing and loss is not F.cross_entropy:
            raise OptionError(
                f"fit: label_smoothing={label_smoothing} belongs to F.cross_entropy; give a loss of your own its own"
            )
        by, lowest = _chosen(best, metrics)
        return Goal(_smoothed(label_smoothing) if label_smoothing else loss, loss, dict(metrics), by, lowest)

    def count(self, targets: Array) -> int:
        """How many of the targets the loss is the mean of: all, unless it has a method `count` that leaves padding out."""
        count: Callable[[Array], int] | None = getattr(self.measured, "count", None)
        return count(targets) if count else targets.size

    @property
    def description(self) -> dict[str, Any]:
        """For config.json: names of functions, and the figure that chooses the best epoch."""
        return {
            "loss": _name(self.measured),
            "metrics": list(self.metrics),
            "best": f"{'min' if self.lowest else 'max'} {self.by}",
        }


def value_of(loss: Tensor) -> float:
    """The number in a loss. Raises: ShapeError if it is not one."""
    if loss.size != 1:
        raise ShapeError(f"fit: the loss must be one number, not a tensor of shape {loss.shape}; take its mean")
    return float(loss.item())


def _chosen(best: str | None, metrics: Mapping[str, Metric]) -> tuple[str, bool]:
    """(figure, whether its lowest value is the best one) for "accuracy", "loss", "min NAME" or "max NAME"."""
    words = (best if best is not None else "accuracy" if "accuracy" in metrics else "loss").split()
    direction = words.pop(0) if len(words) == 2 and words[0] in ("min", "max") else None
    known = ["loss", *metrics]
    if len(words) != 1 or words[0] not in known:
        raise OptionError(f"fit: best={best!r} must name one of {', '.join(known)}, or 'min' or 'max' and one of them")
    direction = direction or _DIRECTIONS.get(words[0])
    if direction is None:
        raise OptionError(f"fit: best={best!r} does not say which way is better; write 'min {best}' or 'max {best}'")
    return words[0], direction == "min"


def _smoothed(label_smoothing: float) -> Loss:
    return lambda logits, target: F.cross_entropy(logits, target=target, label_smoothing=label_smoothing)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def better(value: float, than: float | None, lowest: bool) -> bool:
    """Whether `value` is strictly better; NaN never is, and than=None is the worst that there is."""
    limit = (math.inf if lowest else -math.inf) if than is None else than
    return value < limit if lowest else value > limit
