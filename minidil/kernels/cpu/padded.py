"""Images as compiled loops read them: flat, channels last, with their padding around them if they have any."""

from __future__ import annotations

import math
from typing import Any

from minidil.array import Array
from minidil.kernels.cpu import memory
from minidil.kernels.cpu.layout import as_rows, compiled
from minidil.kernels.cpu.phases import Reading, three
from minidil.kernels.threads import run_sliced


def images_of(x: Array, size: tuple[int, ...]) -> Array:
    """(N, C, *size) -> (N, D, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x), *three(size), x.shape[1])


def with_padding(x: Array, reading: Reading) -> Array:
    """All images with their padding: for phases that read the same ones, which would each copy them."""
    if reading.padded == x.shape[1:4]:
        return x
    rooms = memory.empty((len(x), math.prod(reading.padded) * x.shape[4]), x.dtype)
    places = reading.before, reading.padded
    run_sliced(lambda start, stop: _padded_copies(x[start:stop], rooms[start:stop], *places), len(x))
    return rooms.reshape(len(x), *reading.padded, x.shape[4])


def room_for(source: Array, reading: Reading) -> Array:
    """For an image with its padding; of size 0 if it needs none."""
    needed = reading.padded != source.shape[1:4]
    return memory.empty((math.prod(reading.padded) * source.shape[4] if needed else 0,), source.dtype)


@compiled
def source_of(x: Array, image: int, room: Array, before: Any, padded: Any) -> tuple[Array, int]:
    """A flat array that holds the image with its padding, and where in it the image begins."""
    if room.size > 0:
        _padded_copy(x[image], room, before, padded)
        return room, 0
    return x.reshape(x.size), image * (x.size // len(x))


@compiled
def _padded_copies(images: Array, rooms: Array, before: Any, padded: Any) -> None:
    for n in range(len(images)):
        _padded_copy(images[n], rooms[n], before, padded)


@compiled
def _padded_copy(image: Array, room: Array, before: Any, padded: Any) -> None:
    """Write image (D, H, W, C) into the room, of size `padded`, with zeros around it."""
    depth, height, width, channels = image.shape
    line = padded[2] * channels
    first, count = before[2] * channels, width * channels
    for d in range(padded[0]):
        for h in range(padded[1]):
            at = (d * padded[1] + h) * line
            inside = 0 <= d - before[0] < depth and 0 <= h - before[1] < height
            if not inside:
                room[at : at + line] = 0
                continue
            row = image[d - before[0], h - before[1]].reshape(count)
            room[at : at + first] = 0
            for i in range(count):
                room[at + first + i] = row[i]
            room[at + first + count : at + line] = 0
