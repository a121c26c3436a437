"""Padding, its mask, and that it is never seen: results and gradients are the same with more of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil import nn, text
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.cuda.target import problem
from minidil.testing import check_gradients

SENTENCES = [[3, 1, 4, 2, 5], [2], [], [6, 6, 3]]


def test_pad_fills_up_behind_and_says_where() -> None:
    ids, mask = text.pad(SENTENCES)
    assert ids.dtype == np.int64
    assert_array_equal(ids, [[3, 1, 4, 2, 5], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0], [6, 6, 3, 0, 0]])
    assert_array_equal(mask, text.present(ids))
    assert_array_equal(mask, text.present(md.tensor(ids)))
    assert text.pad([[1]], value=-100, length=3)[0].tolist() == [[1, -100, -100]]
    assert text.pad([[0.5], [1.0, 2.0]])[0].dtype == np.float64


def test_a_batch_without_words_has_a_place() -> None:
    ids, mask = text.pad([[], np.zeros(0, np.int64)])
    assert (ids.shape, ids.dtype, mask.any()) == ((2, 1), np.int64, False)


def test_letters_of_words_have_two_axes() -> None:
    ids, mask = text.pad([np.ones((1, 3), np.int64), np.ones((2, 1), np.int64), np.ones((0, 2), np.int64)])
    assert_array_equal(ids, [[[1, 1, 1], [0, 0, 0]], [[1, 0, 0], [1, 0, 0]], np.zeros((2, 3))])
    assert_array_equal(ids, mask)


def test_what_pad_refuses() -> None:
    with pytest.raises(OptionError, match="at least one sequence and length >= 1, got 0 and 1"):
        text.pad([])
    with pytest.raises(ShapeError, match="one number of axes, at least 1, not 1, 2"):
        text.pad([[1], [[1]]])
    with pytest.raises(ShapeError, match="not 0"):
        text.pad([1, 2])


def test_batches_of_labels_and_of_labels_of_words() -> None:
    ids, labels = text.padded_batch([(np.array([2, 3]), 1), (np.array([4]), 0)])
    assert_array_equal(ids, [[2, 3], [4, 0]])
    assert_array_equal(labels, [1, 0])
    assert_array_equal(text.padded_batch([([2, 3], [0, 1]), ([4], [1])])[1], [[0, 1], [1, -100]])


def convolved(dilation):
    layer = nn.Conv1d(3, 4, 3, padding="same", dilation=dilation, rng=np.random.default_rng(1))

    def apply(x, mask):
        return text.max_over_time(layer(text.masked(F.relu(layer_in(text.masked(x, mask))), mask)), mask)

    layer_in = nn.Conv1d(3, 3, 4, padding="same", rng=np.random.default_rng(2))
    apply.layers = [layer, layer_in]
    return apply


def recurrent():
    layer = nn.LSTM(3, 2, batch_first=True, bidirectional=True, rng=np.random.default_rng(3))

    def apply(x, mask):
        output, (last, _) = layer(x.transpose(0, 2, 1), mask=mask)
        return F.concatenate([text.mean_over_time(output.transpose(0, 2, 1), mask), last[0], last[1]], axis=1)

    apply.layers = [layer]
    return apply


CASES = {
    "max": text.max_over_time,
    "mean": text.mean_over_time,
    "conv": convolved(1),
    "dilated": convolved(2),
    "lstm": recurrent(),
}


@pytest.mark.parametrize(
    ("case", "backend"),
    [
        *((case, backend) for case in CASES for backend in ("numpy", "numba")),
        *(pytest.param(case, "cuda", marks=pytest.mark.slow) for case in ("max", "mean", "conv")),
    ],
)
def test_more_padding_changes_nothing(case: str, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither results nor gradients, of inputs and of parameters; what the padding holds, NaN even, does not matter."""
    if backend == "cuda":
        if missing := problem("emulator"):
            pytest.skip(f"cuda {missing}")
        monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    rng, apply = np.random.default_rng(0), CASES[case]
    features = [rng.standard_normal((len(ids), 3)).astype(np.float32) for ids in SENTENCES]
    parameters = [p for layer in getattr(apply, "layers", []) for p in layer.parameters()]

    def run(length: int, filling: float):
        batch, mask = text.pad(features, value=filling, length=length)
        x, mask = md.tensor(batch.transpose(0, 2, 1), requires_grad=True), mask[:, :, 0]
        for parameter in parameters:
            parameter.grad = None
        y = apply(x, mask)
        F.sum(y * md.tensor(np.random.default_rng(4).standard_normal(y.shape).astype(np.float32))).backward()
        grad = x.grad.numpy().transpose(0, 2, 1)
        assert not grad[~mask].any()
        return [y.numpy(), grad[:, :5], *[p.grad.numpy() for p in parameters]]

    with md.use(backend):
        tight = run(1, 0.0)
        for length, filling in ((6, 0.0), (19, 7.0), (9, np.nan)):
            for found, expected in zip(run(length, filling), tight, strict=True):
                assert_allclose(found, expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("pool", [text.max_over_time, text.mean_over_time])
def test_padding_may_stand_anywhere_and_a_sentence_without_words_gives_0(pool) -> None:
    x = np.array([[[9.0, -2, 9, -1, 9]], [[9.0, 9, 9, 9, 9]], [[-3.0, 9, 9, 9, 9]]])
    mask = np.array([[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    expected = [[-1.0], [0.0], [-3.0]] if pool is text.max_over_time else [[-1.5], [0.0], [-3.0]]
    assert_array_equal(pool(md.tensor(x), mask).numpy(), expected)
    check_gradients(lambda x: pool(x, mask), np.random.default_rng(0).standard_normal((3, 2, 5)))


def test_what_does_not_fit_is_refused() -> None:
    x = md.tensor(np.zeros((2, 3, 5), np.float32))
    for name in ("masked", "max_over_time", "mean_over_time"):
        with pytest.raises(ShapeError, match=rf"{name}: x must be \(N, C, T\) and mask \(N, T\), not .* and \(2, 3\)"):
            getattr(text, name)(x, np.ones((2, 3), bool))
    with pytest.raises(DtypeError, match="condition must hold bools"):
        text.masked(x, np.ones((2, 5), np.int64))
