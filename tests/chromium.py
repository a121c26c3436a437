"""A headless Chromium, driven over WebDriver (https://www.w3.org/TR/webdriver2/) with the standard library alone."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the protocol has for an element
KEYS = {"Tab": "\ue004", "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015", "Space": "\ue00d"}


def missing() -> str | None:
    """What is not installed, or None."""
    if not any(map(shutil.which, PROGRAMS)):
        return "there is no Chromium here"
    return None if shutil.which("chromedriver") else "there is no chromedriver here"


class Browser:
    """One window. Raises: RuntimeError with what the browser says where it refuses something."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self._driver.stdout is not None
        port = next(
            found[1] for line in self._driver.stdout if (found := re.search(r"successfully on port (\d+)", line))
        )
        self._root = f"http://127.0.0.1:{port}/session"
        program = next(filter(None, map(shutil.which, PROGRAMS)))
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self._folder.name}"]
        wanted = {"goog:chromeOptions": {"binary": program, "args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        try:
            started = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        except RuntimeError:
            self._stop()
            raise
        self._root += f"/{started['sessionId']}"

    def _ask(self, method: str, place: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._root + place, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except OSError as error:
            said = error.read().decode() if hasattr(error, "read") else str(error)  # type: ignore[attr-defined]
            raise RuntimeError(f"{method} {place}: {said}") from error

    def close(self) -> None:
        try:
            self._ask("DELETE", "")
        finally:
            self._stop()

    def _stop(self) -> None:
        self._driver.terminate()
        self._driver.wait(10)
        assert self._driver.stdout is not None
        self._driver.stdout.close()
        self._folder.cleanup()

    def open(self, path: Path, state: str = "") -> None:
        """Load a file, with what stands behind # in its address; it is loaded anew even if only that differs."""
        self._ask("POST", "/url", {"url": "about:blank"})
        self._ask("POST", "/url", {"url": path.as_uri() + (f"#{state}" if state else "")})

    def run(self, script: str, *arguments: object) -> Any:
        """What the body of a function returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def enter(self, frame: int | None) -> None:
        """Turn to a frame of the page, by its number, or back to the page."""
        self._ask("POST", "/frame", {"id": frame})

    def text(self, id: str) -> str:
        """What stands in an element, shown or not."""
        return str(self.run("return document.getElementById(arguments[0]).textContent", id))

    def press(self, *keys: str) -> None:
        """Type keys, by the names in KEYS or as characters, to what has the focus."""
        typed = [KEYS.get(key, key) for key in keys]
        actions = [{"type": act, "value": key} for key in typed for act in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def devtools(self, command: str, **parameters: object) -> Any:
        """A command of Chromium's own protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self) -> list[str]:
        """Errors and warnings since the last call."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path: Path) -> None:
        """All of the page, as PNG."""
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))
