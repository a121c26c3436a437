"""Mistakes put into copies of the library's source, to see that the checks notice them.

A suite is a list of modules that are executed afresh, in order, from their syntax trees; each finds the fresh copies of those
before it. A mutant replaces one expression or statement in one function of one of them, so that how it is laid out, and what
stands around it, does not matter. Numba kernels run as the plain Python functions that they are, and take their work in pieces
so small that several are needed.
"""

import ast
import difflib
import inspect
import sys
import types
from dataclasses import dataclass
from importlib import import_module

import kernel_checks as checks
import numpy as np
import oracles
import plain_ahead
import plain_registers
from numpy.testing import assert_allclose, assert_array_equal
from strategies import ConvCase

from minidil.kernels import reference
from minidil.kernels.cpu import memory
from minidil.kernels.reference import update
from minidil.tensor import lift
from minidil.testing import check_gradients

K, CPU, OPS = "minidil.kernels.", "minidil.kernels.cpu.", "minidil.ops."
WINOGRAD = ("layout", "filters", "winograd_plan", "winograd_tiles", "direct", "winograd_panels", "winograd")
SUITES = {
    "reference": [
        K + "geometry",
        *(K + "reference." + name for name in ("conv", "pool", "gather", "elementwise", "channel", "logits")),
    ],
    "im2col": [K + "geometry", CPU + "layout", CPU + "im2col"],
    "depthwise": [K + "geometry", CPU + "layout", CPU + "depthwise"],
    "pointwise": [K + "geometry", CPU + "layout", CPU + "pointwise"],
    "winograd": [K + "geometry", *(CPU + name for name in WINOGRAD)],
    "volume": [K + "geometry", *(CPU + name for name in WINOGRAD)],
    "two by two": [K + "geometry", *(CPU + name for name in ("layout", "filters", "two_by_two"))],
    "direct": [K + "geometry", *(CPU + name for name in ("layout", "phases", "padded", "direct_weight", "direct"))],
    "pool": [K + "geometry", CPU + "layout", CPU + "pool"],
    "elementwise": [*(CPU + name for name in ("layout", "flat", "exponential", "gaussian", "elementwise"))],
    "channel": [*(CPU + name for name in ("layout", "gaussian", "channel"))],
    "row": [*(CPU + name for name in ("layout", "flat", "row"))],
    "mixing": [K + "mixing", *(CPU + name for name in ("layout", "mixing"))],
    "update": [*(CPU + name for name in ("layout", "flat", "update"))],
    "logits": [*(CPU + name for name in ("layout", "flat", "exponential", "logits"))],
    "ops": [OPS + name for name in ("elementwise", "reduce", "activation", "norm", "interpolate", "loss")],
}


SMALL_PIECES = {
    "_CACHE_BYTES",
    "_IMAGES",
    "LEAST_ELEMENTS",
    "_LEAST_ELEMENTS",
    "_LEAST_ROWS",
    "_LEAST_TILES",
    "_ROWS",
    "_BLOCK",
    "_SUMMED",
}
COMPILED = {"compiled", "compiled_sum"}


@dataclass(frozen=True)
class Mutant:
    """`old` becomes `new` in a function of a module of a suite; the check with that name must notice.

    place: the function, Class.method, function.inner or constant in which the expression or statement `old` stands once.
    """

    suite: str
    module: str
    place: str
    old: str
    new: str
    noticed_by: str

    def __str__(self):
        return f"{self.suite}-{self.noticed_by}-{self.new}"


def load(suite, monkeypatch, mutant=None):
    """Everything that the modules of a suite define, from fresh copies, one of them mutated."""
    found = types.SimpleNamespace()
    monkeypatch.setattr(memory, "empty", nothing_yet)
    if suite in ("direct", "depthwise", "winograd"):
        monkeypatch.setitem(sys.modules, CPU + "registers", plain_registers)
        monkeypatch.setitem(sys.modules, CPU + "ahead", plain_ahead)
    # All before the first copy, since what is imported later would keep that copy for good.
    for original in [import_module(name) for name in SUITES[suite]]:
        name = original.__name__
        tree = ast.parse(inspect.getsource(original))
        if mutant is not None and name.endswith("." + mutant.module):
            replace(tree, mutant.place, mutant.old, mutant.new)
        _simplify(tree)
        copy = types.ModuleType(name)
        copy.__package__ = original.__package__
        monkeypatch.setitem(sys.modules, name, copy)
        exec(compile(tree, f"<copy of {name}>", "exec"), vars(copy))
        vars(found).update({key: value for key, value in vars(copy).items() if not key.startswith("__")})
    return found


