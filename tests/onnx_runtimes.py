"""Who runs a file of ONNX beside minidil: the evaluator of onnx, with two operators mended, and ONNX Runtime if installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

import minidil as md
from minidil import deploy, nn

Runner = Callable[[Path, Any], Any]


class MaxPool(OpRun):
    """As the operator is defined. The evaluator's own takes the padding in another order where stride and dilation are 1."""

    def _run(self, x: Any, **options: Any) -> Any:
        kernel, strides, dilations = (options[name] for name in ("kernel_shape", "strides", "dilations"))
        n = len(kernel)
        pads = list(zip(options["pads"][:n], options["pads"][n:], strict=True))
        x = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=-np.inf)
        spans = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
        out = [(size - span) // s + 1 for size, span, s in zip(x.shape[2:], spans, strides, strict=True)]
        y = np.empty((*x.shape[:2], *out), x.dtype)
        for place in np.ndindex(*out):
            window = tuple(
                slice(at * s, at * s + span, d) for at, s, span, d in zip(place, strides, spans, dilations, strict=True)
            )
            y[:, :, *place] = x[:, :, *window].max(axis=tuple(range(2, n + 2)))
        return (y,)


class ConvTranspose(OpRun):
    """As the operator is defined: every input spreads over the taps. The evaluator's own takes one group alone."""

    def _run(self, x: Any, w: Any, b: Any = None, **options: Any) -> Any:
        strides, dilations, pads, groups = (options[name] for name in ("strides", "dilations", "pads", "group"))
        n, kernel, inner, outer = x.ndim - 2, w.shape[2:], w.shape[0] // groups, w.shape[1]
        full = [
            (size - 1) * s + d * (k - 1) + 1 + extra
            for size, s, d, k, extra in zip(
                x.shape[2:], strides, dilations, kernel, options["output_padding"], strict=True
            )
        ]
        y = np.zeros((x.shape[0], outer * groups, *full), x.dtype)
        for group in range(groups):
            channels = slice(group * inner, (group + 1) * inner)
            for place in np.ndindex(*x.shape[2:]):
                window = tuple(
                    slice(at * s, at * s + d * (k - 1) + 1, d)
                    for at, s, d, k in zip(place, strides, dilations, kernel, strict=True)
                )
                y[:, group * outer : (group + 1) * outer, *window] += np.tensordot(
                    x[:, channels, *place], w[channels], axes=1
                )
        cut = tuple(slice(pads[axis], size - pads[axis + n]) for axis, size in enumerate(full))
        y = y[:, :, *cut]
        return (y if b is None else y + b.reshape(-1, *(1,) * n),)


def reference(path: Path, x: Any) -> Any:
    return ReferenceEvaluator(str(path), new_ops=[MaxPool, ConvTranspose]).run(None, {"x": x})[0]


def runtime(path: Path, x: Any) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(path)).run(None, {"x": x})[0]


RUNNERS: dict[str, Runner] = {"reference": reference}
if importlib.util.find_spec("onnxruntime"):
    RUNNERS["onnxruntime"] = runtime


def agree(model: nn.Module, x: Any, folder: Path, atol: float = 2e-6, runners: dict[str, Runner] = RUNNERS) -> Any:
    """Export, and hold what others and the import compute against the model, for another batch than it was exported with.

    Returns what the import is.
    """
    path = folder / "model.onnx"
    deploy.to_onnx(model, x.shape[1:], path)
    model.eval()
    y = model(md.tensor(x)).numpy()
    for name, run in runners.items():
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
