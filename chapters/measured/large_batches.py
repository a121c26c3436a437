"""Large batches: `python chapters/measured/large_batches.py` writes large_batches.json: which learning rate goes with which.

A VGG of two stages learns the digits for EPOCHS epochs with Nesterov momentum and one cycle, in batches of 32 and of more. With
each comes the rate of the batches of 32 times 1, times the square root of how much larger the batch is, and times that. The file
has the share of the test set that is right, of each seed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import minidil as md
from minidil import data, models, optim, schedule, train
from minidil.data import transforms

HERE = Path(__file__).parent
EPOCHS, SEEDS, SMALL, RATE = 8, (0, 1, 2), 32, 0.02
BATCHES = (32, 128, 512, 1024)
RULES = {"constant": 0.0, "square root": 0.5, "linear": 1.0}  # the power of batch / 32


def run(batch: int, rate: float, seed: int) -> float:
    """The share of right answers after training."""
    learn, test = data.digits("train"), data.digits("test")
    normalize = transforms.Normalize(learn.mean(), learn.std())
    loader = data.DataLoader(learn, batch, shuffle=True, seed=seed, transforms=[normalize, transforms.PadCrop(1)])
    md.seed(seed)
    model = models.vgg_small(in_channels=1, widths=(16, 32), dilations=((1, 2), (1, 2)))
    optimizer = optim.SGD(model.parameters(), rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    cycle = schedule.OneCycle(optimizer, EPOCHS * len(loader))
    train.fit(model, loader, None, optimizer, cycle, EPOCHS, progress=False)
    return float(train.evaluate(model, data.DataLoader(test, 256, transforms=[normalize])).accuracy)


def main() -> None:
    """Every batch with every rule."""
    runs = list[dict[str, Any]]()
    for batch in BATCHES:
        for rule, power in RULES.items():
            if batch == SMALL and power:
                continue
            rate = RATE * (batch / SMALL) ** power
            accuracy = [round(run(batch, rate, seed), 4) for seed in SEEDS]
            runs.append({"batch": batch, "rule": rule, "rate": rate, "accuracy": accuracy})
            print(runs[-1], flush=True)
    facts = {"command": "python chapters/measured/large_batches.py", "epochs": EPOCHS, "seeds": SEEDS, "runs": runs}
    (HERE / "large_batches.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
