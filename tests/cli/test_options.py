"""Options: one declaration gives the flag, its help, its default and the check of its value."""

import argparse
import json
from dataclasses import fields

import pytest
from command_line import refused

from minidil.cli import main
from minidil.cli.option import Option
from minidil.cli.recipes import DATA_DEFAULTS, RECIPES
from minidil.cli.settings import Settings, as_typed, options
from minidil.errors import CheckpointError, OptionError


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command prints that leaves by itself, on one line."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    return " ".join(capsys.readouterr().out.split())


def test_every_setting_has_a_flag_and_stands_in_the_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = printed(capsys, "train", "--help")
    known = options()
    assert list(known) == [field.name for field in fields(Settings)]
    for name, option in known.items():
        flag = "--" + name.replace("_", "-")
        notes = "; ".join(filter(None, [option.range, f"default: {option.usual}"]))
        assert f"{option.help} ({notes})" in text
        assert f"{flag} " in text or f"{flag}, --no-" in text
    assert "learning rate, the highest of the schedule (> 0; default: 0.1)" in text
    assert "pad by N pixels and crop at random; 0: do not (>= 0; default: 4)" in text


def test_help_says_what_a_set_and_a_recipe_change(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "train", "--help")
    assert "--data digits means --label-smoothing 0 --no-flip --epochs 30" in text
    assert "--widths 32 64 --dilations 1,2 1,2." in text
    assert "--weight-decay 0.00133 " in text
    assert "--freeze whiten:3 " in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--lr -1", "--lr must be > 0, got -1"),
        ("--lr inf", "--lr must be > 0, got inf"),
        ("--dilations 1,2 0,0", "--dilations must be >= 1, got 1,2 0,0"),
        ("--widths 4 0", "--widths must be >= 1, got 4 0"),
        ("--momentum 1", "--momentum must be >= 0 and < 1, got 1"),
        ("--weight-decay -0.5", "--weight-decay must be >= 0, got -0.5"),
        ("--norm-bias-lr nan", "--norm-bias-lr must be >= 0, got nan"),
        ("--cutout -1", "--cutout must be >= 0, got -1"),
        ("--save-every nan", "--save-every must be >= 0, got nan"),
    ],
)
def test_a_number_out_of_range_names_the_option(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert refused(capsys, "train", *words.split()) == f"minidil: {message}\n"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "x", "--epochs must be a whole number, got 'x'"),
        ("epochs", True, "--epochs must be a whole number, got True"),
        ("epochs", None, "--epochs must be a whole number, got None"),
        ("epochs", 1.5, "--epochs must be a whole number, got 1.5"),
        ("lr", "0.1", "--lr must be a number, got '0.1'"),
        ("flip", 1, "--flip must be true or false, got 1"),
        ("widths", 5, "--widths must be a list, each a whole number, got 5"),
        ("dilations", [[1, "x"]], "--dilations must be a list, each as in N,N, got"),
        ("dilations", [1, 2], "--dilations must be a list, each as in N,N, got"),
        ("freeze", [["whiten"]], "--freeze must be a list, each as in PATTERN[:N], got"),
        ("optimizer", "lion", "--optimizer must be one of sgd, adam, adamw, got lion"),
        ("model", ["vgg_small"], "--model must be one of"),
    ],
)
def test_a_setting_of_another_kind_is_refused_when_it_is_read(name: str, value: object, message: str) -> None:
    good = json.loads(json.dumps(Settings.of({}).to_json()))
    with pytest.raises(CheckpointError, match="makes no sense") as refusal:
        Settings.from_json(good | {name: value})
    assert message in str(refusal.value)


def test_whole_numbers_are_numbers_and_what_may_be_absent_may_be_none() -> None:
    good = json.loads(json.dumps(Settings.of({}).to_json()))
    read = Settings.from_json(good | {"lr": 1, "clip_norm": None, "patience": None, "widths": None})
    assert (read.lr, read.clip_norm, read.patience, read.widths) == (1, None, None, None)


@pytest.mark.parametrize("values", [*DATA_DEFAULTS.values(), *RECIPES.values()])
def test_defaults_are_typed_as_they_are_read(values: dict[str, object]) -> None:
    parser = argparse.ArgumentParser()
    for name, option in options().items():
        option.add_to(parser, name)
    read = {
        name: value for name, value in vars(parser.parse_args(as_typed(values).split())).items() if value is not None
    }
    read = {name: tuple(value) if isinstance(value, list) else value for name, value in read.items()}
    assert read == {
        name: pytest.approx(value, rel=1e-3) if name == "weight_decay" else value for name, value in values.items()
    }


def test_a_range_may_be_open_or_closed_on_either_side() -> None:
    option = Option("half of it", float, above=0, most=1)
    option.check("part", 1)
    for value in (0, 1.5, -1):
        with pytest.raises(OptionError, match="--part must be > 0 and <= 1, got"):
            option.check("part", value)
