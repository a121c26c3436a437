"""What is analysed here is small: on the reference backend nothing has to be compiled or loaded first."""

from collections.abc import Iterator

import pytest

import minidil as md


@pytest.fixture(autouse=True)
def _reference() -> Iterator[None]:
    with md.use("numpy"):
        yield
