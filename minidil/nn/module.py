"""Module: what every layer and model is. Its attributes are its structure; there is no registry beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike

from minidil.array import Array, OnDevice
from minidil.calls.words import of_class, understood
from minidil.errors import DtypeError, MinidilError, OptionError
from minidil.names import lookup
from minidil.nn.checks import input_advice
from minidil.nn.field import Field
from minidil.nn.hook import Handle, Hook, PreHook, after, before
from minidil.nn.parameter import Parameter
from minidil.nn.state import Ignored, load_state, state_of
from minidil.nn.summary import Summary, summarise
from minidil.nn.watch import notify
from minidil.operand import as_array
from minidil.tensor import Tensor

_method = partial(understood, method=True)


class _Built(type):
    """Notes when the whole chain of __init__ has run, after which a new attribute can only be a typo."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__module__.startswith("minidil."):
            (_, *args), kwargs = of_class(cls).bind((cls, *args), kwargs)  # type: ignore[assignment]
        module = super().__call__(*args, **kwargs)
        if "_built" not in vars(module):
            raise AttributeError(f"{cls.__name__}.__init__ must call super().__init__() first")
        vars(module)["_built"] = True
        return module


class Module(metaclass=_Built):
    """A function of tensors with parameters. Subclasses assign their parts in __init__ and define forward.

        class Net(Module):
            def __init__(self):
                super().__init__()
                self.conv = Conv2d(3, 8, 3, dilation=2)

            def forward(self, x):
                return F.relu(self.conv(x))

    Attributes that are Parameters, Modules or registered buffers are found by name, in the order of their assignment.
    Each keeps its kind: a Parameter can be replaced by a Parameter or None, never silently by something untrained.
    After construction only existing attributes can be set, so that a typo raises AttributeError.
    """

    casts: ClassVar[bool] = True  # whether an input has the number type of the parameters
    training: bool
    frozen: bool = False  # whether it stays in evaluation mode, whatever `train` says
    _buffers: set[str]
    _hooks: dict[int, Hook]
    _pre_hooks: dict[int, PreHook]

    def __init__(self) -> None:
        vars(self).update(training=True, _buffers=set(), _hooks={}, _pre_hooks={}, _built=False)

    def __setattr__(self, name: str, value: object) -> None:
        own, cls = vars(self), type(self)
        self._require_init(name)
        if isinstance(getattr(cls, name, None), FunctionType) and not callable(value):
            raise AttributeError(f"{cls.__name__}.{name} is a method: call it, or choose another name")
        if own["_built"] and name not in own and not hasattr(cls, name):
            close = get_close_matches(name, [known for known in own if not known.startswith("_")])
            meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise AttributeError(f"{cls.__name__} has no attribute {name!r}{meant} (new ones are made in __init__)")
        super().__setattr__(name, self._admitted(name, value))

    def _require_init(self, name: str) -> None:
        if "_built" not in vars(self):
            raise AttributeError(f"{type(self).__name__}.__init__ must call super().__init__() before it sets {name!r}")

    def _admitted(self, name: str, value: object) -> object:
        """The value as it will be stored, or an OptionError that says why it must not be."""
        where, current = f"{type(self).__name__}.{name}", vars(self).get(name)
        if value is None:
            return None
        if name in self._buffers:
            return _buffer(where, value)
        for kind in (Parameter, Module):
            if isinstance(current, kind) and not isinstance(value, kind):
                hint = "; to change its value, set .data" if kind is Parameter else ""
                raise OptionError(
                    f"{where} is a {kind.__name__} and stays one (or None), not {type(value).__name__}{hint}"
                )
        if isinstance(value, Tensor) and value.requires_grad and value.is_leaf and not isinstance(value, Parameter):
            raise OptionError(
                f"{where}: a tensor that requires a gradient is trained only as a Parameter; wrap its data"
            )
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        if any(isinstance(item, Module | Parameter) for item in items):
            raise OptionError(
                f"{where}: what is in a {type(value).__name__} is not found by parameters(); use ModuleList"
            )
        if isinstance(value, Module) and any(part is self for part in value.modules()):
            raise OptionError(f"{where}: a module cannot contain itself")
        return value

    def register_buffer(self, name: str, value: Array | None) -> None:
        """Add an array that belongs to the state but is not trained. It is stored as a read-only copy; None has no state."""
        self._register(name, value, buffer=True)

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """Add a parameter under a name that is computed, or after construction."""
        self._register(name, value)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name that is computed, or after construction."""
        self._register(name, module)

    def _register(self, name: str, value: object, buffer: bool = False) -> None:
        self._require_init(name)
        if "." in name or not name or name in vars(self) or hasattr(type(self), name):
            raise OptionError(
                f"{type(self).__name__}: {name!r} cannot name a new part: it is empty, has a dot or is taken"
            )
        if buffer:
            self._buffers.add(name)
        vars(self)[name] = None
        setattr(self, name, value)

    # --- the parts, by name

    if not TYPE_CHECKING:  # which would see every attribute

        def __getattr__(self, name: str) -> Any:
            lookup.of_object("Module", self, name)

    def own_parameters(self) -> dict[str, Parameter]:
        """The parameters of this module itself, by attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Parameter)}

    def own_buffers(self) -> dict[str, Array]:
        """The buffers of this module itself, by attribute."""
        return {name: value for name, value in vars(self).items() if name in self._buffers and value is not None}

    def own_children(self) -> dict[str, Module]:
        """The modules directly inside this one, by attribute."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(attribute, module) of every direct child, a shared one once."""
        seen: set[int] = set()
        for name, child in self.own_children().items():
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """Every direct child, a shared one once."""
        return (child for _, child in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """("", self), then every module below with its dotted name, parents first, a shared one once."""
        seen: set[int] = set()
        pending: list[tuple[str, Module]] = [("", self)]
        while pending:
            prefix, module = pending.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield prefix, module
            below = [(f"{prefix}.{name}" if prefix else name, child) for name, child in module.named_children()]
            pending.extend(reversed(below))

    def modules(self) -> Iterator[Module]:
        """This module and every one below it, once."""
        return (module for _, module in self.named_modules())

    @_method
    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter), a shared parameter once, under its first name."""
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, parameter in module.own_parameters().items():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    yield f"{prefix}.{name}" if prefix else name, parameter

    @_method
    def parameters(self) -> Iterator[Parameter]:
        """Every parameter, once: what an optimizer takes."""
        return (parameter for _, parameter in self.named_parameters())

    @_method
    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """(dotted name, array) of every buffer that is not None."""
        for prefix, module in self.named_modules():
            for name, value in module.own_buffers().items():
                yield f"{prefix}.{name}" if prefix else name, value

    @_method
    def buffers(self) -> Iterator[Array]:
        """Every buffer that is not None."""
        return (value for _, value in self.named_buffers())

    # --- modes

    def train(self, mode: bool = True) -> Self:
        """Set training mode here and below: batch norm, unless frozen, tracks the batch's statistics; dropout drops."""
        self.training = mode and not self.frozen
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: train(False)."""
        return self.train(False)

    def freeze(self) -> Self:
        """Stop training these parameters, drop their gradients, and keep the running statistics as they are.

        Batch norm stays in evaluation mode until `unfreeze`: statistics that followed other images would change what the
        weights behind them get, which stand still. `train.freeze` does the same by name.
        """
        for module in self.modules():
            if module.own_buffers():
                module.frozen, module.training = True, False
        return self.requires_grad_(False)

    def unfreeze(self) -> Self:
        """Train these parameters again, and let batch norm below be in the mode of this module, or of the next `train`."""
        for module in self.modules():
            if module.frozen:
                module.frozen, module.training = False, self.training
        return self.requires_grad_()

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether these parameters get gradients, and nothing else: as in PyTorch, batch norm goes on tracking statistics."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
            parameter.grad = parameter.grad if requires_grad else None
        return self

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call function(module) for every module below and at last for this one, say to set initial weights."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    @_method
    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def astype(self, dtype: DTypeLike) -> Self:
        """Turn parameters and floating-point buffers into float32 or float64, gradients being dropped.

        Parameters become new objects, and shared ones stay shared: build the optimizer afterwards.
        Raises: DtypeError if the type is not a floating-point one.
        """
        kind = np.dtype(dtype)
        if kind.kind != "f":
            raise DtypeError(f"{type(self).__name__}.astype: parameters are floating-point numbers, not {kind}")
        converted: dict[int, Parameter] = {}
        for module in list(self.modules()):
            for name, old in module.own_parameters().items():
                new = converted.setdefault(id(old), Parameter(old.numpy().astype(kind), old.requires_grad))
                setattr(module, name, new)
            for name, array in module.own_buffers().items():
                if array.dtype.kind == "f":
                    setattr(module, name, np.asarray(array).astype(kind))
        return self

    # --- state

    @_method
    def state_dict(self) -> dict[str, Array]:
        """A copy of every parameter and buffer, under PyTorch's names; a shared one under each of its names."""
        return state_of(self)

    @_method
    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Ignored:
        """Set parameters and buffers from arrays by name; another floating-point precision is converted.

        strict: missing and unexpected keys raise; otherwise they are returned as (missing_keys, unexpected_keys).
        Raises: CheckpointError that lists every missing, unexpected and misfitting key; then nothing has changed.
        """
        return load_state(self, state, strict)

    # --- running

    def __call__(self, *inputs: Any, **options: Any) -> Tensor:
        try:
            inputs = before(self, self._pre_hooks, inputs)
            output = after(self, self._hooks, inputs, self.forward(*inputs, **options))
        except (MinidilError, AttributeError, TypeError) as error:
            if advice := input_advice(self, inputs, error):
                error = DtypeError(advice)
            elif not isinstance(error, MinidilError):
                raise
            settings = f"({self.extra_repr()})" if self.extra_repr() else ""
            error.add_note(f"in {type(self).__name__}{settings}")
            if advice:
                raise error from None
            raise
        notify(self, inputs, output)
        return output

    def forward(self, *inputs: Any, **options: Any) -> Tensor:
        """The computation. Call the module itself, `module(x)`, so that `watch` sees it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define what it computes from its inputs")

    def register_forward_hook(self, hook: Hook) -> Handle:
        """Call hook(module, inputs, output) after each forward of this module; what it returns, unless None, is the output.

        `remove()` of the handle takes it away. To look into a whole model for a while, use `watch`.
        """
        return Handle(self._hooks, hook)

    def register_forward_pre_hook(self, hook: PreHook) -> Handle:
        """Call hook(module, inputs) before each forward; what it returns, unless None, is the inputs (a tuple, or the one)."""
        return Handle(self._pre_hooks, hook)

    # --- description

    def summary(self, input_shape: tuple[int, ...], batch_size: int = 1) -> Summary:
        """A table of the layers that run on an input of (batch_size, *input_shape); print it.

        input_shape: without the batch axis, (C, *S). The model is run once, in evaluation mode, on zeros.
        """
        return summarise(self, input_shape, batch_size)

    def multiply_adds(self, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
        """Multiplications with a weight when input_shape becomes output_shape: 0 unless a layer says otherwise."""
        return 0

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        """What an output position of this layer sees, if an input position sees `before`: the same, unless it has a window."""
        return before

    def extra_repr(self) -> str:
        """The settings of a layer, for print(model)."""
        return ""

    def __repr__(self) -> str:
        parts = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.own_children().items()]
        if not parts:
            return f"{type(self).__name__}({self.extra_repr()})"
        settings = [self.extra_repr()] if self.extra_repr() else []
        return f"{type(self).__name__}(\n  " + "\n  ".join(settings + parts) + "\n)"


def _buffer(where: str, value: object) -> Array:
    """A read-only copy: a recorded graph may hold it."""
    if isinstance(value, Tensor | Module):
        raise OptionError(f"{where} is a buffer: it takes an array (x.numpy()) or None, not {type(value).__name__}")
    if isinstance(value, OnDevice):
        return as_array(value)  # never written into
    array = np.array(value)
    array.flags.writeable = False
    return array
