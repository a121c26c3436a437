"""A stream gives what the model gives to the whole signal, however the signal is cut, and says what it cannot stream."""

import contextlib
import copy
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidil as md
from minidil import deploy, nn
from minidil.errors import CheckpointError, DtypeError, OptionError, ShapeError

_POINTWISE: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU,
    nn.Sigmoid,
    nn.Tanh,
    nn.SiLU,
    nn.GELU,
    lambda: nn.GELU("tanh"),
    lambda: nn.LeakyReLU(0.2),
    nn.Identity,
    nn.Dropout,
)


def settled(model: nn.Module, dtype: Any = np.float32) -> nn.Module:
    """The model in evaluation mode, with statistics and biases that are no neutral ones."""
    draw = np.random.default_rng(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm):
            module.running_mean = draw.normal(size=module.num_features).astype(np.float32)
            module.running_var = draw.uniform(0.5, 2, module.num_features).astype(np.float32)
        for name, parameter in module.own_parameters().items():
            if name == "bias" or isinstance(module, nn.BatchNorm):
                parameter.data = draw.normal(1, 0.3, parameter.shape).astype(np.float32)
    return model.astype(dtype).eval()


def whole(model: nn.Module, x: Any) -> Any:
    with md.no_grad():
        return model(md.tensor(x[None])).numpy()[0]


def cut(stream: deploy.Stream, x: Any, sizes: list[int]) -> Any:
    """All answers, when the signal comes in pieces of these sizes, again and again."""
    answers, at, number = [], 0, 0
    while at < x.shape[1]:
        answers.append(stream.push(x[:, at : at + sizes[number % len(sizes)]]))
        at += sizes[number % len(sizes)]
        number += 1
    return np.concatenate(answers, axis=1)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[nn.Sequential, int]:
    """A causal stack with the number of samples that it needs for an answer."""
    channels, layers, first, step = draw(st.integers(1, 9)), [], 0, 1
    given_channels = channels

    def conv(channels: int, plain: bool = False) -> nn.Conv1d:
        groups = draw(st.sampled_from([g for g in (1, 2, 3, channels) if channels % g == 0]))
        out = channels if plain else groups * draw(st.integers(1, 6))
        kernel, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 5))
        before = draw(st.integers(0, (kernel - 1) * dilation))
        padding = "causal" if plain else draw(st.sampled_from(["causal", "valid", ((before, 0),)]))
        stride = 1 if plain else draw(st.integers(1, 3))
        return nn.Conv1d(channels, out, kernel, stride, padding, dilation, groups, bias=draw(st.booleans()))

    layers.append(conv(channels))
    for _ in range(draw(st.integers(0, 5))):
        channels = layers_out(layers, given_channels)
        kind = draw(st.sampled_from(["conv", "norm", "activation", "residual", "strided residual", "mean", "largest"]))
        if kind == "conv":
            layers.append(conv(channels))
        elif kind == "norm":
            layers.append(nn.BatchNorm1d(channels, activation=draw(st.sampled_from([None, "relu", "gelu"]))))
        elif kind == "activation":
            layers.append(draw(st.sampled_from(_POINTWISE))())
        elif kind == "residual":
            inner = nn.Residual(nn.Sequential(nn.ReLU(), conv(channels, plain=True)))
            layers.append(nn.Residual(nn.Sequential(conv(channels, plain=True), nn.BatchNorm1d(channels), inner)))
        elif kind == "strided residual":
            body = nn.Conv1d(channels, channels + 1, 3, 2, "causal", 2)
            layers.append(nn.Residual(body, nn.Sequential(nn.Conv1d(channels, channels + 1, 1, 2), nn.Tanh())))
        elif kind == "mean":
            layers.append(nn.AvgPool1d(2, draw(st.integers(1, 2)), draw(st.sampled_from([0, "causal"]))))
        else:
            layers.append(nn.MaxPool1d(2, draw(st.integers(1, 2)), draw(st.sampled_from([0, "causal"])), dilation=2))
    model = nn.Sequential(*layers)
    planned = deploy.stream(settled(model))
    first, step = planned.start, planned.step
    return model, first + 1 + draw(st.integers(0, 3)) * step + draw(st.integers(0, 20))


def layers_out(layers: list[nn.Module], channels: int) -> int:
    return whole(nn.Sequential(*layers).eval(), np.zeros((channels, 400), np.float32)).shape[0]


SIZES = st.lists(st.sampled_from([1, 2, 3, 7, 60]), min_size=1, max_size=4)


@given(stacks(), SIZES)
def test_streamed_is_batch_in_float32(backend: str, drawn: tuple[nn.Sequential, int], sizes: list[int]) -> None:
    compare(*drawn, sizes, np.float32, 1e-6)


