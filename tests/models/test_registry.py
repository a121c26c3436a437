"""Building models by name."""

import re

import pytest

from minidil.errors import OptionError
from minidil.models import CLIP_MODELS, MODELS, SEGMENTERS, ResNet, build, names, vgg_small


def test_known_names() -> None:
    small, large = (
        ["resnet_small", "vgg_fast", "vgg_small"],
        ["efficientnet_lite0", "resnet18", "resnet34", "resnet50", "vgg16"],
    )
    assert sorted(MODELS) == sorted(small + large)
    assert sorted(CLIP_MODELS) == ["c3d"]
    assert sorted(names) == sorted([*MODELS, *SEGMENTERS, *CLIP_MODELS, "hed"])
    assert sorted(SEGMENTERS) == ["aspp", "context", "unet"]
    assert MODELS["vgg_small"] is vgg_small


def test_build_passes_everything_on() -> None:
    model = build("vgg_small", 7, 1, widths=(4,), dilations=((2,),), dropout=0.25)
    assert model.summary((1, 8, 8)).rows[-1].output_shape == (1, 7)
    assert model.features[0].dilation == (2, 2)
    assert model.classifier[0].p == 0.25
    assert isinstance(build("resnet_small", 7, 1, widths=(2, 2, 2), blocks=1), ResNet)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("vgg_smal", {}, "unknown model 'vgg_smal'; did you mean 'vgg_small'?"),
        ("xyz", {}, "unknown model 'xyz'; there are vgg_small, vgg_fast, vgg16, resnet_small, resnet18, resnet34, "),
        ("resnet20", {}, "unknown model 'resnet20'; did you mean 'resnet50'?"),
        ("vgg_small", {"width": (4,)}, "vgg_small: unknown option 'width'; did you mean 'widths'?"),
        ("vgg16", {"q": 1}, "vgg16: unknown option 'q'; there are dropout, output_stride, rng"),
    ],
)
def test_mistakes(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        build(name, 10, 3, **options)
