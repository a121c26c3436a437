"""Who runs a file of ONNX beside minidil: the reference evaluator of onnx, and ONNX Runtime where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minidil as md
from minidil import deploy, nn

Runner = Callable[[Path, Any], Any]


def reference(path: Path, x: Any) -> Any:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(str(path)).run(None, {"x": x})[0]


def runtime(path: Path, x: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0]


# Its ConvTranspose takes one group alone: "cannot reshape array".
RUNNERS: dict[str, Runner] = {"reference": reference}
if importlib.util.find_spec("onnxruntime"):
    RUNNERS["onnxruntime"] = runtime


def agree(model: nn.Module, x: Any, folder: Path, runners: dict[str, Runner] | None = None, atol: float = 2e-6) -> Any:
    """Export, and hold what others and the import compute against the model, for another batch than it was exported with.

    Returns what the import is.
    """
    path = folder / "model.onnx"
    deploy.to_onnx(model, x.shape[1:], path)
    model.eval()
    y = model(md.tensor(x)).numpy()
    for name, run in (RUNNERS if runners is None else runners).items():
        found = run(path, x)
        assert (found.shape, found.dtype) == (y.shape, y.dtype), name
        np.testing.assert_allclose(found, y, rtol=2e-5, atol=atol * max(1.0, float(np.abs(y).max())), err_msg=name)
    back = deploy.from_onnx(path)
    again = back(md.tensor(x)).numpy()
    np.testing.assert_allclose(again, y, rtol=1e-6, atol=1e-7)
    own = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    held = back.state_dict()
    assert held.keys() <= own.keys()
    for name, value in held.items():
        assert value.dtype == own[name].dtype
        np.testing.assert_array_equal(value, own[name])
    return back
