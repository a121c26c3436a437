"""The file of a sweep: what it means, and how it is refused. No trial runs, and Optuna is not needed."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import refused

import minidil
from minidil.analysis import has_holes
from minidil.cli.option import Option
from minidil.cli.sweep.config import Search, Sweep
from minidil.cli.sweep.space import Choice, Range
from minidil.errors import OptionError


def written(folder: Path, text: str) -> Path:
    path = folder / "sweep.toml"
    path.write_text(text)
    return path


class Draws:
    """Gives what it is told to, and keeps what it was asked for."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, dict[str, Any]()

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.asked[name] = choices
        return self.answers[name]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.asked[name] = (low, high, step, log)
        answer: int = self.answers[name]
        return answer

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.asked[name] = (low, high, step, log)
        answer: float = self.answers[name]
        return answer


def test_what_is_fixed_and_what_is_drawn_become_settings(tmp_path: Path) -> None:
    sweep = Sweep.read(
        written(
            tmp_path,
            """
            trials = 7
            sampler = "random"
            [settings]
            epochs = 2
            dilations = "1,2 1,3"
            [space]
            lr = { low = 1e-3, high = 0.1, log = true }
            momentum = { low = 0.8, high = 0.9, step = 0.05 }
            batch_size = { low = 32, high = 128, step = 32 }
            flip = [true, false]
            widths = [[4, 8], "8 16"]
            """,
        )
    )
    assert (sweep.search.trials, sweep.search.sampler, sweep.search.pruner) == (7, "random", "median")
    draws = Draws(lr=0.01, momentum=0.85, batch_size=64, flip=False, widths="8 16")
    settings = sweep.settings(sweep.draw(draws))
    assert draws.asked == {
        "lr": (1e-3, 0.1, None, True),
        "momentum": (0.8, 0.9, 0.05, False),
        "batch_size": (32, 128, 32, False),
        "flip": [True, False],
        "widths": ["4 8", "8 16"],
    }
    assert (settings.epochs, settings.dilations) == (2, ((1, 2), (1, 3)))
    assert (settings.lr, settings.momentum, settings.batch_size) == (0.01, 0.85, 64)
    assert (settings.flip, settings.widths) == (False, (8, 16))
    assert settings.label_smoothing == 0  # what suits digits still holds


@pytest.mark.parametrize("kernel", [2, 3])
def test_schedules_without_holes_are_those_that_the_exact_rule_accepts(tmp_path: Path, kernel: int) -> None:
    text = f"[space]\ndilations = {{ layers = [2, 3], rates = [4, 1, 2], without_holes = true, kernel = {kernel} }}"
    space = Sweep.read(written(tmp_path, text)).spaces["dilations"]
    assert isinstance(space, Choice)
    every = itertools.product(itertools.product((1, 2, 4), repeat=2), itertools.product((1, 2, 4), repeat=3))
    expected = [stages for stages in every if not any(has_holes(stage, kernel) for stage in stages)]
    assert list(space.values) == expected
    assert ((1, 2), (1, 2, 4)) in expected
    assert ((2, 2), (1, 2, 4)) not in expected


