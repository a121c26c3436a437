"""Tensor: values, gradients, and the promise that nothing can change a value that a graph has kept."""

import copy
import gc
import inspect
import operator
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import functional as F
from minidil.errors import CallError, DtypeError, GraphError, OptionError, ShapeError
from minidil.tensor import Tensor, lift


def leaf(*values: float) -> Tensor:
    return md.tensor(np.array(values, np.float64), requires_grad=True)


# --- making and reading


def test_python_floats_become_float32_and_everything_else_keeps_its_type() -> None:
    assert md.tensor([1.0, 2.0]).dtype == np.float32
    assert md.tensor(1.5).dtype == np.float32
    assert md.tensor([1, 2]).dtype == np.int64
    assert md.tensor([True]).dtype == bool
    assert md.tensor(np.zeros(2)).dtype == np.float64
    assert md.tensor(np.zeros(2, np.float16)).dtype == np.float16
    assert md.tensor([1, 2], dtype=np.float64).dtype == np.float64


def test_a_tensor_copies_what_it_is_made_of() -> None:
    source = np.zeros(3)
    t = md.tensor(source)
    source[:] = 7
    assert t.numpy().tolist() == [0, 0, 0]
    assert md.tensor(t).numpy().base is not t.numpy().base


@pytest.mark.parametrize("bad", ["text", [None], np.array([1j]), object()])
def test_what_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(DtypeError, match="no number type"):
        md.tensor(bad)


def test_ragged_lists_are_refused() -> None:
    with pytest.raises(ShapeError, match="inhomogeneous"):
        md.tensor([[1.0], [1.0, 2.0]])


def test_only_floating_tensors_can_need_gradients() -> None:
    with pytest.raises(DtypeError, match="int64"):
        md.tensor([1, 2], requires_grad=True)


def test_shape_attributes() -> None:
    t = md.tensor(np.zeros((2, 3)))
    assert (t.shape, t.ndim, t.size, len(t), t.T.shape, t.is_leaf) == ((2, 3), 2, 6, 2, (3, 2), True)
    assert [row.shape for row in t] == [(3,), (3,)]


def test_a_scalar_has_no_length_but_a_value() -> None:
    t = md.tensor(2.5)
    with pytest.raises(TypeError, match="no length"):
        len(t)
    assert t.item() == 2.5
    assert float(t) == 2.5
    assert bool(t)


def test_item_needs_one_element() -> None:
    assert md.tensor([[3]]).item() == 3
    with pytest.raises(ShapeError, match=r"\(2,\) is not one number"):
        md.tensor([1.0, 2.0]).item()
    with pytest.raises(ShapeError, match="not one number"):
        bool(md.tensor([1.0, 2.0]) == md.tensor([1.0, 2.0]))


def test_repr_shows_values_type_and_origin() -> None:
    assert repr(md.tensor([1, 2])) == "tensor([1, 2], dtype=int64)"
    assert "requires_grad=True" in repr(leaf(1))
    assert "op=multiply" in repr(leaf(1) * 2)


# --- nothing can be changed behind a graph's back


def test_views_of_the_value_are_read_only() -> None:
    t = leaf(1, 2, 3)
    for view in (t.data, t.numpy(), np.asarray(t), (t * 1)[1:].numpy(), t.reshape(3, 1).numpy()):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5


def test_a_tensor_cannot_be_written_into() -> None:
    t = leaf(1, 2)
    with pytest.raises(TypeError, match="never written into"):
        t[0] = 3


def test_augmented_assignment_makes_a_new_tensor() -> None:
    x = leaf(1, 2)
    before = x * 1
    y, z = before * before, before
    z += 1
    assert z is not before
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [2, 4]


def test_the_tutorials_gradient_descent_trains_the_leaf_itself() -> None:
    w = leaf(1, 2)
    held = w
    for _ in range(2):
        (w * w).sum().backward()
        with md.no_grad():
            w -= 0.25 * w.grad
        w.grad = None
    assert w is held
    assert w.requires_grad
    assert w.numpy().tolist() == [0.25, 0.5]


