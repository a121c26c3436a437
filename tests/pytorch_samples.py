"""What PyTorch's functions are called with, here and there: docs/make_pytorch_calls.py records PyTorch's answers, test_pytorch_calls.py
compares minidil's. Arguments are written as JSON has them, a tensor as {"tensor": its name in TENSORS}.
"""

from typing import Any

import numpy as np

NONE = object()  # there is no sample: an optional parameter stays out


def _wave(*shape: int, start: float = 0.0) -> Any:
    """Numbers that look random, and are the same everywhere."""
    return np.sin(start + 1.7 * np.arange(int(np.prod(shape))) ** 1.1).astype(np.float32).reshape(shape)


TENSORS = {
    "x": _wave(2, 3),
    "y": _wave(2, 3, start=1) + np.float32(1.5),
    "double": _wave(2, 3).astype(np.float64),
    "int": np.array([[3, -1, 2], [5, 4, 7]]),
    "int2": np.array([[2, 5, -4], [1, 3, 2]]),
    "int32": np.array([[3, 1, 2], [5, 4, 7]], np.int32),
    "byte": np.array([[200, 100, 7], [1, 2, 3]], np.uint8),
    "mask": np.array([[True, False, True], [False, False, True]]),
    "square": np.array([[True, False, True], [False, True, True], [True, True, False]]),
    "squares": _wave(2, 3, 3, start=8),
    "positive": np.abs(_wave(2, 3)) + np.float32(0.5),
    "vector": _wave(3, start=2),
    "w32": _wave(3, 2, start=3),
    "w53": _wave(5, 3, start=3),
    "b5": _wave(5, start=5),
    "stack": _wave(2, 3, 4),
    "stack2": _wave(2, 4, 3),
    "one": _wave(2, 1, 3),
    "sequence": _wave(1, 4, 7),
    "image": _wave(1, 4, 5, 4),
    "volume": _wave(1, 4, 3, 3, 3),
    "k1": _wave(6, 2, 3, start=1),
    "k2": _wave(6, 2, 3, 2, start=1),
    "k3": _wave(6, 2, 2, 1, 2, start=1),
    "kt1": _wave(4, 3, 3, start=1),
    "kt2": _wave(4, 3, 3, 2, start=1),
    "kt3": _wave(4, 3, 2, 1, 2, start=1),
    "b6": _wave(6, start=4),
    "four": _wave(4, start=6),
    "fours": np.abs(_wave(4, start=7)) + np.float32(0.5),
    "columns": _wave(1, 16, 12),
    "labels": np.array([2, 0]),
    "ids": np.array([[1, 0, 4], [3, 3, 1]]),
    "targets": (_wave(2, 3) > 0).astype(np.float32),
    "scalar": np.array(1.5, np.float32),
}


def t(name: str) -> dict[str, str]:
    return {"tensor": name}


def tup(*values: Any) -> dict[str, Any]:
    return {"tuple": list(values)}


_REDUCTIONS = "all any argmax argmin max mean min prod std sum var"
_UNARY = "abs absolute exp log neg negative relu sigmoid sqrt tanh"
_BINARY = "add div divide mul multiply pow sub subtract true_divide"
_SHAPES = "broadcast_to chunk flatten flip permute reshape split squeeze tile transpose unsqueeze"

