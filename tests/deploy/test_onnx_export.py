"""Every layer that has an equivalent: ONNX's checker takes the file, and other programs compute what minidil computes."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_runtimes import agree, reference
from strategies import examples

import minidil as md
import minidil.functional as F
from minidil import deploy, models, nn
from minidil.errors import MinidilError, OptionError


class Of(nn.Module):
    """A function of tensors as a model."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: md.Tensor) -> md.Tensor:
        return self.function(x, *self.parts)


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def shaken(model: nn.Module) -> nn.Module:
    """With statistics, scales and biases that matter."""
    rng = np.random.default_rng(1)
    state = {
        name: value + rng.uniform(0.1, 0.9, value.shape).astype(value.dtype)
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(state)
    return model


LAYERS = {
    "conv1d": (nn.Conv1d(2, 3, 3, dilation=3, padding="causal"), (2, 8)),
    "conv2d": (nn.Conv2d(4, 6, (3, 2), (2, 1), padding=((2, 0), (1, 3)), dilation=(1, 3), groups=2), (4, 7, 6)),
    "conv same": (nn.Conv2d(2, 3, 4, 3, padding="same", dilation=2, bias=False), (2, 7, 8)),
    "conv3d": (nn.Conv3d(1, 2, 2, dilation=(1, 2, 1)), (1, 3, 4, 3)),
    "depthwise": (nn.Conv2d(3, 6, 3, padding=2, dilation=2, groups=3), (3, 5, 5)),
    "batch norm": (nn.BatchNorm(3, eps=1e-2), (3, 4)),
    "batch norm flat": (nn.BatchNorm(3, affine=False), (3,)),
    "batch norm gelu": (nn.BatchNorm(3, activation="gelu"), (3, 2, 2)),
    "batch norm relu": (nn.BatchNorm(3, activation="relu"), (3, 2, 2, 1)),
    "layer norm": (nn.LayerNorm((2, 3), eps=1e-3), (4, 2, 3)),
    "layer norm plain": (nn.LayerNorm(3, elementwise_affine=False), (4, 3)),
    "layer norm no bias": (nn.LayerNorm(3, bias=False), (4, 3)),
    "group norm": (nn.GroupNorm(2, 4), (4, 3, 2)),
    "instance norm": (nn.InstanceNorm(3, affine=True), (3, 5)),
    "instance norm plain": (nn.InstanceNorm(3), (3, 2, 2)),
    "max pool": (nn.MaxPool2d((2, 3), (1, 2), padding=(1, 0), dilation=(2, 1)), (2, 5, 6)),
    "max pool uneven": (nn.MaxPool1d(3, 2, padding=((1, 2),), dilation=2), (2, 7)),
    "max pool wide": (nn.MaxPool1d(2, 1, padding=3, dilation=5), (2, 6)),
    "max pool 3d": (nn.MaxPool3d(2, 1, dilation=(1, 2, 1)), (1, 3, 4, 3)),
    "max pool ceil": (Of(lambda x: F.max_pool(x, 3, 2, 1, ceil_mode=True)), (2, 6, 7)),
    "avg pool": (nn.AvgPool2d(2, 1, padding=1, dilation=(2, 1)), (2, 4, 4)),
    "avg pool inside": (nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), (2, 5, 4)),
    "avg pool ceil": (Of(lambda x: F.avg_pool(x, 3, 2, 1, ceil_mode=True)), (2, 6, 6)),
    "avg pool ceil inside": (Of(lambda x: F.avg_pool(x, 2, 2, ceil_mode=True, count_include_pad=False)), (2, 5)),
    "avg pool divisor": (Of(lambda x: F.avg_pool(x, 2, divisor_override=3)), (2, 4, 4)),
    "avg pool wide": (nn.AvgPool1d(2, 1, padding=2, dilation=3), (2, 5)),
    "adaptive": (nn.AdaptiveAvgPool((2, 3)), (2, 5, 7)),
    "adaptive even": (nn.AdaptiveAvgPool2d((2, 3)), (2, 4, 9)),
    "adaptive one": (nn.AdaptiveAvgPool2d(1), (2, 4, 3)),
    "global avg": (nn.GlobalAvgPool(), (2, 3, 4)),
    "global max": (nn.GlobalMaxPool(), (2, 3, 4)),
    "linear": (nn.Linear(3, 2), (3,)),
    "linear rows": (nn.Linear(3, 2), (4, 3)),
    "linear rows no bias": (nn.Linear(3, 2, bias=False), (4, 3)),
    "flatten": (nn.Flatten(), (2, 3, 2)),
    "flatten inner": (nn.Flatten(2), (2, 3, 2)),
    "flatten batch": (nn.Flatten(0, 1), (2, 3)),
    "relu": (nn.ReLU(), (5,)),
    "leaky relu": (nn.LeakyReLU(0.2), (5,)),
    "gelu": (nn.GELU(), (5,)),
    "gelu tanh": (nn.GELU("tanh"), (5,)),
    "silu": (nn.SiLU(), (5,)),
    "sigmoid": (nn.Sigmoid(), (5,)),
    "tanh": (nn.Tanh(), (5,)),
    "softplus": (Of(lambda x: F.softplus(x, beta=2.0)), (5,)),
    "softmax": (nn.Softmax(), (5,)),
    "softmax of channels": (nn.Softmax(1), (3, 2)),
    "log softmax": (nn.LogSoftmax(1), (3, 2)),
    "dropout": (nn.Sequential(nn.Dropout(), nn.ReLU(), nn.Dropout2d()), (2, 3, 3)),
    "dropout call": (Of(lambda x: F.dropout(x, training=False) + 1), (3,)),
    "shared conv": (nn.SharedConv(2), (2, 4, 4)),
    "phase mixing": (nn.PhaseMixing(2, 2), (2, 4, 5)),
    "aspp": (models.ASPP(3, 2, rates=(1, 2)), (3, 4, 5)),
    "vgg fast": (models.vgg_fast(3, widths=(16, 16), dilations=((1, 2), (1,))), (3, 7, 7)),
    "residual": (nn.ResidualBlock(2, 3, stride=2, dilation=2), (2, 5, 6)),
    "shortcut": (nn.Residual(nn.Conv1d(2, 2, 3, padding=1)), (2, 5)),
    "twice": (Of(lambda x, part: part(part(x)), nn.Linear(3, 3)), (3,)),
    "with itself": (Of(lambda x: F.concatenate([x, F.relu(x), x], axis=1)), (2, 3)),
    "stack": (Of(lambda x: F.stack([x, 2 * x], axis=2)), (2, 3)),
    "arithmetic": (Of(lambda x: (1 - x) / (x * x + 2) - (-x) ** 2), (4,)),
    "functions": (Of(lambda x: F.exp(x).log() + F.sqrt(F.absolute(x) + 1) + F.clip(x, -0.5, None).clip(None, 0.7)), (4,)),
    "extremes": (Of(lambda x: F.maximum(x, 0.1) + F.minimum(x, numbers(4))), (4,)),
    "where": (Of(lambda x: F.where(numbers(4) > 0, x, 0.5)), (4,)),
    "reductions": (Of(lambda x: x.mean(axis=1) + x.sum(axis=1) + x.amax(axis=1) * x.amin(axis=1)), (4, 2)),
    "reduction to one": (Of(lambda x: F.logsumexp(x, axis=(1, 2), keepdims=True)), (4, 2)),
    "moving": (Of(lambda x: F.flip(x.transpose(0, 2, 1), axis=1).unsqueeze(1).squeeze(1)), (4, 2)),
    "expand": (Of(lambda x: F.expand(x, (-1, 4, 3))), (1, 3)),
    "parts": (Of(lambda x: x[:, 1:, ::-2] + x[:, :1, -3::] [..., :2][:, None, 0]), (3, 4)),
    "chosen": (Of(lambda x: x[:, np.array([2, 0, 2])]), (3, 4)),
    "pad": (Of(lambda x: F.pad(x, (1, 2, 0, 1), value=0.5)), (2, 3, 3)),
    "split": (Of(lambda x: x.chunk(2, axis=1)[1] @ numbers(3, 2)), (4, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_others_compute_the_same(name: str, tmp_path: Path) -> None:
    model, shape = LAYERS[name]
    agree(shaken(model), numbers(2 if "batch" in name else 3, *shape), tmp_path)


RESIZED: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"size": 7, "mode": "nearest"}, (2, 3)),
    ({"size": (3, 7), "mode": "nearest"}, (2, 5, 4)),
    ({"scale_factor": 2, "mode": "nearest"}, (1, 3, 2, 2)),
    ({"scale_factor": 1.7, "mode": "nearest"}, (2, 5)),
    ({"size": 7, "mode": "linear"}, (2, 3)),
    ({"size": (5, 3), "mode": "bilinear"}, (2, 3, 6)),
    ({"size": (5, 1), "mode": "bilinear", "align_corners": True}, (2, 3, 6)),
    ({"scale_factor": (1.3, 2), "mode": "bilinear"}, (2, 5, 3)),
    ({"scale_factor": 2, "mode": "trilinear", "align_corners": True}, (1, 2, 3, 2)),
    ({"size": (7, 4), "mode": "bicubic"}, (2, 5, 6)),
    ({"size": (7, 4), "mode": "bicubic", "align_corners": True}, (2, 5, 6)),
    ({"scale_factor": 1.3, "mode": "bicubic"}, (2, 5, 6)),
]


