"""Faster R-CNN in small: where its map's cells lie, what trains, and whether it can learn one picture by heart."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minidil as md
from minidil.analysis import receptive_field
from minidil.detect import Truth, average_precision, f1, faster_rcnn
from minidil.errors import OptionError, ShapeError

BOXES = np.array([[5, 6, 13, 15], [30, 8, 46, 22], [20, 32, 31, 42], [0, 38, 8, 46]])


def picture(boxes=BOXES, size=48):
    """Light boxes on dark noise."""
    x = 0.1 * np.random.default_rng(0).standard_normal((1, 1, size, size)).astype(np.float32)
    for x1, y1, x2, y2 in boxes:
        x[0, 0, y1:y2, x1:x2] += 1
    return x


def small(**options):
    return faster_rcnn(**{"widths": (4, 6, 8), "hidden": 16, "rng": np.random.default_rng(1), **options})


def test_its_size():
    assert sum(p.size for p in faster_rcnn().parameters()) == 415_566


def test_a_cell_of_the_map_sees_the_picture_around_the_middle_of_its_anchors():
    """Cell 0 stands for the pixels 0..4, and sees as far to the left of 2 as to the right; dilation leaves no holes."""
    field = receptive_field(faster_rcnn().backbone, (1, 64, 64))
    for axis in field.axes:
        assert axis.jump == 4
        assert axis.start + axis.size / 2 == 2
        assert not axis.holes


def test_guesses_come_in_the_order_of_the_anchors():
    """A first stage that sees one cell alone: a light in cell (i, j) changes what is said of that cell's anchors, no others."""
    model = small(dilations=(), sizes=(4, 8, 16)).eval()
    middle = np.zeros((3, 3), np.float32)
    middle[1, 1] = 1
    for convolution in (model.backbone[0], model.backbone[4], model.backbone[8], model.rpn[0]):
        convolution.weight.data = convolution.weight.numpy() * middle
    pictures = np.zeros((2, 1, 20, 12), np.float32)
    pictures[1, 0, 4 * 3 : 4 * 4, 4 * 1 : 4 * 2] = 5
    dark, light = model.proposals(model(pictures), before=60, after=60, overlap=1)
    assert len(dark.boxes) == len(light.boxes) == 3 * 5 * 3
    dark, light = model._parts(model(pictures))[1].numpy()
    changed = (dark != light).any(axis=1)
    assert_array_equal(np.flatnonzero(changed), 3 * (3 * 3 + 1) + np.arange(3))


def test_all_parameters_are_trained_and_a_seed_gives_the_same_loss(backend):
    model = small(num_classes=3)
    truth = [Truth(BOXES, [0, 1, 2, 0]), Truth([])]
    x = np.concatenate([picture(), picture([])])
    outputs = model(x)
    loss = model.loss(outputs, truth, rng=np.random.default_rng(0))
    loss.backward()
    assert all(np.abs(p.grad.numpy()).sum() > 0 for name, p in model.named_parameters())
    assert model.loss(outputs, truth, rng=np.random.default_rng(0)).item() == loss.item()


def test_pictures_of_any_size_with_and_without_anything_in_them(backend):
    model = small(in_channels=3)
    x = np.zeros((2, 3, 27, 41), np.float32)
    outputs = model(x)
    assert outputs.shape == (2, 8 + 6 * 4, 6, 10)
    model.loss(outputs, [Truth([]), Truth([[0, 0, 41, 27]], crowd=[True])]).backward()
    model.train()
    found = model.detect(x, score=0)
    assert model.training
    assert len(found) == 2
    assert model.detect(x[:0]) == []
    for one in found:
        assert 0 < len(one.boxes) <= 200
        assert (one.boxes >= 0).all()
        assert (one.boxes <= [41, 27, 41, 27]).all()
        assert (np.diff(one.scores) <= 0).all()


