"""Each PTX instruction that the emulator knows, against NumPy and Python's own integers, at the edges of its type."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from ptx_kernels import TYPES, compute, kernel

from minidil.emulator import run_ptx
from minidil.emulator.arithmetic import meaning
from minidil.errors import BackendError

F32 = np.array(
    [0, -0.0, 1, -1, 1.5, 2.5, -2.5, 3.75, 1e-40, 3e38, -3e38, np.inf, -np.inf, np.nan, 7.3, 0.1], np.float32
)
PAIRS = [(x, y) for x in F32 for y in F32]
X, Y = (np.array(column, np.float32) for column in zip(*PAIRS, strict=True))
Z = np.resize(F32[::-1], X.shape)


def whole(kind):
    """Integers of a type, with all its edges, in every pairing."""
    limits = np.iinfo(TYPES[kind][0])
    chosen = [0, 1, 2, 3, 7, 31, 100, limits.max, limits.max - 1, limits.max // 3, limits.min, limits.min + 1]
    if limits.min < 0:
        chosen += [-1, -2, -7, -100]
    pairs = [(x, y) for x in chosen for y in chosen]
    return tuple(np.array(column, TYPES[kind][0]) for column in zip(*pairs, strict=True))


def wrapped(values, kind):
    """Python's integers, cut to the bits of a type."""
    bits = 8 * np.dtype(TYPES[kind][0]).itemsize
    return np.array([int(value) & (1 << bits) - 1 for value in values], f"u{bits // 8}").view(TYPES[kind][0])


def truncated(x, y):
    return abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)


def bits(x, kind):
    return int(x) & (1 << 8 * np.dtype(TYPES[kind][0]).itemsize) - 1


INTEGER = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul.lo": lambda x, y: x * y,
    "min": min,
    "max": max,
    "div": lambda x, y: truncated(x, y) if y else -1,
    "rem": lambda x, y: x - y * truncated(x, y) if y else x,
}


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("op", INTEGER)
def test_integer_arithmetic_wraps_around(op, kind):
    x, y = whole(kind)
    expected = wrapped([INTEGER[op](int(a), int(b)) for a, b in zip(x, y, strict=True)], kind)
    assert_array_equal(compute(f"{op}.{kind} {{d}}, {{a}}, {{b}};", kind, (kind, kind), x, y), expected)


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
def test_the_high_half_of_a_product(kind):
    x, y = whole(kind)
    width = 8 * x.dtype.itemsize
    expected = wrapped([int(a) * int(b) >> width for a, b in zip(x, y, strict=True)], kind)
    assert_array_equal(compute(f"mul.hi.{kind} {{d}}, {{a}}, {{b}};", kind, (kind, kind), x, y), expected)


@pytest.mark.parametrize("kind", ["s32", "u32"])
def test_wide_products_and_multiply_adds(kind):
    x, y = whole(kind)
    wide = f"{kind[0]}64"
    exact = [int(a) * int(b) for a, b in zip(x, y, strict=True)]
    found = compute(f"mul.wide.{kind} {{d}}, {{a}}, {{b}};", wide, (kind, kind), x, y)
    assert_array_equal(found, wrapped(exact, wide))
    z = np.arange(len(x), dtype=TYPES[wide][0]) * 12345678901
    found = compute(f"mad.wide.{kind} {{d}}, {{a}}, {{b}}, {{c}};", wide, (kind, kind, wide), x, y, z)
    assert_array_equal(found, wrapped([p + int(c) for p, c in zip(exact, z, strict=True)], wide))
    found = compute(f"mad.lo.{kind} {{d}}, {{a}}, {{b}}, {{c}};", kind, (kind, kind, kind), x, y, y)
    assert_array_equal(found, wrapped([p + int(c) for p, c in zip(exact, y, strict=True)], kind))


@pytest.mark.parametrize("kind", ["s32", "s64"])
def test_signs(kind):
    x, _ = whole(kind)
    assert_array_equal(compute(f"neg.{kind} {{d}}, {{a}};", kind, (kind,), x), wrapped([-int(a) for a in x], kind))
    assert_array_equal(compute(f"abs.{kind} {{d}}, {{a}};", kind, (kind,), x), wrapped([abs(int(a)) for a in x], kind))