def nothing_yet(shape, dtype):
    """What `memory.empty` gives, without the numbers of a call before: they can be the right ones for what is left out now."""
    array = np.empty(shape, dtype)
    array.fill(np.nan if array.dtype.kind == "f" else -(2**30))
    return array


def replace(tree, place, old, new):
    """Put `new` where `old` stands in the function, method or constant called `place`, once, however it is laid out there.

    Raises: AssertionError, with the nearest that does stand there, unless it is there exactly once.
    """
    scope = tree
    for name in place.split("."):
        scope = next((each for each in ast.walk(scope) if name in _names(each)), None)
        assert scope is not None, f"there is no {place!r} any more"
    wanted, other = _parsed(old), _parsed(new)
    kind = ast.expr if isinstance(wanted, ast.expr) else ast.stmt
    assert ast.unparse(wanted) != ast.unparse(other)
    texts = [(node, ast.unparse(node)) for node in ast.walk(scope) if isinstance(node, kind) and node is not scope]
    found = [node for node, text in texts if text == ast.unparse(wanted)]
    near = difflib.get_close_matches(old, {text for _, text in texts}, cutoff=0.4)
    assert len(found) == 1, (
        f"{old!r} stands {len(found)} times in {place}; there is {' and '.join(near) or 'nothing like it'}"
    )
    for parent in ast.walk(scope):
        for field, value in ast.iter_fields(parent):
            if value is found[0]:
                setattr(parent, field, other)
            elif isinstance(value, list):
                value[:] = [other if each is found[0] else each for each in value]
    ast.fix_missing_locations(tree)


def _names(node):
    """What a statement defines: a function, a class, or constants."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _parsed(text):
    """An expression, or else the one statement that the text is."""
    (statement,) = ast.parse(text).body
    return statement.value if isinstance(statement, ast.Expr) else statement


def _simplify(tree):
    """Take the compiler away, and make the pieces small."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = [each for each in node.decorator_list if ast.unparse(each) not in COMPILED]
        elif isinstance(node, ast.Assign) and _names(node) & SMALL_PIECES:
            node.value = ast.copy_location(ast.Constant(5), node.value)


# --- the cases: size, kernel, stride, padding, dilation, groups, channels and filters per group

