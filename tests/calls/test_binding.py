"""How functions of tensors are called: operands by name, options by position, and what is said when neither fits."""

import importlib.util
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minidil as md
from minidil import functional as F
from minidil.errors import CallError, DtypeError, GraphError, MinidilError

RNG = np.random.default_rng(0)
X = md.tensor(RNG.standard_normal((2, 4, 9, 9)))


def weights() -> tuple[md.Tensor, md.Tensor]:
    return (
        md.tensor(RNG.standard_normal((6, 2, 3, 3)), requires_grad=True),
        md.tensor(RNG.standard_normal(6), requires_grad=True),
    )


def test_operands_given_by_name_train() -> None:
    w, b = weights()
    F.conv(X, weight=w, bias=b, groups=2).sum().backward()
    by_name = w.grad, b.grad
    w.grad = b.grad = None
    F.conv(X, w, b, groups=2).sum().backward()
    for named, placed in zip(by_name, (w.grad, b.grad), strict=True):
        assert named is not None
        assert placed is not None
        assert_array_equal(named.numpy(), placed.numpy())


def test_options_given_by_position_are_those_given_by_name() -> None:
    w, b = weights()
    pairs = [
        (F.conv(X, w, b, 2, 3, 2, 2), F.conv(X, w, b, stride=2, padding=3, dilation=2, groups=2)),
        (F.conv(X, w, None, 1, 0, 1, 2), F.conv(X, w, groups=2)),
        (F.max_pool(X, 2), F.max_pool(X, kernel_size=2)),
        (F.softmax(X, 1), F.softmax(X, axis=1)),
        (F.leaky_relu(X, 0.2), F.leaky_relu(X, slope=0.2)),
        (F.clip(X, -0.5, 0.5), F.clip(X, low=-0.5, high=0.5)),
        (F.sum(X, 1, True), F.sum(X, axis=1, keepdims=True)),
        (X.mean((2, 3), True), X.mean(axis=(2, 3), keepdims=True)),
        (F.cross_entropy(X, np.zeros((2, 9, 9), int)), F.cross_entropy(logits=X, target=np.zeros((2, 9, 9), int))),
        (F.where(X > 0, X, 0.0), F.where(condition=X > 0, a=X, b=0.0)),
    ]
    for placed, named in pairs:
        assert_array_equal(placed.numpy(), named.numpy())
    md.seed(3)
    dropped = F.dropout(X, 0.25)
    md.seed(3)
    assert_array_equal(dropped.numpy(), F.dropout(X, p=0.25).numpy())


