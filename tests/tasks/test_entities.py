"""Entities: spans and F1 against enumeration, features, the networks that tag, and their control."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

import minidil as md
from minidil import models, text
from minidil.data import TaggedDataset
from minidil.errors import ShapeError
from minidil.nn import Embedding
from minidil.tasks import entities
from minidil.tasks.entities.features import LETTERS, SHAPES, shape_of
from minidil.tasks.entities.goal import EntityF1, TaggingLoss
from minidil.tasks.entities.predict import tokens_of
from minidil.tensor import Tensor
from minidil.text import IGNORED

TAGS = ("O", "B-a", "I-a", "B-b", "I-b")
SET = TaggedDataset(
    "made",
    (("Ada", "met", "Bob", "Li"), ("in", "Rome", "!"), ("rome",), ("Ada", "in", "rome")),
    (("B-a", "O", "B-a", "I-a"), ("O", "B-b", "O"), ("B-a",), ("B-a", "O", "B-b")),
    ("a", "b"),
)
FEATURES = entities.Features.of(SET, min_count=1)
NETWORKS = ("bilstm_crf", "idcnn", "idcnn_crf", "no_context")


def enumerated(tags: tuple[str, ...], strict: bool) -> set[tuple[int, int, str]]:
    """All stretches of which the definition says that they are an entity."""

    def begins(at: int) -> bool:
        return tags[at][0] == "B" or (
            not strict and tags[at][0] == "I" and (at == 0 or tags[at - 1][1:] != tags[at][1:])
        )

    def ends(at: int) -> bool:
        return at + 1 == len(tags) or tags[at + 1] != f"I{tags[at][1:]}"

    return {
        (start, stop, tags[start][2:])
        for start, stop in product(range(len(tags)), range(1, len(tags) + 1))
        if start < stop
        and begins(start)
        and all(tag == f"I{tags[start][1:]}" for tag in tags[start + 1 : stop])
        and ends(stop - 1)
    }


def test_spans_are_those_of_the_definition() -> None:
    for length in range(5):
        for tags in product(TAGS, repeat=length):
            for strict in (False, True):
                found = entities.spans(tags, strict=strict)
                assert found == sorted(found)
                assert {tuple(span) for span in found} == enumerated(tags, strict), (tags, strict)


sentence = st.integers(0, 6).flatmap(
    lambda n: st.tuples(*[st.lists(st.sampled_from(TAGS), min_size=n, max_size=n)] * 2)
)


@examples(30)
@given(st.lists(sentence, max_size=4), st.booleans())
def test_scores_count_equal_stretches(sentences, strict: bool) -> None:
    said, true = ([pair[side] for pair in sentences] for side in (0, 1))
    scores = entities.Scores.of(said, true, strict=strict)
    ours, theirs = ([enumerated(tuple(tags), strict) for tags in side] for side in (said, true))
    pairs = [(mine, other) for a, b in zip(ours, theirs, strict=True) for mine in a for other in b]
    right = sum(mine == other for mine, other in pairs)
    n_said, n_true = sum(map(len, ours)), sum(map(len, theirs))
    assert (scores.all.right, scores.all.said, scores.all.true) == (right, n_said, n_true)
    precision, recall = right / n_said if n_said else 0, right / n_true if n_true else 0
    assert (scores.all.precision, scores.all.recall) == (precision, recall)
    harmonic = 2 * precision * recall / (precision + recall) if right else 0
    assert scores.all.f1 == pytest.approx(harmonic)
    for name in ("right", "said", "true"):
        assert sum(getattr(score, name) for score in scores.types.values()) == getattr(scores.all, name)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_scores_are_those_of_seqeval(strict: bool) -> None:
    metrics, scheme = (
        pytest.importorskip(f"seqeval.{name}", reason="seqeval, the oracle of F1 over entities, is not installed")
        for name in ("metrics", "scheme")
    )
    options = {"mode": "strict", "scheme": scheme.IOB2} if strict else {}
    rng = np.random.default_rng(0)
    for _ in range(60):
        lengths = rng.integers(1, 8, rng.integers(1, 5))
        true = [rng.choice(TAGS, n, p=(0.4, 0.2, 0.2, 0.1, 0.1)).tolist() for n in lengths]
        said = [[str(rng.choice(TAGS)) if rng.random() < 0.3 else tag for tag in tags] for tags in true]
        wanted = metrics.classification_report(true, said, output_dict=True, zero_division=0, **options)
        found = entities.Scores.of(said, true, strict=strict)
        for name, score in {**found.types, "micro avg": found.all}.items():
            figures = wanted.get(name, {"precision": 0, "recall": 0, "f1-score": 0})
            values = (score.precision, score.recall, score.f1)
            assert values == pytest.approx((figures["precision"], figures["recall"], figures["f1-score"])), (said, true)


def test_scores_refuse_what_does_not_go_together() -> None:
    with pytest.raises(ShapeError, match="1 sentences with tags that were said and 2 with true ones"):
        entities.Scores.of([["O"]], [["O"], ["O"]])
    with pytest.raises(ShapeError, match="sentence 1 has 1 tags that were said and 2 true ones"):
        entities.Scores.of([["O"], ["O"]], [["O"], ["O", "O"]])


def test_the_dictionary_takes_the_longest_entity_that_it_knows() -> None:
    dictionary = entities.Dictionary(SET)
    assert dictionary.tag(["ADA", "bob", "LI", "li", "Rome"]) == ("B-a", "B-a", "I-a", "O", "B-b")
    assert entities.Dictionary(SET[:0]).tag(["Ada"]) == ("O",)


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("@ada_1", "@name"), ("#NERD", "#topic"), ("http://t.co/x", "address"), ("3.50", "number"), ("€5", "number"),
        ("über", "lower"), ("Rome", "Title"), ("A", "I"), ("NATO", "UPPER"), ("iPhone", "CamelCase"), ("don't", "lower'd"),
        ("O'Neil", "Title'd"), (":-)", "signs"), ("'s", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_shapes(word: str, shape: str) -> None:
    assert list(SHAPES)[shape_of(word) - 1] == shape


def test_words_are_numbered_with_shape_and_letters() -> None:
    ids = FEATURES.encode(["Ada", "x" * 40, "ROME"])
    assert ids.shape == (3, 2 + LETTERS)
    assert ids[0, 0] == FEATURES.words.encode(["ada"])[0]
    assert ids[1, 0] == text.UNKNOWN
    assert ids[0, 2:6].tolist() == [*FEATURES.letters.encode(["A", "d", "a"]), 0]
    assert (ids[1, 2:] == text.UNKNOWN).all()
    long = FEATURES.encode(["Ada" + "-" * 30 + "Rome"])[0, 2:]
    assert long.tolist() == FEATURES.letters.encode(list("Ada-----" + "----Rome")).tolist()
    (first, tags), *_ = FEATURES.items(SET)
    assert (len(first), tags.tolist()) == (4, [1, 0, 1, 2])
    assert FEATURES.encode([]).shape == (0, 2 + LETTERS)


def network(name: str, **options: object) -> models.Tagger:
    rng = np.random.default_rng(0)
    return models.TAGGERS[name](5, FEATURES.sizes, width=4, filters=3, hidden=4, rng=rng, **options)


def batch(extra: int) -> tuple[np.ndarray, np.ndarray]:
    """The set as a batch with so many places of padding more, and an empty sentence at the end."""
    items = [*FEATURES.items(SET), (FEATURES.encode([]), np.zeros(0, np.int64))]
    ids, _ = text.pad([ids for ids, _ in items], length=4 + extra)
    return ids, text.pad([tags for _, tags in items], value=IGNORED, length=4 + extra)[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_padding_reaches_neither_scores_nor_loss_nor_gradients(name: str) -> None:
    found = []
    for extra in (0, 5):
        model, (ids, tags) = (
            network(name, dropout=0.0, **({"block_dropout": 0.0} if "idcnn" in name else {})),
            batch(extra),
        )
        with md.use("numpy"):
            loss = TaggingLoss(model)(model(Tensor(ids)), tags)
            loss.backward()
            model.eval()
            emissions = model(Tensor(ids)).numpy()
        mask = text.present(ids[..., 0])
        assert TaggingLoss.count(tags) == mask.sum() == 11
        grads = [parameter.grad for parameter in model.parameters()]
        dense = [grad.numpy() if isinstance(grad, Tensor) else grad for grad in grads if grad is not None]
        found.append(
            (
                loss.item(),
                emissions[mask],
                model.decode(emissions, mask),
                EntityF1(model, TAGS)(emissions, tags).tolist(),
                dense,
            )
        )
    first, second = found
    assert second[0] == pytest.approx(first[0], rel=1e-6)
    np.testing.assert_allclose(second[1], first[1], rtol=1e-5, atol=1e-6)
    assert second[2:4] == first[2:4]
    assert [len(path) for path in first[2]] == [4, 3, 1, 3, 0]
    for mine, other in zip(second[4], first[4], strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-4, atol=1e-6)


def test_a_batch_of_padding_alone_costs_nothing() -> None:
    ids, tags = np.zeros((2, 3, 2 + LETTERS), np.int64), np.full((2, 3), IGNORED)
    model = network("bilstm_crf")
    with md.use("numpy"):
        emissions = model(Tensor(ids))
        assert TaggingLoss(model)(emissions, tags).item() == 0
    assert EntityF1(model, TAGS)(emissions.numpy(), tags).size == 0


@pytest.mark.parametrize(("dilations", "reach"), [((1, 2, 4, 1), 17), ((1, 1, 1, 1), 9)])
def test_a_word_sees_as_far_as_the_dilations_of_all_rounds(dilations: tuple[int, ...], reach: int) -> None:
    """One convolution over three words, and two rounds: 1 + 2 sum(d) on either side. By infinite inputs, beside rounding."""
    model = network("idcnn", dilations=dilations, rounds=2).eval()
    rng = np.random.default_rng(1)
    for conv in (model.body.first, *model.body.block):
        conv.weight.data = np.abs(rng.standard_normal(conv.weight.shape)).astype(np.float32)
    x = np.ones((1, 61, model.words.features), np.float32)
    changed = x.copy()
    changed[0, 30] += 1
    mask = np.ones((1, 61), bool)
    with md.use("numpy"), md.no_grad():
        before, after = (model.body(Tensor(each), mask).numpy()[0, 0] for each in (x, changed))
    seen = np.flatnonzero((before != after).any(axis=1))
    assert (seen.min(), seen.max()) == (30 - reach, 30 + reach)


def test_rounds_share_their_weights_and_are_all_asked_for_the_tags() -> None:
    ids, tags = batch(0)
    model = network("idcnn", dropout=0.0, block_dropout=0.0, rounds=3)
    with md.use("numpy"):
        rounds = model(Tensor(ids))
        loss = TaggingLoss(model)
        assert rounds.shape == (3, 5, 4, 5)
        assert loss(rounds, tags).item() == pytest.approx(np.mean([loss(each, tags).item() for each in rounds]))
        last = model.eval()(Tensor(ids))
    np.testing.assert_allclose(last.numpy(), rounds[2].numpy(), rtol=1e-5, atol=1e-6)
    one = network("idcnn", rounds=1)
    assert sum(p.size for p in one.parameters()) == sum(p.size for p in model.parameters())


def test_given_vectors_are_not_trained() -> None:
    vectors = np.random.default_rng(0).standard_normal((len(FEATURES.words), 6)).astype(np.float32)
    model = network("no_context", vectors=vectors)
    assert not any(isinstance(part, Embedding) for part in [model.words.words])
    assert all(value.shape != vectors.shape for value in model.state_dict().values())
    with pytest.raises(ShapeError, match=r"vectors must be \(\d+, D\), a row for every word, not \(2, 6\)"):
        network("no_context", vectors=vectors[:2])


def test_f1_over_an_epoch_is_that_of_all_its_batches() -> None:
    """2 right / (said + true), whatever the batches: the mean over entities that were said or are true."""
    model, said = network("no_context"), [[1, 2, 0, 3], [0, 0, 3, 4], [1, 1, 1, 1]]
    true = [[1, 2, 0, 4], [0, 0, 3, 0], [0, 0, 0, 0]]
    values = [
        EntityF1(model, TAGS)(np.eye(5)[[ours]], np.array([theirs])) for ours, theirs in zip(said, true, strict=True)
    ]
    names = [[[TAGS[tag] for tag in row] for row in side] for side in (said, true)]
    assert np.concatenate(values).mean() == pytest.approx(entities.Scores.of(*names).all.f1)


@pytest.mark.parametrize("name", ["bilstm_crf", "idcnn"])
def test_loss_and_f1_of_a_set_do_not_depend_on_its_batches(name: str) -> None:
    """Batches of one have no padding; the mean is over words, so that those of long sentences count for more."""
    model, items = network(name), FEATURES.items(SET)
    goal = {"loss": TaggingLoss(model), "metrics": {"f1": EntityF1(model, TAGS)}}
    with md.use("numpy"):
        one, all = (md.train.evaluate(model, text.BucketLoader(items, size), **goal) for size in (1, 4))
    assert all.loss == pytest.approx(one.loss, rel=1e-5)
    assert all.f1 == one.f1


def test_tags_come_in_the_order_of_the_sentences_and_are_marked() -> None:
    model = network("bilstm_crf").eval()
    sentences = [("Rome", "!"), (), ("Ada", "met", "Bob"), ("x",)]
    with md.use("numpy"):
        found = entities.tagged(model, FEATURES, sentences, batch_size=2)
        assert found == [entities.tagged(model, FEATURES, [each])[0] for each in sentences]
    assert [len(tags) for tags in found] == [2, 0, 3, 1]
    assert entities.marked(("Ada", "Li", "in", "Rome"), ("B-a", "I-a", "O", "B-b")) == "[Ada Li a] in [Rome b]"


def test_a_sentence_is_cut_with_its_case() -> None:
    cut = tokens_of("@ada's 3.5 O'Neil-Smith https://x.y/z, AT&T #Go!")
    assert cut == ["@ada", "'s", "3.5", "O", "'Neil", "-", "Smith", "https://x.y/z,", "AT&T", "#Go", "!"]
    assert tokens_of(" \n") == []


def new_names(count: int, seed: int) -> TaggedDataset:
    """Sentences with names that are never seen again, whose type only their neighbours tell."""
    rng = np.random.default_rng(seed)
    templates = (
        ("we", "met", "X", "again"),
        ("X", "said", "hello"),
        ("a", "day", "in", "X", "again"),
        ("hello", "from", "X"),
    )
    tokens, tags = [], []
    for number in range(count):
        words, kind = templates[number % 4], "ab"[number % 4 // 2]
        name = "".join(rng.choice(list("aeioulmnrst"), 6)).title()
        tokens.append(tuple(name if word == "X" else word for word in words))
        tags.append(tuple(f"B-{kind}" if word == "X" else "O" for word in words))
    return TaggedDataset("names", tuple(tokens), tuple(tags), ("a", "b"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("bilstm_crf", 0.95, 1), ("idcnn", 0.95, 1), ("idcnn_crf", 0.95, 1), ("no_context", 0, 0.7)],
)
def test_context_tells_the_type_of_new_names(name: str, least: float, most: float) -> None:
    """The dictionary finds none of them; whoever sees no neighbour finds them, and guesses their type."""
    learn, test = new_names(200, 0), new_names(60, 1)
    dictionary = entities.Dictionary(learn)
    assert entities.Scores.of([dictionary.tag(tokens) for tokens in test.tokens], test.tags).all.right == 0
    md.seed(0)
    features = entities.Features.of(learn)
    model = models.TAGGERS[name](5, features.sizes, width=16, filters=8, hidden=16)
    loader = text.BucketLoader(features.items(learn), 10, shuffle=True)
    optimizer, loss = md.optim.AdamW(model.parameters(), 1e-2), TaggingLoss(model)
    with md.use("numpy"):
        md.train.fit(model, loader, None, optimizer, epochs=6, loss=loss, progress=False)
        scores = entities.Scores.of(entities.tagged(model, features, test.tokens), test.tags)
    assert least <= scores.all.f1 <= most
