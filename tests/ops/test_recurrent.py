"""LSTM and GRU: values against loops over the formulas, gradients against central differences and against elementary ops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

import minidil as md
import minidil.functional as F
from minidil.calls.lift import lift
from minidil.errors import DtypeError, ShapeError
from minidil.kernels import cpu, reference
from minidil.ops import recurrent
from minidil.testing import check_gradients

GATES = {"lstm": 4, "gru": 3}
STATES = {"lstm": 2, "gru": 1}
op = {name: lift(getattr(recurrent, name)) for name in GATES}


def operands(name, steps=4, batch=3, inputs=2, size=5, seed=0):
    """x, the states, both weights and both biases."""
    rng = np.random.default_rng(seed)
    rows = GATES[name] * size
    states = [(batch, size)] * STATES[name]
    shapes = [(steps, batch, inputs), *states, (rows, inputs), (rows, size), (rows,), (rows,)]
    return [rng.standard_normal(shape) for shape in shapes]


def one_step(name, x, states, weight_ih, weight_hh, bias_ih, bias_hh):
    """The formulas of the docstrings for one sequence."""
    a, b, hidden = weight_ih @ x + bias_ih, weight_hh @ states[0] + bias_hh, states[0]
    if name == "lstm":
        i, f, g, o = (a + b).reshape(4, -1)
        cell = expit(f) * states[1] + expit(i) * np.tanh(g)
        return [expit(o) * np.tanh(cell), cell]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = a.reshape(3, -1), b.reshape(3, -1)
    z = expit(x_z + h_z)
    return [(1 - z) * np.tanh(x_n + expit(x_r + h_r) * h_n) + z * hidden]


def by_loops(name, x, *rest, mask=None, reverse=False):
    states, weights = rest[: STATES[name]], rest[STATES[name] :]
    steps, batch, _ = x.shape
    y = np.zeros((steps + len(states), batch, states[0].shape[1]))
    for n in range(batch):
        now = [state[n] for state in states]
        for t in sorted(range(steps), reverse=reverse):
            if mask is None or mask[t, n]:
                now = one_step(name, x[t, n], now, *weights)
                y[t, n] = now[0]
        y[steps:, n] = now
    return y


@pytest.mark.parametrize("name", GATES)
@given(data=st.data(), reverse=st.booleans(), masked=st.booleans(), steps=st.integers(0, 4), batch=st.integers(1, 3))
def test_the_formulas(backend, name, data, reverse, masked, steps, batch) -> None:
    given_arrays = operands(name, steps, batch)
    flags = st.lists(st.booleans(), min_size=steps * batch, max_size=steps * batch)
    mask = np.array(data.draw(flags), bool).reshape(steps, batch) if masked else None
    options = {"mask": mask, "reverse": reverse}
    assert_allclose(op[name](*given_arrays, **options).numpy(), by_loops(name, *given_arrays, **options), atol=1e-12)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("reverse", [False, True])
def test_central_differences(backend, name, reverse) -> None:
    mask = np.array([[True, True, False], [False, True, False], [True, True, False], [True, False, False]])
    check_gradients(op[name], *operands(name), mask=mask, reverse=reverse)


def through_the_tape(name, x, *rest):
    """The same network made of elementary ops, whose gradients the library puts together."""
    states, (weight_ih, weight_hh, bias_ih, bias_hh) = list(rest[: STATES[name]]), rest[STATES[name] :]
    outputs = []
    for t in range(x.shape[0]):
        a, b = F.linear(x[t], weight_ih, bias_ih), F.linear(states[0], weight_hh, bias_hh)
        if name == "lstm":
            i, f, g, o = F.chunk(a + b, 4, 1)
            cell = F.sigmoid(f) * states[1] + F.sigmoid(i) * F.tanh(g)
            states = [F.sigmoid(o) * F.tanh(cell), cell]
        else:
            (x_r, x_z, x_n), (h_r, h_z, h_n) = F.chunk(a, 3, 1), F.chunk(b, 3, 1)
            z = F.sigmoid(x_z + h_z)
            states = [(1 - z) * F.tanh(x_n + F.sigmoid(x_r + h_r) * h_n) + z * states[0]]
        outputs.append(states[0])
    return F.stack([*outputs, *states])


@pytest.mark.parametrize("name", GATES)
def test_the_gradients_of_elementary_ops(backend, name) -> None:
    found = []
    for function in (op[name], lambda *leaves: through_the_tape(name, *leaves)):
        leaves = [md.tensor(array, requires_grad=True) for array in operands(name)]
        y = function(*leaves)
        y.backward(gradient=np.random.default_rng(1).standard_normal(y.shape))
        found.append([leaf.grad.numpy() for leaf in leaves])
    for ours, theirs in zip(*found, strict=True):
        assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("filling", [0.0, 1e30, np.inf, np.nan])
def test_padding_reaches_nothing_wherever_it_stands(backend, name, filling) -> None:
    x, *rest = operands(name)
    places = [1, 3, 4, 6]  # of seven steps, these have data
    padded = np.full((7, *x.shape[1:]), filling)
    padded[places] = x
    mask = np.zeros((7, 3), bool)
    mask[places] = True
    for reverse in (False, True):
        outcomes = []
        for given_x, options, kept in ((x, {}, slice(0, 4)), (padded, {"mask": mask}, places)):
            leaves = [md.tensor(array, requires_grad=True) for array in (given_x, *rest)]
            y = op[name](*leaves, reverse=reverse, **options)
            states = y[given_x.shape[0] :]
            ((y[: given_x.shape[0]] ** 2).sum() + (states**3).sum()).backward()
            grad_x, *grads = (leaf.grad.numpy() for leaf in leaves)
            assert not np.delete(grad_x, kept, axis=0).any()
            assert not np.delete(y.numpy()[: given_x.shape[0]], kept, axis=0).any()
            outcomes.append([y.numpy()[kept], states.numpy(), grad_x[kept], *grads])
        for plain, within in zip(*outcomes, strict=True):
            assert_allclose(within, plain, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", GATES)
def test_a_sequence_that_is_all_padding_keeps_its_state(backend, name) -> None:
    x, *rest = operands(name)
    mask = np.ones((4, 3), bool)
    mask[:, 1] = False
    y = op[name](x, *rest, mask=mask).numpy()
    assert not y[:4, 1].any()
    for number in range(STATES[name]):
        assert_array_equal(y[4 + number, 1], rest[number][1])


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("reverse", [False, True])
def test_no_step_sees_the_one_behind_it(backend, name, reverse) -> None:
    x, *rest = operands(name, steps=6)
    for t in range(6):
        changed = x.copy()
        changed[t] += 1
        moved = (op[name](changed, *rest, reverse=reverse).numpy() != op[name](x, *rest, reverse=reverse).numpy())[:6]
        expected = np.arange(6) <= t if reverse else np.arange(6) >= t
        assert_array_equal(moved.any(axis=(1, 2)), expected)


@pytest.mark.parametrize("name", GATES)
def test_without_states_and_biases(backend, name) -> None:
    arrays = operands(name)
    x, weights = arrays[0], arrays[1 + STATES[name] : -2]
    zeros = [np.zeros((3, 5))] * STATES[name]
    nothing = [np.zeros(GATES[name] * 5)] * 2
    y = op[name](x, *[None] * STATES[name], *weights)
    assert_allclose(y.numpy(), by_loops(name, x, *zeros, *weights, *nothing), atol=1e-12)
    one = op[name](x, *[None] * STATES[name], *weights, None, np.ones(GATES[name] * 5))
    assert_allclose(one.numpy(), by_loops(name, x, *zeros, *weights, nothing[0], nothing[0] + 1), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-4, 0.3, 3.0, 200.0])
@pytest.mark.parametrize("kernel", ["lstm_cell", "lstm_cell_grad", "gru_cell", "gru_cell_grad"])
def test_the_fast_kernels_are_the_reference(monkeypatch, kernel, size, dtype) -> None:
    monkeypatch.setattr("minidil.kernels.cpu.recurrent.LEAST_ELEMENTS", 60)
    rng = np.random.default_rng(0)
    wide, narrow = GATES[kernel.split("_")[0]] * 17, 17
    columns = {
        "lstm_cell": (wide, narrow),
        "lstm_cell_grad": (narrow, narrow, wide, narrow, narrow),
        "gru_cell": (wide, wide, narrow),
        "gru_cell_grad": (narrow, wide, wide, narrow),
    }[kernel]
    arrays = [(size * rng.standard_normal((5, count))).astype(dtype) for count in columns]
    if kernel.endswith("grad"):
        gates = columns.index(wide)
        arrays[gates] = np.clip(arrays[gates], -1, 1)  # as the sigmoid and tanh leave them
    tolerance = 1e-6 if dtype == np.float32 else 1e-14
    for found, wanted in zip(getattr(cpu, kernel)(*arrays), getattr(reference, kernel)(*arrays), strict=True):
        assert found.dtype == dtype
        assert_allclose(found, wanted, rtol=4 * tolerance, atol=tolerance * np.abs(wanted).max())


def test_a_number_that_is_none_stays_one() -> None:
    sums = np.array([[np.nan, 1, 1, 1]], np.float32)
    for kernels in (cpu, reference):
        gates, cell, hidden = kernels.lstm_cell(sums, np.ones((1, 1), np.float32))
        assert_array_equal(np.isnan(gates), [[True, False, False, False]])
        assert np.isnan([cell, hidden]).all()


def test_refused() -> None:
    x, hidden, cell, weight_ih, weight_hh, bias, _ = operands("lstm")
    with pytest.raises(
        ShapeError, match=r"lstm: weight_ih must be \(20, 2\), for 4 gates of 5 units and x \(4, 3, 2\)"
    ):
        op["lstm"](x, hidden, cell, weight_hh, weight_hh)
    with pytest.raises(ShapeError, match=r"lstm: x \(4, 2\) must be \(T, N, I\)"):
        op["lstm"](x[:, 0], hidden, cell, weight_ih, weight_hh)
    with pytest.raises(ShapeError, match=r"lstm: cell must be \(N, H\) = \(3, 5\), not \(5,\)"):
        op["lstm"](x, hidden, cell[0], weight_ih, weight_hh, bias)
    with pytest.raises(ShapeError, match=r"lstm: mask must be \(T, N\) = \(4, 3\), not \(3, 4\)"):
        op["lstm"](x, hidden, cell, weight_ih, weight_hh, mask=np.ones((3, 4), bool))
    for lengths in (np.array([4, 2, 1]), [4, 2, 1]):
        with pytest.raises(
            DtypeError,
            match=r"lstm: mask must be an array (of bools, true where there is data, not int64|or a tensor, not list)",
        ):
            op["lstm"](x, hidden, cell, weight_ih, weight_hh, mask=lengths)
    with pytest.raises(DtypeError, match="lstm: x must be floating, not int64"):
        op["lstm"](*(np.ones(shape, np.int64) for shape in ((4, 3, 2), (3, 5), (3, 5), (20, 2), (20, 5))))