@pytest.mark.slow  # compiles the other number type
@given(stacks(), SIZES)
def test_streamed_is_batch_in_float64(backend: str, drawn: tuple[nn.Sequential, int], sizes: list[int]) -> None:
    compare(*drawn, sizes, np.float64, 1e-12)


def compare(model: nn.Sequential, n: int, sizes: list[int], dtype: Any, tolerance: float) -> None:
    """Against the whole signal, and against the stream in one piece: there, bit for bit where it is compiled."""
    model = model.astype(dtype)
    stream = deploy.stream(model)
    x = np.random.default_rng(2).normal(size=(stream.channels, n)).astype(dtype)
    want, got = whole(model, x), cut(stream, x, sizes)
    assert got.shape == want.shape
    assert got.dtype == dtype
    assert np.abs(got - want).max() <= tolerance * max(1, np.abs(want).max())
    stream.reset()
    again = stream.push(x)
    if md.backend() == "numba":
        assert np.array_equal(again, got)
    assert np.abs(again - want).max() <= tolerance * max(1, np.abs(want).max())


def test_a_stride_answers_when_the_batch_does_and_what_follows_counts_answers(backend: str) -> None:
    halved = nn.Conv1d(1, 1, 2, stride=2, padding="causal", bias=False)
    halved.weight.data = np.ones((1, 1, 2), np.float32)
    behind = nn.Conv1d(1, 1, 2, dilation=2, padding="causal", bias=False)
    behind.weight.data = np.ones((1, 1, 2), np.float32)
    stream = deploy.stream(nn.Sequential(halved, behind))
    answers = [stream.push(np.array([sample], np.float32)).tolist() for sample in (1, 10, 100, 1000, 10000, 100000)]
    # pairs 1, 10 + 100, 1000 + 10000; the second layer adds the answer before the last one, not the sample before the last one
    assert answers == [[[1.0]], [[]], [[110.0]], [[]], [[11001.0]], [[]]]


def test_before_the_start_every_layer_sees_zeros_of_its_own(backend: str) -> None:
    # the norm makes 5 of a 0: what comes before the start is 0 behind it, and no signal of zeros that went through it
    norm, conv = nn.BatchNorm1d(1), nn.Conv1d(1, 1, 2, padding="causal", bias=False)
    model = nn.Sequential(norm, conv).eval()
    norm.bias.data = np.full(1, 5, np.float32)
    conv.weight.data = np.array([[[1, 2]]], np.float32)
    assert deploy.stream(model).push(np.zeros((1, 2), np.float32)).tolist() == [[10, 15]]


@pytest.mark.parametrize("sizes", [[1], [3, 60]])
def test_gated_blocks_and_weight_norm(backend: str, sizes: list[int]) -> None:
    gated = nn.Sequential(nn.Conv1d(3, 6, 2, dilation=3, padding="causal"), nn.Gate(), nn.Conv1d(3, 3, 1))
    first = nn.WeightNormConv1d(2, 3, 3, padding="causal")
    model = settled(nn.Sequential(first, nn.Residual(gated), nn.Residual(nn.Sequential(nn.Conv1d(3, 6, 1), nn.Gate()))))
    compare(model, 70, sizes, np.float32, 1e-6)


def test_a_layer_that_is_used_twice_looks_back_on_both_of_its_inputs(backend: str) -> None:
    conv = nn.Conv1d(2, 2, 2, dilation=3, padding="causal")
    model = nn.Sequential(conv, nn.ReLU(), conv)
    x = np.random.default_rng(0).normal(size=(2, 20)).astype(np.float32)
    np.testing.assert_allclose(cut(deploy.stream(model), x, [1]), whole(model, x), atol=1e-6)


def test_as_many_samples_as_channels_and_many_channels(backend: str) -> None:
    model = settled(nn.Sequential(nn.Conv1d(3, 100, 3, padding="causal"), nn.ReLU(), nn.Conv1d(100, 41, 1)))
    x = np.random.default_rng(0).normal(size=(3, 130)).astype(np.float32)
    want = whole(model, x)
    for sizes in ([1], [2], [3], [130]):
        np.testing.assert_allclose(cut(deploy.stream(model), x, sizes), want, atol=1e-6 * np.abs(want).max())


def test_a_piece_in_any_order_in_memory_read_only_and_as_a_tensor(backend: str) -> None:
    model = nn.Conv1d(3, 4, 2, padding="causal")
    x = np.random.default_rng(0).normal(size=(3, 9)).astype(np.float32)
    want = deploy.stream(model).push(x)
    frozen = x.copy()
    frozen.flags.writeable = False
    for piece in (np.asfortranarray(x), frozen, md.tensor(x)):
        assert np.array_equal(deploy.stream(model).push(piece), want)


