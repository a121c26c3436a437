"""The command line: `minidil train`, `eval`, `predict`, `data`, `plot`, `bench` and `doctor`; `main` in entry.py runs them."""

from minidil.cli.entry import main

__all__ = ["main"]
