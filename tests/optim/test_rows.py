"""Row-sparse gradients of a table: what they are, and what optimizers, clipping and resuming make of them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil import nn, optim
from minidil.errors import BackendError
from minidil.kernels.cuda.target import problem
from minidil.rows import Rows

OPTIMIZERS = {
    "SGD": lambda params: optim.SGD(params, lr=0.1),
    "momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, weight_decay=0.2, nesterov=True),
    "Adam": lambda params: optim.Adam(params, lr=0.1, weight_decay=0.2),
    "AdamW": lambda params: optim.AdamW(params, lr=0.1, weight_decay=0.2),
    "RMSprop": lambda params: optim.RMSprop(params, lr=0.1, momentum=0.5, centered=True),
}
BATCHES = [np.array(ids) for ids in ([[1, 3], [3, 3]], [[0, 1]], [[3, 5, 5]], [[1, 1, 1, 1]])]


def layer(sparse=True, **options):
    made = nn.Embedding(6, 2, sparse=sparse, rng=np.random.default_rng(0), **options)
    return made.astype(np.float64)


def backward(table, ids, seed=0):
    table(ids).backward(gradient=np.random.default_rng(seed).standard_normal((*ids.shape, 2)))


def is_sparse(parameter):
    return isinstance(parameter.grad._array, Rows)


@pytest.mark.parametrize("ids", [*BATCHES, np.zeros((0, 3), int), np.arange(6)])
@pytest.mark.parametrize("padding_idx", [None, 3])
def test_it_is_the_dense_gradient(backend, ids, padding_idx) -> None:
    found = []
    for sparse in (True, False):
        table = layer(sparse, padding_idx=padding_idx)
        backward(table, ids)
        assert is_sparse(table.weight) == sparse
        found.append(table.weight.grad.numpy())
    assert_array_equal(*found)
    rows = set(np.unique(ids)) - {padding_idx}
    assert_array_equal(np.flatnonzero(found[0].any(axis=1)), sorted(rows))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_move_as_parameters_of_their_own_and_the_others_stay(backend, name) -> None:
    """The oracle has a tensor for every row, and an optimizer that sees those with a gradient. Only Adam counts all its steps."""
    table = layer()
    rows = [md.tensor(row, requires_grad=True) for row in table.weight.numpy()]
    optimizer, oracle = OPTIMIZERS[name](table.parameters()), OPTIMIZERS[name](rows)
    for number, ids in enumerate(BATCHES):
        table.zero_grad()
        backward(table, ids, number)
        for index, row in enumerate(rows):
            row.grad = md.tensor(table.weight.grad.numpy()[index]) if index in ids else None
            state = oracle._state.setdefault(id(row), {}) if index in ids else {}
            if name.startswith("Adam") and index in ids:
                state.update(step=number, mean=state.get("mean", np.zeros(2)), square=state.get("square", np.zeros(2)))
        held = table.weight.numpy().copy(), table.weight.numpy()
        optimizer.step()
        oracle.step()
        assert_array_equal(*held)
        assert_allclose(table.weight.numpy(), [row.numpy() for row in rows], rtol=1e-13)
    untouched = [2, 4]
    assert_array_equal(table.weight.numpy()[untouched], layer().weight.numpy()[untouched])


def test_plain_sgd_is_what_it_is_with_a_dense_gradient(backend) -> None:
    found = []
    for sparse in (True, False):
        table = layer(sparse)
        optimizer = OPTIMIZERS["SGD"](table.parameters())
        for number, ids in enumerate(BATCHES):
            table.zero_grad()
            backward(table, ids, number)
            optimizer.step()
        found.append(table.weight.numpy())
    assert_array_equal(*found)


def test_two_uses_and_two_passes_add_up(backend) -> None:
    found = []
    for sparse in (True, False):
        table = layer(sparse)
        (table(BATCHES[0]).sum() + (table(BATCHES[1]) ** 2).sum()).backward()
        first = table.weight.grad
        value = first.numpy().copy()
        backward(table, BATCHES[2])
        assert is_sparse(table.weight) == sparse
        assert_array_equal(first.numpy(), value)  # a gradient that someone holds never changes
        found.append(table.weight.grad.numpy())
    assert_allclose(*found, rtol=1e-13)


def test_beside_a_dense_use_of_the_same_table_it_is_dense(backend) -> None:
    found = []
    for sparse in (True, False):
        table = layer(sparse)
        scores = table(BATCHES[0]) @ table.weight.T  # an output layer tied to the table
        (scores**2).sum().backward()
        assert not is_sparse(table.weight)
        optimizer = OPTIMIZERS["Adam"](table.parameters())
        optimizer.step()
        found.append(table.weight.numpy())
    assert_allclose(*found, rtol=1e-12)


def test_dense_and_sparse_steps_may_alternate(backend) -> None:
    """The state is one. A sparse step does not write into the gradient that the velocity of the first, dense, step is."""
    table = layer()
    optimizer = OPTIMIZERS["momentum"](table.parameters())
    table.weight.grad = md.tensor(np.ones((6, 2)))
    held = table.weight.grad
    optimizer.step()
    table.zero_grad()
    backward(table, BATCHES[0])
    optimizer.step()
    assert_array_equal(held.numpy(), np.ones((6, 2)))
    velocity = optimizer.state_dict()["state"][0]["velocity"]
    assert velocity.shape == (6, 2)
    assert (velocity[[1, 3]] != velocity[0]).any()


def test_looking_at_a_gradient_does_not_change_what_a_step_does(backend) -> None:
    table = layer()
    backward(table, BATCHES[0])
    _ = table.weight.grad.numpy(), table.weight.grad.data, table.weight.grad * 2, np.asarray(table.weight.grad)
    assert is_sparse(table.weight)
    with pytest.raises(TypeError):
        np.add(table.weight.grad._array, 1)


def test_a_table_that_is_computed_gets_a_dense_gradient(backend) -> None:
    weight = md.tensor(np.arange(12.0).reshape(6, 2), requires_grad=True)
    table = layer()
    vars(table)["weight"] = weight * 3
    table(np.array([1, 1, 4])).sum().backward()
    assert_array_equal(weight.grad.numpy(), 3 * np.array([[0, 0], [2, 2], [0, 0], [0, 0], [1, 1], [0, 0]]))


def test_clipping_scales_the_rows(backend) -> None:
    found = []
    for sparse in (True, False):
        table = layer(sparse)
        backward(table, BATCHES[0])
        norm = optim.clip_grad_norm(table.parameters(), 0.1)
        assert is_sparse(table.weight) == sparse
        found.append((norm, table.weight.grad.numpy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    assert_allclose(found[0][1], found[1][1], rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_from_a_saved_state(name) -> None:
    whole, resumed = layer(), layer()
    optimizer, first = OPTIMIZERS[name](whole.parameters()), OPTIMIZERS[name](resumed.parameters())
    for number, ids in enumerate(BATCHES):
        if number == 2:
            saved, second = first.state_dict(), OPTIMIZERS[name](resumed.parameters())
            second.load_state_dict(saved)
            kept = {key: np.array(value) for key, value in saved["state"][0].items()}
            first = second
        for table, mover in ((whole, optimizer), (resumed, first)):
            table.zero_grad()
            backward(table, ids, number)
            mover.step()
    assert_array_equal(whole.weight.numpy(), resumed.weight.numpy())
    for key, value in kept.items():  # a state that was taken out never changes
        assert_array_equal(saved["state"][0][key], value)


def test_on_a_device_it_is_refused(monkeypatch) -> None:
    if missing := problem("emulator"):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    with (
        md.use("cuda"),
        pytest.raises(BackendError, match="embedding: sparse gradients are on the host; leave out sparse=True"),
    ):
        nn.Embedding(6, 2, sparse=True)(np.array([1]))
