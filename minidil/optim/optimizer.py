"""What all optimizers share: groups of parameters with their options, the state of each parameter, saving and loading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import partial
from numbers import Real
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np

from minidil.array import OnDevice
from minidil.calls.words import understood
from minidil.errors import CheckpointError, OptionError
from minidil.kernels.backend import active
from minidil.names import lookup
from minidil.rows import Rows
from minidil.tensor import Tensor

Group: TypeAlias = dict[str, Any]
_method = partial(understood, method=True)
Params: TypeAlias = "Iterable[Tensor] | Iterable[Mapping[str, Any]]"


class Optimizer:
    """Groups of parameters, each with its own options; subclasses say how one parameter moves.

    params: an iterable of tensors (`model.parameters()`), or of groups {"params": tensors, option: value, ...} whose
        options override those of the constructor.
    param_groups: the groups as a list of dicts. Setting group["lr"] is how schedules work.
    Raises: OptionError if there are no parameters, one occurs twice or is no leaf, an option is unknown or out of range.
    """

    state_arrays: ClassVar[tuple[str, ...]] = ()  # what is kept per parameter, each of the parameter's shape
    sometimes: ClassVar[tuple[str, ...]] = ()  # what is kept as well, if an option asks for it
    state_counts: ClassVar[tuple[str, ...]] = ()  # and the whole numbers beside them

    def __init_subclass__(cls) -> None:
        if "__init__" in vars(cls):
            cls.__init__ = understood(cls.__init__, cls.__name__, method=True)  # type: ignore[method-assign]

    def __init__(self, params: Params, **defaults: Any) -> None:
        if isinstance(params, Tensor | Mapping):
            raise OptionError(
                f"{self._name}: params is an iterable of tensors or groups, so write [params] for a single one"
            )
        if hasattr(params, "named_parameters") or callable(params):
            given = "a method; call it" if callable(params) and hasattr(params, "__self__") else "a model"
            raise OptionError(f"{self._name}: params is {given}: pass model.parameters()")
        entries: list[Any] = list(params)
        if not entries:
            raise OptionError(f"{self._name}: there are no parameters; is params an iterator that was used up before?")
        if not isinstance(entries[0], Mapping):
            entries = [{"params": entries}]
        self.param_groups: list[Group] = [self._group(entry, defaults, number) for number, entry in enumerate(entries)]
        self._check_parameters()
        self._state: dict[int, dict[str, Any]] = {}  # by the id of the parameter, once it has moved
        self._of_rows: dict[tuple[int, str], Any] = {}  # arrays of the state that `_move_rows` made, and may write into

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.options:
            raise OptionError(
                f"{self._name}: {name} is an option of a group, and setting it here would do nothing; "
                f"write optimizer.param_groups[0][{name!r}] = {value!r}"
            )
        super().__setattr__(name, value)

    if not TYPE_CHECKING:  # which would see every attribute

        def __getattr__(self, name: str) -> Any:
            lookup.of_object("Optimizer", self, name)

    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options that each group has."""
        groups: list[Group] = vars(self).get("param_groups", [])
        return tuple(name for name in groups[0] if name != "params") if groups else ()

    def __repr__(self) -> str:
        shared = [
            name for name in self.options if all(g[name] == self.param_groups[0][name] for g in self.param_groups)
        ]
        shown = [f"{name}={self.param_groups[0][name]!r}" for name in shared]
        if len(self.param_groups) == 1:
            return f"{self._name}({', '.join([*shown, _counted(self._parameters())])})"
        own = [
            ", ".join(
                [*(f"{name}={group[name]!r}" for name in self.options if name not in shared), _counted(group["params"])]
            )
            for group in self.param_groups
        ]
        lines = [", ".join(shown), *(f"group {number}: {each}" for number, each in enumerate(own))]
        return f"{self._name}(\n  " + "\n  ".join(filter(None, lines)) + "\n)"

    @_method
    def step(self) -> None:
        """Move every parameter that has a gradient. Values are replaced, never written into.

        Of a sparse gradient (`nn.Embedding`, sparse=True) the rows that it has are moved, and so are their momenta and averages,
        and their weight decays; all other rows stay as they are. That is PyTorch's SparseAdam, with Adam's count of steps for
        all rows, and it is what its SGD does for momentum 0.
        """
        place = active().place
        for group in self.param_groups:
            self.check(group)
            for parameter in group["params"]:
                if parameter.grad is not None and isinstance(parameter.grad._array, Rows):
                    self._move_rows(parameter, parameter.grad._array, group)
                elif parameter.grad is not None:
                    state = self._state.setdefault(id(parameter), {})
                    state.update(
                        {name: place(state[name]) for name in (*self.state_arrays, *self.sometimes) if name in state}
                    )
                    parameter.data = self.update(place(parameter.data), place(parameter.grad.data), state, group)

    def _move_rows(self, parameter: Tensor, grad: Rows, group: Group) -> None:
        """Move the rows of a table that have a gradient, as if each were a parameter; the others and their state stay."""
        state = self._state.setdefault(id(parameter), {})
        theta, place = np.array(parameter.data), active().place
        kept = {name: np.asarray(state[name]) for name in (*self.state_arrays, *self.sometimes) if name in state}
        own = {**state, **{name: place(array[grad.index]) for name, array in kept.items()}}
        theta[grad.index] = np.asarray(self.update(place(theta[grad.index]), place(grad.values), own, group))
        for name, value in own.items():
            if name in self.state_counts:
                state[name] = value
                continue
            whole = np.zeros_like(theta) if name not in kept else kept[name]
            if name in kept and self._of_rows.get((id(parameter), name)) is not whole:
                whole = whole.copy()
            whole[grad.index] = np.asarray(value)
            state[name] = self._of_rows[id(parameter), name] = whole
        parameter._array = theta  # made above, so that it need not be copied

    @_method
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def update(self, theta: Any, grad: Any, state: dict[str, Any], group: Group) -> Any:
        """The new value of a parameter; `state`, empty at first, is changed to what the next update needs."""
        raise NotImplementedError(f"{type(self).__name__} has no update()")

    def check(self, group: Group) -> None:
        """Raise an OptionError for an option out of range. It is called before every step, since options may be set."""
        for name in ("lr", "weight_decay"):
            self.require(name, group[name], "a finite number >= 0", lambda value: 0 <= value < math.inf)

    def require(self, name: str, value: object, wanted: str, test: Callable[[float], bool]) -> None:
        """Raise an OptionError that says what `name` must be, unless its value is a number that passes the test."""
        if not isinstance(value, Real) or not test(float(value)):
            raise OptionError(f"{self._name}: {name} must be {wanted}, not {value!r}")

    # --- saving and loading

    def state_dict(self) -> dict[str, Any]:
        """Everything but the parameters, as plain dicts and lists of numbers and (copied) arrays.

        {"groups": [{option: value, ..., "params": number of parameters}], "state": one dict per parameter, in order}
        """
        return {
            "groups": [{**_options(group), "params": len(group["params"])} for group in self.param_groups],
            "state": [_saved(self._state.get(id(parameter), {})) for parameter in self._parameters()],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, for the same parameters in the same groups and order.

        Raises: CheckpointError that lists what does not fit; then nothing has changed.
        """
        parameters = self._parameters()
        faults = self._faults(state, parameters)
        if faults:
            raise CheckpointError(f"{self._name}: this state is not one of these parameters; " + "; ".join(faults))
        for group, saved in zip(self.param_groups, state["groups"], strict=True):
            group.update({name: deepcopy(saved[name]) for name in _options(group)})
        pairs = zip(parameters, state["state"], strict=True)
        self._state = {id(parameter): deepcopy(dict(saved)) for parameter, saved in pairs if saved}

    def _faults(self, state: Mapping[str, Any], parameters: list[Tensor]) -> list[str]:
        try:
            groups = [
                ({name for name in saved if name != "params"}, index(saved["params"])) for saved in state["groups"]
            ]
            entries = [dict(entry.items()) for entry in state["state"]]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            return [f"it lacks the structure of one ({type(error).__name__}: {error})"]
        expected = [(set(_options(group)), len(group["params"])) for group in self.param_groups]
        if [size for _, size in groups] != [size for _, size in expected]:
            return [f"its groups have {[n for _, n in groups]} parameters, the optimizer's {[n for _, n in expected]}"]
        if len(entries) != len(parameters):
            return [f"it has {len(entries)} entries for {len(parameters)} parameters"]
        faults = [
            f"group {number} has the options {sorted(names)}, the optimizer's {sorted(wanted)}"
            for number, ((names, _), (wanted, _)) in enumerate(zip(groups, expected, strict=True))
            if names != wanted
        ]
        if faults:
            return faults
        for number, (group, saved) in enumerate(zip(self.param_groups, state["groups"], strict=True)):
            faults += self._option_faults(number, group, saved)
        for number, (entry, parameter) in enumerate(zip(entries, parameters, strict=True)):
            faults += self._entry_faults(f"parameter {number} of shape {parameter.shape}", entry, parameter)
        return faults

    def _option_faults(self, number: int, group: Group, saved: Mapping[str, Any]) -> list[str]:
        """What is wrong with the saved options of a group: each must be one that could have been given."""
        for name, present in _options(group).items():
            if isinstance(present, bool) != isinstance(saved[name], bool):
                return [f"group {number} has {saved[name]!r} for {name}"]
        try:
            self.check({**group, **saved})
        except OptionError as error:
            return [f"group {number}: {error}"]
        return []

    def _entry_faults(self, parameter: str, entry: Mapping[str, Any], like: Tensor) -> list[str]:
        """What is wrong with what is kept of one parameter: finite arrays of its shape, and counts of at least 1."""
        faults = []
        optional = [name for name in self.sometimes if name in entry]
        for name in (*self.state_arrays, *optional) if entry else ():
            found = _described(entry[name]) if name in entry else "nothing"
            if found != f"shape {like.shape}":
                faults.append(f"{parameter} has {found} for {name}")
        for name in self.state_counts if entry else ():
            count = entry.get(name)
            if not isinstance(count, int) or isinstance(count, bool) or not 0 < count < 2**63:
                faults.append(f"{parameter} has {count!r} for {name}")
        return faults

    # --- groups

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _group(self, entry: object, defaults: Group, number: int) -> Group:
        if not isinstance(entry, Mapping) or "params" not in entry:
            raise OptionError(
                f'{self._name}: group {number} must be a dict with "params", like the first; it is {entry!r}'
            )
        for name in entry:
            if name != "params" and name not in defaults:
                close = get_close_matches(str(name), defaults)
                meant = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(defaults)}"
                raise OptionError(f"{self._name}: unknown option {name!r} in group {number}; {meant}")
        params = entry["params"]
        group = {**defaults, **entry, "params": [params] if isinstance(params, Tensor) else list(params)}
        self.check(group)
        return group

    def _check_parameters(self) -> None:
        seen: set[int] = set()
        for number, parameter in enumerate(self._parameters()):
            if not isinstance(parameter, Tensor):
                raise OptionError(f"{self._name}: parameter {number} must be a tensor, not {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise OptionError(
                    f"{self._name}: parameter {number} {parameter.shape} was computed from others; only leaves move"
                )
            if id(parameter) in seen:
                raise OptionError(
                    f"{self._name}: parameter {number} {parameter.shape} occurs twice and would move twice"
                )
            seen.add(id(parameter))


def _counted(parameters: list[Tensor]) -> str:
    """2 parameters, 20 numbers."""
    numbers = sum(parameter.size for parameter in parameters)
    return f"{len(parameters):,} parameter{'s' * (len(parameters) != 1)}, {numbers:,} number{'s' * (numbers != 1)}"


def _saved(state: dict[str, Any]) -> dict[str, Any]:
    """A copy of the state of one parameter, on the host."""
    return {
        name: np.asarray(value) if isinstance(value, OnDevice) else deepcopy(value) for name, value in state.items()
    }


def _described(value: Any) -> str:
    """The shape of an array of finite numbers, or what is there in its place."""
    if isinstance(value, OnDevice):
        return f"shape {value.shape}"
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return f"{value!r:.60}"
    bad = value.size - int(np.count_nonzero(np.isfinite(value)))
    return f"{bad:,} of {value.size:,} values that are not finite" if bad else f"shape {value.shape}"


def _options(group: Group) -> Group:
    """The options of a group, with lists for tuples, as a file would give them back."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in group.items() if name != "params"
    }
