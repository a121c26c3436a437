"""The network of edges: its maps, what it fuses, and that a denser map stays where it belongs."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

import minidil as md
import minidil.functional as F
from minidil import models
from minidil.analysis import dilate
from minidil.errors import OptionError
from minidil.nn import Conv2d

NARROW = (2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def network() -> models.HED:
    return models.hed(widths=NARROW, rng=np.random.default_rng(0)).eval()


def picture(*shape: int) -> md.Tensor:
    return md.tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("size", [(48, 32), (33, 17), (1, 5)])
def test_maps_of_any_picture(network: models.HED, size: tuple[int, int]) -> None:
    with md.no_grad():
        maps = network.maps(picture(2, 3, *size))
        assert [made.shape for made in maps] == [
            (2, 1, -(-size[0] // stride), -(-size[1] // stride)) for stride in (1, 2, 4, 8, 16)
        ]
        assert network(picture(2, 3, *size)).shape == (2, 1, *size)


def test_it_fuses_its_resized_maps(network: models.HED) -> None:
    x = picture(1, 3, 40, 24)
    with md.no_grad():
        maps, sides, fused = network.maps(x), network.sides(x), network(x)
    resized = [F.interpolate(made, size=(40, 24), mode="bilinear").numpy() for made in maps]
    for side, expected in zip(sides, resized, strict=True):
        assert np.array_equal(side.numpy(), expected)
    weight, bias = network.fuse.weight.numpy().ravel(), network.fuse.bias.numpy()
    expected = sum(w * side for w, side in zip(weight, resized, strict=True)) + bias
    np.testing.assert_allclose(fused.numpy(), expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def bright(network: models.HED) -> models.HED:
    """Every convolution becomes the mean over its channels and positions, so that a spot becomes a blurred spot."""
    for module in network.modules():
        if isinstance(module, Conv2d):
            module.weight.data = np.full(module.weight.shape, 1 / module.weight[0].size, np.float32)
    return network


@pytest.mark.parametrize("stride", [16, 8, 4, 2, 1])
def test_a_denser_map_stays_where_it_belongs(stride: int) -> None:
    """The maxima over windows make blurs lopsided, by as much for every output stride; so the middle of a bright block stays."""
    network = bright(models.hed(widths=NARROW, rng=np.random.default_rng(0)))
    x = np.zeros((1, 3, 288, 288), np.float32)
    x[:, :, 128:160, 128:160] = 1  # on the grid of the coarsest map, with room for the blur
    with md.no_grad():
        sides = dilate(network, stride).model.eval().sides(md.tensor(x))
    for side in sides:
        row, column = center_of_mass(side.numpy()[0, 0])
        assert abs(row - 143.5) <= 0.55  # half a pixel where the move back is rounded
        assert abs(column - 143.5) <= 0.55


def test_the_surgery_says_what_is_resized(network: models.HED) -> None:
    made = dilate(network, 8)
    assert made.notes == (
        "the model (interpolate) resizes a map that is now 2 times denser to the size that it had, so its numbers are others",
    )
    assert {change.name for change in made.changes} == {f"features.{n}" for n in (23, 24, 26, 28)} | {"dsn5"}


def test_an_output_stride_and_widths_that_there_cannot_be() -> None:
    with pytest.raises(
        OptionError,
        match=r"HED multiply to 16x16, and leaving out the last ones makes 2 or less, not 3; "
        r"layer 'features.9' \(MaxPool2d\) with stride 2 would make 4x4",
    ):
        models.hed(widths=NARROW, output_stride=3)
    with pytest.raises(OptionError, match=r"five stages, and widths has 2 numbers: \(4, 8\)"):
        models.hed(widths=(4, 8))