@pytest.mark.parametrize("kind", ["b32", "b64"])
def test_bits(kind):
    x, y = whole(kind)
    for op, function in {"and": int.__and__, "or": int.__or__, "xor": int.__xor__}.items():
        expected = [function(int(a), int(b)) for a, b in zip(x, y, strict=True)]
        assert_array_equal(
            compute(f"{op}.{kind} {{d}}, {{a}}, {{b}};", kind, (kind, kind), x, y), wrapped(expected, kind)
        )
    assert_array_equal(compute(f"not.{kind} {{d}}, {{a}};", kind, (kind,), x), wrapped([~int(a) for a in x], kind))


@pytest.mark.parametrize("kind", ["b32", "b64", "s32", "s64", "u32", "u64"])
def test_shifts_are_clamped_at_the_width(kind):
    x, _ = whole(kind)
    amount = np.resize(np.array([0, 1, 5, 31, 32, 33, 63, 64, 65, 2**32 - 1], np.uint32), x.shape)
    width = 8 * x.dtype.itemsize
    if kind[0] == "b":
        left = [int(a) << min(int(n), width) for a, n in zip(x, amount, strict=True)]
        assert_array_equal(
            compute(f"shl.{kind} {{d}}, {{a}}, {{b}};", kind, (kind, "u32"), x, amount), wrapped(left, kind)
        )
    right = [int(a) >> min(int(n), width) for a, n in zip(x, amount, strict=True)]
    found = compute(f"shr.{kind} {{d}}, {{a}}, {{b}};", kind, (kind, "u32"), x, amount)
    assert_array_equal(found, wrapped(right, kind))


def test_fields_of_bits():
    x, y = whole("b32")
    first = np.resize(np.array([0, 3, 8, 31, 32, 40], np.uint32), x.shape)
    length = np.resize(np.array([0, 1, 5, 8, 24, 31, 32], np.uint32), x.shape)
    rows = list(zip(x.tolist(), y.tolist(), first.tolist(), length.tolist(), strict=True))
    found = compute("bfi.b32 {d}, {a}, {b}, {c}, {e};", "b32", ("b32", "b32", "u32", "u32"), x, y, first, length)
    masks = [((1 << n) - 1) << f & 0xFFFFFFFF for _, _, f, n in rows]
    assert_array_equal(found, [b & ~m | a << f & m for (a, b, f, _), m in zip(rows, masks, strict=True)])
    found = compute("bfe.u32 {d}, {a}, {b}, {c};", "u32", ("u32", "u32", "u32"), x, first, length)
    assert_array_equal(found, [a >> f & (1 << n) - 1 for a, _, f, n in rows])
    signed = x.view(np.int32)
    found = compute("bfe.s32 {d}, {a}, {b}, {c};", "s32", ("s32", "u32", "u32"), signed, first, length)
    # Bits above the word repeat its sign, and the field's own highest bit is its sign.
    for a, f, n, got in zip(signed.tolist(), first.tolist(), length.tolist(), found.tolist(), strict=True):
        if f + n <= 32:
            field = a >> f & (1 << n) - 1
            assert got == (field - (1 << n) if n and field >> (n - 1) & 1 else field)


def test_counting_bits():
    x, _ = whole("b32")
    assert_array_equal(compute("popc.b32 {d}, {a};", "b32", ("b32",), x), [int(a).bit_count() for a in x])
    assert_array_equal(compute("clz.b32 {d}, {a};", "b32", ("b32",), x), [32 - int(a).bit_length() for a in x])


def test_a_table_of_three_bits():
    x, y = whole("b32")
    z = np.roll(x, 5)
    for table in (0b10010110, 0b11101000, 0x3C, 0, 255):
        found = compute(f"lop3.b32 {{d}}, {{a}}, {{b}}, {{c}}, {table};", "b32", ("b32", "b32", "b32"), x, y, z)
        expected = [
            sum((table >> ((a >> i & 1) << 2 | (b >> i & 1) << 1 | c >> i & 1) & 1) << i for i in range(32))
            for a, b, c in zip(x.tolist(), y.tolist(), z.tolist(), strict=True)
        ]
        assert_array_equal(found, expected)


