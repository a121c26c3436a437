"""VGG networks: names, shapes, sizes, mistakes, and that they learn."""

import numpy as np
import pytest

import minidil.functional as F
from minidil.data import digits
from minidil.errors import CheckpointError, OptionError, ShapeError
from minidil.graph import no_grad
from minidil.models import VGG, vgg16, vgg_small
from minidil.nn import Conv2d
from minidil.optim import SGD
from minidil.schedule import OneCycle
from minidil.tensor import tensor

VGG16_CONVS = {
    "features.0": (64, 3),
    "features.2": (64, 64),
    "features.5": (128, 64),
    "features.7": (128, 128),
    "features.10": (256, 128),
    "features.12": (256, 256),
    "features.14": (256, 256),
    "features.17": (512, 256),
    "features.19": (512, 512),
    "features.21": (512, 512),
    "features.24": (512, 512),
    "features.26": (512, 512),
    "features.28": (512, 512),
}
VGG16_LINEARS = {"classifier.0": (4096, 25088), "classifier.3": (4096, 4096), "classifier.6": (1000, 4096)}


def images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class TestSmall:
    @pytest.mark.parametrize("size", [8, 9, 32, 33])
    def test_any_size_gives_logits(self, size: int) -> None:
        model = vgg_small(7, in_channels=1, widths=(4, 6, 8))
        assert model(tensor(images(2, 1, size, size))).shape == (2, 7)

    def test_a_smaller_image_than_the_stages_halve(self) -> None:
        with pytest.raises(ShapeError):
            vgg_small(widths=(2, 2, 2))(tensor(images(2, 3, 3, 3)))

    def test_stages(self) -> None:
        model = vgg_small(widths=(4, 8), dilations=((1, 2, 4), (3,)))
        convs = [module for module in model.features if isinstance(module, Conv2d)]
        assert [conv.weight.shape for conv in convs] == [(4, 3, 3, 3), (4, 4, 3, 3), (4, 4, 3, 3), (8, 4, 3, 3)]
        assert [conv.dilation for conv in convs] == [(1, 1), (2, 2), (4, 4), (3, 3)]
        assert [row.output_shape[2:] for row in model.summary((3, 16, 16)).rows if row.kind == "Conv2d"] == [
            *[(16, 16)] * 3,
            (8, 8),
        ]

    def test_the_default_sees_46_positions_before_its_global_mean(self) -> None:
        rows = vgg_small().summary((3, 32, 32)).rows
        assert {row.name: str(row.field) for row in rows}["features.19"] == "46"

    def test_dropout_lies_before_the_classifier(self) -> None:
        model = vgg_small(widths=(2,), dilations=((1,),), dropout=0.5)
        x = tensor(images(2, 3, 4, 4))
        assert not np.array_equal(model(x).data, model(x).data)
        model.eval()
        assert np.array_equal(model(x).data, model(x).data)

    def test_the_generator_decides(self) -> None:
        a, b, c = (vgg_small(widths=(2,), dilations=((1,),), rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert np.array_equal(a.classifier[1].weight.data, b.classifier[1].weight.data)
        assert not np.array_equal(a.classifier[1].weight.data, c.classifier[1].weight.data)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"widths": (4, 8)}, r"2 widths \(4, 8\) and 3 entries of dilations"),
            ({"widths": (), "dilations": ()}, "0 widths"),
            ({"dilations": (1, 2, 4)}, r"dilations\[0\] must be a sequence"),
            ({"dilations": ((1,), (), (1,))}, r"dilations\[1\] must be a sequence"),
            ({"dilations": ((1,), (0,), (1,))}, "dilation"),
            ({"widths": (4, 0, 4)}, "out_channels must be an int >= 1, not 0"),
            ({"dropout": 1.0}, "Dropout"),
            ({"num_classes": 0}, "out_features"),
        ],
    )
    def test_mistakes(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(OptionError, match=message):
            vgg_small(**options)

    def test_every_parameter_gets_a_gradient(self, backend: str) -> None:
        model = vgg_small(3, widths=(4, 6), dilations=((1, 2), (1,)))
        F.cross_entropy(model(tensor(images(4, 3, 8, 8))), target=np.array([0, 1, 2, 0])).backward()
        assert all(np.any(parameter.grad.data) for parameter in model.parameters())


@pytest.fixture(scope="module")
def big() -> VGG:
    return vgg16(rng=np.random.default_rng(0))


@pytest.mark.slow
class TestVgg16:
    def test_names_and_shapes_are_torchvisions(self, big: VGG) -> None:
        expected = {f"{name}.weight": (*shape, 3, 3) for name, shape in VGG16_CONVS.items()}
        expected |= {f"{name}.weight": shape for name, shape in VGG16_LINEARS.items()}
        expected |= {f"{name}.bias": shape[:1] for name, shape in (VGG16_CONVS | VGG16_LINEARS).items()}
        assert {name: parameter.shape for name, parameter in big.named_parameters()} == expected
        assert list(big.buffers()) == []

    def test_number_of_parameters(self, big: VGG) -> None:
        assert sum(parameter.size for parameter in big.parameters()) == 138_357_544

    def test_multiply_adds_and_field_at_224(self, big: VGG) -> None:
        summary = big.summary((3, 224, 224))
        assert summary.multiply_adds == 15_470_264_320
        assert {row.name: str(row.field) for row in summary.rows}["features.30"] == "212"
        assert summary.rows[-1].output_shape == (1, 1000)

    def test_a_renamed_and_a_misshaped_key_are_both_listed(self, big: VGG) -> None:
        state = {name: parameter.data for name, parameter in big.named_parameters()}
        state["features.0.wieght"] = state.pop("features.0.weight")
        state["classifier.6.weight"] = state["classifier.6.weight"][:10]
        with pytest.raises(CheckpointError) as caught:
            big.load_state_dict(state)
        message = str(caught.value)
        assert "missing 1: features.0.weight" in message
        assert "unexpected 1: features.0.wieght" in message
        assert "classifier.6.weight has shape (10, 4096) but the model needs (1000, 4096)" in message

    def test_its_state_loads_back_strictly(self, big: VGG) -> None:
        state = big.state_dict()
        before = big.classifier[6].weight.data
        assert big.load_state_dict(state) == ((), ())
        assert big.classifier[6].weight.data is not before
        assert np.array_equal(big.classifier[6].weight.data, before)

    def test_an_image_that_five_poolings_halve_to_nothing(self, big: VGG) -> None:
        with pytest.raises(ShapeError):
            big(tensor(images(1, 3, 31, 31)))


@pytest.mark.slow
def test_it_memorises_a_few_images(backend: str) -> None:
    """Labels that depend on positions two apart, which a dilation of 2 sees at once."""
    x = images(24, 1, 8, 8)
    labels = (x[:, 0, 2, 2] * x[:, 0, 2, 4] > 0).astype(np.int64)
    model = vgg_small(2, in_channels=1, widths=(8, 16), dilations=((1, 2), (2,)), rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(tensor(x)), target=labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


@pytest.mark.slow
def test_it_learns_to_read_digits() -> None:
    """A small dilated network reads at least 97.5 % of the test digits after 12 epochs."""
    learn, test = digits("train"), digits("test")
    mean, std = learn.mean()[:, None, None], learn.std()[:, None, None]
    x, x_test = (((part.images / 255 - mean) / std).astype(np.float32) for part in (learn, test))
    rng = np.random.default_rng(0)
    model = vgg_small(10, in_channels=1, widths=(16, 32), dilations=((1, 2), (1, 2)), rng=rng)
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    epochs, size = 12, 64
    schedule = OneCycle(optimizer, epochs * -(-len(x) // size))
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), size):
            batch = order[start : start + size]
            optimizer.zero_grad()
            F.cross_entropy(model(tensor(x[batch])), target=learn.labels[batch]).backward()
            optimizer.step()
            schedule.step()
    with no_grad():
        read = model.eval()(tensor(x_test)).data.argmax(axis=1)
    assert np.mean(read == test.labels) >= 0.975