def test_a_graph_keeps_the_value_that_an_update_replaces() -> None:
    w = leaf(1, 2)
    y = (w * w).sum()
    with md.no_grad():
        w *= 10
        w += 1
        w /= 2
    y.backward()
    assert w.grad is not None
    assert w.grad.numpy().tolist() == [2, 4]
    assert w.numpy().tolist() == [5.5, 10.5]


@pytest.mark.parametrize("operate", [operator.iadd, operator.isub, operator.imul, operator.itruediv])
def test_a_leaf_that_is_being_recorded_is_not_hidden_behind_a_computed_tensor(operate: Any) -> None:
    w = leaf(1, 2)
    with pytest.raises(GraphError, match=r"this leaf needs a gradient.*no_grad"):
        operate(w, 2)
    assert w.numpy().tolist() == [1, 2]


def test_a_gradient_of_another_shape_or_type_is_refused() -> None:
    w = leaf(1, 2)
    with pytest.raises(ShapeError, match=r"grad: the tensor is float64 \(2,\), its gradient float64 \(1, 1\)"):
        w.grad = md.tensor(np.array([[7.0]]))
    with pytest.raises(ShapeError, match="its gradient float32"):
        w.grad = md.tensor([1.0, 2.0])
    with pytest.raises(DtypeError, match=r"a tensor or None, not ndarray; wrap it"):
        w.grad = np.ones(2)  # type: ignore[assignment]
    assert w.grad is None
    w.grad = md.tensor(np.array([3.0, 4.0]))
    w.grad = None


def test_data_takes_arrays_only() -> None:
    w = leaf(1, 2)
    with pytest.raises(DtypeError, match=r"data: takes an array, not list; write np.array\(value, 'float64'\)"):
        w.data = [1, 2]  # type: ignore[assignment]
    w.data = md.tensor(np.array([3.0, 4.0])) * 1  # type: ignore[assignment]
    assert w.numpy().tolist() == [3, 4]
    assert w.is_leaf


@pytest.mark.parametrize("make", [copy.deepcopy, copy.copy, pickle.dumps])
def test_only_leaves_are_copied_and_pickled(make: Any) -> None:
    with pytest.raises(
        GraphError, match=r"only leaves can be copied or pickled, and this tensor was computed by 'multiply'"
    ):
        make(leaf(1, 2) * 2)