def test_bytes_are_permuted():
    x, y = whole("b32")
    source = [(a | b << 32).to_bytes(8, "little") for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    found = compute("prmt.b32 {d}, {a}, {b}, 0x7240;", "b32", ("b32", "b32"), x, y)
    assert_array_equal(found, [int.from_bytes([s[0], s[4], s[2], s[7]], "little") for s in source])
    found = compute("prmt.b32 {d}, {a}, {b}, 0x888F;", "b32", ("b32", "b32"), x, y)
    sign = [[255 * (s[i] >> 7) for i in (7, 0, 0, 0)] for s in source]
    assert_array_equal(found, [int.from_bytes(s, "little") for s in sign])


@pytest.mark.parametrize("amount", [0, 1, 13, 31, 32, 40])
def test_funnel_shifts(amount):
    x, y = whole("b32")
    rows = [(b << 32 | a) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    by = {"wrap": amount % 32, "clamp": min(amount, 32)}
    for mode, n in by.items():
        found = compute(f"shf.l.{mode}.b32 {{d}}, {{a}}, {{b}}, {amount};", "b32", ("b32", "b32"), x, y)
        assert_array_equal(found, [(row << n >> 32) & 0xFFFFFFFF for row in rows])
        found = compute(f"shf.r.{mode}.b32 {{d}}, {{a}}, {{b}}, {amount};", "b32", ("b32", "b32"), x, y)
        assert_array_equal(found, [row >> n & 0xFFFFFFFF for row in rows])


FLOAT = {
    "add.f32": np.add,
    "add.rn.f32": np.add,
    "sub.f32": np.subtract,
    "mul.f32": np.multiply,
    "div.rn.f32": np.divide,
    "min.f32": np.fmin,
    "max.f32": np.fmax,
    "copysign.f32": lambda sign, size: np.copysign(size, sign),
}


@pytest.mark.parametrize("op", FLOAT)
def test_float_arithmetic(op):
    with np.errstate(all="ignore"):
        expected = FLOAT[op](X, Y)
    found = compute(f"{op} {{d}}, {{a}}, {{b}};", "f32", ("f32", "f32"), X, Y)
    assert_array_equal(found, expected)
    if "min" not in op and "max" not in op:  # of two zeros either is the smaller
        assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(expected[~np.isnan(found)]))


UNARY = {
    "neg.f32": np.negative,
    "abs.f32": np.abs,
    "sqrt.rn.f32": np.sqrt,
    "sqrt.approx.f32": np.sqrt,
    "rsqrt.approx.f32": lambda x: 1 / np.sqrt(x),
    "rcp.rn.f32": lambda x: np.float32(1) / x,
    "rcp.approx.ftz.f32": lambda x: np.where(np.abs(x) > 2e38, np.copysign(np.float32(0), x), np.float32(1) / x),
    "ex2.approx.f32": np.exp2,
    "lg2.approx.f32": np.log2,
    "sin.approx.f32": np.sin,
    "cos.approx.f32": np.cos,
    "tanh.approx.f32": np.tanh,
    "mov.f32": np.array,
}


@pytest.mark.parametrize("op", UNARY)
def test_functions(op):
    with np.errstate(all="ignore"):
        expected = UNARY[op](F32)
    found = compute(f"{op} {{d}}, {{a}};", "f32", ("f32",), F32)
    assert_allclose(found, expected, rtol=3e-7)


def test_double_precision():
    x, y = (column.astype(np.float64) for column in (X, Y))
    for op, function in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div.rn": np.divide}.items():
        with np.errstate(all="ignore"):
            assert_array_equal(compute(f"{op}.f64 {{d}}, {{a}}, {{b}};", "f64", ("f64", "f64"), x, y), function(x, y))
    with np.errstate(all="ignore"):
        expected = x * y + y
    assert_array_equal(compute("fma.rn.f64 {d}, {a}, {b}, {c};", "f64", ("f64",) * 3, x, y, y), expected)


def test_a_fused_multiply_add_rounds_once():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 512), np.float32)
    z = -(x * y)  # what the rounding of the product has lost is left
    exact = x.astype(np.longdouble) * y + z
    found = compute("fma.rn.f32 {d}, {a}, {b}, {c};", "f32", ("f32",) * 3, x, y, z)
    assert_array_equal(found, exact.astype(np.float32))
    assert (found != x * y + z).any()
    with np.errstate(all="ignore"):
        expected = (X.astype(np.float64) * Y + Z).astype(np.float32)
    assert_array_equal(compute("fma.rn.f32 {d}, {a}, {b}, {c};", "f32", ("f32",) * 3, X, Y, Z), expected)