SPECS = {
    "dilated": ((7, 6), (3, 2), (2, 1), ((1, 0), (0, 2)), (2, 3), 2, 2, 3),
    "overlapping": ((5, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1, 2, 3),
    "just fits": ((9,), (3,), (1,), ((0, 0),), (4,), 1, 1, 2),
    "volume": ((4, 4, 3), (2, 2, 2), (1, 2, 1), ((0, 1), (1, 0), (0, 0)), (2, 2, 1), 1, 2, 2),
    "depthwise": ((5, 4), (2, 2), (1, 2), ((1, 0), (1, 1)), (2, 1), 3, 1, 1),
    "depthwise, stride 1": ((6, 6), (4, 3), (1, 1), ((1, 2), (0, 1)), (1, 2), 3, 1, 1),
    "depthwise, wide": ((23,), (2,), (1,), ((1, 0),), (1,), 17, 1, 1),
    "depthwise, rows": ((5, 12), (2, 3), (1, 1), ((0, 0), (0, 0)), (1, 1), 17, 1, 1),
    "1x1": ((3, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 2, 2, 3),
    "colours": ((5, 4), (2, 2), (1, 2), ((1, 0), (1, 1)), (2, 1), 1, 3, 2),
    "two by two": ((4, 5), (3, 3), (1, 1), ((2, 2), (3, 3)), (2, 3), 1, 16, 17),
    "slices": ((4, 5, 3), (3, 3, 3), (1, 1, 1), ((1, 3), (1, 0), (2, 1)), (2, 1, 1), 1, 2, 3),
    "3x3 groups": ((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 2, 2, 3),
    "3x3": ((17, 7), (3, 3), (1, 1), ((2, 1), (0, 3)), (2, 1), 1, 2, 2),
}
USED = {
    "depthwise": ["depthwise", "depthwise, stride 1", "depthwise, wide", "depthwise, rows"],
    "pointwise": ["1x1"],
    "winograd": ["overlapping", "3x3", "3x3 groups"],
    "two by two": ["two by two"],
    "volume": ["slices"],
}


@dataclass(frozen=True)
class GivenCase(ConvCase):
    """A case whose geometry is what was asked for, whatever a mutated window makes of it."""

    geometry: tuple = ()


def cases(suite, Window):
    """The convolutions of a suite, with windows of the class under test but arrays of the right sizes."""
    for name in USED.get(suite, SPECS):
        size, kernel, stride, padding, dilation, groups, per_group, filters = SPECS[name]
        rng = np.random.default_rng(0)
        out = oracles.out_size(size, kernel, stride, padding, dilation)
        yield GivenCase(
            Window.of(size, kernel, stride, padding, dilation),
            groups,
            x=rng.standard_normal((3, groups * per_group, *size)),
            weight=rng.standard_normal((groups * filters, per_group, *kernel)),
            bias=rng.standard_normal(groups * filters),
            grad=rng.standard_normal((3, groups * filters, *out)),
            geometry=(stride, padding, dilation),
        )


def _on_cases(suite, check):
    def run(kernels):
        for case in cases(suite, kernels.Window):
            check(kernels, case)

    return run


def _on_pools(suite, check, with_gradient):
    def run(kernels):
        for case in cases(suite, kernels.Window):
            if not case.window.hits.all():
                continue
            rng, shape = np.random.default_rng(1), (2, 3, *case.grad.shape[2:])
            x = -np.abs(rng.standard_normal((2, 3, *case.x.shape[2:])))  # negative: padding must not win as a zero
            check(kernels, x, case.window, *([rng.standard_normal(shape)] if with_gradient else []))

    return run


# --- the checks, by suite and name


def positions_are_counted(kernels):
    """span, out and hits of the windows, and the last size that fits."""
    for spec in SPECS.values():
        window = kernels.Window.of(*spec[:5])
        assert window.span == oracles.span(window.kernel, spec[4])
        assert window.out == oracles.out_size(*spec[:5])
        for o in np.ndindex(*window.out):
            places = [oracles.tap_positions(o, tap, *spec[2:5]) for tap in np.ndindex(*window.kernel)]
            assert window.hits[o] == sum(oracles.inside(place, window.size) for place in places)


def overruns_are_refused(kernels):
    """One position fewer than the span does not fit."""
    try:
        kernels.Window.of((8,), 3, 1, 0, 4)
    except kernels.ShapeError:
        return
    raise AssertionError("a window that overruns its input was accepted")


def named_padding_is_what_it_says(kernels):
    """ "same" and "causal", with an even kernel."""
    assert kernels.Window.of((8,), 2, 1, "same", 3).padding == ((1, 2),)
    assert kernels.Window.of((8,), 2, 1, "causal", 3).padding == ((3, 0),)


def relu_keeps_a_nan(kernels):
    """NaN in, NaN out; and the gradient is 0 where the output is not positive."""
    x = np.array([np.nan, -1.0, 0.0, 2.0])
    assert_array_equal(kernels.relu(x), [np.nan, 0, 0, 2])
    assert_array_equal(kernels.relu_grad(np.ones(4), np.array([0.0, 0.0, 1.0, 2.0])), [0, 0, 1, 1])


def channels_equal_the_reference(kernels):
    """Every per-channel kernel gives what NumPy gives."""
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 4, 3, 5)) + 3
    a, b, c = rng.standard_normal((3, 3))
    calls = [
        ("channel_moments", x),
        *(("channel_affine", x, a, b, activation) for activation in (None, "relu", "gelu")),
        ("channel_dots", grad, x, a),
        *(("channel_slope_dots", grad, x, a, b, c, activation) for activation in ("relu", "gelu")),
        ("channel_combine", grad, x, a, b, c),
    ]
    for name, *arguments in calls:
        found, expected = getattr(kernels, name)(*arguments), getattr(reference, name)(*arguments)
        for one, other in zip(found, expected, strict=True):
            assert_allclose(one, other, rtol=1e-6, atol=1e-12)


@np.errstate(invalid="ignore")
def gelu_and_silu_equal_the_reference(kernels):
    """They and their slopes, also far out."""
    x = np.array([-np.inf, *np.linspace(-3, 3, 13), np.inf])
    grad = np.abs(np.arange(len(x)) - 4.5)
    for name in ("gelu", "silu"):
        assert_allclose(getattr(kernels, name)(x), getattr(reference, name)(x), rtol=1e-6)
        assert_allclose(
            getattr(kernels, name + "_grad")(grad, x), getattr(reference, name + "_grad")(grad, x), rtol=1e-6
        )


def rows_equal_the_reference(kernels):
    """Rows of several blocks, with weights and without; more rows than are added up at once."""
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 12, 13)) + 3
    for weight, bias in ((None, None), rng.standard_normal((2, 13))):
        found, wanted = (k.row_normalise(x, weight, bias, 0.1) for k in (kernels, reference))
        for one, other in zip(found, wanted, strict=True):
            assert_allclose(one, other)
        arguments = (grad, x, weight, *wanted[1:])
        for one, other in zip(
            kernels.row_normalise_grad(*arguments), reference.row_normalise_grad(*arguments), strict=True
        ):
            assert_allclose(one, other)


