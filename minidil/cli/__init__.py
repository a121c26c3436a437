"""The command line; `main` in entry.py runs `train`, `eval`, `predict`, `inspect`, `plan`, `data`, `deploy`, `sweep`, `plot`,
`bench`, `doctor`, `exercises`, `book`."""

from minidil.cli.entry import main

__all__ = ["main"]