@pytest.mark.parametrize(("options", "shape"), RESIZED)
def test_resizing(options: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    agree(nn.Upsample(**options), numbers(2, *shape), tmp_path)


def test_nearest_takes_the_right_position_where_float32_rounds_to_its_neighbour(tmp_path: Path) -> None:
    """floor(o S / O) for sizes whose quotient float32 cannot hold: a scale that is rounded up takes a position too few."""
    wrong = []
    for size in range(2, 60):
        for out in range(2, 60):
            scale = np.float32(out) / np.float32(size)
            positions = np.floor(np.arange(out, dtype=np.float32) / scale)
            if (positions != np.arange(out) * size // out).any():
                wrong.append((size, out))
    assert wrong
    for size, out in wrong[:3]:
        agree(nn.Upsample(out), numbers(1, 1, size), tmp_path)
        agree(nn.Upsample((out, 2)), numbers(1, 1, size, 1), tmp_path)


TRANSPOSED: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"stride": 2, "padding": 1, "output_padding": 1}, (3, 4)),
    ({"stride": (3, 2), "dilation": (2, 3), "output_padding": (2, 1)}, (3, 4)),
    ({"stride": (3, 2), "dilation": (2, 3), "padding": ((1, 0), (2, 3)), "output_padding": (2, 1)}, (3, 4)),
    ({"stride": 2, "dilation": 3, "padding": ((0, 1), (0, 0)), "output_padding": 2}, (3, 4)),
    ({"stride": 1, "dilation": 2, "output_padding": 1}, (3, 4)),
    ({"stride": 1, "dilation": 3, "padding": 1, "output_padding": (2, 0), "bias": False}, (3, 4)),
    ({"stride": 2, "dilation": 3, "output_padding": 2}, (4,)),
    ({"stride": 2, "dilation": (1, 2, 1), "padding": 1, "output_padding": 1}, (2, 2, 3)),
]