@pytest.mark.slow
def test_it_learns_a_picture_by_heart():
    model, rng = faster_rcnn(rng=np.random.default_rng(1)), np.random.default_rng(0)
    optimizer = md.optim.Adam(model.parameters(), lr=2e-3)
    x, truth = picture(), [Truth(BOXES)]
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss(model(x), truth, rng=rng)
        loss.backward()
        optimizer.step()
    found = model.detect(x)
    result = average_precision(found, truth)
    assert result.at(0.5) == 1
    assert result.ap > 0.6
    assert found[0].scores[3] > 0.5
    assert (found[0].scores[4:] < found[0].scores[3]).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda m: m.loss(m(picture()), []),
            ShapeError,
            r"loss: outputs \(1, 32, 12, 12\) are of 1 pictures, and the truth of 0",
        ),
        (
            lambda m: m.loss(m(picture()), [Truth(BOXES, [0, 1, 0, 0])]),
            OptionError,
            r"truth\[0\] has labels 0..1, .* knows 0..0",
        ),
        (
            lambda m: m.loss(m(picture()), [Truth([[1, 1, 1, 5]])]),
            OptionError,
            r"truth\[0\].boxes\[0\] = .* has no area",
        ),
        (lambda m: m(picture()[0]), ShapeError, r"FasterRCNN: x must be \(N, C, H, W\)"),
        (
            lambda m: m.detect(picture([], 9)[:, :, :3]),
            ShapeError,
            r"x \(1, 1, 3, 9\) has 3x9 pixels, .* map stands for 4x4",
        ),
        (lambda m: faster_rcnn(widths=(4, 8)), OptionError, r"three convolutions, and widths has 2 numbers: \(4, 8\)"),
        (lambda m: faster_rcnn(0), OptionError, "FasterRCNN: num_classes must be an int >= 1, not 0"),
        (lambda m: faster_rcnn(sizes=()), OptionError, "anchors: sizes must be numbers > 0"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(small())


def test_a_network_that_has_diverged_has_no_loss():
    model = small()
    model.rpn[2].weight.data = np.full(model.rpn[2].weight.shape, np.nan, np.float32)
    assert np.isnan(model.loss(model(picture()), [Truth(BOXES)]).item())
    with pytest.raises(OptionError, match=r"decode: deltas\[0\] = \(nan, nan, nan, nan\) is not finite"):
        model.detect(picture())


def test_draws_are_new_in_training_and_the_same_when_measured():
    model, truth = small(), [Truth(BOXES)]
    md.seed(0)
    outputs = model(picture())
    first, second = (model.loss(outputs, truth).item() for _ in range(2))
    md.seed(0)
    assert first != second
    assert model.loss(outputs, truth).item() == first
    model.eval()
    assert model.loss(outputs, truth).item() == model.loss(outputs, truth).item()


def test_the_metric_of_training_is_that_of_what_is_found():
    model, truth = small().eval(), [Truth(BOXES), Truth([]), Truth(BOXES[:1])]
    outputs = model(np.concatenate([picture(), picture([]), picture(BOXES[:1])]))
    found = model.found(outputs)
    wanted = f1(found, truth)
    assert_array_equal(model.f1(outputs.numpy(), truth), wanted[~np.isnan(wanted)])
    model.train()
    assert model.f1(outputs.numpy(), truth).size == 0


@pytest.mark.parametrize("count", [0, 120])
def test_pictures_with_nothing_and_with_very_many_objects(count):
    """More than are drawn of a picture, at the border too; and none, of which only background is to be learnt."""
    rows, columns = np.divmod(np.arange(count), 12)
    boxes = np.stack([4 * columns, 4 * rows, 4 * columns + 4, 4 * rows + 4], axis=1)
    model, truth = small(), [Truth(boxes)]
    x = picture(boxes[::2])
    loss = model.loss(model(x), truth)
    loss.backward()
    assert np.isfinite(loss.item())
    assert all(np.isfinite(p.grad.numpy()).all() for p in model.parameters())
    found = model.detect(x, score=0, overlap=1, max_detections=150)
    assert len(found[0].boxes) == 150
    result = average_precision(found, truth)
    assert np.isnan(result.ap) if count == 0 else 0 <= result.ap <= 1