def resampling_is_a_product(kernels):
    """Rows with none to five entries, axes that grow and one that shrinks, and the transposed matrices."""
    rng, dense, mixed = np.random.default_rng(0), [], []
    for counts, inputs in (([1, 0, 2, 5, 3], 4), ([2, 4], 3)):
        starts = np.concatenate([[0], np.cumsum(counts)])
        mixing = kernels.Mixing(starts, rng.integers(0, inputs, starts[-1]), rng.standard_normal(starts[-1]), inputs)
        matrix = np.zeros((len(counts), inputs))
        np.add.at(matrix, (np.repeat(np.arange(len(counts)), counts), mixing.index), mixing.weight)
        dense.append(matrix)
        mixed.append(mixing)
    x, grad = rng.standard_normal((3, 2, 4, 3)), rng.standard_normal((3, 2, 5, 2))
    for given, tables, matrices in (
        (x, mixed, dense),
        (grad, [mixing.adjoint for mixing in mixed], [matrix.T for matrix in dense]),
    ):
        assert_allclose(kernels.resample(given, tables), np.einsum("oh,pw,nchw->ncop", *matrices, given), atol=1e-12)


SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
ADAM = {"step": 3, "lr": 0.1, "beta1": 0.8, "beta2": 0.9, "eps": 0.01, "weight_decay": 0.0}


def _updates(name, options, *changes):
    """One step with these options, and with each change of them, is what NumPy makes of it, in any order of memory."""

    def run(kernels):
        theta, g, first = np.random.default_rng(0).standard_normal((3, 4, 5))
        for change in ({}, *changes):
            for states in ((first, first**2),) if name != "sgd_update" else ((None,), (first,)):
                found = getattr(kernels, name)(theta, np.asfortranarray(g), *states, **(options | change))
                expected = getattr(update, name)(theta, g, *states, **(options | change))
                for one, other in zip(found, expected, strict=True):
                    assert (one is None) == (other is None)
                    assert one is None or np.allclose(one, other, rtol=1e-12)

    return run


def squares_are_added(kernels):
    """The sum of the squares of a vector that is cut into pieces."""
    assert_allclose(kernels.square_sum(np.arange(7.0)), 91)


@np.errstate(invalid="ignore")  # what a mistake makes of infinity
def softmax_equals_the_reference(kernels):
    """Along every axis, with a masked entry."""
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    x[0, 1, 0] = -np.inf
    grad = np.random.default_rng(1).standard_normal((3, 4, 2))
    for name in ("softmax", "log_softmax"):
        for axis in range(3):
            rows = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, axis, -1)), -1, axis)
            y = getattr(kernels, name)(rows, axis)
            assert_allclose(y, getattr(reference, name)(x, axis))
            assert_allclose(
                getattr(kernels, name + "_grad")(grad, y, axis), getattr(reference, name + "_grad")(grad, y, axis)
            )


def _cross_entropy(kernel):
    @np.errstate(invalid="ignore")
    def run(kernels):
        rng = np.random.default_rng(0)
        logits, grad, target = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 2)), rng.integers(0, 4, (3, 2))
        masked, weight, unwanted = logits.copy(), rng.uniform(0.5, 2, 4), (target[0, 0] + 1) % 4
        masked[0, unwanted, 0] = -np.inf
        weight[unwanted] = 0
        for x, factors, smoothing in (
            (masked, None, 0.0),
            (logits, None, 0.3),
            (masked, weight, 0.0),
            (masked, weight, 0.3),
        ):
            losses, slopes = oracles.cross_entropy_loops(x, target, factors, smoothing)
            if kernel == "cross_entropy":
                assert_allclose(kernels.cross_entropy(x, target, factors, smoothing), losses)
            else:
                dx = kernels.cross_entropy_grad(grad, x, target, factors, smoothing)
                assert_allclose(dx, grad[:, None] * slopes, atol=1e-14)

    return run


