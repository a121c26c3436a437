"""The CRF against the enumeration of all paths: loss, marginals, the most probable path; and what padding must not do."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

import minidil as md
from minidil import nn
from minidil.calls.lift import lift
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels import cpu, reference
from minidil.ops import crf
from minidil.testing import check_gradients

crf_loss = lift(crf.crf_loss)


def chain(steps=4, batch=3, tags=3, seed=0, scale=1.0):
    """emissions, transitions, start, end; and tags."""
    rng = np.random.default_rng(seed)
    shapes = [(steps, batch, tags), (tags, tags), (tags,), (tags,)]
    return [scale * rng.standard_normal(shape) for shape in shapes], rng.integers(0, tags, (steps, batch))


def score(path, emissions, transitions, start, end):
    """s(y) for emissions (T, K) of one sequence."""
    if not path:
        return 0.0
    return (
        start[path[0]]
        + sum(emissions[t, tag] for t, tag in enumerate(path))
        + sum(transitions[i, j] for i, j in pairwise(path))
        + end[path[-1]]
    )


def enumerated(parameters, tags, mask):
    """Losses, the best paths, and the gradients of the summed losses: expected counts less those of the tags."""
    emissions, *others = parameters
    losses, best, grads = [], [], [np.zeros_like(array) for array in parameters]
    for n in range(emissions.shape[1]):
        steps = np.flatnonzero(mask[:, n])
        paths = list(product(range(emissions.shape[2]), repeat=len(steps)))
        scores = np.array([score(path, emissions[steps, n], *others) for path in paths])
        log_z = np.logaddexp.reduce(scores)
        right = tuple(tags[steps, n])
        losses.append(log_z - scores[paths.index(right)])
        best.append(list(paths[scores.argmax()]))
        for path, chance in [*zip(paths, np.exp(scores - log_z), strict=True), (right, -1.0)]:
            for t, tag in zip(steps, path, strict=True):
                grads[0][t, n, tag] += chance
            for i, j in pairwise(path):
                grads[1][i, j] += chance
            if path:
                grads[2][path[0]] += chance
                grads[3][path[-1]] += chance
    return losses, best, grads


@given(data=st.data(), steps=st.integers(1, 4), batch=st.integers(1, 3), tags=st.integers(1, 3))
def test_enumeration(backend, data, steps, batch, tags) -> None:
    parameters, right = chain(steps, batch, tags)
    flags = st.lists(st.booleans(), min_size=steps * batch, max_size=steps * batch)
    mask = np.array(data.draw(flags)).reshape(steps, batch)
    losses, best, grads = enumerated(parameters, right, mask)
    leaves = [md.tensor(array, requires_grad=True) for array in parameters]
    found = crf_loss(*leaves, tags=right, mask=mask)
    found.sum().backward()
    assert_allclose(found.numpy(), losses, atol=1e-12)
    for leaf, grad in zip(leaves, grads, strict=True):
        assert_allclose(leaf.grad.numpy(), grad, atol=1e-12)
    assert crf.viterbi(*parameters, mask) == best


def test_central_differences(backend) -> None:
    """With a gradient of another size for every sequence, one of which is all padding, and gaps in the others."""
    parameters, right = chain(5, 4)
    mask = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 1], [1, 1, 0, 1], [0, 1, 0, 1]], bool)
    check_gradients(lambda *leaves: crf_loss(*leaves, tags=right, mask=mask), *parameters)
    check_gradients(lambda *leaves: crf_loss(*leaves, tags=right), *parameters)


def test_a_loss_is_not_negative_and_falls_when_the_tags_become_likely() -> None:
    (emissions, *others), right = chain()
    before = crf_loss(emissions, *others, tags=right).numpy()
    emissions[np.arange(4)[:, None], np.arange(3), right] += 20
    after = crf_loss(emissions, *others, tags=right).numpy()
    assert (before > 1e-3).all()
    assert (after >= 0).all()
    assert (after < before).all()


@pytest.mark.parametrize("filling", [0.0, 1e30, np.inf, np.nan])
def test_padding_reaches_nothing_wherever_it_stands(backend, filling) -> None:
    (emissions, *others), right = chain(scale=2)
    places = [1, 3, 4, 6]
    padded, padded_tags, mask = np.full((7, 3, 3), filling), np.full((7, 3), -100), np.zeros((7, 3), bool)
    padded[places], padded_tags[places], mask[places] = emissions, right, True
    outcomes = []
    for scores, tags, options, kept in (
        (emissions, right, {}, slice(None)),
        (padded, padded_tags, {"mask": mask}, places),
    ):
        leaves = [md.tensor(array, requires_grad=True) for array in (scores, *others)]
        losses = crf_loss(*leaves, tags=tags, **options)
        (losses**2).sum().backward()
        grad, *grads = (leaf.grad.numpy() for leaf in leaves)
        assert not np.delete(grad, kept, axis=0).any() or not options
        outcomes.append([losses.numpy(), grad[kept], *grads])
    for plain, within in zip(*outcomes, strict=True):
        assert_allclose(within, plain, rtol=1e-12, atol=1e-12)
    assert crf.viterbi(padded, *others, mask) == crf.viterbi(emissions, *others)


def test_forbidden_transitions_and_scores_far_apart(backend) -> None:
    """In float32, where e^100 and e^-100 are no numbers; the only way into tag 1 is the less likely one."""
    emissions = np.array([[[100, 0]], [[0, 300]]], np.float32)
    transitions = np.array([[0, -np.inf], [0, -150]], np.float32)
    zeros = np.zeros(2, np.float32)
    leaves = [md.tensor(array, requires_grad=True) for array in (emissions, transitions, zeros, zeros)]
    losses = crf_loss(*leaves, tags=np.array([[0], [0]]))
    losses.sum().backward()
    assert_allclose(
        losses.numpy(), [50], rtol=1e-6
    )  # the paths score 100 (0, 0), 0 (1, 0), 150 (1, 1), minus infinity (0, 1)
    assert all(np.isfinite(leaf.grad.numpy()).all() for leaf in leaves)
    assert_allclose(leaves[1].grad.numpy(), [[-1, 0], [0, 1]], atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_product_of_logarithms(dtype) -> None:
    rng = np.random.default_rng(0)
    a, b = (10 * rng.standard_normal(shape).astype(dtype) for shape in ((5, 7), (7, 9)))
    a[0], b[:, 1], a[1, 2], a[2, 3] = -np.inf, -np.inf, -np.inf, np.nan
    wanted = logsumexp(a[:, :, None] + b, axis=1)
    for kernels in (cpu, reference):
        found = kernels.log_matmul(a, b)
        assert found.dtype == dtype
        assert_allclose(found, wanted, rtol=2e-6 if dtype == np.float32 else 1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_expected_steps_of_paths(dtype) -> None:
    """One by one, with steps that are impossible and a number that is none; the weights have both signs."""
    rng = np.random.default_rng(0)
    before, between, behind = (rng.standard_normal(shape).astype(dtype) - 4 for shape in ((6, 3), (3, 9), (6, 9)))
    weight = rng.standard_normal(6).astype(dtype)
    before[0], between[:, 1], behind[2, 3] = -np.inf, -np.inf, np.nan
    wanted = [
        [sum(weight[m] * np.exp(before[m, i] + between[i, j] + behind[m, j]) for m in range(6)) for j in range(9)]
        for i in range(3)
    ]
    for kernels in (cpu, reference):
        found = kernels.path_pairs(before, between, behind, weight)
        assert found.dtype == dtype
        assert_allclose(found, wanted, rtol=3e-5 if dtype == np.float32 else 1e-12)


class TestLayer:
    def test_batch_first_and_reductions(self, backend):
        layer, turned = nn.CRF(3), nn.CRF(3, batch_first=True)
        turned.load_state_dict(layer.state_dict())
        (emissions, *_), right = chain()
        emissions = emissions.astype(np.float32)
        mask = np.arange(4)[:, None] < [4, 2, 0]
        losses = layer(md.tensor(emissions), right, mask, reduction="none").numpy()
        assert losses.shape == (3,)
        assert losses[2] == 0
        swapped = md.tensor(emissions.transpose(1, 0, 2))
        assert turned(swapped, right.T, mask.T).item() == pytest.approx(losses.mean(), rel=1e-6)
        assert layer(md.tensor(emissions), md.tensor(right), md.tensor(mask), "sum").item() == pytest.approx(
            losses.sum()
        )
        assert layer.decode(md.tensor(emissions), mask) == turned.decode(swapped, mask.T)
        assert list(map(len, layer.decode(emissions, mask))) == [4, 2, 0]

    def test_names_are_those_of_pytorch_crf(self):
        shapes = {name: value.shape for name, value in nn.CRF(3).state_dict().items()}
        assert shapes == {"start_transitions": (3,), "end_transitions": (3,), "transitions": (3, 3)}
        assert repr(nn.CRF(3, True)) == "CRF(3, batch_first=True)"

    def test_it_learns_tags_that_only_their_neighbours_tell(self):
        """Emissions say nothing; every tag is followed by the next one."""
        layer = nn.CRF(3, rng=np.random.default_rng(0))
        optimizer = md.optim.Adam(layer.parameters(), lr=0.1)
        right = (np.arange(6)[:, None] + np.arange(3)) % 3
        for _ in range(60):
            layer.zero_grad()
            layer(md.zeros(6, 3, 3), right).backward()
            optimizer.step()
        hints = np.zeros((6, 3, 3), np.float32)
        hints[0, np.arange(3), right[0]] = 1
        assert_array_equal(np.transpose(layer.decode(hints)), right)

    def test_refused(self):
        layer, ((emissions, *_), right) = nn.CRF(3).astype(np.float64), chain()
        x = md.tensor(emissions)
        with pytest.raises(OptionError, match=r"crf_loss: tags hold 0\.\.3 where there is data, but lie in 0\.\.2"):
            layer(x, np.where(right == 2, 3, right))
        with pytest.raises(ShapeError, match=r"crf_loss: tags must be \(T, N\) = \(4, 3\), not \(3, 4\)"):
            layer(x, right.T)
        with pytest.raises(DtypeError, match="crf_loss: tags must be integers, not float64"):
            layer(x, right * 1.0)
        with pytest.raises(
            DtypeError, match="viterbi: mask must be an array of bools, true where there is data, not int64"
        ):
            layer.decode(x, np.array([4, 2, 1]))
        with pytest.raises(
            ShapeError, match=r"crf_loss: transitions must be \(4, 4\) to go with emissions \(4, 3, 4\)"
        ):
            layer(md.tensor(np.zeros((4, 3, 4))), right)
        with pytest.raises(OptionError, match='CRF: reduction must be "mean", "sum" or "none", not \'token_mean\''):
            layer(x, right, reduction="token_mean")