# Which of PyTorch's functions are called: all that minidil has under their name, or an alias of it.
NAMES = {
    "functional": (
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d avg_pool1d avg_pool2d avg_pool3d batch_norm "
        "binary_cross_entropy_with_logits conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cross_entropy "
        "dropout fold gelu huber_loss interpolate l1_loss layer_norm leaky_relu linear log_softmax max_pool1d max_pool2d "
        "max_pool3d mse_loss nll_loss one_hot pad relu sigmoid silu softmax softplus tanh unfold"
    ),
    "minidil": (
        f"{_REDUCTIONS} {_UNARY} {_BINARY} {_SHAPES} amax amin arange as_tensor asarray bmm cat clamp clip concat concatenate "
        "cumsum dot einsum eye full full_like linspace log_softmax logsumexp matmul maximum minimum mm mv norm ones ones_like rand "
        "randint randn randperm softmax sort stack tensor topk where zeros zeros_like"
    ),
    "Tensor": (
        f"{_REDUCTIONS} {_UNARY} {_BINARY} {_SHAPES} amax amin bmm clamp clip clone cpu cumsum detach dim dot double expand float "
        "int item log_softmax logsumexp long matmul maximum minimum mm mv norm numel numpy repeat size softmax sort to tolist "
        "topk view"
    ),
    "nn": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AvgPool1d AvgPool2d AvgPool3d BCEWithLogitsLoss BatchNorm1d "
        "BatchNorm2d BatchNorm3d Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d CrossEntropyLoss Dropout "
        "Dropout1d Dropout2d Dropout3d Embedding Flatten GELU GroupNorm HuberLoss Identity InstanceNorm1d InstanceNorm2d "
        "InstanceNorm3d L1Loss LayerNorm LeakyReLU Linear LogSoftmax MSELoss MaxPool1d MaxPool2d MaxPool3d ReLU SiLU Sigmoid "
        "SmoothL1Loss Softmax Tanh Upsample"
    ),
    "optim": "Adam AdamW RMSprop SGD",
}

_ANY: dict[str, Any] = {
    "input": t("x"), "other": t("y"), "tensor": t("x"), "x": t("x"), "tensors": [t("x"), t("y")], "dim": 1, "axis": 1,
    "keepdim": True, "dtype": {"dtype": "float64"}, "out": None, "requires_grad": True, "device": "cpu", "inplace": False,
    "stride": 2, "padding": 1, "dilation": 2, "groups": 2, "output_padding": 1, "kernel_size": 2, "ceil_mode": True,
    "count_include_pad": False, "divisor_override": 3, "return_indices": True, "output_size": 2, "target": t("y"),
    "size_average": False, "reduce": False, "reduction": "sum", "eps": 0.1, "momentum": 0.3, "p": 0.5, "training": True,
    "unbiased": False, "correction": 2, "min": -0.5, "max": 0.5, "descending": True, "stable": True, "sorted": True, "k": 2,
    "largest": False, "start_dim": 0, "end_dim": -1, "shape": tup(3, 2), "size": tup(3, 2), "dims": tup(1, 0), "dim0": 0,
    "dim1": 1, "rounding_mode": None, "alpha": 2, "exponent": 2, "vec2": t("vector"), "copy": True, "memory_format": None,
    "affine": False, "track_running_stats": False, "bias": False, "padding_mode": "zeros", "set_to_none": True,
    "weight_decay": 0.1, "dampening": 0.2, "nesterov": True, "lr": 0.1, "betas": tup(0.8, 0.9), "amsgrad": False, "centered": True,
    "maximize": False, "foreach": None, "capturable": False, "differentiable": False, "fused": None, "mode": "nearest",
    "_stacklevel": 3, "approximate": "tanh", "beta": 2.0, "threshold": 0.2, "negative_slope": 0.3, "delta": 0.4,
    "label_smoothing": 0.2, "ignore_index": 0, "num_classes": 6, "params": "params", "repeats": tup(1, 2), "mat2": t("w32"),
    "batch1": t("stack"), "generator": None, "layout": None, "pin_memory": False, "force": False, "non_blocking": False,
    "tensor1": t("vector"), "scale_factor": 2.0, "align_corners": False, "recompute_scale_factor": None, "antialias": False,
}  # fmt: skip

