"""Modules that hold a sequence of modules, under the names "0", "1", ... or under names of your own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from operator import index as as_index
from typing import Self, overload

from minidil.errors import OptionError
from minidil.nn.module import Module
from minidil.nn.norm import joins
from minidil.tensor import Tensor


class _Sequence(Module):
    """Indexing, length, iteration and growth, for both containers."""

    def __init__(self, modules: Iterable[Module]) -> None:
        super().__init__()
        self.extend(modules)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        return self.extend([module])

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        added = list(modules)
        for position, module in enumerate(added, start=len(self)):
            if not isinstance(module, Module):
                raise OptionError(f"{type(self).__name__}: entry {position} must be a module, not {_described(module)}")
        for position, module in enumerate(added, start=len(self)):
            self.add_module(str(position), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at `index`; those from there on move up by one number.

        Raises: OptionError if it is no module, or if the modules have names of their own, which cannot move up.
        """
        if not isinstance(module, Module):
            raise OptionError(f"{type(self).__name__}: entry {index} must be a module, not {_described(module)}")
        if not self._numbered():
            raise OptionError(
                f"{type(self).__name__}: insert works with numbered modules; these have names of their own"
            )
        modules = list(self)
        modules.insert(as_index(index), module)
        for name in self.own_children():
            delattr(self, name)
        return self.extend(modules)

    def __delitem__(self, index: int) -> None:
        name, numbered = self._name(index), self._numbered()
        delattr(self, name)
        if numbered:
            rest = list(self)
            for name in self.own_children():
                delattr(self, name)
            self.extend(rest)

    def _numbered(self) -> bool:
        return list(self.own_children()) == [str(number) for number in range(len(self))]

    def __len__(self) -> int:
        return len(self.own_children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self.own_children().values())

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> _Sequence: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            part = Sequential() if isinstance(self, Sequential) else ModuleList()
            if self._numbered():
                return part.extend(list(self)[index])
            for name, module in list(self.own_children().items())[index]:
                part.add_module(name, module)
            return part
        return self.own_children()[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        if not isinstance(module, Module):
            raise OptionError(f"{type(self).__name__}: entry {index} must be a module, not {_described(module)}")
        setattr(self, self._name(index), module)

    def _name(self, index: int) -> str:
        position = as_index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"{type(self).__name__} has {len(self)} modules, and none at index {index}")
        return list(self.own_children())[position]


class Sequential(_Sequence):
    """Modules applied one after the other: Sequential(Conv2d(3, 8, 3), ReLU()).

    A dict (or OrderedDict) in place of the modules gives them names: Sequential({"conv": Conv2d(3, 8, 3), "act": ReLU()}).
    Indexing gives a module, slicing a Sequential of the same modules, which share their parameters with this one.
    Batch norm and a ReLU right after it go over the memory once, unless a hook or `watch` is to see what lies between.
    Raises: OptionError if an entry is no module.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        named = modules[0] if len(modules) == 1 and isinstance(modules[0], Mapping) else {}
        super().__init__(() if named else modules)  # type: ignore[arg-type]  # extend says what is no module
        for name, module in named.items():
            if not isinstance(module, Module):
                raise OptionError(f"Sequential: entry {name!r} must be a module, not {_described(module)}")
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        modules = list(self)
        while modules:
            module = modules.pop(0)
            if modules and joins(module, modules[0]):
                x = module(x, then="relu")
                modules.pop(0)
            else:
                x = module(x)
        return x


class ModuleList(_Sequence):
    """Modules in a list, for a forward that says itself how they are used.

    Raises: OptionError if an entry is no module.
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__(modules)

    def forward(self, *inputs: object, **options: object) -> Tensor:
        raise NotImplementedError("ModuleList is not called itself: iterate over it, or use Sequential")


def _described(value: object) -> str:
    if isinstance(value, type) and issubclass(value, Module):
        return f"the class {value.__name__}; write {value.__name__}(...)"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__}; unpack it with *"
    return repr(value)
