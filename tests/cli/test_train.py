"""`minidil train`: the folder it leaves, stopping, resuming, and refusing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import TINY, refused

from minidil import checkpoint
from minidil.cli import main

pytestmark = pytest.mark.usefixtures("quick_pictures")
FILES = ("last.npz", "best.npz", "metrics.csv")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go into a folder of the test."""
    monkeypatch.chdir(tmp_path)


def test_a_run_leaves_its_folder_and_prints_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "2"]) == 0
    out = capsys.readouterr().out
    folder = Path("runs/digits-vgg_small-1")
    assert {path.name for path in folder.iterdir()} == {*FILES, "config.json", "curves.png", ".lock"}
    assert "digits: 1,293 images to learn from, 144 to validate on" in out
    assert "features.0" in out
    assert "receptive field" in out
    assert "epoch 2/2" in out
    assert "test accuracy" in out.splitlines()[-1]
    assert str(folder) in out.splitlines()[-1]


def test_the_folders_are_numbered_and_none_is_overwritten() -> None:
    for _ in range(2):
        assert main(["train", *TINY, "--epochs", "1"]) == 0
    assert sorted(os.listdir("runs")) == ["digits-vgg_small-1", "digits-vgg_small-2"]
    assert contents(Path("runs/digits-vgg_small-1")) == contents(Path("runs/digits-vgg_small-2"))


def test_the_seed_changes_the_run() -> None:
    for seed in ("0", "1"):
        assert main(["train", *TINY, "--epochs", "1", "--seed", seed, "--out", seed]) == 0
    assert contents(Path("0")) != contents(Path("1"))


def test_every_option_reaches_the_configuration() -> None:
    words = (
        "--model resnet_small --widths 4 8 --dilations 1 2 --epochs 1 --batch-size 500 --drop-last --optimizer adamw "
        "--momentum 0.8 --lr 0.002 --norm-bias-lr 4 --weight-decay 0.1 --schedule cosine --average-every 2 "
        "--freeze conv1 layer1.0:1 --output-stride 2 --lr-layers 0.8 --unfreeze-every 1 "
        "--loss cross-entropy --normalize image --zoom 1.1 --tile 7 --turn "
        "--labels-per-class 100 --label-smoothing 0.05 --clip-norm 3 --patience 4 --crop 1 --crop-fill reflect --flip "
        "--flip-rule alternating --cutout 2 --validation 0.2 --tta 1 --size 16 --seed 7 --backend numpy --out run"
    )
    assert main(["train", *words.split()]) == 2  # resnet_small has a stride for each stage: three, not two
    words = words.replace("--widths 4 8 --dilations 1 2", "--widths 4 4 8 --dilations 1 2 2")
    assert main(["train", *words.split()]) == 0
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    assert settings == {
        "data": "digits",
        "recipe": "standard",
        "model": "resnet_small",
        "init": None,
        "output_stride": 2,
        "widths": [4, 4, 8],
        "dilations": [[1], [2], [2]],
        "epochs": 1,
        "batch_size": 500,
        "drop_last": True,
        "optimizer": "adamw",
        "momentum": 0.8,
        "lr": 0.002,
        "norm_bias_lr": 4.0,
        "weight_decay": 0.1,
        "schedule": "cosine",
        "average_every": 2,
        "freeze": [["conv1", 0], ["layer1.0", 1]],
        "unfreeze_every": 1,
        "lr_layers": 0.8,
        "loss": "cross-entropy",
        "label_smoothing": 0.05,
        "clip_norm": 3.0,
        "patience": 4,
        "normalize": "image",
        "zoom": 1.1,
        "tile": 7,
        "frames": None,
        "vectors": None,
        "length": 1,
        "left_out": None,
        "hears": "log-mel",
        "batch_norm": "local",
        "permuted": False,
        "turn": True,
        "crop": 1,
        "crop_fill": "reflect",
        "flip": True,
        "flip_rule": "alternating",
        "cutout": 2,
        "validation": 0.2,
        "tta": 1,
        "labels_per_class": 100,
        "size": 16,
        "seed": 7,
        "backend": "numpy",
    }


def test_resume_continues_a_finished_run_for_more_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    first = Path("run/metrics.csv").read_text()
    assert main(["train", "--resume", "run", "--epochs", "3"]) == 0
    assert "going on in epoch 2 after batch 0 of 11" in capsys.readouterr().out
    assert Path("run/metrics.csv").read_text().startswith(first)
    assert len(Path("run/metrics.csv").read_text().splitlines()) == 4
    assert json.loads(Path("run/config.json").read_text())["settings"]["epochs"] == 3
    before = contents(Path("run"))
    assert main(["train", "--resume", "run"]) == 0
    assert "all 3 epochs are done already" in capsys.readouterr().out
    assert contents(Path("run")) == before


