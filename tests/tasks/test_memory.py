"""What counts as remembered."""

import numpy as np
import pytest

from minidil import data, models, optim, train
from minidil.tasks.memory import right


@pytest.mark.slow
def test_dilation_decides_whether_a_pause_of_ten_steps_is_bridged() -> None:
    # what is said was heard 20 steps earlier; fields of 43 and 19 steps
    found = {}
    for dilations in ((1, 2, 4), (1, 1, 1)):
        model = models.tcn(10, width=10, kernel_size=4, dilations=dilations, rng=np.random.default_rng(0))
        learn, test = data.Drawn(data.copy_memory(10), 32, 150), data.Drawn(data.copy_memory(10), 100, 3, seed=1)
        optimizer = optim.Adam(model.parameters(), 1e-2)
        train.fit(model, learn, None, optimizer, epochs=2, metrics={"right": right}, progress=False, clip_norm=1.0)
        found[dilations] = train.evaluate(model, test, metrics={"right": right})
    assert found[1, 2, 4].loss < data.memoryless(10) / 3
    assert found[1, 2, 4].right > 0.8
    assert found[1, 1, 1].loss > 0.98 * data.memoryless(10)
    assert found[1, 1, 1].right < 0.2


def test_silence_does_not_count_and_every_symbol_does() -> None:
    said = np.array([[0, 0, 2, 1], [0, 0, 1, 1]])
    logits = np.zeros((2, 3, 4))
    logits[:, 2, 2:] = 1  # says 2 and 2
    assert right(logits, said).tolist() == [True, False, False, False]


def test_a_sum_is_right_to_four_hundredths() -> None:
    assert right(np.array([[1.03], [0.95]]), np.array([[1.0], [1.0]])).tolist() == [[True], [False]]
