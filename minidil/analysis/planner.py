"""Planning a stack of dilated layers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from minidil.analysis.schedule import layers_of
from minidil.analysis.tables import as_html, as_text
from minidil.errors import OptionError

_HEAD = ("layer", "kernel", "stride", "dilation", "padding", "sees")


@dataclass(frozen=True, repr=False)
class Plan:
    """A schedule without holes that was asked for, and why it is this one.

    dilations, strides: one entry per layer, from the input on. reach: the receptive field per axis, at least the wanted one.
    padding of a layer: what keeps the size at stride 1, dilation (kernel_size - 1) in all.
    parameters: of all layers with the given channels and axes, biases included; None where no channels were given.
    """

    kernel_size: int
    wanted: int
    dilations: tuple[int, ...]
    strides: tuple[int, ...]
    reach: int
    parameters: int | None
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    def _table(self) -> list[tuple[str, ...]]:
        (layers,) = layers_of(*([(n,) for n in each] for each in self._settings()))
        rows: list[tuple[str, ...]] = [_HEAD]
        sees = 1
        for number, layer in enumerate(layers):
            sees += (layer.taps - 1) * layer.rate
            total = self.dilations[number] * (self.kernel_size - 1)
            padding = str(total // 2) if total % 2 == 0 else f"{total // 2}+{total - total // 2}"
            facts = (number + 1, self.kernel_size, self.strides[number], self.dilations[number], padding, sees)
            rows.append(tuple(map(str, facts)))
        return rows

    def _settings(self) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        return self.dilations, (self.kernel_size,) * len(self.dilations), self.strides

    def __repr__(self) -> str:
        return as_text(self._table(), 1, [self.reason])

    def _repr_html_(self) -> str:
        return as_html(self._table(), 1, [self.reason])


def plan(
    reach: int,
    kernel_size: int = 3,
    *,
    depth: int | None = None,
    output_stride: int = 1,
    parameters: int | None = None,
    channels: int | None = None,
    ndim: int = 1,
) -> Plan:
    """The cheapest stack of layers that sees at least `reach` positions on every axis and leaves no hole.

    Cheapest: the fewest layers, as all have one size; of schedules with as many layers the one with the smallest field that is
    large enough, and of these the one whose largest dilation is smallest, which needs the least padding.
    depth: exactly so many layers. output_stride: a power of 2; as many layers as it has factors come first, with stride 2
        and dilation 1.
    parameters: at most so many in all, with `channels` into and out of each layer over `ndim` axes, and biases.
    Raises: OptionError, with the figures, if nothing can satisfy this, or one layer sees more than `reach` already.
    """
    _check_counts(reach=reach, kernel_size=kernel_size, output_stride=output_stride, ndim=ndim)
    _check_counts(
        **{k: v for k, v in (("depth", depth), ("parameters", parameters), ("channels", channels)) if v is not None}
    )
    halvings = output_stride.bit_length() - 1
    if output_stride != 1 << halvings:
        raise OptionError(f"plan: output_stride is a power of 2, made of layers with stride 2, not {output_stride}")
    if parameters is not None and channels is None:
        raise OptionError(f"plan: a budget of {parameters} parameters says nothing without channels; pass channels=C")
    if kernel_size == 1 and reach > 1:
        raise OptionError(
            f"plan: layers of 1 tap see 1 position however many there are, not {reach}; take kernel_size >= 2"
        )
    if kernel_size > reach:
        raise OptionError(
            f"plan: a layer of {kernel_size} taps sees {kernel_size} positions, more than the {reach} that are wanted; take "
            f"kernel_size <= {reach} or reach >= {kernel_size}"
        )
    cost = None if channels is None else channels * channels * kernel_size**ndim + channels
    least = _least_depth(reach, kernel_size, halvings)
    layers = least if depth is None else depth
    if layers < max(halvings, 1):
        raise OptionError(
            f"plan: an output stride of {output_stride} takes {halvings} layers of stride 2, and depth is {layers}"
        )
    if layers < least:
        most = _most(layers, kernel_size, halvings)
        raise OptionError(
            f"plan: {_layers(layers, kernel_size)}{_strided(halvings)} can see at most {most:,} positions without "
            f"holes, not {reach:,}; "
            f"take depth >= {least} or kernel_size >= {_least_kernel(reach, layers, halvings)}"
        )
    if parameters is not None and cost is not None and layers * cost > parameters:
        affordable = parameters // cost
        sees = _most(affordable, kernel_size, halvings) if affordable >= halvings else 1
        raise OptionError(
            f"plan: {layers} layers of {cost:,} parameters each are {layers * cost:,}, over the budget of {parameters:,}, which "
            f"is enough for {affordable} and a reach of {sees:,} at most; take fewer channels than {channels}, or a smaller reach"
        )
    dilations = _dilations(reach, kernel_size, halvings, layers - halvings)
    strides = (2,) * halvings + (1,) * (layers - halvings)
    (built,) = layers_of([(n,) for n in dilations], [(kernel_size,)] * layers, [(n,) for n in strides])
    seen = 1 + sum((layer.taps - 1) * layer.rate for layer in built)
    reason = _reason(reach, kernel_size, halvings, layers, least, seen, depth is not None)
    return Plan(kernel_size, reach, dilations, strides, seen, None if cost is None else layers * cost, reason)


def _check_counts(**numbers: object) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise OptionError(f"plan: {name} must be an int >= 1, not {number!r}")


def _begun(kernel_size: int, halvings: int) -> int:
    """The field behind the layers of stride 2: rates 1, 2, 4, ..."""
    return 1 + (kernel_size - 1) * ((1 << halvings) - 1)


def _most(depth: int, kernel_size: int, halvings: int) -> int:
    """The largest field without holes: each further layer has the largest dilation whose rate is no more than what is seen."""
    seen, jump = _begun(kernel_size, halvings), 1 << halvings
    for _ in range(depth - halvings):
        seen += (kernel_size - 1) * (seen // jump) * jump
    return seen


def _least_depth(reach: int, kernel_size: int, halvings: int) -> int:
    depth = max(halvings, 1)
    while _most(depth, kernel_size, halvings) < reach:
        depth += 1
    return depth


def _least_kernel(reach: int, depth: int, halvings: int) -> int:
    kernel_size = 2
    while _most(depth, kernel_size, halvings) < reach:
        kernel_size += 1
    return kernel_size


def _dilations(reach: int, kernel_size: int, halvings: int, free: int) -> tuple[int, ...]:
    """Dilations of all layers: ones for those of stride 2, then the `free` ones.

    With a jump of J, dilations that add up to S see (K - 1) J S positions more. So S is the least that suffices, at least one per
    layer. The cap on a dilation is raised until as large ones as the rule allows add up to S; what they have too much is taken
    from the last, on which no other depends.
    """
    begun, jump = _begun(kernel_size, halvings), 1 << halvings
    if not free:
        return (1,) * halvings
    needed = max(-(-(reach - begun) // max((kernel_size - 1) * jump, 1)), free)
    enough = bisect_left(
        range(1, needed), True, key=lambda cap: sum(_capped(begun, jump, kernel_size, free, cap)) >= needed
    )
    found = _capped(begun, jump, kernel_size, free, 1 + enough)
    excess = sum(found) - needed
    for place in reversed(range(free)):
        taken = min(excess, found[place] - 1)
        found[place] -= taken
        excess -= taken
    return (1,) * halvings + tuple(sorted(found))


def _capped(seen: int, jump: int, kernel_size: int, count: int, cap: int) -> list[int]:
    found = []
    for _ in range(count):
        found.append(min(seen // jump, cap))
        seen += (kernel_size - 1) * found[-1] * jump
    return found


def _strided(halvings: int) -> str:
    return f", the first {halvings} of them with stride 2 and dilation 1," if halvings else ""


def _layers(count: int, kernel_size: int) -> str:
    return f"{count} {'layer' if count == 1 else 'layers'} of {kernel_size} {'tap' if kernel_size == 1 else 'taps'}"


def _reason(reach: int, kernel_size: int, halvings: int, layers: int, least: int, seen: int, fixed: bool) -> str:
    most = _most(layers, kernel_size, halvings)
    text = f"{_layers(layers, kernel_size)}{_strided(halvings)} can see up to {most:,} positions without holes"
    fewer = layers - 1
    if layers == least and fewer >= max(halvings, 1):
        text += f" and {fewer} up to {_most(fewer, kernel_size, halvings):,}, so {layers} is the least for {reach:,}"
    elif fixed and layers > least:
        text += f"; {least} would do for {reach:,}, and {layers} were asked for"
    over = f", the least there is over {reach:,}" if seen > reach else ""
    return f"{text}; this schedule sees {seen:,}{over}, with the smallest largest dilation"