def test_a_copied_leaf_is_a_leaf_of_its_own() -> None:
    w = leaf(1, 2)
    (w * w).sum().backward()
    for other in (copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert other.requires_grad
        assert other.grad.numpy().tolist() == [2, 4]
        other.data = np.zeros(2)
        assert w.numpy().tolist() == [1, 2]


def test_a_tensor_of_one_number_is_formatted_and_converted_as_one() -> None:
    t = md.tensor([[2.625]])
    assert (f"{t:.2f}", f"{t:8.1f}", int(t), round(t, 1), float(t)) == ("2.62", "     2.6", 2, 2.6, 2.625)
    assert f"{t}" == str(t)
    assert [10, 20, 30][md.tensor(1)] == 20
    with pytest.raises(ShapeError, match="not one number"):
        format(md.tensor([1.0, 2.0]), ".2f")


def test_masks_combine_as_numpys_do() -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    ta, tb = md.tensor(a), md.tensor(b)
    assert (ta & tb).tolist() == (a & b).tolist()
    assert (ta | b).tolist() == (a | b).tolist()
    assert (a ^ tb).tolist() == (a ^ b).tolist()
    assert (~ta).tolist() == (~a).tolist()
    assert (ta & True).tolist() == a.tolist()
    assert (ta & tb).dtype == bool
    with pytest.raises(DtypeError, match=r"& combines masks of bools, and one of these is float32"):
        ta & md.tensor([1.0, 2.0, 3.0, 4.0])


def test_a_transposition_that_keeps_the_order_is_refused() -> None:
    with pytest.raises(OptionError, match=r"write x.T"):
        md.tensor([[1.0, 2.0]]).transpose(0, 1)
    assert md.tensor([[1.0, 2.0]]).transpose(1, 0).shape == (2, 1)
    with pytest.raises(OptionError, match=r"takes all 3 axes; to exchange \(0, -1\), write transpose\(2, 1, 0\)"):
        md.zeros(2, 3, 4).transpose(0, -1)


def test_whole_quotients_are_numpys() -> None:
    for operate in (operator.floordiv, operator.mod):
        with pytest.raises(CallError, match=r"no gradient; compute them with NumPy, on x.numpy\(\)"):
            operate(leaf(3.0), 2)


def test_what_is_sorted_has_names() -> None:
    found = md.tensor([3.0, 1.0, 2.0]).sort()
    assert (found.values.tolist(), found.indices.tolist()) == ([1, 2, 3], [1, 2, 0])


def test_to_changes_the_number_type_and_no_device() -> None:
    t = md.tensor([1.0])
    assert t.to("float64").dtype == t.to(np.float64).dtype == t.to(t.astype("float64")).dtype == np.float64
    assert t.to("cpu") is t
    assert t.cpu() is t
    with pytest.raises(OptionError, match=r"minidil.use\('cuda'\)"):
        t.to("cuda:0")


def test_assigning_data_leaves_a_recorded_graph_with_the_old_value() -> None:
    x = leaf(1, 2)
    y = (x * x).sum()
    x.data = np.array([10.0, 20.0])
    y.backward()
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [2, 4]
    assert x.numpy().tolist() == [10, 20]


def test_assigned_data_must_have_the_same_shape_and_type() -> None:
    x = leaf(1, 2)
    with pytest.raises(ShapeError, match=r"\(2,\).*\(3,\)"):
        x.data = np.zeros(3)
    with pytest.raises(DtypeError, match=r"float64.*float32"):
        x.data = np.zeros(2, np.float32)
    assert x.numpy().tolist() == [1, 2]


def test_assigned_data_is_not_shared_with_its_source() -> None:
    x, source = leaf(1, 2), np.array([5.0, 6.0])
    x.data = source
    source[:] = 0
    assert x.numpy().tolist() == [5, 6]


def test_constants_options_and_indices_are_copied_when_a_graph_keeps_them() -> None:
    x, factor, index = leaf(1, 2), np.array([3.0, 4.0]), np.array([0, 0])
    y, z = x * factor, x[index]
    factor[:], index[:] = 0, 1
    (y.sum() + z.sum()).backward()
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [5, 4]


def test_a_gradient_passed_to_backward_is_not_shared() -> None:
    x, upstream = leaf(1, 2), np.array([1.0, 1.0])
    (x + 0).backward(gradient=upstream)
    upstream[:] = 9
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [1, 1]


def test_leaves_that_receive_the_same_array_do_not_disturb_each_other() -> None:
    a, b = leaf(1), leaf(2)
    (a + b).backward()
    (a * 5).backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.item(), b.grad.item()) == (6, 1)


def test_detach_shares_the_value_and_cuts_the_graph() -> None:
    x = leaf(2)
    y = (x * 3).detach()
    assert y.is_leaf
    assert not y.requires_grad
    (x * y).backward()
    assert x.grad is not None
    assert x.grad.item() == 6


# --- arithmetic


def test_operators_on_both_sides() -> None:
    x, two = md.tensor([1.0, 4.0]), np.float32(2)
    pairs = [(x + 1, 1 + x), (x * 3, 3 * x)]
    assert all((a.numpy() == b.numpy()).all() for a, b in pairs)
    assert (5 - x).numpy().tolist() == [4, 1]
    assert (8 / x).numpy().tolist() == [8, 2]
    assert (2**x).numpy().tolist() == [2, 16]
    assert (x**0.5).numpy().tolist() == [1, 2]
    assert (two * x).dtype == np.float32
    assert (np.ones((2, 2), np.float32) @ x).numpy().tolist() == [5, 5]
    assert (np.ones(2, np.float32) * x).numpy().tolist() == [1, 4]
    assert abs(-x).numpy().tolist() == [1, 4]