def test_a_fused_multiply_add_of_doubles_rounds_once():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 512))
    z = np.where(rng.random(512) < 0.5, -(x * y), rng.standard_normal(512) * 10.0 ** rng.integers(-20, 20, 512))
    rows = zip(x.tolist(), y.tolist(), z.tolist(), strict=True)
    expected = [
        float(Fraction(a) * Fraction(b) + Fraction(c)) for a, b, c in rows
    ]  # Python rounds a fraction correctly
    found = compute("fma.rn.f64 {d}, {a}, {b}, {c};", "f64", ("f64",) * 3, x, y, z)
    assert_array_equal(found, expected)
    assert (found != x * y + z).sum() > 256
    edges = np.array([0.0, -0.0, 1.0, np.inf, np.nan, 1e308, -1e308, 5e-324])
    a, b = (column.ravel() for column in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        expected = a * b + edges[1]
    found = compute("fma.rn.f64 {d}, {a}, {b}, 0d8000000000000000;", "f64", ("f64", "f64"), a, b)
    assert_array_equal(found, expected)
    assert_array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(expected[~np.isnan(found)]))


def test_half_precision():
    values = np.array([0, -0.0, 1, -1.5, 2.5, 65504, 6e-8, np.inf, np.nan, 1 / 3], np.float16)
    x, y = (column.ravel() for column in np.meshgrid(values, values))
    for op, function in {"add": np.add, "sub": np.subtract, "mul": np.multiply}.items():
        with np.errstate(all="ignore"):
            assert_array_equal(compute(f"{op}.f16 {{d}}, {{a}}, {{b}};", "f16", ("f16", "f16"), x, y), function(x, y))
    with np.errstate(all="ignore"):
        expected = (x.astype(np.float64) * y + 1).astype(np.float16)
    one = np.ones_like(x)
    assert_array_equal(compute("fma.rn.f16 {d}, {a}, {b}, {c};", "f16", ("f16",) * 3, x, y, one), expected)
    wide = x.astype(np.float32)
    assert_array_equal(compute("cvt.f32.f16 {d}, {a};", "f32", ("f16",), x), wide)
    with np.errstate(all="ignore"):
        assert_array_equal(
            compute("cvt.rn.f16.f32 {d}, {a};", "f16", ("f32",), wide * 1.001), (wide * 1.001).astype(np.float16)
        )
    assert_array_equal(compute("setp.lt.f16 {d}, {a}, {b};", "pred", ("f16", "f16"), x, y), x < y)


@pytest.mark.parametrize("width", [32, 64])
def test_numbers_of_two_words_are_added_with_a_carry(width):
    kind, limit = f"u{width}", 1 << width
    chosen = [0, 1, 2, limit - 1, limit - 2, limit // 2, limit // 3]
    x, y = (
        np.array(column, f"u{width // 8}") for column in zip(*[(a, b) for a in chosen for b in chosen], strict=True)
    )
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))

    def both(body):
        """The low word of the result, and the high word, of (x, y) and (y, x) as numbers of two words."""
        low = compute(
            body.format(d="{d}", a="{a}", b="{b}", t="%rd28" if width == 64 else "%r28"), kind, (kind, kind), x, y
        )
        return low.tolist()

    high = f"add.cc.{kind} {{t}}, {{a}}, {{b}};\naddc.{kind} {{d}}, {{b}}, {{a}};"
    assert both(high) == [(b + a + (a + b >> width)) % limit for a, b in pairs]
    high = f"sub.cc.{kind} {{t}}, {{a}}, {{b}};\nsubc.{kind} {{d}}, {{b}}, {{a}};"
    assert both(high) == [(b - a - (a < b)) % limit for a, b in pairs]
    if width == 32:
        chain = f"mad.lo.cc.{kind} {{t}}, {{a}}, {{b}}, {{a}};\nmadc.hi.{kind} {{d}}, {{a}}, {{b}}, {{b}};"
        assert both(chain) == [((a * b >> 32) + b + ((a * b) % limit + a >> 32)) % limit for a, b in pairs]
        chain = f"add.cc.{kind} {{d}}, {{a}}, {{b}};\naddc.cc.{kind} {{t}}, {{a}}, {{b}};\naddc.{kind} {{d}}, 0, 0;"
        assert both(chain) == [a + b + (a + b >> width) >> width for a, b in pairs]


