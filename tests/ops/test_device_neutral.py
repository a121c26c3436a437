"""Ops touch arrays only through kernels: every op runs on a backend whose arrays can do nothing by themselves.

An array on a GPU has no `+`, no `@` and no `sum`. The arrays here have a shape and a number type, and any other use of them
raises; the kernels unwrap them, call the reference, and wrap what it returns. `ops.places` answers on the host and
is not here. Two exceptions are allowed and made visible:
`cross_entropy` reads the smallest and the largest class number of its target, which lives on the host, and an array of one
number can be brought to the host as that number, by `item`.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minidil.kernels import backend as seam
from minidil.kernels import reference
from minidil.ops import (
    activation,
    attention,
    columns,
    conv,
    crf,
    einsum,
    elementwise,
    embedding,
    interpolate,
    linear,
    loss,
    norm,
    pool,
    rearrange,
    recurrent,
    reduce,
    roi_align,
    rounding,
    scan,
    select,
    shape,
    spacing,
    weight_norm,
)


class Opaque:
    """An array on another machine."""

    __slots__ = ("_hidden",)

    def __init__(self, array):
        self._hidden = np.asarray(array)

    shape = property(lambda self: self._hidden.shape)
    ndim = property(lambda self: self._hidden.ndim)
    size = property(lambda self: self._hidden.size)
    dtype = property(lambda self: self._hidden.dtype)

    def item(self):
        return self._hidden.item()

    # Without these, Python would fall back to identity, and NumPy to an array of one object.
    def __eq__(self, other):
        raise TypeError("an op compared arrays without a kernel")

    def __bool__(self):
        raise TypeError("an op asked an array for its truth without a kernel")

    def __array__(self, *_, **__):
        raise TypeError("an op made a NumPy array of an array on another machine")

    __array_ufunc__ = None
    __hash__ = None


class Labels(Opaque):
    """The target of cross_entropy: integers that the host can look at."""

    __slots__ = ()
    __hash__ = None

    def min(self):
        return self._hidden.min()

    def max(self):
        return self._hidden.max()


def unwrap(value):
    if isinstance(value, Opaque):
        return value._hidden
    if isinstance(value, list | tuple):
        return type(value)(unwrap(entry) for entry in value)
    return value


class Device:
    """The reference, for opaque arrays."""

    name = "device"

    def __init__(self):
        self.called = set()

    def __getattr__(self, name):
        kernel = getattr(reference, name)

        def on_device(*arguments, **options):
            self.called.add(name)
            # A copy, so that no op leans on one array sharing memory with another.
            result = kernel(*unwrap(arguments), **{key: unwrap(option) for key, option in options.items()})
            return tuple(map(Opaque, result)) if isinstance(result, tuple) else Opaque(np.array(result))

        return on_device


def real(*size, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(size))


def positive(*size, seed=0):
    return np.random.default_rng(seed).uniform(0.5, 2, size)


MASK = real(3, 4) > 0
WINDOW = {"stride": (2, 1), "padding": [(1, 0), (0, 2)], "dilation": (1, 2)}
X, W = real(2, 4, 6, 5), real(6, 2, 3, 2, seed=1)
TARGET = np.array([[0, 2], [1, 1]])

CASES = [
    (elementwise.add, (real(3, 1), real(4)), {}),
    (elementwise.add, (real(3, 1), 2), {}),
    (elementwise.subtract, (real(3, 1), real(4)), {}),
    (elementwise.multiply, (real(3, 1), real(4)), {}),
    (elementwise.divide, (real(3, 1), positive(4)), {}),
    (elementwise.power, (positive(3, 1), real(4)), {}),
    (elementwise.power, (real(3), 3), {}),
    (elementwise.power, (2, real(3)), {}),
    (elementwise.negative, (real(3),), {}),
    (elementwise.exp, (real(3),), {}),
    (elementwise.log, (positive(3),), {}),
    (elementwise.sqrt, (positive(3),), {}),
    (elementwise.absolute, (real(3),), {}),
    (elementwise.clip, (real(9),), {"low": -0.5, "high": 0.5}),
    (elementwise.maximum, (real(3, 1), real(4)), {}),
    (elementwise.minimum, (real(3, 1), 0.5), {}),
    (elementwise.where, (real(3, 1), real(4)), {"condition": MASK}),
    (elementwise.astype, (real(3),), {"dtype": np.float32}),
    (reduce.sum, (real(2, 3, 4),), {"axis": (0, 2)}),
    (reduce.mean, (real(2, 3, 4),), {"axis": 1, "keepdims": True}),
    (reduce.var, (real(2, 3, 4),), {"ddof": 1}),
    (reduce.amax, (real(2, 3, 4),), {"axis": -1}),
    (reduce.amin, (real(2, 3, 4),), {}),
    (reduce.std, (real(2, 3, 4),), {"axis": 1}),
    (reduce.norm, (real(2, 3, 4),), {"axis": 1}),
    (reduce.norm, (real(2, 3, 4),), {"p": 1, "keepdims": True}),
    (rounding.fake_quantize, (real(3, 4),), {"scale": 0.5, "low": -2, "high": 3}),
    (scan.cumsum, (real(2, 5),), {"axis": 1}),
    (scan.prod, (real(2, 3, 4),), {"axis": (0, 2)}),
    (rearrange.squeeze, (real(2, 1, 4),), {}),
    (rearrange.unsqueeze, (real(2, 4),), {"axis": 1}),
    (rearrange.expand, (real(2, 1, 4),), {"shape": (3, 2, 5, -1)}),
    (rearrange.repeat, (real(2, 3),), {"counts": (2, 1, 3)}),
    (rearrange.flip, (real(2, 3),), {"axis": 1}),
    (reduce.logsumexp, (real(2, 3, 4),), {"axis": (0, 2)}),
    (select.one_hot, (TARGET,), {"num_classes": 4}),
    (einsum.einsum, (real(2, 3, 4), real(2, 4, 3), real(5)), {"subscripts": "...ij,kjl,m->l...i"}),
    (shape.reshape, (real(3, 4),), {"shape": (2, -1)}),
    (shape.transpose, (real(2, 3, 4),), {"axes": (2, 0, 1)}),
    (shape.flatten, (real(2, 3, 4),), {"start": 1}),
    (shape.getitem, (real(3, 4),), {"index": ([0, 0, 1], slice(1, 3))}),
    (shape.getitem, (real(3, 4),), {"index": MASK}),
    (shape.pad, (real(3, 4),), {"width": ((1, 0), (0, 2)), "value": 1.5}),
    (shape.concatenate, (real(2, 3), real(1, 3)), {"axis": 0}),
    (shape.stack, (real(2, 3), real(2, 3)), {"axis": 1}),
    (shape.insert_zeros, (real(1, 2, 3, 4),), {"factor": (2, 3)}),
    (linear.matmul, (real(2, 1, 3, 4), real(5, 4, 2)), {}),
    (linear.matmul, (real(4), real(4)), {}),
    (linear.linear, (real(2, 3, 4), real(5, 4), real(5)), {}),
    (conv.conv, (X, W, real(6)), {"groups": 2, **WINDOW}),
    (conv.conv, (X, W), {"groups": 2, "padding": "same"}),
    (conv.conv_transpose, (real(2, 6, 3, 4), W, real(4)), {"groups": 2, "output_padding": (1, 0), **WINDOW}),
    (columns.unfold, (X,), {"kernel_size": 2, **WINDOW}),
    (columns.fold, (real(2, 8, 15),), {"output_size": (6, 5), "kernel_size": 2, **WINDOW}),
    (pool.max_pool, (X,), {"kernel_size": 2, **WINDOW}),
    (pool.avg_pool, (X,), {"kernel_size": 2, **WINDOW}),
    (pool.avg_pool, (X,), {"kernel_size": 2, "count_include_pad": False, **WINDOW}),
    (pool.adaptive_avg_pool, (X,), {"output_size": (4, 2)}),
    (interpolate.interpolate, (X,), {"size": (4, 9)}),
    (interpolate.interpolate, (X,), {"scale_factor": 1.7, "mode": "bilinear"}),
    (interpolate.interpolate, (X,), {"size": (4, 9), "mode": "bicubic", "align_corners": True}),
    (roi_align.roi_align, (X,), {"boxes": [[[1, 1, 3, 4], [0, 0, 9, 2]], []], "output_size": (2, 3)}),
    (roi_align.roi_align, (X,), {"boxes": [[], []], "output_size": 2}),
    (spacing.place_taps, (real(2, 1, 3), real(3, 2, 1, 3)), {"size": (3, 4, 2)}),
    (activation.relu, (real(3, 4),), {}),
    (activation.leaky_relu, (real(3, 4),), {}),
    (activation.sigmoid, (real(3, 4),), {}),
    (activation.tanh, (real(3, 4),), {}),
    (activation.silu, (real(3, 4),), {}),
    (activation.gelu, (real(3, 4),), {}),
    (activation.gelu, (real(3, 4),), {"approximate": "tanh"}),
    (activation.softmax, (real(),), {}),
    (activation.softplus, (real(3, 4),), {"beta": 2.0, "threshold": 1.0}),
    (activation.softmax, (real(3, 4),), {"axis": 0}),
    (activation.log_softmax, (real(3, 4),), {}),
    (activation.dropout, (real(3, 4),), {"p": 0.3}),
    (norm.batch_norm, (X, positive(4), real(4)), {}),
    (norm.batch_norm, (X, positive(4), real(4)), {"mean": real(4), "var": positive(4)}),
    (norm.layer_norm, (X, positive(5), real(5)), {"normalized_shape": 5}),
    (weight_norm.weight_norm, (positive(3, 4), real(3, 1)), {}),
    (loss.cross_entropy, (real(2, 3, 2),), {"target": TARGET, "weight": positive(3), "label_smoothing": 0.1}),
    (loss.cross_entropy, (real(2, 3, 2),), {"target": TARGET, "reduction": "none"}),
    (loss.binary_cross_entropy_with_logits, (real(3, 4),), {"target": positive(3, 4) / 2}),
    (
        loss.cross_entropy,
        (real(2, 3, 2),),
        {"target": positive(2, 3, 2), "weight": positive(3), "label_smoothing": 0.1},
    ),
    (loss.nll_loss, (real(2, 3, 2),), {"target": TARGET, "weight": positive(3)}),
    (loss.dice_loss, (real(2, 3, 2),), {"target": TARGET}),
    (
        loss.binary_cross_entropy_with_logits,
        (real(3, 4),),
        {"target": positive(3, 4) / 2, "pos_weight": positive(4)},
    ),
    (loss.focal_loss, (real(3, 4),), {"target": positive(3, 4) / 2}),
    (loss.focal_loss, (real(3, 4),), {"target": positive(3, 4) / 2, "alpha": None, "reduction": "none"}),
    (loss.mse_loss, (real(3, 4), real(3, 4, seed=1)), {}),
    (loss.l1_loss, (real(3, 4), real(3, 4, seed=1)), {"reduction": "sum"}),
    (loss.huber_loss, (2 * real(3, 4), real(3, 4, seed=1)), {"reduction": "none"}),
    (
        attention.scaled_dot_product_attention,
        (real(2, 3, 5), real(2, 4, 5), real(2, 4, 2)),
        {"attn_mask": MASK},
    ),
    (attention.scaled_dot_product_attention, (real(3, 5), real(4, 5), real(4, 2)), {"is_causal": True}),
    (attention.packed_attention, (real(3, 2, 4, 5),), {}),
    (crf.crf_loss, (real(2, 2, 3), real(3, 3), real(3), real(3)), {"tags": TARGET}),
    (embedding.embedding, (real(5, 2),), {"index": TARGET, "padding_idx": 1}),
    (
        recurrent.lstm,
        (real(3, 4, 2), real(4, 5), real(4, 5), real(20, 2), real(20, 5), real(20), real(20)),
        {"mask": MASK},
    ),
    (recurrent.gru, (real(3, 4, 2), None, real(15, 2), real(15, 5), real(15), real(15)), {"reverse": True}),
]


def wrapped(value, name=None):
    if isinstance(value, np.ndarray) and not (name in ("index", "tags") and value.dtype.kind == "i"):
        return Labels(value) if name == "target" and value.dtype.kind == "i" else Opaque(value)
    return value


def call(op, operands, options, monkeypatch, kernels):
    with monkeypatch.context() as patch:
        patch.setattr("minidil.ops.activation.default_rng", lambda: np.random.default_rng(7))
        token = seam._active.set(kernels)
        try:
            return op(*operands, **options)
        finally:
            seam._active.reset(token)


@pytest.mark.parametrize(("op", "operands", "options"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_op_needs_nothing_of_an_array_but_kernels(op, operands, options, monkeypatch):
    device = Device()
    hidden = {name: wrapped(option, name) for name, option in options.items()}
    found, vjps = call(op, tuple(map(wrapped, operands)), hidden, monkeypatch, device)
    expected, wanted = call(op, operands, options, monkeypatch, seam.Backend("numpy", ("minidil.kernels.reference",)))
    assert isinstance(found, Opaque)
    assert_allclose(found._hidden, expected)
    grad = real(*np.shape(expected), seed=9).astype(np.asarray(expected).dtype)
    # Another backend is active now: what the vjps need, they must have captured.
    for operand, vjp, other in zip(operands, vjps, wanted, strict=False):
        if isinstance(operand, np.ndarray) and vjp is not None:
            gradient = vjp(Opaque(grad))
            assert isinstance(gradient, Opaque)
            assert gradient.shape == operand.shape
            assert_allclose(gradient._hidden, other(grad))
    assert device.called


def test_every_op_is_here():
    families = (
        activation,
        attention,
        columns,
        conv,
        crf,
        einsum,
        elementwise,
        embedding,
        interpolate,
        linear,
        loss,
        norm,
        pool,
        rearrange,
        recurrent,
        reduce,
        roi_align,
        rounding,
        scan,
        select,
        shape,
        spacing,
        weight_norm,
    )
    public = {
        value
        for family in families
        for name, value in vars(family).items()
        if callable(value) and getattr(value, "__module__", "") == family.__name__ and not name.startswith("_")
    } - {
        conv.transposed_window,
        interpolate.linear_taps,
        crf.check_chain,
        crf.viterbi,
    }  # geometry; checks; answers on the host
    assert {op for op, _, _ in CASES} == public


def test_observed_statistics_are_the_devices_own():
    seen = []
    token = seam._active.set(Device())
    try:
        norm.batch_norm(Opaque(X), observe=lambda mean, var: seen.extend([mean, var]))
    finally:
        seam._active.reset(token)
    assert all(isinstance(array, Opaque) and array.shape == (4,) for array in seen)


def test_an_opaque_array_does_refuse():
    array = Opaque(np.ones(3))
    for misuse in (
        lambda: array + 1,
        lambda: np.ones(3) * array,
        lambda: array @ array,
        lambda: array[0],
        lambda: -array,
        lambda: array == array,
        lambda: np.asarray(array),
        lambda: len(array),
        lambda: bool(array),
    ):
        with pytest.raises(TypeError):
            misuse()
