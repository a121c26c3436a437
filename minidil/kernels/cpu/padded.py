"""Images as compiled loops read them: flat, channels last, with their padding around them if they have any."""

from __future__ import annotations

import math
from typing import Any

from minidil.array import Array
from minidil.kernels.cpu import memory, pointwise
from minidil.kernels.cpu.layout import as_rows, compiled
from minidil.kernels.cpu.phases import Reading, three
from minidil.kernels.geometry import Window
from minidil.kernels.threads import run_sliced

_SMALL = 512  # positions; in a larger image the last few take no time


def images_of(x: Array, size: tuple[int, ...]) -> Array:
    """(N, C, *size) -> (N, D, H, W, C), contiguous."""
    return as_rows(x).reshape(len(x), *three(size), x.shape[1])


def as_one(images: Array, window: Window) -> tuple[Array, Window]:
    """The images as one, and a window along it, if they are small and each result is made of one position alone.

    Whatever is done with several positions at a time would stop at the end of each image.
    """
    count = math.prod(window.size)
    if len(images) < 2 or count >= _SMALL or not pointwise.applies(window):
        return images, window
    return images.reshape(1, 1, 1, -1, images.shape[4]), Window.of((len(images) * count,), 1)


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
    """Write image (D, H, W, C) into the room, of size `padded`, with zeros around it: all that precede a line, in one piece."""
    depth, height, width, channels = image.shape
    count, flat, done = width * channels, image.reshape(image.size), 0
    for d in range(depth):
        for h in range(height):
            at = (((d + before[0]) * padded[1] + h + before[1]) * padded[2] + before[2]) * channels
            line, start = room[at : at + count], (d * height + h) * count
            row = flat[start : start + count]
            _clear(room, done, at)
            for i in range(count):
                line[i] = row[i]
            done = at + count
    _clear(room, done, room.size)


@compiled
def _clear(room: Array, first: int, last: int) -> None:
    """As a loop, which the compiler knows how to write; an assignment to a slice takes three times as long."""
    part = room[first:last]
    for i in range(len(part)):  # counted from 0, since a number below it would count from the end
        part[i] = 0
