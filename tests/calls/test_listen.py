"""Listening to calls: what is told, to whom, and until when."""

import contextlib

import minidil as md
import minidil.functional as F
from minidil.calls.listen import listening


def test_every_call_is_told_with_what_it_took_and_gave() -> None:
    heard = []
    x = md.tensor([[1.0, 2.0]])
    with md.no_grad(), listening(lambda *call: heard.append(call)):
        y = F.softmax(x + 1, axis=1)
    F.relu(x)
    (add, plus, _, between), (softmax, given, options, last) = heard
    assert (add, softmax) == ("add", "softmax")
    assert plus[0] is x
    assert given[0] is between
    assert options == {"axis": 1}
    assert last is y


def test_listeners_nest_and_leave_with_their_block() -> None:
    outer, inner = [], []
    x = md.tensor([1.0], requires_grad=True)
    with listening(lambda *call: outer.append(call[0])):
        with contextlib.suppress(ValueError), listening(lambda *call: inner.append(call[0])):
            F.relu(x)
            raise ValueError
        F.exp(x).backward()
    assert (outer, inner) == (["relu", "exp"], ["relu"])
