"""Experiments with networks that find objects."""

from pathlib import Path
from typing import Any, cast

import numpy as np

from minidil import data, models
from minidil.cli.experiment import Answer, Experiment, Wanted
from minidil.cli.images import Images, divided, in_words, part_of, read_image
from minidil.cli.settings import Settings
from minidil.cli.table import table
from minidil.data import pictures
from minidil.detect import (
    Detections,
    FasterRCNN,
    average_precision,
    boxes_drawn,
    components_found,
    faster_rcnn,
)
from minidil.errors import OptionError
from minidil.graph import no_grad
from minidil.nn import Module
from minidil.random import default_rng
from minidil.storage.files import atomic_write
from minidil.tasks.segmentation import otsu_mask
from minidil.tensor import tensor
from minidil.terminal import fill
from minidil.train import evaluate

_EVALUATION_BATCH = 16
_DRAWN = 0.5  # the least score of a box that is drawn
_FIGURES = ("AP", "AP50", "AP75", "AR")


class Boxes(Images):
    """Images with boxes around the objects in them."""

    @staticmethod
    def training(settings: Settings) -> tuple[data.Dataset, data.Dataset | None]:
        """A seeded split of the training set. Raises: OptionError if there is nothing to find."""
        images = _part(settings, "train")
        if all((truth.crowd | truth.ignore).all() for truth in images.labels):
            raise OptionError(
                f"--data {settings.data}: of {len(images)} images to learn from, none has a box that counts"
            )
        return divided(images, settings)

    @staticmethod
    def testing(settings: Settings) -> data.Dataset:
        """The test set, which training never looks at."""
        return _part(settings, "test")

    def _built(self, options: dict[str, Any]) -> Module:
        return faster_rcnn(rng=default_rng(), **options)

    def goal(self, model: Module) -> dict[str, Any]:
        """Loss and metric are the network's own: its second stage is asked about what its first one proposes."""
        detector = cast(FasterRCNN, model)
        return super().goal(model) | {"loss": detector.loss, "metrics": {"f1": detector.f1}}

    def viewed(self, model: Module, tta: int | None = None) -> Module:
        """The model. Raises: OptionError for views of an image, whose boxes have no mean."""
        return Experiment.viewed(self, model, tta)

    def _dilations(self, stages: tuple[tuple[int, ...], ...]) -> dict[str, Any]:
        if len(stages) > 2:
            raise OptionError(
                f"--dilations: {self.settings.model} has blocks one after another, as in 2,4, and perhaps branches side by side "
                "behind them, as in 2 2,4,6"
            )
        return dict(zip(("dilations", "trident"), stages, strict=False))

    def measuring(self, items: data.Dataset) -> data.DataLoader:
        """All images in their order, as they are."""
        return data.DataLoader(items, _EVALUATION_BATCH, transforms=[self.normalize()])

    def report(self, model: Module, items: Any, content: dict[str, Any]) -> None:
        """Print average precision and recall, of all boxes found, beside the first stage alone and what knows no boxes."""
        detector = cast(FasterRCNN, model)
        found, proposed = list[Detections](), list[Detections]()

        def observe(outputs: Any, _: Any) -> None:
            found.extend(detector.found(tensor(outputs)))
            proposed.extend(detector.proposals(tensor(outputs), overlap=0.5))

        goal = self.goal(model)
        metrics: Any = evaluate(model, self.measuring(items), observe, loss=goal["loss"], metrics=goal["metrics"])
        contestants = {self.settings.model: found, "its proposals alone": proposed, **controls(items)}
        rows, content["found by"] = list[tuple[str, ...]]([("found by", *_FIGURES)]), {}
        for name, boxes in contestants.items():
            result = average_precision(boxes, items.labels)
            values = (result.ap, result.at(0.5), result.at(0.75), result.ar)
            content["found by"][name] = {
                figure: None if np.isnan(value) else value for figure, value in zip(_FIGURES, values, strict=True)
            }
            rows.append((name, *("-" if np.isnan(value) else f"{value:.4f}" for value in values)))
        content |= {"loss": metrics.loss, "f1": None if np.isnan(metrics.f1) else metrics.f1}
        print("\n".join(table(rows, "<>>>>", (20, 6, 6, 6, 6))))
        count = sum(int((~(truth.crowd | truth.ignore)).sum()) for truth in items.labels)
        figures = f"test loss {metrics.loss:.4f}, mean F1 {metrics.f1:.4f} at a score of 0.5"
        print(fill(f"{figures}, on {count:,} boxes in {len(items):,} images"))

    def answer(self, model: Module, source: str, wanted: Wanted) -> Answer:
        """Draws the boxes found in an image file over it, as NAME-boxes.png."""
        path = Path(source)
        pixels, changes = read_image(path, self.shape, wanted.invert, whole=True)
        (found,) = cast(FasterRCNN, model).detect(tensor(self.batch_of(pixels)), score=_DRAWN)
        file = wanted.out / f"{path.stem}-boxes.png"
        with atomic_write(file) as stream:
            pictures.image_of(boxes_drawn(pixels, found.boxes, found.labels)).save(stream, format="png")
        boxes = [
            {"class": self.classes[label], "score": float(score), "box": [round(value, 2) for value in box.tolist()]}
            for box, score, label in zip(found.boxes, found.scores, found.labels, strict=True)
        ]
        counts = [(name, int((found.labels == number).sum())) for number, name in enumerate(self.classes)]
        words = ", ".join(f"{count} {name}" for name, count in counts if count) or "nothing found"
        content = {"picture": str(file), "boxes": boxes, "changes": changes}
        return Answer(f"{words}; drawn: {file}{in_words(changes)}", content)


def _part(settings: Settings, part: str) -> data.BoxedDataset:
    items = part_of(settings, part, data.boxed_folder)
    return data.boxed(items) if isinstance(items, data.MaskedDataset) else items


def controls(items: data.BoxedDataset) -> dict[str, list[Detections]]:
    """What is found without having seen a box, where objects are of one class: the parts of Otsu's mask; for nuclei also of the
    mask of the network that comes with minidil."""
    if len(items.classes) > 1 or items.images.dtype != np.uint8:
        return {}
    found_by = {"parts of Otsu's mask": [components_found(otsu_mask(image)) for image in items.images]}
    if items.name == "nuclei" and ("unet", "nuclei") in models.available():
        weights = models.pretrained_weights("unet", "nuclei")
        unet = weights.load_into(models.build("unet", **weights.options), 2, 3).eval()
        found = list[Detections]()
        for first in range(0, len(items), _EVALUATION_BATCH):
            images = weights.prepare(items.images[first : first + _EVALUATION_BATCH])
            with no_grad():
                logits = unet(tensor(images)).numpy()
            margin = logits[:, 1] - logits[:, 0]
            found.extend(components_found(each > 0, each) for each in margin)
        found_by["parts of a U-Net's mask"] = found
    return found_by
