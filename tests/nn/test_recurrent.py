"""nn.LSTM and nn.GRU: layers, directions and states around the ops, under PyTorch's names."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil import nn
from minidil.errors import OptionError, ShapeError

KINDS = [nn.LSTM, nn.GRU]


def drawn(*shape, seed=0):
    return md.tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def parts(kind, state):
    return state if kind is nn.LSTM else (state,)


def test_names_and_shapes_are_pytorchs() -> None:
    state = nn.LSTM(4, 3, num_layers=2, bidirectional=True).state_dict()
    assert list(state)[:8] == [
        *("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        *("weight_ih_l0_reverse", "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse"),
    ]
    assert state["weight_ih_l1_reverse"].shape == (12, 6)
    assert list(nn.GRU(4, 3, bias=False).state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert nn.GRU(4, 3).weight_ih_l0.shape == (9, 4)
    assert all(np.abs(value).max() <= 1 / np.sqrt(3) for value in state.values())
    assert repr(nn.LSTM(4, 3, 2, batch_first=True)) == "LSTM(4, 3, num_layers=2, batch_first=True)"


@pytest.mark.parametrize("kind", KINDS)
def test_two_layers_are_one_on_top_of_the_other(kind) -> None:
    both = kind(4, 3, num_layers=2)
    layers = [kind(4, 3), kind(3, 3)]
    for number, layer in enumerate(layers):
        layer.load_state_dict(
            {name: both.state_dict()[name.replace("l0", f"l{number}")] for name in layer.state_dict()}
        )
    x, states = drawn(5, 2, 4), [drawn(2, 2, 3, seed=1), drawn(2, 2, 3, seed=2)]
    given = states if kind is nn.LSTM else states[:1]
    y, last = both(x, tuple(given) if kind is nn.LSTM else given[0])
    below, ends = x, []
    for number, layer in enumerate(layers):
        own = [state[number : number + 1] for state in given]
        below, end = layer(below, tuple(own) if kind is nn.LSTM else own[0])
        ends.append(parts(kind, end))
    assert_array_equal(y.numpy(), below.numpy())
    for found, each in zip(parts(kind, last), zip(*ends, strict=True), strict=True):
        assert_array_equal(found.numpy(), np.concatenate([state.numpy() for state in each]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_direction_is_a_layer_on_the_turned_sequence(kind) -> None:
    both, single = kind(4, 3, bidirectional=True), kind(4, 3)
    single.load_state_dict({name: both.state_dict()[f"{name}_reverse"] for name in single.state_dict()})
    x = drawn(5, 2, 4)
    y, last = both(x)
    turned, end = single(x[::-1])
    assert_allclose(y.numpy()[:, :, 3:], turned.numpy()[::-1], atol=1e-6)
    for found, expected in zip(parts(kind, last), parts(kind, end), strict=True):
        assert_allclose(found.numpy()[1:], expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_ragged_batch_is_its_sequences_one_by_one(backend, kind, batch_first) -> None:
    """In a batch padded to any length: outputs, last states and gradients, in both directions and layers."""
    layer = kind(4, 3, 2, bidirectional=True, batch_first=batch_first).astype(np.float64)
    axes = (1, 0, 2) if batch_first else (0, 1, 2)
    sequences = [np.random.default_rng(n).standard_normal((length, 4)) for n, length in enumerate((5, 1, 3, 0))]

    def run(padded_to):
        x = np.full((padded_to, 4, 4), 7.0)
        mask = np.arange(padded_to)[:, None] < [len(s) for s in sequences]
        for n, sequence in enumerate(sequences):
            x[: len(sequence), n] = sequence
        layer.zero_grad()
        y, last = layer(md.tensor(x.transpose(axes)), mask=mask.T if batch_first else mask)
        loss = (y * y).sum()
        for state in parts(kind, last):
            loss = loss + (state * state).sum()
        loss.backward()
        return y.numpy().transpose(axes), last, [p.grad.numpy() for p in layer.parameters()]

    y, last, grads = run(5)
    longer, same_last, same_grads = run(9)
    assert_allclose(longer[:5], y, atol=1e-12)
    assert not longer[5:].any()
    for found, expected in zip(same_grads, grads, strict=True):
        assert_allclose(found, expected, atol=1e-12)
    for n, sequence in enumerate(sequences):
        alone, end = layer(md.tensor(sequence[:, None].transpose(axes)))
        assert_allclose(y[: len(sequence), n], alone.numpy().transpose(axes)[:, 0], atol=1e-12)
        for one, many, again in zip(*(parts(kind, state) for state in (end, last, same_last)), strict=True):
            assert_allclose(many.numpy()[:, n], one.numpy()[:, 0], atol=1e-12)
            assert_allclose(again.numpy()[:, n], one.numpy()[:, 0], atol=1e-12)


def test_dropout_lies_between_the_layers_in_training_alone() -> None:
    layer = nn.GRU(4, 8, 2, dropout=0.5, rng=np.random.default_rng(0))
    x = drawn(5, 2, 4)
    assert (layer(x)[0].numpy() != layer(x)[0].numpy()).any()
    layer.eval()
    assert_array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())


def test_the_summary_lists_it_without_a_receptive_field() -> None:
    summary = nn.LSTM(4, 3, bidirectional=True).summary((7, 4), batch_size=2)
    (row,) = summary.rows
    assert (row.output_shape, row.parameters, row.field) == ((2, 7, 6), 2 * (12 * 4 + 12 * 3 + 24), None)
    assert row.multiply_adds == 2 * 7 * 2 * (12 * 4 + 12 * 3)


def test_refused() -> None:
    layer = nn.LSTM(4, 3)
    with pytest.raises(
        ShapeError, match=r"LSTM: x \(5, 4\) must be \(T, N, I\) with I = input_size=4; add .* x.unsqueeze\(1\)"
    ):
        layer(drawn(5, 4))
    with pytest.raises(ShapeError, match=r"LSTM: the state is a pair \(h_0, c_0\), not Tensor"):
        layer(drawn(5, 2, 4), drawn(1, 2, 3))
    with pytest.raises(ShapeError, match=r"LSTM: c_0 must be \(layers directions, N, H\) = \(1, 2, 3\), not \(2, 3\)"):
        layer(drawn(5, 2, 4), (drawn(1, 2, 3), drawn(2, 3)))
    with pytest.raises(OptionError, match="GRU: hidden_size must be an int >= 1, not 0"):
        nn.GRU(4, 0)
    with pytest.raises(OptionError, match="0 <= dropout < 1, not 1"):
        nn.GRU(4, 3, dropout=1)
