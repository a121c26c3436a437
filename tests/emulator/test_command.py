"""What the command says of a script that does not get as far as a kernel, or is stopped on the way."""

import pytest

from minidil.emulator.__main__ import main

BEGIN = "import numpy as np\nfrom numba import cuda\n\n@cuda.jit\ndef one(x):\n    x[0] = 1\n\n"


@pytest.fixture
def said(tmp_path, capsys):
    def of(script):
        file = tmp_path / "script.py"
        file.write_text(script)
        code = main([str(file)])
        return code, *capsys.readouterr()

    return of


def test_a_script_without_a_launch_was_not_checked(said):
    code, out, _ = said(BEGIN)
    assert code == 0
    assert "no kernel was launched, so nothing was checked" in out
    assert "nothing found" not in out


def test_a_launch_that_is_refused_is_named_with_its_line(said):
    code, out, err = said(BEGIN + "one[1, 2048](np.zeros(4))\n")
    assert code == 2
    assert "a GPU refuses to launch" in err
    assert "  reached from script.py:8: one[1, 2048](np.zeros(4))" in err
    assert "the script was stopped before a kernel ran" in out


@pytest.mark.parametrize("fault", ["one(np.zeros(4))", "1 / 0", "def two(:"])
def test_an_error_of_the_script_reads_as_if_python_had_run_it(said, fault):
    code, _, err = said(BEGIN + fault + "\n")
    assert code == 2
    assert 'script.py", line 8' in err
    assert "minidil" not in err
    assert "runpy" not in err
