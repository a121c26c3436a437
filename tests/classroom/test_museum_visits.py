"""What a student's tests can do to the museum, and what it says of them."""

import json
import os
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from minidil.classroom.museum import room
from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.notes import NEVER
from minidil.classroom.museum.rooms import Rooms
from minidil.classroom.museum.visit import PATIENCE, chosen, visit
from minidil.cli import main
from minidil.errors import OptionError

pytestmark = pytest.mark.slow  # every visit begins with a process that imports the library
REFERENCE = Path(__file__).with_name("museum_reference.py")
GOOD = """
    import numpy as np
    import minidil.functional as F

    def test_span():
        assert F.conv(np.ones((1, 1, 9)), np.ones((1, 1, 3)), dilation=2).shape == (1, 1, 5)
"""
IF_WRONG = "WRONG = Window.of((9,), 3, 1, 0, 2).span != (5,)"


@pytest.fixture
def written(tmp_path):
    """A file of tests with this text."""

    def write(text, name="my_tests.py"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def rooms():
    """Two, for all tests of this file."""
    with Rooms() as opened:
        yield opened


@pytest.fixture
def one(rooms):
    """The verdict on one mutant."""
    return lambda path, **options: visit(path, chosen(["span-kd"]), rooms=rooms, **options).verdicts[0]


@pytest.fixture(scope="module")
def reference(rooms):
    """The reference tests, all of them against all mutants."""
    return visit(REFERENCE, every=True, rooms=rooms)


@pytest.mark.long
def test_every_mutant_dies_by_its_reference_test(reference):
    """test_span_kd kills span-kd, and so on."""
    for verdict in reference.verdicts:
        own = "test_" + verdict.mutant.name.replace("-", "_")
        assert own in {name.partition("[")[0] for name in verdict.killed_by}, verdict
    assert reference.killed == len(EXHIBITS)


@pytest.mark.long
def test_which_other_tests_kill_which_mutants(reference):
    """Most tests are about one mistake; these are about several."""
    others = {}
    for verdict in reference.verdicts:
        own = "test_" + verdict.mutant.name.replace("-", "_")
        found = sorted({name.partition("[")[0] for name in verdict.killed_by} - {own})
        others |= {verdict.mutant.name: found} if found else {}
    assert others == {
        "span-kd": ["test_causal_halved", "test_field_largest", "test_just_fits", "test_same_undilated"],
        "col2im-assign": ["test_field_largest"],
        "reused-node": ["test_gradcheck_float32"],
        "gradcheck-float32": [
            "test_broadcast_mean",
            "test_constant_moments",
            "test_gradcheck_unseeded",
            "test_reused_node",
        ],
    }


@pytest.mark.parametrize(
    "text", ["", "def check():\n    pass\n", "import pytest\npytest.skip(allow_module_level=True)\n"]
)
def test_all_mutants_survive_where_there_is_no_test(written, rooms, capsys, text):
    """An empty file, one without test_, and one that skips itself."""
    path = written(text)
    found = visit(path, rooms=rooms)
    assert (found.tests, found.killed, len(found.verdicts)) == (0, 0, len(EXHIBITS))
    if not text:
        assert main(["exercises", "mutants", str(path), "--only", "span-kd"]) == 1
        assert "There is no test here: a test is a function whose name begins with test_" in capsys.readouterr().out


REFUSED = {
    "a syntax error": ("def test_a(:\n", "the file cannot be read: SyntaxError: invalid syntax"),
    "an import that fails": (
        "import no_such_thing\n",
        "cannot be read: ModuleNotFoundError: No module named 'no_such_thing'",
    ),
    "an assertion while it is read": ("assert 1 == 2\n", "the file cannot be read: assert 1 == 2"),
    "a test that fails": (
        GOOD + "\n    def test_wrong():\n        assert 1 + 1 == 3\n",
        "test_wrong fails although the library is right, so it would say nothing of a mutant: assert (1 + 1) == 3",
    ),
    "a fixture that fails": (
        "import pytest\n@pytest.fixture\ndef thing():\n    raise KeyError('no')\ndef test_a(thing):\n    pass\n",
        "test_a fails although the library is right",
    ),
    "chance": (
        "from pathlib import Path\n"
        "def test_luck():\n    seen = Path(__file__).with_name('seen')\n    first = not seen.exists()\n"
        "    seen.touch()\n    assert first\n",
        "test_luck passed once and failed once with the same library; draw its numbers from a generator with a seed",
    ),
    "sys.exit while it is read": ("import sys\nsys.exit(0)\n", "before the first test the process ended"),
    "the end of the process": ("import os\ndef test_end():\n    os._exit(0)\n", "in test_end the process ended"),
    "a test without end": (
        "def test_loop():\n    while True:\n        pass\n",
        "in test_loop more than 3 seconds had passed, although the library is right",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_tests_that_fail_with_the_right_library_are_refused_by_name(written, one, what):
    """They would kill every mutant, and say nothing."""
    text, says = REFUSED[what]
    with pytest.raises(OptionError) as refused:
        one(written(text), patience=3.0 if what == "a test without end" else PATIENCE)
    assert says in str(refused.value)


KILLED = {
    "an assertion": (GOOD, "failed", ("test_span",)),
    "an error of minidil's": (
        "import numpy as np\nimport minidil.functional as F\n"
        "def test_fits():\n    F.conv(np.ones((1, 1, 5)), np.ones((1, 1, 3)), dilation=2)\n",
        "failed",
        ("test_fits",),
    ),
    "while the file is read": (
        f"from minidil.kernels.geometry import Window\n{IF_WRONG}\nassert not WRONG\ndef test_nothing():\n    pass\n",
        "while the file was read",
        (),
    ),
    "by ending the process": (
        f"import os\nfrom minidil.kernels.geometry import Window\n{IF_WRONG}\ndef test_end():\n    WRONG and os._exit(0)\n",
        "by ending the process",
        ("test_end",),
    ),
    "by never ending": (
        f"import time\nfrom minidil.kernels.geometry import Window\n{IF_WRONG}\n"
        "def test_wait():\n    while WRONG:\n        pass\n",
        "by never ending",
        ("test_wait",),
    ),
}


@pytest.mark.parametrize("how", KILLED)
def test_how_a_mutant_can_die(written, one, monkeypatch, how):
    """By a test that passes without it, however that fails."""
    if how == "by never ending":
        monkeypatch.setattr("minidil.classroom.museum.visit._LEAST_PATIENCE", 3.0)
    text, way, by = KILLED[how]
    verdict = one(written(text))
    assert (verdict.killed, verdict.how, verdict.killed_by) == (True, way, by)


def test_nothing_is_left_beside_the_tests_and_what_they_print_goes_nowhere(written, one, capfd):
    """No caches, no examples of Hypothesis, no output; and a helper beside the file can be imported."""
    written("LONG = 'x' * 10_000_000\n", "helper.py")
    path = written(
        """
        import os
        import sys
        import numpy as np
        import minidil.functional as F
        from hypothesis import given, strategies as st
        from helper import LONG

        @given(st.integers(1, 4))
        def test_span(d):
            print(LONG)
            os.write(2, LONG.encode())
            assert not sys.argv[1:]
            assert F.conv(np.ones((1, 1, 9)), np.ones((1, 1, 3)), dilation=d).shape == (1, 1, 9 - 2 * d)
        """
    )
    before = sorted(os.listdir(path.parent))
    assert one(path).killed_by == ("test_span",)
    assert sorted(os.listdir(path.parent)) == before
    assert capfd.readouterr() == ("", "")


def test_settings_of_the_project_around_the_tests_do_not_count(written, one):
    """They are for other tests."""
    written("[pytest]\naddopts = --no-such-option\n", "pytest.ini")
    assert one(written(GOOD)).killed


def test_a_child_of_a_test_ends_with_it(written, one, tmp_path):
    """Whatever a test has started is gone when the visit is over."""
    path = written(
        """
        import subprocess, sys, time
        from pathlib import Path

        def test_leaves_one():
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            Path(__file__).with_name("child").write_text(str(child.pid))
        """
    )
    assert not one(path).killed
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(child)


def _running(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_the_command_says_what_was_found(written, capsys, monkeypatch, tmp_path):
    """A table, a mutant to go on with, a document; and an exit code of 1 as long as one survives."""
    monkeypatch.setenv("COLUMNS", "30")
    path, document = written(GOOD), tmp_path / "found.json"
    arguments = ["exercises", "mutants", str(path), "--only", "span-kd", "winograd-nan"]
    assert main([*arguments, "--json", str(document)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 test passed with the library")
    assert [line for line in lines if line.endswith(("killed", "survives", "killed."))] == [
        "span-kd       killed",
        "winograd-nan  survives",
        "1 of 2 killed.",
    ]
    assert all(len(line) <= 30 or " " not in line.strip() for line in lines)
    assert "\n".join(lines).split("winograd-nan survives,")[1]
    found = json.loads(document.read_text())
    assert (found["tests"], found["killed"], found["backend"]) == (1, 1, "numpy")
    first, second = found["mutants"]
    assert (first["name"], first["killed"], first["by"], first["how"]) == ("span-kd", True, ["test_span"], "failed")
    assert first["reason"].startswith("assert (1, 1, 4) == (1, 1, 5)")
    assert (second["name"], second["killed"], second["by"]) == ("winograd-nan", False, [])
    assert main(["exercises", "mutants", str(path), "--only", "span-kd", "--backend", "numba"]) == 0


def test_what_the_student_begins_with_kills_one(rooms):
    """The example in my_tests.py is a good test, and says nothing of most others."""
    shown = chosen(["span-kd", "dilation-zero", "col2im-assign", "reused-node", "warmup-from-zero"])
    found = visit(Path(__file__).parents[2] / "chapters" / "exercises" / "museum" / "my_tests.py", shown, rooms=rooms)
    assert [verdict.mutant.name for verdict in found.verdicts if verdict.killed] == ["span-kd"]


def test_a_mutant_that_cannot_be_planted_is_no_kill(written, capfd):
    """A visit that does not come to the tests ends everything, and is not counted."""
    unknown = replace(EXHIBITS[0], name="unknown")
    with pytest.raises(OptionError, match="the process that runs the tests has ended, with exit code 1"):
        visit(written(GOOD), [unknown], jobs=1)
    assert "the visit to unknown did not come to the tests" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "ended", "failed"), [(GOOD, "", ["test_span"]), ("import time\ntime.sleep(60)\n", NEVER, [])]
)
def test_where_forking_is_not_safe_a_child_imports_everything_itself(
    written, tmp_path, monkeypatch, text, ended, failed
):
    """As on other systems than Linux."""
    monkeypatch.setattr(room, "_Fork", room._Spawn)
    monkeypatch.setattr("sys.argv", ["room", "numpy"])
    notes = tmp_path / "notes"
    notes.mkdir()
    found = room._visit(str(written(text)), notes, "span-kd", True, 10.0 if ended else 60.0)
    assert (found.ended, list(found.failed)) == (ended, failed)
