"""What the steps of kernels/cpu/registers.py do, in NumPy: a tile is an array of rows. Nothing is compiled."""

import numpy as np

from minidil.kernels.cpu.registers import BYTES, COLUMNS, ROWS, lanes, tile_for, tile_or_half_for, width_of

__all__ = [
    "BYTES",
    "COLUMNS",
    "ROWS",
    "add_to",
    "equal_rows",
    "lanes",
    "multiply_add",
    "multiply_add_each",
    "numbers_at",
    "store",
    "sums_of_rows",
    "taken",
    "tile_for",
    "tile_or_half_for",
    "width_of",
]


def multiply_add(tile, left, starts, k, right, at):
    return tile + left[np.asarray(starts) + k][:, None] * right[at : at + tile.shape[1]]


def multiply_add_each(tile, left, starts, k, right, at):
    numbers = np.arange(tile.shape[1])
    return tile + left[np.asarray(starts)[:, None] + k + numbers] * right[at + numbers]


def sums_of_rows(tile, rows):
    return tuple(tile.sum(axis=1))


def store(tile, array, starts):
    for row, start in zip(tile, starts, strict=True):
        array[start : start + len(row)] = row


def add_to(tile, array, starts):
    for row, start in zip(tile, starts, strict=True):
        array[start : start + len(row)] += row


def numbers_at(places, further, size, base):
    return tuple(int(base + (place + further) * size) for place in places)


def equal_rows(array, index, rows, columns):
    width = width_of(columns, array.itemsize)
    return np.tile(array[index : index + width], (len(rows), 1))


def taken(table, first, last, rows):
    return tuple(int(table[min(first + i, last - 1)]) for i in range(len(rows)))
