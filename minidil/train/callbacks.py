"""Callbacks: code of yours that runs at fixed moments of a training run."""

from typing import TYPE_CHECKING, Any

from minidil.errors import OptionError

if TYPE_CHECKING:
    from minidil.train.state import Run


class Callback:
    """A base class whose four methods do nothing; override the ones you want. All receive the `Run`.

        class Printer(Callback):
            def on_epoch_end(self, run):
                print(run.epoch, run.history.rows[-1]["val_accuracy"])
                run.stop = run.history.best["val_accuracy"] > 0.99

    Setting `run.stop = True` ends the run after the epoch, or, from `on_batch_end`, after the batch's epoch. When a run is
    resumed, callbacks start afresh: what they must remember belongs into the model, or into a file of theirs.
    Raises: OptionError when a subclass is defined with another method called on_...: it would be a typo.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name):
                known = ", ".join(each for each in vars(Callback) if each.startswith("on_"))
                raise OptionError(f"{cls.__name__}.{name} would never be called: a callback has {known}")

    def on_start(self, run: "Run") -> None:
        """Before the first batch, after a resumed run has been loaded."""

    def on_batch_end(self, run: "Run") -> None:
        """After the optimizer's and the schedule's step; `run.batch` counts the epoch's batches, `run.sums` their loss."""

    def on_epoch_end(self, run: "Run") -> None:
        """After validation and before the checkpoint: what is changed here is saved. The new row is `run.history.rows[-1]`."""

    def on_end(self, run: "Run") -> None:
        """After the last epoch, when the model holds the best weights again."""