def test_counting_and_reversing_the_bits_of_long_words():
    x, _ = whole("b64")
    rows = [int(a) for a in x]
    assert_array_equal(compute("popc.b64 {d}, {a};", "u32", ("b64",), x), [a.bit_count() for a in rows])
    assert_array_equal(compute("clz.b64 {d}, {a};", "u32", ("b64",), x), [64 - a.bit_length() for a in rows])
    assert_array_equal(compute("brev.b64 {d}, {a};", "b64", ("b64",), x), [int(f"{a:064b}"[::-1], 2) for a in rows])
    found = compute("bfind.u64 {d}, {a};", "u32", ("u64",), x)
    assert_array_equal(found, [a.bit_length() - 1 if a else 2**32 - 1 for a in rows])
    found = compute("bfind.shiftamt.u64 {d}, {a};", "u32", ("u64",), x)
    assert_array_equal(found, [64 - a.bit_length() if a else 2**32 - 1 for a in rows])
    y, _ = whole("s32")
    lengths = [(~int(a) if a < 0 else int(a)).bit_length() for a in y]
    assert_array_equal(compute("bfind.s32 {d}, {a};", "u32", ("s32",), y), [n - 1 if n else 2**32 - 1 for n in lengths])


@pytest.mark.parametrize("mode", ["rm", "rp", "rz"])
def test_directed_rounding(mode):
    rng = np.random.default_rng(1)
    x, y, z = rng.standard_normal((3, 512), np.float32)
    exact = x.astype(np.longdouble) * y + z
    found = compute(f"fma.{mode}.f32 {{d}}, {{a}}, {{b}}, {{c}};", "f32", ("f32",) * 3, x, y, z)
    below, above = found.astype(np.longdouble) <= exact, found.astype(np.longdouble) >= exact
    towards_zero = np.where(exact > 0, below, above)
    assert {"rm": below, "rp": above, "rz": towards_zero}[mode].all()
    assert (np.abs(found - exact) <= np.spacing(np.abs(found))).all()


def test_saturation_and_flushing():
    found = compute("fma.rn.sat.f32 {d}, {a}, {b}, {c};", "f32", ("f32",) * 3, X, Y, Z)
    assert ((found >= 0) & (found <= 1)).all()
    small = np.array([1e-39, -1e-39, 1e-38, 2e-38], np.float32)
    found = compute("mul.ftz.f32 {d}, {a}, {b};", "f32", ("f32", "f32"), small, np.full(4, 1, np.float32))
    assert_array_equal(found, [0, 0, 0, np.float32(2e-38)])
    assert np.signbit(found[1])


ORDERED = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


@pytest.mark.parametrize("name", ORDERED)
def test_comparisons_of_floats(name):
    missing = np.isnan(X) | np.isnan(Y)
    plain = ORDERED[name](X, Y)
    found = compute(f"setp.{name}.f32 {{d}}, {{a}}, {{b}};", "pred", ("f32", "f32"), X, Y)
    assert_array_equal(found, plain & ~missing)
    found = compute(f"setp.{name}u.f32 {{d}}, {{a}}, {{b}};", "pred", ("f32", "f32"), X, Y)
    assert_array_equal(found, plain | missing)


def test_comparisons_with_nan():
    missing = np.isnan(X) | np.isnan(Y)
    assert_array_equal(compute("setp.nan.f32 {d}, {a}, {b};", "pred", ("f32", "f32"), X, Y), missing)
    assert_array_equal(compute("setp.num.f32 {d}, {a}, {b};", "pred", ("f32", "f32"), X, Y), ~missing)


