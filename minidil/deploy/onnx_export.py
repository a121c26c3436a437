"""A model as a file of ONNX, which other programs run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidil.deploy import onnx_ops, onnx_windows
from minidil.deploy.onnx_calls import Calls, calls_of
from minidil.deploy.onnx_quantized import add_network
from minidil.deploy.onnx_writer import INPUT, OUTPUT, NoEquivalentError, Writer
from minidil.deploy.quantized import Quantized
from minidil.errors import OptionError
from minidil.nn import Module
from minidil.storage.files import atomic_write

if TYPE_CHECKING:
    from minidil.deploy.int8_plan import Int8Plan

OPSET = 20  # the first with Gelu; ONNX Runtime 1.17 and later run it
IR_VERSION = 9
LARGEST = 2**31 - 2**20  # protobuf ends at 2 GiB, nodes included

_WRITERS = {**onnx_ops.WRITERS, **onnx_windows.WRITERS}
_SHOWN = 8


def to_onnx(
    model: Module | Int8Plan,
    input_shape: Sequence[int],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write what the model computes in evaluation mode as a file of ONNX: opset 20, IR version 9.

    The forward runs twice on random numbers, and the ops that it calls become nodes; so shortcuts, concatenations and arithmetic
    need no module of their own. Parameters and buffers keep their names. Dropout is left out, and padding "same" or "causal",
    ceil mode and output padding are spelled out in numbers.
    Shapes: the input is "x", (batch, *input_shape) with any batch; the output is "y". The other sizes are fixed, as a rule.
    Whole numbers go in (int64) if an `Embedding` is the first layer with parameters, else numbers of the parameters' type.
    A plan in whole numbers, as `quantize` makes, becomes QDQ: QuantizeLinear and DequantizeLinear around its operators,
    weights in int8 with a scale for each filter; `onnx_quantized` says more. input_shape is then that of the network.
    metadata: words by words, kept in the file.
    Raises: OptionError that names every op and layer without an equivalent; if the graph depends on the input's values or, but
        for its first axis, on the batch; for 2 GiB and more; or if the library onnx is not installed. Then no file is written.
        StorageError if the disk does not take the file.
    """
    onnx = _library(path)
    words = dict(metadata or {})
    if not all(isinstance(word, str) for pair in words.items() for word in pair):
        raise OptionError(f"to_onnx: metadata holds words by words, not {words!r}")
    if isinstance(model, Module):
        name, calls = type(model).__name__, calls_of(model, input_shape, "to_onnx")
        writer, output = _written(calls)
    elif isinstance(network := getattr(model, "network", None), Quantized):
        name, (calls, writer, output) = network.model, _whole(network, tuple(input_shape))
    else:
        raise OptionError(f"to_onnx: model is a module or a plan that quantize made, not {type(model).__name__}")
    made = _content(onnx, name, calls, writer, output, words)
    with atomic_write(path) as file:
        file.write(made)


def _library(path: str | os.PathLike[str]) -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise OptionError(
            f'{os.fspath(path)}: ONNX needs the library onnx; install it with `pip install "minidil[deploy]"`'
        ) from None
    if not Path(path).name.endswith(".onnx"):
        raise OptionError(f"{os.fspath(path)}: the name of a file of ONNX ends in .onnx")
    return onnx


def _written(calls: Calls) -> tuple[Writer, str]:
    """The nodes, and the name of the output. Raises: OptionError with all that has no equivalent."""
    writer, refused = Writer(), list[str]()
    writer.values[0] = INPUT
    for number, call in enumerate(calls.calls, start=1):
        writer.values[number] = f"value {number}"  # what follows a refusal is looked at as well
        try:
            if call.op not in _WRITERS:
                raise NoEquivalentError("an op without one")
            if call.dtype.kind not in "fib" or call.dtype.itemsize > 8:
                raise NoEquivalentError(f"numbers of {call.dtype}")
            writer.values[number] = _WRITERS[call.op](writer, call)
        except NoEquivalentError as reason:
            refused.append(f"{call.place()}: {reason}")
    _check(writer, refused)
    return writer, writer.values[calls.output]


def _whole(network: Quantized, input_shape: tuple[int, ...]) -> tuple[Calls, Writer, str]:
    """The same of a network in whole numbers."""
    if input_shape != network.input_shape:
        raise OptionError(
            f"to_onnx: the network was quantised for {network.input_shape}, and input_shape is {input_shape}"
        )
    writer = Writer()
    last, refused = add_network(writer, network, _WRITERS)
    _check(writer, refused)
    calls = Calls((-1, *network.input_shape), last.dtype, (last,), 1)
    return calls, writer, writer.values[network.output]


def _check(writer: Writer, refused: list[str]) -> None:
    if refused:
        more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
        raise OptionError(
            f"to_onnx: no equivalent in ONNX for {'; '.join(refused[:_SHOWN])}{more}; nothing was written"
        )
    if writer.size() > LARGEST:
        raise OptionError(f"to_onnx: {writer.size():,} bytes of numbers, and one file of ONNX holds {LARGEST:,}")


def _content(onnx: Any, name: str, calls: Calls, writer: Writer, output: str, words: dict[str, str]) -> bytes:
    helper = onnx.helper
    last = calls.calls[calls.output - 1] if calls.output else calls
    nodes = [
        helper.make_node(operator, inputs, [made], name=made, **attributes)
        for operator, inputs, made, attributes in writer.nodes
    ]
    nodes.append(helper.make_node("Identity", [output], [OUTPUT], name=OUTPUT))
    ends = [
        helper.make_tensor_value_info(
            which,
            helper.np_dtype_to_tensor_dtype(each.dtype),
            ["batch" if n == -1 else None if n < 0 else n for n in each.dims],
        )
        for which, each in ((INPUT, calls), (OUTPUT, last))
    ]
    arrays = [onnx.numpy_helper.from_array(np.array(each, order="C"), which) for which, each in writer.arrays.items()]
    model = helper.make_model(
        helper.make_graph(nodes, name, ends[:1], ends[1:], arrays),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="minidil",
    )
    helper.set_model_props(model, words)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
