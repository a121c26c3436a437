"""Tasks that are drawn, not collected: copy memory and adding, fresh sequences in every batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from minidil.data.dataset import Floats, Labels
from minidil.data.loader import ORDER
from minidil.errors import OptionError

Draw = Callable[[np.random.Generator, int], tuple[Floats, Labels | Floats]]

TOLD, SYMBOLS = 10, 8  # of copy memory: how many are to be kept in mind, and of how many kinds


@dataclass(frozen=True)
class Drawn:
    """A loader of sequences that nobody has seen: an epoch is `count` batches of `batch_size`.

    Batch b of epoch e is drawn from default_rng([seed, e, 0, b]), whatever was drawn before, so that a run resumes bit for bit.
    What is measured on one seed was never learnt from another.
    Raises: OptionError for numbers below 1, or a negative seed.
    """

    draw: Draw
    batch_size: int = 32
    count: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.batch_size, self.count) < 1 or self.seed < 0:
            raise OptionError(
                f"Drawn: needs batch_size >= 1, count >= 1 and seed >= 0, got {self.batch_size}, {self.count}, {self.seed}"
            )

    def __len__(self) -> int:
        return self.count

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Floats, Labels | Floats]]:
        """The batches of epoch number `epoch` (0, 1, ...) from number `start` on."""
        for number in range(start, self.count):
            yield self.draw(np.random.default_rng([self.seed, epoch, ORDER, number]), self.batch_size)


def copy_memory(gap: int) -> Draw:
    """Hear ten symbols of eight, wait `gap` steps, and say them when asked.

    Shapes: heard float32 (n, 1, gap + 20): ten numbers 1 .. 8, gap - 1 zeros, and 9 from step gap + 9 on; said int64
        (n, gap + 20): 0, silence, and the ten in the last steps. Classes: 0 .. 9, as many as there are numbers to hear.
    Who remembers nothing can say when to be silent and guess the rest, and pays 10 ln 8 / (gap + 20) nats a step: `memoryless`.
    Raises: OptionError for a gap below 1.
    Source: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 5.1, after Hochreiter & Schmidhuber 1997.
    """
    _check("copy_memory", "gap", gap, 1)

    def draw(rng: np.random.Generator, count: int) -> tuple[Floats, Labels]:
        symbols = rng.integers(1, SYMBOLS + 1, (count, TOLD))
        heard = np.zeros((count, 1, gap + 2 * TOLD), np.float32)
        heard[:, 0, :TOLD] = symbols
        heard[:, 0, -TOLD - 1 :] = SYMBOLS + 1
        said = np.zeros((count, gap + 2 * TOLD), np.int64)
        said[:, -TOLD:] = symbols
        return heard, said

    return draw


def memoryless(gap: int) -> float:
    """The lowest cross-entropy of `copy_memory` without memory, in nats a step: of gap + 20 steps ten cost ln 8, the others 0."""
    return float(TOLD * np.log(SYMBOLS) / (gap + 2 * TOLD))


def adding(length: int) -> Draw:
    """Add the two of `length` numbers that are marked, one in either half.

    Shapes: x float32 (n, 2, length): numbers from 0 to 1, evenly drawn, and marks, 1 at two steps and 0 elsewhere; y float32
        (n, 1), the sum. Who always says 1, the mean, has a mean squared error of 2 Var = 2/12 = 1/6.
    Raises: OptionError for a length below 2.
    Source: Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 5.1, after Hochreiter & Schmidhuber 1997.
    """
    _check("adding", "length", length, 2)

    def draw(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        x = np.zeros((count, 2, length), np.float32)
        x[:, 0] = rng.random((count, length), dtype=np.float32)
        marks = np.stack([rng.integers(0, length // 2, count), rng.integers(length // 2, length, count)], axis=1)
        np.put_along_axis(x[:, 1], marks, 1, axis=1)
        return x, np.take_along_axis(x[:, 0], marks, axis=1).sum(axis=1, keepdims=True)

    return draw


def _check(op: str, name: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise OptionError(f"{op}: {name} must be an int >= {least}, got {value!r}")
