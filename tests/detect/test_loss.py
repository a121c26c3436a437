"""What is drawn of a picture, and what a stage pays for it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil.detect import Truth, anchors, box_iou, encode
from minidil.detect.loss import Draw, Drawn, StageLoss
from minidil.errors import ShapeError
from minidil.testing import check_gradients

AROUND = anchors(8, 4, (8,))
DRAW = Draw(20, 0.25, high=0.5, low=0.3, keep_best=True, weights=(10, 10, 5, 5))
TRUTH = Truth([[2, 2, 9, 11], [20, 20, 27, 28], [0, 24, 8, 32]], [1, 0, 3])


def rng():
    return np.random.default_rng(0)


def test_objects_come_first_with_their_class_and_code():
    drawn = DRAW(AROUND, TRUTH, rng())
    objects = len(drawn.codes)
    assert len(drawn.chosen) == len(set(drawn.chosen)) == 20
    assert 1 <= objects <= 5
    assert (drawn.classes[:objects] > 0).all()
    assert (drawn.classes[objects:] == 0).all()
    iou = box_iou(AROUND, TRUTH.boxes)
    best = iou[drawn.chosen[:objects]].argmax(axis=1)
    assert_array_equal(drawn.classes[:objects], TRUTH.labels[best] + 1)
    assert_allclose(drawn.codes, encode(TRUTH.boxes[best], AROUND[drawn.chosen[:objects]], DRAW.weights))
    assert (iou[drawn.chosen[objects:]] < 0.3).all()


def test_a_seed_draws_the_same():
    assert_array_equal(DRAW(AROUND, TRUTH, rng()).chosen, DRAW(AROUND, TRUTH, rng()).chosen)


def test_without_objects_all_is_background():
    drawn = DRAW(AROUND, Truth([]), rng())
    assert_array_equal(drawn.classes, np.zeros(20))
    assert drawn.codes.shape == (0, 4)


@pytest.mark.parametrize("flag", ["crowd", "ignore"])
def test_what_is_not_to_be_found_is_no_background_either(flag):
    """A crowd over the right half: anchors in it are neither; an ignored box takes those that overlap it as an object's would."""
    truth = Truth([[16, 0, 32, 32], [2, 2, 9, 11]], **{flag: [True, False]})
    everything = Draw(200, 0.5, high=0.5, low=0.3, keep_best=False, weights=(1, 1, 1, 1))
    drawn = everything(AROUND, truth, rng())
    aside = box_iou(AROUND, [[16, 0, 32, 32]], [flag == "crowd"])[:, 0] >= 0.3
    assert aside.sum() == (32 if flag == "crowd" else 0)
    assert not aside[drawn.chosen].any()
    assert set(drawn.classes) == {0, 1}


def drawn_of(classes, codes):
    return Drawn(np.arange(len(classes)), np.array(classes, np.int64), np.reshape(codes, (-1, 4)).astype(float))


def test_the_loss_is_the_formula_and_its_gradients_are_right(backend):
    numbers = np.random.default_rng(3)
    logits, codes = numbers.standard_normal((5, 3)), numbers.standard_normal((5, 4))
    drawn = [drawn_of([2, 0], [[0.1, -0.2, 0.3, 5]]), drawn_of([1, 0, 0], [[codes[2, 0] + 0.05, 0, 0, -1]])]
    loss = StageLoss()
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = np.abs(codes[[0, 2]] - np.concatenate([picture.codes for picture in drawn]))
    smooth = np.where(error < 1 / 9, 4.5 * error**2, error - 1 / 18)
    expected = (-np.log(chances[np.arange(5), [2, 0, 1, 0, 0]]).sum() + smooth.sum()) / 5
    assert_allclose(loss(md.tensor(logits), md.tensor(codes), drawn).item(), expected)
    check_gradients(lambda logits, codes: loss(logits, codes, drawn), logits, codes, entries=True)


def test_nothing_drawn_costs_nothing(backend):
    logits = md.tensor(np.zeros((0, 2), np.float32), requires_grad=True)
    loss = StageLoss()(logits, md.tensor(np.zeros((0, 4), np.float32)), [drawn_of([], [])])
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.shape == (0, 2)


def test_more_rows_than_were_drawn_are_refused():
    with pytest.raises(ShapeError, match=r"StageLoss: 1 boxes were drawn, but logits are \(2, 2\) and codes \(1, 4\)"):
        StageLoss()(md.tensor(np.zeros((2, 2))), md.tensor(np.zeros((1, 4))), [drawn_of([0], [])])
