"""What only the CUDA backend has: products of transposed operands, and other versions of every product and convolution."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.doctor.agreement import Arrays, Check, op_checks
from minidil.kernels.backend import use


def cuda_checks() -> list[Check]:
    """Run on the backend "cuda" only."""
    return [*_products(), *_versions()]


def _products() -> list[Check]:
    rng = np.random.default_rng(0)
    a, b, bias = (rng.standard_normal(shape, dtype=np.float32) for shape in ((3, 67, 33), (33, 65), (65,)))
    cases: dict[str, tuple[tuple[Array, ...], dict[str, Any]]] = {
        "nt": ((a, b.T.copy()), {"transpose_b": True}),
        "tn": ((a.transpose(0, 2, 1).copy(), b), {"transpose_a": True}),
        "nn, bias, relu": ((a, b), {"bias": bias, "relu": True}),
    }
    expected = {name: np.matmul(a, b, dtype=np.float64) for name in cases}
    expected["nn, bias, relu"] = np.maximum(expected["nn, bias, relu"] + bias, 0)
    return [
        Check(f"gemm {name}", "3x67x33, 33x65", partial(_on_cuda, _gemm, *given), partial(list, [expected[name]]))
        for name, given in cases.items()
    ]


def _gemm(arrays: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    from minidil.kernels.cuda.array import to_device
    from minidil.kernels.cuda.gemm import gemm

    moved: dict[str, Any] = {
        name: to_device(value) if isinstance(value, np.ndarray) else value for name, value in options.items()
    }
    return [gemm(*map(to_device, arrays), **moved)]


def _on_cuda(work: Callable[..., list[Any]], first: Any, second: Any, backend: str) -> Arrays:
    with use(backend):
        return [np.asarray(array) for array in work(first, second)]


def _versions() -> list[Check]:
    return [
        Check(f"{check.name} ({version})", check.shapes, partial(_run_version, check, version), check.expected)
        for check in op_checks()
        if check.name in ("matmul", "conv")
        for version in ("naive", "coalesced", "tiled", "registers")
    ]


def _run_version(check: Check, version: str, backend: str) -> Arrays:
    from minidil.kernels.cuda.choice import kernel_version

    with kernel_version(version):
        return check.run(backend)
