"""Callbacks: code of yours that runs at fixed moments of a training run."""

from typing import Any

from minidil.errors import OptionError
from minidil.train.state import Run


class Callback:
    """A base class whose methods do nothing; override the ones you want. Those called on_... receive the `Run`.

        class Printer(Callback):
            def on_epoch_end(self, run):
                print(run.epoch, run.history.rows[-1]["val_accuracy"])
                run.stop = run.history.best["val_accuracy"] > 0.99

    Setting `run.stop = True` ends the run after the epoch, or, from `on_batch_end`, after the batch's epoch.
    What a callback must remember when a run is resumed, it gives in `state_dict`: the checkpoint holds it beside the model.
    Raises: OptionError when a subclass is defined with another method called on_...: it would be a typo.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and not hasattr(Callback, name):
                known = ", ".join(each for each in vars(Callback) if each.startswith("on_"))
                raise OptionError(f"{cls.__name__}.{name} would never be called: a callback has {known}")

    def state_dict(self) -> dict[str, Any]:
        """What `checkpoint.save` can hold, and `load_state_dict` takes up; empty, at any time, if there is nothing to keep."""
        return {}

    def check_state(self, state: dict[str, Any], run: Run) -> None:
        """Raise a CheckpointError if `load_state_dict` cannot take this up: nothing of the run has been changed yet."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called, before `on_start`."""

    def on_start(self, run: Run) -> None:
        """Before the first batch, after a resumed run has been loaded."""

    def on_batch_end(self, run: Run) -> None:
        """After the optimizer's and the schedule's step; `run.batch` counts the epoch's batches, `run.sums` their loss."""

    def on_epoch_end(self, run: Run) -> None:
        """After validation and before the checkpoint: what is changed here is saved. The new row is `run.history.rows[-1]`."""

    def on_end(self, run: Run) -> None:
        """After the last epoch, when the model holds the best weights again."""
