"""Running commands in this process."""

import pytest

from minidil.cli import main

TINY = ("--widths", "4", "--dilations", "2", "--backend", "numpy", "--batch-size", "128")
"""A network for digits that learns little, fast."""


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a command is refused, with exit code 2."""
    capsys.readouterr()
    try:
        code = main(words)
    except SystemExit as stop:  # argparse leaves this way
        code = stop.code if isinstance(stop.code, int) else -1
    err = capsys.readouterr().err
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err
