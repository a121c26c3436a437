"""The TOML file of a sweep: what is the same in all trials, what is tried, and how."""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from minidil.cli.option import Option, declarations, declared
from minidil.cli.settings import Settings, as_typed, options
from minidil.cli.start import network_of, starting
from minidil.cli.sweep.space import Space, Trial, check_keys, setting, space
from minidil.cli.tasks import Task, task_of
from minidil.errors import OptionError

_TABLES = ("settings", "space")


@dataclass(frozen=True)
class Search:
    """How a sweep looks for good settings; every field is a key at the top of its file."""

    trials: int = declared(20, "how many are to end, those pruned among them", kind=int, least=1)
    sampler: str = declared("tpe", "what proposes values", choices=("tpe", "random"))
    pruner: str = declared("median", "what ends bad trials early", choices=("median", "hyperband", "none"))
    seed: int = declared(0, "of the sampler", kind=int, least=0)
    storage: str | None = declared(None, "address of a database that machines share", usual="a journal in the folder")


@dataclass(frozen=True)
class Sweep:
    """A file that makes sense. fixed: settings of all trials. spaces: what the others are tried with, by setting."""

    path: Path
    search: Search
    fixed: Mapping[str, Any]
    spaces: Mapping[str, Space]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises: OptionError that names file, table and key of what is wrong; OSError if there is no such file."""
        try:
            content = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OptionError(f"{path} is no TOML: {error}") from error
        ways, known = dict(declarations(Search)), options()
        with _blaming(f"{path}"):
            check_keys(content, (), (*ways, *_TABLES))
        for table in _TABLES:
            with _blaming(f"{path}: [{table}]"):
                if not isinstance(content.setdefault(table, {}), dict):
                    raise OptionError(f"is a table of settings, not {content[table]!r}")
                check_keys(content[table], (), tuple(known))
        given = {key: value for key, value in content.items() if key not in _TABLES}
        search = Search(
            **{key: _each(f"{path}: {key}", setting, key, ways[key], value) for key, value in given.items()}
        )
        fixed, spaces = (
            {
                key: _each(f"{path}: [{table}] {key}", read, key, known[key], value)
                for key, value in content[table].items()
            }
            for table, read in (("settings", setting), ("space", space))
        )
        with _blaming(f"{path}: [space]"):
            if not spaces:
                raise OptionError("is empty, so there is nothing to try: lr = { low = 0.01, high = 0.3, log = true }")
            if twice := sorted(fixed.keys() & spaces.keys()):
                raise OptionError(f"{', '.join(twice)}: fixed in [settings] as well")
        sweep = cls(path, search, fixed, spaces)
        sweep._check()
        return sweep

    def settings(self, drawn: Mapping[str, Any]) -> Settings:
        """Those of a trial. Raises: OptionError if they do not go together."""
        given = {**self.fixed, **drawn}
        start = starting(given["init"]) if "init" in given else None
        return Settings.of(given | ({"init": start.name} if start else {}), network_of(start, given))

    def draw(self, trial: Trial) -> dict[str, Any]:
        """A value for each setting that is tried."""
        return {name: each.draw(trial, name) for name, each in self.spaces.items()}

    def first(self) -> dict[str, Any]:
        """The first value of each setting that is tried."""
        return {name: each.ends()[0] for name, each in self.spaces.items()}

    @property
    def task(self) -> Task:
        """What the networks are for; trials are compared by its metric."""
        settings = self.settings(self.first())
        return task_of(settings.model, settings.data)

    def described(self) -> dict[str, Any]:
        """What must not change while trials are added, as plain values."""
        known = options()
        return {
            "sampler": self.search.sampler,
            "pruner": self.search.pruner,
            "seed": self.search.seed,
            "settings": {name: known[name].typed(value) for name, value in sorted(self.fixed.items())},
            "space": {name: each.described() for name, each in sorted(self.spaces.items())},
        }

    def _check(self) -> None:
        """Raises: OptionError if an end of a space does not go with the first values of the others, or nothing is compared."""
        metrics = {}
        for name, each in self.spaces.items():
            for value in each.ends():
                drawn = self.first() | {name: value}
                with _blaming(f"{self.path}: with {as_typed(drawn)}"):
                    settings = self.settings(drawn)
                    if not settings.validation:
                        raise OptionError("--validation 0 leaves nothing to compare trials by")
                metrics[task_of(settings.model, settings.data).by] = settings.model
        if len(metrics) > 1:
            raise OptionError(
                f"{self.path}: [space] model: {' and '.join(metrics.values())} are measured by {' and '.join(metrics)}, "
                "which cannot be compared"
            )


@contextmanager
def _blaming(place: str) -> Iterator[None]:
    """Around what may be refused: the message begins with the place in the file."""
    try:
        yield
    except OptionError as error:
        raise OptionError(f"{place}: {error}") from error


def _each(place: str, read: Any, name: str, option: Option, value: Any) -> Any:
    with _blaming(place):
        return read(name, option, value)
