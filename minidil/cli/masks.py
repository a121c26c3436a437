"""What `minidil eval` and `minidil predict` say of networks that give a class to every pixel."""

from pathlib import Path
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.cli.experiment import Experiment
from minidil.cli.table import table
from minidil.data import MaskedDataset, pictures
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.storage.files import atomic_write
from minidil.tasks.segmentation import Overlap, components, otsu_mask, overlaid
from minidil.tasks.segmentation.metric import mean
from minidil.tensor import tensor
from minidil.terminal import fill
from minidil.train import evaluate

_FIGURES = ("mean IoU", "Dice", "pooled IoU")


def measured(experiment: Experiment, model: Module, images: MaskedDataset, content: dict[str, Any]) -> None:
    """Print how well the masks fit, for every kind of picture, beside Otsu's threshold where there is one kind of object."""
    said: list[Array] = []
    task = experiment.task
    figures = evaluate(
        model,
        experiment.measuring(images),
        lambda logits, _: said.append(logits.argmax(axis=1)),
        loss=task.loss(experiment.settings.loss),
        metrics={},
    )
    classes = len(experiment.classes)
    found = Overlap.of(np.concatenate(said), images.masks, classes)
    contestants = {"": found}
    if classes == 2 and images.images.dtype == np.uint8:
        contestants["Otsu's "] = Overlap.of(
            np.stack([otsu_mask(image) for image in images.images]), images.masks, classes
        )
    heads = [who + figure for who in contestants for figure in _FIGURES]
    rows, content["kinds"] = [("kind", "images", *heads)], []
    for number, name in enumerate(images.kind_names if len(images.kind_names) > 1 else ()):
        chosen = images.strata == number
        values = _values(contestants, chosen)
        content["kinds"].append({"kind": name, "images": int(chosen.sum())} | _told(heads, values))
        rows.append((name, f"{chosen.sum():,}", *map(_shown, values)))
    values = _values(contestants, slice(None))
    content |= {"loss": figures.loss, "undefined": found.undefined} | _told(heads, values)
    rows.append(("all", f"{len(images):,}", *map(_shown, values)))
    print("\n".join(table(rows, "<>" + ">" * len(heads), (7, 6, 5))))
    few = [each["kind"] for each in content["kinds"] if each["images"] < 10]
    notes = [f"the mean of {' and '.join(few)} is of few images, and says little"] if few else []
    if found.undefined:
        notes.append(f"{found.undefined} left out, where a class is neither in the image nor in the answer")
    print(fill("; ".join([f"test loss {figures.loss:.4f} on {len(images):,} images", *notes])))


def _values(contestants: dict[str, Overlap], chosen: Any) -> list[float]:
    parts = [overlap[chosen] for overlap in contestants.values()]
    return [value for part in parts for value in (mean(part.iou()), mean(part.dice()), mean(part.pooled_iou()))]


def _told(heads: list[str], values: list[float]) -> dict[str, float | None]:
    """For JSON, which has no NaN."""
    return {head: None if np.isnan(value) else value for head, value in zip(heads, values, strict=True)}


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


def drawn(experiment: Experiment, model: Module, pixels: Array, path: Path, out: Path) -> dict[str, Any]:
    """Write the mask of an image (C, H, W) of uint8, over it, as out/NAME-overlay.png; return what there is to say of it."""
    batch = experiment.normalize()(pixels[None].astype(np.float32) / np.float32(255), np.random.default_rng(0))
    with no_grad():
        mask = model(tensor(batch)).numpy()[0].argmax(axis=0)
    file = out / f"{path.stem}-overlay.png"
    with atomic_write(file) as stream:
        pictures.image_of(overlaid(pixels, mask)).save(stream, format="png")
    found = [
        {"class": name, "share": float((mask == number).mean()), "parts": int(components(mask == number).max())}
        for number, name in enumerate(experiment.classes)
        if number
    ]
    return {"overlay": str(file), "classes": found}