def test_weights_are_those_of_the_moment(backend: str) -> None:
    model = nn.Conv1d(1, 1, 1, bias=False)
    model.weight.data = np.ones((1, 1, 1), np.float32)
    stream = deploy.stream(model)
    model.weight.data = np.zeros((1, 1, 1), np.float32)
    assert stream.push(np.ones(1, np.float32)).tolist() == [[1.0]]


def tower() -> nn.Sequential:
    blocks = [
        nn.Residual(nn.Sequential(nn.Conv1d(6, 6, 3, dilation=d, padding="causal"), nn.ReLU())) for d in (1, 3, 9)
    ]
    return nn.Sequential(nn.Conv1d(2, 6, 2, stride=2), *blocks, nn.MaxPool1d(3, 2, "causal"))


def test_a_saved_state_goes_on_with_the_same_bits(backend: str) -> None:
    model = tower()
    x = np.random.default_rng(0).normal(size=(2, 150)).astype(np.float32)
    stream = deploy.stream(model)
    stream.push(x[:, :77])
    file = io.BytesIO()
    np.savez(file, **stream.state())
    rest = stream.push(x[:, 77:])
    other = deploy.stream(model)
    other.push(x[:, 3:50])
    other.load_state(np.load(io.BytesIO(file.getvalue())))
    assert other.seen == 77
    assert np.array_equal(other.push(x[:, 77:]), rest)
    stream.load_state(np.load(io.BytesIO(file.getvalue())))
    assert np.array_equal(stream.push(x[:, 77:]), rest)


def test_a_state_moves_between_backends() -> None:
    model = tower()
    x = np.random.default_rng(0).normal(size=(2, 150)).astype(np.float32)
    want = whole(model, x)
    with md.use("numba"):
        compiled = deploy.stream(model)
    with md.use("numpy"):
        plain = deploy.stream(model)
    answers = []
    for number, first in enumerate(range(0, 150, 30)):
        here, there = (compiled, plain) if number % 2 else (plain, compiled)
        answers.append(here.push(x[:, first : first + 30]))
        there.load_state(here.state())
    np.testing.assert_allclose(np.concatenate(answers, axis=1), want, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rings": None}, "the state has no rings"),
        ({"geometry": np.zeros((4, 5), int)}, "of a model with other layers"),
        ({"seen": np.array(-1)}, "must be a whole number >= 0"),
        ({"seen": np.array([1, 2])}, "must be a whole number >= 0"),
        ({"rings": np.zeros(3, np.float32)}, r"rings must be \d+ numbers of type float32, not \(3,\) of float32"),
    ],
)
def test_a_damaged_state_is_refused_and_nothing_changes(change: dict[str, Any], told: str) -> None:
    stream = deploy.stream(tower())
    stream.push(np.ones((2, 9), np.float32))
    before = stream.state()
    state = {name: value for name, value in (before | change).items() if value is not None}
    with pytest.raises(CheckpointError, match=told):
        stream.load_state(state)
    assert all(np.array_equal(stream.state()[name], before[name]) for name in before)


def test_what_it_keeps_is_told() -> None:
    blocks = [nn.Residual(nn.Conv1d(64, 64, 2, dilation=2**i, padding="causal")) for i in range(10)]
    stream = deploy.stream(nn.Sequential(*blocks))
    assert repr(stream).endswith(
        "Sequential: an answer a sample; keeps 1,023 rows, 261,888 bytes; 0 samples seen"  # 1023 * 64 * 4
    )
    assert "9.body  64 -> 64       2       512       1  512 rows" in repr(stream)
    strided = deploy.stream(nn.Sequential(nn.Conv1d(2, 3, 3, stride=2, dilation=4), nn.Conv1d(3, 1, 2)))
    assert "an answer every 2 samples, the first to sample 10" in repr(strided)
    assert (strided.channels, strided.filters, strided.start, strided.step) == (2, 1, 10, 2)


