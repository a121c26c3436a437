"""Chapter 12's comparison from three seeds: `python chapters/measured/fine_tuning.py` writes fine_tuning.json.

Two transfers, each with 100 labelled images of every class, and equal steps, batches and seeds for all contestants:

    classes   a small undilated VGG learns five classes of CIFAR-10, then the other five, which it has never seen
    shipped   the weights for CIFAR-10 that come with minidil learn MNIST, grey digits

A seed sets the labelled images, their order and augmentation, and the first weights of what is new. The learning rates of
"classes" are the best of RATES on 1,000 further images of the training set, with a seed of their own; "shipped" takes them over.
The accuracies are those of 2,000 test images, looked at once. It needs CIFAR-10 and MNIST (`minidil data get cifar10`, `mnist`)
and takes about thirteen minutes of one core, and six on three cores. The same machine and number of threads give the same
file; other machines round differently.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import minidil as md
from minidil.data.transforms import Flip, Normalize, PadCrop

Weights: TypeAlias = dict[str, np.ndarray]
SEEDS, SEARCH_SEED, THREADS = (0, 1, 2), 9, 1
OLD, NEW, LABELS, TESTED, NOISE = range(5), range(5, 10), 100, 2000, 0.1
RATES, DECAY, OUTPUT_STRIDE = (0.01, 0.03, 0.1), 0.8, 2
BEFORE = {"images": 12_000, "batch": 100, "epochs": 5, "lr": 0.1}  # what the five old classes are learnt with
EPOCHS, BATCH = {"classes": 12, "shipped": 2}, {"classes": 50, "shipped": 25}
WIDTHS, DILATIONS = (16, 32, 64), ((1, 1), (1, 1), (1, 1))
CONTESTANTS = (  # what starts, how it learns, and whether the last pooling's stride has become a dilation
    ("scratch", "one rate", False),
    ("scratch", "one rate", True),
    ("trained", "one rate", False),
    ("trained", "rates by layer", False),
    ("trained", "rates by layer", True),
    ("trained", "gradual", False),
    ("trained", "head", False),
    ("trained", "head", True),
    ("trained", "head, statistics move", False),
)
OF_SHIPPED = (CONTESTANTS[0], CONTESTANTS[3], CONTESTANTS[4], CONTESTANTS[6])
SETTINGS = {
    "labels": LABELS,
    "tested": TESTED,
    "noise": NOISE,
    "decay": DECAY,
    "output_stride": OUTPUT_STRIDE,
    "epochs": EPOCHS,
    "batch": BATCH,
    "before": BEFORE,
    "threads": THREADS,
    "seeds": SEEDS,
}


def of_classes(dataset: md.data.Dataset, classes: range) -> md.data.Dataset:
    """The images of these classes, numbered from 0."""
    kept = dataset.subset(np.isin(dataset.labels, classes))
    names = tuple(dataset.classes[label] for label in classes)
    return md.data.Dataset(dataset.name, kept.images, kept.labels - classes[0], names)


def some(dataset: md.data.Dataset, count: int, seed: int = 0) -> md.data.Dataset:
    """So many of them, every class in the same proportion."""
    return md.data.split(dataset, count / len(dataset), seed)[0]


def noisy(dataset: md.data.Dataset) -> md.data.Dataset:
    """The same images with normal noise, of NOISE times white."""
    noise = np.random.default_rng(0).standard_normal(dataset.images.shape, np.float32) * np.float32(NOISE)
    return md.data.Dataset(dataset.name, dataset.floats(slice(None)) + noise, dataset.labels, dataset.classes)


def accuracy(model: md.nn.Module, dataset: md.data.Dataset, normalise: Normalize) -> float:
    """The share that is named right."""
    return float(md.train.evaluate(model, md.data.DataLoader(dataset, 250, transforms=[normalise])).accuracy)


def small_vgg(seed: int) -> md.models.VGG:
    """An untrained network for five classes: two poolings, so an output stride of 4."""
    return md.models.vgg_small(5, widths=WIDTHS, dilations=DILATIONS, rng=np.random.default_rng(seed))


def fitted(model: md.nn.Module, groups: Any, lr: float, loader: Any, epochs: int, callbacks: Any = ()) -> list[float]:
    """Train for so many epochs with momentum 0.9 and a one-cycle schedule; return the mean loss of each."""
    optimizer = md.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = md.schedule.OneCycle(optimizer, epochs * len(loader))
    history = md.train.fit(model, loader, None, optimizer, schedule, epochs, callbacks, progress=False)
    return [round(row["train_loss"], 4) for row in history.rows]


def one_thread() -> None:
    """What a process begins with."""
    md.set_num_threads(THREADS)


def trained_on_old() -> tuple[Weights, float]:
    """The weights after the five old classes, and their accuracy there."""
    model, learn = small_vgg(0), some(of_classes(md.data.load("cifar10", "train"), OLD), BEFORE["images"])
    augment = [normalised(), PadCrop(4), Flip()]
    loader = md.data.DataLoader(learn, BEFORE["batch"], shuffle=True, transforms=augment)
    fitted(model, model.parameters(), BEFORE["lr"], loader, BEFORE["epochs"])
    return model.state_dict(), accuracy(model, tested(OLD), normalised())


@cache
def normalised() -> Normalize:
    """With mean and deviation of the images of the old classes."""
    old = of_classes(md.data.load("cifar10", "train"), OLD)
    return Normalize(old.mean(), old.std())


@cache
def unlabelled() -> tuple[md.data.Dataset, md.data.Dataset]:
    """Training images of the new classes: 1,000 to choose rates on, and the others, of which a few get labels."""
    return md.data.split(of_classes(md.data.load("cifar10", "train"), NEW), 1000 / 25_000, SEARCH_SEED)


@cache
def tested(classes: range) -> md.data.Dataset:
    """Test images of these classes."""
    return some(of_classes(md.data.load("cifar10", "test"), classes), TESTED)


def tuned(model: md.nn.Module, how: str, lr: float, loader: Any, epochs: int) -> list[float]:
    """Learn the new classes in one of the ways."""
    head = md.models.transfer.head_of(model)
    groups: Any = None
    if how.startswith("head"):
        names = [name for name, _ in model.named_parameters() if not name.startswith(f"{head}.")]
        md.train.freeze(model, names)
        if how == "head, statistics move":
            model.unfreeze()
            for name, parameter in model.named_parameters():
                parameter.requires_grad = name.startswith(f"{head}.")
    if how in ("rates by layer", "gradual"):
        groups = md.train.layer_groups(model, lr, DECAY)
    callbacks = [md.train.GradualUnfreezing(model)] if how == "gradual" else []
    return fitted(model, groups or model.parameters(), lr, loader, epochs, callbacks)


def from_old(
    weights: Weights,
    start: str,
    how: str,
    dilated: bool,
    seed: int,
    lr: float,
    test: md.data.Dataset,
    learn: md.data.Dataset,
) -> Any:
    """Facts of one contestant of "classes"."""
    normalise = normalised()
    model, old = small_vgg(100 + seed), small_vgg(0)
    if start == "trained":
        md.models.start_from(model, weights, same_classes=False)
    if dilated:
        model = md.analysis.dilate(model, OUTPUT_STRIDE, (3, 32, 32)).model
    augment = [normalise, PadCrop(4), Flip()]
    loader = md.data.DataLoader(learn, BATCH["classes"], shuffle=True, seed=seed, transforms=augment)
    losses = tuned(model, how, lr, loader, EPOCHS["classes"])
    facts = {"start": start, "how": how, "dilated": dilated, "seed": seed, "lr": lr, "losses": losses}
    facts |= {"accuracy": accuracy(model, test, normalise), "noisy": accuracy(model, noisy(test), normalise)}
    old.load_state_dict(weights)
    model.classifier = old.classifier  # the features of now with the head of before
    facts["old_classes"] = accuracy(model, tested(OLD), normalise)
    return facts


def from_shipped(
    start: str, how: str, dilated: bool, seed: int, lr: float, test: md.data.Dataset, learn: md.data.Dataset
) -> Any:
    """Facts of one contestant of "shipped"."""
    normalise = Normalize(learn.mean(), learn.std())
    model: md.nn.Module = md.models.vgg_small(in_channels=1, rng=np.random.default_rng(100 + seed))
    if start == "trained":
        md.models.start_from(model, md.models.pretrained_weights("vgg_small", "cifar10").state, same_classes=False)
    if dilated:
        model = md.analysis.dilate(model, OUTPUT_STRIDE, (1, 28, 28)).model
    augment = [normalise, PadCrop(2)]
    loader = md.data.DataLoader(learn, BATCH["shipped"], shuffle=True, seed=seed, transforms=augment)
    losses = tuned(model, how, lr, loader, EPOCHS["shipped"])
    facts = {"start": start, "how": how, "dilated": dilated, "seed": seed, "lr": lr, "losses": losses}
    return facts | {"accuracy": accuracy(model, test, normalise)}


def on_pixels(learn: md.data.Dataset, test: md.data.Dataset, decay: float) -> float:
    """Accuracy of softmax regression on the pixels: 300 full steps of Adam, weights pulled to zero by `decay`."""
    normalise = Normalize(learn.mean(), learn.std())
    size = int(np.prod(learn.images.shape[1:]))
    model = md.nn.Sequential(md.nn.Flatten(), md.nn.Linear(size, len(learn.classes), rng=np.random.default_rng(0)))
    model[1].weight.data = np.zeros_like(model[1].weight.numpy())
    optimizer = md.optim.Adam(model.parameters(), lr=1e-3, weight_decay=decay)
    loader = md.data.DataLoader(learn, len(learn), transforms=[normalise])
    md.train.fit(model, loader, None, optimizer, epochs=300, progress=False)
    return accuracy(model, test, normalise)


def searched(pool: ProcessPoolExecutor, weights: Weights) -> dict[str, Any]:
    """On images that are neither learnt from nor tested on: the accuracy with each rate, of the three ways to learn."""
    held_out, others = unlabelled()
    few = md.data.few(others, LABELS, SEARCH_SEED)
    ways = {"scratch": ("scratch", "one rate"), "layers": ("trained", "rates by layer"), "head": ("trained", "head")}
    tried = {
        name: {lr: pool.submit(from_old, weights, *way, False, SEARCH_SEED, lr, held_out, few) for lr in RATES}
        for name, way in ways.items()
    }
    found = {name: {lr: job.result()["accuracy"] for lr, job in jobs.items()} for name, jobs in tried.items()}
    return found | {"pixels": {decay: on_pixels(few, held_out, decay) for decay in (0.01, 0.1, 1.0)}}


def classes_with(weights: Weights, best: dict[str, float], seed: int) -> dict[str, Any]:
    """Facts of all contestants of "classes" with this seed."""
    few, test = md.data.few(unlabelled()[1], LABELS, seed), tested(NEW)
    found: dict[str, Any] = {"seed": seed, "pixels": on_pixels(few, test, best["pixels"]), "networks": []}
    for start, how, dilated in CONTESTANTS:
        lr = rate_of(start, how, best)
        found["networks"].append(from_old(weights, start, how, dilated, seed, lr, test, few))
        print(seed, *found["networks"][-1].items(), flush=True)
    return found


def shipped_with(best: dict[str, float], seed: int) -> dict[str, Any]:
    """Facts of all contestants of "shipped" with this seed."""
    few, test = md.data.few(md.data.load("mnist", "train"), LABELS, seed), some(md.data.load("mnist", "test"), TESTED)
    found: dict[str, Any] = {"seed": seed, "pixels": on_pixels(few, test, best["pixels"]), "networks": []}
    for start, how, dilated in OF_SHIPPED:
        lr = rate_of(start, how, best)
        found["networks"].append(from_shipped(start, how, dilated, seed, lr, test, few))
        print(seed, *found["networks"][-1].items(), flush=True)
    return found


def rate_of(start: str, how: str, best: dict[str, float]) -> float:
    """The best rate for this start and way to learn, or for the way nearest to it."""
    return best["scratch" if start == "scratch" else "head" if how.startswith("head") else "layers"]


def main() -> None:
    """Train all contestants, three at a time, and write what is compared."""
    md.set_num_threads(THREADS)
    weights, before = trained_on_old()
    print("old classes", before, flush=True)
    with ProcessPoolExecutor(len(SEEDS), mp_context=get_context("spawn"), initializer=one_thread) as pool:
        search = searched(pool, weights)
        print("searched", search, flush=True)
        best = {way: max(tried, key=tried.get) for way, tried in search.items()}
        classes = [pool.submit(classes_with, weights, best, seed) for seed in SEEDS]
        shipped = [pool.submit(shipped_with, best, seed) for seed in SEEDS]
        results = {
            "settings": SETTINGS,
            "search": search,
            "old_before": before,
            "classes": [job.result() for job in classes],
            "shipped": [job.result() for job in shipped],
        }
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
