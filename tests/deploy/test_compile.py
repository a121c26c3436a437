"""Plans against the models that they were made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.errors import BackendError, DtypeError, OptionError, ShapeError

pytest.importorskip("numba")
from minidil.deploy.plan import Plan  # brings Numba


def shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with statistics and scales that are not those of the beginning."""
    rng = np.random.default_rng(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            count = module.num_features
            if module.running_mean is not None:
                module.running_mean = rng.normal(0, 0.3, count).astype(np.float32)
                module.running_var = rng.uniform(0.5, 2, count).astype(np.float32)
            if module.weight is not None and module.bias is not None:
                module.weight.data = rng.normal(1, 0.3, count).astype(np.float32)
                module.bias.data = rng.normal(0, 0.3, count).astype(np.float32)
    return model


def evaluated(model: nn.Module, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    model.eval()
    with md.no_grad():
        return np.array(model(md.Tensor(x)).numpy())


def agree(model: nn.Module, shape: tuple[int, ...], images: int = 3) -> Plan:
    """The plan, which gives what the model gives for one image and for several."""
    plan = deploy.compile(model, shape)
    for count in (1, images):
        x = np.random.default_rng(count).normal(size=(count, *shape)).astype(np.float32)
        wanted = evaluated(model, x)
        found = plan(x)
        assert found.shape == wanted.shape
        assert found.dtype == wanted.dtype
        assert np.abs(found - wanted).max() <= 1e-5 * max(1, np.abs(wanted).max())
    return plan


def steps(plan: Plan) -> list[str]:
    return [" + ".join(stage.words) for stage in plan.stages]


class Block(nn.Module):
    """relu(bn(conv(x))) with a sum, a concatenation, or nothing around it; U-Net-like with a smaller copy in between."""

    def __init__(self, way: str, channels: int, **options: Any) -> None:
        super().__init__()
        self.way = way
        self.conv = nn.Conv2d(channels, channels, **options)
        self.bn = nn.BatchNorm2d(channels)
        self.up = nn.ConvTranspose2d(channels, channels, 2, 2) if way == "unet" else None
        self.last = nn.Conv2d(2 * channels, channels, 1) if way in ("unet", "both") else None

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.bn(self.conv(x))
        if self.way == "sum":
            return F.relu(F.add(y, x))
        if self.way == "both" and self.last is not None:
            return self.last(F.concatenate([F.relu(y), x], axis=1))
        if self.way == "unet" and self.up is not None and self.last is not None:
            small = F.max_pool(F.relu(y), 2)
            return F.relu(self.last(F.concatenate([self.up(small), x], axis=1)))
        return F.clip(y, 0.0, 6.0)


@st.composite
def networks(draw: st.DrawFn) -> nn.Module:
    channels = draw(st.sampled_from((4, 8, 16)))
    layers: list[nn.Module] = [nn.Conv2d(3, channels, draw(st.sampled_from((1, 3))), padding=1)]
    for _ in range(draw(st.integers(1, 3))):
        way = draw(st.sampled_from(("plain", "sum", "both", "unet")))
        kernel, dilation = draw(st.sampled_from((1, 3, 5))), draw(st.integers(1, 3))
        options: dict[str, Any] = {"kernel_size": kernel, "dilation": dilation, "padding": dilation * (kernel - 1) // 2}
        options["groups"] = draw(st.sampled_from((1, 1, 2, channels)))
        options["bias"] = draw(st.booleans())
        layers.append(Block(way, channels, **options))
        layers.append(draw(st.sampled_from((nn.ReLU(), nn.BatchNorm2d(channels), nn.GELU(), nn.Dropout(0.5)))))
    return shaken(nn.Sequential(*layers, nn.GlobalAvgPool(), nn.Flatten(), nn.Linear(channels, 5)))


@examples(8)
@given(networks(), st.sampled_from(((3, 12, 12), (3, 8, 20))))
def test_random_networks(model: nn.Module, shape: tuple[int, ...]) -> None:
    agree(model, shape)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("vgg_small", (3, 32, 32)), ("vgg_fast", (3, 32, 32)), ("resnet_small", (3, 32, 32))],
)
def test_shipped_networks(name: str, shape: tuple[int, ...]) -> None:
    agree(shaken(models.names[name]()), shape, 2)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*models.names} - {"vgg_small", "vgg_fast", "resnet_small"}))