def test_pytorchs_words_for_arguments_are_understood() -> None:
    w, b = weights()
    pairs = [
        (X.sum(dim=1, keepdim=True), X.sum(axis=1, keepdims=True)),
        (F.softmax(input=X, dim=1), F.softmax(X, axis=1)),
        (F.conv2d(input=X, weight=w, bias=b, groups=2), F.conv(X, w, b, groups=2)),
        (F.leaky_relu(X, negative_slope=0.3), F.leaky_relu(X, slope=0.3)),
        (X.clamp(min=0, max=1), X.clip(0, 1)),
        (F.cat([X, X], dim=1), F.concatenate([X, X], axis=1)),
        (
            F.cross_entropy(input=X[:, :, 0, 0], target=np.array([0, 3])),
            F.cross_entropy(X[:, :, 0, 0], np.array([0, 3])),
        ),
    ]
    for theirs, ours in pairs:
        assert_array_equal(theirs.numpy(), ours.numpy())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda w: F.conv(X, w, strides=2), "conv: there is no argument 'strides' (did you mean 'stride'?); it takes (x, "),
        (lambda w: F.conv(X), "conv: weight must be given; it takes (x, weight, bias=None, stride=1"),
        (lambda w: F.conv(), "conv: x and weight must be given"),
        (lambda w: F.avg_pool(X), "avg_pool: kernel_size must be given; it takes (x, kernel_size, stride=None"),
        (lambda w: F.conv(X, w, weight=w), "conv: weight is given twice, by position and by name"),
        (lambda w: F.softmax(X, 1, axis=1), "softmax: axis is given twice"),
        (lambda w: F.relu(X, 1, 2), "relu: takes (x), and got 3 arguments by position"),
        (lambda w: F.stack(X), "stack: takes a list or tuple of tensors, not one Tensor"),
        (lambda w: F.batch_norm(X, w, w), "batch_norm: from weight on, arguments are given by name, as in weight="),
        (lambda w: X.var(1, False), "var: from ddof on, arguments are given by name, as in ddof=, since PyTorch has another"),
        (lambda w: F.mse_loss(X, X, "sum"), "mse_loss: from reduction on, arguments are given by name, as in reduction="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(call, said) -> None:
    with pytest.raises(CallError, match=re.escape(said)):
        call(weights()[0])


def test_the_error_is_a_type_error_as_pythons_own() -> None:
    with pytest.raises(TypeError):
        F.relu()


def test_an_option_that_would_lose_its_gradient_is_still_refused() -> None:
    weight = md.tensor(np.ones(3), requires_grad=True)
    with pytest.raises(
        GraphError, match=r"weight is a constant here and would get no gradient; pass weight.detach\(\)"
    ):
        F.cross_entropy(md.tensor(np.ones((2, 3))), np.array([0, 1]), weight)


def test_an_option_in_an_operands_place_is_named() -> None:
    with pytest.raises(
        DtypeError, match=r"conv: bias must be a tensor, an array or a number, not the tuple \(1, 1\); an option"
    ):
        F.conv(X, weights()[0], (1, 1))


def test_a_tensor_of_pytorch_is_called_so() -> None:
    theirs = type("Tensor", (), {"__module__": "torch"})()
    with pytest.raises(
        DtypeError, match=r"relu: takes minidil's tensors, not PyTorch's Tensor; convert it with minidil.tensor"
    ):
        F.relu(theirs)


def test_help_shows_a_function_of_tensors() -> None:
    signature = inspect.signature(F.conv)
    assert str(signature).replace("'", "") == (
        "(x: Operand, weight: Operand, bias: Operand = None, stride: Ints = 1, padding: Padding = 0, dilation: Ints = 1, "
        "groups: int = 1) -> Tensor"
    )
    assert list(inspect.signature(F.where).parameters) == ["condition", "a", "b"]
    assert inspect.signature(F.batch_norm).parameters["mean"].kind is inspect.Parameter.KEYWORD_ONLY


def public_functions() -> list[str]:
    return [name for name, value in vars(F).items() if inspect.isfunction(value) and name[0] != "_" and name != "lift"]


@pytest.mark.parametrize("name", public_functions())
def test_no_function_says_that_it_returns_vjps(name: str) -> None:
    function = getattr(F, name)
    assert "Vjps" not in str(inspect.signature(function))
    text = inspect.getdoc(function)
    assert text
    assert "Returns: y and" not in text
    assert "vjp" not in text


def test_every_method_of_a_tensor_is_documented() -> None:
    methods = {name: value for name, value in vars(md.Tensor).items() if name[0] != "_"}
    assert [name for name, value in methods.items() if not inspect.getdoc(value)] == []


def test_the_stub_that_editors_and_mypy_read_is_of_today() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("make_stubs", root / "docs" / "make_stubs.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    for path, text in maker.stubs().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run docs/make_stubs.py"


def test_calls_of_pytorchs_users_on_layers_and_optimizers() -> None:
    layer = md.nn.Linear(3, 2, device=None, dtype=None)
    optimizer = md.optim.SGD(layer.parameters(), lr=0.1, foreach=True, maximize=False)
    (layer(md.ones(1, 3))).sum().backward()
    optimizer.zero_grad(set_to_none=True)
    assert layer.weight.grad is None
    assert md.ones(2, 3).size() == (2, 3)
    assert (md.ones(2, 3).size(0), md.ones(2, 3).size(-1), md.ones(2, 3).size) == (2, 3, 6)
    x = md.ones(4)
    assert F.dropout(x, 0.5, False) is not None
    assert F.dropout(x, 0.5, training=False).tolist() == [1, 1, 1, 1]
    assert sorted(set(F.dropout(md.ones(99), 0.5, True).tolist())) == [0, 2]
    assert F.pad(md.ones(1, 1), (1, 0, 0, 1)).tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: md.nn.Linear(3, 2, device="cuda"), "Linear: there is no argument 'device': there is no device to name"),
        (lambda: md.nn.Conv2d(3, 2, 3, padding_mode="reflect"), "'padding_mode': only zeros are padded here; it takes (in_ch"),
        (lambda: md.nn.Linear(3), "Linear: missing a required argument: 'out_features'; it takes (in_features, out_features"),
        (lambda: md.nn.Linear(3, 2, bais=True), "Linear: there is no argument 'bais' (did you mean 'bias'?)"),
        (lambda: md.optim.SGD(md.nn.Linear(3, 2).parameters()), "SGD: missing a required argument: 'lr'"),
        (lambda: md.optim.Adam([], amsgrad=True), "Adam: there is no argument 'amsgrad': leave it out"),
        (lambda: F.dropout(X, 0.5, np.random.default_rng()), "dropout: training must be True or False, not Generator"),
        (lambda: X.sum(dim=1, axis=1), "sum: axis is given twice, under two names"),
        (lambda: md.zeros(2, device="cuda:0"), "zeros: there is no argument 'device': there is no device to name"),
        (lambda: F.softmax(X), "softmax: axis must be given for x (2, 4, 9, 9), as in axis=1"),
        (lambda: X.sum().backward(create_graph=True), "backward: there is no argument 'create_graph': compute y inside"),
    ],
)  # fmt: skip
def test_what_is_said_of_arguments_that_there_are_not(call, said) -> None:
    with pytest.raises(MinidilError, match=re.escape(said)):
        call()


def test_a_module_of_ones_own_is_called_by_pythons_rules() -> None:
    class Own(md.nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()

    with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'") as caught:
        Own()
    assert not isinstance(caught.value, MinidilError)
