"""BERT: outputs of transformers' BertModel from the same weights, and what a padded batch must not change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import minidil as md
import minidil.functional as F
from minidil import train
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.models import Bert

REFERENCE = json.loads(Path(__file__).with_name("bert_two_layers.json").read_text())
IDS, TYPES = (np.array(REFERENCE[name]) for name in ("ids", "token_type_ids"))


@pytest.fixture
def bert() -> Bert:
    """The network of the reference, with its weights: numbers of a sine, which need not be stored."""
    model = Bert(20, 8, 2, 2, 12, 10).eval()
    state = {}
    for number, (name, parameter) in enumerate(model.named_parameters()):
        wave = np.sin(1 + number + 0.7 * np.arange(parameter.size)) * 0.5 + name.endswith("LayerNorm.weight")
        state[name] = wave.astype(np.float32).reshape(parameter.shape)
    model.load_state_dict(state)
    return model


def test_it_has_the_names_of_transformers(bert: Bert) -> None:
    assert [name for name, _ in bert.named_parameters()] == REFERENCE["names"]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_gives_what_transformers_gives(bert: Bert, backend: str) -> None:
    with md.use(backend), md.no_grad():
        states = bert(IDS, token_type_ids=TYPES)
        pooled = bert.pooled(states)
    counts = IDS != 0
    np.testing.assert_allclose(states.numpy()[counts], np.array(REFERENCE["states"])[counts], rtol=0, atol=1e-5)
    np.testing.assert_allclose(pooled.numpy(), REFERENCE["pooled"], rtol=0, atol=1e-5)


def test_in_float64_to_the_last_stored_digit(bert: Bert) -> None:
    states = bert.astype(np.float64)(IDS, token_type_ids=TYPES)
    np.testing.assert_allclose(states.numpy()[IDS != 0], np.array(REFERENCE["states"])[IDS != 0], rtol=0, atol=2e-9)


def test_its_gradient_is_the_slope(bert: Bert) -> None:
    """Along a random direction of all parameters at once, beside central differences."""
    bert.astype(np.float64)
    rng = np.random.default_rng(0)
    weights, start = rng.standard_normal((2, 5, 8)), bert.state_dict()
    direction = {name: rng.standard_normal(array.shape) for name, array in start.items()}
    direction["embeddings.word_embeddings.weight"][0] = 0  # the row of padding gets no gradient

    def loss(step: float = 0) -> md.Tensor:
        bert.load_state_dict({name: array + step * direction[name] for name, array in start.items()})
        return F.sum(bert(IDS) * (weights * (IDS != 0)[:, :, None]))

    loss().backward()
    slope = sum(
        float((parameter.grad.numpy() * direction[name]).sum())
        for name, parameter in bert.named_parameters()
        if parameter.grad is not None
    )
    with md.no_grad():
        expected = (loss(1e-6).item() - loss(-1e-6).item()) / 2e-6
    assert slope == pytest.approx(expected, rel=1e-6)


def test_padding_changes_nothing(bert: Bert) -> None:
    bert.astype(np.float64)
    with md.no_grad():
        states = bert(IDS).numpy()
        for more in (1, 5):
            padded = bert(np.pad(IDS, ((0, 0), (0, more)))).numpy()
            np.testing.assert_allclose(padded[:, :5][IDS != 0], states[IDS != 0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(bert(IDS[1:, :3]).numpy(), states[1:, :3], rtol=0, atol=1e-12)


def test_a_mask_may_be_given(bert: Bert) -> None:
    changed = np.where(IDS == 0, 4, IDS)
    mask = (IDS != 0).astype(np.int64)
    with md.no_grad():
        given = bert(changed, mask).numpy()[IDS != 0]
        np.testing.assert_allclose(given, bert(IDS).numpy()[IDS != 0], rtol=0, atol=1e-6)
        everything = bert(changed).numpy()
    assert abs(everything[1, 0] - bert(IDS).numpy()[1, 0]).max() > 1e-3


def test_padding_alone_is_finite(bert: Bert) -> None:
    assert np.isfinite(bert(np.zeros((1, 3), np.int64)).numpy()).all()


def test_layers_can_be_gone_through_in_two_parts(bert: Bert) -> None:
    x, counts = bert.embedded(IDS)
    halfway = bert.through(x, counts, end=1)
    np.testing.assert_array_equal(bert.through(halfway, counts, 1).numpy(), bert(IDS).numpy())


def test_weights_are_drawn_as_the_authors_draw_them() -> None:
    model = Bert(400, 64, 1, 2, 256, rng=np.random.default_rng(0))
    for name, array in model.state_dict().items():
        if array.ndim == 2 and array.size > 1000:
            rows = array[1:] if "word" in name else array
            assert rows.std() == pytest.approx(0.02, rel=0.03), name
        elif array.ndim == 1:
            assert set(array) == {1.0 if name.endswith("LayerNorm.weight") else 0.0}, name


def test_what_does_not_fit_is_refused(bert: Bert) -> None:
    with pytest.raises(OptionError, match="hidden_size 10 does not divide into num_attention_heads=4"):
        Bert(20, 10, 1, 4, 8)
    with pytest.raises(ShapeError, match=r"input_ids \(1, 11\) must be \(N, T\) with T in 1..10"):
        bert(np.ones((1, 11), np.int64))
    with pytest.raises(ShapeError, match=r"token_type_ids \(2, 4\) must have the shape of input_ids \(2, 5\)"):
        bert(IDS, token_type_ids=TYPES[:, 1:])
    with pytest.raises(DtypeError, match="attention_mask must hold bools, or 0 and 1, not float64"):
        bert(IDS, np.ones(IDS.shape))
    with pytest.raises(OptionError, match=r"ids must lie in 0..19, but run from 2 to 20"):
        bert(np.array([[2, 20]]))
    with pytest.raises(OptionError, match="made with pooler=False"):
        Bert(20, 8, 1, 2, 12, pooler=False).pooled(bert(IDS))


def test_its_layers_learn_at_rates_of_their_own(bert: Bert) -> None:
    names = [layer.name for layer in train.layers(bert)]
    assert names == ["embeddings", "encoder.layer.0", "encoder.layer.1", "pooler.dense"]
    train.freeze(bert, ["embeddings", "encoder.layer.0"])
    rates = [group["lr"] for group in train.layer_groups(bert, 1.0, 0.5)]
    assert rates == [1.0, 0.5]
