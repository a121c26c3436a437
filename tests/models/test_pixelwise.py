"""Images read by networks of sequences."""

import numpy as np
import pytest

import minidil as md
from minidil import data, models
from minidil.errors import ShapeError


@pytest.mark.parametrize("permuted", [None, 5])
@pytest.mark.parametrize("build", [models.tcn, models.lstm])
def test_it_says_what_the_network_says_of_the_pixels_in_a_row(backend: str, build, permuted: int | None) -> None:
    network = build(3, in_channels=2, width=4, answers="last", rng=np.random.default_rng(0))
    images = data.Dataset(
        "noise",
        np.random.default_rng(1).integers(0, 256, (4, 2, 5, 6)).astype(np.uint8),
        np.zeros(4, np.int64),
        ("a",),
    )
    rows, _ = data.sequential(images, permuted)[:]
    model, x = models.Pixelwise(network, permuted), md.tensor(images.floats(slice(None)))
    expected = network(md.tensor(rows)).numpy()
    for each in (model.train(), model.eval()):
        np.testing.assert_allclose(each(x).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_tcn_computes_no_more_than_its_last_answer_needs_while_it_trains() -> None:
    network = models.tcn(3, width=2, kernel_size=2, dilations=(1, 2, 4), answers="last")
    model, steps = models.Pixelwise(network), []
    network[0].body[1].register_forward_hook(lambda module, inputs, output: steps.append(output.shape[2]))
    x = md.tensor(np.zeros((1, 1, 8, 8), np.float32))
    model.train()(x)
    model.eval()(x)
    assert steps == [1 + 2 * (1 + 2 + 4), 64]


def test_it_wants_images() -> None:
    with pytest.raises(ShapeError, match="Pixelwise"):
        models.Pixelwise(models.tcn(2))(md.tensor(np.zeros((1, 1, 9), np.float32)))