def test_comparisons_give_bools_without_gradient() -> None:
    x = leaf(1, 2, 3)
    assert (x > 2).numpy().tolist() == [False, False, True]
    assert (x >= 2).numpy().tolist() == [False, True, True]
    assert (x < np.array([2.0, 2.0, 2.0])).numpy().tolist() == [True, False, False]
    assert (x <= 1).numpy().tolist() == [True, False, False]
    assert (x == x.detach()).numpy().all()
    assert not (x != x).numpy().any()
    assert not (x > 2).requires_grad
    assert x != "text"
    assert x not in [None, "text"]
    with pytest.raises(ShapeError, match="broadcast"):
        _ = x < np.zeros(2)


def test_methods_are_the_ops_of_the_same_name() -> None:
    array = np.arange(1.0, 7.0).reshape(2, 3)
    x = md.tensor(array)
    for name in ("sum", "mean", "max", "min", "var"):
        own = {"ddof": 1} if name == "var" else {}
        assert np.allclose(getattr(x, name)(axis=1).numpy(), getattr(array, name)(axis=1, **own))
        assert getattr(x, name)(axis=0, keepdims=True).shape == (1, 3)
    for name in ("exp", "log", "sqrt"):
        assert np.allclose(getattr(x, name)().numpy(), getattr(np, name)(array))
    assert x.var(ddof=1).item() == pytest.approx(array.var(ddof=1))
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == x.reshape(3, -1).shape == (3, 2)
    assert x.reshape(-1).shape == x.flatten().shape == (6,)
    assert x.transpose().shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (3, 2)
    assert x.clip(2, 5).numpy().max() == 5
    assert x.astype(np.float32).dtype == np.float32


def test_number_types_are_never_mixed_silently() -> None:
    with pytest.raises(DtypeError, match="multiply: a is float32, b is float64"):
        _ = md.tensor([1.0]) * md.tensor(np.ones(1))
    with pytest.raises(DtypeError, match="int64"):
        _ = md.tensor([1.0]) * md.tensor([1])
    with pytest.raises(DtypeError, match="list"):
        _ = md.tensor([1.0]) * [1.0]
    assert (md.tensor([1.0]) * md.tensor([True])).dtype == np.float32
    assert (md.tensor([1.0]) * np.float64(2)).dtype == np.float32


def test_half_precision_is_for_storage(backend: str) -> None:
    half = md.tensor(np.ones((1, 1, 4), np.float16))
    with pytest.raises(DtypeError, match=r"relu: x is float16.*float32 and float64"):
        F.relu(half)
    assert F.relu(half.astype(np.float32)).dtype == np.float32


def test_foreign_byte_order_is_put_right(backend: str) -> None:
    foreign = np.arange(4.0).astype(">f4").reshape(1, 1, 4)
    for x in (foreign, md.tensor(foreign)):
        y = F.max_pool(x, kernel_size=2)
        assert y.dtype.isnative
        assert y.numpy().tolist() == [[[1, 3]]]


def test_an_option_that_needs_a_gradient_is_refused() -> None:
    target = md.tensor([0.5], requires_grad=True)
    with pytest.raises(GraphError, match=r"target is a constant.*target\.detach\(\)"):
        F.binary_cross_entropy_with_logits(md.tensor([1.0], requires_grad=True), target)
    with md.no_grad():
        F.binary_cross_entropy_with_logits(md.tensor([1.0]), target)


def test_numpy_functions_do_not_lose_the_graph_silently() -> None:
    with pytest.raises(TypeError):
        np.exp(leaf(1))


def test_array_conversion() -> None:
    t = md.tensor([1.0, 2.0])
    assert np.array(t, dtype=np.float64).dtype == np.float64
    copy = np.array(t, copy=True)
    copy[0] = 9
    assert t.numpy()[0] == 1


# --- gradients


def test_gradients_accumulate_in_leaves_until_reset() -> None:
    x = leaf(3)
    for expected in (6, 12):
        (x * x).backward()
        assert x.grad is not None
        assert x.grad.item() == expected
    x.grad = None
    (x * x).backward()
    assert x.grad is not None
    assert x.grad.item() == 6


def test_a_value_used_twice_receives_the_sum() -> None:
    x = leaf(5)
    y = x * 2
    (y * y + y).backward()
    assert x.grad is not None
    assert x.grad.item() == 2 * (2 * 10 + 1)


