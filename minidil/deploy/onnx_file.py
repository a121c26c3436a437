"""Reading a file of ONNX as far as its declarations go, before any array is made.

A file tells the shape and the type of every array beside the bytes themselves; one that is damaged, or made to hurt, tells more
than it has. All of it is compared, and every operator looked up, before the first array is made.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidil.array import Array
from minidil.errors import CheckpointError, OptionError

LARGEST = 2**31  # protobuf reads no more
OPSETS = range(13, 24)  # from 13 on the operators of the subset mean the same, but for where reductions take their axes
_SHOWN = 8
_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}  # of TensorProto
_FIELDS = {1: "float_data", 2: "int32_data", 3: "int32_data", 6: "int32_data", 7: "int64_data", 9: "int32_data"}
_FIELDS |= {11: "double_data"}


@dataclass(frozen=True)
class FileNode:
    """A node: its operator, how it is called in messages, what it takes and gives by name, and its attributes."""

    operator: str
    place: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class FileGraph:
    """What a file holds. dims: of the input, None for any size; empty is not told."""

    input: str
    dims: tuple[int | None, ...]
    output: str
    nodes: tuple[FileNode, ...]
    arrays: dict[str, Array]


def read(path: str | os.PathLike[str], operators: Collection[str]) -> FileGraph:
    """The graph in a file.

    Raises: CheckpointError for a file that is damaged, cut short or no file of ONNX, arrays that do not have the bytes they
        should, operators that are not among those given, or a graph that is not of one input and one output; OptionError if
        the library onnx is not installed; OSError if there is no such file.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.numpy_helper
        from google.protobuf.message import DecodeError
    except ImportError:
        raise OptionError(
            f'{os.fspath(path)}: ONNX needs the library onnx; install it with `pip install "minidil[deploy]"`'
        ) from None
    path = Path(path)
    size = path.stat().st_size
    if size > LARGEST:
        raise CheckpointError(f"{path} has {size:,} bytes, and a file of ONNX at most {LARGEST:,}")
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except DecodeError:
        raise CheckpointError(f"{path} ({size:,} bytes) is no file of ONNX, or it is damaged or cut short") from None
    try:
        return _read(onnx, path, size, model, operators)
    except UnicodeDecodeError:
        raise CheckpointError(f"{path} ({size:,} bytes) is damaged: a name in it is no text") from None


def _read(onnx: Any, path: Path, size: int, model: Any, operators: Collection[str]) -> FileGraph:
    _check_model(path, size, model)
    graph = model.graph
    if not all(isinstance(word, str) for word in _words(graph)):  # damaged ones come as bytes, or as an error
        raise CheckpointError(f"{path} ({size:,} bytes) is damaged: a name in it is no text")
    tensors = {each.name: each for each in graph.initializer}
    constants = {node.output[0]: node for node in graph.node if node.op_type == "Constant" and len(node.output) == 1}
    for name, tensor in tensors.items():
        _check_tensor(path, name, tensor)
    nodes = [node for node in graph.node if not (node.op_type == "Constant" and len(node.output) == 1)]
    _check_operators(path, nodes, operators)
    for name, node in constants.items():
        for attribute in node.attribute:
            if attribute.name == "value":
                _check_tensor(path, name, attribute.t)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise CheckpointError(f"{path} breaks the rules of ONNX: {str(error).strip().splitlines()[0]}") from None
    arrays = {name: _array(onnx, tensor) for name, tensor in tensors.items()}
    arrays |= {name: _constant(onnx, path, name, node) for name, node in constants.items()}
    told = tuple(_node(onnx, path, place, node) for place, node in enumerate(nodes))
    given = [each for each in graph.input if each.name not in tensors]
    if len(given) != 1 or len(graph.output) != 1:
        raise CheckpointError(
            f"{path} has {len(given)} inputs and {len(graph.output)} outputs, where one of each is read"
        )
    dims = tuple(d.dim_value if d.HasField("dim_value") else None for d in given[0].type.tensor_type.shape.dim)
    end = graph.output[0].name
    if end not in {given[0].name, *(node.output for node in told)}:
        raise CheckpointError(f"{path}: nothing computes its output {end!r}")
    return FileGraph(given[0].name, dims, end, told, arrays)


