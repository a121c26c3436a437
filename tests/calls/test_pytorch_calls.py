"""Calls as PyTorch's documentation spells them, by position and by name: each gives its answer, or an error of ours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_samples as samples

import minidil as md
from minidil.errors import MinidilError

TABLE = json.loads(Path(__file__).with_name("pytorch_calls.json").read_text(encoding="utf-8"))["calls"]


def answer(row: dict[str, Any]) -> Any:
    room, name = row["call"].split(".")
    decode = samples.decoder(md)
    named = {key: decode(value) for key, value in row["named"].items()}
    return samples.encoded(samples.act(md, room, name, row.get("on"))(*map(decode, row["given"]), **named))


def differs(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return True
        return any(differs(f, w) for f, w in zip(found, wanted, strict=True))
    if not isinstance(wanted, dict):
        return bool(found != wanted)
    if not isinstance(found, dict) or any(found[key] != wanted[key] for key in ("dtype", "shape")):
        return True
    return "data" in wanted and not np.allclose(found["data"], wanted["data"], rtol=1e-4, atol=1e-5, equal_nan=True)


def written(row: dict[str, Any]) -> str:
    """The call as one would write it."""
    given = [json.dumps(value) for value in row["given"]] + [f"{k}={json.dumps(v)}" for k, v in row["named"].items()]
    return f"{row.get('on', '')} {row['call']}({', '.join(given)})".strip()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, str]:
    """What became of every call: "same", "refused: ..." with the message, or how it went wrong."""
    return {written(row): outcome(row) for row in TABLE}


def outcome(row: dict[str, Any]) -> str:
    try:
        found = answer(row)
    except MinidilError as error:
        return f"refused: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"{str(found)[:200]} and not {str(row['gives'])[:200]}" if differs(found, row["gives"]) else "same"


def test_every_call_gives_what_pytorch_gives_or_is_refused(outcomes: dict[str, str]) -> None:
    wrong = {call: what for call, what in outcomes.items() if what != "same" and not what.startswith("refused: ")}
    assert wrong == {}


def test_most_calls_work(outcomes: dict[str, str]) -> None:
    assert sum(what == "same" for what in outcomes.values()) >= 1350


def test_an_argument_that_there_is_not_comes_with_advice(outcomes: dict[str, str]) -> None:
    without = {call: what for call, what in outcomes.items() if "there is no argument" in what and what.count(": ") < 3}
    assert without == {}


def test_every_function_that_works_under_pytorchs_name_is_called() -> None:
    """All names that minidil answers to are in the table, but those without arguments to vary, and constructors of containers."""
    listed = json.loads((Path(__file__).parents[1] / "names" / "pytorch_names.json").read_text(encoding="utf-8"))
    rooms = {"functional": md.functional, "minidil": md, "Tensor": md.tensor([1.0]), "nn": md.nn, "optim": md.optim}
    aside = {
        "Tensor",
        "T",
        "bool",
        "backward",
        "data",
        "dtype",
        "grad",
        "is_leaf",
        "ndim",
        "requires_grad",
        "retain_grad",
        "shape",
        "is_grad_enabled",
        "manual_seed",
        "no_grad",
        "seed",
        "set_num_threads",
        "nn",
        "optim",
        "Module",
        "ModuleDict",
        "ModuleList",
        "Parameter",
        "ParameterList",
        "Sequential",
        "init",
        "utils",
        "Optimizer",
        "lr_scheduler",
        "adaptive_avg_pool1d",
        "avg_pool1d",
        "batch_norm",
        "binary_cross_entropy_with_logits",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "dropout",
        "layer_norm",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "from_numpy",
        "einsum",
    }
    missing = [
        f"{room}.{name}"
        for room, place in rooms.items()
        for name in listed[room].split()
        if name not in aside and hasattr(place, name) and f"{room}.{name}" not in {row["call"] for row in TABLE}
    ]
    assert missing == []