@pytest.mark.parametrize(("options", "size"), TRANSPOSED)
def test_transposed_with_dilation_stride_and_output_padding_together(
    options: dict[str, Any], size: tuple[int, ...], tmp_path: Path
) -> None:
    layer = getattr(nn, f"ConvTranspose{len(size)}d")(2, 3, 3, **options)
    agree(shaken(layer), numbers(2, 2, *size), tmp_path)


@pytest.mark.parametrize("options", [{}, {"padding": 1}, {"padding": ((0, 1), (2, 0)), "output_padding": 1}])
def test_transposed_in_groups(options: dict[str, Any], tmp_path: Path) -> None:
    layer = shaken(nn.ConvTranspose2d(4, 6, 3, 2, dilation=2, groups=2, **options))
    agree(layer, numbers(2, 4, 3, 3), tmp_path)
    (node,) = [node for node in onnx.load(tmp_path / "model.onnx").graph.node if node.op_type == "ConvTranspose"]
    assert {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}["group"] == 2


def test_embedding_takes_whole_numbers(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Embedding(7, 4, padding_idx=0), nn.Linear(4, 2))
    ids = np.array([[0, 3, 6], [1, 2, 0]])
    agree(model, ids, tmp_path)
    assert onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.INT64


def test_float64(tmp_path: Path) -> None:
    """ONNX Runtime has no convolution of float64 on a CPU: "could not find an implementation for Conv"."""
    model = shaken(nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm(3), nn.Flatten(), nn.Linear(9, 2)).astype(np.float64))
    agree(model, numbers(2, 2, 5).astype(np.float64), tmp_path, atol=1e-12, runners={"reference": reference})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg_small", "resnet_small", "resnet18", "efficientnet_lite0", "hed"])
