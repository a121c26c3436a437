"""Saying what is wrong, kindly and exactly: each kind of failure in words that say where to look next."""

from collections.abc import Mapping
from typing import Any, Protocol

from minidil.classroom.compare import Difference
from minidil.classroom.exercise import Exercise, Mistake
from minidil.classroom.guard import Outcome
from minidil.classroom.report import Block, Say
from minidil.classroom.result import Result
from minidil.classroom.show import case_blocks, result_blocks
from minidil.classroom.watch import TimedOut

_MEANS = {
    "IndexError": "An index lies beyond the end of something: does a loop run one step too far, or is a size computed too large?",
    "ZeroDivisionError": "Something is divided by zero: which number can become 0 here?",
    "RecursionError": "The function calls itself without end: it needs a case in which it does not.",
    "UnboundLocalError": "A name is used before it gets a value: is it set only inside a loop or an `if` that is not entered?",
    "NameError": "This name is not known: is it spelt as where it was made, and was the cell that makes it run?",
    "KeyError": "This key is not in the dictionary.",
    "MemoryError": "It asks for more memory than there is: is a size computed wrongly?",
    "SystemExit": "exit() ends the whole program: use return.",
}
_ODD = {
    "nan": "nan comes from 0/0, inf - inf or the logarithm of a negative number.",
    "inf": "inf comes from a division by 0, the logarithm of 0 or a number that is too large.",
}
_MOST_LINES = 8  # of what a function prints
_SHAPES = ("broadcast", "shape", "reshape", "dimension", "mismatch", "aligned")


class _Tried(Protocol):
    @property
    def case(self) -> Mapping[str, Any]: ...
    @property
    def expected(self) -> Any: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def difference(self) -> Difference | None: ...


def failed(exercise: Exercise, smallest: _Tried, mistake: Mistake | None, look: str, tried: int, again: bool) -> Result:
    """The message about the smallest failure. look: how right and wrong hang together. again: whether it fails each time."""
    different, outcome = smallest.difference, smallest.outcome
    assert different is not None  # a failure has one
    kind = different.kind
    blocks: list[Block] = [Say(f"{exercise.name} {exercise.title}", "failed")]
    which = "The first case already fails:" if tried == 1 else f"The smallest case that fails ({tried} were tried):"
    blocks += [Say(which), *case_blocks(smallest.case)]
    if kind in ("exception", "timeout"):
        blocks += _of_error(exercise, outcome)
    elif kind == "none":
        blocks += _of_nothing(exercise, outcome)
    elif kind != "in place":
        blocks += _of_value(exercise, different, outcome)
    if outcome.changed and kind not in ("exception", "timeout", "none"):
        blocks.append(_of_change(exercise, outcome, alone=kind == "in place"))
    if mistake is not None:
        blocks.append(Say(f"{mistake.name}. {mistake.says}", "cause"))
    elif look:
        blocks.append(Say(look))
    if not again:
        blocks.append(
            Say(
                "Called once more with the same arguments it gives something else: what does it remember or draw at random?"
            )
        )
    if outcome.printed and kind != "none":
        blocks += [Say("In this case it printed:"), Say(_beginning(outcome.printed), "code")]
    blocks.append(_offer(exercise))
    return Result(
        exercise.name,
        False,
        tuple(blocks),
        kind,
        case=smallest.case,
        expected=smallest.expected,
        actual=outcome.value,
        mistake=None if mistake is None else mistake.name,
        tried=tried,
    )


def open_still(exercise: Exercise) -> Result:
    """The function is as it was handed out."""
    text = f"{exercise.function} is still to be written: put your own lines in place of raise NotImplementedError()."
    return _refusal(exercise, "open", text)


def not_callable_so(exercise: Exercise, text: str) -> Result:
    """The function cannot be called as the exercise says."""
    return _refusal(exercise, "call", text)


def too_slow(exercise: Exercise, reached: float, ratio: float, lines: int, tried: int) -> Result:
    """Right, but not fast enough. lines: of Python that the large case executed."""
    blocks = (
        Say(f"{exercise.name} {exercise.title}", "failed"),
        Say(
            f"{exercise.function} is right in {tried} cases, but only {reached:.1f} times faster; {ratio:g} are asked for."
        ),
        Say(
            (f"In the large case it executes {lines:,} lines of Python: w" if lines else "W")
            + "hich loop is still one of Python's?"
        ),
        _offer(exercise),
    )
    extra = {"times_faster": round(reached, 1), "lines": lines}
    return Result(exercise.name, False, blocks, "slow", tried=tried, extra=extra)


def _refusal(exercise: Exercise, kind: str, text: str) -> Result:
    blocks = (Say(f"{exercise.name} {exercise.title}", "failed"), Say(text), _offer(exercise))
    return Result(exercise.name, False, blocks, kind)


def _offer(exercise: Exercise) -> Block:
    return Say(f'A hint: minidil.check("{exercise.name}", {exercise.function}, hint=1); there are three.', "hint")


def _of_value(exercise: Exercise, different: Difference, outcome: Outcome) -> list[Block]:
    blocks: list[Block] = []
    if different.kind != "value":
        blocks.append(Say(f"{exercise.function} {different.says}."))
    blocks += result_blocks(different)
    if different.kind == "nan":
        text = " ".join(means for word, means in _ODD.items() if word in different.says)
        warned = f" NumPy warned: {'; '.join(outcome.warned)}." if outcome.warned else ""
        blocks.append(Say(text + warned))
    return blocks


def _beginning(printed: str) -> str:
    lines = printed.rstrip().splitlines()
    return "\n".join(lines[:_MOST_LINES] + ["..."] * (len(lines) > _MOST_LINES))


def _of_nothing(exercise: Exercise, outcome: Outcome) -> list[Block]:
    if outcome.printed:
        text = f"{exercise.function} prints something but returns nothing (None): write return where it says print."
        return [Say(text), Say(_beginning(outcome.printed), "code")]
    return [Say(f"{exercise.function} returns nothing (None): is `return` missing, or does an `if` leave without it?")]


def _of_change(exercise: Exercise, outcome: Outcome, alone: bool) -> Block:
    name = outcome.changed[0]
    lead = "The result is right, but" if alone else "Besides,"
    return Say(
        f"{lead} {exercise.function} changes its argument {name} in place, so whoever calls it finds {name} altered. "
        f"{name} -= ..., {name}[...] = ... and {name}.sort() write into the caller's array; "
        f"{name} = {name} - ... makes a new one, and {name}.copy() is yours to change."
    )


def _of_error(exercise: Exercise, outcome: Outcome) -> list[Block]:
    error = outcome.error
    place = [Say(str(outcome.place), "code")] if outcome.place else []
    if isinstance(error, TimedOut):
        lead = f"{exercise.function} did not come to an end and was stopped" + (" here:" if place else ".")
        return [Say(lead), *place, Say("Is there a loop without an end? What makes its condition false?")]
    name = type(error).__name__
    text = f"{name}: {error}" if str(error) else name
    means = _MEANS.get(name, "")
    if not means and name == "ValueError" and any(word in str(error) for word in _SHAPES):
        means = "Two arrays do not fit together: print their shapes just before this line."
    if (
        not means
        and name == "TypeError"
        and "float" in str(error)
        and ("index" in str(error) or "integer" in str(error))
    ):
        means = "A size or an index must be a whole number; / gives a float, // a whole number."
    lead = f"{exercise.function} stops with an error" + (" here:" if place else ":")
    return [Say(lead), *place, Say(text, "code"), *([Say(means)] if means else [])]