@pytest.mark.parametrize("kind", ["s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("name", ORDERED)
def test_comparisons_of_integers(name, kind):
    x, y = whole(kind)
    found = compute(f"setp.{name}.{kind} {{d}}, {{a}}, {{b}};", "pred", (kind, kind), x, y)
    assert_array_equal(found, ORDERED[name](x, y))


@pytest.mark.parametrize(("name", "signed"), [("lo", "lt"), ("ls", "le"), ("hi", "gt"), ("hs", "ge")])
def test_unsigned_comparisons_have_names_of_their_own(name, signed):
    x, y = whole("u32")
    assert_array_equal(
        compute(f"setp.{name}.u32 {{d}}, {{a}}, {{b}};", "pred", ("u32", "u32"), x, y), ORDERED[signed](x, y)
    )


def test_comparisons_combine_with_a_predicate():
    x, y = whole("s32")
    for op, function in {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}.items():
        text = f"setp.gt.s32 %p2, {{b}}, 3;\nsetp.lt.{op}.s32 {{d}}, {{a}}, {{b}}, %p2;"
        assert_array_equal(compute(text, "pred", ("s32", "s32"), x, y), function(x < y, y > 3))
        text = f"setp.gt.s32 %p2, {{b}}, 3;\nsetp.lt.s32 %p3, {{a}}, {{b}};\n{op}.pred {{d}}, %p3, %p2;"
        assert_array_equal(compute(text, "pred", ("s32", "s32"), x, y), function(x < y, y > 3))
    found = compute("setp.lt.s32 %p3, {a}, {b};\nnot.pred {d}, %p3;", "pred", ("s32", "s32"), x, y)
    assert_array_equal(found, x >= y)
    found = compute("setp.lt.s32 %p3, {a}, {b};\nmov.pred {d}, %p3;", "pred", ("s32", "s32"), x, y)
    assert_array_equal(found, x < y)


@pytest.mark.parametrize("kind", ["f32", "s32", "b64"])
def test_selection(kind):
    x, y = (X, Y) if kind == "f32" else whole(kind)
    text = f"setp.lt.u32 %p2, %r20, 9;\nselp.{kind} {{d}}, {{a}}, {{b}}, %p2;"
    assert_array_equal(compute(text, kind, (kind, kind), x, y), np.where(np.arange(len(x)) < 9, x, y))


INTEGER_CONVERSIONS = [
    ("cvt.s64.s32", "s64", "s32"),
    ("cvt.u64.u32", "u64", "u32"),
    ("cvt.u32.u64", "u32", "u64"),
    ("cvt.s64.s16", "s64", "s16"),
    ("cvt.u32.u16", "u32", "u16"),
    ("cvt.u16.u32", "u16", "u32"),
    ("cvt.u64.s32", "u64", "s32"),
]


@pytest.mark.parametrize(("op", "target", "source"), INTEGER_CONVERSIONS)
def test_integers_are_extended_and_cut(op, target, source):
    x, _ = whole(source)
    assert_array_equal(compute(f"{op} {{d}}, {{a}};", target, (source,), x), wrapped(x, target))


def test_the_low_byte_of_a_register():
    x, _ = whole("u32")
    assert_array_equal(compute("cvt.u32.u8 {d}, {a};", "u32", ("u32",), x), x & 255)
    expected = [(int(a) & 255) - 256 * (int(a) >> 7 & 1) for a in x]
    assert_array_equal(compute("cvt.s32.s8 {d}, {a};", "s32", ("u32",), x), expected)


def test_integers_become_floats():
    for kind in ("s32", "u32", "s64", "u64"):
        x, _ = whole(kind)
        expected = np.array([float(np.float32(int(a))) for a in x])
        assert_array_equal(compute(f"cvt.rn.f32.{kind} {{d}}, {{a}};", "f32", (kind,), x), expected)


@pytest.mark.parametrize("mode", ["rni", "rzi", "rmi", "rpi"])
@pytest.mark.parametrize("kind", ["s32", "u32", "s64"])
def test_floats_become_integers_within_the_range(mode, kind):
    function = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}[mode]
    limits = np.iinfo(TYPES[kind][0])

    def one(x):
        if math.isnan(x):
            return 0
        if math.isinf(x):
            return limits.max if x > 0 else limits.min
        return min(max(function(x), limits.min), limits.max)

    found = compute(f"cvt.{mode}.{kind}.f32 {{d}}, {{a}};", kind, ("f32",), F32)
    assert_array_equal(found, np.array([one(float(x)) for x in F32], found.dtype))


def test_floats_become_floats():
    assert_array_equal(compute("cvt.f64.f32 {d}, {a};", "f64", ("f32",), F32), F32.astype(np.float64))
    x = np.array([1 / 3, 1e300, -1e-300, np.nan])
    with np.errstate(all="ignore"):
        assert_array_equal(compute("cvt.rn.f32.f64 {d}, {a};", "f32", ("f64",), x), x.astype(np.float32))
    assert_array_equal(compute("cvt.rni.f32.f32 {d}, {a};", "f32", ("f32",), F32), np.rint(F32))
    assert_array_equal(compute("cvt.sat.f32.f32 {d}, {a};", "f32", ("f32",), F32), np.nan_to_num(np.clip(F32, 0, 1)))


def test_moves_take_registers_apart_and_put_them_together():
    x, _ = whole("b64")
    text = "mov.b64 {{%r1, %r2}}, {a};\nmov.b64 {d}, {{%r2, %r1}};"
    expected = [int(a) >> 32 | (int(a) & 0xFFFFFFFF) << 32 for a in x]
    assert_array_equal(compute(text, "b64", ("b64",), x), np.array(expected, np.uint64))


def test_literals():
    x = np.zeros(4, np.float32)
    assert_array_equal(compute("add.f32 {d}, {a}, 0f40490FDB;", "f32", ("f32",), x), np.full(4, np.float32(np.pi)))
    assert_array_equal(compute("add.f64 {d}, {a}, 0d3FF8000000000000;", "f64", ("f64",), x), np.full(4, 1.5))
    zero = np.zeros(4, np.int32)
    assert_array_equal(compute("add.s32 {d}, {a}, -7;", "s32", ("s32",), zero), np.full(4, -7))
    assert_array_equal(compute("or.b32 {d}, {a}, 0xF0;", "b32", ("b32",), zero), np.full(4, 0xF0))
    assert_array_equal(compute("mov.b32 {d}, 0f3F800000;", "b32", ("b32",), zero), np.full(4, 0x3F800000))


UNKNOWN = [
    "frobnicate.f32 %f1, %f2;",
    "add.rna.f32 %f1, %f2, %f3;",
    "mul.s32 %r1, %r2, %r3;",
    "cvt.rn.bf16.f32 %rs1, %f1;",
    "cvt.s32.f32 %r1, %f1;",
    "setp.lt.xnor.s32 %p1, %r1, %r2, %p2;",
    "mul.wide.s64 %rd1, %rd2, %rd3;",
    "cvta.stack.u64 %rd1, %rd2;",
    "shfl.down.b32 %r1, %r2, 1, 31;",
    "shf.m.wrap.b32 %r1, %r2, %r3, 1;",
    "ld.global.v8.f32 %f1, [%rd1];",
    "atom.global.nand.b32 %r1, [%rd1], 1;",
    "vote.sync.most.pred %p1, %p2, -1;",
]


@pytest.mark.parametrize("instruction", UNKNOWN)
def test_what_is_not_known_is_not_guessed(instruction):
    with pytest.raises(
        BackendError, match=r"line 7 of kernel.py needs .*, which the emulator does not know and does not guess"
    ):
        run_ptx(kernel(instruction), (1, 1, 1), (1, 1, 1), [0])


def test_what_cannot_be_read_is_said():
    with pytest.raises(BackendError, match=r"no \.entry"):
        run_ptx(".version 8.0", (1, 1, 1), (1, 1, 1), [])
    with pytest.raises(BackendError, match="reads a clock: the emulator has no time that means anything"):
        run_ptx(kernel("mov.u32 %r1, %clock;"), (1, 1, 1), (1, 1, 1), [0])
    with pytest.raises(BackendError, match="unknown operand 'nowhere'"):
        run_ptx(kernel("mov.u32 %r1, nowhere;"), (1, 1, 1), (1, 1, 1), [0])
    with pytest.raises(
        BackendError, match=r"in line 7 of kernel\.py the kernel calls helper, which is not part of what"
    ):
        run_ptx(kernel("call.uni (retval0), helper, (param0);"), (1, 1, 1), (1, 1, 1), [0])


def test_a_type_that_does_not_exist_has_no_meaning():
    assert meaning(("add", "f7")) is None
