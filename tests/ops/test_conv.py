"""Convolution and its transpose as ops: modes of padding, identities, gradients, and what is refused."""

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from strategies import conv_cases, examples, tolerance

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.kernels.geometry import Window
from minidil.testing import check_adjoint, check_gradients

SMALL = conv_cases(max_work=3000, dtypes=(np.float64,))


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@examples(30)
@given(conv_cases(max_work=3000))
def test_conv_equals_the_formula(backend, case):
    y = F.conv(case.x, case.weight, case.bias, **case.options)
    expected = oracles.conv_loops(case.x, case.weight, case.bias, *case.geometry, case.groups)
    assert y.dtype == case.x.dtype
    assert_allclose(y.numpy(), expected, **tolerance(case.x.dtype, 400))


@examples(30)
@given(SMALL)
def test_conv_gradients(backend, case):
    arrays = [case.x, case.weight] + ([] if case.bias is None else [case.bias])
    check_gradients(F.conv, *arrays, directions=1, **case.options)


@examples(20)
@given(SMALL)
def test_conv_is_linear_in_input_and_in_weight(backend, case):
    check_adjoint(lambda x: F.conv(x, case.weight, **case.options), case.x)
    check_adjoint(lambda w: F.conv(case.x, w, **case.options), case.weight)


@pytest.mark.slow
@examples(250)
@given(conv_cases(dtypes=(np.float64,), max_work=30000))
def test_conv_gradients_on_many_windows(backend, case):
    arrays = [case.x, case.weight] + ([] if case.bias is None else [case.bias])
    check_gradients(F.conv, *arrays, directions=1, **case.options)
    check_adjoint(lambda x: F.conv(x, case.weight, **case.options), case.x)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_every_entry_of_every_gradient(backend, ndim):
    x, weight, bias = drawn(2, 4, *(5,) * ndim), drawn(2, 2, *(2,) * ndim, seed=1), drawn(2, seed=2)
    padding = [(0, 1), (1, 0), (2, 0)][:ndim]
    check_gradients(
        F.conv, x[:, :, :4], weight, bias, entries=ndim < 3, dilation=2, stride=2, groups=2, padding=padding
    )


@examples(30)
@given(SMALL)
def test_dilation_is_convolution_with_the_kernel_spelled_out(backend, case):
    options = case.options | {"dilation": 1}
    spelled = F.insert_zeros(case.weight, factor=case.window.dilation)
    expected = F.conv(case.x, spelled, case.bias, **options)
    assert_allclose(F.conv(case.x, case.weight, case.bias, **case.options).numpy(), expected.numpy(), atol=1e-10)


@pytest.mark.parametrize("dilation", [1, 2, 7, 1000])
def test_dilation_does_nothing_to_a_1x1_kernel(backend, dilation):
    x, weight = drawn(2, 3, 4, 5), drawn(6, 3, 1, 1)
    assert_array_equal(F.conv(x, weight, dilation=dilation).numpy(), F.conv(x, weight).numpy())


def test_a_1x1_convolution_is_a_matrix_product(backend):
    x, weight = drawn(2, 3, 4, 5), drawn(6, 3, 1, 1)
    assert_allclose(F.conv(x, weight).numpy(), np.einsum("fc,nchw->nfhw", weight[..., 0, 0], x), atol=1e-12)
    assert_allclose(F.conv(x, weight, stride=2).numpy(), F.conv(x, weight).numpy()[:, :, ::2, ::2], atol=1e-12)


