"""Sentiment: the control without a network, and McNemar's test, held against SciPy."""

import numpy as np
import pytest
from scipy import optimize

from minidil.data import TextDataset
from minidil.errors import DataError, DtypeError, ShapeError
from minidil.tasks import sentiment
from minidil.tasks.sentiment import control

WORDS = ("good", "fine", "bad", "poor", "film", "the", "a", "it")


def drawn(count: int, seed: int = 0) -> TextDataset:
    """Sentences of eight words, of which the first two are likelier in class 1, the next two in class 0."""
    rng, texts = np.random.default_rng(seed), []
    labels = np.arange(count) % 2
    for label in labels:
        share = np.array([2, 2, 1, 1, 3, 3, 3, 3] if label else [1, 1, 2, 2, 3, 3, 3, 3], float)
        texts.append(" ".join(rng.choice(WORDS, rng.integers(1, 7), p=share / share.sum())))
    return TextDataset("drawn", tuple(texts), labels.astype(np.int64), ("no", "yes"))


def test_a_vocabulary_of_words_that_occur_twice() -> None:
    dataset = TextDataset("made", ("It isn't good", "it is, rare"), np.array([0, 1]), ("no", "yes"))
    known = sentiment.vocabulary(dataset)
    assert known.words == ("is", "it")
    assert [(ids.tolist(), label) for ids, label in sentiment.encoded(dataset, known)] == [
        ([3, 2, 1, 1], 0),
        ([3, 2, 1, 1], 1),
    ]


def test_terms_are_weighed_as_scikit_learn_does() -> None:
    """The figures of TfidfVectorizer(ngram_range=(1, 2)) for these two texts, worked out by hand."""
    dataset = TextDataset("made", ("a b a", "b"), np.array([0, 1]), ("no", "yes"))
    found = sentiment.BagOfWords.fitted(dataset)
    assert list(found.terms) == ["a", "a b", "b", "b a"]
    once, both = np.log(3 / 2) + 1, 1.0  # of terms in one text and in both
    np.testing.assert_allclose(found.idf, [once, once, both, once])
    rows = control._rows([control._terms("a b a"), control._terms("unheard")], found.terms, found.idf)
    expected = np.array([2 * once, once, both, once])
    dense = np.zeros((2, 4))
    dense[rows.row, rows.column] = rows.value
    np.testing.assert_allclose(dense, [expected / np.linalg.norm(expected), np.zeros(4)])


@pytest.mark.parametrize("strength", [0.3, 10.0])
def test_the_line_is_the_one_of_the_least_loss(strength: float) -> None:
    learn = drawn(120)
    terms = [control._terms(sentence) for sentence in learn.texts]
    found = sentiment.BagOfWords.fitted(learn)
    rows, signs = control._rows(terms, found.terms, found.idf), 2.0 * learn.labels - 1
    dense = np.zeros((120, len(found.terms) + 1))
    dense[rows.row, rows.column], dense[:, -1] = rows.value, 1

    def loss(theta: np.ndarray) -> float:
        return theta[:-1] @ theta[:-1] / 2 / strength + np.logaddexp(0, -signs * (dense @ theta)).sum()

    def slope(theta: np.ndarray) -> np.ndarray:
        pull = -signs / (1 + np.exp(signs * (dense @ theta)))
        return np.append(theta[:-1] / strength, 0) + dense.T @ pull

    weights, bias = control._line(rows, signs, strength)
    best = optimize.minimize(loss, np.zeros(dense.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(np.append(weights, bias), best.x, atol=1e-5 * strength)  # slope / curvature


def test_it_tells_classes_apart_and_dev_chooses_its_strength() -> None:
    learn, dev, test = drawn(400), drawn(200, 1), drawn(400, 2)
    found = sentiment.BagOfWords.fitted(learn, dev)
    assert found.strength in control._STRENGTHS
    assert found.accuracy(test) > 0.6
    assert found.predict(["good fine", "bad poor"]).tolist() == [1, 0]
    assert found.scores(["unheard", ""]).tolist() == [found.bias] * 2
    three = TextDataset("three", ("a",), np.array([0]), ("x", "y", "z"))
    with pytest.raises(DataError, match="BagOfWords: tells 2 classes apart, and three has 3"):
        sentiment.BagOfWords.fitted(three)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 5), (12, 3), (3, 12), (90, 61)])
def test_mcnemar_is_the_test_of_a_coin(first: int, second: int) -> None:
    from scipy import stats  # takes a second, so that collecting the tests does not import it

    one = np.array([True] * first + [False] * second + [True, False])
    other = np.array([False] * first + [True] * second + [True, False])
    found = sentiment.mcnemar(one, other)
    assert (found.first, found.second) == (first, second)
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert found.p == pytest.approx(expected, rel=1e-12)


def test_what_mcnemar_refuses() -> None:
    with pytest.raises(ShapeError, match=r"both must be \(N,\) for the same items, not \(2,\) and \(3,\)"):
        sentiment.mcnemar(np.ones(2, bool), np.ones(3, bool))
    with pytest.raises(DtypeError, match="needs bools, right or wrong, not int64 and bool"):
        sentiment.mcnemar(np.ones(2, np.int64), np.ones(2, bool))
