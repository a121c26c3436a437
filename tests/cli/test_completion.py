"""Completion scripts for shells."""

import subprocess
import sys

import pytest
from command_line import refused

from minidil.cli import main
from minidil.cli.completion import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_knows_commands_options_and_choices(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", shell])
    assert stop.value.code == 0
    script = capsys.readouterr().out
    for word in ("predict", "doctor", "batch-size", "one-cycle", "fashion_mnist", "no-flip"):
        assert word in script


def test_bash_completes_what_was_begun(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit):
        main(["--print-completion", "bash"])
    script = capsys.readouterr().out
    asking = "COMP_WORDS=(minidil train --sch); COMP_CWORD=2; _shtab_minidil minidil --sch train; echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash", "-c", f"{script}\n{asking}"], capture_output=True, text=True, check=True)
    assert done.stdout == "--schedule\n"


def test_without_shtab_the_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    line = refused(capsys, "--print-completion", "bash")
    assert line == "minidil: --print-completion needs shtab; pip install 'minidil[completion]'\n"
    assert "did you mean 'bash' or 'zsh'?" in refused(capsys, "--print-completion", "bsh")
