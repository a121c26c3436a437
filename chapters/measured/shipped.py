"""The network that comes with minidil in the forms of chapter 13: `python chapters/measured/shipped.py` writes shipped.json.

    layer by layer    vgg_small in evaluation mode, as it was trained
    plan              what `deploy.compile` makes of it
    int8              in whole numbers of 8 bits, calibrated on CALIBRATED training images
    pruned            without a quarter of the filters of every layer, tuned as in pruning.py with seed 0, as a plan
    pruned, int8      the same in whole numbers
    ONNX Runtime      the file that `deploy.to_onnx` writes, in that program

Accuracies are those of all 10,000 test images of CIFAR-10, which chose nothing. bytes: of the file that keeps the form, as the
library writes it. Times are processor time on one thread in milliseconds, least and median of ROUNDS calls that take turns with a
pause before each. It needs CIFAR-10 (`minidil data get cifar10`) and onnxruntime, and takes about five minutes of one core.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
from pruning import NORMALIZE, SHAPE, WEIGHTS, started, trained, tuned

import minidil as md
from minidil.bench import machine

CALIBRATED, PAUSE, ROUNDS = 512, 0.02, {1: 45, 32: 15, 256: 5}
Form = Callable[[np.ndarray], np.ndarray]


def layer_by_layer(model: Any) -> Form:
    """The model itself, without gradients."""

    def run(x: np.ndarray) -> np.ndarray:
        with md.no_grad():
            return np.asarray(model(md.tensor(x)).numpy())

    return run


def in_onnx_runtime(file: Path) -> Form:
    """A file of ONNX on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: np.asarray(session.run(None, {name: x})[0])


def forms(folder: Path) -> tuple[dict[str, Form], dict[str, int]]:
    """What turns images into logits, and the bytes of the file that keeps it."""
    learn = md.data.split(md.data.load("cifar10", "train"), 0.9, 0)[0]
    some = np.random.default_rng(0).choice(len(learn), CALIBRATED, replace=False)
    images = WEIGHTS.prepare(learn.images[some])
    whole = trained().eval()
    pruned, _ = started("l1 25 %", 0)
    tuned(pruned, 0)
    pruned.eval()
    quantized = {"int8": md.deploy.quantize(whole, images), "pruned, int8": md.deploy.quantize(pruned, images)}
    found: dict[str, Form] = {
        "layer by layer": layer_by_layer(whole),
        "plan": md.deploy.compile(whole, SHAPE),
        "int8": quantized["int8"],
        "pruned": md.deploy.compile(pruned, SHAPE),
        "pruned, int8": quantized["pruned, int8"],
    }
    files: dict[str, Path] = {}
    for name, model in (("layer by layer", whole), ("plan", whole), ("pruned", pruned)):
        files[name] = folder / f"{name}.safetensors"
        md.deploy.save_safetensors(model, files[name])
    for name, plan in quantized.items():
        files[name] = folder / f"{name}.npz"
        md.deploy.save_quantized(plan, files[name])
    files["ONNX Runtime"] = folder / "model.onnx"
    md.deploy.to_onnx(whole, SHAPE, files["ONNX Runtime"])
    found["ONNX Runtime"] = in_onnx_runtime(files["ONNX Runtime"])
    return found, {name: files[name].stat().st_size for name in found}


def accuracy(form: Form) -> float:
    """The share of the test images that are named right."""
    test = md.data.load("cifar10", "test")
    loader = md.data.DataLoader(test, 250, transforms=[NORMALIZE])
    return sum(int((form(images).argmax(axis=1) == labels).sum()) for images, labels in loader.batches(0)) / len(test)


def timed(contestants: dict[str, Form]) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds of a call, by form and number of images."""
    taken: dict[str, dict[str, dict[str, float]]] = {name: {} for name in contestants}
    for count, rounds in ROUNDS.items():
        x = np.random.default_rng(0).standard_normal((count, *SHAPE), dtype=np.float32)
        calls: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, form in contestants.items():
                time.sleep(PAUSE)
                form(x)  # after a pause nothing is in the caches
                start = time.process_time()
                form(x)
                calls[name].append(1000 * (time.process_time() - start))
        for name, each in calls.items():
            taken[name][str(count)] = {"least": round(min(each), 3), "median": round(median(each), 3)}
    return taken


def main() -> None:
    """Make, measure and write."""
    md.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        made, sizes = forms(Path(folder))
    here = machine.describe()
    settings = {"calibrated": CALIBRATED, "rounds": ROUNDS, "pause": PAUSE, "threads": 1}
    on = {"processor": here.processor, "cores": here.cores, "system": here.system, "versions": here.versions}
    times = timed(made)
    rows = [
        {"form": name, "accuracy": accuracy(form), "bytes": sizes[name], "milliseconds": times[name]}
        for name, form in made.items()
    ]
    results = {"settings": settings, "machine": on, "rows": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
