"""Attention with several heads, and the encoder layer of a transformer, with PyTorch's arguments and names of parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.calls.lift import lift
from minidil.errors import OptionError, ShapeError
from minidil.nn.activation import Dropout
from minidil.nn.checks import check_counts, check_range
from minidil.nn.field import Field
from minidil.nn.init import glorot_uniform
from minidil.nn.linear import Linear
from minidil.nn.module import Module
from minidil.nn.norm import LayerNorm
from minidil.nn.parameter import Parameter
from minidil.ops.attention import packed_attention
from minidil.tensor import Tensor

Mask = Array | Tensor | None

_packed_attention = lift(packed_attention)


class MultiheadAttention(Module):
    """output, weights = attention(query, key, value): num_heads attentions side by side, each to embed_dim / num_heads features.

    Shapes: query (L, N, embed_dim), key and value (S, N, embed_dim), or (N, L, ...) and (N, S, ...) with batch_first -> output
        like query; weights (N, L, S), or (N, num_heads, L, S) unless averaged, or None without need_weights, which saves time.
    key_padding_mask (N, S): true at the keys to leave out. attn_mask (L, S) or (N num_heads, L, S): true where a query does not
        see a key, or numbers to add to the scores. (As in PyTorch: the masks of `functional.scaled_dot_product_attention`, of
        LSTM and CRF are true where something counts.) is_causal: query l sees the keys 0..l; not beside attn_mask.
    A query that no key answers, all being masked, gets the bias of the output alone, and weights 0, where PyTorch gives NaN.
    dropout: of the weights, in training mode.
    Parameters: in_proj_weight (3 embed_dim, embed_dim), for query, key and value, by `glorot_uniform` from rng; in_proj_bias,
        zeros; out_proj.weight, out_proj.bias.
    Raises: OptionError or ShapeError if arguments do not fit.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2. The gradient is derived in `minidil.ops.attention`.
    """

    in_proj_bias: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        batch_first: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_counts("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        check_range("MultiheadAttention", "dropout", dropout, 0, 1)
        if embed_dim % num_heads:
            raise OptionError(f"MultiheadAttention: embed_dim {embed_dim} does not divide into num_heads={num_heads}")
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.rng = rng
        self.in_proj_weight = Parameter(glorot_uniform((3 * embed_dim, embed_dim), rng=rng))
        self.in_proj_bias = Parameter(np.zeros(3 * embed_dim, np.float32)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, rng=rng)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Mask = None,
        need_weights: bool = True,
        attn_mask: Mask = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Any:
        for name, x in (("query", query), ("key", key), ("value", value)):
            if x.ndim != 3 or x.shape[2] != self.embed_dim:
                axes = f"({'N, L' if self.batch_first else 'L, N'}, {self.embed_dim})"
                raise ShapeError(f"MultiheadAttention: {name} {x.shape} must be {axes}")
        alike = query is key is value
        if not self.batch_first:
            query, key, value = (x.transpose(1, 0, 2) for x in (query, key, value))
        (batch, queries, _), keys = query.shape, key.shape[1]
        if alike:  # one product for the three
            packed = F.linear(query, self.in_proj_weight, self.in_proj_bias)
            packed = packed.reshape(batch, queries, 3, self.num_heads, -1).transpose(2, 0, 3, 1, 4)
            parts = [packed]
        else:
            parts = [self._heads(x, part) for part, x in enumerate((query, key, value))]
        mask = self._mask((batch, self.num_heads, queries, keys), key_padding_mask, attn_mask, is_causal)
        mask = mask if mask is None or mask.dtype == bool else mask.astype(query.dtype)
        drops = self.dropout if self.training else 0
        weights = None
        if need_weights or drops:  # p V is p for the identity V
            q, k, v = parts[0] if alike else parts
            identity = np.broadcast_to(np.eye(keys, dtype=query.dtype), (batch, self.num_heads, keys, keys))
            weights = F.scaled_dot_product_attention(q, k, identity, attn_mask=mask)
            y = (F.dropout(weights, p=drops, rng=self.rng) if drops else weights) @ v
        else:
            attend: Any = _packed_attention if alike else F.scaled_dot_product_attention
            y = attend(*parts, attn_mask=mask)
        y = self.out_proj(y.transpose(0, 2, 1, 3).reshape(batch, queries, self.embed_dim))
        y = y if self.batch_first else y.transpose(1, 0, 2)
        if weights is None or not need_weights:
            return y, None
        return y, weights.mean(axis=1) if average_attn_weights else weights

    def _heads(self, x: Tensor, part: int) -> Tensor:
        """x (N, L, E) -> (N, heads, L, E / heads), of which part 0 is the query, 1 the key, 2 the value."""
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        bias = None if self.in_proj_bias is None else self.in_proj_bias[rows]
        y = F.linear(x, self.in_proj_weight[rows], bias)
        return y.reshape(*x.shape[:2], self.num_heads, -1).transpose(0, 2, 1, 3)

    def _mask(
        self, shape: tuple[int, int, int, int], key_padding_mask: Mask, attn_mask: Mask, is_causal: bool
    ) -> Array | None:
        """One mask for the op: bools that are true where a key counts, or numbers to add. None if all count."""
        batch, _, queries, keys = shape
        if is_causal and attn_mask is not None:
            raise OptionError("MultiheadAttention: give attn_mask or is_causal, not both; a mask can be causal, too")
        padding = None if key_padding_mask is None else np.asarray(key_padding_mask)
        if padding is not None and (padding.shape != (batch, keys) or padding.dtype != bool):
            raise ShapeError(
                f"MultiheadAttention: key_padding_mask must be (N, S) = {(batch, keys)} of bools, true at padding, not "
                f"{padding.shape} of {padding.dtype}"
            )
        counts = None if padding is None else ~padding[:, None, None, :]
        if is_causal:
            seen = np.tri(queries, keys, dtype=bool)
            return seen if counts is None else seen & counts
        if attn_mask is None:
            return counts
        given = np.asarray(attn_mask)
        if given.shape not in ((queries, keys), (shape[0] * shape[1], queries, keys)) or given.dtype.kind not in "bf":
            raise ShapeError(
                f"MultiheadAttention: attn_mask must be (L, S) = {(queries, keys)} or (N heads, L, S) of bools, true where a "
                f"query does not see a key, or of floats, not {given.shape} of {given.dtype}"
            )
        given = given.reshape(shape) if given.ndim == 3 else given
        if given.dtype == bool:
            return ~given if counts is None else ~given & counts
        return given if counts is None else np.where(counts, given, given.dtype.type(-math.inf))

    def receptive_field(self, before: Field, input_shape: tuple[int, ...]) -> Field:
        raise ShapeError("MultiheadAttention: every query sees all keys, whatever their number")

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}" + (", batch_first=True" if self.batch_first else "")


class TransformerEncoderLayer(Module):
    """Self-attention and a network of two layers at every step, each around a shortcut with dropout and layer norm.

        x = norm1(x + dropout(self_attn(x)));   y = norm2(x + dropout(linear2(dropout(activation(linear1(x))))))

    norm_first: x = x + dropout(self_attn(norm1(x))) and so on instead, which trains more easily when there are many layers.
    Shapes: src (T, N, d_model), or (N, T, d_model) with batch_first -> alike. src_mask, src_key_padding_mask and is_causal are
        attn_mask, key_padding_mask and is_causal of `MultiheadAttention`.
    activation: "relu" or "gelu".
    Parameters: those of self_attn, linear1, linear2, norm1 and norm2, with PyTorch's names.
    Raises: OptionError or ShapeError if arguments do not fit.
    Source: Vaswani et al. 2017, arXiv:1706.03762, section 3; norm_first, Xiong et al. 2020, arXiv:2002.04745.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if activation not in ("relu", "gelu"):
            raise OptionError(f'TransformerEncoderLayer: activation must be "relu" or "gelu", not {activation!r}')
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, rng=rng)
        self.linear1 = Linear(d_model, dim_feedforward, bias, rng=rng)
        self.dropout = Dropout(dropout, rng=rng)
        self.linear2 = Linear(dim_feedforward, d_model, bias, rng=rng)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias)
        self.activation = activation

    def forward(
        self, src: Tensor, src_mask: Mask = None, src_key_padding_mask: Mask = None, is_causal: bool = False
    ) -> Tensor:
        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout(y)

        def feed_forward(x: Tensor) -> Tensor:
            inner = (F.relu if self.activation == "relu" else F.gelu)(self.linear1(x))
            return self.dropout(self.linear2(self.dropout(inner)))

        if self.norm_first:
            x = F.add(src, attend(self.norm1(src)))
            return F.add(x, feed_forward(self.norm2(x)))
        x = self.norm1(F.add(src, attend(src)))
        return self.norm2(F.add(x, feed_forward(x)))
