"""Settings shared by every test: reproducible examples, and one run of a test per CPU backend."""

import os
from collections.abc import Iterator

import matplotlib
import pytest
from hypothesis import HealthCheck, settings

import minidil as md

matplotlib.use("Agg")
os.environ.pop("COLUMNS", None)  # no test depends on the width of a terminal
USUAL = md.backend()
settings.register_profile(
    "minidil",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("quick", settings.get_profile("minidil"), max_examples=12)
settings.load_profile("minidil")


def pytest_configure(config: pytest.Config) -> None:
    """The fast part draws a third of the examples; all of them are for plain `pytest`."""
    settings.load_profile("quick" if "not slow" in config.option.markexpr else "minidil")


@pytest.fixture(params=["numpy", "numba"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once on every backend that works on a CPU."""
    with md.use(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """No test depends on what another one drew, and none leaves another backend behind."""
    md.seed(0)
    assert md.backend() == USUAL, "a test before this one has left another backend"
    yield
    assert md.backend() == USUAL, "this test leaves another backend than it found"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is long is slow as well, so that `-m "not slow"` leaves out both."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)
