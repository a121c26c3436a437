"""U-Net, the context module and the network with an ASPP head."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import minidil as md
from minidil import analysis, nn
from minidil.errors import OptionError, ShapeError
from minidil.models import SEGMENTERS, aspp, build, context, context_module, unet
from minidil.testing import check_gradients


def parameters(model: nn.Module) -> int:
    return sum(parameter.size for parameter in model.parameters())


@pytest.mark.parametrize("name", sorted(SEGMENTERS))
@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), classes=st.integers(1, 3))
def test_every_pixel_gets_an_answer_whatever_the_size(name: str, size: tuple[int, int], classes: int) -> None:
    model = build(name, classes, 2, dilations=(1, 2)).eval()
    x = np.random.default_rng(0).standard_normal((2, 2, *size), dtype=np.float32)
    with md.use("numpy"):
        assert model(md.tensor(x)).shape == (2, classes, *size)


def test_sizes_of_the_defaults() -> None:
    assert parameters(unet()) == parameters(unet(dilations=(1, 1, 1))) == 154_370
    assert parameters(context()) == parameters(context(dilations=(1,) * 7)) == 16_994
    assert parameters(aspp()) == parameters(aspp(dilations=(1, 1, 1))) == 97_522


@pytest.mark.parametrize("builder", [unet, aspp])
def test_a_map_that_is_no_multiple_is_padded_below_and_right_alone(builder: Callable[..., nn.Module]) -> None:
    """So what an image says is that of the same image with zeros around, as far as it goes."""
    model = builder(in_channels=1, widths=(3, 4, 5)).eval()
    x = np.random.default_rng(1).standard_normal((1, 1, 6, 7), dtype=np.float32)
    with md.use("numpy"):
        whole = model(md.tensor(np.pad(x, ((0, 0), (0, 0), (0, 2), (0, 1))))).numpy()
        assert_allclose(model(md.tensor(x)).numpy(), whole[:, :, :6, :7], atol=1e-6)


def test_fine_and_coarse_are_joined_at_every_scale(backend: str) -> None:
    """The gradient of one answer reaches the pixel itself and what only the dilated bottleneck sees."""
    model = unet(in_channels=1, widths=(2, 3, 4), dilations=(1, 2, 4)).eval()
    x = md.tensor(np.random.default_rng(0).standard_normal((1, 1, 64, 64), dtype=np.float32), requires_grad=True)
    model(x)[0, 1, 32, 32].backward()
    assert x.grad is not None
    reached = np.argwhere(x.grad.numpy()[0, 0])
    assert (reached.max(axis=0) - reached.min(axis=0)).min() >= 40


def test_gradients() -> None:
    model = unet(in_channels=1, widths=(2, 3), dilations=(1, 2), rng=np.random.default_rng(0)).astype(np.float64).eval()
    with md.use("numpy"):
        check_gradients(lambda x: model(x), np.random.default_rng(0).standard_normal((1, 1, 5, 6)), directions=2)


def test_the_context_module_begins_as_the_identity(backend: str) -> None:
    x = np.random.default_rng(0).random((2, 5, 40, 33), dtype=np.float32)
    module = context_module(5)
    assert_array_equal(module(md.tensor(x)).numpy(), x)
    assert [layer.dilation[0] for layer in module if isinstance(layer, nn.Conv2d)] == [1, 1, 2, 4, 8, 16, 1, 1]


def test_the_context_module_sees_what_the_paper_says() -> None:
    """Table 1 of arXiv:1511.07122: 3, 5, 9, 17, 33, 65, 67."""
    fields = []
    for count in range(1, 8):
        field = analysis.receptive_field(context_module(1, (1, 1, 2, 4, 8, 16, 1)[:count]), (1, 80, 80))
        fields.append(field.size[0])
    assert fields == [3, 5, 9, 17, 33, 65, 67]


def test_the_answers_of_the_head_are_interpolated() -> None:
    """At the middle of four pixels a side the answer is the head's own; between two middles it changes by equal steps."""
    model = aspp(in_channels=1, widths=(3, 4, 5), dilations=(1, 2)).eval()
    x = md.tensor(np.random.default_rng(2).standard_normal((1, 1, 16, 24), dtype=np.float32))
    with md.use("numpy"):
        coarse = model.head(model.pyramid(model.features(x))).numpy()
        fine = model(x).numpy()
    assert coarse.shape == (1, 2, 4, 6)
    rows = fine.reshape(1, 2, 4, 4, 6, 4)[:, :, :, 1:3, :, 1:3].mean(axis=(3, 5))  # the four pixels around each middle
    spread = np.pad(coarse, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    kernel = np.array([1, 14, 1]) / 16  # a pixel beside the middle has 7/8 of its own answer and 1/8 of the next
    wanted = sum(kernel[i] * kernel[j] * spread[:, :, i : i + 4, j : j + 6] for i in range(3) for j in range(3))
    assert_allclose(rows, wanted, atol=1e-5)


def test_refused() -> None:
    for call, words in (
        (lambda: aspp(widths=(4,)), r"aspp: needs two widths or more, as in \(16, 32, 64\), not \(4,\)"),
        (lambda: aspp(dilations=()), r"ASPP: rates are the dilations of its branches"),
        (lambda: aspp(widths=(4, 0)), r"aspp: widths\[1\] must be an int >= 1, not 0"),
        (
            lambda: unet(widths=(4,)),
            r"unet: needs two widths or more, as in \(16, 32, 64\), and a dilation, not \(4,\)",
        ),
        (lambda: unet(dilations=()), r"unet: needs two widths"),
        (lambda: unet(widths=(4, 0)), r"unet: widths\[1\] must be an int >= 1, not 0"),
        (lambda: unet(dilations=(1, 2.0)), r"unet: dilations\[1\] must be an int >= 1, not 2\.0"),  # type: ignore[arg-type]
        (lambda: context(dilations=()), r"context: needs a dilation at least"),
        (lambda: context_module(0), r"context_module: channels must be an int >= 1, not 0"),
    ):
        with pytest.raises(OptionError, match=words):
            call()
    with pytest.raises(ShapeError, match=r"UNet: x must be \(N, C, H, W\)"):
        unet()(md.tensor(np.zeros((3, 8, 8), np.float32)))
