"""The guided tour: the museum's README, written from the exhibits so that it shows what they show."""

import re

from minidil.classroom.museum.exhibits import EXHIBITS
from minidil.classroom.museum.mutant import Mutant, changed_lines

_HEAD = """# The bug museum

Every exhibit is a mistake that somebody really made: in a library that thousands use, in a tutorial, in a course. Each is shown
as one changed place in a function of minidil, a *mutant*, with what it does to numbers and where it comes from. Hardly one of
them raises an error: they make another number, and those who made them had tests.

**Your task: write the tests that would have found them.** Put them into `my_tests.py`, which has one to begin with, and ask

    minidil exercises mutants my_tests.py

which mutants they kill. A test kills a mutant by failing with it; without the mutant it must pass, and keep passing, so tests are
first run, twice, against the library as it is. `--only NAME` shows them one mutant, `--list` what there is, and
`--list --only NAME` one exhibit with the lines around it. A run takes well under a minute on two cores.

- Import minidil as you always do. There is nothing to plant: each mutant is put into the library, in a process of its own, before
  your file is read.
- Test what a function *computes*, not how it is written: the mistake could have been made in another line.
- A good test kills its mutant by a wide margin, and says in its name what must hold. Where you need random numbers, give the
  generator a seed.
- Three kinds of test find nearly everything here: a result that you can work out on paper; a second way to compute the same
  (loops, a difference quotient, the adjoint); and a case at the edge (a size that is just enough, NaN, infinity, a transposed
  view, a value used twice, a batch that is smaller than the others).
- Some tests kill several mutants, and no test kills all. Which is the shortest file that kills everything?

You run NumPy's kernels here, the definition of what every backend computes. The number in brackets is the chapter that teaches
what an exhibit gets wrong.
"""


def tour() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *map(_exhibit, EXHIBITS)])


def _exhibit(mutant: Mutant) -> str:
    right, wrong = changed_lines(mutant)
    lines = [f"## {mutant.name} (chapter {mutant.chapter})", "", mutant.says, ""]
    met = "" if mutant.met_in == mutant.replaces else f"You meet it in `{mutant.met_in}`. "
    lines += [f"{met}In `{mutant.replaces}`:", "", "```diff"]
    lines += [f"- {line}".rstrip() for line in right]
    lines += [f"+ {line}".rstrip() for line in wrong]
    lines += ["```", "", f"*Origin.* {_linked(mutant.origin)}", ""]
    return "\n".join(lines)


def _linked(text: str) -> str:
    """With a link wherever an issue or a paper is named."""
    text = re.sub(r"github\.com/[\w./-]*\w", r"[\g<0>](https://\g<0>)", text)
    return re.sub(r"arXiv:(\d{4}\.\d{5})", r"[\g<0>](https://arxiv.org/abs/\1)", text)
