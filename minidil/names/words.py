"""Aliases: PyTorch's name of something, and ours."""

# What a tensor has as a method as well.
_METHODS = {
    "clamp": "clip",
    "abs": "absolute",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide",
    "true_divide": "divide",
    "pow": "power",
    "neg": "negative",
    "permute": "transpose",
    "mm": "matmul",
    "bmm": "matmul",
    "mv": "matmul",
    "dot": "matmul",
    "broadcast_to": "expand",
    "tile": "repeat",
}
_FUNCTIONS = {
    **{f"conv{n}d": "conv" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": "conv_transpose" for n in (1, 2, 3)},
    **{f"{kind}_pool{n}d": f"{kind}_pool" for kind in ("max", "avg", "adaptive_avg") for n in (1, 2, 3)},
    "cat": "concatenate",
    "concat": "concatenate",
    **_METHODS,
}

WORDS: dict[str, dict[str, str]] = {
    "functional": _FUNCTIONS,
    "minidil": {"manual_seed": "seed", "from_numpy": "tensor", "as_tensor": "tensor", "asarray": "tensor"},
    "Tensor": _METHODS | {"view": "reshape"},
    "nn": {"SmoothL1Loss": "HuberLoss"},
    "nn.init": {},
    "optim": {"clip_grad_norm_": "clip_grad_norm"},
}

NUMBER_TYPES = {"float": "float32", "double": "float64", "int": "int32", "long": "int64", "bool": "bool"}
