"""How much time and chance a check has: a deadline, and the seed from which its cases are drawn."""

import time
from dataclasses import dataclass, field

_BY_THE_CLOCK = 2.0  # times as long as the seconds, where other programs have the processor


@dataclass(frozen=True)
class Budget:
    """seconds: how long cases are drawn and made smaller. seed: of the drawing; the same seed draws the same cases.

    Seconds are those of this thread's processor, so that a busy machine checks as many cases as a quiet one, and twice as many
    by the clock. A single call of the student's function gets what is left of the time, but never less than a second.
    """

    seconds: float = 2.0
    seed: int = 0
    started: float = field(default_factory=time.monotonic)
    worked: float = field(default_factory=time.thread_time)

    @property
    def left(self) -> float:
        """Seconds until the time is up, negative afterwards."""
        by_the_clock = self.started + _BY_THE_CLOCK * self.seconds - time.monotonic()
        return min(by_the_clock, self.worked + self.seconds - time.thread_time())

    @property
    def of_one_call(self) -> float:
        """Seconds by the clock after which a call is given up."""
        return max(self.left, 1.0)
