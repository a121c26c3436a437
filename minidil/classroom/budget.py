"""How much time and chance a check has: a deadline, and the seed from which its cases are drawn."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Budget:
    """seconds: how long cases are drawn and made smaller. seed: of the drawing; the same seed draws the same cases.

    A single call of the student's function gets what is left of the time, but never less than a second.
    """

    seconds: float = 2.0
    seed: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds until the time is up, negative afterwards."""
        return self.started + self.seconds - time.monotonic()

    @property
    def of_one_call(self) -> float:
        """Seconds after which a call is given up."""
        return max(self.left, 1.0)
