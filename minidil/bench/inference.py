"""Inference with vgg_small: the model in evaluation mode, its plan, and the same network in other libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from minidil.deploy.plan import Plan

INFERENCE = ("numba", "numba plan", "numpy", "torch", "torch channels-last", "onnxruntime")
_DILATIONS: Dilations = ((1, 2), (1, 2), (1, 2))


def bench_infer(
    libraries: Sequence[str], batch: int = 32, rounds: int = 9, dilations: Dilations = _DILATIONS
) -> list[Row]:
    """The logits of vgg_small for images of 32x32 in each of the libraries of INFERENCE, with the weights of one network.

    "numba plan" is what `deploy.compile` makes; "onnxruntime" gets the network with the batch norms folded as they are in it.
    error: beside the model in float64, relative to the largest logit. ratio_onnxruntime: of the times.
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
        return _onnxruntime(deploy.compile(model, x.shape[1:]), x)
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


def _onnxruntime(plan: Plan, x: Array) -> Callable[[], Array]:
    """The network of the plan's stages in ONNX Runtime, on as many threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads(), 1
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(_onnx(plan).SerializeToString(), options, providers=providers)
    return lambda: np.asarray(session.run(None, {"x": x})[0])


def _onnx(plan: Plan) -> Any:
    from onnx import helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    value = "x"

    def call(op: str, *arrays: Array, **attributes: Any) -> None:
        nonlocal value
        names = [f"c{len(constants) + i}" for i in range(len(arrays))]
        for name, array in zip(names, arrays, strict=True):
            constants.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        nodes.append(helper.make_node(op, [value, *names], [f"v{len(nodes)}"], **attributes))
        value = nodes[-1].output[0]

    for stage in plan.stages:
        if stage.kind == "conv" and stage.window is not None and stage.weight is not None and stage.bias is not None:
            pads = [before for before, _ in stage.window.padding] + [after for _, after in stage.window.padding]
            call("Conv", stage.weight, stage.bias, dilations=stage.window.dilation, pads=pads)
            call("Relu")
            if stage.pool is not None:
                call("MaxPool", kernel_shape=stage.pool.kernel, strides=stage.pool.stride)
        elif stage.kind == "linear" and stage.weight is not None and stage.bias is not None:
            call("Gemm", stage.weight, stage.bias, transB=1)
        else:
            call({"mean": "GlobalAveragePool", "flatten": "Flatten"}[stage.call.op])
    ends = [
        helper.make_tensor_value_info(name, 1, ["N", *shape])
        for name, shape in (("x", plan.input_shape), (value, plan.output_shape))
    ]
    graph = helper.make_graph(nodes, plan.model, ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
