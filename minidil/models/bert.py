"""BERT (Devlin et al. 2018, arXiv:1810.04805): a transformer encoder, every word of which sees every other.

Parameters have the names of Hugging Face's BertModel, so its files load as they are.
"""

from __future__ import annotations

import math

import numpy as np

import minidil.functional as F
from minidil.array import Array
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.nn import Dropout, Embedding, LayerNorm, Linear, Module, ModuleDict, ModuleList
from minidil.nn.checks import check_counts, check_range
from minidil.random import default_rng
from minidil.tensor import Tensor

_EPS = 1e-12  # of every layer norm, as in the published weights
_STD = 0.02  # of every weight that is drawn, as in the authors' code


class Bert(Module):
    """Word pieces in, a vector for each of them out, that has read the whole sentence.

    Shapes: input_ids (N, T) of integers, the numbers of pieces -> (N, T, hidden_size).
    attention_mask: (N, T), true, or 1, at the pieces that count; by default at all but those with the number 0, [PAD], which no
        other then sees: a sentence has the same vectors in whatever batch it comes.
    token_type_ids: (N, T), 0 for the first sentence and 1 for the second where a model was trained on pairs; 0 by default.
    dropout: of embeddings and of what every layer adds. Attention itself drops nothing, while BERT was trained with 0.1 there.
    pooler: whether there is a layer for `pooled`.
    Parameters: weights are drawn from a normal distribution of standard deviation 0.02; biases are 0.
    Raises: OptionError, ShapeError or DtypeError if numbers do not fit.
    """

    casts = False

    def __init__(
        self,
        vocab_size: int = 30_522,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        *,
        dropout: float = 0.1,
        pooler: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        check_counts("Bert", num_hidden_layers=num_hidden_layers, num_attention_heads=num_attention_heads)
        check_counts("Bert", hidden_size=hidden_size)
        check_range("Bert", "dropout", dropout, 0, 1)
        if hidden_size % num_attention_heads:
            raise OptionError(
                f"Bert: hidden_size {hidden_size} does not divide into num_attention_heads={num_attention_heads}"
            )
        rng = default_rng() if rng is None else rng
        tables = (vocab_size, max_position_embeddings, type_vocab_size)
        self.embeddings = _Embeddings(*tables, hidden_size, dropout, rng)
        layers = [
            _Layer(hidden_size, num_attention_heads, intermediate_size, dropout, rng) for _ in range(num_hidden_layers)
        ]
        self.encoder = ModuleDict({"layer": ModuleList(layers)})
        self.pooler = ModuleDict({"dense": Linear(hidden_size, hidden_size, rng=rng)}) if pooler else None
        self.hidden_size = hidden_size
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:  # drawn from a normal distribution of another width
                own = 1 if name.startswith("embeddings.") else math.sqrt(2 / parameter.shape[1])
                parameter.data = parameter.data * np.float32(_STD / own)

    def forward(
        self,
        input_ids: Tensor | Array,
        attention_mask: Tensor | Array | None = None,
        token_type_ids: Tensor | Array | None = None,
    ) -> Tensor:
        return self.through(*self.embedded(input_ids, attention_mask, token_type_ids))

    def embedded(
        self,
        input_ids: Tensor | Array,
        attention_mask: Tensor | Array | None = None,
        token_type_ids: Tensor | Array | None = None,
    ) -> tuple[Tensor, Array]:
        """What the first layer is given: vectors (N, T, hidden_size), and where pieces count, bools (N, T)."""
        ids = _host(input_ids)
        most = self.embeddings.position_embeddings.num_embeddings
        if ids.ndim != 2 or not 1 <= ids.shape[1] <= most:
            raise ShapeError(
                f"Bert: input_ids {ids.shape} must be (N, T) with T in 1..{most}, the positions that there are"
            )
        counts = ids != 0 if attention_mask is None else _host(attention_mask)
        types = np.zeros(ids.shape, np.int64) if token_type_ids is None else _host(token_type_ids)
        for name, given in (("attention_mask", counts), ("token_type_ids", types)):
            if given.shape != ids.shape:
                raise ShapeError(f"Bert: {name} {given.shape} must have the shape of input_ids {ids.shape}")
        if counts.dtype.kind not in "biu":
            raise DtypeError(f"Bert: attention_mask must hold bools, or 0 and 1, not {counts.dtype}")
        return self.embeddings(ids, types), counts.astype(bool)

    def through(self, x: Tensor, counts: Array, first: int = 0, end: int | None = None) -> Tensor:
        """What the layers first, first + 1, ... before `end` make of x (N, T, hidden_size), where pieces count, (N, T)."""
        for layer in self.layers[first:end]:
            x = layer(x, counts)
        return x

    @property
    def layers(self) -> list[Module]:
        """Those of the encoder, from the first to the last."""
        return list(self.encoder["layer"].children())

    def pooled(self, states: Tensor) -> Tensor:
        """tanh(W x + b) of the vector of the first piece, [CLS]: (N, T, hidden_size) -> (N, hidden_size).

        Raises: OptionError for a model without that layer.
        """
        if self.pooler is None:
            raise OptionError("Bert.pooled: this model was made with pooler=False; take text.mean_over_time")
        return F.tanh(self.pooler["dense"](states[:, 0]))


class _Embeddings(Module):
    """The sum of the vectors of piece, position and sentence, normalised."""

    def __init__(
        self, pieces: int, positions: int, types: int, width: int, dropout: float, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.word_embeddings = Embedding(pieces, width, padding_idx=0, rng=rng)
        self.position_embeddings = Embedding(positions, width, rng=rng)
        self.token_type_embeddings = Embedding(types, width, rng=rng)
        self.LayerNorm = LayerNorm(width, _EPS)
        self.dropout = Dropout(dropout, rng=rng)

    def forward(self, ids: Array, types: Array) -> Tensor:
        x = F.add(self.word_embeddings(ids), self.token_type_embeddings(types))
        return self.dropout(self.LayerNorm(F.add(x, self.position_embeddings(np.arange(ids.shape[1])))))


class _Layer(Module):
    """Attention, then two linear maps with GELU between, each added to what came in and normalised."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float, rng: np.random.Generator) -> None:
        super().__init__()
        self.attention = ModuleDict(
            {"self": _SelfAttention(width, heads, rng), "output": _Output(width, width, dropout, rng)}
        )
        self.intermediate = ModuleDict({"dense": Linear(width, inner, rng=rng)})
        self.output = _Output(inner, width, dropout, rng)

    def forward(self, x: Tensor, counts: Array) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, counts), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class _SelfAttention(Module):
    """Every piece takes a mean of the values of all that count, weighed by how well their keys answer its query."""

    def __init__(self, width: int, heads: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width, rng=rng)
        self.key = Linear(width, width, rng=rng)
        self.value = Linear(width, width, rng=rng)

    def forward(self, x: Tensor, counts: Array) -> Tensor:
        n, t, width = x.shape

        def split(y: Tensor) -> Tensor:  # (N, T, H) -> (N, heads, T, H / heads)
            return y.reshape(n, t, self.heads, -1).transpose(0, 2, 1, 3)

        query, key, value = (split(part(x)) for part in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=counts[:, None, None, :])
        return y.transpose(0, 2, 1, 3).reshape(n, t, width)


class _Output(Module):
    """A linear map, dropout, the shortcut, and layer norm."""

    def __init__(self, inputs: int, outputs: int, dropout: float, rng: np.random.Generator) -> None:
        super().__init__()
        self.dense = Linear(inputs, outputs, rng=rng)
        self.LayerNorm = LayerNorm(outputs, _EPS)
        self.dropout = Dropout(dropout, rng=rng)

    def forward(self, x: Tensor, shortcut: Tensor) -> Tensor:
        return self.LayerNorm(F.add(self.dropout(self.dense(x)), shortcut))


def minilm(*, dropout: float = 0.1, rng: np.random.Generator | None = None) -> Bert:
    """The architecture of all-MiniLM-L6-v2: 6 layers of 384 with 12 heads, 22,565,376 parameters, drawn from rng.

    Its trained weights, and its vocabulary, are in a package: see `tasks.language.pretrained`.
    Source: Wang et al. 2020, arXiv:2002.10957; trained to compare sentences as Reimers & Gurevych 2019, arXiv:1908.10084.
    """
    return Bert(30_522, 384, 6, 12, 1536, dropout=dropout, pooler=False, rng=rng)


def _host(x: Tensor | Array) -> Array:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)
