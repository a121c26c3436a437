"""`minidil deploy`: the plan of a network, in words and as JSON."""

from __future__ import annotations

import json

import pytest
from command_line import refused

from minidil.cli import main

pytest.importorskip("numba")


def test_the_plan_of_weights_that_come_with_minidil(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "vgg_small", "--plan"]) == 0
    first, *steps, last = capsys.readouterr().out.splitlines()
    assert first.startswith("plan of VGG for (3, 32, 32), float32: 9 steps for 23 calls; ")
    assert steps[1].split()[:8] == ["2", "winograd", "conv", "+", "batch_norm", "+", "relu", "+"]
    words, _, off = last.rpartition(": ")
    assert words == "largest difference from the network on 8 random images"
    assert float(off) < 1e-4  # of logits up to about 20


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "vgg_small", "--plan", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["input_shape"] == [3, 32, 32]
    assert found["not_fused"] == []
    assert found["numbers"] < found["numbers_without_reuse"]
    assert found["steps"][0] == {
        "way": "direct",
        "calls": ["conv", "batch_norm", "relu"],
        "layers": ["features.0", "features.1", "features.2"],
        "shape": [64, 32, 32],
    }


def test_nothing_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert "say what to make of the network, as in --plan" in refused(capsys, "deploy", "vgg_small")
