"""What the axes of a tensor inside a model stand for: the batch, channels, or an axis of the model's input."""

from __future__ import annotations

from dataclasses import dataclass

from minidil.analysis.taps import Slide, Taps

BATCH, CHANNEL, FLAT = -1, -2, -3  # FLAT: channels and positions joined into one axis


@dataclass(frozen=True)
class Layout:
    """The axes of a tensor.

    roles: for each axis BATCH, CHANNEL, FLAT or the number, from 0, of a spatial axis of the model's input.
    sizes: for each spatial axis of the model's input, the number of positions here; 1 where the axis is gone.
    mixed: whether all channels of a position depend on the same inputs. Channels of a concatenation do not, until a layer mixes
        them; as positions are followed with all channels together, a part of unmixed ones cannot be told from the rest.
    """

    roles: tuple[int, ...]
    sizes: tuple[int, ...]
    mixed: bool = True

    @classmethod
    def of_input(cls, shape: tuple[int, ...]) -> Layout:
        """(N, C, *S)."""
        return cls((BATCH, CHANNEL, *range(len(shape) - 2)), shape[2:])

    def identity(self) -> list[Taps]:
        """Every position reads its own."""
        return [Slide(n, n) for n in self.sizes]

    def spatial(self) -> list[tuple[int, int]]:
        """(axis of the tensor, axis of the model's input) of the spatial axes, in the order of the tensor."""
        return [(axis, role) for axis, role in enumerate(self.roles) if role >= 0]

    def resized(self, maps: list[Taps], mixed: bool | None = None, roles: tuple[int, ...] | None = None) -> Layout:
        """What is left behind these maps."""
        sizes = tuple(each.out for each in maps)
        return Layout(self.roles if roles is None else roles, sizes, self.mixed if mixed is None else mixed)
