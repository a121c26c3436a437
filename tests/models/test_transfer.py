"""Models that begin with the weights of others."""

import numpy as np
import pytest

from minidil import models, nn, tensor
from minidil.errors import CheckpointError, OptionError


def small(classes: int = 3, channels: int = 3, seed: int = 0) -> models.VGG:
    rng = np.random.default_rng(seed)
    return models.vgg_small(classes, in_channels=channels, widths=(4, 6), dilations=((1,), (2,)), rng=rng)


def test_a_head_is_replaced_by_one_with_other_outputs_and_all_else_stays() -> None:
    model = small()
    before = model.state_dict()
    assert models.replace_head(model, 7, rng=np.random.default_rng(1)) == "classifier.1"
    assert model.classifier[1].weight.shape == (7, 6)
    assert all(
        np.array_equal(before[name], value) for name, value in model.state_dict().items() if "classifier" not in name
    )
    again = small()
    models.replace_head(again, 7, rng=np.random.default_rng(1))
    assert np.array_equal(again.classifier[1].weight.data, model.classifier[1].weight.data)
    assert model(tensor(np.zeros((2, 3, 8, 8), np.float32))).shape == (2, 7)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (models.resnet_small(blocks=1), "fc"),
        (models.vgg_fast(widths=(64,), dilations=((1,),)), "classifier"),
        (
            nn.Sequential(
                nn.Conv2d(2, 3, 3, 2, padding=1, bias=False), nn.ReLU(), nn.Conv2d(3, 4, 1, dilation=2, bias=False)
            ),
            "2",
        ),
    ],
)
def test_the_head_is_the_last_layer_with_parameters_and_keeps_its_settings(model: nn.Module, name: str) -> None:
    old = dict(model.named_modules())[name]
    assert models.replace_head(model.eval(), 11) == name
    new = dict(model.named_modules())[name]
    assert new.extra_repr().replace("11", "#") == old.extra_repr().replace("10", "#").replace("3, 4,", "3, #,")
    assert not new.training


def test_a_head_has_the_number_type_of_the_old_one() -> None:
    model = nn.Sequential(nn.Linear(2, 2)).astype(np.float64)
    models.replace_head(model, 3)
    assert model[0].weight.dtype == np.float64


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), r"last layer .* is '1' \(LayerNorm\), which is no Linear"),
        (
            nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)),
            r"'0' \(Conv2d\), which is no Linear or convolution of one group",
        ),
        (nn.Linear(2, 2), r"'itself' \(Linear\)"),
        (nn.Sequential(nn.ReLU()), "has no layer with parameters"),
    ],
)
def test_what_is_no_head_is_named(model: nn.Module, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        models.replace_head(model, 3)


@pytest.mark.parametrize("classes", [0, -1, 2.0, True])
def test_classes_are_counted(classes: int) -> None:
    with pytest.raises(OptionError, match="replace_head: num_classes must be an int >= 1"):
        models.replace_head(small(), classes)


def test_weights_of_another_task_are_taken_but_for_the_head() -> None:
    trained = small(classes=5, seed=1).state_dict()
    model = small(classes=3)
    own = model.state_dict()
    assert models.start_from(model, trained) == ("classifier.1 is new, with 3 outputs in place of 5",)
    for name, value in model.state_dict().items():
        assert np.array_equal(value, (own if "classifier" in name else trained)[name])
    same = small(classes=5)
    assert models.start_from(same, trained) == ()
    assert all(np.array_equal(value, trained[name]) for name, value in same.state_dict().items())
    others = small(classes=5)
    assert models.start_from(others, trained, same_classes=False) == (
        "classifier.1 is new, with 5 outputs in place of 5",
    )
    assert not np.array_equal(others.classifier[1].weight.data, trained["classifier.1.weight"])


def test_a_grey_image_gets_what_colour_gives_to_grey() -> None:
    """Whole numbers, so that sums are exact in whatever order."""
    rng = np.random.default_rng(0)
    colour, grey = small().eval(), small(channels=1, seed=5).eval()
    state = colour.state_dict()
    state["features.0.weight"] = rng.integers(-3, 4, state["features.0.weight"].shape).astype(np.float32)
    colour.load_state_dict(state)
    notes = models.start_from(grey, state)
    assert notes == ("features.0 takes one channel: the sum of its weights for red, green and blue",)
    x = rng.integers(-3, 4, (2, 1, 8, 8)).astype(np.float32)
    first = colour.features[0](tensor(np.repeat(x, 3, axis=1)))
    assert np.array_equal(grey.features[0](tensor(x)).data, first.data)
    np.testing.assert_allclose(grey(tensor(x)).data, colour(tensor(np.repeat(x, 3, axis=1))).data, rtol=1e-5)


def test_a_count_of_batches_that_older_files_lack_stays() -> None:
    trained = {name: value for name, value in small(seed=1).state_dict().items() if "tracked" not in name}
    model = small()
    model(tensor(np.ones((2, 3, 8, 8), np.float32)))
    assert models.start_from(model, trained) == ()
    assert model.state_dict()["features.1.num_batches_tracked"] == 1
    assert np.array_equal(model.features[0].weight.data, trained["features.0.weight"])


def test_weights_of_other_shapes_name_the_layer_and_the_numbers_and_change_nothing() -> None:
    model = small()
    before = model.state_dict()
    wide = models.vgg_small(2, widths=(4, 8), dilations=((1,), (2,))).state_dict()
    with pytest.raises(
        CheckpointError, match=r"features.4.weight has shape \(8, 4, 3, 3\) but the model needs \(6, 4, 3, 3\)"
    ):
        models.start_from(model, wide)
    deep = models.vgg_small(3, widths=(4, 6), dilations=((1, 1), (2,))).state_dict()
    with pytest.raises(CheckpointError, match="unexpected"):
        models.start_from(model, deep)
    grey = small(channels=1).state_dict()  # nothing says what a grey filter makes of colours
    with pytest.raises(
        CheckpointError, match=r"features.0.weight has shape \(4, 1, 3, 3\) but the model needs \(4, 3, 3, 3\)"
    ):
        models.start_from(model, grey)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
