"""nn.MultiheadAttention and nn.TransformerEncoderLayer: heads, masks and names. PyTorch's own answers are in tests/calls."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil import nn
from minidil.errors import OptionError, ShapeError


def drawn(*shape, seed=0):
    return md.tensor(np.random.default_rng(seed).standard_normal(shape))


def attention(**options):
    return nn.MultiheadAttention(4, 2, rng=np.random.default_rng(0), **options).astype(np.float64)


def encoder(**options):
    return nn.TransformerEncoderLayer(4, 2, 6, 0.0, rng=np.random.default_rng(0), **options).astype(np.float64)


def test_names_are_pytorchs() -> None:
    assert list(encoder().state_dict()) == [
        *("self_attn.in_proj_weight", "self_attn.in_proj_bias", "self_attn.out_proj.weight", "self_attn.out_proj.bias"),
        *("linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"),
        *("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"),
    ]
    assert list(attention(bias=False).state_dict()) == ["in_proj_weight", "out_proj.weight"]
    assert repr(attention(batch_first=True)).splitlines()[1] == "  4, 2, batch_first=True"


def test_every_head_is_an_attention_of_its_own(backend) -> None:
    layer = attention()
    x, source = drawn(3, 2, 4), drawn(5, 2, 4, seed=1)
    y, weights = layer(x, source, source, average_attn_weights=False)
    projection, bias = layer.in_proj_weight.numpy(), layer.in_proj_bias.numpy()
    joined = np.zeros((3, 2, 4))
    for n in range(2):
        q, k, v = (
            array[:, n] @ projection[4 * i : 4 * i + 4].T + bias[4 * i : 4 * i + 4]
            for i, array in enumerate((x.numpy(), source.numpy(), source.numpy()))
        )
        for head in range(2):
            part = slice(2 * head, 2 * head + 2)
            powers = np.exp(q[:, part] @ k[:, part].T / np.sqrt(2))
            chances = powers / powers.sum(axis=1, keepdims=True)
            assert_allclose(weights.numpy()[n, head], chances, atol=1e-12)
            joined[:, n, part] = chances @ v[:, part]
    assert_allclose(y.numpy(), joined @ layer.out_proj.weight.numpy().T + layer.out_proj.bias.numpy(), atol=1e-12)
    again, mean = layer(x, source, source)
    assert_array_equal(again.numpy(), y.numpy())
    assert_allclose(mean.numpy(), weights.numpy().mean(axis=1))
    assert layer(x, source, source, need_weights=False)[1] is None


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_attention_to_itself_is_that_to_equal_arrays(backend, batch_first, bias) -> None:
    """One product for query, key and value, and three of them: the same outputs and gradients."""
    outcomes = []
    for alike in (True, False):
        layer = attention(bias=bias, batch_first=batch_first)
        x = md.tensor(drawn(3, 2, 4).numpy(), requires_grad=True)
        y, weights = layer(*((x, x, x) if alike else (x, x + 0, x + 0)))
        ((y * y).sum() + (weights**3).sum()).backward()
        outcomes.append([each.numpy() for each in (y, weights, x.grad, *(p.grad for p in layer.parameters()))])
    for found, wanted in zip(*outcomes, strict=True):
        assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("norm_first", [False, True])
def test_gradients(backend, check_layer, norm_first) -> None:
    check_layer(encoder(norm_first=norm_first, activation="gelu"), 3, 2, 4)


def test_masks_are_pytorchs(backend) -> None:
    """True leaves a key out, and a mask of bools is one of minus infinities."""
    layer, x = attention(batch_first=True), drawn(2, 3, 4)
    later = ~np.tri(3, dtype=bool)
    causal = layer(x, x, x, is_causal=True)
    for mask in (later, np.where(later, -np.inf, 0.0), np.broadcast_to(later, (4, 3, 3)), md.tensor(later)):
        for found, wanted in zip(layer(x, x, x, attn_mask=mask), causal, strict=True):
            assert_allclose(found.numpy(), wanted.numpy(), atol=1e-12)
    padding = np.array([[False, False, True], [False, True, True]])
    for mask in ({"attn_mask": later}, {"attn_mask": np.where(later, -np.inf, 0.0)}, {"is_causal": True}):
        _, weights = layer(x, x, x, padding, **mask)
        assert_array_equal(weights.numpy() > 0, ~padding[:, None] & ~later)


@pytest.mark.parametrize("norm_first", [False, True])
def test_more_padding_changes_nothing(backend, norm_first) -> None:
    layer = encoder(norm_first=norm_first, batch_first=True)
    sequences = [np.random.default_rng(n).standard_normal((length, 4)) for n, length in enumerate((4, 2, 1))]
    outcomes = []
    for size, places in ((4, range(4)), (7, (1, 2, 4, 6))):
        x, padding = np.full((3, size, 4), 9.0), np.ones((3, size), bool)
        for n, sequence in enumerate(sequences):
            at = list(places)[: len(sequence)]
            x[n, at], padding[n, at] = sequence, False
        layer.zero_grad()
        y = layer(md.tensor(x), src_key_padding_mask=padding)
        (md.where(padding[:, :, None], 0.0, y) ** 2).sum().backward()
        outcomes.append([y.numpy()[~padding], *(p.grad.numpy() for p in layer.parameters())])
    for found, wanted in zip(*outcomes, strict=True):
        assert_allclose(found, wanted, atol=1e-12)


def test_a_sequence_of_padding_alone_is_no_nan(backend) -> None:
    layer, x = attention(batch_first=True), drawn(2, 3, 4)
    padding = np.array([[False] * 3, [True] * 3])
    y, weights = layer(x, x, x, padding)
    (y * y).sum().backward()
    assert not weights.numpy()[1].any()
    assert_allclose(y.numpy()[1], np.broadcast_to(layer.out_proj.bias.numpy(), (3, 4)))
    assert all(np.isfinite(p.grad.numpy()).all() for p in layer.parameters())


def test_dropout_is_of_the_weights_in_training_alone() -> None:
    layer, x = nn.MultiheadAttention(4, 2, dropout=0.5, rng=np.random.default_rng(0)), drawn(6, 2, 4).astype("float32")
    assert (layer(x, x, x)[0].numpy() != layer(x, x, x)[0].numpy()).any()
    layer.eval()
    assert_array_equal(layer(x, x, x)[0].numpy(), layer(x, x, x)[0].numpy())


def test_refused() -> None:
    layer, x = attention(), drawn(3, 2, 4)
    with pytest.raises(OptionError, match="embed_dim 4 does not divide into num_heads=3"):
        nn.MultiheadAttention(4, 3)
    with pytest.raises(ShapeError, match=r"MultiheadAttention: key \(3, 2, 5\) must be \(L, N, 4\)"):
        layer(x, drawn(3, 2, 5), x)
    with pytest.raises(
        ShapeError, match=r"key_padding_mask must be \(N, S\) = \(2, 3\) of bools, .*, not \(2,\) of int64"
    ):
        layer(x, x, x, np.array([3, 1]))
    with pytest.raises(ShapeError, match=r"attn_mask must be \(L, S\) = \(3, 3\) or \(N heads, L, S\)"):
        layer(x, x, x, attn_mask=np.ones((2, 3), bool))
    with pytest.raises(OptionError, match="give attn_mask or is_causal, not both"):
        layer(x, x, x, attn_mask=np.ones((3, 3), bool), is_causal=True)
    with pytest.raises(OptionError, match='activation must be "relu" or "gelu", not \'tanh\''):
        nn.TransformerEncoderLayer(4, 2, activation="tanh")
