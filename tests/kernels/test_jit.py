"""The cache of compiled kernels: never older than any of the sources, wherever it lies, and shared by processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minidil
from minidil.kernels.cpu import jit

LINE = "    s = min(s, _F(87))\n"  # in exponential.py, whose functions the kernels of other files are made of
PROGRAM = """
import numpy as np
from minidil.kernels.cpu import softmax
print(softmax(np.float32([[0, 1]]), 1)[0, 0])
"""
TRAINING = """
import numpy as np
from minidil.kernels import cpu, reference
from minidil.kernels.geometry import Window
rng, window = np.random.default_rng(0), Window.of((9, 9), 3, 1, 2, 2)
x, weight = rng.standard_normal((2, 16, 9, 9)), rng.standard_normal((16, 16, 3, 3))
for dtype in (np.float32, np.float64):
    a, w = x.astype(dtype), weight.astype(dtype)
    for one, other in [
        (cpu.conv_forward(a, w, window), reference.conv_forward(x, weight, window)),
        (cpu.conv_grad_input(a, w, window), reference.conv_grad_input(x, weight, window)),
        (cpu.conv_grad_weight(a, a, window), reference.conv_grad_weight(x, x, window)),
        (cpu.gelu(a), reference.gelu(x)),
        (cpu.softmax(a, 3), reference.softmax(x, 3)),
    ]:
        assert one.dtype == dtype
        assert np.abs(one - other).max() < 1e-3, np.abs(one - other).max()
print("right")
"""


def copied(folder):
    """A package minidil of its own, to be edited; from its sources alone."""
    source = Path(minidil.__file__).parent
    shutil.copytree(source, folder / "minidil", ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    return folder


def started(folder, program=PROGRAM, **environment):
    known = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env=known | {"PYTHONPATH": str(folder), "HOME": str(folder / "home")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return out.strip()


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [True, False])
def test_an_edit_of_a_file_reaches_the_kernels_of_other_files(tmp_path, chosen):
    package, place = copied(tmp_path), {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} if chosen else {}
    assert printed(started(package, **place)) == "0.26894143"
    file = package / "minidil" / "kernels" / "cpu" / "exponential.py"
    source = file.read_text()
    assert source.count(LINE) == 1
    file.write_text(source.replace(LINE, "    s = min(_F(2) * s, _F(87))\n"))
    assert printed(started(package, **place)) == "0.11920292"
    file.write_text(source)
    assert printed(started(package, **place)) == "0.26894143"
    base = tmp_path / "cache" if chosen else package / "minidil" / "kernels" / "cpu" / "__pycache__"
    assert len(list(base.glob("minidil-*"))) == 2


@pytest.mark.long
def test_processes_that_start_at_once_on_an_empty_cache(tmp_path):
    package = copied(tmp_path)
    processes = [started(package, TRAINING, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(4)]
    assert [printed(process) for process in processes] == ["right"] * 4
    assert printed(started(package, TRAINING, NUMBA_CACHE_DIR=str(tmp_path / "cache"))) == "right"


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A stand-in for the package of kernels, with nothing set that chooses a place for its cache."""
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "one.py").write_text("x = 1\n")
    (folder / "two.py").write_text("y = 2\n")
    monkeypatch.setattr(jit, "_PACKAGE", folder)
    monkeypatch.setattr(jit._config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return folder


def test_the_fingerprint_knows_every_source_and_the_compiler(monkeypatch, package):
    seen = {jit._fingerprint()}
    assert jit._fingerprint() in seen
    reference = package.parent / "reference"  # its constants are a part of compiled code
    reference.mkdir()
    for change in (
        lambda: (reference / "two.py").write_text("y = 2\n"),
        lambda: (reference / "two.py").write_text("y = 3\n"),
        lambda: (package / "two.py").write_text("y = 3\n"),
        lambda: (package / "two.py").rename(package / "three.py"),
        lambda: (package / "one.py").write_text("x = 1"),
        lambda: monkeypatch.setattr(jit.numba, "__version__", "another"),
        lambda: monkeypatch.setattr(jit.llvmlite, "__version__", "another"),
    ):
        change()
        fingerprint = jit._fingerprint()
        assert fingerprint not in seen
        seen.add(fingerprint)


def test_without_sources_there_is_no_cache(package):
    for file in package.iterdir():
        file.unlink()
    assert jit._folder.__wrapped__() is None


def test_the_cache_lies_where_it_can_be_written(monkeypatch, package, tmp_path):
    name = f"minidil-{jit._fingerprint()}"
    assert jit._folder.__wrapped__() == package / "__pycache__" / name
    shutil.rmtree(package / "__pycache__")
    (package / "__pycache__").write_text("no folder can be made here, whoever asks")
    found = jit._folder.__wrapped__()
    assert found.name == name
    assert found.is_relative_to(tmp_path / "home")
    monkeypatch.setattr(jit._config, "CACHE_DIR", str(tmp_path / "chosen"))
    assert jit._folder.__wrapped__() == tmp_path / "chosen" / name
    (tmp_path / "file").touch()
    monkeypatch.setattr(jit._config, "CACHE_DIR", str(tmp_path / "file"))
    assert jit._folder.__wrapped__() is None


def test_a_function_is_compiled_with_a_cache_only_where_there_is_one(monkeypatch, tmp_path):
    def plus_one(x):
        return x + 1

    before = jit._config.CACHE_DIR
    monkeypatch.setattr(jit, "_folder", lambda: tmp_path)
    assert jit.njit(plus_one, cache=True)(1) == 2
    assert [file.suffix for file in sorted(tmp_path.rglob("*.nb?"))] == [".nbc", ".nbi"]
    monkeypatch.setattr(jit, "_folder", lambda: None)
    assert jit.njit(plus_one, cache=True)(1) == 2
    assert len(list(tmp_path.rglob("*.nb?"))) == 2
    assert before == jit._config.CACHE_DIR


def test_folders_that_nobody_uses_are_removed_but_for_the_last(package):
    base = package / "__pycache__"
    days = {f"minidil-{n}": n for n in range(8)}  # 0: today
    for name, age in days.items():
        (base / name).mkdir(parents=True)
        (base / name / "kernel.nbi").touch()
        stamp = jit.time.time() - age * 24 * 3600 - 60
        os.utime(base / name, (stamp, stamp))
    (base / "another").mkdir()
    own = jit._folder.__wrapped__()
    left = {folder.name for folder in base.iterdir()}
    assert left == {own.name, "another", "minidil-0", "minidil-1", "minidil-2", "minidil-3"}
