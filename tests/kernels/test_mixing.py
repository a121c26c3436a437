"""A `Mixing` is a sparse matrix by rows: held against the dense matrix that its entries make."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minidil.kernels import reference
from minidil.kernels.mixing import Mixing


def dense(mixing):
    matrix = np.zeros((mixing.outputs, mixing.inputs))
    for o in range(mixing.outputs):
        for k in range(mixing.starts[o], mixing.starts[o + 1]):
            matrix[o, mixing.index[k]] += mixing.weight[k]
    return matrix


@st.composite
def mixings(draw):
    """Rows without an entry, with one and with several, the same input twice among them; inputs that nobody takes."""
    counts = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6))
    inputs, total = draw(st.integers(1, 5)), sum(counts)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Mixing(starts, rng.integers(0, inputs, total), rng.standard_normal(total), inputs)


@given(mixings())
def test_the_adjoint_is_the_transposed_matrix(mixing):
    assert (mixing.adjoint.inputs, mixing.adjoint.outputs) == (mixing.outputs, mixing.inputs)
    assert_allclose(dense(mixing.adjoint), dense(mixing).T)
    assert_array_equal(dense(mixing.adjoint.adjoint), dense(mixing))
    assert mixing.adjoint is mixing.adjoint  # found once


@given(mixings(), mixings())
def test_resampling_is_a_product_along_each_axis(first, second):
    x = np.random.default_rng(0).standard_normal((2, 3, first.inputs, second.inputs))
    wanted = np.einsum("oh,pw,nchw->ncop", dense(first), dense(second), x)
    assert_allclose(reference.resample(x, [first, second]), wanted, atol=1e-12)
