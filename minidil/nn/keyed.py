"""Modules in a dictionary and parameters in a list: containers for a forward that says itself how they are used."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from operator import index as as_index
from typing import Self

from minidil.errors import OptionError
from minidil.nn.module import Module
from minidil.nn.parameter import Parameter
from minidil.tensor import Tensor


class ModuleDict(Module):
    """Modules by name, in the order in which they were added.

    Raises: OptionError if an entry is no module, or its name is empty, has a dot or is that of an attribute.
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> Self:
        """Add modules, or put them in the place of those of the same name."""
        for name, module in dict(modules).items():
            self[name] = module
        return self

    def __getitem__(self, name: str) -> Module:
        if name not in self:
            raise KeyError(f"ModuleDict has no module {name!r}; there are {', '.join(self) or 'none'}")
        return self.own_children()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise OptionError(f"ModuleDict: {name!r} must be a module, not {module!r}")
        if name in self:
            setattr(self, name, module)
        else:
            self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self[name]  # raises if there is none
        delattr(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self.own_children()

    def __len__(self) -> int:
        return len(self.own_children())

    def __iter__(self) -> Iterator[str]:
        return iter(self.own_children())

    def keys(self) -> KeysView[str]:
        """The names."""
        return self.own_children().keys()

    def values(self) -> ValuesView[Module]:
        """The modules."""
        return self.own_children().values()

    def items(self) -> ItemsView[str, Module]:
        """(name, module) of each."""
        return self.own_children().items()

    def forward(self, *inputs: object, **options: object) -> Tensor:
        raise NotImplementedError("ModuleDict is not called itself: call the modules in it")


class ParameterList(Module):
    """Parameters under the names "0", "1", ... Raises: OptionError if an entry is no Parameter."""

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        super().__init__()
        self.extend(parameters)

    def append(self, parameter: Parameter) -> Self:
        """Add a parameter at the end."""
        return self.extend([parameter])

    def extend(self, parameters: Iterable[Parameter]) -> Self:
        """Add parameters at the end."""
        added = list(parameters)
        for position, parameter in enumerate(added, start=len(self)):
            if not isinstance(parameter, Parameter):
                kind = type(parameter).__name__
                raise OptionError(f"ParameterList: entry {position} must be a Parameter, not {kind}; wrap its data")
        for position, parameter in enumerate(added, start=len(self)):
            self.register_parameter(str(position), parameter)
        return self

    def __getitem__(self, index: int) -> Parameter:
        return list(self)[self._position(index)]

    def __setitem__(self, index: int, parameter: Parameter) -> None:
        setattr(self, str(self._position(index)), parameter)

    def __len__(self) -> int:
        return len(self.own_parameters())

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.own_parameters().values())

    def _position(self, index: int) -> int:
        position = as_index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"ParameterList has {len(self)} parameters, and none at index {index}")
        return position % len(self)

    def forward(self, *inputs: object, **options: object) -> Tensor:
        raise NotImplementedError("ParameterList is not called itself: iterate over it")

    def extra_repr(self) -> str:
        return ", ".join(map(repr, self))