def test_resume_starts_from_the_beginning_if_nothing_was_saved() -> None:
    assert main(["train", *TINY, "--epochs", "1", "--out", "whole"]) == 0
    Path("cut").mkdir()
    Path("cut/config.json").write_bytes(Path("whole/config.json").read_bytes())
    assert main(["train", "--resume", "cut"]) == 0
    assert contents(Path("cut")) == contents(Path("whole"))


def test_resume_on_another_backend_says_that_bits_may_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    assert main(["train", "--resume", "run", "--epochs", "2", "--backend", "numba"]) == 0
    assert "note: backend numpy before, numba now" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --sped 3", "unrecognized arguments: --sped 3"),
        ("train --epochs many", "invalid int value: 'many'"),
        ("train --epochs 0", "--epochs must be >= 1, got 0"),
        ("train --batch-size 0", "--batch-size must be >= 1, got 0"),
        ("train --seed -1", "--seed must be >= 0, got -1"),
        ("train --label-smoothing 2", "--label-smoothing must be >= 0 and <= 1, got 2"),
        ("train --validation 1", "--validation must be >= 0 and < 1, got 1"),
        ("train --validation 0 --patience 2", "--validation 0 has none"),
        ("train --freeze whiten:x", "'whiten:x' is not a name, such as features.*, or one and a number of epochs"),
        ("train --freeze stem:1", "FreezeAfter: no parameter is 'stem' or part of it; there are features"),
        ("train --freeze stem", "freeze: no parameter is 'stem' or part of it; there are features"),
        ("train --freeze feature.*", "freeze: no parameter is 'feature.*' or part of it; did you mean 'features"),
        ("train --freeze *", "--freeze * leaves nothing of vgg_small to train"),
        (
            "train --output-stride 3",
            "--output-stride 3: dilate: the strides of VGG multiply to 2x2, and leaving out the last",
        ),
        ("train --output-stride 8", "makes 2 or less, not 8; its strides: 2 in 'features.6'; the model is unchanged"),
        ("train --output-stride 0", "--output-stride must be >= 1, got 0"),
        ("train --lr-layers 1.5", "--lr-layers must be > 0 and <= 1, got 1.5"),
        ("train --unfreeze-every -1", "--unfreeze-every must be >= 0, got -1"),
        (
            "train --labels-per-class 500",
            "--labels-per-class 500: few: 500 items of every class were asked for, and class",
        ),
        ("train --init nowhere.npz", "--init nowhere.npz: "),
        ("train --init vgg_smal", "did you mean 'vgg_small:cifar10'"),
        ("train --init vgg_small:cifar10 --model vgg_fast", "the weights of --init vgg_small:cifar10 are of vgg_small"),
        (
            "train --init vgg_small:cifar10 --widths 64 128 200",
            "features.14.weight has shape (256, 128, 3, 3) but the model",
        ),
        ("train --recipe slow", "invalid choice: 'slow'"),
        ("train --recipe fast", "images of 8x8 cannot be halved 3 times"),
        ("train --lr nan", "--lr must be > 0, got nan"),
        ("train --clip-norm 0", "--clip-norm must be > 0, got 0"),
        ("train --save-every -1", "--save-every must be >= 0, got -1"),
        ("train --widths 4", "2 entries of dilations"),
        ("train --dilations 1,x", "'1,x' is not a list of numbers"),
        ("train --model vgg16 --widths 4", "vgg16: unknown option 'widths'"),
        ("train --model resnet_small --dilations 1,2 1 1", "one number per stage"),
        ("train --model alexnet", "invalid choice: 'alexnet'"),
        ("train --data nowhere", "neither a known set"),
        ("train --backend tpu", "invalid choice: 'tpu'"),
        ("train --resume nowhere", "there is no nowhere, which should be the folder of a run"),
        ("train --resume a --out b", "not allowed with argument"),
    ],
)
def test_bad_options_are_refused_in_one_line(capsys: pytest.CaptureFixture[str], words: str, message: str) -> None:
    assert message in refused(capsys, *words.split())


