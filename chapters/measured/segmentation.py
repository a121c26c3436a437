"""Nuclei found by networks: `python chapters/measured/segmentation.py RUNS` writes segmentation.json from the runs in a folder.

It needs the nuclei (datasets/nuclei.md), and runs such as, made in that folder,

    minidil train --data nuclei --validation 0 --seed 0 --out unet-all-0
    minidil train --data nuclei --validation 0 --seed 0 --model context --epochs 28 --out context-all-0
    minidil train --data nuclei --validation 0 --seed 0 --epochs 40 --out unet-forty-0

the first two also with the seeds 1 and 2; and, to compare with twins, for the seeds N = 0, 1 and 2,
`minidil train --data nuclei --validation 0 --epochs 8 --seed N` with

    --out unet-N
    --dilations 1,1,1 --out unet-undilated-N
    --model context --out context-N
    --model context --dilations 1,1,1,1,1,1,1 --out context-undilated-N
    --model context --dilations 1,2,3,1,2,4,1 --out context-hybrid-N
    --model context --dilations 2,2,2,2,2,2,2 --out context-even-N
    --model aspp --out aspp-N
    --model aspp --dilations 1,1,1 --out aspp-undilated-N

The file has the command of each.

Of each: IoU and Dice, the means over the test images, the IoU over all of their pixels, and
AP50 over their nuclei, in all and by kind of picture; the roughness of its answers (minidil.analysis.gridding); and the mean IoU
when an image and its mirror image are answered together. Beside them Otsu's threshold, and the answer "background" everywhere.

The pictures that unet-all-0 does best and worst on, of each kind, go into segmentation.png: image and numbers of its nuclei.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import analysis, data
from minidil.array import Array
from minidil.cli.experiment import Experiment
from minidil.cli.masks import Masks
from minidil.cli.settings import Settings, as_typed
from minidil.data import pictures
from minidil.tasks.segmentation import Matches, Overlap, otsu_mask
from minidil.tasks.segmentation.metric import mean
from minidil.train import RunFolder

HERE = Path(__file__).parent


PERIOD = 2  # of the grid that is looked for
SHOWN = "unet-all-0"  # the run whose pictures are kept


def figures(masks: Array, images: data.MaskedDataset) -> dict[str, Any]:
    """IoU, Dice and AP50 of masks, in all and by kind."""
    assert images.instances is not None
    found, objects = Overlap.of(masks, images.masks, len(images.classes)), Matches.of_masks(masks, images.instances)

    def of(chosen: Any) -> dict[str, float]:
        part = found[chosen]
        values = {"mean_iou": mean(part.iou()), "dice": mean(part.dice()), "pooled_iou": mean(part.pooled_iou())}
        return {key: round(value, 4) for key, value in (values | {"ap50": objects[chosen].ap50()}).items()}

    kinds = {name: of(images.strata == number) for number, name in enumerate(images.kind_names)}
    right = float((masks == images.masks).mean())
    return of(slice(None)) | {"pixel_accuracy": round(right, 4), "undefined": found.undefined, "kinds": kinds}


def roughness(maps: Array) -> float:
    """Of maps (N, H, W), at the period looked for."""
    return round(analysis.gridding(maps[:, None].astype(np.float32), PERIOD).roughness, 4)


def answered(experiment: Masks, model: md.nn.Module, images: data.MaskedDataset) -> Array:
    """By how much the nucleus is likelier than the background, (N, H, W)."""
    logits = list[Array]()
    md.train.evaluate(model, experiment.measuring(images), lambda given, _: logits.append(given), metrics={})
    whole = np.concatenate(logits)
    return whole[:, 1] - whole[:, 0]


def run_of(path: Path, images: data.MaskedDataset) -> tuple[dict[str, Any], Array]:
    """What a run was, and the figures of its best weights; and its masks."""
    folder = RunFolder(path)
    experiment = Experiment.of(folder)
    assert isinstance(experiment, Masks)
    settings, model = experiment.settings, experiment.trained(folder)
    usual = Settings.of({"data": "nuclei"}).to_json() | {"model": None, "seed": None}
    other = {name: value for name, value in vars(settings).items() if settings.to_json()[name] != usual[name]}
    logits = answered(experiment, model, images)
    mirrored = replace(images, images=images.images[..., ::-1])
    both = logits + answered(experiment, model, mirrored)[..., ::-1]
    masks = (logits > 0).astype(np.uint8)
    facts = {
        "run": path.name,
        "command": f"minidil train --data nuclei {as_typed(other)}",
        "epochs": settings.epochs,
        "best_epoch": int(folder.best()["row"]["epoch"]),
        "parameters": sum(each.size for each in model.parameters()),
        "threads": folder.config()["fit"]["threads"],
        "roughness": roughness(logits),
        "mirrored_mean_iou": round(mean(Overlap.of((both > 0).astype(np.uint8), images.masks, 2).iou()), 4),
    }
    return facts | figures(masks, images), masks


def extremes(masks: Array, images: data.MaskedDataset) -> list[dict[str, Any]]:
    """The test images of each kind on which a run was best and worst; written beside their numbered nuclei."""
    assert images.instances is not None
    iou, rows, told = Overlap.of(masks, images.masks, 2).iou()[:, 0], list[Array](), list[dict[str, Any]]()
    for number, kind in enumerate(images.kind_names):
        of_kind = np.flatnonzero((images.strata == number) & ~np.isnan(iou))
        for which, index in (("best", of_kind[iou[of_kind].argmax()]), ("worst", of_kind[iou[of_kind].argmin()])):
            numbers = np.broadcast_to(images.instances[index].astype(np.uint8), (3, *images.masks.shape[1:]))
            rows.append(np.concatenate([images.images[index], numbers], axis=2))
            told.append({"kind": kind, "which": which, "image": int(index), "iou": round(float(iou[index]), 4)})
    pictures.image_of(np.concatenate(rows, axis=1)).save(HERE / "segmentation.png", optimize=True)
    return told


def main(runs: Path) -> None:
    """Measure the runs and the controls."""
    images = data.nuclei("test")
    controls = {
        "background": figures(np.zeros_like(images.masks), images),
        "otsu": figures(np.stack([otsu_mask(image) for image in images.images]), images),
    }
    made, shown = list[dict[str, Any]](), list[dict[str, Any]]()
    for path in sorted(runs.iterdir()):
        facts, masks = run_of(path, images)
        made.append(facts)
        if path.name == SHOWN:
            shown = extremes(masks, images)
    counts = {name: int((images.strata == number).sum()) for number, name in enumerate(images.kind_names)}
    where = {"python": platform.python_version(), "numpy": np.__version__}
    truth = {"roughness": roughness(images.masks)}
    found = {"images": counts, "truth": truth, "controls": controls, "runs": made, "shown": shown, "where": where}
    (HERE / "segmentation.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