_OF: dict[str, dict[str, Any]] = {
    **{f"{name}{n}d": {"input": t(("sequence", "image", "volume")[n - 1])} for name in ("avg_pool", "max_pool") for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": {"input": t(("sequence", "image", "volume")[n - 1])} for n in (1, 2, 3)},
    **{f"conv{n}d": {"input": t(("sequence", "image", "volume")[n - 1]), "weight": t(f"k{n}"), "bias": t("b6"), "groups": 2} for n in (1, 2, 3)},
    **{
        f"conv_transpose{n}d": {"input": t(("sequence", "image", "volume")[n - 1]), "weight": t(f"kt{n}"), "bias": NONE, "groups": 2}
        for n in (1, 2, 3)
    },
    "batch_norm": {"input": t("image"), "running_mean": t("four"), "running_var": t("fours"), "weight": t("fours"), "bias": t("four"), "training": False},
    "layer_norm": {"input": t("stack"), "normalized_shape": tup(4), "weight": t("fours"), "bias": t("four")},
    "linear": {"weight": t("w53"), "bias": t("b5")},
    "cross_entropy": {"target": t("labels"), "weight": t("vector")},
    "nll_loss": {"target": t("labels"), "weight": t("vector")},
    "binary_cross_entropy_with_logits": {"target": t("targets"), "weight": t("y"), "pos_weight": t("vector")},
    "huber_loss": {"weight": t("y")}, "mse_loss": {"weight": t("y")}, "l1_loss": {"weight": t("y")},
    "dropout": {"training": False},
    "fold": {"input": t("columns"), "output_size": tup(5, 4), "padding": 0, "dilation": 1, "stride": 1},
    "unfold": {"input": t("image"), "padding": 1, "dilation": 2, "stride": 2},
    "interpolate": {"input": t("image"), "size": tup(3, 4)},
    "one_hot": {"input": t("labels"), "tensor": t("labels")},
    "pad": {"pad": tup(1, 2), "mode": "constant", "value": 0.5},
    "softmax": {"dtype": {"dtype": "float64"}},
    "arange": {"start": 2, "end": 9, "step": 3},
    "as_tensor": {"data": [[1.5, 2.0], [3.0, 4.0]]}, "asarray": {"obj": [[1.5, 2.0], [3.0, 4.0]], "copy": None},
    "tensor": {"data": [[1, 2], [3, 4]]},
    "broadcast_to": {"input": t("one"), "size": tup(2, 4, 3)}, "expand": {"size": tup(2, 4, 3)},
    "chunk": {"chunks": 2}, "split": {"split_size": 2, "split_size_or_sections": 2},
    "bmm": {"input": t("stack"), "mat2": t("stack2")}, "mm": {"mat2": t("w32")}, "mv": {"vec": t("vector")},
    "dot": {"input": t("vector"), "tensor": t("vector"), "other": t("vector")}, "matmul": {"other": t("w32"), "tensor2": t("w32")},
    "cat": {}, "einsum": {"equation": "ij,ij->i", "*operands": t("x"), "args": NONE},
    "eye": {"n": 2, "m": 3}, "full": {"size": tup(2, 3), "fill_value": 1.5, "names": NONE}, "full_like": {"fill_value": 2.5},
    "linspace": {"start": 0, "end": 2, "steps": 5},
    "ones": {"size": tup(2, 3)}, "zeros": {"size": tup(2, 3)}, "rand": {"size": tup(2, 3)}, "randn": {"size": tup(2, 3)},
    "randint": {"low": 1, "high": 9, "size": tup(2, 3)}, "randperm": {"n": 5},
    "flatten": {"input": t("stack")}, "permute": {"dims": tup(1, 0)},
    "where": {"condition": t("mask"), "self": t("x"), "input": t("x")},
    "squeeze": {"input": t("one")}, "transpose": {"input": t("stack"), "dim0": 1, "dim1": 2},
    "tile": {"dims": tup(2, 2)}, "flip": {"dims": tup(1)},
    "norm": {"p": 1}, "topk": {}, "log": {"input": t("positive")}, "sqrt": {"input": t("positive")}, "pow": {"input": t("positive"), "self": 2.0},
    "logsumexp": {}, "repeat": {"repeats": tup(2, 3)}, "size": {"dim": 1}, "view": {"size": tup(3, 2)}, "reshape": {"shape": tup(3, -1)},
    "to": {"dtype": {"dtype": "float64"}, "other": t("double"), "device": NONE},
    "Linear": {"in_features": 3, "out_features": 2},
    **{f"{kind}{n}d": {"in_channels": 4, "out_channels": 6} for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": {"num_features": 4} for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": {"num_features": 4, "affine": True, "track_running_stats": False} for n in (1, 2, 3)},
    "GroupNorm": {"num_groups": 2, "num_channels": 4}, "LayerNorm": {"normalized_shape": 3, "elementwise_affine": True},
    "Embedding": {"num_embeddings": 5, "embedding_dim": 3, "padding_idx": 0, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False, "sparse": False},
    "Flatten": {"start_dim": 2},
    "CrossEntropyLoss": {"weight": t("vector"), "ignore_index": 2}, "BCEWithLogitsLoss": {"weight": t("y"), "pos_weight": t("vector")},
    "Upsample": {"size": tup(3, 4)}, "Identity": {"args": NONE, "kwargs": NONE},
    "Softmax": {"dim": 0}, "LogSoftmax": {"dim": 0},
    **{name: {"p": 0.0} for name in ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d")},
}  # fmt: skip

# What a method is called on, where (2, 3) floats and integers do not do.
_SUBJECTS = {
    "bmm": ["stack"], "dot": ["vector"], "expand": ["one"], "broadcast_to": ["one"], "squeeze": ["one"], "flatten": ["stack"],
    "transpose": ["stack"], "log": ["positive", "int32"], "sqrt": ["positive", "int32"], "pow": ["positive", "int"],
    "item": ["scalar"], "all": ["mask"], "any": ["mask"], "mm": ["x"], "mv": ["x"], "matmul": ["x"],
    **{name: ["x", "int", "int32", "byte"] for name in ("add", "div", "sub", "mul", "exp", "sum", "prod", "mean", "var", "sigmoid")},
    **{name: ["x", "int"] for name in ("sort", "topk", "max", "min", "cumsum", "clamp", "abs", "neg", "argmax", "to", "double", "int", "float", "norm", "softmax")},
}  # fmt: skip

# Calls beyond those that the signatures suggest: room and name, what a method is called on, the arguments.
EXTRA: list[tuple[str, str | None, list[Any], dict[str, Any]]] = [
    *(
        (f"Tensor.{name}", "int", [other], {})
        for name in ("div", "__truediv__", "__rtruediv__")
        for other in (t("int2"), 2)
    ),
    *((f"Tensor.{name}", "int32", [0.5], {}) for name in ("add", "mul", "sub", "div", "__pow__", "__rsub__")),
    ("Tensor.pow", "int", [2], {}),
    ("Tensor.__pow__", "int", [-1], {}),
    ("Tensor.__rpow__", "int", [2], {}),
    ("minidil.where", None, [t("mask"), t("int"), 0.5], {}),
    ("minidil.where", None, [t("mask"), 1.0, 0.0], {}),
    ("minidil.maximum", None, [t("int"), t("int2")], {}),
    ("functional.softmax", None, [t("stack")], {}),
    ("functional.softmax", None, [t("image")], {}),
    ("functional.log_softmax", None, [t("stack")], {}),
    ("functional.pad", None, [t("stack"), tup(1, 2, 0, 1)], {}),
    ("functional.pad", None, [t("stack"), tup(1, 2, 0, 1, 2, 2)], {"value": 3.0}),
    ("functional.batch_norm", None, [t("image"), None, None], {"training": True}),
    (
        "functional.batch_norm",
        None,
        [t("image")],
        {"running_mean": t("four"), "running_var": t("fours"), "weight": t("fours")},
    ),
    ("functional.layer_norm", None, [t("stack"), tup(3, 4)], {"eps": 0.1}),
    *((f"Tensor.{name}", "stack", [tup(0, 2)], {}) for name in ("sum", "mean", "var", "std", "amax", "amin")),
    *((f"Tensor.{name}", "stack", [tup(1)], {"keepdim": True}) for name in ("sum", "mean", "var", "std", "amax")),
    ("Tensor.var", "stack", [], {"dim": tup(0, 1), "correction": 0}),
    ("Tensor.std", "stack", [1], {"unbiased": True}),
    ("Tensor.max", "stack", [], {"dim": -1}),
    ("Tensor.min", "stack", [0], {}),
    ("Tensor.permute", "stack", [2, 0, 1], {}),
    ("Tensor.view", "x", [3, 2], {}),
    ("Tensor.view", "x", [-1], {}),
    ("Tensor.reshape", "x", [3, -1], {}),
    ("Tensor.expand", "one", [-1, 4, 3], {}),
    ("Tensor.repeat", "x", [2, 1], {}),
    ("Tensor.transpose", "x", [0, 1], {}),
    ("Tensor.transpose", "x", [1, 0], {}),
    ("Tensor.size", "stack", [-1], {}),
    ("Tensor.squeeze", "one", [], {}),
    ("Tensor.flatten", "stack", [1], {}),
    ("Tensor.median", "x", [], {}),
    ("minidil.ones", None, [2, 3], {}),
    ("minidil.zeros", None, [2, 3], {"dtype": {"dtype": "int64"}}),
    ("minidil.randn", None, [2, 3], {}),
    ("minidil.full", None, [tup(2, 2), 7], {}),
    ("minidil.full", None, [tup(2, 2), True], {}),
    ("minidil.arange", None, [0, 1, 0.25], {}),
    ("minidil.tensor", None, [[1, 2.5]], {}),
    ("minidil.tensor", None, [True], {}),
    *(
        (f"nn.{name}", None, given, named)
        for name in ("LSTM", "GRU")
        for given, named in (
            ([4, 3], {}),
            ([4, 3, 2, False, True, 0.0, True], {}),
            ([], {"input_size": 4, "hidden_size": 3, "batch_first": True}),
            ([4, 3], {"num_layers": 2, "bidirectional": True}),
            ([4, 3], {"bias": False, "proj_size": 0}),
            ([4, 3], {"dropout": 0.0, "device": "cpu"}),
        )
    ),
    ("nn.MultiheadAttention", None, [4, 2], {}),
    ("nn.MultiheadAttention", None, [4, 2, 0.0, False], {}),
    ("nn.MultiheadAttention", None, [4, 4], {"batch_first": True, "kdim": None, "add_zero_attn": False}),
    ("nn.TransformerEncoderLayer", None, [4, 2, 6, 0.0], {}),
    ("nn.TransformerEncoderLayer", None, [4, 2, 6, 0.0, "gelu", 0.1, True, True], {}),
    ("nn.TransformerEncoderLayer", None, [], {"d_model": 4, "nhead": 2, "dropout": 0.0, "bias": False}),
    *(
        ("functional.scaled_dot_product_attention", None, [t("stack"), t("stack"), t("stack"), *given], named)
        for given, named in (
            ([], {}),
            ([t("square")], {}),
            ([], {"attn_mask": t("squares"), "scale": 0.3}),
            ([], {"is_causal": True, "dropout_p": 0.0}),
            ([None, 0.0, True], {}),
        )
    ),
]

_INPUTS = {
    "1d": "sequence",
    "2d": "image",
    "3d": "volume",
    "GroupNorm": "image",
    "Upsample": "image",
    "Flatten": "stack",
    "Embedding": "ids",
    "LSTM": "stack",
    "MultiheadAttention": "stack",
    "TransformerEncoderLayer": "stack",
    "GRU": "stack",
}


def sample(room: str, name: str, parameter: str) -> Any:
    """A value for one parameter, or NONE."""
    return _OF.get(name, {}).get(parameter, _ANY.get(parameter, NONE))


def subjects(name: str) -> list[str]:
    """The names of the tensors that a method is called on."""
    return _SUBJECTS.get(name, ["x"])


def decoder(library: Any) -> Any:
    """What turns an argument as the table has it into one of the library."""

    def decoded(value: Any) -> Any:
        if isinstance(value, list):
            return [decoded(entry) for entry in value]
        if isinstance(value, dict):
            if "tensor" in value:
                return library.tensor(TENSORS[value["tensor"]].copy())
            if "tuple" in value:
                return tuple(decoded(entry) for entry in value["tuple"])
            return getattr(library, value["dtype"], value["dtype"]) if library.__name__ == "torch" else value["dtype"]
        return value

    return decoded


def encoded(result: Any) -> Any:
    """An answer as the table has it: tensors as {dtype, shape, some of the data}, several as a list."""
    if isinstance(result, tuple | list):
        return [encoded(entry) for entry in result]
    if hasattr(result, "detach"):
        result = result.detach().numpy()
    if isinstance(result, np.ndarray):
        every = max(1, result.size // 16)
        data = [float(f"{v:.6g}") if isinstance(v, float) else v for v in result.reshape(-1)[::every].tolist()]
        return {"dtype": str(result.dtype), "shape": list(result.shape), "data": data}
    return result


def shape_only(answer: Any) -> Any:
    """An answer of random numbers, without them."""
    return (
        [shape_only(e) for e in answer]
        if isinstance(answer, list)
        else {k: v for k, v in answer.items() if k != "data"}
    )


def act(library: Any, room: str, name: str, subject: str | None) -> Any:
    """What a row of the table calls: a function, a method of its subject, a layer that is built and applied, or an optimizer."""
    if room == "Tensor":
        return lambda *given, **named: getattr(decoder(library)(t(str(subject))), name)(*given, **named)
    if room == "functional":
        return getattr(library.nn.functional if library.__name__ == "torch" else library.functional, name)
    if room == "minidil":
        return getattr(library, name)
    return (_layer if room == "nn" else _optimizer)(library, name)


def _layer(library: Any, name: str) -> Any:
    def applied(*given: Any, **named: Any) -> list[Any]:
        module = getattr(library.nn, name)(*given, **named)
        state = {key: _filled(key, np.asarray(value)) for key, value in module.state_dict().items()}
        module.load_state_dict({k: library.tensor(v) if library.__name__ == "torch" else v for k, v in state.items()})
        kind = next((array for end, array in _INPUTS.items() if name.endswith(end)), "x")
        inputs = [decoder(library)(t(kind))]
        inputs *= 3 if name == "MultiheadAttention" else 1
        if name.endswith("Loss"):
            target = {"CrossEntropyLoss": "labels", "BCEWithLogitsLoss": "targets"}.get(name, "y")
            inputs.append(decoder(library)(t(target)))
        return [getattr(module, mode)()(*inputs) for mode in ("train", "eval")]

    return applied


def _filled(name: str, value: Any) -> Any:
    wave = _wave(*value.shape, start=len(name)).astype(value.dtype)
    return np.abs(wave) + wave.dtype.type(0.5) if name == "running_var" else wave


def _optimizer(library: Any, name: str) -> Any:
    def moved(*given: Any, **named: Any) -> list[Any]:
        parameters = [library.nn.Parameter(library.tensor(TENSORS[key].copy())) for key in ("x", "vector")]
        given = tuple(parameters if value == "params" else value for value in given)
        named = {key: parameters if value == "params" else value for key, value in named.items()}
        optimizer = getattr(library.optim, name)(*given, **named)
        for step in range(3):
            for parameter in parameters:
                parameter.grad = library.tensor(_wave(*parameter.shape, start=step))
            optimizer.step()
        return parameters

    return moved
