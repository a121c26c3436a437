"""C3D, and how far back its answer sees."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minidil as md
from minidil.analysis import receptive_field
from minidil.errors import OptionError, ShapeError
from minidil.models import c3d
from minidil.testing import check_gradients


@pytest.mark.parametrize(("dilations", "reach"), [((1, 2, 4, 8), 31), ((1, 1, 1, 1), 9), ((2, 1, 1, 1), 11)])
def test_the_answer_reaches_back_by_its_dilations(dilations: tuple[int, ...], reach: int) -> None:
    model = c3d(widths=(2, 2, 2, 2), dilations=dilations)
    with md.use("numpy"):
        field = receptive_field(model, (1, 12, 8, 8))
    assert field.size[0] == reach == 1 + 2 * sum(dilations)
    seen = np.flatnonzero(field.reached.any(axis=(1, 2)))
    assert seen.tolist() == list(range(max(12 - reach, 0), 12))


def test_frames_before_its_reach_change_nothing_and_the_first_within_does() -> None:
    model = c3d(widths=(3, 3), dilations=(1, 2), in_channels=2, num_classes=5).eval()
    clip = np.random.default_rng(0).random((1, 2, 10, 4, 4), dtype=np.float32)
    with md.use("numpy"), md.no_grad():
        said = model(md.tensor(clip)).numpy()
        clip[:, :, :3] = 9  # 10 - (1 + 2 * 3)
        assert np.array_equal(model(md.tensor(clip)).numpy(), said)
        clip[:, :, 3] = 9
        assert np.any(model(md.tensor(clip)).numpy() != said)
    assert said.shape == (1, 5)


def test_a_clip_that_is_shifted_and_grows_gets_the_answers_in_turn() -> None:
    """Causal: what is said of the first t frames does not depend on what comes later."""
    model = c3d(widths=(2, 2), dilations=(1, 1)).eval()
    clip = np.random.default_rng(0).random((1, 1, 9, 4, 4), dtype=np.float32)
    with md.use("numpy"), md.no_grad():
        maps = model.features(md.tensor(clip))
        for t in (4, 6):
            assert_allclose(model.features(md.tensor(clip[:, :, :t])).numpy(), maps.numpy()[:, :, :t], atol=1e-6)
        # and the same five frames, if they are all that it can see, get the same answer wherever they stand
        assert_allclose(model(md.tensor(clip[:, :, 2:7])).numpy(), model(md.tensor(clip[:, :, :7])).numpy(), atol=1e-6)


def test_sizes_and_gradients() -> None:
    models = [c3d(), c3d(dilations=(1, 1, 1, 1))]
    assert [sum(each.size for each in model.parameters()) for model in models] == [69_842, 69_842]
    small = c3d(widths=(2, 2), dilations=(1, 2), rng=np.random.default_rng(0)).astype(np.float64).eval()
    with md.use("numpy"):
        check_gradients(lambda x: small(x), np.random.default_rng(0).standard_normal((1, 1, 4, 4, 4)), directions=2)


def test_settings_and_shapes_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="c3d: every layer needs a width and a dilation, but there are 2 widths"):
        c3d(widths=(2, 2), dilations=(1,))
    with pytest.raises(OptionError, match=r"c3d: dilations\[1\] must be an int >= 1, not 0"):
        c3d(widths=(2, 2), dilations=(1, 0))
    with pytest.raises(ShapeError, match="C3D: x must be"):
        c3d()(md.tensor(np.zeros((1, 1, 8, 8), np.float32)))