def test_intermediates_keep_no_gradient_unless_asked() -> None:
    x = leaf(2)
    y, z = x * 3, x * 4
    z.retain_grad()
    (y * z).backward()
    assert y.grad is None
    assert z.grad is not None
    assert z.grad.item() == 6


def test_retain_grad_of_the_root_and_of_a_leaf() -> None:
    x = leaf(2)
    x.retain_grad()
    y = x * 3
    y.retain_grad()
    y.backward()
    assert y.grad is not None
    assert x.grad is not None
    assert (y.grad.item(), x.grad.item()) == (1, 3)


def test_backward_on_a_leaf_itself() -> None:
    x = leaf(2)
    x.backward()
    assert x.grad is not None
    assert x.grad.item() == 1


def test_a_second_backward_through_a_freed_graph_says_so_and_changes_nothing() -> None:
    x = leaf(3)
    y = x * x
    z = y + 1
    z.backward()
    for root in (z, y, y * 2):
        with pytest.raises(GraphError, match=r"already used and freed.*retain_graph=True"):
            root.backward()
    assert x.grad is not None
    assert x.grad.item() == 6


def test_retain_graph_allows_a_second_backward() -> None:
    x = leaf(3)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 12


def test_backward_needs_something_to_differentiate() -> None:
    with pytest.raises(GraphError, match="requires_grad=True"):
        md.tensor(1.0).backward()
    with pytest.raises(GraphError, match="requires_grad=True"):
        (leaf(1) > 0).backward()


def test_backward_needs_a_scalar_or_a_fitting_gradient() -> None:
    x = leaf(1, 2)
    with pytest.raises(ShapeError, match=r"\(2,\) is no scalar"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"float64 \(3,\) but y is float64 \(2,\)"):
        (x * 2).backward(gradient=np.ones(3))
    with pytest.raises(ShapeError, match="float32"):
        (x * 2).backward(gradient=np.ones(2, np.float32))
    assert x.grad is None


def test_a_failing_vjp_leaves_every_gradient_as_it_was() -> None:
    def fragile(a: np.ndarray) -> tuple[np.ndarray, tuple[object, ...]]:
        def fail(grad: np.ndarray) -> np.ndarray:
            raise MemoryError

        return a, (fail,)

    x, y = leaf(1), leaf(2)
    with pytest.raises(MemoryError):
        (lift(fragile)(x) + y * 1).backward()  # type: ignore[arg-type]
    assert x.grad is None
    assert y.grad is None


def test_no_grad_records_nothing_and_ends_with_its_block() -> None:
    x = leaf(2)
    with md.no_grad():
        assert not md.is_grad_enabled()
        y = x * 2
    assert y.is_leaf
    assert not y.requires_grad
    assert md.is_grad_enabled()
    assert (x * 2).requires_grad

    @md.no_grad()
    def compute() -> Tensor:
        return x * 2

    assert not compute().requires_grad
    with pytest.raises(ZeroDivisionError), md.no_grad():
        _ = 1 / 0
    assert md.is_grad_enabled()


def test_a_computed_tensor_cannot_be_told_to_stop() -> None:
    y = leaf(1) * 2
    with pytest.raises(GraphError, match="detach"):
        y.requires_grad = False
    x = leaf(1)
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_frozen_arguments_get_no_gradient_and_cost_no_vjp() -> None:
    x, w = leaf(1, 2), md.tensor(np.array([3.0, 4.0]))
    (x * w).sum().backward()
    assert w.grad is None


# --- long graphs and memory


@pytest.mark.slow
def test_backward_survives_a_hundred_thousand_nodes() -> None:
    x = leaf(1)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1


@pytest.mark.slow
def test_dropping_a_long_unused_graph_does_not_overflow_the_stack() -> None:
    y = leaf(1)
    for _ in range(100_000):
        y = y * 1
    del y
    gc.collect()


def test_backward_through_a_wide_graph_is_linear_not_exponential() -> None:
    x = leaf(1)
    y = x
    for _ in range(200):  # 2^200 paths, 200 nodes
        y = y + y
        y = y * 0.5
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == 1


