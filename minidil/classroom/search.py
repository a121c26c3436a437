"""Drawing cases with hypothesis, and making one that fails smaller, until the time is up."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from minidil.classroom.budget import Budget
from minidil.classroom.draw import Draw
from minidil.errors import BackendError

CASES = 100  # that are drawn; a failure is made smaller with some more


# Numbers are drawn from here on: hypothesis prefers numbers that stand in the files of a program, and none stand here. So the
# cases do not depend on what else is imported.
_FAR = 3_141_592_653_589_793


class _Enough(BaseException):
    """Leaves hypothesis, which lets through what is no Exception."""


class _WrongError(Exception):
    """Tells hypothesis that a case fails."""


def ready() -> None:
    """Import what draws the cases, so that the time for it is not the student's. Raises: BackendError if it is not installed."""
    try:
        import hypothesis  # noqa: F401
    except ImportError as error:
        raise BackendError("check draws its cases with hypothesis: pip install 'minidil[classroom]'") from error


def search(
    cases: Callable[[Draw], dict[str, Any]],
    attempt: Callable[[dict[str, Any]], str],
    budget: Budget,
    count: int = CASES,
    reserve: float = 0.0,
) -> bool:
    """Draw `count` cases and try them. attempt: "right", "wrong" (so make it smaller) or "stop".

    The same seed draws the same cases. reserve: seconds that are to be left of the budget.
    Returns whether the time was up before all were tried.
    """
    import hypothesis
    from hypothesis import HealthCheck, Phase, Verbosity, settings
    from hypothesis import strategies as st

    # A hypothesis error is the student's function changing its mind from call to call; what was tried is on record.
    @hypothesis.seed(budget.seed)
    @settings(
        max_examples=count,
        derandomize=False,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
    )
    @hypothesis.given(st.data())
    def one(data: Any) -> None:
        if budget.left < reserve:
            raise _Enough
        verdict = attempt(cases(Draw(lambda low, high: int(data.draw(st.integers(_FAR + low, _FAR + high))) - _FAR)))
        if verdict == "stop":
            raise _Enough
        if verdict == "wrong":
            raise _WrongError

    with _reading_no_files(), contextlib.suppress(_WrongError, _Enough, hypothesis.errors.HypothesisException):
        one()
    return budget.left < reserve


@contextlib.contextmanager
def _reading_no_files() -> Iterator[None]:
    """Keep hypothesis from reading the program's files for numbers, which takes a second and leaves a folder behind."""
    from hypothesis.internal.conjecture import providers

    read, known = (getattr(providers, name, None) for name in ("_get_local_constants", "_local_constants"))
    if read is None or known is None:  # another version, which may do without it
        yield
        return
    providers._get_local_constants = lambda: known
    try:
        yield
    finally:
        providers._get_local_constants = read
