"""Who lets the library do the exercise?"""

import inspect
import pkgutil

import pytest

from minidil.classroom.grading.library import called, named, where
from minidil.classroom.register import exercises

UNFOLD = "minidil.functional.unfold"


@pytest.mark.parametrize(
    "source",
    [
        "import minidil\nminidil.functional.unfold(x, 3)",
        "import minidil as md\ny = md.functional.unfold(x, 3)",
        "import minidil.functional as F\nF.unfold(x, 3)",
        "from minidil import functional\nfunctional.unfold(x)",
        "from minidil.functional import unfold",
        "from minidil.functional import unfold as u\nu(x)",
        "import minidil as md\nF = md.functional\ng = F.unfold\ng(x)",
        "%matplotlib inline\n!ls\nimport minidil as md\ndef f(x):\n    return md.functional.unfold(x)",
    ],
)
def test_names_are_followed_through_their_aliases(source: str) -> None:
    assert named([source], (UNFOLD, "minidil.functional.conv")) == [UNFOLD]


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nnp.unfold(x)",
        "# minidil.functional.unfold",
        "unfold = 3",
        "def f(:",
        "import minidil\nminidil.functional",
        "",
    ],
)
def test_what_only_looks_like_it_is_not_named(source: str) -> None:
    assert named([source], (UNFOLD,)) == []


def test_aliases_may_be_made_in_other_cells_and_uses_there_do_not_count() -> None:
    imports = "import minidil as md\nfrom minidil.functional import unfold as u"
    assert named(["def f(x):\n    return md.functional.unfold(x)", "not Python:"], (UNFOLD,), [imports]) == [UNFOLD]
    assert named(["def f(x):\n    return u(x)"], (UNFOLD,), [imports, "def g(:"]) == [UNFOLD]
    assert named(["def f(x):\n    return x"], (UNFOLD,), [imports, "md.functional.unfold(x)"]) == []


def test_whatever_is_used_of_the_classroom_is_named() -> None:
    source = "from minidil.classroom.register import exercise\nmy_im2col = exercise('ex03_2').expected"
    assert named([source], (UNFOLD,)) == ["minidil.classroom.register.exercise"]
    assert named(["import minidil\nminidil.check('ex03_2', f)"], (UNFOLD,)) == []


def test_a_call_is_known_by_the_code_that_ran() -> None:
    assert where(UNFOLD) == "ops/columns.py:unfold"
    assert called(["ops/columns.py:unfold", "x.py:y"], (UNFOLD, "minidil.functional.conv")) == [UNFOLD]
    assert where("minidil.nothing.there") == ""
    assert called([""], ("minidil.nothing.there",)) == []


def test_every_exercises_forbidden_names_exist() -> None:
    names = {name for each in exercises() for name in each.forbidden}
    found = {name: pkgutil.resolve_name(name) for name in names}  # raises if there is none
    functions = [name for name, it in found.items() if inspect.isfunction(it) and name.startswith("minidil.")]
    assert functions
    assert [name for name in functions if not where(name)] == []
