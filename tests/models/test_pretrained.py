"""The weights that come with minidil do what is said of them, and mistakes with them are explained."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from minidil import checkpoint, data, models, nn
from minidil.cli.tasks import task_of
from minidil.data import cache
from minidil.data.registry import source
from minidil.detect import f1, faster_rcnn
from minidil.errors import CheckpointError, OptionError
from minidil.graph import no_grad
from minidil.models import Weights, available, names, pretrained_weights, resnet_small, vgg_small
from minidil.models.pretrained import _FOLDER, from_tree
from minidil.tasks.segmentation import Overlap
from minidil.tasks.segmentation.metric import mean
from minidil.tensor import tensor

IMAGES = {"cifar10": data.cifar10, "digits": data.digits}


def accuracy(weights: Weights, model: nn.Module) -> float:
    """The share of the test images that the model names rightly."""
    images = IMAGES[weights.data]("test")
    assert images.classes == weights.classes
    model.eval()
    right = 0
    for start in range(0, len(images), 250):
        part = slice(start, start + 250)
        logits = model(tensor(weights.prepare(images.images[part]))).numpy()
        right += int((logits.argmax(axis=1) == images.labels[part]).sum())
    return right / len(images)


def test_what_there_is() -> None:
    pairs = [("faster_rcnn", "nuclei"), ("resnet_small", "digits"), ("unet", "nuclei"), ("vgg_small", "cifar10")]
    assert available() == pairs
    assert sum(path.stat().st_size for path in _FOLDER.iterdir()) <= 4_500_000


@pytest.mark.parametrize(("name", "of"), available())
def test_every_file_fits_its_model_and_is_described(name: str, of: str) -> None:
    weights = pretrained_weights(name, of)
    model = task_of(name).models[name](pretrained=of, **weights.options)
    assert (weights.model, weights.data) == (name, of)
    assert len(weights.classes) == weights.options["num_classes"]
    channels = weights.shape[0]
    assert len(weights.mean) == len(weights.std) == weights.options["in_channels"] == channels
    assert {array.dtype for array in weights.state.values() if array.ndim > 1} == {np.dtype(np.float16)}
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, weights.state[key])
        assert array.dtype != np.float16
    card = (_FOLDER / "README.md").read_text()
    (row,) = [line for line in card.splitlines() if line.startswith(f"| `{name}-{of}.npz`")]
    if "f1" in weights.figures:
        assert f"mean F1 {weights.figures['f1']:.4f}" in row
    elif weights.test_accuracy is None:
        assert f"mean IoU {weights.figures['iou']:.4f}, Dice {weights.figures['dice']:.4f}" in row
    else:
        assert f"{weights.test_accuracy:.2%}" in row
    assert f"epoch {weights.epoch} of {weights.settings['epochs']}" in row
    assert f"seed {weights.settings['seed']}" in row


def test_the_digits_are_read_as_well_as_is_said() -> None:
    weights = pretrained_weights("resnet_small", "digits")
    # one image of 360 may fall on the other side where sums are rounded in another order
    assert accuracy(weights, resnet_small(in_channels=1, pretrained="digits")) >= weights.test_accuracy - 1 / 360


@pytest.mark.long
def test_cifar10_is_named_as_well_as_is_said() -> None:
    if not all(cache.locate(source("cifar10"), file).exists() for file in source("cifar10").files):
        pytest.skip("CIFAR-10 is not on this machine, and is not fetched for a test")
    weights = pretrained_weights("vgg_small", "cifar10")
    assert abs(accuracy(weights, vgg_small(pretrained="cifar10")) - weights.test_accuracy) <= 0.001


def masks(weights: Weights, pixels: np.ndarray) -> np.ndarray:
    """The classes (N, H, W) that the shipped network gives to pixels (N, C, H, W)."""
    model = names[weights.model](pretrained=weights.data, **weights.options).eval()
    parts = [weights.prepare(pixels[start : start + 16]) for start in range(0, len(pixels), 16)]
    with no_grad():
        return np.concatenate([model(tensor(part)).numpy().argmax(axis=1) for part in parts])


def test_drawn_nuclei_are_found_bright_on_dark_and_dark_on_bright() -> None:
    weights = pretrained_weights("unet", "nuclei")
    rng, (row, column) = np.random.default_rng(0), np.mgrid[:64, :80]
    true = np.zeros((64, 80), bool)
    for r, c in ((14, 12), (20, 50), (45, 30), (50, 66)):
        true |= np.hypot(row - r, column - c) < 6
    picture = (15 + rng.integers(0, 6, (64, 80)) + true * 70).astype(np.uint8)
    pictures = np.stack([np.stack([picture] * 3), np.stack([255 - picture] * 3)])
    found = Overlap.of(masks(weights, pictures), np.stack([true, true]).astype(int), 2)
    assert found.iou().min() > 0.85


@pytest.mark.slow
def test_nuclei_are_found_as_well_as_is_said() -> None:
    if not all(cache.locate(source("nuclei"), file).exists() for file in source("nuclei").files):
        pytest.skip("the nuclei are not on this machine")
    weights, images = pretrained_weights("unet", "nuclei"), data.nuclei("test")
    assert images.classes == weights.classes
    found = Overlap.of(masks(weights, images.images), images.masks, 2)
    assert abs(mean(found.iou()) - weights.figures["iou"]) <= 0.001
    assert abs(mean(found.dice()) - weights.figures["dice"]) <= 0.001


@pytest.mark.slow
def test_nuclei_are_boxed_as_well_as_is_said() -> None:
    if not all(cache.locate(source("nuclei"), file).exists() for file in source("nuclei").files):
        pytest.skip("the nuclei are not on this machine")
    weights, images = pretrained_weights("faster_rcnn", "nuclei"), data.boxed(data.nuclei("test"))
    model = faster_rcnn(in_channels=3, pretrained="nuclei").eval()
    found = [
        box for start in range(0, 132, 16) for box in model.detect(weights.prepare(images.images[start : start + 16]))
    ]
    assert abs(np.nanmean(f1(found, images.labels)) - weights.figures["f1"]) <= 0.005


def test_pixels_are_prepared_as_in_training() -> None:
    weights = pretrained_weights("resnet_small", "digits")
    pixels = np.array([0, 51, 255, 102], np.uint8).reshape(1, 1, 2, 2)
    expected = (np.array([0, 0.2, 1, 0.4]).reshape(1, 1, 2, 2) - weights.mean[0]) / weights.std[0]
    prepared = weights.prepare(pixels)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, expected, rtol=1e-5)


def test_other_dilations_take_the_same_weights() -> None:
    state = pretrained_weights("vgg_small", "cifar10").state
    model = vgg_small(pretrained="cifar10", dilations=((1, 1), (2, 2), (4, 4)))
    assert model.features[-3].dilation == (4, 4)
    np.testing.assert_array_equal(model.state_dict()["features.0.weight"], state["features.0.weight"])


def test_mistakes() -> None:
    def message(call: object, *arguments: object, **options: object) -> str:
        with pytest.raises(OptionError) as caught:
            call(*arguments, **options)  # type: ignore[operator]
        return str(caught.value)

    assert message(vgg_small, 5, pretrained="cifar10") == (
        "vgg_small: the weights for 'cifar10' were trained with num_classes=10, not 5; "
        "pass num_classes=10, then replace the last layer by one with outputs of its own"
    )
    assert message(resnet_small, pretrained="digits") == (
        "resnet_small: the weights for 'digits' were trained with in_channels=1, not 3; pass in_channels=1"
    )
    assert message(vgg_small, pretrained="imagenet") == (
        "vgg_small: no weights for 'imagenet' come with minidil; there are some for 'cifar10'"
    )
    assert message(pretrained_weights, "vgg16", "imagenet") == (
        "vgg16: no weights for 'imagenet' come with minidil; there are none for this model"
    )
    with pytest.raises(CheckpointError, match=re.escape("features.0.weight")) as caught:
        vgg_small(widths=(32, 64, 128), pretrained="cifar10")
    assert "the weights of vgg_small for 'cifar10' were trained with" in caught.value.__notes__[0]


def test_a_replaced_last_layer_is_all_that_changes() -> None:
    model = vgg_small(pretrained="cifar10")
    model.classifier[1] = nn.Linear(256, 5)
    assert model.eval()(tensor(np.zeros((2, 3, 32, 32), np.float32))).shape == (2, 5)


@pytest.mark.slow
def test_a_run_is_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/pack_weights.py, on a run of one epoch."""
    from minidil.cli import main

    script = Path(models.__file__).parents[2] / "docs" / "pack_weights.py"
    spec = spec_from_file_location("pack_weights", script)
    assert spec is not None
    assert spec.loader is not None
    packing = module_from_spec(spec)
    spec.loader.exec_module(packing)
    monkeypatch.setattr(packing, "FOLDER", tmp_path)
    options = ["--epochs", "1", "--widths", "4", "8", "--dilations", "1", "2", "--seed", "3"]
    assert main(["train", *options, "--out", str(tmp_path / "run")]) in (0, None)
    capsys.readouterr()
    packing.main(str(tmp_path / "run"))
    weights = from_tree(checkpoint.load(tmp_path / "vgg_small-digits.npz"))
    assert (weights.model, weights.data, weights.epoch, weights.shape) == ("vgg_small", "digits", 1, (1, 8, 8))
    model = vgg_small(**weights.options)
    weights.load_into(model, 10, 1)
    assert accuracy(weights, model) == pytest.approx(weights.test_accuracy)
    assert f"{weights.test_accuracy:.2%} of 360 test images" in capsys.readouterr().out
