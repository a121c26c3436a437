"""Networks for sentences: their parameters, and that padding never reaches an answer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import models, text
from minidil.errors import OptionError

SENTENCES = [[3, 1, 4, 2, 5, 9], [2], [], [6, 6, 3]]


def small(name: str) -> models.SentenceNet:
    options = {"vector": 6} if name == "dilated_cnn" else {"vector": 6, "width": 4}
    return models.SENTENCES[name](10, 2, **options, rng=np.random.default_rng(0)).eval()


@pytest.mark.parametrize("name", models.SENTENCES)
def test_more_padding_changes_neither_answers_nor_gradients(name: str) -> None:
    model = small(name)

    def run(length: int) -> list[np.ndarray]:
        model.zero_grad()
        ids, _ = text.pad(SENTENCES, length=length)
        logits = model(md.tensor(ids))
        F.cross_entropy(logits, np.array([0, 1, 1, 0])).backward()
        return [logits.numpy(), *(parameter.grad.numpy() for parameter in model.parameters())]

    with md.use("numpy"):
        tight = run(1)
        assert not tight[1][text.PADDING].any()
        for found, expected in zip(run(17), tight, strict=True):
            assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", models.SENTENCES)
def test_a_sentence_is_answered_alone_as_in_company(name: str) -> None:
    """Also one word alone, and none at all: then the bias of the last layer answers."""
    model = small(name)
    with md.use("numpy"), md.no_grad():
        together = model(md.tensor(text.pad(SENTENCES)[0])).numpy()
        alone = [model(md.tensor(text.pad([sentence])[0])).numpy()[0] for sentence in SENTENCES]
    assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    assert_array_equal(alone[2], model.head.bias.numpy())


def test_parameters_are_those_of_the_tables() -> None:
    counts = {name: sum(p.size for p in build(14).parameters()) for name, build in models.SENTENCES.items()}
    assert counts == {"kim_cnn": 122_302, "dilated_cnn": 92_302, "bilstm": 86_650}
    twin = models.dilated_cnn(14, dilations=(1, 1, 1))
    assert sum(p.size for p in twin.parameters()) == counts["dilated_cnn"]
    model = small("kim_cnn")
    assert not model.embedding.weight.numpy()[text.PADDING].any()
    assert np.abs(model.embedding.weight.numpy()).max() <= 0.25
    with md.use("numpy"):
        assert model.summary((5,)).rows[0].output_shape == (1, 5, 6)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: models.kim_cnn(9, kernel_sizes=()), "kim_cnn: needs a kernel size at least"),
        (lambda: models.dilated_cnn(9, dilations=()), "dilated_cnn: needs a dilation at least"),
        (lambda: models.bilstm(0), "bilstm: words must be an int >= 1, not 0"),
        (lambda: models.kim_cnn(9, dropout=2), "p is the probability to drop"),
    ],
)
def test_settings_that_make_no_network(build, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        build()
