"""Arguments: PyTorch's names of them, what says nothing that is not so anyway, and what is said of the others."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from minidil.names.of_package import DEVICE

# PyTorch's name to ours, for one function or ("") for every one that has ours.
KEYWORDS = {
    ("", "dim"): "axis",
    ("", "keepdim"): "keepdims",
    ("", "other"): "b",
    ("", "mat2"): "b",
    ("", "vec"): "b",
    ("", "start_dim"): "start",
    ("", "end_dim"): "end",
    ("", "end"): "stop",
    ("", "dims"): "axes",
    ("", "size"): "shape",
    ("", "fill_value"): "value",
    ("", "obj"): "data",
    ("", "split_size"): "sizes",
    ("", "split_size_or_sections"): "sizes",
    ("flip", "dims"): "axis",
    ("repeat", "dims"): "counts",
    ("repeat", "repeats"): "counts",
    ("clip", "min"): "low",
    ("clip", "max"): "high",
    ("power", "exponent"): "b",
    ("power", "self"): "a",
    ("matmul", "tensor"): "b",
    ("leaky_relu", "negative_slope"): "slope",
    ("pad", "pad"): "width",
    ("var", "correction"): "ddof",
    ("std", "correction"): "ddof",
    ("var", "unbiased"): "ddof",  # True is 1
    ("std", "unbiased"): "ddof",
    ("batch_norm", "running_mean"): "mean",
    ("batch_norm", "running_var"): "var",
    ("cross_entropy", "input"): "logits",
    ("einsum", "equation"): "subscripts",
    ("where", "input"): "a",
    ("where", "self"): "a",
    ("maximum", "input"): "a",
    ("minimum", "input"): "a",
}

_REDUCTION = 'write reduction="mean", "sum" or "none"'
_NUMBERS = "draw with a generator of NumPy's: rng=np.random.default_rng(seed)"
_SPEED = "it is about speed on PyTorch's devices, and leaves the numbers as they are"

# Of one function, or ("") of any that has no such argument: the values with which it may be given, and what to do about others.
_LEFT_OUT: dict[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("", "out"): ((None,), "results are new tensors: write y = ..."),
    ("", "device"): ((None, "cpu"), DEVICE),
    ("", "dtype"): ((None,), "turn the operand or the result into another type with astype(dtype)"),
    ("", "layout"): ((None,), "the memory order is the backend's business"),
    ("", "memory_format"): ((None,), "the memory order is the backend's business"),
    ("", "pin_memory"): ((False,), "the memory is the backend's business"),
    ("", "non_blocking"): ((False, True), _SPEED),
    ("", "requires_grad"): ((False,), "set x.requires_grad = True on the result"),
    ("", "generator"): ((None,), _NUMBERS),
    ("", "force"): ((False, True), "numpy() always works"),
    ("", "inplace"): ((False,), "results are never written in place; leave it out"),
    ("", "size_average"): ((None,), _REDUCTION),
    ("", "reduce"): ((None,), _REDUCTION),
    ("", "_stacklevel"): ((3,), "leave it out"),
    ("", "alpha"): ((1,), "write a + alpha * b"),
    ("", "rounding_mode"): ((None,), "quotients are rounded with NumPy, on x.numpy()"),
    ("", "copy"): ((None, True), "values are copied where they have to be"),
    ("", "sorted"): ((True,), "the result is in order"),
    ("", "stable"): ((True, False), "equal elements stay in their order"),
    ("", "recompute_scale_factor"): ((None, False), "leave it out"),
    ("", "antialias"): ((False,), "blur with avg_pool first"),
    ("", "padding_mode"): (("zeros",), "only zeros are padded here"),
    ("pad", "mode"): (("constant",), "only constants are padded here"),
    ("", "foreach"): ((None, True, False), _SPEED),
    ("", "fused"): ((None, True, False), _SPEED),
    ("", "capturable"): ((False, True), _SPEED),
    ("", "differentiable"): ((False,), "an update is not differentiated"),
    ("", "maximize"): ((False,), "minimise the negative: (-loss).backward()"),
    ("", "amsgrad"): ((False,), "leave it out: only Adam as published is here"),
    ("", "decoupled_weight_decay"): ((False,), "use AdamW"),
    ("", "set_to_none"): ((True,), "gradients become None, which counts as zero everywhere"),
    ("", "closure"): ((None,), "compute the loss and call backward() before step()"),
    ("", "create_graph"): (
        (False,),
        "compute y inside `with minidil.create_graph():`, and call minidil.grad(y, inputs)",
    ),
    ("", "inputs"): ((None,), "every leaf with requires_grad=True gets its gradient; freeze the others"),
    ("", "recurse"): ((True,), "own_parameters() has those of the module itself"),
    ("", "remove_duplicate"): ((True,), "each is listed once"),
    ("", "keep_vars"): ((False,), "a state dict holds arrays"),
    ("", "assign"): ((False,), "values are copied"),
    ("", "max_norm"): ((None,), "scale the rows of weight.data yourself"),
    ("", "norm_type"): ((2, 2.0), "only lengths are measured: norm_type 2"),
    ("", "scale_grad_by_freq"): ((False,), "leave it out"),
    ("", "dropout_p"): ((0, 0.0), "nn.MultiheadAttention has dropout="),
    ("", "enable_gqa"): ((False,), "repeat the heads of key and value"),
    ("", "add_bias_kv"): ((False,), "leave it out"),
    ("", "add_zero_attn"): ((False,), "leave it out"),
    ("", "kdim"): ((None,), "put a Linear before it"),
    ("", "vdim"): ((None,), "put a Linear before it"),
    ("", "proj_size"): ((0,), "put a Linear behind it"),
    ("", "_freeze"): ((False,), "write layer.freeze()"),
    ("", "error_if_nonfinite"): ((False,), "train.fit stops at a loss that is not finite"),
    ("", "num_workers"): ((0,), "batches are prepared ahead by one thread: prefetch="),
    ("", "sampler"): ((None,), "shuffle=True, or put the items in the order wanted"),
    ("", "batch_sampler"): ((None,), "shuffle=True, or put the items in the order wanted"),
    ("", "timeout"): ((0,), "leave it out"),
    ("", "worker_init_fn"): ((None,), "seed= decides the order and the augmentation"),
    ("", "multiprocessing_context"): ((None,), "leave it out"),
    ("", "persistent_workers"): ((False,), "leave it out"),
    ("", "prefetch_factor"): ((None,), "prefetch= is the number of batches prepared ahead"),
    ("transpose", "dim0"): ((), "it takes the order of all axes, (0, 2, 1) to exchange the last two of three"),
    ("transpose", "dim1"): ((), "it takes the order of all axes, (0, 2, 1) to exchange the last two of three"),
    ("MaxPool", "ceil_mode"): ((False,), "call functional.max_pool(x, ..., ceil_mode=True) in forward"),
    ("MaxPool", "return_indices"): ((False,), "call functional.max_pool(x, ..., return_indices=True) in forward"),
    ("AvgPool", "ceil_mode"): ((False,), "call functional.avg_pool(x, ..., ceil_mode=True) in forward"),
    ("AvgPool", "divisor_override"): ((None,), "call functional.avg_pool(x, ..., divisor_override=n) in forward"),
    ("BatchNorm", "bias"): ((True,), "affine=False leaves out weight and bias"),
    ("GroupNorm", "bias"): ((True,), "affine=False leaves out weight and bias"),
    ("InstanceNorm", "bias"): ((True,), "affine=False leaves out weight and bias"),
    ("InstanceNorm", "momentum"): ((0.1,), "there are no running statistics that it would move"),
    ("HuberLoss", "beta"): ((1, 1.0), "HuberLoss(delta=beta) is beta times the smooth L1 loss"),
    ("", "weight"): ((None,), "multiply the losses of reduction='none' by it"),
    ("InstanceNorm", "track_running_stats"): ((False,), "it uses each sample's own statistics, always"),
    ("batch_norm", "training"): ((), "without mean and var it uses the batch's own; nn.BatchNorm2d keeps running ones"),
    ("batch_norm", "momentum"): ((), "nn.BatchNorm2d keeps running statistics"),
}


def own_word(function: str, theirs: str, own: Container[str]) -> str | None:
    """Our word for an argument of PyTorch's, if the function has it."""
    return next((word for word in (KEYWORDS.get((function, theirs)), KEYWORDS.get(("", theirs))) if word in own), None)


def goes_without_saying(function: str, name: str, value: Any) -> bool:
    """Whether an argument that there is not was given with the value that holds here anyway."""
    values, _ = _entry(function, name)
    return any(value is known or (type(value) is type(known) and value == known) for known in values)


def advice(function: str, name: str) -> str | None:
    """What to do about an argument that there is not."""
    return _entry(function, name)[1] or None


def _entry(function: str, name: str) -> tuple[tuple[Any, ...], str]:
    family = function.rstrip("d").rstrip("123")  # InstanceNorm2d
    return next(
        (_LEFT_OUT[place, name] for place in (function, family, "") if (place, name) in _LEFT_OUT),
        ((), ""),
    )
