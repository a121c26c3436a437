"""Drawing takes longer than the smallest runs: most tests go without."""

from pathlib import Path

import pytest

from minidil import train


@pytest.fixture
def quick_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let curves.png be a few bytes."""

    def draw(folder: train.RunFolder, history: train.History) -> None:
        Path(folder.path / "curves.png").write_bytes(b"curves")

    monkeypatch.setattr(train.RunFolder, "draw", draw)
