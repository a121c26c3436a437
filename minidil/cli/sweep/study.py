"""A study that any number of processes work on: who takes which trial, and what becomes of those of a process that was killed.

A trial that runs is recorded as running before its first batch, and as ended when its figure is there. In between, its process
holds the lock file OUT/locks/N, which the operating system frees when the process ends, however it ends. Whoever chooses the
next trial, one process at a time, first looks for trials that are recorded as running and whose lock is free: these are recorded
as failed, and a new trial with the same values waits in their place. It goes on in the same folder, from where that was last
saved. Processes that share a database and no folder cannot see each other's locks; of these the database keeps a heartbeat.
"""

import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.cli.settings import as_typed
from minidil.cli.sweep.config import Sweep
from minidil.cli.sweep.trial import tried
from minidil.cli.tasks import shown
from minidil.errors import BackendError, BusyError, CheckpointError, OptionError, ShapeError, TrainingError
from minidil.storage.locks import locked
from minidil.terminal import fill

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_JOURNAL, _LOCKS, _TURN = "journal.log", "locks", "turn"
_BEAT, _SILENCE = 60, 300  # seconds between two heartbeats, and without one until a process counts as dead
_PATIENCE, _PAUSE = 600.0, 1.0  # seconds to wait for one's turn, and before looking again whether others have ended
_ATTEMPTS = 3  # trials that kill every process that takes them up are not taken for ever
# What is kept of a trial in the study: its folder, what was drawn as one types it, why it failed; and of one that takes the place
# of another, of which, and how many there were before it.
FOLDER, WORDS, REASON, _INSTEAD_OF, _ATTEMPT = "folder", "words", "reason", "instead_of", "attempt"


