"""What is said when CUDA cannot be used: one sentence that names what is missing and what to do."""

import os
import subprocess
import sys
from textwrap import dedent

import pytest

import minidil as md
from minidil.emulator import toolchain
from minidil.errors import BackendError
from minidil.kernels.cuda import target as where


@pytest.fixture(autouse=True)
def _asked_anew(monkeypatch):
    """No answer is remembered from before, or afterwards."""
    monkeypatch.delenv("MINIDIL_CUDA", raising=False)
    where.problem.cache_clear()
    toolchain.missing.cache_clear()
    yield
    where.problem.cache_clear()
    toolchain.missing.cache_clear()


def found(monkeypatch, package=True, library=None, misfit=None, gpu=None):
    monkeypatch.setattr(toolchain, "find_spec", lambda name: object() if package else None)
    monkeypatch.setattr(toolchain, "_missing_library", lambda: library)
    monkeypatch.setattr(toolchain, "_misfit", lambda: misfit)
    monkeypatch.setattr(where, "_no_gpu", lambda: gpu)


def test_without_the_package(monkeypatch):
    found(monkeypatch, package=False)
    with pytest.raises(
        BackendError, match=r"^backend 'cuda' needs the package numba-cuda: pip install 'minidil\[cuda\]'"
    ):
        md.use("cuda")
    assert md.backend() == "numba"


def test_without_the_toolkit(monkeypatch):
    found(monkeypatch, library="CUDA toolkit library nvvm")
    with pytest.raises(
        BackendError,
        match=r"^backend 'cuda' found numba-cuda, but not the CUDA toolkit library nvvm that compiles its kernels: pip install",
    ):
        md.use("cuda")


def test_with_a_numpy_that_numba_cuda_does_not_know(monkeypatch):
    misfit = toolchain._misfit

    def refuse(name):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    found(monkeypatch)
    monkeypatch.setattr(toolchain, "_misfit", misfit)
    monkeypatch.setattr(toolchain, "version", {"numba-cuda": "0.30.4", "numpy": "2.5.5"}.__getitem__)
    monkeypatch.setattr(toolchain.importlib, "import_module", refuse)
    with pytest.raises(BackendError) as error:
        md.use("cuda")
    assert str(error.value) == (
        "backend 'cuda' found numba-cuda 0.30.4 beside NumPy 2.5.5, which do not work together "
        "(module 'numpy' has no attribute 'row_stack'); pip install 'numpy<2.5', as the extra 'cuda' does"
    )


def test_without_a_gpu_the_emulator_is_offered_by_name(monkeypatch):
    found(monkeypatch, gpu="none was found")
    with pytest.raises(
        BackendError,
        match=r"^backend 'cuda' needs an NVIDIA GPU and its driver \(none was found\); MINIDIL_CUDA=emulator",
    ):
        md.use("cuda")
    monkeypatch.setenv("MINIDIL_CUDA", "emulator")
    assert where.target() == "emulator"


def test_with_a_gpu(monkeypatch):
    found(monkeypatch)
    assert where.target() == "gpu"


def test_a_target_that_does_not_exist(monkeypatch):
    monkeypatch.setenv("MINIDIL_CUDA", "tpu")
    with pytest.raises(BackendError, match="MINIDIL_CUDA is 'tpu'; it may be 'gpu'"):
        where.target()


def test_the_emulator_needs_the_compiler(monkeypatch):
    found(monkeypatch, package=False)
    with pytest.raises(BackendError, match="the CUDA emulator needs the package numba-cuda"), md.kernels.cuda.emulate():
        pass


BLOCKED = """
    import importlib.abc, sys

    class Absent(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in {absent}:
                raise ModuleNotFoundError(f"no {{name}}", name=name)

    sys.meta_path.insert(0, Absent())
    import importlib.util
    looked_up = importlib.util.find_spec

    def find_spec(name, package=None):
        try:
            return looked_up(name, package)
        except ModuleNotFoundError:
            return None

    importlib.util.find_spec = find_spec
    import numpy as np
    import minidil as md
    y = md.nn.Conv2d(1, 2, 3)(md.tensor(np.ones((1, 1, 5, 5), np.float32))).sum()
    y.backward()
    assert not [name for name in sys.modules if name.startswith(("numba_cuda", "numba.cuda", "cuda."))]
    try:
        md.use("cuda")
    except md.MinidilError as error:
        print(error)
"""


def in_a_fresh_interpreter(code):
    environment = {name: value for name, value in os.environ.items() if name != "MINIDIL_CUDA"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_everything_else_works_without_any_cuda_package():
    said = in_a_fresh_interpreter(BLOCKED.format(absent={"numba_cuda", "cuda", "cupy"}))
    assert said.startswith("backend 'cuda' needs the package numba-cuda: pip install 'minidil[cuda]'")
    assert said.count("\n") == 1


def test_importing_minidil_imports_nothing_of_cuda():
    said = in_a_fresh_interpreter(
        """
        import sys, minidil
        print([name for name in sys.modules if "numba_cuda" in name or name.startswith(("numba.cuda", "cuda"))])
        """
    )
    assert said == "[]\n" or said == "['_numba_cuda_redirector']\n"
