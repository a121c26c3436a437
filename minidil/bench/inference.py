"""Inference with vgg_small: the model in evaluation mode, its plan, and the same network in other libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from minidil import deploy
from minidil.array import Array
from minidil.bench.contestants import family, in_torch, relative
from minidil.bench.results import Row, Subject, measure
from minidil.bench.training import Dilations, torch_network
from minidil.graph import no_grad
from minidil.kernels.backend import use
from minidil.kernels.threads import num_threads
from minidil.models import vgg_small
from minidil.nn import BatchNorm, Module
from minidil.tensor import Tensor

INFERENCE = ("numba", "numba plan", "numpy", "torch", "torch channels-last", "onnxruntime")
_DILATIONS: Dilations = ((1, 2), (1, 2), (1, 2))


def bench_infer(
    libraries: Sequence[str], batch: int = 32, rounds: int = 9, dilations: Dilations = _DILATIONS
) -> list[Row]:
    """The logits of vgg_small for images of 32x32 in each of the libraries of INFERENCE, with the weights of one network.

    "numba plan" is what `deploy.compile` makes; "onnxruntime" gets what `deploy.to_onnx` writes, and folds the batch norms
    itself. error: beside the model in float64, relative to the largest logit. ratio_onnxruntime: of the times.
    """
    model = network(dilations)
    x = np.random.default_rng(1).standard_normal((batch, 3, 32, 32), dtype=np.float32)
    calls = {name: _call(name, model, x, dilations) for name in libraries}
    with use("numpy"), no_grad():
        exact = network(dilations).astype("float64").eval()(Tensor(x.astype(np.float64))).numpy()
    errors = {name: relative(call(), exact) for name, call in calls.items()}
    rows = measure(Subject(f"vgg_small, batch {batch}", "inference", calls, {"images": batch}, errors), rounds)
    onnx = [row["seconds"] for row in rows if row["library"] == "onnxruntime"]
    return [row | {"ratio_onnxruntime": row["seconds"] / onnx[0] if onnx else None} for row in rows]


def network(dilations: Dilations) -> Module:
    """vgg_small in evaluation mode, with statistics as training leaves them: none is 0 or 1."""
    rng = np.random.default_rng(0)
    model = vgg_small(10, dilations=dilations, rng=rng)
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.running_mean = rng.normal(0, 0.2, module.num_features).astype(np.float32)
            module.running_var = rng.uniform(0.5, 2, module.num_features).astype(np.float32)
    return model.eval()


def _call(library: str, model: Module, x: Array, dilations: Dilations) -> Callable[[], Array]:
    """What gives the logits in that library, over and over."""
    if library == "numba plan":
        plan = deploy.compile(model, x.shape[1:])
        return lambda: plan(x)
    if library == "onnxruntime":
        return _onnxruntime(model, x)
    if family(library) == "torch":
        return _torch(model, x, dilations, "channels-last" if "channels" in library else "contiguous")

    def evaluate() -> Array:
        with use(library), no_grad():
            return np.asarray(model(Tensor.of(x)).numpy())

    return evaluate


def _torch(model: Module, x: Array, dilations: Dilations, order: str) -> Callable[[], Array]:
    import torch

    other = torch_network(dilations, order).eval()
    values = [torch.as_tensor(np.array(value)) for value in model.state_dict().values()]
    other.load_state_dict(dict(zip(other.state_dict(), values, strict=True)))
    images = in_torch(x, order)

    def evaluate() -> Array:
        with torch.inference_mode():
            return np.asarray(other(images).numpy())

    return evaluate


def _onnxruntime(model: Module, x: Array) -> Callable[[], Array]:
    """The network in ONNX Runtime, on as many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads(), 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        deploy.to_onnx(model, x.shape[1:], path)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: np.asarray(session.run(None, {"x": x})[0])
