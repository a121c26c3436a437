"""Upsample is interpolate with settings that stay."""

import numpy as np
import pytest

from minidil import functional as F
from minidil import nn
from minidil.errors import MinidilError
from minidil.tensor import tensor

X = np.random.default_rng(0).standard_normal((2, 3, 4, 5))


@pytest.mark.parametrize(
    "settings",
    [
        {"scale_factor": 2},
        {"size": (3, 7), "mode": "bilinear"},
        {"size": 6, "mode": "bicubic", "align_corners": True},
        {"scale_factor": (1.5, 2.0), "mode": "nearest"},
    ],
)
def test_it_is_interpolate(settings, check_layer) -> None:
    layer = nn.Upsample(**settings)
    assert np.array_equal(layer(tensor(X)).numpy(), F.interpolate(X, **settings).numpy())
    check_layer(layer, *X.shape)


def test_its_repr_and_what_it_refuses() -> None:
    assert repr(nn.Upsample(scale_factor=2)) == "Upsample(scale_factor=2, mode='nearest')"
    assert (
        repr(nn.Upsample(8, mode="bilinear", align_corners=True))
        == "Upsample(size=8, mode='bilinear', align_corners=True)"
    )
    with pytest.raises(MinidilError, match="interpolate"):
        nn.Upsample()(tensor(X))
