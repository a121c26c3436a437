"""Learning-rate schedules: formulas by hand, PyTorch's numbers, composition and resuming."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil.errors import CheckpointError, OptionError
from minidil.nn import Parameter
from minidil.optim import SGD
from minidil.schedule import Constant, Cosine, OneCycle, Schedule, Step, Triangular, Warmup


def optimizer(*rates: float) -> SGD:
    return SGD([{"params": [Parameter(np.zeros(1))], "lr": rate} for rate in rates or (1.0,)], 1.0)


def rates(schedule: Schedule, steps: int) -> list[float]:
    """The rate of each of the steps 0 .. steps - 1."""
    seen = []
    for _ in range(steps):
        seen.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.step()
    return seen


def test_constant() -> None:
    assert rates(Constant(optimizer(0.3)), 4) == [0.3] * 4


def test_step_every_so_many() -> None:
    assert rates(Step(optimizer(), 2, 0.5), 7) == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert rates(Step(optimizer(), 1), 3) == pytest.approx([1, 0.1, 0.01])


def test_step_at_given_ones() -> None:
    assert rates(Step(optimizer(), [1, 4], 0.5), 6) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert rates(Step(optimizer(), []), 3) == [1, 1, 1]
    assert rates(Step(optimizer(), [0], 0.5), 2) == [0.5, 0.5]


def test_cosine() -> None:
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2 for t in range(11)]
    assert rates(Cosine(optimizer(), 10, 0.1), 13) == pytest.approx([*expected, 0.1, 0.1])
    # PyTorch 2.13, CosineAnnealingLR(T_max=10, eta_min=0.1)
    assert rates(Cosine(optimizer(), 10, 0.1), 5) == pytest.approx(
        [1.0, 0.9779754323328191, 0.9140576474687263, 0.8145033635316129, 0.6890576474687263], rel=1e-12
    )
    assert rates(Cosine(optimizer(), 1), 2) == pytest.approx([1, 0])


def test_one_cycle_is_pytorchs() -> None:
    # PyTorch 2.13, OneCycleLR(max_lr=1, total_steps=20)
    expected = [
        *(
            0.04,
            0.1316718427000253,
            0.3716718427000253,
            0.6683281572999747,
            0.9083281572999747,
            1.0,
            0.9874640062350873,
        ),
        *(0.9504846320134737, 0.89091617757105, 0.8117456539497631, 0.7169430017913008, 0.6112620219362893, 0.500002),
        *(0.38874197806371075, 0.28306099820869923, 0.18825834605023697, 0.10908782242895004, 0.049519367986526286),
        *(0.012539993764912554, 4e-06),
    ]
    assert rates(OneCycle(optimizer(), 20), 22) == pytest.approx([*expected, 4e-6, 4e-6], rel=1e-9)


@pytest.mark.parametrize(("total", "rise"), [(2, 0.3), (2, 1.0), (3, 0.0), (10, 1.0), (10, 0.0), (7, 0.5)])
def test_one_cycle_at_its_edges(total: int, rise: float) -> None:
    factors = rates(OneCycle(optimizer(), total, rise, start=0.5, final=0.25), total + 1)
    assert factors[0] == pytest.approx(0.5 if rise * total > 1 else 1)
    assert all(0.25 <= factor <= 1 for factor in factors)
    assert factors[-1] == pytest.approx(0.25)
    peak = int(np.argmax(factors))
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)


def test_triangular() -> None:
    rising, falling = [0.2, 0.6], [1, 1 - 0.93 / 3, 1 - 1.86 / 3, 0.07]
    assert rates(Triangular(optimizer(), 5, rise=0.4), 8) == pytest.approx([*rising, *falling, 0.07, 0.07])


@given(st.integers(1, 40), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_triangular_lies_on_two_lines(total: int, rise: float, start: float, final: float) -> None:
    schedule = Triangular(optimizer(), total, rise, start, final)
    peak = rise * total
    # where both ends of a line fall together, the line does not exist, and the later one counts
    places = [0.0, peak, float(total)] if 0 < peak < total else [0.0, float(total)]
    heights = [start, 1.0, final] if 0 < peak < total else [start, 1.0] if peak == total else [1.0, final]
    for step in range(total):
        assert schedule.factor(step) == pytest.approx(np.interp(step, places, heights), abs=1e-9)
    assert schedule.factor(total) == schedule.factor(total + 7) == final


def test_warm_up() -> None:
    assert rates(Warmup(optimizer(0.4), 3), 6) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_warm_up_then() -> None:
    rate = optimizer(2.0)
    schedule = Warmup(rate, 2, then=Cosine(rate, 4))
    cosine = [1 + math.cos(math.pi * t / 4) for t in range(5)]
    assert rates(schedule, 8) == pytest.approx([2 / 3, 4 / 3, *cosine, 0])
    rate = optimizer(2.0)
    nested = Warmup(rate, 1, then=Warmup(rate, 1, then=Step(rate, 1, 0.5)))
    assert rates(nested, 4) == pytest.approx([0.5, 1, 2, 1])


def test_warm_up_ends_where_the_next_schedule_begins() -> None:
    rate = optimizer(1.0)
    assert rates(Warmup(rate, 1, then=Step(rate, [0], 0.5)), 3) == pytest.approx([0.25, 0.5, 0.5])


def test_every_group_keeps_its_own_base() -> None:
    rate = optimizer(1.0, 0.1)
    schedule = Cosine(rate, 2)
    schedule.step()
    assert [group["lr"] for group in rate.param_groups] == pytest.approx([0.5, 0.05])


def test_factor_is_pure() -> None:
    schedule = Cosine(optimizer(), 4)
    assert schedule.factor(2) == pytest.approx(0.5)
    assert schedule.taken == 0
    assert schedule.optimizer.param_groups[0]["lr"] == 1


@pytest.mark.parametrize(
    "build",
    [
        Constant,
        lambda o: Step(o, 3),
        lambda o: Cosine(o, 10),
        lambda o: OneCycle(o, 10),
        lambda o: Triangular(o, 10),
        lambda o: Warmup(o, 3, Cosine(o, 7)),
    ],
)
def test_it_continues_where_it_was(build) -> None:
    schedule = build(optimizer())
    rates(schedule, 4)
    state = schedule.state_dict()
    assert state == {"step": 4}
    other = build(optimizer())
    other.load_state_dict(state)
    assert rates(other, 5) == rates(schedule, 5)


@pytest.mark.parametrize("state", [{}, {"step": -1}, {"step": 1.5}, {"step": None}, {"step": True}])
def test_a_wrong_state_changes_nothing(state: dict[str, object]) -> None:
    schedule = Step(optimizer(), 1)
    schedule.step()
    with pytest.raises(CheckpointError, match="Step: a state is"):
        schedule.load_state_dict(state)
    assert schedule.taken == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda o: Step(o, 0), "Step: steps must be an int >= 1, not 0"),
        (lambda o: Step(o, [3, 2]), "increasing order"),
        (lambda o: Step(o, [2, 2]), "increasing order"),
        (lambda o: Step(o, [-1]), "ints >= 0"),
        (lambda o: Step(o, 1, 0), "gamma must be a number > 0, not 0"),
        (lambda o: Cosine(o, 0), "Cosine: total_steps must be an int >= 1, not 0"),
        (lambda o: Cosine(o, 2.5), "total_steps"),
        (lambda o: Cosine(o, 2, -0.1), r"Cosine: final must lie in 0..1, not -0.1"),
        (lambda o: OneCycle(o, 1), "OneCycle: total_steps must be an int >= 2, not 1"),
        (lambda o: OneCycle(o, 5, 1.5), "rise"),
        (lambda o: OneCycle(o, 5, start=math.nan), "start"),
        (lambda o: Triangular(o, 0), "Triangular: total_steps must be an int >= 1, not 0"),
        (lambda o: Triangular(o, 5, rise=2), "Triangular: rise must lie in 0..1, not 2"),
        (lambda o: Warmup(o, 0), "Warmup: steps must be an int >= 1"),
        (lambda o: Warmup(o, 1, Constant(optimizer())), "same optimizer"),
    ],
)
def test_mistakes_leave_the_rates_alone(build, message: str) -> None:
    rate = optimizer(0.7)
    with pytest.raises(OptionError, match=message):
        build(rate)
    assert rate.param_groups[0]["lr"] == 0.7


def test_the_base_class_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match=r"Schedule has no factor\(\)"):
        Schedule(optimizer())