class TestPadding:
    x, weight = drawn(2, 3, 9, 8), drawn(4, 3, 3, 2, seed=1)

    @pytest.mark.parametrize(
        ("padding", "pairs"),
        [
            (2, ((2, 2), (2, 2))),
            ((1, 2), ((1, 1), (2, 2))),
            ([(0, 1), (2, 0)], ((0, 1), (2, 0))),
            ("valid", ((0, 0), (0, 0))),
            ("same", ((2, 2), (1, 1))),
            ("causal", ((4, 0), (2, 0))),
        ],
    )
    def test_every_form(self, backend, padding, pairs):
        y = F.conv(self.x, self.weight, padding=padding, dilation=2)
        assert_allclose(y.numpy(), oracles.conv_scipy(self.x, self.weight, None, (1, 1), pairs, (2, 2), 1), atol=1e-12)
        padded = np.pad(self.x, ((0, 0), (0, 0), *pairs))
        assert_allclose(y.numpy(), F.conv(padded, self.weight, dilation=2).numpy(), atol=1e-12)
        check_gradients(F.conv, self.x, self.weight, directions=1, padding=padding, dilation=2)

    @pytest.mark.parametrize("stride", [1, 2, 3])
    def test_same_keeps_the_size_over_the_stride(self, backend, stride):
        y = F.conv(self.x, self.weight, padding="same", stride=stride, dilation=3)
        assert y.shape[2:] == (-(-9 // stride), -(-8 // stride))

    def test_causal_outputs_do_not_see_the_future(self, backend):
        x, weight = drawn(1, 2, 12), drawn(2, 2, 3)
        before = F.conv(x, weight, padding="causal", dilation=2).numpy()
        x[:, :, 7:] += 1
        after = F.conv(x, weight, padding="causal", dilation=2).numpy()
        assert_array_equal(before[:, :, :7], after[:, :, :7])
        assert not np.isclose(before[:, :, 7:], after[:, :, 7:]).any()


def test_groups_are_separate_convolutions(backend):
    x, weight, bias = drawn(2, 6, 7), drawn(4, 3, 2), drawn(4)
    halves = [F.conv(x[:, 3 * g : 3 * g + 3], weight[2 * g : 2 * g + 2], bias[2 * g : 2 * g + 2]) for g in range(2)]
    assert_allclose(F.conv(x, weight, bias, groups=2).numpy(), F.concatenate(halves, 1).numpy(), atol=1e-12)


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("channels", [1, 3, 17])
def test_depthwise(backend, channels, multiplier):
    x, weight = drawn(2, channels, 8, 7), drawn(channels * multiplier, 1, 3, 3, seed=1)
    options = {"groups": channels, "dilation": 2, "padding": 1, "stride": (1, 2)}
    expected = oracles.conv_scipy(x, weight, None, (1, 2), ((1, 1), (1, 1)), (2, 2), channels)
    assert_allclose(F.conv(x, weight, **options).numpy(), expected, atol=1e-12)
    check_gradients(F.conv, x, weight, drawn(channels * multiplier), directions=1, **options)


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_float32_stays_float32(backend, name):
    x, weight, bias = (
        md.tensor(drawn(*s).astype(np.float32), requires_grad=True) for s in [(2, 3, 5), (3, 3, 2), (3,)]
    )
    y = getattr(F, name)(x, weight, bias)
    y.sum().backward()
    assert {t.dtype for t in (y, x.grad, weight.grad, bias.grad)} == {np.dtype(np.float32)}


def test_mixed_types_are_refused(backend):
    with pytest.raises(DtypeError, match="conv: x is float32, weight is float64; nothing is cast silently"):
        F.conv(drawn(1, 1, 3).astype(np.float32), drawn(1, 1, 2))


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_an_empty_batch(backend, ndim):
    x = md.tensor(np.zeros((0, 2, *(5,) * ndim)), requires_grad=True)
    weight = md.tensor(drawn(3, 2, *(3,) * ndim), requires_grad=True)
    y = F.conv(x, weight, dilation=2)
    y.sum().backward()
    assert y.shape == (0, 3, *(1,) * ndim)
    assert x.grad.shape == x.shape
    assert_array_equal(weight.grad.numpy(), np.zeros(weight.shape))


@st.composite
def transposes(draw):
    """A case, read backward, with an output_padding for every axis: the case's window then has the output's size."""
    case = draw(SMALL)
    extra = tuple(draw(st.integers(0, stride - 1)) for stride in case.window.stride)
    return case, extra


class TestTranspose:
    @examples(40)
    @given(transposes())
    def test_it_is_the_adjoint_of_conv(self, backend, drawn_case):
        case, extra = drawn_case
        window, rng = case.window, np.random.default_rng(0)
        x = rng.standard_normal(case.grad.shape)
        sizes = [
            (o - 1) * t + s + e - sum(p)
            for o, t, s, e, p in zip(window.out, window.stride, window.span, extra, window.padding, strict=True)
        ]
        if min(sizes) < 1:
            with pytest.raises(ShapeError, match="at least 1 is needed"):
                F.conv_transpose(x, case.weight, output_padding=extra, **case.options)
            return
        y = F.conv_transpose(x, case.weight, output_padding=extra, **case.options).numpy()
        assert y.shape[2:] == tuple(sizes)
        assert_allclose(y, oracles.conv_transpose_loops(x, case.weight, sizes, *case.geometry, case.groups), atol=1e-10)
        u = rng.standard_normal(y.shape)
        image = F.conv(u, case.weight, **case.options).numpy()
        assert image.shape == x.shape
        assert_allclose(np.vdot(image, x), np.vdot(u, y), rtol=1e-9, atol=1e-9)

    @examples(20)
    @given(SMALL)
    def test_gradients(self, backend, case):
        window = (
            Window.of(case.window.size, case.window.kernel, case.window.stride, 0, case.window.dilation)
            if all(n >= s for n, s in zip(case.window.size, case.window.span, strict=True))
            else None
        )
        if window is None:
            return
        x, options = drawn(case.x.shape[0], case.weight.shape[0], *window.out), case.options | {"padding": 0}
        bias = drawn(case.x.shape[1], seed=1)
        check_gradients(F.conv_transpose, x, case.weight, bias, directions=1, **options)
        check_adjoint(lambda x: F.conv_transpose(x, case.weight, **options), x)

    def test_every_entry(self, backend):
        options = {"stride": 2, "padding": [(1, 0), (0, 1)], "output_padding": (1, 0), "dilation": (1, 2), "groups": 2}
        check_gradients(
            F.conv_transpose, drawn(2, 4, 3, 2), drawn(4, 3, 2, 2, seed=1), drawn(6, seed=2), entries=True, **options
        )

    def test_by_hand(self, backend):
        x, weight = np.array([[[1.0, 2]]]), np.array([[[1.0, 10, 100]]])
        assert_array_equal(F.conv_transpose(x, weight, stride=2).numpy(), [[[1, 10, 102, 20, 200]]])
        assert_array_equal(
            F.conv_transpose(x, weight, stride=2, output_padding=1).numpy(), [[[1, 10, 102, 20, 200, 0]]]
        )
        assert_array_equal(F.conv_transpose(x, weight, stride=2, padding=1).numpy(), [[[10, 102, 20]]])
        assert_array_equal(F.conv_transpose(x, weight, dilation=2).numpy(), [[[1, 2, 10, 20, 100, 200]]])
        assert_array_equal(F.conv_transpose(x, weight, np.array([5.0]), padding="valid").numpy(), [[[6, 17, 125, 205]]])

    @pytest.mark.parametrize(
        ("shapes", "options", "error", "message"),
        [
            (((1, 2, 4), (3, 1, 2)), {}, ShapeError, r"x \(1, 2, 4\) must have as many channels as weight \(3, 1, 2\)"),
            (((1, 3, 4), (3, 1, 2)), {"groups": 2}, ShapeError, r"and groups=2 must divide them"),
            (
                ((1, 3, 4), (3, 1, 2)),
                {"padding": "same"},
                OptionError,
                r"padding must be given in numbers, since 'same'",
            ),
            (((1, 3, 4), (3, 1, 2)), {"padding": "causal"}, OptionError, r"padding must be given in numbers"),
            (((1, 3, 4), (3, 1, 2)), {"padding": "full"}, OptionError, r'padding must be "valid", "same", "causal" or'),
            (
                ((1, 3, 4), (3, 1, 2)),
                {"output_padding": 1},
                OptionError,
                r"output_padding 1 must be less than the stride 1",
            ),
            (((1, 3, 4), (3, 1, 2)), {"output_padding": -1}, OptionError, r"output_padding must be made of ints >= 0"),
            (((1, 3, 1), (3, 1, 2)), {"padding": 1}, ShapeError, r"\(1-1\)\*1 \+ 2 \+ 0 - 2 = 0 positions; at least 1"),
            (((1, 3, 0), (3, 1, 2)), {}, ShapeError, r"spatial axis 0 of x \(1, 3, 0\) would give \(0-1\)\*1"),
            (((1, 3, 4), (3, 1, 2)), {"stride": 0}, OptionError, r"stride must be made of ints >= 1, not 0"),
        ],
    )
    def test_refused(self, backend, shapes, options, error, message):
        with pytest.raises(error, match="^conv_transpose: .*" + message):
            F.conv_transpose(*(drawn(*shape) for shape in shapes), **options)

    def test_a_bias_of_the_wrong_size(self, backend):
        with pytest.raises(ShapeError, match=r"conv_transpose: bias must be \(4,\), one number per output channel"):
            F.conv_transpose(drawn(1, 2, 3), drawn(2, 2, 2), drawn(3), groups=2)


@pytest.mark.parametrize(
    ("shapes", "options", "error", "message"),
    [
        (
            ((2, 3), (4, 3)),
            {},
            ShapeError,
            r"need 1 to 3 spatial axes, the same number; they are \(2, 3\) and \(4, 3\)",
        ),
        (((2, 3, 5, 5), (4, 3, 2)), {}, ShapeError, r"need 1 to 3 spatial axes, the same number"),
        (((3,), (4, 3, 2)), {}, ShapeError, r"need 1 to 3 spatial axes, the same number"),
        (((1, 1, 2, 2, 2, 2), (1, 1, 1, 1, 1, 1)), {}, ShapeError, r"need 1 to 3 spatial axes"),
        (
            ((2, 3, 5), (4, 2, 3)),
            {},
            ShapeError,
            r"\(4, 2, 3\) with groups=1 takes 2\*1 = 2 channels but x \(2, 3, 5\) has 3",
        ),
        (((2, 6, 5), (4, 3, 3)), {"groups": 3}, ShapeError, r"with groups=3 takes 3\*3 = 9 channels but x .* has 6"),
        (
            ((2, 6, 5), (4, 2, 3)),
            {"groups": 3},
            ShapeError,
            r"the 4 filters of weight \(4, 2, 3\) do not divide into groups=3",
        ),
        (((2, 3, 5), (0, 3, 2)), {}, ShapeError, r"weight \(0, 3, 2\) has no filters or no channels"),
        (((2, 0, 5), (3, 0, 2)), {}, ShapeError, r"weight \(3, 0, 2\) has no filters or no channels"),
        (((2, 3, 5), (4, 3, 3)), {"groups": 0}, OptionError, r"groups must be an int >= 1, not 0"),
        (((2, 3, 5), (4, 3, 3)), {"groups": 1.0}, OptionError, r"groups must be an int >= 1, not 1.0"),
        (((2, 3, 5), (4, 3, 3)), {"groups": True}, OptionError, r"groups must be an int >= 1, not True"),
        (((2, 3, 5), (4, 3, 0)), {}, OptionError, r"kernel_size must be made of ints >= 1, not \(0,\)"),
        (
            ((2, 3, 5), (4, 3, 3)),
            {"dilation": 3},
            ShapeError,
            r"spans 3\*\(3-1\)\+1 = 7 but .* has 5 \+ 0 \+ 0 = 5 positions",
        ),
        (((2, 3, 5), (4, 3, 3)), {"stride": "2"}, OptionError, r"stride must be an int or 1 ints"),
    ],
)
def test_conv_refuses(backend, shapes, options, error, message):
    with pytest.raises(error, match="^conv: .*" + message):
        F.conv(*(drawn(*shape) for shape in shapes), **options)


@pytest.mark.parametrize("shape", [(3,), (1,), (4, 1), ()])
def test_a_bias_has_one_number_per_filter(backend, shape):
    with pytest.raises(ShapeError) as caught:
        F.conv(drawn(2, 3, 5), drawn(4, 3, 3), drawn(*shape))
    assert str(caught.value) == f"conv: bias must be (4,), one number per output channel, not {shape}"


def test_an_input_that_the_kernel_only_just_fits(backend):
    x, weight = drawn(1, 1, 9), drawn(1, 1, 3)
    assert_allclose(F.conv(x, weight, dilation=4).item(), x[0, 0, ::4] @ weight[0, 0])
    check_gradients(F.conv, x, weight, dilation=4, entries=True)
    with pytest.raises(ShapeError, match="pad 1 more or use dilation <= 3"):
        F.conv(x[..., 1:], weight, dilation=4)


def test_numpy_ints_serve_as_groups(backend):
    assert F.conv(drawn(2, 4, 5), drawn(4, 2, 3), groups=np.int64(2)).shape == (2, 4, 3)


@pytest.mark.parametrize("size", [(6,), (6, 5), (4, 6, 5)])
@pytest.mark.parametrize("bias", [True, False])
def test_one_image_without_a_batch_axis(backend, size, bias):
    rng = np.random.default_rng(0)
    taps = (2,) * len(size)
    options = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    for function, channels in ((F.conv, 2), (F.conv_transpose, 3)):
        x, w = rng.standard_normal((4, *size)), rng.standard_normal((4, channels, *taps))
        outputs = 4 if function is F.conv else 6
        arrays = [x, w, rng.standard_normal(outputs)] if bias else [x, w]
        whole = function(x[None], *arrays[1:], **options).numpy()
        assert_array_equal(function(*arrays, **options).numpy(), whole[0])
        check_gradients(function, *arrays, directions=1, **options)


@examples(40)
@given(st.data())
def test_output_padding_up_to_the_dilation(backend, data):
    """Against a scatter with nested loops, of which the positions behind the last tap are what they were: zero."""
    ndim = data.draw(st.integers(1, 2))
    draw = [
        (
            data.draw(st.integers(1, 3)),
            data.draw(st.integers(1, 3)),
            t := data.draw(st.integers(1, 3)),
            d := data.draw(st.integers(1, 4)),
            data.draw(st.integers(0, max(t, d) - 1)),
            data.draw(st.integers(0, 2)),
            data.draw(st.integers(0, 2)),
        )
        for _ in range(ndim)
    ]
    out, kernel, stride, dilation, extra, before, after = zip(*draw, strict=True)
    size = [
        (o - 1) * t + d * (k - 1) + 1 + e - b - a
        for o, k, t, d, e, b, a in zip(out, kernel, stride, dilation, extra, before, after, strict=True)
    ]
    behind = [max(e - a, 0) if e >= t else 0 for e, a, t in zip(extra, after, stride, strict=True)]
    rng = np.random.default_rng(0)
    x, w, bias = rng.standard_normal((2, 2, *out)), rng.standard_normal((2, 3, *kernel)), rng.standard_normal(3)
    options = {
        "stride": stride,
        "padding": tuple(zip(before, after, strict=True)),
        "dilation": dilation,
        "output_padding": extra,
    }
    if any(n - z < 1 for n, z in zip(size, behind, strict=True)):
        with pytest.raises(ShapeError, match=r"conv_transpose: .* at least 1 is needed"):
            F.conv_transpose(x, w, bias, **options)
        return
    expected = np.zeros((2, 3, *size)) + bias.reshape(-1, *(1,) * ndim)
    for o in np.ndindex(*out):
        for tap in np.ndindex(*kernel):
            place = [i * t + k * d - b for i, t, k, d, b in zip(o, stride, tap, dilation, before, strict=True)]
            if all(0 <= p < n for p, n in zip(place, size, strict=True)):
                at = (slice(None), slice(None), *place)
                expected[at] += x[(slice(None), slice(None), *o)] @ w[(slice(None), slice(None), *tap)]
    assert_allclose(F.conv_transpose(x, w, bias, **options).numpy(), expected, atol=1e-12)
    check_gradients(F.conv_transpose, x, w, bias, directions=1, **options)
