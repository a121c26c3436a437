"""The checks must pass what is right, and name what is wrong."""

import numpy as np
import pytest

from minidil import functional as F
from minidil.ops import elementwise
from minidil.tensor import Tensor, lift
from minidil.testing import CheckError, check_adjoint, check_gradients


def wrong_square(x: np.ndarray) -> tuple[np.ndarray, tuple[object, ...]]:
    return x * x, (lambda grad: grad * 2.1 * x,)


def wrong_in_one_place(x: np.ndarray) -> tuple[np.ndarray, tuple[object, ...]]:
    def grad_x(grad: np.ndarray) -> np.ndarray:
        result = 2 * grad * x
        result[1, 2] += 0.5
        return result

    return x * x, (grad_x,)


def test_right_gradients_pass() -> None:
    check_gradients(F.exp, np.linspace(-1, 1, 5))
    check_gradients(F.multiply, np.ones((2, 3)), np.linspace(1, 2, 3), entries=True)


def test_a_wrong_gradient_is_reported_with_both_numbers() -> None:
    with pytest.raises(CheckError, match=r"random direction of input 0 \(5,\).*central difference"):
        check_gradients(lift(wrong_square), np.linspace(1, 2, 5))  # type: ignore[arg-type]


def test_entry_by_entry_the_worst_entry_is_named() -> None:
    with pytest.raises(CheckError, match=r"entry \(1, 2\) of input 0 \(2, 3\) is worst"):
        check_gradients(lift(wrong_in_one_place), np.ones((2, 3)), entries=True)  # type: ignore[arg-type]


def test_a_gradient_that_never_arrives_counts_as_zero() -> None:
    with pytest.raises(CheckError, match="input 0"):
        check_gradients(lambda x, y: x.detach() + y, np.ones(2), np.ones(2))


def test_nan_is_a_failure() -> None:
    with pytest.raises(CheckError), pytest.warns(RuntimeWarning):
        check_gradients(F.sqrt, np.array([-1.0]))


def test_options_reach_the_function() -> None:
    check_gradients(F.leaky_relu, np.array([-2.0, 3.0]), slope=0.3)
    check_gradients(F.sum, np.ones((2, 3)), axis=1)


def test_a_gradient_check_cannot_catch_a_wrong_forward() -> None:
    """Why every op is also held against an independent oracle: this "square" is a cube, consistently."""

    def consistent_cube(x: Tensor) -> Tensor:
        return x * x * x

    check_gradients(consistent_cube, np.linspace(1, 2, 5))


def test_empty_inputs_pass() -> None:
    check_gradients(F.exp, np.zeros((0, 3)), entries=True)
    check_gradients(F.exp, np.zeros((0, 3)))


def test_check_adjoint_accepts_a_linear_map() -> None:
    check_adjoint(lambda x: F.conv(x, np.ones((2, 1, 3)), dilation=2), np.random.default_rng(0).random((2, 1, 9)))


def test_check_adjoint_reports_both_inner_products() -> None:
    def halved(x: np.ndarray) -> tuple[np.ndarray, tuple[object, ...]]:
        return 2 * x, (lambda grad: grad,)

    with pytest.raises(CheckError, match=r"<A x, y> = .* but <x, A\^T y> = "):
        check_adjoint(lift(halved), np.ones(3))  # type: ignore[arg-type]


def test_check_adjoint_refuses_what_is_not_linear() -> None:
    def affine(x: np.ndarray) -> tuple[np.ndarray, tuple[object, ...]]:
        return x + 1, (lambda grad: grad + np.sum(grad) / x.sum() / len(grad),)

    with pytest.raises(CheckError):
        check_adjoint(lift(affine), np.ones(3))  # type: ignore[arg-type]
    with pytest.raises(CheckError, match=r"not 2 A\(x\)|but <x, A"):
        check_adjoint(lift(elementwise.exp), np.zeros(3))
