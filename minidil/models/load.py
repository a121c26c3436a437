"""Weights from a file into a model, by name: all of them or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np

from minidil.errors import CheckpointError, OptionError
from minidil.nn import Module
from minidil.nn.state import declared
from minidil.storage import states

_SHOWN = 8


class Loaded(NamedTuple):
    """The names of what was set, of what the file lacks and has too many with strict=False, and of what was skipped."""

    set: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    skipped: tuple[str, ...]


def load_weights(
    model: Module,
    path: str | os.PathLike[str],
    strict: bool = True,
    *,
    prefix: str = "",
    skip: str | Sequence[str] = (),
) -> Loaded:
    """Set the parameters and buffers of a model from a `.safetensors` file or an `.npz` of a state dict, by name.

    The names and shapes that the file declares are compared first, and then its arrays are read; so a file that does not fit
    costs no memory, and the model is as it was. Another precision is converted. Nothing in a file is executed.

    strict: every name of either side must be in the other; otherwise those that are not are told in the result.
    prefix: of the names in the file, such as "module."; other names in it are passed over.
    skip: patterns of names, as in a shell, that are left as they are on either side: ("classifier.*",) for other classes.
    Names that end in num_batches_tracked, which count batches of training, may be missing or too many.
    Raises: CheckpointError that lists what is missing, unexpected and misfitting, with the shapes, or says where the file is
        damaged; OptionError for a prefix or a pattern that no name has. In any case nothing has changed.
    """
    patterns = (skip,) if isinstance(skip, str) else tuple(skip)
    wanted = declared(model)
    with states.opened(path) as file:
        names = {name.removeprefix(prefix): name for name in file.arrays if name.startswith(prefix)}
        if not names:
            raise OptionError(f"load_weights: no name in {path} begins with {prefix!r}; there are {_some(file.arrays)}")
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in (*wanted, *names)):
                raise OptionError(f"load_weights: skip={pattern!r} is the name of nothing; there are {_some(wanted)}")
        skipped = [name for name in {**wanted, **names} if any(fnmatchcase(name, pattern) for pattern in patterns)]
        left = set(skipped)
        missing = [name for name in wanted if name not in names and name not in left and not _counts(name)]
        unexpected = [name for name in names if name not in wanted and name not in left and not _counts(name)]
        common = [name for name in wanted if name in names and name not in left]
        misfits = []
        for name in common:
            given, (shape, dtype) = file.arrays[names[name]], wanted[name]
            if given.shape != shape:
                misfits.append(f"{name} has shape {given.shape} but the model needs {shape}")
            elif not np.can_cast(given.dtype, dtype, "same_kind"):
                misfits.append(f"{name} has type {given.dtype} but the model needs {dtype}")
        faults = [("missing", missing)] * strict + [("unexpected", unexpected)] * strict + [("misfitting", misfits)]
        if told := [f"{what} {len(which)}: {_some(which)}" for what, which in faults if which]:
            hint = "; skip=(...) leaves names out" if misfits else ""
            raise CheckpointError(
                f"load_weights: {path} does not fit this {type(model).__name__}; {'; '.join(told)}{hint}; nothing has changed"
            )
        state = {name: file.read(names[name]) for name in common}
    model.load_state_dict(state, strict=False)
    return Loaded(tuple(common), tuple(missing), tuple(unexpected), tuple(skipped))


def _counts(name: str) -> bool:
    return name.rpartition(".")[2] == "num_batches_tracked"


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
