"""Pictures of what is reached, as SVG: plain text, the same for the same numbers, without ids.

Colours stand for numbers of paths. Numbers are told apart by how many bits they have: class 1 begins with the fewest that occur,
and each class takes m numbers of bits, with the smallest m for which six classes are enough. 0 inside the field is a hole.
Neighbouring cells of one class become one rectangle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

CLASSES = 6
HOLE = CLASSES + 1
# One hue, from light to dark: without colour vision the order is the same. Holes are orange (Okabe and Ito 2008).
COLOURS = ("none", "#c3dcf2", "#92c1e6", "#5fa2d3", "#2f7ab8", "#135594", "#08306b", "#d55e00")
MOST_RECTANGLES = 1500
GRID = 40  # larger maps have no lines between their cells
BARS = 100  # units of height that the most paths have

Box = Sequence[tuple[int, int]]


Scale: TypeAlias = tuple[int, int]


def scale_of(numbers: Iterable[int]) -> Scale:
    """The fewest bits that a number of paths has, and how many numbers of bits a class takes."""
    bits = [number.bit_length() for number in numbers if number]
    return (min(bits), -(-(max(bits) - min(bits) + 1) // CLASSES)) if bits else (1, 1)


def class_of(number: int, scale: Scale) -> int:
    """The class of a number of paths; 0 is in none."""
    return -(-(number.bit_length() - scale[0] + 1) // scale[1]) if number else 0


def legend(numbers: Sequence[int]) -> list[str]:
    """What each class that there is stands for."""
    (first, bits), positive = scale_of(numbers), [number for number in numbers if number]
    words = []
    for number in range(1, class_of(max(positive, default=0), (first, bits)) + 1):
        low = max(1 << first + bits * (number - 1) - 1, min(positive))
        high = min((1 << first + bits * number - 1) - 1, max(positive))
        words.append("–".join(dict.fromkeys((short(low), short(high)))))
    return words


def coverage_map(counted: NDArray[np.float64], box: Box) -> tuple[str, int]:
    """What stands in an <svg> with a viewBox of one unit per position: classes c1 .. c6, holes, lines, and the field's frame.

    counted: paths per position (H, W) or (W,). box: the first position and the one behind the last, per axis.
    And how many positions an axis of a square stands for: more than 1 where there would be too many, and then it has the colour
    of the fewest paths in it.
    """
    paths = counted.reshape((-1, counted.shape[-1]))
    (top, bottom), (left, right) = box if len(box) == 2 else ((0, 1), *box)
    scale = scale_of(map(int, counted.ravel().tolist()))
    step = 1
    while True:
        classes = [[class_of(int(number), scale) for number in row] for row in _merged(paths, step).tolist()]
        for y in range(top // step, -(-bottom // step)):
            for x in range(left // step, -(-right // step)):
                classes[y][x] = classes[y][x] or HOLE
        found = rectangles(classes)
        if sum(map(len, found.values())) <= MOST_RECTANGLES:
            break
        step *= 2
    larger = f' transform="scale({step})"' if step > 1 else ""
    height, width = paths.shape
    lines = grid(height, width) if max(height, width) <= GRID else ""
    frame = f'<rect class="frame" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}"/>'
    return f"<g{larger}>{drawn(found)}</g>{lines}{frame if right > left and bottom > top else ''}", step


def _merged(paths: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    """The fewest paths in each square of step x step positions."""
    for axis in (0, 1):
        starts = np.arange(0, paths.shape[axis], step)
        paths = np.minimum.reduceat(paths, starts, axis=axis)
    return paths


def rectangles(classes: Sequence[Sequence[int]]) -> dict[int, list[str]]:
    """By class, the rectangles of equal cells, as parts of the d of a <path>; of class 0 there are none."""
    found: dict[int, list[str]] = {}
    y = 0
    for row, same in groupby(classes):
        height, x = len(list(same)), 0
        for number, run in groupby(row):
            width = len(list(run))
            if number:
                found.setdefault(number, []).append(f"M{x} {y}h{width}v{height}h-{width}z")
            x += width
        y += height
    return found


def drawn(found: dict[int, list[str]]) -> str:
    """The <path>s of the classes, in order."""
    return "".join(f'<path class="c{number}" d="{"".join(found[number])}"/>' for number in sorted(found))


def grid(height: int, width: int) -> str:
    """The lines between cells."""
    across = "".join(f"M0 {y}h{width}" for y in range(height + 1))
    return f'<path class="grid" d="{across}{"".join(f"M{x} 0v{height}" for x in range(width + 1))}"/>'


def bars(paths: Sequence[int], first: int, size: int) -> tuple[str, str]:
    """Paths to every position along an axis, padding included, and the viewBox: bars up, holes down, the real input below.

    Neighbours of one class have one outline.
    """
    low, high = min(first, 0), max(first + len(paths), size)
    most, scale = max(paths, default=0), scale_of(paths)
    found: dict[int, list[str]] = {}
    x = first - low
    for number, run in groupby(paths, lambda paths: class_of(paths, scale) or HOLE):
        start, outline = x, ""
        for value, same in groupby(run):
            width = len(list(same))
            top = BARS + 12 if not value else BARS - max((2 * BARS * value + most) // (2 * most), 1)
            outline += f"V{top}h{width}"
            x += width
        found.setdefault(number, []).append(f"M{start} {BARS}{outline}V{BARS}z")
    real = f'<rect class="real" x="{-low}" y="{BARS + 16}" width="{size}" height="8"/>'
    return drawn(found) + real, f"0 0 {high - low} {BARS + 24}"


def plain(svg: str) -> str:
    """A drawing whose classes are colours, for places that have no style sheet."""
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(f'class="c{number}"', f'fill="{colour}"')
    svg = svg.replace('class="real"', 'fill="#999"')
    svg = svg.replace('class="grid"', 'fill="none" stroke="#bbb" stroke-width=".04"')
    return svg.replace(
        'class="frame"', 'fill="none" stroke="#d55e00" stroke-width="2" vector-effect="non-scaling-stroke"'
    )


def short(number: int) -> str:
    """Up to a million in full, beyond as a power of two with a digit after the point."""
    if number < 1_000_000:
        return f"{number:,}"
    exponent = number.bit_length() - 1
    return f"2^{exponent}"
