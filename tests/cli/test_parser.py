"""The words of the command line: versions, slips of the finger, and where help is."""

import pytest
from command_line import refused

import minidil
from minidil.cli import main
from minidil.cli.parser import meant, nearest


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_the_version_is_printed(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([word])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"minidil {minidil.__version__}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "trian",
            "minidil: argument COMMAND: invalid choice: 'trian'; did you mean 'train'? (options: minidil --help)",
        ),
        (
            "train --epoch 3",
            "minidil train: unrecognized arguments: --epoch 3; did you mean '--epochs'? (options: minidil train --help)",
        ),
        (
            "train --batchsize=3",
            "minidil train: unrecognized arguments: --batchsize=3; did you mean '--batch-size' or '--size'? "
            "(options: minidil train --help)",
        ),
        (
            "train --model vgg",
            "minidil train: argument --model: invalid choice: 'vgg'; did you mean 'vgg16' or 'vgg_fast' or 'vgg_small'? "
            "(options: minidil train --help)",
        ),
        (
            "train --schedule step",
            "minidil train: argument --schedule: invalid choice: 'step' "
            "(choose from one-cycle, triangular, cosine, constant) (options: minidil train --help)",
        ),
        (
            "train --tta 4",
            "minidil train: argument --tta: invalid choice: 4 (choose from 0, 1, 2) (options: minidil train --help)",
        ),
        ("train --device cpu", "minidil train: unrecognized arguments: --device cpu (options: minidil train --help)"),
        ("train extra", "minidil train: unrecognized arguments: extra (options: minidil train --help)"),
        (
            "data lst",
            "minidil data: argument ACTION: invalid choice: 'lst'; did you mean 'list'? (options: minidil data --help)",
        ),
        (
            "data check cifar",
            "minidil data check: argument NAME: invalid choice: 'cifar'; did you mean 'cifar10' or 'cifar100'? "
            "(options: minidil data check --help)",
        ),
        ("--versoin", "minidil: the following arguments are required: COMMAND (options: minidil --help)"),
        (
            "--vresion data list",
            "minidil: unrecognized arguments: --vresion; did you mean '--version'? (options: minidil --help)",
        ),
    ],
)
def test_a_slip_is_answered_by_what_was_meant_and_where_the_options_are(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, *words.split()) == f"{message}\n"


def test_a_set_that_is_nearly_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "train", "--data", "cifra10").endswith("nor a folder of images; did you mean 'cifar10'?\n")
    assert refused(capsys, "train", "--data", "nowhere").endswith("nor a folder of images\n")


def test_what_is_near() -> None:
    assert nearest("trian", ["train", "eval"]) == ["train"]
    assert nearest("a", ["ab", "abc", "abcd", "abcde", "b"]) == ["ab", "abc", "abcd"]
    assert nearest("", ["train"]) == []
    assert meant("x", ["train", "eval"]) == " (choose from train, eval)"
