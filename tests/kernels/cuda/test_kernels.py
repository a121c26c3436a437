"""Every CUDA kernel, compiled and executed in the emulator, against the kernel of the reference that defines it."""

from importlib import import_module

import numpy as np
import pytest
from cuda_cases import CASES, Hosted, drawn

from minidil.errors import DtypeError
from minidil.kernels import reference
from minidil.kernels.contract import KERNELS

QUICK = {  # a few kernels of every module, in the quick part of the suite; the rest is slow because of compiling
    "elementwise": {"add", "relu", "where", "greater"},
    "copy": {"transpose", "concatenate"},
    "gather": {"take", "scatter_add", "one_hot"},
    "reduce": {"sum"},
    "softmax": {"log_softmax"},
    "channel": {"channel_moments", "channel_combine"},
    "update": {"adam_update"},
}


def namespace():
    return import_module("minidil.kernels.cuda.namespace")


def hosted(module):
    """The kernels of the backend, or of a module that it has no use for."""
    return Hosted(namespace(), import_module(f"minidil.kernels.cuda.{module}"))


def cases(module, quick):
    kernels = hosted(module)
    for case in CASES[module]():
        if (case.__name__ in QUICK.get(module, ())) == quick:
            yield case, kernels


@pytest.mark.parametrize("module", QUICK)
def test_some_kernels_equal_the_reference(module):
    for case, kernels in cases(module, quick=True):
        case(kernels)


LADDER = ("naive", "coalesced", "tiled", "registers")
VERSIONS = [
    *((module, "fast") for module in CASES),
    *((module, name) for module in ("gemm", "conv") for name in LADDER),
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "version"), VERSIONS)
def test_all_kernels_equal_the_reference(module, version):
    with import_module("minidil.kernels.cuda.choice").kernel_version(version):
        for case, kernels in cases(module, quick=False):
            case(kernels)


def test_every_kernel_is_there_and_has_a_case():
    assert set(namespace().__all__) == set(KERNELS)
    called = {case.__name__ for module in CASES for case in CASES[module]()}
    assert set(KERNELS) - called == {"box_iou", "keep_mask", "nms", "place"}  # on the host


def test_a_mask_is_drawn_on_the_host():
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    mask = namespace().keep_mask(rng, (5, 7), 0.3, np.float32)
    np.testing.assert_array_equal(np.asarray(mask), reference.keep_mask(again, (5, 7), 0.3, np.float32))


def test_the_same_input_gives_the_same_bits():
    sums = [np.asarray(namespace().sum(drawn(2, 200, 40), axis=1)) for _ in range(2)]
    np.testing.assert_array_equal(*sums)


def test_what_the_device_has_no_type_for_is_refused():
    for call in (lambda k: k.add(np.ones(2), 1), lambda k: k.relu(np.ones(2)), lambda k: k.sum(np.arange(3))):
        with pytest.raises(DtypeError, match="arrays on the device are float32, int32 or bool"):
            call(namespace())


def test_cublas_is_for_gpus(monkeypatch):
    gemm = import_module("minidil.kernels.cuda.gemm")
    assert not gemm.cublas_is_wanted()
    monkeypatch.setenv("MINIDIL_CUBLAS", "1")
    assert not gemm.cublas_is_wanted()  # there is none in the emulator
