"""Attention: each query takes a mean of the values, weighed by how well the keys answer it."""

from __future__ import annotations

import math

import numpy as np

from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.backend import active
from minidil.kernels.contract import Kernels
from minidil.ops.common import Vjps, check_floating, once, swapped


def scaled_dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    *,
    attn_mask: Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
) -> tuple[Array, Vjps]:
    """softmax(scale query key^T) value: y_l = sum_s p_ls v_s with p_ls = e^(scale q_l . k_s) / sum_s e^(scale q_l . k_s).

    Shapes: query (*B, L, E), key (*B, S, E), value (*B, S, V) -> (*B, L, V).
    attn_mask: bools that broadcast to (*B, L, S), true where a key counts, or numbers to add to the scores; no gradient.
    is_causal: query l sees the keys 0..l and no later one. scale: 1 / sqrt(E) by default.
    A query that no key answers, all being masked, gets 0 and no gradient.
    Raises: ShapeError, DtypeError or OptionError if the arrays do not fit together.
    Source: Vaswani et al. 2017, arXiv:1706.03762, equation 1.
    """
    check_floating("scaled_dot_product_attention", query=query)
    k = active()
    _check_shapes(query, key, value)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    scaled = k.multiply(query, factor)  # and not the scores, of which there usually are more
    scores = k.matmul(scaled, swapped(k, key))
    weights = _weights(k, scores, attn_mask, _counts(k, scores, attn_mask, is_causal))
    y = k.matmul(weights, value)

    # With P = softmax(scale Q K^T) and Y = P V:      dL/dV = P^T G,      dL/dP = G V^T;
    # the slope of a softmax is dp_s/dz_r = p_s ([s = r] - p_r), so for the scores Z, row by row, D = P (dL/dP - sum_s P dL/dP);
    # and Z = scale Q K^T gives      dL/dQ = scale D K,      dL/dK = scale D^T Q. Where P = 0, D is.
    def through_softmax(grad: Array) -> Array:
        slopes = k.matmul(grad, swapped(k, value))
        return k.softmax_grad(slopes, weights, weights.ndim - 1)

    slope = once(through_softmax)
    return y, (
        lambda grad: k.multiply(k.matmul(slope(grad), key), factor),
        lambda grad: k.matmul(swapped(k, slope(grad)), scaled),
        lambda grad: k.matmul(swapped(k, weights), grad),
    )


def packed_attention(packed: Array, *, attn_mask: Array | None = None) -> tuple[Array, Vjps]:
    """`scaled_dot_product_attention` of query packed[0], key packed[1] and value packed[2]: (3, *B, L, E) -> (*B, L, E).

    The gradient is made in one array; those of three parts taken by `getitem` would be three arrays as large, to be added.
    """
    k = active()
    y, vjps = scaled_dot_product_attention(*(k.take(packed, part) for part in range(3)), attn_mask=attn_mask)
    return y, (lambda grad: k.stack([vjp(grad) for vjp in vjps if vjp]),)


def _check_shapes(query: Array, key: Array, value: Array) -> None:
    op = "scaled_dot_product_attention"
    if min(query.ndim, key.ndim, value.ndim) < 2 or not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        raise ShapeError(
            f"{op}: query {query.shape}, key {key.shape} and value {value.shape} must be (*B, L, E), (*B, S, E) and (*B, S, V)"
        )
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            f"{op}: the last axis of query {query.shape} must have the size of that of key {key.shape}, whose last but one must "
            f"have the size of that of value {value.shape}"
        )
    if not key.shape[-2]:
        raise ShapeError(f"{op}: key {key.shape} has no keys")


def _counts(k: Kernels, scores: Array, attn_mask: Array | None, is_causal: bool) -> Array | None:
    """Where a key counts for a query; None if everywhere."""
    op = "scaled_dot_product_attention"
    queries, keys = scores.shape[-2:]
    if attn_mask is not None:
        if is_causal:
            raise OptionError(f"{op}: give attn_mask or is_causal, not both; a mask can be causal, too")
        try:
            fits = np.broadcast_shapes(attn_mask.shape, scores.shape) == scores.shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(f"{op}: attn_mask {attn_mask.shape} does not broadcast to the scores {scores.shape}")
        if attn_mask.dtype.kind == "f":
            if attn_mask.dtype != scores.dtype:
                raise DtypeError(
                    f"{op}: query is {scores.dtype} but attn_mask is {attn_mask.dtype}; convert one with astype"
                )
            return k.greater(attn_mask, -math.inf)
        if attn_mask.dtype.kind != "b":
            raise DtypeError(
                f"{op}: attn_mask must hold bools, true where a key counts, or floats, not {attn_mask.dtype}"
            )
        return attn_mask
    return k.place(np.tri(queries, keys, dtype=bool)) if is_causal else None


def _weights(k: Kernels, scores: Array, attn_mask: Array | None, counts: Array | None) -> Array:
    """The softmax over the keys that count, 0 at the others; of a row without one, 0 everywhere.

    A key that does not count gets a score so low that e^score is 0 beside any other: that is added, in the shape of the mask,
    which is often a small one. In a row without another it is not low, and the row is multiplied by 0.
    """
    if counts is None:
        return k.softmax(scores, scores.ndim - 1)
    zero, one, least = (k.constant(value, like=scores) for value in (0, 1, float(np.finfo(scores.dtype).min) / 2))
    more = attn_mask if attn_mask is not None and attn_mask.dtype.kind == "f" else zero
    chosen = k.softmax(k.add(scores, k.where(counts, more, least)), scores.ndim - 1)
    return k.multiply(chosen, k.max(k.where(counts, one, zero), axis=-1, keepdims=True))