def test_networks_by_name(name: str, tmp_path: Path) -> None:
    agree(models.names[name](rng=np.random.default_rng(0)), numbers(1, 3, 32, 32), tmp_path, atol=1e-5)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm(4), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.middle = nn.Sequential(nn.Conv2d(4, 4, 3, padding=2, dilation=2), nn.ReLU())
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, x: md.Tensor) -> md.Tensor:
        left = self.down(x)
        return self.out(F.concatenate([left, self.up(self.middle(self.pool(left)))], axis=1))


def test_unet_and_its_names(tmp_path: Path) -> None:
    model = shaken(UNet())
    back = agree(model, numbers(2, 2, 6, 4), tmp_path)
    assert set(back.state_dict()) == {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    made = onnx.load(tmp_path / "model.onnx")
    assert [(each.domain, each.version) for each in made.opset_import] == [("", 20)]
    assert (made.ir_version, made.producer_name) == (9, "minidil")
    dims = [
        [d.dim_param or d.dim_value for d in end[0].type.tensor_type.shape.dim]
        for end in (made.graph.input, made.graph.output)
    ]
    assert dims == [["batch", 2, 6, 4], ["batch", 3, 6, 4]]


def test_weights_that_are_named_like_the_ends_of_the_graph(tmp_path: Path) -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.x, self.y = nn.Parameter(numbers(3)), nn.Parameter(numbers(3))

        def forward(self, x: md.Tensor) -> md.Tensor:
            return x * self.x + self.y

    path = tmp_path / "model.onnx"
    deploy.to_onnx(Named(), (3,), path)
    x = numbers(2, 3)
    np.testing.assert_array_equal(deploy.from_onnx(path)(md.tensor(x)).numpy(), x * numbers(3) + numbers(3))


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, ...]]:
    """A stack of layers with settings that fit one behind the other, and the shape of its input."""
    ndim = draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    size = tuple(draw(st.integers(4, 7)) for _ in range(ndim))
    model, channels = nn.Sequential(), 2

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(ndim))

    def sides() -> tuple[tuple[int, int], ...]:
        return tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(ndim))

    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(("Conv", "Conv", "MaxPool", "AvgPool", "ConvTranspose", "norm", "up", "act")))
        if kind == "Conv":
            groups = draw(st.sampled_from((1, 2)))
            padding: Any = draw(st.sampled_from(("same", "causal", sides())))
            layer = getattr(nn, f"Conv{ndim}d")(
                channels, 4, each(1, 3), each(1, 2), padding, each(1, 3), groups, rng=rng
            )
            channels = 4
        elif kind == "ConvTranspose":
            stride, dilation = each(1, 3), each(1, 3)
            extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
            layer = getattr(nn, f"ConvTranspose{ndim}d")(
                channels, 2, each(1, 3), stride, sides(), extra, dilation=dilation, rng=rng
            )
            channels = 2
        elif kind in ("MaxPool", "AvgPool"):
            layer = getattr(nn, f"{kind}{ndim}d")(each(1, 3), each(1, 2), sides(), dilation=each(1, 2))
        elif kind == "norm":
            layer = draw(st.sampled_from((nn.BatchNorm(channels), nn.GroupNorm(2, channels))))
        elif kind == "up":
            mode = draw(st.sampled_from(("nearest", ("linear", "bilinear")[ndim - 1])))
            layer = nn.Upsample(each(1, 9), mode=mode)
        else:
            layer = draw(st.sampled_from((nn.ReLU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.LeakyReLU())))
        try:
            nn.Sequential(*model, layer).eval()(md.tensor(numbers(1, 2, *size)))
        except MinidilError:
            continue  # it does not fit what is left
        model.append(layer)
    return model.append(nn.Flatten()), (2, *size)