def test_large_networks(name: str) -> None:
    agree(shaken(models.names[name]()), (1, 16, 16, 16) if name in models.CLIP_MODELS else (3, 32, 48), 2)


def test_vgg_small_is_nine_steps() -> None:
    plan = deploy.compile(models.vgg_small(widths=(16, 32), dilations=((1,), (2,))), (3, 16, 16))
    assert steps(plan) == [
        "conv + batch_norm + relu + max_pool",
        "conv + batch_norm + relu",
        "mean",
        "flatten",
        "linear",
    ]
    assert plan.kept_apart == ()
    text = repr(plan)
    assert text.startswith("plan of VGG for (3, 16, 16), float32: 5 steps for 10 calls; ")
    assert "features.0, features.1, features.2, features.3" in text


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stride", [1, 3])
def test_folds_into_a_transposed_convolution(groups: int, affine: bool, bias: bool, stride: int) -> None:
    conv = nn.ConvTranspose2d(4, 6, 2, stride, groups=groups, bias=bias, output_padding=stride - 1)
    plan = agree(shaken(nn.Sequential(conv, nn.BatchNorm2d(6, affine=affine), nn.ReLU())), (4, 5, 6))
    assert steps(plan) == ["conv_transpose + batch_norm + relu"]


def test_a_transposed_convolution_with_positions_that_no_tap_reaches() -> None:
    conv = nn.ConvTranspose2d(4, 6, 2, stride=2, output_padding=2, dilation=3)
    assert steps(agree(shaken(nn.Sequential(conv, nn.BatchNorm2d(6))), (4, 5, 6))) == ["conv_transpose + batch_norm"]


@pytest.mark.parametrize(
    "layer", [nn.Conv1d(4, 6, 3, dilation=2, bias=False), nn.Conv2d(4, 6, 3, groups=2), nn.Linear(4, 6)]
)
def test_folds_into_what_makes_its_channels(layer: nn.Module) -> None:
    shape = {"Conv1d": (4, 9), "Conv2d": (4, 6, 5), "Linear": (4,)}[type(layer).__name__]
    plan = agree(shaken(nn.Sequential(layer, nn.BatchNorm(6, affine=False))), shape)
    assert steps(plan) == [f"{'linear' if shape == (4,) else 'conv'} + batch_norm"]


def test_a_volume() -> None:
    body = nn.Sequential(
        nn.Conv3d(2, 16, 3, padding=2, dilation=2), nn.BatchNorm3d(16), nn.ReLU(), nn.Conv3d(16, 16, 3)
    )
    assert steps(agree(shaken(body), (2, 5, 6, 7))) == ["conv + batch_norm + relu", "conv"]


def test_a_dilation_that_leaves_two_values_to_a_phase() -> None:
    model = shaken(
        nn.Sequential(nn.Conv2d(16, 16, 3, padding=4, dilation=4, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    )
    plan = agree(model, (16, 8, 7))
    assert plan.steps[0].way == "two by two"
    x = np.random.default_rng(0).normal(size=(2, 16, 8, 7)).astype(np.float32)
    x[1, 0, 0, 0] = np.nan
    assert np.isnan(plan(x)).sum() == 4 * 16


class Reused(nn.Module):
    """One convolution, called twice, each time with a batch norm of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.two(self.conv(self.one(self.conv(x))))


def test_a_layer_that_is_used_twice_is_folded_in_each_place_by_itself() -> None:
    assert steps(agree(shaken(Reused()), (4, 6, 6))) == ["conv + batch_norm"] * 2


class ReadElsewhere(nn.Module):
    """The convolution's own result is needed as well."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.conv(x)
        return F.multiply(F.relu(self.bn(y)), y)


def test_what_is_read_elsewhere_stays_and_says_so() -> None:
    plan = agree(shaken(ReadElsewhere()), (4, 6, 6))
    assert steps(plan) == ["conv", "batch_norm + relu", "multiply"]
    assert plan.kept_apart == (
        "batch_norm in layer 'bn': the result of conv in layer 'conv' is read elsewhere as well",
    )


def test_an_activation_that_is_a_step_of_its_own_says_so() -> None:
    plan = agree(shaken(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU(), nn.Tanh())), (3, 6, 6))
    assert steps(plan) == ["conv + batch_norm", "silu", "tanh"]
    assert plan.kept_apart == ("silu in layer '2': only ReLU and ranges are done where conv stores its results",)


def test_a_batch_norm_before_a_padded_convolution_stays_and_says_so() -> None:
    plan = agree(shaken(nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1))), (4, 6, 6))
    assert steps(plan) == ["batch_norm", "conv"]
    assert plan.kept_apart == (
        "batch_norm in layer '0': it is the first; and conv in layer '1', which comes next, pads with zeros that its shift "
        "would move",
    )
    assert plan.kept_apart[0] in repr(plan)


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.conv(x)
        return F.relu(F.add(y, y))


