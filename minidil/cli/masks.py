"""Experiments with networks that give a class to every pixel."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidil import data
from minidil.array import Array
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.images import Images, divided, in_words, part_of, read_image
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.data import pictures
from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.storage.files import atomic_write
from minidil.tasks.segmentation import Matches, Overlap, components, otsu_mask, overlaid
from minidil.tasks.segmentation.metric import mean
from minidil.tensor import tensor
from minidil.terminal import fill
from minidil.train import evaluate

_EVALUATION_BATCH = 16


@dataclass(frozen=True)
class _Found:
    """How well masks fit; the objects in them, where those that are there are numbered and there is one class of them."""

    overlap: Overlap
    objects: Matches | None

    @classmethod
    def of(cls, masks: Array, items: Any) -> "_Found":
        numbered = items.instances is not None and len(items.classes) == 2
        return cls(
            Overlap.of(masks, items.masks, len(items.classes)),
            Matches.of_masks(masks, items.instances) if numbered else None,
        )

    def __getitem__(self, chosen: Any) -> "_Found":
        return _Found(self.overlap[chosen], self.objects[chosen] if self.objects else None)

    def figures(self) -> dict[str, float]:
        found = self.overlap
        masks = {"mean IoU": mean(found.iou()), "Dice": mean(found.dice()), "pooled IoU": mean(found.pooled_iou())}
        return masks | ({"AP50": self.objects.ap50()} if self.objects else {})


class Masks(Images):
    """Images, each of which has a class for every pixel."""

    @staticmethod
    def training(settings: Settings) -> tuple[data.Dataset, data.Dataset | None]:
        """A seeded split of the training set. Raises: OptionError if there is background alone."""
        images = part_of(settings, "train", data.masked_folder)
        if not images.masks.any():
            raise OptionError(
                f"--data {settings.data}: of {len(images)} images to learn from, none has a pixel that is no background"
            )
        return divided(images, settings)

    @staticmethod
    def testing(settings: Settings) -> data.Dataset:
        """The test set, which training never looks at."""
        return part_of(settings, "test", data.masked_folder)

    def viewed(self, model: Module, tta: int | None = None) -> Module:
        """The model. Raises: OptionError for views of an image: moved masks have no mean."""
        return Experiment.viewed(self, model, tta)

    def _widths(self, widths: tuple[int, ...]) -> dict[str, Any]:
        if self.settings.model != "context":
            return super()._widths(widths)
        if len(widths) > 1:
            raise OptionError(f"--widths: {self.settings.model} has one for all of its layers, such as 16")
        return {"width": widths[0]}

    def _dilations(self, stages: tuple[tuple[int, ...], ...]) -> dict[str, Any]:
        if len(stages) > 1:
            raise OptionError(f"--dilations: {self.settings.model} dilates one stage, as in 1,2,4")
        return {"dilations": stages[0]}

    def measuring(self, items: data.Dataset) -> data.DataLoader:
        """All images in their order, as they are."""
        return data.DataLoader(items, _EVALUATION_BATCH, transforms=[self.normalize()])

    def report(self, model: Module, items: Any, content: dict[str, Any]) -> None:
        """Print how well the masks fit, for every kind of picture, beside Otsu's threshold where there is one kind of object."""
        said: list[Array] = []
        task = self.task
        figures = evaluate(
            model,
            self.measuring(items),
            lambda logits, _: said.append(logits.argmax(axis=1)),
            loss=task.loss(self.settings.loss),
            metrics={},
        )
        classes = len(self.classes)
        contestants = {"": np.concatenate(said)}
        if classes == 2 and items.images.dtype == np.uint8:
            contestants["Otsu's "] = np.stack([otsu_mask(image) for image in items.images])
        found = {who: _Found.of(masks, items) for who, masks in contestants.items()}
        heads = [who + figure for who, each in found.items() for figure in each.figures()]
        rows, content["kinds"] = [("kind", "images", *heads)], []
        for number, name in enumerate(items.kind_names if len(items.kind_names) > 1 else ()):
            chosen = items.strata == number
            values = _values(found, chosen)
            content["kinds"].append({"kind": name, "images": int(chosen.sum())} | _told(heads, values))
            rows.append((name, f"{chosen.sum():,}", *map(_shown, values)))
        values, undefined = _values(found, slice(None)), found[""].overlap.undefined
        content |= {"loss": figures.loss, "undefined": undefined} | _told(heads, values)
        rows.append(("all", f"{len(items):,}", *map(_shown, values)))
        print("\n".join(table(rows, "<>" + ">" * len(heads), range(len(heads) + 1, len(found[""].figures()) + 1, -1))))
        few = [each["kind"] for each in content["kinds"] if each["images"] < 10]
        notes = [f"the mean of {' and '.join(few)} is of few images, and says little"] if few else []
        if undefined:
            notes.append(f"{undefined} left out, where a class is neither in the image nor in the answer")
        print(fill("; ".join([f"test loss {figures.loss:.4f} on {len(items):,} images", *notes])))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """Draws the mask of an image file over it, as NAME-overlay.png."""
        path = Path(source)
        pixels, changes = read_image(path, self.shape, wanted.invert, whole=True)
        with no_grad():
            mask = model(tensor(self.batch_of(pixels))).numpy()[0].argmax(axis=0)
        file = wanted.out / f"{path.stem}-overlay.png"
        with atomic_write(file) as stream:
            pictures.image_of(overlaid(pixels, mask)).save(stream, format="png")
        found = [
            {"class": name, "share": float((mask == number).mean()), "parts": int(components(mask == number).max())}
            for number, name in enumerate(self.classes)
            if number
        ]
        words = ", ".join(f"{each['class']} {each['share']:.1%} in {each['parts']} parts" for each in found)
        content = {"overlay": str(file), "classes": found, "changes": changes}
        return Answer(f"{words}; drawn: {file}{in_words(changes)}", content)


def _values(found: dict[str, _Found], chosen: Any) -> list[float]:
    return [value for each in found.values() for value in each[chosen].figures().values()]


def _told(heads: list[str], values: list[float]) -> dict[str, float | None]:
    """For JSON, which has no NaN."""
    return {head: None if np.isnan(value) else value for head, value in zip(heads, values, strict=True)}


def _shown(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"
