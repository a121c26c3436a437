"""Overlap, Otsu, connected parts and overlays, each against an oracle that counts or searches pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage

import minidil as md
import minidil.functional as F
from minidil import data, nn, optim, train
from minidil.errors import DataError, ShapeError
from minidil.tasks import segmentation
from minidil.tasks.segmentation import Matches, Overlap, components, otsu_mask, otsu_threshold, overlaid
from minidil.tasks.segmentation.metric import mean
from minidil.testing import check_gradients

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


def drawn(seed: int, shape: tuple[int, ...], classes: int) -> np.ndarray:
    """Masks in which classes are often missing."""
    rng = np.random.default_rng(seed)
    kept = rng.random(classes) < 0.6
    return rng.integers(0, classes, shape) * kept[rng.integers(0, classes, (shape[0], 1, 1))]


class TestOverlap:
    @given(SHAPES, st.integers(2, 4), st.integers(0, 999))
    def test_figures_are_those_of_sets_of_pixels(self, shape: tuple[int, ...], classes: int, seed: int) -> None:
        said, true = drawn(seed, shape, classes), drawn(seed + 1, shape, classes)
        found = Overlap.of(said, true, classes)
        undefined, pooled = 0, np.full(classes - 1, np.nan)
        for c in range(1, classes):
            everywhere = [set(map(tuple, np.argwhere(each == c))) for each in (said, true)]
            if set.union(*everywhere):
                pooled[c - 1] = len(set.intersection(*everywhere)) / len(set.union(*everywhere))
            for n in range(shape[0]):
                p, t = ({place for place in each if place[0] == n} for each in everywhere)
                if not p | t:
                    undefined += 1
                    assert np.isnan(found.iou()[n, c - 1])
                    assert np.isnan(found.dice()[n, c - 1])
                else:
                    assert_allclose(found.iou()[n, c - 1], len(p & t) / len(p | t))
                    assert_allclose(found.dice()[n, c - 1], 2 * len(p & t) / (len(p) + len(t)))
        assert found.undefined == undefined
        assert_array_equal(found.pooled_iou(), pooled)

    def test_empty_answers_and_empty_truths(self) -> None:
        """Nothing said: 0. Said where nothing is: 0. Neither: not defined, and in no mean."""
        full, empty = np.ones((2, 2), int), np.zeros((2, 2), int)
        found = Overlap.of(np.stack([empty, full, empty, full]), np.stack([full, empty, empty, full]), 2)
        assert_array_equal(found.iou()[:, 0], [0, 0, np.nan, 1])
        assert_array_equal(found.dice()[:, 0], [0, 0, np.nan, 1])
        assert found.undefined == 1
        assert_allclose(mean(found.iou()), 1 / 3)
        assert_allclose(found.pooled_iou(), [1 / 3])
        assert np.isnan(mean(found[[2]].iou()))
        assert np.isnan(found[[2]].pooled_iou()).all()

    @given(SHAPES, st.integers(2, 4), st.integers(0, 99))
    def test_metrics_for_fit_are_the_defined_figures(self, shape: tuple[int, ...], classes: int, seed: int) -> None:
        said, true = drawn(seed, shape, classes), drawn(seed + 1, shape, classes)
        logits = np.eye(classes)[said].transpose(0, 3, 1, 2)
        found = Overlap.of(said, true, classes)
        for metric, figures in ((segmentation.iou, found.iou()), (segmentation.dice, found.dice())):
            assert_array_equal(metric(logits, true), figures[~np.isnan(figures)])

    def test_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"Overlap: masks \(1, 2\) and \(1, 3\) must have one shape"):
            Overlap.of(np.zeros((1, 2), int), np.zeros((1, 3), int), 2)
        with pytest.raises(DataError, match=r"Overlap: true holds 0\.\.255 but the 2 classes are 0\.\.1"):
            Overlap.of(np.zeros((1, 2), int), np.array([[0, 255]]), 2)


def test_an_epoch_counts_each_defined_figure_once() -> None:
    """Over batches of unequal size, with images that have no figure: the mean is that of all at once."""

    class Copy(nn.Module):
        def forward(self, x: md.Tensor) -> md.Tensor:
            return F.concatenate([1 - x, x], axis=1)

    said, true = drawn(3, (7, 4, 4), 2), drawn(4, (7, 4, 4), 2)
    said[2] = true[2] = 0
    dataset = data.MaskedDataset("copied", said[:, None].astype(np.float32), true.astype(np.uint8), ("ground", "thing"))
    metrics = {"iou": segmentation.iou, "dice": segmentation.dice}
    with md.use("numpy"):
        result = train.evaluate(Copy(), data.DataLoader(dataset, 3), loss=F.cross_entropy, metrics=metrics)
    found = Overlap.of(said, true, 2)
    assert found.undefined == 1
    assert_allclose([result.iou, result.dice], [mean(found.iou()), mean(found.dice())])  # type: ignore[attr-defined]


def test_the_loss_is_the_sum_of_both() -> None:
    logits, target = np.random.default_rng(0).standard_normal((2, 3, 4, 5)), drawn(1, (2, 4, 5), 3)
    loss = segmentation.cross_entropy_and_dice
    with md.use("numpy"):
        both = F.cross_entropy(logits, target).item() + F.dice_loss(logits, target).item()
        assert_allclose(loss(md.tensor(logits), target).item(), both)
        check_gradients(lambda x: loss(x, target), logits, directions=2)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), st.integers(0, 999))
def test_components_are_those_that_a_flood_finds(height: int, width: int, share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    found, (expected, _) = components(mask), ndimage.label(mask)
    assert_array_equal(found, expected)


def test_components_of_a_spiral_and_of_a_comb_join_late() -> None:
    comb = np.zeros((6, 9), int)
    comb[:, ::2] = 7
    assert components(comb).max() == 5
    comb[5] = 1
    assert components(comb).max() == 1
    with pytest.raises(ShapeError, match=r"components: the mask of one image is \(H, W\), not \(1, 2, 2\)"):
        components(np.ones((1, 2, 2)))


class TestMatches:
    @given(st.integers(0, 3), st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(0, 999))
    def test_counts_are_those_of_sets_of_pixels(self, n: int, height: int, width: int, objects: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        said, true = (rng.integers(0, objects + 1, (n, height, width)) * 3 for _ in range(2))
        true = np.where(rng.random(true.shape) < 0.7, said, true)
        found = Matches.of(said, true)
        for image in range(n):
            objects_of = [
                [set(map(tuple, np.argwhere(each[image] == number))) for number in np.unique(each[image]) if number]
                for each in (said, true)
            ]
            matched = sum(2 * len(p & t) > len(p | t) for p in objects_of[0] for t in objects_of[1])
            counts = (found.matched[image], found.said[image], found.true[image])
            assert counts == (matched, *map(len, objects_of))

    def test_ap50_is_of_all_objects_together(self) -> None:
        """One object found and one missed; two said where none is; one said that is half of what there is."""
        true, said = np.zeros((3, 4, 6), int), np.zeros((3, 4, 6), int)
        true[0, 0, :3], true[0, 3, :3], true[2, :2, :4] = 5, 9, 1
        said[0, 0, :3] = 7
        said[1, 0, 0], said[1, 2, 2] = 1, 2
        said[2, :2, :2] = 1  # IoU 4/8: not more than a half
        found = Matches.of(said, true)
        assert [found.matched.tolist(), found.said.tolist(), found.true.tolist()] == [[1, 0, 0], [1, 2, 1], [2, 0, 1]]
        assert found.ap50() == 1 / (4 + 3 - 1)
        assert found[:1].ap50() == 1 / 2
        assert np.isnan(Matches.of(said[:1] * 0, true[:1] * 0).ap50())
        assert Matches.of(said[:0], true[:0]).said.shape == (0,)

    def test_what_touches_in_a_mask_is_one_object(self) -> None:
        true = np.zeros((1, 2, 6), np.uint8)
        true[0, :, :3], true[0, :, 3:] = 1, 2
        assert Matches.of(true, true).ap50() == 1
        touching = Matches.of_masks(true > 0, true)
        assert (touching.matched.tolist(), touching.said.tolist(), touching.true.tolist()) == ([0], [1], [2])
        true[0, :, 3] = 0
        assert Matches.of_masks(true > 0, true).ap50() == 1

    def test_refused(self) -> None:
        for shapes in (((1, 2, 3), (1, 3, 2)), ((2, 3), (2, 3))):
            with pytest.raises(ShapeError, match=r"Matches: numbered objects .* must have one shape \(N, H, W\)"):
                Matches.of(*(np.zeros(shape, int) for shape in shapes))


@given(st.integers(0, 99), st.integers(2, 40))
def test_otsus_threshold_makes_the_variance_between_the_groups_largest(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, n), rng.normal(6, 2, n)])
    edges = np.histogram_bin_edges(values, 256)
    middles = ((edges[:-1] + edges[1:]) / 2)[np.clip(np.digitize(values, edges) - 1, 0, 255)]

    def between(threshold: float) -> float:
        low, high = middles[middles <= threshold], middles[middles > threshold]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(low) and len(high) else 0.0

    assert_allclose(between(otsu_threshold(values)), max(map(between, middles)), rtol=1e-9)


def test_otsu_finds_what_is_bright_on_dark_and_dark_on_bright_and_nothing_on_nothing() -> None:
    disc = np.hypot(*np.mgrid[-20:21, -20:21]) < 9
    picture = np.where(disc, 90, 20).astype(np.uint8)
    for image in (picture[None], 255 - picture[None], np.stack([picture] * 3)):
        assert Overlap.of(otsu_mask(image)[None], disc[None].astype(int), 2).iou()[0, 0] > 0.95
    assert not otsu_mask(np.full((1, 5, 5), 30, np.uint8)).any()


def test_an_overlay_tints_and_outlines() -> None:
    image, mask = np.full((1, 5, 5), 90, np.uint8), np.zeros((5, 5), int)
    mask[1:4, 1:4] = 1
    mask[0, 4] = 8  # the colours begin again
    drawn_over = overlaid(image, mask)
    assert (drawn_over.shape, drawn_over.dtype) == ((3, 5, 5), np.dtype(np.uint8))
    orange = np.array([230, 159, 0])
    assert_array_equal(drawn_over[:, 2, 2], (2 * 90 + orange) // 3)
    for place in ((1, 1), (2, 3), (0, 4)):
        assert_array_equal(drawn_over[:, *place], orange)
    assert_array_equal(drawn_over[:, 4], np.full((3, 5), 90))
    assert_array_equal(overlaid(np.repeat(image, 3, axis=0), mask), drawn_over)
    with pytest.raises(ShapeError, match=r"overlaid: .* not \(1, 5, 5\) and \(5, 4\)"):
        overlaid(image, mask[:, :4])


@pytest.mark.slow
def test_a_small_network_beats_otsu_where_brightness_alone_does_not_tell() -> None:
    """Discs with a rim, brighter squares between them: Otsu takes both, and a network learns which is which."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:24, :24]
    images, masks = np.zeros((60, 1, 24, 24), np.uint8), np.zeros((60, 24, 24), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        r, c, r2, c2 = rng.integers(5, 19, 4)
        image[0] = rng.integers(10, 40, (24, 24))
        image[0][(abs(row - r2) < 4) & (abs(column - c2) < 4)] = 200
        mask[np.hypot(row - r, column - c) < 5] = 1
        image[0][mask == 1] = 150
    dataset = data.MaskedDataset("discs", images, masks, ("ground", "disc"))
    learn, unseen = dataset[:48], dataset[48:]
    md.seed(0)
    model = md.models.unet(in_channels=1, widths=(6, 8), dilations=(1, 2))
    moves = [data.transforms.Standardize(), data.transforms.Turn(), data.transforms.Flip()]
    loader = data.DataLoader(learn, 8, shuffle=True, transforms=moves)
    optimizer = optim.AdamW(list(model.parameters()), 1e-2)
    metrics = {"iou": segmentation.iou}
    measuring = data.DataLoader(unseen, 12, transforms=moves[:1])
    options = {"loss": segmentation.cross_entropy_and_dice, "metrics": metrics}
    history = train.fit(
        model,
        loader,
        measuring,
        optimizer,
        None,
        10,
        progress=False,
        best="max iou",
        **options,  # type: ignore[arg-type]
    )
    otsu = mean(Overlap.of(np.stack([otsu_mask(image) for image in unseen.images]), unseen.masks, 2).iou())
    assert otsu < 0.7
    assert history.best["val_iou"] > 0.85
