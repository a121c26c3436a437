"""PyTorch's names: which of them work here too, and which word minidil has for the others.

The library has one word for a thing. Who brings PyTorch's finds it in this table: WORDS are aliases, HINTS say what to write
instead, `left_out.REASONS` why there is nothing to write. A room (`functional`, `nn`, `optim`, `minidil` itself, `Tensor`) asks
the table through `__getattr__`, so that a name costs nothing until somebody misses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NoReturn

from minidil.errors import NoSuchNameError
from minidil.left_out import REASONS

# Keyword arguments: PyTorch's name to ours, for one function or ("") for every one that has ours.
KEYWORDS = {
    ("", "dim"): "axis",
    ("", "keepdim"): "keepdims",
    ("", "other"): "b",
    ("", "start_dim"): "start",
    ("", "end_dim"): "end",
    ("", "dims"): "axes",
    ("clip", "min"): "low",
    ("clip", "max"): "high",
    ("leaky_relu", "negative_slope"): "slope",
    ("pad", "pad"): "width",
    ("var", "correction"): "ddof",
    ("std", "correction"): "ddof",
    ("cross_entropy", "input"): "logits",
    ("where", "input"): "a",
    ("where", "self"): "a",
    ("maximum", "input"): "a",
    ("minimum", "input"): "a",
}

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
    "amax": "max",
    "amin": "min",
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

_INITIALISER = "an initialiser makes an array here: layer.weight.data = nn.init.{}(layer.weight.shape)"
_SCHEDULE = "learning rates over time are in minidil.schedule: {}"
_DEVICE = "there is no device to name: tensors move to where minidil.use('numpy' | 'numba' | 'cuda') computes"
_DTYPE = "number types are NumPy's: x.astype({!r})"

HINTS: dict[str, dict[str, str]] = {
    "functional": {
        "smooth_l1_loss": "use huber_loss(x, target, delta=beta) / beta",
        "binary_cross_entropy": "use binary_cross_entropy_with_logits on what the sigmoid takes; it cannot overflow",
        "normalize": "write x / (x * x).sum(axis=1, keepdims=True).sqrt()",
        "embedding": "index the table: table[indices]",
        "relu6": "write clip(x, 0, 6)",
        "hardtanh": "write clip(x, -1, 1)",
        "softmin": "write softmax(-x)",
        "logsigmoid": "write -softplus(-x)",
        "softsign": "write x / (1 + absolute(x))",
        "tanhshrink": "write x - tanh(x)",
        "mish": "write x * tanh(softplus(x))",
        "pixel_shuffle": "write it with reshape and transpose",
        "pixel_unshuffle": "write it with reshape and transpose",
        "channel_shuffle": "write it with reshape and transpose",
        "upsample*": "use interpolate",
        "adaptive_max_pool*": "for one output a plane: max over the spatial axes; else max_pool",
        "lp_pool*": "write avg_pool(x ** p, ...) ** (1 / p)",
        "dropout?d": "use nn.Dropout2d and its kin, or dropout",
        "instance_norm": "use nn.InstanceNorm2d and its kin",
        "group_norm": "use nn.GroupNorm",
        "max_pool?d_with_indices": "use max_pool",
        "cosine_similarity": "write (a * b).sum(1) / ((a * a).sum(1) * (b * b).sum(1)).sqrt()",
        "pairwise_distance": "write ((a - b) * (a - b)).sum(-1).sqrt()",
        "scaled_dot_product_attention": "write softmax(q @ k.transpose(0, 2, 1) / d ** 0.5) @ v",
    },
    "minidil": {
        "Size": "a shape is a tuple",
        "device": _DEVICE,
        "set_default_device": _DEVICE,
        "get_default_device": _DEVICE,
        "cuda": "minidil.use('cuda') computes on a GPU; `minidil doctor` says whether there is one",
        **{name: f"number types are NumPy's: np.{name}" for name in ("float16", "float32", "float64", "int8", "int16")},
        **{name: f"number types are NumPy's: np.{name}" for name in ("int32", "int64", "uint8", "uint16", "uint32")},
        "uint64": "number types are NumPy's: np.uint64",
        "bool": "number types are NumPy's: np.bool_",
        "float": "number types are NumPy's: np.float32",
        "double": "number types are NumPy's: np.float64",
        "long": "number types are NumPy's: np.int64",
        "int": "number types are NumPy's: np.int32",
        "complex*": "there are no complex numbers here",
        "save": "use minidil.checkpoint.save(path, {...})",
        "load": "use minidil.checkpoint.load(path)",
        "inference_mode": "use minidil.no_grad()",
        "enable_grad": "recording is on outside of minidil.no_grad()",
        "set_grad_enabled": "use `with minidil.no_grad():`",
        "Generator": "use np.random.default_rng(seed) and pass it as rng=",
        "default_generator": "use minidil.random.default_rng()",
        "get_rng_state": "minidil.random.default_rng().bit_generator.state",
        "set_rng_state": "minidil.random.default_rng().bit_generator.state = state",
        "initial_seed": "the seed is what minidil.seed was given",
        "is_tensor": "write isinstance(x, minidil.Tensor)",
        "get_num_threads": "use minidil.num_threads()",
        "get_default_dtype": "it is float32",
        "set_default_dtype": "it is float32; arrays keep the type they come with",
        "set_printoptions": "use np.set_printoptions",
        "vmap": "write the batch axis out: every operation takes one",
        "func": "write the batch axis out: every operation takes one",
        "autograd": "use tensor.backward(), or minidil.functional's ops, which return their vjps",
        "utils": "data sets and loaders are in minidil.data, gradient clipping in minidil.optim",
        "finfo": "use np.finfo",
        "iinfo": "use np.iinfo",
        "result_type": "use np.result_type",
        "promote_types": "use np.promote_types",
        "can_cast": "use np.can_cast",
        "pi": "use np.pi",
        "e": "use np.e",
        "inf": "use np.inf",
        "nan": "use np.nan",
        "newaxis": "use None or np.newaxis",
        "compile": "there is nothing to compile: the kernels are",
        "hstack": "use concatenate(tensors, axis=1)",
        "vstack": "use concatenate(tensors, axis=0)",
        "row_stack": "use concatenate(tensors, axis=0)",
        "dstack": "use concatenate(tensors, axis=2)",
        "column_stack": "use concatenate(tensors, axis=1)",
        "addmm": "write b + x @ w",
        "numel": "use x.size",
        "empty*": "use zeros",
        "clone": "use x.clone()",
        "detach": "use x.detach()",
    },
    "Tensor": {
        "device": _DEVICE,
        "cuda": _DEVICE,
        "get_device": _DEVICE,
        "is_cuda": _DEVICE,
        "is_cpu": _DEVICE,
        "grad_fn": "is_leaf says whether it was computed, repr(x) by which op",
        "type": "use x.dtype, or x.astype(dtype)",
        "type_as": "write x.astype(y.dtype)",
        "reshape_as": "write x.reshape(y.shape)",
        "view_as": "write x.reshape(y.shape)",
        "expand_as": "write x.expand(y.shape)",
        "half": _DTYPE.format("float16"),
        "bfloat16": "there is no bfloat16; computing is done in float32 and float64",
        "short": _DTYPE.format("int16"),
        "char": _DTYPE.format("int8"),
        "byte": _DTYPE.format("uint8"),
        "t": "use x.T",
        "mT": "write x.transpose with the last two axes exchanged",
        "swapaxes": "write x.transpose with the axes in their new order",
        "swapdims": "write x.transpose with the axes in their new order",
        "movedim": "write x.transpose with the axes in their new order",
        "moveaxis": "write x.transpose with the axes in their new order",
        "masked_fill": "write functional.where(mask, value, x)",
        "masked_select": "write x[mask]",
        "index_select": "write x[:, indices] on the axis wanted",
        "gather": "index with arrays: x[np.arange(n), indices]",
        "take": "index with arrays: x[indices]",
        "select": "index: x[:, i]",
        "narrow*": "slice: x[:, start:stop]",
        "unbind": "iterate over it, or tuple(x)",
        "ravel": "write x.flatten()",
        "item_size": "use x.dtype.itemsize",
        "element_size": "use x.dtype.itemsize",
        "itemsize": "use x.dtype.itemsize",
        "nelement": "use x.size",
        "ndimension": "use x.ndim",
        "is_floating_point": "look at x.dtype.kind",
        "is_complex": "there are no complex numbers here",
        "is_contiguous": "the memory order is the backend's business",
        "values": "max and min return the values; sort and topk have .values",
        "indices": "argmax and argmin say where; sort and topk have .indices",
        "storage*": "the memory order is the backend's business",
        "stride": "the memory order is the backend's business",
        "data_ptr": "the memory order is the backend's business",
        "register_hook": "use retain_grad() to keep a gradient; nn.Module has forward hooks",
        "retains_grad": "ask whether x.grad is None after backward",
        "new_*": "make one of the same type: minidil.zeros(shape, dtype=x.dtype)",
        "square": "write x * x",
        "index": "index it: x[i, j]",
        "unfold": "use functional.unfold",
        "reciprocal": "write 1 / x",
        "rsqrt": "write 1 / x.sqrt()",
        "addmm": "write b + x @ w",
        "le": "write x <= y",
        "lt": "write x < y",
        "ge": "write x >= y",
        "gt": "write x > y",
        "eq": "write x == y",
        "ne": "write x != y",
        "less*": "write x < y or x <= y",
        "greater*": "write x > y or x >= y",
        "not_equal": "write x != y",
        "equal": "write np.array_equal(a.numpy(), b.numpy())",
        "allclose": "write np.allclose(a.numpy(), b.numpy())",
        "logical_and": "write a & b",
        "logical_or": "write a | b",
        "logical_not": "write ~a",
        "bitwise_*": "masks take & | ~; for integers use NumPy on x.numpy()",
        "where": "write functional.where(mask, x, y)",
        "clamp_m*": "write x.clip(low, high)",
        "clip_": "write x = x.clip(low, high)",
        "is_same_size": "compare x.shape == y.shape",
        "multinomial": "draw with np.random.default_rng().choice(n, p=probabilities)",
        "bernoulli": "draw with rng.random(shape) < p",
    },
    "nn": {
        "init_": "use nn.init",
        "BCELoss": "use BCEWithLogitsLoss without the sigmoid; it cannot overflow",
        "ReLU6": "write x.clip(0, 6) in forward",
        "Hardtanh": "write x.clip(-1, 1) in forward",
        "ZeroPad*": "give the convolution its padding, or use functional.pad",
        "ConstantPad*": "use functional.pad",
        "ReflectionPad*": "only zeros and constants are padded here: functional.pad",
        "ReplicationPad*": "only zeros and constants are padded here: functional.pad",
        "CircularPad*": "only zeros and constants are padded here: functional.pad",
        "PixelShuffle": "write it with reshape and transpose in forward",
        "PixelUnshuffle": "write it with reshape and transpose in forward",
        "ChannelShuffle": "write it with reshape and transpose in forward",
        "AdaptiveMaxPool*": "for one output a plane: GlobalMaxPool",
        "Fold": "use functional.fold in forward",
        "Unfold": "use functional.unfold in forward",
        "Unflatten": "write x.reshape in forward",
        "Lazy*": "say the number of channels; model.summary shows what arrives",
        "Softmin": "write functional.softmax(-x)",
        "Softmax2d": "use functional.softmax(x, axis=1)",
        "SyncBatchNorm": "use BatchNorm2d; there is one process",
        "DataParallel": "there is one process",
        "Container": "use Module",
        "Buffer": "assign an array in the module's __init__; see BatchNorm",
        "ParameterDict": "use attributes, or ModuleDict of small modules",
        "UpsamplingBilinear2d": "use functional.interpolate(x, mode='bilinear', align_corners=True)",
        "UpsamplingNearest2d": "use functional.interpolate(x, mode='nearest')",
        "utils": "clip_grad_norm is in minidil.optim",
        "functional": "use minidil.functional",
        "parallel": "there is one process",
        "Flatten_": "use Flatten",
    },
    "nn.init": {
        **{
            f"{theirs}_{kind}{end}": _INITIALISER.format(f"{ours}_{kind}")
            for theirs, ours in (("kaiming", "he"), ("xavier", "glorot"))
            for kind in ("normal", "uniform")
            for end in ("_", "")
        },
        "dirac_": _INITIALISER.format("dirac"),
        "zeros_": "write layer.bias.data = np.zeros(layer.bias.shape, 'float32')",
        "ones_": "write layer.weight.data = np.ones(layer.weight.shape, 'float32')",
        "constant*": "write layer.bias.data = np.full(layer.bias.shape, value, 'float32')",
        "eye*": "write layer.weight.data = np.eye(n, dtype='float32')",
        "normal*": "write layer.weight.data = rng.normal(0, std, layer.weight.shape).astype('float32')",
        "uniform*": "write layer.weight.data = rng.uniform(low, high, layer.weight.shape).astype('float32')",
        "trunc_normal_": "write layer.weight.data = rng.normal(0, std, shape).clip(low, high).astype('float32')",
        "calculate_gain": "he_normal takes slope=, glorot_normal takes gain=",
        "orthogonal*": "take q of np.linalg.qr(rng.normal(size=shape))",
    },
    "optim": {
        "lr_scheduler": _SCHEDULE.format("Step, Cosine, OneCycle, Triangular, Warmup, Constant"),
        "clip_grad_value_": "write p.grad = p.grad.clip(-limit, limit) for each parameter",
    },
    "optim.lr_scheduler": {
        "StepLR": _SCHEDULE.format("Step(optimizer, steps, gamma)"),
        "MultiStepLR": _SCHEDULE.format("Step(optimizer, [30, 60], gamma)"),
        "CosineAnnealingLR": _SCHEDULE.format("Cosine(optimizer, total_steps)"),
        "OneCycleLR": _SCHEDULE.format("OneCycle(optimizer, total_steps)"),
        "CyclicLR": _SCHEDULE.format("Triangular(optimizer, total_steps)"),
        "LinearLR": _SCHEDULE.format("Warmup(optimizer, steps)"),
        "ConstantLR": _SCHEDULE.format("Constant(optimizer)"),
        "LRScheduler": _SCHEDULE.format("Schedule, whose method factor(step) you write"),
        "LambdaLR": _SCHEDULE.format("Schedule, whose method factor(step) you write"),
        "*": _SCHEDULE.format("derive one from Schedule and write factor(step)"),
    },
    "nn.utils": {
        "clip_grad_norm_": "use optim.clip_grad_norm(parameters, max_norm)",
        "clip_grad_value_": "write p.grad = p.grad.clip(-limit, limit) for each parameter",
        "parameters_to_vector": "write functional.concatenate([p.flatten() for p in parameters])",
        "vector_to_parameters": "slice the vector and assign p.data",
    },
}


def of_room(room: str, name: str, *places: Any) -> Any:
    """What `room.name` is, where the room itself does not have it: the alias, found in the first place that has our word.

    Raises: NoSuchNameError, an AttributeError, that says what to write instead, or what is spelt nearly like it.
    """
    if name.startswith("__"):
        raise AttributeError(f"module {room!r} has no attribute {name!r}")
    if f"{room}.{name}" in HINTS:
        return Hints(f"{room}.{name}")
    word = WORDS.get(room, {}).get(name, name)
    for place in places:
        if word in vars(place):
            return vars(place)[word]
        if room == "minidil" and place is not places[0] and word in WORDS["functional"]:
            return vars(place)[WORDS["functional"][word]]
    raise _refusal(room, name, [known for place in places for known in dir(place)])


def of_tensor(tensor: Any, name: str) -> Any:
    """The same for a tensor: one of its methods under PyTorch's name."""
    if name.startswith("__"):
        raise AttributeError(f"{type(tensor).__name__!r} object has no attribute {name!r}")
    if name in NUMBER_TYPES:
        return lambda: tensor.astype(NUMBER_TYPES[name])
    word = WORDS["Tensor"].get(name)
    if word is not None:
        return getattr(tensor, word)
    raise _refusal("Tensor", name, dir(type(tensor)))


class Hints:
    """A module of PyTorch's that has no counterpart, such as optim.lr_scheduler: each of its names says what to write."""

    def __init__(self, room: str) -> None:
        self._room = room

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise _refusal(self._room, name, [])


def hint(room: str, name: str) -> str | None:
    """What to write for a name of PyTorch's that is none here, or why there is nothing to write; None if it is unknown."""
    for pattern, sentence in HINTS.get(room, {}).items():
        if fnmatchcase(name, pattern):
            return sentence
    for reason, patterns in REASONS.items():
        if any(fnmatchcase(name, pattern) for pattern in patterns.split()):
            return f"minidil leaves it out: {reason}"
    return None


def nearest(name: str, known: Iterable[str]) -> str:
    """A question in brackets if something is spelt nearly like the name, else nothing."""
    close = get_close_matches(name, [word for word in known if not word.startswith("_")], n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _refusal(room: str, name: str, known: Iterable[str]) -> NoSuchNameError:
    rooms = (room, "functional", "Tensor") if room == "minidil" else (room,)
    said = next((found for place in rooms if (found := hint(place, name))), None)
    return NoSuchNameError(f"{room} has no {name!r}" + (f"; {said}" if said else nearest(name, known)))
