"""Images with a class for every pixel, and the nuclei."""

from pathlib import Path

import numpy as np
import pytest
from tiny_sets import tiny_nuclei

from minidil.data import DataLoader, MaskedDataset, few, load, nuclei, registry, split, transforms
from minidil.errors import DataError, DtypeError, OptionError, ShapeError


def made(count: int = 10) -> MaskedDataset:
    """Pixels, mask and instances of image i all tell i."""
    number = np.arange(count, dtype=np.uint8)[:, None, None]
    images = np.broadcast_to(number[:, None], (count, 3, 4, 6))
    masks = np.broadcast_to(number % 3, (count, 4, 6))
    instances = np.broadcast_to(number, (count, 4, 6))
    return MaskedDataset(
        "made", images, masks, ("ground", "a", "b"), np.arange(count) % 2, ("even", "odd"), instances=instances
    )


def test_an_item_is_an_image_and_its_mask_and_a_slice_keeps_all_that_belongs_to_it() -> None:
    dataset = made()
    assert repr(dataset) == "MaskedDataset('made': 10 images of 3x4x6 in 3 classes)"
    image, mask = dataset[5]
    np.testing.assert_array_equal(image, np.full((3, 4, 6), 5, np.uint8), strict=True)
    np.testing.assert_array_equal(mask, np.full((4, 6), 2, np.uint8), strict=True)
    part = dataset[[7, 2]]
    assert isinstance(part, MaskedDataset)
    assert part.instances is not None
    assert part.kinds is not None
    assert part.masks[:, 0, 0].tolist() == [1, 2]
    assert part.instances[:, 0, 0].tolist() == [7, 2]
    assert part.kinds.tolist() == [1, 0]
    assert part.kind_names == ("even", "odd")
    assert [int(mask[0, 0]) for _, mask in dataset] == [0, 1, 2] * 3 + [0]
    for array in (dataset.masks, part.masks, dataset.kinds, dataset.instances, image, mask):
        assert array is not None
        assert not array.flags.writeable


def test_a_split_takes_the_same_share_of_every_kind() -> None:
    dataset = made(40)
    first, second = split(dataset, 0.75, seed=0)
    assert isinstance(first, MaskedDataset)
    assert np.bincount(first.strata).tolist() == [15, 15]
    assert np.bincount(second.strata).tolist() == [5, 5]
    assert sorted([*first.images[:, 0, 0, 0], *second.images[:, 0, 0, 0]]) == list(range(40))


def test_without_kinds_all_images_are_of_one() -> None:
    plain = MaskedDataset("plain", np.zeros((4, 1, 2, 2), np.uint8), np.zeros((4, 2, 2), np.uint8), ("ground",))
    assert plain.strata.tolist() == [0, 0, 0, 0]
    assert [len(part) for part in split(plain, 0.5, seed=0)] == [2, 2]
    assert plain[:0].strata.tolist() == []


def test_what_does_not_go_together_is_refused() -> None:
    images, masks = np.zeros((2, 3, 4, 6), np.uint8), np.zeros((2, 4, 6), np.uint8)
    for error, arguments, words in (
        (ShapeError, (images, masks[:, :, :5]), r"2 images need labels of shape \(2, 4, 6\), got \(2, 4, 5\)"),
        (DtypeError, (images, masks.astype(np.int64)), "labels must be uint8, got int64"),
        (DataError, (images, masks + np.uint8(2)), "label 2 of image 0 names no class; 2 classes"),
    ):
        with pytest.raises(error, match=words):
            MaskedDataset("wrong", *arguments, ("ground", "thing"))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"instances must be \(2, 4, 6\), got \(2, 4, 5\)"):
        MaskedDataset("wrong", images, masks, ("ground",), instances=masks[:, :, :5])
    with pytest.raises(DtypeError, match="kinds must be whole numbers, got float64"):
        MaskedDataset("wrong", images, masks, ("ground",), np.zeros(2), ("only",))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"kinds holds 0..1 but the 1 kinds have the numbers 0..0"):
        MaskedDataset("wrong", images, masks, ("ground",), np.arange(2), ("only",))
    with pytest.raises(OptionError, match="few: counts images by their class, and those of made have masks"):
        few(made(), 1, seed=0)


