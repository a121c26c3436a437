"""einsum against NumPy's, which shares no code with it, and its gradients against central differences."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from strategies import examples

import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_gradients

SIZES = {"a": 2, "b": 3, "c": 1, "d": 4, "e": 2}


@st.composite
def expressions(draw):
    """Up to three operands of different letters, with an axis under "..." here and there, and a result."""
    terms, dots = [], draw(st.booleans())
    for _ in range(draw(st.integers(1, 3))):
        letters = "".join(draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=4)))
        cut = draw(st.integers(0, len(letters)))
        terms.append(f"{letters[:cut]}...{letters[cut:]}" if dots and draw(st.booleans()) else letters)
    subscripts = ",".join(terms)
    if draw(st.booleans()):
        letters = sorted({*subscripts} & {*SIZES})
        chosen = draw(st.lists(st.sampled_from(letters), unique=True)) if letters else []
        subscripts += "->" + ("..." if "..." in subscripts else "") + "".join(chosen)
    hidden = [draw(st.sampled_from([(), (3,), (2, 3)])) for _ in terms]
    return subscripts, [shape_of(term, lead) for term, lead in zip(terms, hidden, strict=True)]


def shape_of(term, hidden):
    before, dots, after = term.partition("...")
    return (*(SIZES[x] for x in before), *(hidden if dots else ()), *(SIZES[x] for x in after))


def drawn(shapes):
    return [np.asarray(np.random.default_rng(i).standard_normal(shape)) for i, shape in enumerate(shapes)]


@examples(80)
@given(expressions())
def test_against_numpy(backend, case):
    subscripts, shapes = case
    arrays = drawn(shapes)
    expected = np.einsum(subscripts, *arrays)
    y = F.einsum(subscripts, *arrays)
    assert y.shape == expected.shape
    assert_allclose(y.numpy(), expected, atol=1e-10)
    check_gradients(lambda *t: F.einsum(subscripts, *t), *arrays, directions=1)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk", [(2, 3), (3, 4)]),
        ("bij, bjk -> bik", [(2, 3, 4), (2, 4, 5)]),
        ("nchw,fc->nfhw", [(2, 3, 4, 5), (6, 3)]),
        ("i,j->ij", [(3,), (4,)]),
        ("i,i->", [(3,), (3,)]),
        ("ij->ji", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("ij->i", [(2, 0)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
        ("ab,bc,cd,de->ae", [(2, 3), (3, 4), (4, 2), (2, 5)]),
        ("...,...->...", [(2, 3), (3,)]),
    ],
)
def test_known_products(backend, subscripts, shapes):
    arrays = drawn(shapes)
    assert_allclose(F.einsum(subscripts, *arrays).numpy(), np.einsum(subscripts, *arrays), atol=1e-12)
    check_gradients(lambda *t: F.einsum(subscripts, *t), *arrays, entries=True)


def test_number_types_stay(backend):
    assert F.einsum("i,i->", np.ones(3, np.float32), np.ones(3, np.float32)).dtype == np.float32
    assert F.einsum("ij,j->i", np.ones((2, 3), int), np.arange(3)).numpy().tolist() == [3, 3]


@pytest.mark.parametrize(
    ("subscripts", "shapes", "error", "message"),
    [
        ("ii->i", [(2, 2)], OptionError, "'ii' in 'ii->i' names an axis twice; take the diagonal by indexing first"),
        ("ij->ii", [(2, 2)], OptionError, "'ii' in 'ij->ii' names an axis twice"),
        ("ij->k", [(2, 2)], OptionError, "the result of 'ij->k' names 'k', which no operand has"),
        ("ij,jk", [(2, 2)], OptionError, "'ij,jk' names 2 operands but there are 1"),
        ("i1", [(2, 2)], OptionError, "'1' in 'i1' is no letter"),
        ("i..j", [(2, 2)], OptionError, "'.' in 'i..j' is no letter"),
        ("ij,jk", [(2, 3), (2, 3)], ShapeError, "'j' of 'ij,jk' is 3 and 2 in (2, 3), (2, 3)"),
        ("...i,...i", [(2, 3), (4, 3)], ShapeError, "axis -1 under \"...\" of '...i,...i' is 2 and 4"),
        ("ij", [(2, 3, 4)], ShapeError, "'ij' in 'ij' names 2 axes but operand 0 is (2, 3, 4)"),
        ("ijk...", [(2, 3)], ShapeError, "'ijk...' in 'ijk...' names 3 axes but operand 0 is (2, 3)"),
    ],
)
def test_refused(backend, subscripts, shapes, error, message):
    with pytest.raises(error, match="^einsum: .*" + re.escape(message)):
        F.einsum(subscripts, *drawn(shapes))


def test_operands_are_arrays(backend):
    with pytest.raises(OptionError, match="einsum: subscripts come first and are a string"):
        F.einsum(np.ones(3))
    with pytest.raises(DtypeError, match="einsum: operand 0 must be an array or a tensor, not int"):
        F.einsum("", 1)