def _gradients(name, *shapes, **options):
    def run(ops):
        arrays = [np.random.default_rng(seed).uniform(0.5, 2, shape) for seed, shape in enumerate(shapes)]
        check_gradients(lift(getattr(ops, name)), *arrays, **options)

    return run


def ties_share(ops):
    """Two largest elements get half of the gradient each."""
    _, (grad_x,) = ops.amax(np.array([3.0, 1.0, 3.0]))
    assert_array_equal(grad_x(np.array(1.0)), [0.5, 0, 0.5])


def the_weighted_mean_divides_by_the_weights(ops):
    """Two targets of weights 1 and 3 and equal logits: (1 + 3) log 2 / (1 + 3)."""
    loss, _ = ops.cross_entropy(np.zeros((2, 2)), target=np.array([0, 1]), weight=np.array([1.0, 3.0]))
    assert_allclose(loss, np.log(2))


CONV = {
    "forward": checks.forward_equals_the_formula,
    "grad_input": checks.grad_input_scatters,
    "grad_weight": checks.grad_weight_correlates,
    "adjoint": checks.gradients_are_adjoints,
}
POOL = {
    "max_pool": (checks.max_pool_finds_the_first_largest, False),
    "max_pool_grad": (checks.max_pool_grad_goes_to_the_winner, True),
}
SUMS = {
    "window_sum": (checks.window_sum_adds_the_taps, False),
    "window_spread": (checks.window_spread_is_the_adjoint, True),
}
CHECKS = {
    suite: {name: _on_cases(suite, check) for name, check in CONV.items()}
    for suite in ("reference", "im2col", "depthwise", "pointwise", "winograd", "two by two", "volume", "direct")
}
CHECKS["reference"] |= {name: _on_pools("reference", *check) for name, check in (POOL | SUMS).items()}
CHECKS["reference"] |= {
    "positions": positions_are_counted,
    "overruns": overruns_are_refused,
    "named padding": named_padding_is_what_it_says,
}
CHECKS["pool"] = {name: _on_pools("pool", *check) for name, check in POOL.items()}
CHECKS["elementwise"] = {"relu": relu_keeps_a_nan, "gelu": gelu_and_silu_equal_the_reference}
CHECKS["channel"] = {"channels": channels_equal_the_reference}
CHECKS["row"] = {"rows": rows_equal_the_reference}
CHECKS["mixing"] = {"resample": resampling_is_a_product}
CHECKS["update"] = {
    "sgd": _updates(
        "sgd_update",
        SGD,
        {"momentum": 0.0},
        {"weight_decay": 0.1},
        {"dampening": 0.3},
        {"nesterov": True},
        {"momentum": 0.0, "weight_decay": 0.1},
    ),
    "adam": _updates("adam_update", ADAM, {"weight_decay": 0.1}),
    "adamw": _updates("adamw_update", ADAM, {"weight_decay": 0.1}),
    "square_sum": squares_are_added,
}
CHECKS["logits"] = {"softmax": softmax_equals_the_reference}
for _suite in ("reference", "logits"):
    CHECKS[_suite] |= {name: _cross_entropy(name) for name in ("cross_entropy", "cross_entropy_grad")}
CHECKS["ops"] = {
    "add": _gradients("add", (3, 1), (4,)),
    "divide": _gradients("divide", (3, 1), (4,)),
    "power": _gradients("power", (3, 1), (4,)),
    "var": _gradients("var", (3, 4), ddof=1),
    "softmax": _gradients("softmax", (3, 4), axis=1),
    "gelu": _gradients("gelu", (3, 4)),
    "batch_norm": _gradients("batch_norm", (4, 3, 2), (3,), (3,)),
    "layer_norm": _gradients("layer_norm", (4, 3), (3,), (3,), normalized_shape=3),
    "interpolate": _gradients("interpolate", (2, 3, 4), size=7, mode="linear"),
    "cross_entropy": _gradients("cross_entropy", (2, 3), target=np.array([0, 2]), label_smoothing=0.2),
    "ties": ties_share,
    "weighted mean": the_weighted_mean_divides_by_the_weights,
}