@pytest.mark.parametrize("part", ["train", "test"])
def test_nuclei_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    source, arrays = tiny_nuclei(tmp_path)
    monkeypatch.setitem(registry.SOURCES, "nuclei", source)
    monkeypatch.setattr(registry, "NUCLEI", source)
    dataset = load("nuclei", part, tmp_path)
    assert isinstance(dataset, MaskedDataset)
    for name in ("images", "masks", "instances"):
        np.testing.assert_array_equal(getattr(dataset, name), arrays[f"{part}_{name}"], strict=True)
    np.testing.assert_array_equal(dataset.strata, arrays[f"{part}_kind"].astype(np.int64), strict=True)
    assert dataset.kind_names == ("fluorescence", "bright field", "stained tissue")
    assert dataset.classes == ("background", "nucleus")


def test_nuclei_that_are_missing_or_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match=r"nuclei128\.npz does not exist, and no server has it: datasets/nuclei\.md tells how"
    ):
        nuclei("train", tmp_path)
    source, _ = tiny_nuclei(tmp_path)
    monkeypatch.setitem(registry.SOURCES, "nuclei", source)
    monkeypatch.setattr(registry, "NUCLEI", source)
    path = tmp_path / "nuclei128.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"nuclei128\.npz is damaged or not the published file"):
        nuclei("test", tmp_path)
    with pytest.raises(OptionError, match="nuclei: split must be 'train' or 'test', got 'all'"):
        nuclei("all", tmp_path)


def test_the_card_tells_the_checksum_and_size_of_the_file() -> None:
    (file,) = registry.NUCLEI.files
    card = (Path(__file__).parents[2] / "datasets" / "nuclei.md").read_text(encoding="utf-8")
    assert f"`{(file.packed or '').removeprefix('sha256:')}`" in card
    assert f"{file.size:,} bytes" in card


def test_a_loader_moves_images_and_masks_alike() -> None:
    """The pixels of these images are their masks."""
    masks = np.random.default_rng(0).integers(0, 3, (12, 9, 9), dtype=np.uint8)
    dataset = MaskedDataset("same", masks[:, None], masks, ("a", "b", "c"))
    moves = [
        transforms.PadCrop(2),
        transforms.Flip(),
        transforms.AlternatingFlip(1),
        transforms.Turn(),
        transforms.Crop(5),
    ]
    still = transforms.Normalize([0.0], [1 / 255])
    loader = DataLoader(dataset, 4, shuffle=True, transforms=[still, *moves], seed=3)
    seen = []
    for images, labels in loader.batches(5):
        assert (images.shape, labels.shape, labels.dtype) == ((4, 1, 5, 5), (4, 5, 5), np.dtype(np.int64))
        np.testing.assert_array_equal(images[:, 0].round(), labels)
        seen.append(labels)
    for start in range(3):
        for (_, labels), expected in zip(loader.batches(5, start), seen[start:], strict=True):
            np.testing.assert_array_equal(labels, expected)
    plain = DataLoader(dataset, 5)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in plain]), masks)


def test_a_transform_that_says_nothing_of_masks_is_refused_before_the_first_batch() -> None:
    class Brighter(transforms.Still):
        def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            return images + 1

    def upside_down(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images[:, :, ::-1]

    with pytest.raises(
        OptionError, match=r"upside_down.* does not say what becomes of the masks of made; derive it from"
    ):
        DataLoader(made(), 2, transforms=[upside_down])
    images, masks = next(iter(DataLoader(made(), 10, transforms=[Brighter()])))
    np.testing.assert_allclose(images[:, 0, 0, 0], 1 + np.arange(10) / 255)
    np.testing.assert_array_equal(masks, made().masks)
