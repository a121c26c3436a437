"""RoIAlign against a loop over bins and samples, against what it must be on maps that are linear, and against resizing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
import minidil.functional as F
from minidil.errors import DtypeError, OptionError, ShapeError
from minidil.testing import check_adjoint


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def cell(plane, h, w):
    """A map between its cells, whose middles are whole numbers here; 0 beyond one cell around them."""
    height, width = plane.shape
    if not (-1 <= h <= height and -1 <= w <= width):
        return 0.0
    h, w = min(max(h, 0), height - 1), min(max(w, 0), width - 1)
    total = 0.0
    for i in {math.floor(h), math.ceil(h)}:
        for j in {math.floor(w), math.ceil(w)}:
            total += (1 - abs(h - i)) * (1 - abs(w - j)) * plane[i, j]
    return total


def loops(x, boxes, size, scale=1.0, samples=2, aligned=True):
    out = []
    for image, rows in zip(x, boxes, strict=True):
        for x1, y1, x2, y2 in np.reshape(rows, (-1, 4)) * scale:
            w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
            half = 0.5 if aligned else 0
            result = np.zeros((len(image), *size))
            for c, i, j in np.ndindex(*result.shape):
                for p, q in np.ndindex(samples, samples):
                    result[c, i, j] += (
                        cell(
                            image[c],
                            y1 + (i + (p + 0.5) / samples) * h / size[0] - half,
                            x1 + (j + (q + 0.5) / samples) * w / size[1] - half,
                        )
                        / samples**2
                    )
            out.append(result)
    return np.array(out).reshape(-1, x.shape[1], *size)


@st.composite
def several(draw, reach=8):
    """Boxes for two images, some outside the map, on its border, or without area."""
    side = st.floats(-3, reach, width=16)
    box = st.tuples(side, side, side, side).map(lambda s: (min(s[::2]), min(s[1::2]), max(s[::2]), max(s[1::2])))
    return [draw(st.lists(box, max_size=2)) for _ in range(2)]


@given(several(), st.sampled_from([(1, 1), (2, 3)]), st.sampled_from([1.0, 0.25]), st.integers(1, 3), st.booleans())
def test_it_is_the_loop_over_samples_and_its_gradient_the_adjoint(backend, boxes, size, scale, samples, aligned):
    x = drawn(2, 2, 4, 5)
    options = {"boxes": boxes, "output_size": size, "spatial_scale": scale, "sampling_ratio": samples}
    y = F.roi_align(x, aligned=aligned, **options)
    assert_allclose(y.numpy(), loops(x, boxes, size, scale, samples, aligned), atol=1e-13)
    check_adjoint(lambda x: F.roi_align(x, aligned=aligned, **options), x)


@given(st.floats(2, 20), st.floats(2, 20), st.floats(1, 9), st.floats(1, 9), st.sampled_from([1, 2, 3]))
def test_on_a_linear_map_a_bin_is_the_value_at_its_middle(x1, y1, width, height, samples):
    """Cell i of a map of stride 4 stands for the pixels 4 i..4 i + 4, so its middle is 4 i + 2."""
    row, column = 4 * np.arange(9) + 2, 4 * np.arange(8) + 2
    x = (3 * row[:, None] - 2 * column + 1.0)[None, None]
    box = [[x1, y1, x1 + width, y1 + height]]
    y = F.roi_align(x, boxes=[box], output_size=(5, 3), spatial_scale=1 / 4, sampling_ratio=samples).numpy()[0, 0]
    middle_row = y1 + (np.arange(5) + 0.5) * height / 5
    middle_column = x1 + (np.arange(3) + 0.5) * width / 3
    assert_allclose(y, 3 * middle_row[:, None] - 2 * middle_column + 1, rtol=1e-12)


def test_unaligned_it_reads_half_a_cell_too_far_on(backend):
    """On a map of stride 4 whose cells say where they stand, that is half of 4 pixels, along both axes."""
    places = 4 * np.arange(10) + 2.0
    x = np.stack(np.meshgrid(places, places, indexing="ij"))[None]
    box, options = [[[8, 12, 24, 28]]], {"output_size": 4, "spatial_scale": 0.25}
    right = F.roi_align(x, boxes=box, **options).numpy()[0]
    assert_array_equal(right[0, :, 0], [14, 18, 22, 26])
    assert_array_equal(right[1, 0], [10, 14, 18, 22])
    assert_array_equal(F.roi_align(x, boxes=box, aligned=False, **options).numpy()[0], right + 2)


@pytest.mark.parametrize("size", [(4, 6), (9, 5), (2, 3)])
def test_over_the_whole_map_with_one_sample_it_is_bilinear_resizing(backend, size):
    x = drawn(2, 3, 4, 6)
    y = F.roi_align(x, boxes=[[[0, 0, 6, 4]]] * 2, output_size=size, sampling_ratio=1)
    assert_allclose(y.numpy(), F.interpolate(x, size=size, mode="bilinear").numpy(), atol=1e-14)


def test_boxes_of_cells_are_cut_out(backend):
    x = drawn(1, 2, 6, 7)
    y = F.roi_align(x, boxes=[[[2, 1, 5, 5]]], output_size=(4, 3), sampling_ratio=1)
    assert_allclose(y.numpy(), x[:, :, 1:5, 2:5], atol=1e-14)


def test_outside_is_zero_and_the_border_goes_on_for_one_cell(backend):
    x = np.full((1, 1, 4, 4), 5.0)
    boxes = [[-2, 0, -2, 4], [9, 9, 12, 12], [-0.5, 0, -0.5, 4], [4.5, 4.5, 4.5, 4.5], [4.51, 0, 4.51, 4]]
    y = F.roi_align(x, boxes=[boxes], output_size=1).numpy()
    assert_array_equal(y.ravel(), [0, 0, 5, 5, 0])


def test_a_box_of_no_area_is_the_map_at_a_point(backend):
    x = drawn(1, 1, 5, 5)
    y = F.roi_align(x, boxes=[[[2.5, 3.5, 2.5, 3.5]]], output_size=(2, 2)).numpy()
    assert_array_equal(y[0, 0], np.full((2, 2), x[0, 0, 3, 2]))


def test_no_boxes_and_tensors_as_boxes(backend):
    x = md.tensor(drawn(2, 3, 4, 4).astype(np.float32), requires_grad=True)
    none = F.roi_align(x, boxes=[[], np.zeros((0, 4))], output_size=(2, 5))
    none.sum().backward()
    assert none.shape == (0, 3, 2, 5)
    assert_array_equal(x.grad.numpy(), np.zeros(x.shape))
    one = F.roi_align(x, boxes=[[], md.tensor([[0, 0, 4, 4]])], output_size=2)
    one.sum().backward()
    assert one.dtype == x.grad.dtype == np.float32
    assert_allclose(one.numpy(), F.avg_pool(x, 2).numpy()[1:], rtol=1e-6)
    assert_array_equal(x.grad.numpy()[0], 0)
    assert F.roi_align(np.zeros((0, 3, 4, 4)), boxes=[], output_size=2).shape == (0, 3, 2, 2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"boxes": [[[0, 0, 1, 1]]]},
            ShapeError,
            r"boxes must be a list .* each of the 2 images of x .*, not 1 entries",
        ),
        ({"boxes": np.zeros((2, 4))}, ShapeError, "boxes must be a list .*, not ndarray"),
        ({"boxes": [[], [[0, 0, 1]]]}, ShapeError, r"boxes\[1\] must be \(N, 4\), not \(1, 3\)"),
        ({"boxes": [[], [[0, 0, 2, 2], [3, 0, 1, 2]]]}, OptionError, r"boxes\[1\]\[1\] = \(3, 0, 1, 2\) is inverted"),
        ({"boxes": [[[0, np.nan, 2, 2]], []]}, OptionError, r"boxes\[0\]\[0\] = \(0, nan, 2, 2\) is not finite"),
        ({"boxes": [[["a"] * 4], []]}, DtypeError, r"boxes\[0\] must hold numbers, not <U1"),
        ({"spatial_scale": 0}, OptionError, "spatial_scale must be a number > 0, such as 1 / stride, not 0"),
        ({"spatial_scale": np.nan}, OptionError, "spatial_scale must be a number > 0, such as 1 / stride, not nan"),
        ({"sampling_ratio": -1}, OptionError, "sampling_ratio must be made of ints >= 1, not -1"),
        ({"output_size": 0}, OptionError, "output_size must be made of ints >= 1, not 0"),
    ],
)
def test_refused(backend, options, error, message):
    with pytest.raises(error, match="^roi_align: " + message):
        F.roi_align(drawn(2, 1, 4, 4), **{"boxes": [[], []], "output_size": 2, **options})


def test_a_map_without_cells_or_of_whole_numbers_is_refused(backend):
    for shape in [(1, 4, 4), (1, 1, 0, 4)]:
        with pytest.raises(ShapeError, match=r"roi_align: x must be \(N, C, H, W\) with H, W >= 1, not"):
            F.roi_align(np.zeros(shape), boxes=[[]], output_size=2)
    with pytest.raises(DtypeError, match="roi_align: x must be floating, not int64"):
        F.roi_align(np.zeros((1, 1, 4, 4), np.int64), boxes=[[]], output_size=2)
