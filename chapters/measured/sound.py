"""Spoken digits, dilated and not: `python chapters/measured/sound.py TASK SEED ... [SPEAKER ...]` adds to sound.json.

It needs the recordings (datasets/spoken_digits.md). The tasks:

    speakers   log-mel, each of the six speakers left out in turn: what is told of a voice that was never heard
    official   log-mel, the official split, with all speakers in both parts
    "speakers mean-free", "official mean-free"   the same of log-mel from which the mean of each band is taken
    wave       the wave itself, the official split
    next       the level of the next sample (256 of mu-law) of one speaker, takes 0 to 4 for testing, in bits; then the dilated
               network goes on with a recording, by itself, and its samples a second are counted: streamed, and with all that
               it sees computed anew for each

In each a network with growing dilations meets its twin with dilations of 1: as many weights, as many steps, the same batches.
Beside them stand, for speakers and official, logistic regression on the mean loudness of 32 bands in each quarter of a clip, and
for next the share of each level (unigram) and of the level that follows each level (one tap), both counted in the training part,
plus one each.
One thread. Processor seconds are stored.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
import minidil.functional as F
from minidil import data, deploy, models, nn
from minidil.analysis import receptive_field
from minidil.data.spoken_digits import SPEAKERS
from minidil.schedule import OneCycle
from minidil.tasks import sound
from minidil.tasks.sound.heard import NETWORK, heard
from minidil.tasks.sound.shaken import Shaken
from minidil.train import fit

FILE, THREADS = Path(__file__).with_suffix(".json"), 1
LENGTH, BATCH, LR, DECAY, WIDTH = 5200, 64, 3e-3, 1e-2, 24
KINDS = {"dilated": (1, 2, 4, 8, 16), "undilated": (1, 1, 1, 1, 1)}
SETTINGS: dict[str, dict[str, Any]] = {
    "log-mel": {"epochs": 8, "dilations": KINDS, "shaken": (2, 4)},
    # Chosen by networks of four speakers, asked about the two others, over all pairs: so the choice has seen all six.
    "mean-free": {"epochs": 16, "dilations": KINDS, "shaken": (2, 4)},
    "wave": {
        "epochs": 24,
        "dilations": {"dilated": (1, 2, 4, 8, 16, 32), "undilated": (1,) * 6},
        "shaken": (0, 400),  # samples: said up to 50 ms earlier or later
    },
}
SPEAKER, PIECE, PIECES, STEPS = "theo", 800, 8, 500
GIVEN, SPOKEN, ANEW = 400, 4000, 20
NEXT = {"dilated": (1, 2, 4, 8, 16, 32, 64, 128), "undilated": (1,) * 8}


def parameters(model: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(each.size for each in model.parameters())


def named(hears: str, kind: str, seed: int, left_out: str | None = None) -> dict[str, Any]:
    """A network that names the digits, from its first weights to its accuracy; it is that of the last epoch."""
    learn, test = (data.spoken_digits(part, left_out=left_out) for part in ("train", "test"))
    setting = SETTINGS[hears]
    sets = [data.TensorDataset(heard(each.fixed(LENGTH), each.rate, hears), each.labels) for each in (learn, test)]
    options = {"width": WIDTH, "dilations": setting["dilations"][kind], **NETWORK[hears]}
    model = models.wavenet(10, rng=np.random.default_rng(seed), **options)
    loader: Any = data.DataLoader(sets[0], BATCH, shuffle=True, drop_last=True, seed=seed)
    loader = Shaken(loader, *setting["shaken"])
    optimizer = md.optim.AdamW(model.parameters(), lr=LR, weight_decay=DECAY)
    schedule, started = OneCycle(optimizer, setting["epochs"] * len(loader)), time.process_time()
    fit(model, loader, None, optimizer, schedule, setting["epochs"], progress=False)
    found = md.train.evaluate(model, data.DataLoader(sets[1], 100))
    return {
        "kind": kind,
        "seed": seed,
        "left out": left_out,
        "parameters": parameters(model),
        "epochs": setting["epochs"],
        "accuracy": round(found.accuracy, 4),
        "clips": len(test),
        "seconds": round(time.process_time() - started, 1),
    }


def logistic(hears: str, left_out: str | None) -> dict[str, Any]:
    """Logistic regression on 4 x 32 means of a spectrogram, trained to the end with all clips in each step."""
    parts = [data.spoken_digits(part, left_out=left_out) for part in ("train", "test")]
    rows = []
    for part in parts:
        quarters = []
        for wave in part.waves:
            whole = np.pad(wave, (0, max(0, 1000 - len(wave))))
            spectrogram = sound.log_mel(whole[None], part.rate, bands=32)
            (frames,) = sound.mean_free(spectrogram) if hears == "mean-free" else spectrogram
            quarters.append([each.mean(axis=1) for each in np.array_split(frames, 4, axis=1)])
        rows.append(np.reshape(np.array(quarters), (len(part), -1)))
    mean, std = rows[0].mean(axis=0), rows[0].std(axis=0) + 1e-6
    learn, test = (((each - mean) / std).astype(np.float32) for each in rows)
    model = nn.Linear(128, 10, rng=np.random.default_rng(0))
    optimizer = md.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(300):
        loss = F.cross_entropy(model(md.tensor(learn)), parts[0].labels) + 1e-3 * (model.weight * model.weight).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = model(md.tensor(test)).numpy().argmax(axis=1) == parts[1].labels
    return {
        "kind": "logistic",
        "left out": left_out,
        "parameters": parameters(model),
        "accuracy": round(float(right.mean()), 4),
    }


def pieces() -> tuple[np.ndarray, np.ndarray]:
    """Levels of one speaker to learn from, end to end, and to test on in rows of PIECE."""
    clips = [data.spoken_digits(part) for part in ("train", "test")]
    number = clips[0].speaker_names.index(SPEAKER)
    whole = [np.concatenate(each.subset(each.speakers == number).waves) for each in clips]
    learn, test = (sound.mu_law(each / np.abs(whole[0]).max()) for each in whole)
    return learn, test[: len(test) // PIECE * PIECE].reshape(-1, PIECE)


def counted(learn: np.ndarray, test: np.ndarray) -> list[dict[str, Any]]:
    """Bits a sample of the controls; of each row of the test part the first sample is given."""
    before, after = test[:, :-1], test[:, 1:]
    single = np.bincount(learn, minlength=256) + 1.0
    pairs = np.ones((256, 256))
    np.add.at(pairs, (learn[:-1], learn[1:]), 1)
    shares = {
        "unigram": (single / single.sum())[after],
        "one tap": (pairs / pairs.sum(axis=1, keepdims=True))[before, after],
    }
    return [{"kind": kind, "bits": round(float(-np.log2(share).mean()), 4)} for kind, share in shares.items()]


def next_sample(kind: str, seed: int) -> dict[str, Any]:
    """A network that tells the next sample, and its bits on the test part."""
    learn, test = pieces()
    model = models.wavenet_generator(width=WIDTH, dilations=NEXT[kind], rng=np.random.default_rng(seed))
    rng, optimizer = np.random.default_rng(1000 + seed), md.optim.Adam(model.parameters(), lr=LR)
    started = time.process_time()
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = LR * min(1, 2 * (1 - step / STEPS))
        starts = rng.integers(0, len(learn) - PIECE, PIECES)
        x, y = sound.next_samples(np.stack([learn[start : start + PIECE] for start in starts]))
        loss = F.cross_entropy(model(md.tensor(x)), y)
        optimizer.zero_grad()
        loss.backward()
        md.optim.clip_grad_norm(model.parameters(), 1.0)
        optimizer.step()
    seconds, losses = time.process_time() - started, list[float]()
    with md.no_grad():
        for at in range(0, len(test), 10):
            x, y = sound.next_samples(test[at : at + 10])
            losses += [F.cross_entropy(model(md.tensor(x)), y).item()] * len(x)
    (field,) = receptive_field(model, (1, PIECE)).size
    bits = round(float(np.mean(losses) / np.log(2)), 4)
    facts = {"kind": kind, "seed": seed, "parameters": parameters(model), "bits": bits, "sees": field, "steps": STEPS}
    facts |= {"seconds": round(seconds, 1), "samples": int(test[:, 1:].size)}
    return facts | (spoken(model.eval(), test[0], field, seed) if kind == "dilated" else {})


def spoken(model: nn.Module, levels: np.ndarray, field: int, seed: int) -> dict[str, Any]:
    """What a network says after the first GIVEN of these levels, as two hexadecimal digits a sample, and how fast."""
    first, rng = levels[:GIVEN], np.random.default_rng(2000 + seed)
    heard_so_far = sound.as_input(first)[None]

    def anew(new: np.ndarray) -> np.ndarray:
        nonlocal heard_so_far
        heard_so_far = np.concatenate([heard_so_far, new], axis=1)[:, -field:]
        with md.no_grad():
            return np.asarray(model(md.tensor(heard_so_far[None])).numpy())[0]

    found: dict[str, Any] = {}
    sound.generate(deploy.stream(model).push, first, 1)  # compiles
    for name, push, count in (("streamed", deploy.stream(model).push, SPOKEN), ("anew", anew, ANEW)):
        started = time.process_time()
        said = sound.generate(push, first, count, rng=rng)
        found[f"{name} samples a second"] = round(count / (time.process_time() - started))
        found.setdefault("said", bytes(said.tolist()[: 2 * GIVEN]).hex())
    return found | {"recorded": bytes(levels.tolist()).hex()}


def store(name: str, found: dict[str, Any]) -> None:
    """Add a result to the file, in place of an older one of the same network."""
    results = json.loads(FILE.read_text()) if FILE.exists() else {}
    results["where"] = {"python": platform.python_version(), "numpy": np.__version__, "threads": THREADS}
    key = ("kind", "seed", "left out")
    kept = [each for each in results.get(name, []) if any(each.get(part) != found.get(part) for part in key)]
    results[name] = [*kept, found]
    FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(name, found, flush=True)


def main(name: str, seeds: list[int], speakers: list[str]) -> None:
    """Measure what is compared in one of the tasks, for these seeds; of speakers all, or these."""
    md.set_num_threads(THREADS)
    split, hears = name.split()[0], "mean-free" if name.endswith("mean-free") else "log-mel"
    everybody: list[str | None] = [None] if split != "speakers" else list(speakers or SPEAKERS)
    if split in ("speakers", "official"):
        for left_out in everybody:
            store(name, logistic(hears, left_out))
    if name == "next":
        for control in counted(*pieces()):
            store(name, control)
    for seed, left_out, kind in product(seeds, everybody, KINDS):
        if name == "next":
            store(name, next_sample(kind, seed))
        else:
            store(name, named("wave" if name == "wave" else hears, kind, seed, left_out))


if __name__ == "__main__":
    words = sys.argv[2:]
    chosen = [word for word in words if not word.isdecimal()]
    main(sys.argv[1], [int(word) for word in words if word.isdecimal()], chosen)