def test_backward_releases_what_the_graph_kept() -> None:
    x = leaf(*range(100))
    hidden = x * 2
    kept = weakref.ref(hidden)
    loss = (hidden * hidden).sum()
    del hidden
    array = weakref.ref(_array_kept_by(loss))
    loss.backward()
    gc.collect()
    assert kept() is None
    assert array() is None


@pytest.mark.parametrize(
    "op",
    [
        lambda h: h + 1,
        lambda h: 1 - h,
        lambda h: h * 2 / 3,
        lambda h: h + np.ones((2, 2, 3)),
        lambda h: h.sum(axis=0),
        lambda h: h.mean(),
        lambda h: h[[0, 0, 1]],
        lambda h: F.where(np.eye(2, 3) > 0, h, -h),
        lambda h: F.linear(h, np.ones((4, 3))),
        lambda h: h @ np.ones((3, 4)),
    ],
)
def test_an_op_that_needs_only_the_shape_of_its_argument_does_not_keep_the_argument(op: Callable[..., Tensor]) -> None:
    x = md.tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    hidden = x * 2
    array = weakref.ref(hidden._array)
    y = op(hidden)
    del hidden
    assert array() is None
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == (2, 3)


def _array_kept_by(loss: Tensor) -> np.ndarray:
    """The value of `hidden` above, which only the closures of its square still hold."""
    node = loss._node
    assert node is not None
    assert node.edges
    square, _ = node.edges[0]
    _, vjp = square.edges[0]  # type: ignore[union-attr,index]
    held = [cell.cell_contents for cell in vjp.__closure__ or ()]
    return next(value for value in held if isinstance(value, np.ndarray))


@given(st.lists(st.sampled_from(["add", "multiply", "subtract"]), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_random_expression_graphs_match_central_differences(names: list[str], seed: int) -> None:
    draws = np.random.default_rng(seed).integers(0, 3, (len(names), 2))

    def expression(a: Tensor, b: Tensor) -> Tensor:
        values = [a, b]
        for name, (i, j) in zip(names, draws, strict=True):
            values.append(F.tanh(getattr(F, name)(values[-1 - i % len(values)], values[-1 - j % len(values)])))
        return values[-1]

    rng = np.random.default_rng(seed + 1)
    md.testing.check_gradients(expression, rng.standard_normal((2, 1)), rng.standard_normal(3))


# --- lift


def test_lift_keeps_name_documentation_and_options() -> None:
    assert F.conv.__name__ == "conv"
    assert "Yu & Koltun" in (F.conv.__doc__ or "")
    assert "dilation" in inspect.signature(F.conv).parameters


def test_lifted_functions_take_arrays_as_constants() -> None:
    y = F.conv(np.ones((1, 1, 4), np.float32), np.ones((1, 1, 2), np.float32))
    assert y.numpy().tolist() == [[[2, 2, 2]]]
    assert not y.requires_grad


def test_backward_runs_on_the_backend_of_the_forward_pass() -> None:
    x = md.tensor(np.ones((1, 1, 4)), requires_grad=True)
    with md.use("numpy"):
        y = F.relu(x)
    assert y._node is not None
    assert y._node.kernels.name == "numpy"


@pytest.mark.parametrize("mask", [np.array([True, False]), md.tensor([True, False])])
def test_masks_select_and_index(mask: object) -> None:
    x = leaf(1, 2)
    x[mask].sum().backward()
    assert x.grad is not None
    assert x.grad.numpy().tolist() == [1, 0]


@pytest.mark.parametrize("arguments", [([1, 2],), (2, 3), (5,), ((True, False),)])
def test_the_class_refuses_what_is_float32_or_a_shape_in_pytorch(arguments: tuple) -> None:
    with pytest.raises(
        CallError, match=r"Tensor: whole numbers would become float32 or a shape in PyTorch; write minidil"
    ):
        Tensor(*arguments)


def test_the_class_takes_floats_and_integers_of_a_named_type() -> None:
    assert Tensor([1.0, 2.0]).dtype == np.float32
    assert Tensor([1, 2], dtype=np.int64).tolist() == md.tensor([1, 2]).tolist() == [1, 2]