def holds(network: tuple[nn.Module, tuple[int, ...]]) -> None:
    model, shape = network
    with md.use("numpy"), tempfile.TemporaryDirectory() as folder:
        agree(model, numbers(2, *shape), Path(folder))


@given(networks())
@examples(12)
def test_random_networks(network: tuple[nn.Module, tuple[int, ...]]) -> None:
    holds(network)


@pytest.mark.slow
@given(networks())
@examples(150)
def test_many_random_networks(network: tuple[nn.Module, tuple[int, ...]]) -> None:
    holds(network)


REFUSED: list[tuple[nn.Module, tuple[int, ...], str]] = [
    (Of(lambda x: F.norm(x, axis=1)), (3,), r"norm in the forward of Of: an op without one"),
    (nn.Sequential(nn.Conv1d(2, 2, 1), Of(lambda x: F.insert_zeros(F.cumsum(x, axis=1), 2))), (2, 3),
     r"cumsum in layer '1' \(Of\): an op without one; insert_zeros in layer '1' \(Of\): an op without one"),
    (nn.BatchNorm(2, track_running_stats=False), (2, 3), r"batch_norm in the forward of BatchNorm: it normalises by the batch"),
    (Of(lambda x: x * float(x.numpy().sum())), (3,), r"multiply in the forward of Of takes a constant that follows the input"),
    (Of(lambda x: F.where(x > 0, x, 0.0)), (3,), r"where in the forward of Of takes a constant that follows the input"),
    (Of(lambda x: x + np.ones((len(x), 3), np.float32)), (3,), r"takes a constant that follows the input, or the batch"),
    (Of(lambda x: x[:1]), (3,), r"getitem in the forward of Of: the index .* along the batch"),
    (Of(lambda x: x if len(x) < 3 else F.relu(x)), (3,), "computes other things for another input"),
    (Of(lambda x: x.numpy()), (3,), "the output of Of is not one tensor"),
    (Of(lambda x: md.tensor(x.numpy())), (3,), "not computed from its input by ops of minidil"),
    (Of(lambda x: F.dropout(x)), (3,), "draws numbers in evaluation mode"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "shape", "words"), REFUSED)
def test_what_has_no_equivalent_is_named_before_a_file_is_written(
    model: nn.Module, shape: tuple[int, ...], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the old one")
    with pytest.raises(OptionError, match=words):
        deploy.to_onnx(model, shape, path)
    assert path.read_bytes() == b"the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    assert model.training


@pytest.mark.parametrize("shape", [(), 3, (3, 0), ("a",), (True,)])
def test_an_input_shape_that_is_none(shape: Any, tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=re.escape(f"to_onnx: input_shape is that of one input, such as (3, 32, 32), not {shape!r}")
    ):
        deploy.to_onnx(nn.ReLU(), shape, tmp_path / "model.onnx")


def test_names_of_files_and_metadata(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"model\.pb: the name of a file of ONNX ends in \.onnx"):
        deploy.to_onnx(nn.ReLU(), (3,), tmp_path / "model.pb")
    wrong: Any = {"classes": 3}
    with pytest.raises(OptionError, match=r"to_onnx: metadata holds words by words, not \{'classes': 3\}"):
        deploy.to_onnx(nn.ReLU(), (3,), tmp_path / "model.onnx", metadata=wrong)
    deploy.to_onnx(nn.ReLU(), (3,), tmp_path / "model.onnx", metadata={"classes": "cat"})
    (prop,) = onnx.load(tmp_path / "model.onnx").metadata_props
    assert (prop.key, prop.value) == ("classes", "cat")


def test_without_the_libraries_one_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.onnx").write_bytes(b"")
    for library in ("onnx", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, library, None)
    for call in (
        lambda: deploy.to_onnx(nn.ReLU(), (3,), tmp_path / "model.onnx"),
        lambda: deploy.from_onnx(tmp_path / "there.onnx"),
        lambda: deploy.save_safetensors(nn.Linear(2, 2), tmp_path / "w.safetensors"),
    ):
        with pytest.raises(
            OptionError, match=r'needs the library \w+; install it with `pip install "minidil\[deploy\]"`'
        ):
            call()
    assert [each.name for each in tmp_path.iterdir()] == ["there.onnx"]
