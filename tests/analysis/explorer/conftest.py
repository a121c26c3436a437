"""One browser for all tests of the explorer."""

from collections.abc import Iterator

import chromium
import pytest


@pytest.fixture(scope="session")
def started() -> Iterator[chromium.Browser]:
    if reason := chromium.missing():
        pytest.skip(reason)
    browser = chromium.Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(started: chromium.Browser) -> chromium.Browser:
    """As it is on a desk; what an earlier test has set is undone."""
    started.devtools("Emulation.setScriptExecutionDisabled", value=False)
    started.devtools("Emulation.setEmulatedMedia", features=[])
    started.devtools("Emulation.setDeviceMetricsOverride", width=1280, height=900, deviceScaleFactor=1, mobile=False)
    started.log()
    return started