def test_a_run_that_blows_up_is_one_line_and_names_the_layer(capsys: pytest.CaptureFixture[str]) -> None:
    with np.errstate(all="ignore"):
        line = refused(capsys, "train", *TINY, "--lr", "1e30", "--schedule", "constant", "--out", "run")
    assert "the first layer whose output is not finite is 'features.0'" in line


def test_what_is_wrong_with_a_run_folder_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    run = Path("run")
    assert "already holds a run" in refused(capsys, "train", "--out", "run")
    assert "but not --lr, --widths" in refused(capsys, "train", "--resume", "run", "--lr", "1", "--widths", "4")

    last = (run / "last.npz").read_bytes()
    for damaged in (last[:1000], last[:500] + b"?" + last[501:], b"", b"PK\3\4"):
        (run / "last.npz").write_bytes(damaged)
        assert "last.npz" in refused(capsys, "train", "--resume", "run")
    (run / "last.npz").write_bytes((run / "best.npz").read_bytes())
    assert "not the state of a training run" in refused(capsys, "train", "--resume", "run")
    checkpoint.save(run / "last.npz", {**checkpoint.load(run / "best.npz"), "epoch": 1})
    assert "not the state of a training run" in refused(capsys, "train", "--resume", "run")
    (run / "last.npz").write_bytes(last)

    config = json.loads((run / "config.json").read_text())
    for text, message in (
        ("{", "config.json is damaged"),
        ("[]", "config.json is damaged"),
        ("{}", "not made by `minidil train`"),
        ("{}", "run/config.json has no shape, mean, std, classes, settings: it was not made"),
        (json.dumps(config | {"shape": [1, 8]}), "run/config.json: shape must be a list of 3, each a whole number"),
        (json.dumps(config | {"settings": {"epochs": 1}}), "must hold exactly"),
        (
            json.dumps(config | {"settings": config["settings"] | {"epochs": "x"}}),
            "epochs must be a whole number, not 'x'",
        ),
        (json.dumps(config | {"settings": config["settings"] | {"widths": [5]}}), "settings.widths is [5]"),
    ):
        (run / "config.json").write_text(text)
        assert message in refused(capsys, "train", "--resume", "run")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "minidil", *words]


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_ends_the_same(number: signal.Signals) -> None:
    options = ["train", *TINY, "--epochs", "4"]
    subprocess.run(command(*options, "--out", "whole"), check=True, capture_output=True)
    words = command(*options, "--save-every", "0", "--out", "cut")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(Path("cut/last.npz"), process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(err.splitlines()) == 1
    assert "saved in cut; go on with: minidil train --resume cut" in err
    subprocess.run(command("train", "--resume", "cut"), check=True, capture_output=True)
    assert contents(Path("cut")) == contents(Path("whole"))


@pytest.mark.long
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_run_killed_at_twenty_random_moments_ends_in_the_same_bits(backend: str) -> None:
    """SIGKILL, from the first import to the last write, over and over the same run; no checkpoint is ever unreadable."""
    options = ["train", *TINY, "--backend", backend, "--epochs", "20", "--save-every", "0"]
    began = time.monotonic()
    with subprocess.Popen(command(*options, "--out", "whole"), stdout=subprocess.DEVNULL, text=True) as process:
        wait_for(Path("whole/last.npz"), process)
        starting = time.monotonic() - began
    working = time.monotonic() - began - starting
    assert process.returncode == 0

    rng, config, last = np.random.default_rng(11), Path("cut/config.json"), Path("cut/last.npz")
    seen = set()
    for turn in range(20):
        words = command("train", "--resume", "cut") if config.exists() else command(*options, "--out", "cut")
        words += ["--save-every", "0"] if config.exists() else []
        before = last.stat().st_mtime_ns if last.exists() else None
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            if turn % 2:  # while it starts
                time.sleep(float(rng.uniform(0, 0.8 * starting)))
            else:  # while it works, when it has got further than the one before
                while process.poll() is None and (not last.exists() or last.stat().st_mtime_ns == before):
                    time.sleep(0.001)
                time.sleep(float(rng.uniform(0, 0.05 * working)))
            process.kill()
            assert process.stderr is not None
            assert process.stderr.read() == ""
        for path in Path("cut").glob("*.npz"):
            tree = checkpoint.load(path)
            if path == last:
                seen.add((tree["epoch"], tree["batch"]))
    assert len(seen) > 5
    subprocess.run(command("train", "--resume", "cut"), check=True, capture_output=True)
    assert contents(Path("cut")) == contents(Path("whole"))