def _check_model(path: Path, size: int, model: Any) -> None:
    graph = model.graph
    if not model.opset_import or not model.ir_version or not graph.output:
        raise CheckpointError(f"{path} ({size:,} bytes) holds no graph of ONNX; it is damaged, or something else")
    if model.functions or graph.sparse_initializer or model.training_info:
        raise CheckpointError(f"{path} has functions, sparse arrays or training steps of its own, which are not read")
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise CheckpointError(f"{path} is of opset {versions}; {OPSETS[0]} to {OPSETS[-1]} are read")


def _words(graph: Any) -> Iterator[Any]:
    """All names in a graph."""
    for each in (*graph.initializer, *graph.input, *graph.output):
        yield each.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _check_tensor(path: Path, name: str, tensor: Any) -> None:
    """Raises: CheckpointError unless the bytes that are there are those of the shape that is told."""
    kind, dims = tensor.data_type, tuple(tensor.dims)
    if kind not in _TYPES:
        raise CheckpointError(
            f"{path}: {name} has numbers of type {kind} of ONNX; those that are read are float32, float64 and whole ones"
        )
    if tensor.data_location == 1 or tensor.external_data:
        raise CheckpointError(f"{path}: {name} lies in another file; save the model as one file")
    count, itemsize = math.prod(dims), np.dtype(_TYPES[kind]).itemsize
    if any(n < 0 for n in dims):
        raise CheckpointError(f"{path}: {name} has the shape {dims}")
    if tensor.HasField("raw_data"):
        found, needed = len(tensor.raw_data), count * itemsize
    else:
        found, needed = len(getattr(tensor, _FIELDS[kind])) * itemsize, count * itemsize
    if found != needed:
        raise CheckpointError(
            f"{path}: {name} of shape {dims} and {_TYPES[kind]} takes {needed:,} bytes, and the file has {found:,}"
        )


def _check_operators(path: Path, nodes: list[Any], operators: Collection[str]) -> None:
    lacking: dict[str, int] = {}
    for node in nodes:
        foreign = node.domain not in ("", "ai.onnx")
        if foreign or node.op_type not in operators:
            name = f"{node.domain}.{node.op_type}" if foreign else node.op_type
            lacking[name] = lacking.get(name, 0) + 1
    if lacking:
        told = [name + (f" ({n} times)" if n > 1 else "") for name, n in sorted(lacking.items())]
        more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise CheckpointError(f"{path} has operators that are not read: {', '.join(told[:_SHOWN])}{more}")


def _array(onnx: Any, tensor: Any) -> Array:
    return np.array(onnx.numpy_helper.to_array(tensor))


def _constant(onnx: Any, path: Path, name: str, node: Any) -> Array:
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for attribute in node.attribute:
        if attribute.name == "value":
            return _array(onnx, attribute.t)
        if attribute.name in kinds:
            return np.array(onnx.helper.get_attribute_value(attribute), kinds[attribute.name])
    raise CheckpointError(f"{path}: Constant {name} holds none of the numbers that are read")


def _node(onnx: Any, path: Path, place: int, node: Any) -> FileNode:
    outputs = [name for name in node.output if name]
    where = f"{path}: {node.op_type} {node.name or f'number {place}'!r}"
    if len(outputs) != 1 or not node.output[0]:
        raise CheckpointError(f"{where} has {len(outputs)} results, where its first alone is read")
    attributes = {}
    for each in node.attribute:
        if each.ref_attr_name or each.type in (4, 5, 9, 10, 11, 12, 13, 14):  # tensors, graphs and types
            raise CheckpointError(f"{where}: its attribute {each.name} is no number, word or list of them")
        value = onnx.helper.get_attribute_value(each)
        attributes[each.name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return FileNode(node.op_type, where, tuple(node.input), outputs[0], attributes)
