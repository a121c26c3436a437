"""Networks of sequences: none sees what is to come, nor less than it says, and their answers stand where they belong."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidil as md
from minidil import deploy, models, nn
from minidil.errors import OptionError


def positive(model: nn.Module) -> nn.Module:
    """Every path counts: no weight cancels another, and no ReLU stops what is positive."""
    for parameter in model.parameters():
        parameter.data = np.abs(parameter.numpy()) + np.float32(0.01)
    return model.eval()


def answers(model: nn.Module, x: np.ndarray) -> np.ndarray:
    with md.no_grad():
        return model(md.tensor(x)).numpy()


@st.composite
def stacks(draw: st.DrawFn) -> tuple[nn.Module, int]:
    """A network, and how many steps each answer sees: 1 + (layers a block) (k - 1) sum(dilations), and the first layer's."""
    taps, dilations = draw(st.integers(1, 4)), draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    if draw(st.booleans()):
        model = models.tcn(2, width=3, kernel_size=taps, dilations=dilations, weight_norm=draw(st.booleans()))
        return model, 1 + 2 * (taps - 1) * sum(dilations)
    model = models.wavenet_generator(4, width=3, kernel_size=taps, dilations=dilations)
    return model, 1 + (taps - 1) * (1 + sum(dilations))


@given(stacks(), st.integers(0, 6))
def test_an_answer_depends_on_its_own_step_and_so_many_before_it_and_on_none_after(
    backend: str, drawn: tuple[nn.Module, int], more: int
) -> None:
    model, sees = drawn
    model = positive(model.astype(np.float64))
    x = np.random.default_rng(0).uniform(0.01, 0.02, (1, 1, sees + 4))
    at = sees - 1 + more % 4
    first, before = at - sees + 1, answers(model, x)[..., at]
    for step, counts in ((at, True), (first, True), (at + 1, False), (first - 1, False)):
        if 0 <= step < x.shape[2]:
            moved = x.copy()
            moved[0, 0, step] += 0.5
            assert bool((answers(model, moved)[..., at] != before).any()) is counts, (step, at, sees)


@pytest.mark.parametrize("build", [models.tcn, models.lstm])
def test_the_last_answer_is_the_last_of_all_answers(build: Callable[..., nn.Module]) -> None:
    every, last = (build(5, in_channels=2, answers=word, rng=np.random.default_rng(0)) for word in ("every", "last"))
    x = np.random.default_rng(1).normal(size=(3, 2, 20)).astype(np.float32)
    whole = answers(every, x)
    assert whole.shape == (3, 5, 20)
    np.testing.assert_allclose(answers(last, x), whole[:, :, -1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(answers(every, x[:, :, :9]), whole[:, :, :9], rtol=1e-4, atol=1e-5)


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 60),
    st.data(),
)
def test_the_last_answer_needs_a_part_of_the_steps_alone(
    dilations: list[int], taps: int, length: int, drawn: st.DataObject
) -> None:
    window = {"width": 3, "kernel_size": taps, "in_channels": 2, "weight_norm": drawn.draw(st.booleans())}
    model = models.tcn(5, dilations=dilations, answers="last", rng=np.random.default_rng(0), **window)
    model = model.astype(np.float64)
    x, slope = np.random.default_rng(1).normal(size=(2, 2, length)), np.random.default_rng(2).normal(size=(2, 5))
    found = []
    for answer in (model, lambda x: models.last_answer(model, x)):
        model.zero_grad()
        given_x = md.tensor(x, requires_grad=True)
        y = answer(given_x)
        (y * slope).sum().backward()
        found.append([y.numpy(), given_x.grad.numpy(), *(each.grad.numpy() for each in model.parameters())])
    for whole, part in zip(*found, strict=True):
        np.testing.assert_allclose(part, whole, rtol=1e-9, atol=1e-11)


def test_the_last_answer_is_computed_from_few_rows_where_dilations_double() -> None:
    model, rows = models.tcn(3, width=2, kernel_size=8, dilations=(1, 2, 4, 8), answers="last"), []
    for block in (each for each in model if isinstance(each, nn.Residual)):
        block.body[1].register_forward_hook(lambda module, inputs, output: rows.append(output.shape[2]))
    models.last_answer(model, md.tensor(np.zeros((1, 1, 1000), np.float32)))
    assert rows == [1 + 14 * 15, 1 + 14 * 7, 1 + 14 * 3, 1 + 14]


def test_a_wavenet_takes_a_spectrogram_or_a_wave_of_any_length() -> None:
    x = np.random.default_rng(0).normal(size=(2, 1, 700)).astype(np.float32)
    wave = models.wavenet(3, width=4, dilations=(1, 2), stem=9, stem_stride=5)
    assert answers(wave, x).shape == answers(wave, x[:, :, :11]).shape == (2, 3)
    assert answers(models.wavenet(3, in_channels=7, width=4), x.reshape(2, 7, 100)).shape == (2, 3)


def test_a_generator_can_be_streamed(backend: str) -> None:
    model = models.wavenet_generator(8, width=4, dilations=(1, 2, 4), rng=np.random.default_rng(0)).eval()
    x, stream = np.random.default_rng(0).uniform(-1, 1, (1, 40)).astype(np.float32), deploy.stream(model)
    streamed = np.concatenate([stream.push(x[:, step]) for step in range(40)], axis=1)
    np.testing.assert_allclose(streamed, answers(model, x[None])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: models.tcn(2, dilations=()), r"tcn: needs a dilation or more, such as \(1, 2, 4\), not \(\)"),
        (lambda: models.tcn(2, dilations=(1, 0)), r"tcn: dilations\[1\] must be an int >= 1, not 0"),
        (lambda: models.tcn(2, answers="first"), "tcn: answers must be one of every, last, not 'first'"),
        (lambda: models.lstm(2, answers="first"), "lstm: answers must be one of every, last, not 'first'"),
        (
            lambda: models.last_answer(models.tcn(2), md.tensor(np.zeros((1, 1, 9), np.float32))),
            r"last_answer: needs a network of models.tcn\(answers='last'\), not one that ends with Conv1d",
        ),
        (lambda: models.wavenet(2, stem_stride=0), "wavenet: stem_stride must be an int >= 1, not 0"),
        (lambda: models.wavenet_generator(2.5), "wavenet_generator: levels must be an int >= 1, not 2.5"),
    ],
)
def test_settings_that_make_no_network(call: Callable[[], nn.Module], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        call()