def test_a_value_that_is_added_to_itself() -> None:
    assert steps(agree(Doubled(), (3, 6, 6))) == ["conv", "add + relu"]


class Ways(nn.Module):
    """The result of the first convolution is added to that of the second, which is pooled, shown and joined with itself."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: md.Tensor) -> md.Tensor:
        y = self.one(x)
        z = F.max_pool(F.relu(F.add(y, self.two(y))), 3, 2, 1, 1, True)
        return F.flatten(F.concatenate([z, z], axis=1)[:, 3:20], 1)


def test_a_residual_and_views_of_memory_that_is_used_again() -> None:
    plan = agree(Ways(), (3, 9, 11))
    assert steps(plan) == ["conv", "conv + add + relu + max_pool", "concatenate", "getitem", "flatten"]


def test_dropout_and_training_mode() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)).train()
    before = model.state_dict()
    plan = deploy.compile(model, (3, 6, 6))
    assert all(module.training for module in model.modules())
    assert all(np.array_equal(value, before[name]) for name, value in model.state_dict().items())
    assert steps(plan) == ["conv + batch_norm"]
    x = np.random.default_rng(0).normal(size=(2, 3, 6, 6)).astype(np.float32)
    assert np.allclose(plan(x), evaluated(model, x), atol=1e-5)


def test_a_plan_does_not_follow_training() -> None:
    layer = nn.Linear(3, 2)
    plan, x = deploy.compile(nn.Sequential(layer), (3,)), np.ones((1, 3), np.float32)
    before = plan(x)
    layer.weight.data = np.zeros((2, 3), np.float32)
    assert np.array_equal(plan(x), before)


def test_any_number_of_images_and_threads() -> None:
    model = shaken(models.resnet_small())
    plan = deploy.compile(model, (3, 16, 16))
    x = np.random.default_rng(0).normal(size=(37, 3, 16, 16)).astype(np.float32)
    wanted, count = evaluated(model, x), md.num_threads()
    try:
        for threads in (1, 2, 3):
            md.set_num_threads(threads)
            for images in (0, 1, 2, 5, 37):
                found = plan(x[:images])
                assert found.shape == (images, 10)
                assert np.allclose(found, wanted[:images], rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    finally:
        md.set_num_threads(count)


@pytest.mark.slow
def test_several_threads_may_call_a_plan_at_once() -> None:
    model = shaken(models.resnet_small())
    plan = deploy.compile(model, (3, 16, 16))
    inputs = [np.random.default_rng(i).normal(size=(1 + i % 3, 3, 16, 16)).astype(np.float32) for i in range(12)]
    wanted = [plan(x) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, other in zip(pool.map(plan, inputs), wanted, strict=True):
            assert np.array_equal(found, other)


def test_memory_orders_tensors_and_read_only_arrays() -> None:
    model = shaken(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3)))
    plan = deploy.compile(model, (3, 8, 8))
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    wanted = plan(x)
    x.flags.writeable = False
    for other in (x, np.asfortranarray(x), np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)):
        assert np.array_equal(plan(other), wanted)
    result = plan(md.Tensor(x))
    assert isinstance(result, md.Tensor)
    assert np.array_equal(result.numpy(), wanted)


def test_numbers_that_winograd_is_not_trusted_with() -> None:
    model = shaken(nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()))
    plan = deploy.compile(model, (16, 12, 12))
    assert plan.steps[0].way == "winograd"
    x = np.random.default_rng(0).normal(size=(3, 16, 12, 12)).astype(np.float32)
    x[1, 2, 3, 4] = np.nan
    x[2, 0, 0, 0] = 1e20
    found, wanted = plan(x), evaluated(model, x)
    assert np.array_equal(np.isnan(found), np.isnan(wanted))
    assert np.isnan(found[1]).sum() == 9 * 32
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_float64() -> None:
    layers = nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.ConvTranspose2d(16, 3, 3, 2)
    model = shaken(nn.Sequential(*layers)).astype("float64")
    wide = deploy.compile(model, (3, 9, 9))
    x = np.random.default_rng(0).normal(size=(2, 3, 9, 9))
    assert wide.dtype == np.float64
    assert np.abs(wide(x) - evaluated(model, x)).max() < 1e-12


def test_another_shape_or_number_type_is_refused_with_the_numbers() -> None:
    plan = deploy.compile(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 8, 8))
    with pytest.raises(ShapeError, match=r"plan of Sequential: x must be \(N, 3, 8, 8\), not \(2, 3, 8, 9\); compile"):
        plan(np.zeros((2, 3, 8, 9), np.float32))
    with pytest.raises(ShapeError, match=r"not \(3, 8, 8\)"):
        plan(np.zeros((3, 8, 8), np.float32))
    with pytest.raises(DtypeError, match=r"x must be float32, not float64; use astype\('float32'\)"):
        plan(np.zeros((2, 3, 8, 8)))


class Calls(nn.Module):
    """A forward of one's own, in a layer."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act

    def forward(self, x: md.Tensor) -> Any:
        return self.act(x)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda x: F.flip(x, 0), "flip in layer 'odd' is an op that plans do not know"),
        (lambda x: F.softmax(x, 0), "softmax in layer 'odd' goes over the images of a batch"),
        (lambda x: F.subtract(x, F.mean(x, 0, True)), "mean in layer 'odd' makes"),
        (lambda x: x[::-1], "getitem in layer 'odd' takes some of the images"),
        (lambda x: F.dropout(x, 0.5), "dropout in layer 'odd' draws anew"),
        (lambda x: F.concatenate([x, x]), "concatenate in layer 'odd' makes"),
        (lambda x: F.batch_norm(x), "batch_norm in layer 'odd' normalises with the mean of the batch"),
        (lambda x: F.multiply(x, float(len(x.numpy()))), "multiply in layer 'odd' is given something else"),
        (lambda x: F.multiply(x, float(np.sign(x.numpy().sum()) + 2)), "differs from the model by"),
        (lambda x: md.Tensor(x.numpy()), "was not computed from its input"),
        (lambda x: (x, F.relu(x)), "returns a tuple"),
    ],
)
def test_what_cannot_be_compiled_is_named_with_its_layer(act: Any, why: str) -> None:
    model = nn.Sequential({"odd": Calls(act)})
    with pytest.raises(OptionError) as found:
        deploy.compile(model, (3, 4))
    assert str(found.value).startswith("compile: ")
    assert why in str(found.value)


@pytest.mark.parametrize("shape", [(), "3", 3, (3, 0), (3, 4.0), (True, 4)])
def test_an_input_shape_that_is_none(shape: Any) -> None:
    with pytest.raises(OptionError, match="compile: input_shape is that of one image"):
        deploy.compile(nn.Sequential(nn.ReLU()), shape)


def test_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minidil.deploy.compiler.find_spec", lambda name: None)
    with pytest.raises(BackendError, match="runs on Numba"):
        deploy.compile(nn.Sequential(nn.ReLU()), (3, 4))