def test_all_schedules_of_a_stack(tmp_path: Path) -> None:
    space = Sweep.read(written(tmp_path, "[space]\ndilations = { layers = 2, rates = [1, 2] }")).spaces["dilations"]
    assert isinstance(space, Choice)
    assert space.values == (((1, 1),), ((1, 2),), ((2, 1),), ((2, 2),))
    assert space.draw(Draws(dilations="2,1"), "dilations") == ((2, 1),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trials = [", "sweep.toml is no TOML: "),
        ("trails = 3", "sweep.toml: there is no 'trails'; did you mean 'trials'?"),
        ("trials = 0", "sweep.toml: trials: --trials must be >= 1, got 0"),
        ("sampler = 'grid'", "sweep.toml: sampler: --sampler must be one of tpe, random, got grid"),
        ("space = 3", "sweep.toml: [space]: is a table of settings, not 3"),
        ("", "sweep.toml: [space]: is empty, so there is nothing to try"),
        ("[settings]\nepoch = 3", "sweep.toml: [settings]: there is no 'epoch'; did you mean 'epochs'"),
        ("[settings]\nepochs = 0", "sweep.toml: [settings] epochs: --epochs must be >= 1, got 0"),
        ("[settings]\nwidths = 'a'", "sweep.toml: [settings] widths: 'a' cannot be read"),
        ("[space]\nout = ['a']", "sweep.toml: [space]: there is no 'out'"),
        ("[space]\nlr = 0.1", "sweep.toml: [space] lr: a space is a list of values"),
        ("[space]\nlr = []", "sweep.toml: [space] lr: a space is a list of values"),
        ("[space]\nlr = [0.1, -1]", "sweep.toml: [space] lr: --lr must be > 0, got -1"),
        ("[space]\nlr = [0.1, 0.1]", "sweep.toml: [space] lr: a value stands in it twice"),
        ("[space]\nlr = [{}]", "sweep.toml: [space] lr: --lr must be a number, got {}"),
        ("[space]\nlr = {low = 1}", "sweep.toml: [space] lr: high is missing"),
        ("[space]\nlr = {low = 1, hi = 2}", "sweep.toml: [space] lr: there is no 'hi'; did you mean 'high'?"),
        ("[space]\nlr = {low = 0, high = 1}", "sweep.toml: [space] lr: --lr must be > 0, got 0"),
        ("[space]\nlr = {low = 1, high = 1}", "lr: low must be less than high, got 1 and 1"),
        ("[space]\nlr = {low = 1, high = 2, log = 1}", "lr: log must be true or false, got 1"),
        ("[space]\nmomentum = {low = 0, high = 0.5, log = true}", "a logarithmic range has low > 0 and no step"),
        ("[space]\nlr = {low = 1, high = 2, log = true, step = 1}", "a logarithmic range has low > 0 and no step"),
        ("[space]\nlr = {low = 1, high = 2, step = 0.3}", "lr: steps of 0.3 from 1 do not end at 2"),
        ("[space]\nepochs = {low = 1, high = 2, step = 0.5}", "epochs: step must be a whole number > 0, got 0.5"),
        ("[space]\nflip = {low = 0, high = 1}", "sweep.toml: [space] flip: has no numbers to range over"),
        ("[space]\ntta = {low = 0, high = 2}", "sweep.toml: [space] tta: has no numbers to range over"),
        ("[space]\ndilations = {layers = 2}", "sweep.toml: [space] dilations: rates is missing"),
        ("[space]\ndilations = {layers = [2], rates = [0]}", "dilations: rates must be whole numbers >= 1, got [0]"),
        ("[space]\ndilations = {layers = 9, rates = [1, 2, 3]}", "3 rates for 9 layers make 19,683 schedules"),
        ("[space]\ndilations = {layers = 2, rates = [2], without_holes = true}", "no schedule of the rates [2] is"),
        ("[space]\ndilations = {layers = 2, rates = [2], without_holes = 1}", "without_holes must be true or false"),
        ("[settings]\nlr = 1\n[space]\nlr = [1, 2]", "sweep.toml: [space]: lr: fixed in [settings] as well"),
        ("[space]\nmodel = ['vgg_small', 'unet']", "sweep.toml: with --model unet: --model unet gives"),
        ("[space]\nvalidation = [0.1, 0]", "sweep.toml: with --validation 0: --validation 0 leaves nothing to compare"),
        ("[settings]\nvalidation = 0\n[space]\nlr = [1, 2]", "sweep.toml: with --lr 1: --validation 0 leaves nothing"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError) as refusal:
        Sweep.read(written(tmp_path, text))
    assert message in str(refusal.value)


def test_a_wrong_file_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = written(tmp_path, "trails = 3"), tmp_path / "out"
    line = refused(capsys, "sweep", str(path), "--out", str(out))
    assert line == f"minidil: {path}: there is no 'trails'; did you mean 'trials'?\n"
    assert not out.exists()


def test_networks_measured_differently_are_not_compared(tmp_path: Path) -> None:
    text = "[settings]\ndata = 'copy_memory'\n[space]\nmodel = ['tcn', 'lstm']"
    assert Sweep.read(written(tmp_path, text)).task.by == "right"
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
    text = f"[settings]\ndata = '{tmp_path / 'pictures'}'\n[space]\nmodel = ['vgg_small', 'unet']"
    with pytest.raises(OptionError, match="vgg_small and unet are measured by accuracy and iou, which cannot be"):
        Sweep.read(written(tmp_path, text))


def test_the_example_of_the_page_is_read(tmp_path: Path) -> None:
    page = Path(minidil.__file__).parents[1] / "docs" / "sweep.md"
    if not page.exists():
        pytest.skip("this is an installed package, without its documents")
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    sweep = Sweep.read(written(tmp_path, example))
    assert list(sweep.spaces) == ["optimizer", "lr", "batch_size", "widths", "dilations"]
    assert sweep.search == Search(trials=40, sampler="tpe", pruner="median", seed=0)


def test_spaces_in_words() -> None:
    number, word = Option("a number", float), Option("some", int, many=True)
    assert str(Range(0.001, 0.1, True, None, number)) == "0.001 to 0.1, logarithmic"
    assert str(Range(32, 128, False, 32, number)) == "32 to 128 in steps of 32"
    assert str(Choice(((4, 8), (8,)), word)) == "4 8 | 8"
    assert str(Choice(((1,), (2,), (3,), (4,), (5,)), word)) == "1 | 2 | 3 | 4 | ... 5 in all"
