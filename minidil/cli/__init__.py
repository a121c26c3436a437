"""The command line; `main` in entry.py runs `train`, `eval`, `predict`, `inspect`, `data`, `plot`, `bench` and `doctor`."""

from minidil.cli.entry import main

__all__ = ["main"]
