"""Film reviews told apart: `python chapters/measured/sentiment.py RUNS` writes sentiment.json from the runs in a folder.

It needs the sentences (datasets/rt_polarity.md), and runs, for each seed SEED such as

    minidil train --data rt_polarity --seed SEED --out RUNS/kim_cnn-SEED
    minidil train --data rt_polarity --seed SEED --model dilated_cnn --out RUNS/dilated_cnn-SEED
    minidil train --data rt_polarity --seed SEED --model dilated_cnn --dilations 1 1 1 --out RUNS/undilated_cnn-SEED
    minidil train --data rt_polarity --seed SEED --model bilstm --out RUNS/bilstm-SEED

Of each, in the file with its command: the accuracy on dev, which chose the epoch, and on test, and McNemar's test on test against
the control. The control is tf-idf of words and pairs of words with logistic regression; its strength is chosen on dev. The
file has also one letter a test sentence for each, whether it was right (+) or wrong (-), so that any two of them can be compared.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import data
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings, as_typed
from minidil.tasks.sentiment import BagOfWords, mcnemar
from minidil.train import RunFolder

HERE = Path(__file__).parent


def signs(right: np.ndarray) -> str:
    """+ for right, - for wrong."""
    return "".join("+" if each else "-" for each in right)


def run_of(path: Path, dev: data.TextDataset, test: data.TextDataset, control: np.ndarray) -> dict[str, Any]:
    """What a run was, and how often its best weights are right. control: where the control is, on test."""
    folder = RunFolder(path)
    experiment, right = Experiment.of(folder), list[np.ndarray]()
    settings, model = experiment.settings, experiment.trained(folder)
    usual = Settings.of({"data": "rt_polarity"}).to_json()
    other = {name: value for name, value in vars(settings).items() if settings.to_json()[name] != usual[name]}
    facts = {
        "run": path.name,
        "command": f"minidil train --data rt_polarity {as_typed(other)}".rstrip(),
        "seed": settings.seed,
    }
    facts |= {"epochs": settings.epochs, "best_epoch": int(folder.best()["row"]["epoch"])}
    facts |= {"parameters": sum(each.size for each in model.parameters())}
    facts |= {"threads": folder.config()["fit"]["threads"]}
    figures = md.train.evaluate(model, experiment.measuring(dev))
    md.train.evaluate(
        model, experiment.measuring(test), lambda logits, labels: right.append(logits.argmax(axis=1) == labels)
    )
    found = np.concatenate(right)
    facts |= {"dev": round(figures.accuracy, 4), "test": round(float(found.mean()), 4)}
    return facts | {"against_control": asdict(mcnemar(found, control)), "right": signs(found)}


def main(runs: Path) -> None:
    """Measure the runs and the control."""
    learn, dev, test = (data.rt_polarity(part) for part in ("train", "dev", "test"))
    control = BagOfWords.fitted(learn, dev)
    right = control.predict(test.texts) == test.labels
    facts = {"strength": control.strength, "terms": len(control.terms), "dev": round(control.accuracy(dev), 4)}
    facts |= {"test": round(float(right.mean()), 4), "right": signs(right)}
    made = [run_of(path, dev, test, right) for path in sorted(runs.iterdir()) if (path / "best.npz").exists()]
    where = {"python": platform.python_version(), "numpy": np.__version__}
    found = {"sentences": [len(learn), len(dev), len(test)], "control": facts, "runs": made, "where": where}
    (HERE / "sentiment.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
