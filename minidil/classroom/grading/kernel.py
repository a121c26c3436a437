"""The kernel that runs a submission: `python -m minidil.classroom.grading.kernel -f FILE`, its orders in $MINIDIL_GRADING.

It gives up its rights before the first cell, and shows nothing: what a student prints, were it gigabytes, goes nowhere. A result
is never read from an output.
"""

import importlib
import json
import os
import pkgutil
import sys
from pathlib import Path
from typing import Any

ORDERS = "MINIDIL_GRADING"


def main() -> None:
    """Connect to the grader, close the door, and be a kernel."""
    orders = json.loads(os.environ.pop(ORDERS))
    from ipykernel.displayhook import ZMQShellDisplayHook
    from ipykernel.kernelapp import IPKernelApp
    from ipykernel.zmqshell import ZMQDisplayPublisher
    from traitlets.config import Config

    import minidil
    from minidil.classroom.grading import fence, inside
    from minidil.kernels import backend

    if orders["checks"]:  # later they cannot be read
        _load_checks()
    inside.connect(orders["port"], orders["token"])
    del orders["token"]
    minidil.check = _checked_later
    backend.__dict__["_default"] = _numpy  # compiling anew for every student takes longer than the exercises do
    for shows, method in ((ZMQDisplayPublisher, "publish"), (ZMQShellDisplayHook, "__call__")):
        setattr(shows, method, _shows_nothing)
    config = Config()
    config.IPKernelApp.outstream_class = None  # print goes to this process's own standard output, which is nowhere
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "NoColor"
    app: Any = IPKernelApp.instance(config=config)
    app.initialize(sys.argv[1:])
    fence.limit(orders["memory"], orders["cpu_seconds"])
    fence.shut(Path(orders["own"]))
    app.start()


def _load_checks() -> None:
    """All that a check imports when it is called."""
    from minidil import classroom
    from minidil.classroom import register

    for module in pkgutil.iter_modules(classroom.__path__):
        if not module.ispkg:
            importlib.import_module(f"{classroom.__name__}.{module.name}")
    register.exercises()


class _Later:
    """What `minidil.check` answers here: the grader checks by itself."""

    def must_pass(self) -> None:
        """Say nothing."""


def _numpy() -> str:
    return "numpy"


def _checked_later(*_: Any, **__: Any) -> _Later:
    return _Later()


def _shows_nothing(*_: Any, **__: Any) -> None:
    return None


if __name__ == "__main__":
    main()
