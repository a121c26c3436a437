"""`minidil inspect`: what an output of a network sees, as a table, a picture, a page and a document."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import refused

import minidil as md
from minidil import models
from minidil.cli import main

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    """Nothing has to be compiled or loaded."""
    with md.use("numpy"):
        yield


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["inspect", *words]) == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.slow
def test_the_table_the_picture_and_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    png, html = tmp_path / "seen.png", tmp_path / "seen.html"
    out = lines(capsys, "vgg_small", "--png", str(png), "--html", str(html))
    assert "features.17  Conv2d         (1, 256, 8, 8)      46     4    -21    1,024   0.0 %" in out
    assert "layer        kind           output shape      size  jump  start  reached  unseen" in out
    assert any(
        line.startswith("vgg_small: output 4,4 of layer features.17 sees a field of 46 x 46; 1,024 of") for line in out
    )
    assert out[-2:] == [f"drawn: {png}", f"written: {html}"]
    assert png.read_bytes().startswith(PNG)
    model = models.build("vgg_small", 10, 3)
    assert html.read_text(encoding="utf-8") == md.analysis.explore(model, (3, 32, 32), name="vgg_small").html()


@pytest.mark.slow
def test_another_input_and_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    out = "\n".join(lines(capsys, "resnet_small", "--input-shape", "1", "12", "20", "--json", "-"))
    seen = json.loads(out)["seen"]
    assert seen["input_shape"] == [1, 12, 20]
    assert seen["layers"][0] == {
        "name": "conv1",
        "kind": "Conv2d",
        "output_shape": [1, 16, 12, 20],
        "size": [3, 3],
        "jump": ["1", "1"],
        "start": [-1, -1],
        "reached": 9,
        "unseen": 0.0,
    }
    assert (seen["from"], seen["field"], seen["holes"]) == ("layer3.2.conv2", "81 × 81", [[], []])


def test_in_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    out = lines(capsys, "vgg_small")
    assert "features.17    46   0.0 %" in out
    assert max(map(len, out)) <= 30


@pytest.mark.long
@pytest.mark.parametrize(("name", "size"), [("vgg16", "212"), ("resnet18", "435"), ("efficientnet_lite0", "851")])
def test_networks_for_large_pictures(name: str, size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    html = tmp_path / "seen.html"
    out = lines(capsys, name, "--html", str(html), "--png", str(tmp_path / "seen.png"))
    assert any(f"sees a field of {size} x {size}; " in line for line in out)
    assert html.stat().st_size < 120_000
    assert (tmp_path / "seen.png").read_bytes().startswith(PNG)


def test_where_nothing_can_be_written_or_drawn_nothing_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--png a.txt: a picture is a file that ends in" in refused(capsys, "inspect", "vgg_small", "--png", "a.txt")
    nowhere = str(tmp_path / "no" / "a.html")
    assert "there is no folder" in refused(capsys, "inspect", "vgg_small", "--html", nowhere)
    words = ("inspect", "vgg_small", "--input-shape", "3")
    assert "--input-shape must be channels and positions, each >= 1, as in 3 224 224, got 3" in refused(capsys, *words)
    md.checkpoint.save(tmp_path / "any.npz", {"a": 1})
    page = str(tmp_path / "a.html")
    said = refused(capsys, "inspect", str(tmp_path / "any.npz"), "--html", page)
    assert "--html: a file is no network, so there is nothing that it sees" in said
    assert list(tmp_path.iterdir()) == [tmp_path / "any.npz"]
