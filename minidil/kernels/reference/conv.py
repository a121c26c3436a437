"""Sliding windows in NumPy, and convolution as im2col and one matrix product, for any number of spatial axes.

Shapes: x (N, C, *S), weight (F, C/groups, *K), outputs (N, F, *O); the window says how S, K and O hang together.
Sources: im2col, Chellapilla et al. 2006, "High Performance Convolutional Neural Networks for Document Processing";
dilation, Yu & Koltun 2016, arXiv:1511.07122; groups, Krizhevsky et al. 2012, section 3.5.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidil.array import Array
from minidil.kernels.geometry import Window


def patches(x: Array, window: Window, fill: float = 0.0) -> Array:
    """Every window of x, as a view (N, C, *K, *O) of the padded input: nothing but strides is computed.

    Along each axis, moving one tap moves `dilation` positions and moving one output moves `stride` positions.
    """
    padded = np.pad(x, ((0, 0), (0, 0), *window.padding), constant_values=fill) if any(map(any, window.padding)) else x
    steps = padded.strides[2:]
    tap_steps = tuple(step * d for step, d in zip(steps, window.dilation, strict=True))
    out_steps = tuple(step * s for step, s in zip(steps, window.stride, strict=True))
    shape = (*x.shape[:2], *window.kernel, *window.out)
    return as_strided(padded, shape, (*padded.strides[:2], *tap_steps, *out_steps), writeable=False)


def im2col(x: Array, window: Window) -> Array:
    """x (N, C, *S) -> columns (N, C prod(K), prod(O)): one column per output position, one row per channel and tap."""
    n, c = x.shape[:2]
    return patches(x, window).reshape(n, c * window.taps, math.prod(window.out))


def col2im(cols: Array, channels: int, window: Window) -> Array:
    """The adjoint of `im2col`, <im2col(x), cols> = <x, col2im(cols)>: every column entry is added where it came from."""
    spread = cols.reshape(cols.shape[0], channels, *window.kernel, *window.out)
    padded = np.zeros((cols.shape[0], channels, *window.padded), cols.dtype)
    for tap in np.ndindex(*window.kernel):
        # Windows overlap, hence +=; within one tap no position is met twice.
        padded[touched(tap, window)] += spread[(slice(None), slice(None), *tap)]
    return unpad(padded, window)


def conv_forward(x: Array, weight: Array, window: Window, groups: int = 1, bias: Array | None = None) -> Array:
    """y[n] = W cols[n] (+ b) for every group of channels: one matrix product."""
    n, f = x.shape[0], weight.shape[0]
    cols = im2col(x, window).reshape(n, groups, x.shape[1] // groups * window.taps, math.prod(window.out))
    y = np.matmul(weight.reshape(groups, f // groups, -1), cols).reshape(n, f, *window.out)
    return y if bias is None else y + bias.reshape(-1, *(1,) * len(window.out))


def conv_grad_input(grad: Array, weight: Array, window: Window, groups: int = 1, forward: bool = False) -> Array:
    """dx = col2im(W^T G): the adjoint of `conv_forward` in x, and the forward pass of a transposed convolution."""
    n, f = grad.shape[:2]
    channels = weight.shape[1] * groups
    grads = grad.reshape(n, groups, f // groups, math.prod(window.out))
    columns = np.matmul(weight.reshape(groups, f // groups, -1).transpose(0, 2, 1), grads)
    return col2im(columns, channels, window)


def conv_grad_weight(x: Array, grad: Array, window: Window, groups: int = 1) -> Array:
    """dW = sum_n G[n] cols[n]^T for every group: the adjoint of `conv_forward` in the weight."""
    n, f, c = x.shape[0], grad.shape[1], x.shape[1]
    cols = im2col(x, window).reshape(n, groups, c // groups * window.taps, math.prod(window.out))
    grads = grad.reshape(n, groups, f // groups, math.prod(window.out))
    products = [np.tensordot(grads[:, g], cols[:, g], axes=((0, 2), (0, 2))) for g in range(groups)]
    return np.stack(products).reshape(f, c // groups, *window.kernel)


def touched(tap: tuple[int, ...], window: Window) -> tuple[slice, ...]:
    """The positions of the padded input that one tap visits while the window slides: tap d, tap d + stride, ..."""
    slices = []
    for k, d, stride, out in zip(tap, window.dilation, window.stride, window.out, strict=True):
        slices.append(slice(k * d, k * d + stride * (out - 1) + 1, stride))
    return (slice(None), slice(None), *slices)


def unpad(padded: Array, window: Window) -> Array:
    """What lies on the input itself: (N, C, *S) of (N, C, *padded)."""
    inner = [slice(before, before + n) for n, (before, _) in zip(window.size, window.padding, strict=True)]
    return padded[(slice(None), slice(None), *inner)]