class Own(nn.Module):
    def forward(self, x: md.Tensor) -> md.Tensor:
        return x


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        (nn.Conv1d(4, 4, 3, padding=1), "is padded by 1 on the right, so it sees what has not come yet"),
        (nn.Conv1d(4, 4, 3, padding=((0, 2),)), "is padded by 2 on the right"),
        (nn.Conv1d(4, 4, 3, padding="same"), 'has padding="same" and sees to the right; use padding="causal"'),
        (nn.Conv1d(4, 4, 3, padding=((5, 0),)), "is padded by 5 on the left, more than the 2 positions"),
        (nn.MaxPool1d(2, 1, 1), "is padded by 1 on the right"),
        (nn.AvgPool1d(2, 1, "causal", count_include_pad=False), "divides by another number at the start"),
        (nn.GlobalAvgPool(), "looks at all positions at once"),
        (nn.AdaptiveAvgPool1d(3), "looks at all positions at once"),
        (nn.Flatten(), "looks at all positions at once"),
        (nn.GroupNorm(2, 4), "looks at all positions at once"),
        (nn.InstanceNorm1d(4), "looks at all positions at once"),
        (nn.LayerNorm(9), "looks at all positions at once"),
        (nn.Linear(9, 4), r"use Conv1d\(..., 1\)"),
        (nn.Conv2d(4, 4, 1), "is no layer that is known to be causal"),
        (nn.ConvTranspose1d(4, 4, 2), "is no layer that is known to be causal"),
        (nn.BatchNorm1d(4, track_running_stats=False), "normalises by the statistics of what it is given"),
        (nn.BatchNorm1d(5), "takes 5 channels and is given 4"),
        (nn.Conv1d(5, 4, 1), "takes 5 channels and is given 4"),
        (Own(), "is no layer that is known to be causal"),
    ],
)
def test_what_cannot_be_streamed_is_named(layer: nn.Module, told: str) -> None:
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.Residual(nn.Sequential(nn.ReLU(), layer)))
    name = rf"stream: layer '1\.body\.1' \({type(layer).__name__}\) "
    with pytest.raises(OptionError, match=name + ".*" + told):
        deploy.stream(model)


def test_branches_that_answer_at_other_times_are_refused() -> None:
    late = nn.Residual(nn.Conv1d(2, 2, 3))
    with pytest.raises(OptionError, match=r"'0'.*2 channels at positions 2, 3, ... from the body but 2 .* 0, 1, ..."):
        deploy.stream(nn.Sequential(late))
    with pytest.raises(OptionError, match="cannot add 3 channels at positions 0, 2"):
        deploy.stream(nn.Residual(nn.Conv1d(2, 3, 1, 2)))


def test_a_hook_and_a_model_without_channels_are_refused() -> None:
    conv = nn.Conv1d(1, 1, 1)
    conv.register_forward_hook(lambda module, inputs, output: None)
    with pytest.raises(OptionError, match=r"layer '0' .*has hooks"):
        deploy.stream(nn.Sequential(conv))
    with pytest.raises(OptionError, match="the model, a Sequential, has no Conv1d and no batch norm"):
        deploy.stream(nn.Sequential(nn.ReLU()))
    mixed = nn.Sequential(nn.Conv1d(1, 1, 1), nn.Conv1d(1, 1, 1).astype("float64"))
    with pytest.raises(OptionError, match="parameters of several types"):
        deploy.stream(mixed)


@pytest.mark.parametrize(
    ("x", "error", "told"),
    [
        (np.ones((3, 4), np.float32), ShapeError, r"one sample \(2,\) or a piece \(2, n\), not \(3, 4\)"),
        (np.ones(4, np.float32), ShapeError, r"not \(4,\)"),
        (np.ones((1, 2, 4), np.float32), ShapeError, r"not \(1, 2, 4\)"),
        (np.ones((2, 4)), DtypeError, "x must be float32, as the model is, not float64"),
    ],
)
def test_a_wrong_piece_is_refused_and_not_taken_in(x: Any, error: type[Exception], told: str) -> None:
    stream = deploy.stream(nn.Conv1d(2, 1, 2, padding="causal"))
    with pytest.raises(error, match=told):
        stream.push(x)
    assert stream.seen == 0
    assert stream.push(np.ones((2, 0), np.float32)).shape == (1, 0)


def test_the_example_of_the_readme_runs() -> None:
    readme = Path(md.__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("this is an installed package, without its README")
    blocks = [block.partition("```")[0] for block in readme.read_text("utf-8").split("```python\n")[1:]]
    (example,) = [block for block in blocks if "deploy.stream(" in block]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(example, {})
    assert printed.getvalue().startswith("True layer")
    assert "keeps 1,023 rows, 130,944 bytes; 16,000 samples seen" in printed.getvalue()


def test_a_deep_copy_goes_its_own_way(backend: str) -> None:
    x = np.random.default_rng(0).normal(size=(2, 60)).astype(np.float32)
    stream = deploy.stream(tower())
    stream.push(x[:, :31])
    other = copy.deepcopy(stream)
    rest = stream.push(x[:, 31:])
    assert np.array_equal(other.push(x[:, 31:]), rest)
    assert np.array_equal(other.state()["rings"], stream.state()["rings"])
