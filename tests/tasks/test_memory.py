"""What counts as remembered."""

import numpy as np

from minidil.tasks.memory import right


def test_silence_does_not_count_and_every_symbol_does() -> None:
    said = np.array([[0, 0, 2, 1], [0, 0, 1, 1]])
    logits = np.zeros((2, 3, 4))
    logits[:, 2, 2:] = 1  # says 2 and 2
    assert right(logits, said).tolist() == [True, False, False, False]


def test_a_sum_is_right_to_four_hundredths() -> None:
    assert right(np.array([[1.03], [0.95]]), np.array([[1.0], [1.0]])).tolist() == [[True], [False]]
