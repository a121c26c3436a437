"""Kernels run in the emulator, wherever the tests run; without the packages that compile them they are skipped."""

import pytest

from minidil.kernels.cuda.target import problem


@pytest.fixture(autouse=True)
def _emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := problem("emulator"):
        pytest.skip(f"cuda {missing}")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
