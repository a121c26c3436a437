"""What a search by TPE finds, beside one at random: `python chapters/measured/search.py` writes search.json.

`minidil sweep` on the digits that come with minidil: TRIALS trainings of a small dilated VGG for EPOCHS epochs, with the same
space for both samplers, no pruning, and as many trials; SEEDS are those of the samplers, while all trainings have seed 0. Trials
are compared by the accuracy on 30 % of the training images (432). The test images (360) are looked at once a search, by the
trial that it found best. `best` is the best validation accuracy after so many trials; `means` are over the seeds.
It needs Optuna (`pip install -e ".[sweep]"`) and takes five minutes of one core.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import minidil as md
from minidil.cli import main as minidil
from minidil.cli.experiment import Experiment, testing_set
from minidil.train import RunFolder, evaluate

SEEDS, TRIALS, EPOCHS, AFTER = (0, 1, 2), 40, 3, (5, 10, 20, 40)
CONFIG = f"""
trials = {TRIALS}
sampler = "{{sampler}}"
pruner = "none"
seed = {{seed}}

[settings]
data = "digits"
epochs = {EPOCHS}
widths = [8, 16]
validation = 0.3

[space]
optimizer = ["sgd", "adamw"]
lr = {{{{ low = 1e-4, high = 1.0, log = true }}}}
weight_decay = {{{{ low = 1e-5, high = 0.1, log = true }}}}
batch_size = [32, 64, 128, 256]
dilations = {{{{ layers = [2, 2], rates = [1, 2, 3], without_holes = true }}}}
"""


def searched(sampler: str, seed: int, folder: Path) -> dict[str, Any]:
    """One search: the best validation accuracy after some numbers of trials, the best trial, and its test accuracy."""
    start, name = time.process_time(), f"{sampler}-{seed}"
    config, found = folder / f"{name}.toml", folder / f"{name}.json"
    config.write_text(CONFIG.format(sampler=sampler, seed=seed))
    if minidil(["sweep", str(config), "--out", str(folder / name), "--json", str(found)]):
        raise SystemExit(f"{name} did not end well")
    content = json.loads(found.read_text())
    values = [trial["value"] or 0.0 for trial in sorted(content["found"], key=lambda trial: trial["trial"])]
    best, run = content["found"][0], RunFolder(folder / name / content["found"][0]["folder"])
    experiment = Experiment.of(run)
    test = evaluate(experiment.trained(run), experiment.measuring(testing_set(experiment.settings)))
    return {
        "sampler": sampler,
        "seed": seed,
        "best": {str(after): max(values[:after]) for after in AFTER},
        "values": values,
        "found": best["words"],
        "test_accuracy": test.accuracy,
        "importances": content["importances"],
        "process_seconds": round(time.process_time() - start, 1),
    }


def main() -> None:
    """Search with every seed and both samplers, and write what was found after each search."""
    md.set_num_threads(1)
    searches: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS:
            for sampler in ("tpe", "random"):
                searches.append(searched(sampler, seed, Path(folder)))
                means = {
                    each: {
                        "best": {
                            str(after): mean(one["best"][str(after)] for one in searches if one["sampler"] == each)
                            for after in AFTER
                        },
                        "test_accuracy": mean(one["test_accuracy"] for one in searches if one["sampler"] == each),
                    }
                    for each in dict.fromkeys(one["sampler"] for one in searches)
                }
                results = {"config": CONFIG.format(sampler="...", seed="..."), "threads": 1, "means": means}
                text = json.dumps(results | {"searches": searches}, indent=1)
                Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