def needed() -> Any:
    """Optuna. Raises: BackendError, which says how to install it."""
    try:
        import optuna
    except ImportError:
        raise BackendError("sweep needs Optuna: pip install 'minidil[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class Study:
    """The trials of a sweep, kept in `out` or in a database; `work` adds to them until there are as many as were asked for."""

    def __init__(self, sweep: Sweep, out: Path) -> None:
        """Open the study, or begin it. Raises: OptionError if it was begun with another file."""
        self.sweep, self.out, self.optuna = sweep, out, needed()
        with locked(out / _LOCKS / _TURN, "opening the study", _PATIENCE):
            self.study: optuna.Study = self.optuna.create_study(
                storage=self._storage(),
                pruner=self._pruner(),
                study_name=sweep.path.stem if sweep.search.storage else "sweep",
                direction="maximize",
                load_if_exists=True,
            )
            before, now = self.study.user_attrs.get("sweep"), sweep.described()
            if before is None:
                if there := sorted(path.name for path in out.glob("trial-*")):
                    raise OptionError(
                        f"{out} holds {there[0]}, which is of no study that is known; choose another --out"
                    )
                self.study.set_user_attr("sweep", now)
        if before not in (None, now):
            other = sorted(key for key in now if before.get(key) != now[key])
            raise OptionError(
                f"{sweep.path}: the study in {sweep.search.storage or out} was begun with another {' and '.join(other)}; "
                "only trials and storage may change, so set the rest back or choose another --out"
            )

    def trials(self) -> list["FrozenTrial"]:
        """The trials that ended with an answer, or with a reason why there is none."""
        return [trial for trial in self.study.get_trials() if self._ended(trial)]

    def importances(self) -> dict[str, float]:
        """The share of each setting in how the completed trials differ (PED-ANOVA, arXiv:2304.10255); empty if none do."""
        if len({trial.value for trial in self.trials() if trial.state.name == "COMPLETE"}) < 2:
            return {}
        importance = self.optuna.importance
        with warnings.catch_warnings(action="ignore", category=self.optuna.exceptions.ExperimentalWarning):
            shares = importance.get_param_importances(self.study, evaluator=importance.PedAnovaImportanceEvaluator())
        return {name: float(share) for name, share in shares.items()}

    def work(self) -> None:
        """Take trials until as many as were asked for have ended, here and elsewhere."""
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Take a trial, or wait a little for those that others have; False if all have ended."""
        with ExitStack() as held, ExitStack() as turn:
            turn.enter_context(locked(self.out / _LOCKS / _TURN, "choosing a trial", _PATIENCE))
            self._replace_lost()
            left = self.sweep.search.trials - len(self.trials())
            states = [trial.state.name for trial in self.study.get_trials(deepcopy=False)]
            if left <= 0:
                return False
            if "WAITING" in states or states.count("RUNNING") < left:
                self.study.sampler = self._sampler(len(states))
                self.study.optimize(lambda trial: self._tried(trial, held, turn), n_trials=1)
                return True
        time.sleep(_PAUSE)
        return True

    def _tried(self, trial: "optuna.Trial", held: ExitStack, turn: ExitStack) -> float:
        """The metric of a trial. `turn` is given to others once the lock of the trial is held, which it is until it has ended."""
        held.enter_context(locked(self._lock(trial.number), "a trial"))
        drawn, resume = self.sweep.draw(trial), FOLDER in trial.user_attrs
        name = trial.user_attrs.get(FOLDER, f"trial-{trial.number}")
        words = as_typed(drawn)
        trial.set_user_attr(WORDS, words)
        trial.set_user_attr(FOLDER, name)
        turn.close()
        print(fill(f"{name}{' again' * resume}: {words}"), flush=True)
        by = self.sweep.task.by
        try:
            value = tried(self.sweep.settings(drawn), self.out / name, trial, resume)
        except TrainingError as error:  # as bad as can be, and to be remembered as such
            print(fill(f"{name}: {error}"))
            trial.set_user_attr(REASON, str(error))
            raise self.optuna.TrialPruned from error
        except (OptionError, ShapeError, CheckpointError) as error:  # settings that do not go together, or with --init
            print(fill(f"{name}: failed: {error}"))
            trial.set_user_attr(REASON, str(error))
            return float("nan")
        if value is None:
            print(fill(f"{name}: ended early"))
            raise self.optuna.TrialPruned
        print(fill(f"{name}: validation {shown(by, value)}"))
        return value

    def _replace_lost(self) -> None:
        """Record trials whose process is gone as failed, and let a trial with the same values wait for each without an answer."""
        create, states = self.optuna.trial.create_trial, self.optuna.trial.TrialState
        for trial in self.study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            if self._abandoned(trial.number):
                self.study.tell(trial.number, state=states.FAIL, skip_if_finished=True)
        failed = self.study.get_trials(deepcopy=False, states=(states.FAIL,))
        replaced = {trial.user_attrs.get(_INSTEAD_OF) for trial in self.study.get_trials(deepcopy=False)}
        for trial in failed:
            if trial.number not in replaced and not self._ended(trial):
                kept = {_INSTEAD_OF: trial.number, _ATTEMPT: trial.user_attrs.get(_ATTEMPT, 0) + 1}
                self.study.add_trial(
                    create(
                        state=states.WAITING,
                        params=trial.params,
                        distributions=trial.distributions,
                        user_attrs=trial.user_attrs | kept,
                    )
                )

    def _ended(self, trial: "FrozenTrial") -> bool:
        """Whether a trial is one of those asked for: no other takes its place."""
        if trial.state.name != "FAIL":
            return trial.state.is_finished()
        return REASON in trial.user_attrs or trial.user_attrs.get(_ATTEMPT, 0) + 1 >= _ATTEMPTS

    def _abandoned(self, number: int) -> bool:
        """Whether the process of a running trial is gone, as far as this folder knows."""
        if not self._lock(number).exists():  # with a journal, all processes share the folder
            return self.sweep.search.storage is None
        try:
            with locked(self._lock(number), "looking for a killed process"):
                return True
        except BusyError:
            return False

    def _lock(self, number: int) -> Path:
        return self.out / _LOCKS / str(number)

    def _storage(self) -> Any:
        address, storages = self.sweep.search.storage, self.optuna.storages
        if address is None:
            journal = str(self.out / _JOURNAL)
            backend = storages.journal.JournalFileBackend(journal, storages.journal.JournalFileOpenLock(journal))
            return storages.JournalStorage(backend)
        from sqlalchemy.exc import SQLAlchemyError

        failures = (SQLAlchemyError, ImportError, self.optuna.exceptions.StorageInternalError)
        with warnings.catch_warnings(action="ignore", category=self.optuna.exceptions.ExperimentalWarning):
            try:
                return storages.RDBStorage(address, heartbeat_interval=_BEAT, grace_period=_SILENCE)
            except failures as error:
                raise OptionError(f"{self.sweep.path}: storage: {address} cannot be used: {error}") from error

    def _sampler(self, number: int) -> Any:
        """What draws trial `number`. Each has a generator of its own: processes that begin alike do not draw alike."""
        seed = int(np.random.SeedSequence([self.sweep.search.seed, number]).generate_state(1)[0])
        samplers = self.optuna.samplers
        if self.sweep.search.sampler == "random":
            return samplers.RandomSampler(seed)
        return samplers.TPESampler(seed=seed, constant_liar=True)  # keeps away from what others are trying now

    def _pruner(self) -> Any:
        pruners = self.optuna.pruners
        kinds = {"median": pruners.MedianPruner, "hyperband": pruners.HyperbandPruner, "none": pruners.NopPruner}
        return kinds[self.sweep.search.pruner]()
