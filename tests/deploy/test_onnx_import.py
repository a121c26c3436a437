"""Files of ONNX that others made, or damaged: what is read, and what is refused by name before any array is made."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import minidil as md
import minidil.functional as F
from minidil import deploy, nn
from minidil.errors import CheckpointError, ShapeError

RNG = np.random.default_rng(0)


def numbers(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def foreign(
    path: Path, nodes: list[Any], arrays: dict[str, Any], shape: tuple[Any, ...] = ("n", 3), opset: int = 17
) -> Path:
    """A file as another program writes it, from "in" to "out"."""
    kept = [
        each if isinstance(each, TensorProto) else numpy_helper.from_array(each, name) for name, each in arrays.items()
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [])],
        kept,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def node(operator: str, inputs: list[str], **attributes: Any) -> Any:
    return helper.make_node(operator, inputs, ["out"], **attributes)


def test_a_foreign_gemm_with_its_transposes_and_factors(tmp_path: Path) -> None:
    b, c = numbers(3, 2), numbers(2)
    path = foreign(
        tmp_path / "m.onnx", [node("Gemm", ["in", "onnx::W_1", "c"], alpha=2.0, beta=0.5)], {"onnx::W_1": b, "c": c}
    )
    model, x = deploy.from_onnx(path), numbers(4, 3)
    np.testing.assert_allclose(model(md.tensor(x)).numpy(), 2 * x @ b + 0.5 * c, rtol=1e-5)
    assert {name: value.shape for name, value in model.state_dict().items()} == {"onnx::W_1": (3, 2), "c": (2,)}


def test_constants_in_nodes_and_typed_fields(tmp_path: Path) -> None:
    """Arrays as lists of numbers, constants in nodes, and axes as an attribute, as before opset 18."""
    pads = helper.make_node("Constant", [], ["pads"], value_ints=[0, 1, 0, 2])
    padded = helper.make_node("Pad", ["in", "pads", "filler"], ["padded"], mode="constant")
    nodes = [pads, padded, node("ReduceMean", ["padded"], axes=[1], keepdims=0)]
    arrays = {"filler": helper.make_tensor("filler", TensorProto.FLOAT, [], [0.5])}
    x = numbers(2, 3)
    y = deploy.from_onnx(foreign(tmp_path / "m.onnx", nodes, arrays))(md.tensor(x)).numpy()
    np.testing.assert_allclose(y, (x.sum(axis=1) + 1.5) / 6, rtol=1e-5)


def test_padding_by_a_word(tmp_path: Path) -> None:
    w = numbers(2, 3, 4)
    conv = node("Conv", ["in", "w"], auto_pad="SAME_UPPER", dilations=[2])
    x = numbers(2, 3, 9)
    y = deploy.from_onnx(foreign(tmp_path / "m.onnx", [conv], {"w": w}, ("n", 3, 9)))(md.tensor(x)).numpy()
    np.testing.assert_array_equal(y, F.conv(x, w, padding="same", dilation=2).numpy())


def test_an_imported_model_learns(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm(3), nn.Flatten(), nn.Linear(9, 2))
    deploy.to_onnx(model, (2, 5), tmp_path / "m.onnx")
    back = deploy.from_onnx(tmp_path / "m.onnx").train()
    assert [name for name, _ in back.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert [name for name, _ in back.named_buffers()] == ["1.running_mean", "1.running_var"]
    x = md.tensor(numbers(4, 2, 5))
    (back(x) ** 2).sum().backward()
    assert all(parameter.grad is not None for parameter in back.parameters())
    optimizer, before = md.optim.SGD(back.parameters(), lr=0.1), back(x).numpy().copy()
    optimizer.step()
    assert not np.array_equal(back(x).numpy(), before)
    back.load_state_dict(model.state_dict(), strict=False)
    np.testing.assert_allclose(back(x).numpy(), model.eval()(x).numpy(), rtol=1e-5, atol=1e-6)


def test_names_that_a_module_has_already(tmp_path: Path) -> None:
    """A weight called train.forward hides no method."""
    w = numbers(3)
    path = foreign(tmp_path / "m.onnx", [node("Mul", ["in", "train.forward"])], {"train.forward": w})
    model = deploy.from_onnx(path)
    assert list(model.state_dict()) == ["train_.forward_"]
    assert model.train() is model


def test_an_array_that_is_a_weight_and_a_statistic(tmp_path: Path) -> None:
    """It is a buffer, since statistics have no gradient."""
    s, x = np.abs(numbers(3)) + 1, numbers(2, 3)
    norm = node("BatchNormalization", ["in", "s", "s", "s", "s"], epsilon=0.0)
    model = deploy.from_onnx(foreign(tmp_path / "m.onnx", [norm], {"s": s})).train()
    np.testing.assert_allclose(model(md.tensor(x)).numpy(), s * (x - s) / np.sqrt(s) + s, rtol=1e-5, atol=1e-5)
    assert (list(model.parameters()), [name for name, _ in model.named_buffers()]) == ([], ["s"])


def test_an_input_of_another_shape(tmp_path: Path) -> None:
    model = deploy.from_onnx(foreign(tmp_path / "m.onnx", [node("Relu", ["in"])], {}))
    with pytest.raises(ShapeError, match=r"OnnxModel: x must be \(None, 3\), None being any size, and is \(2, 4\)"):
        model(md.tensor(numbers(2, 4)))


OPERATORS: list[tuple[list[Any], dict[str, Any], str]] = [
    ([helper.make_node("Sin", ["in"], ["a"]), helper.make_node("Sin", ["a"], ["b"]), node("Loop", ["b"])], {},
     r"has operators that are not read: Loop, Sin \(2 times\)"),
    ([helper.make_node("Relu", ["in"], ["out"], domain="com.microsoft")], {}, "not read: com.microsoft.Relu"),
    ([node("Conv", ["in", "in"])], {}, r"Conv 'number 0': input 1 must be an array in the file"),
    ([node("Conv", ["in", "w"], auto_pad="SAME_LOWER")], {"w": numbers(2, 3, 1)}, "auto_pad='SAME_LOWER' is not read"),
    ([node("Conv", ["in", "w"], pads=[-1, 0])], {"w": numbers(2, 3, 1)}, r"its pads are \[-1, 0\]"),
    ([node("Conv", ["in", "w"], kernel_shape=[3])], {"w": numbers(2, 3, 1)}, r"its kernel_shape is \[3\], and its weight"),
    ([node("Conv", ["in", "w"], strides=[0])], {"w": numbers(2, 3, 1)}, r"its strides are \[0\], where 1 numbers in 1"),
    ([node("MaxPool", ["in"], kernel_shape=[1], pads=[2**40, 0])], {}, "its pads are .* numbers in 0..65536 are read"),
    ([node("ConvTranspose", ["in", "w"], strides=[2**40])], {"w": numbers(3, 2, 1)}, "its strides are .* numbers in 1"),
    ([node("ConvTranspose", ["in", "w"], output_shape=[9])], {"w": numbers(3, 2, 1)}, r"output_shape=\[9\] is not read"),
    ([node("BatchNormalization", ["in", "s", "s", "s", "s"], training_mode=1)], {"s": numbers(3)}, "training_mode=1 is not"),
    ([node("Reshape", ["in", "in"])], {}, "its shape must be whole numbers in the file, and are computed"),
    ([node("Resize", ["in", "", "", "s"], mode="linear", coordinate_transformation_mode="tf_crop_and_resize")],
     {"s": np.array([1, 3])}, "'tf_crop_and_resize' is not read"),
    ([node("Resize", ["in", "", "", "s"], mode="nearest", coordinate_transformation_mode="asymmetric")],
     {"s": np.array([1, 3, 2])}, "nearest_mode 'round_prefer_floor'"),
    ([node("Softmax", ["in"], axes=[1])], {}, "breaks the rules of ONNX: Unrecognized attribute: axes"),
    ([node("Relu", ["absent"])], {}, "breaks the rules of ONNX: .*input 'absent'"),
    ([node("Gelu", ["in"], approximate="fast")], {}, "approximate='fast' is not read"),
    ([node("Expand", ["in", "s"])], {"s": np.array([2**40, 3])}, r"asks for the sizes \[1099511627776, 3\]; at most"),
    ([node("Pad", ["in", "s"])], {"s": np.array([2**40] * 4)}, "asks for the sizes"),
    ([node("Resize", ["in", "", "", "s"], mode="linear", coordinate_transformation_mode="half_pixel")],
     {"s": np.array([1, 3, 2**40])}, "asks for the sizes"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "arrays", "words"), OPERATORS)
def test_what_is_not_read_is_named(nodes: list[Any], arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = foreign(tmp_path / "m.onnx", nodes, arrays, opset=20)
    with pytest.raises(CheckpointError, match=words) as caught:
        deploy.from_onnx(path)
    assert str(path) in str(caught.value)


def model_file(folder: Path) -> Path:
    path = folder / "m.onnx"
    deploy.to_onnx(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.GlobalAvgPool(), nn.Flatten()), (3, 5, 5), path)
    return path


@pytest.mark.slow
def test_every_cut_and_every_flipped_byte_is_refused_or_read(tmp_path: Path) -> None:
    """Nothing but minidil's own errors, whatever the bytes are."""
    path = model_file(tmp_path)
    whole = path.read_bytes()
    cuts = [whole[:n] for n in range(0, len(whole), 53)]
    flips = []
    for place in [*range(0, 300, 3), *range(len(whole) - 300, len(whole), 3)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 8)
        flips.append(bytes(damaged))
    refused = 0
    for content in [*cuts, *flips]:
        path.write_bytes(content)
        try:
            deploy.from_onnx(path)
        except CheckpointError as error:
            refused += str(path) in str(error)
    assert refused >= len(cuts) + 100


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"\x89PNG\r\n\x1a\n" + b"\0" * 64, b"PK\x03\x04", b"\x08\x09", b"{}"]
)
def test_another_kind_of_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.onnx \(\d+ bytes\) (is no file of ONNX|holds no graph of ONNX)"):
        deploy.from_onnx(path)


def weight_of(model: Any) -> Any:
    return next(each for each in model.graph.initializer if each.name == "0.weight")


def huge(model: Any) -> None:
    weight_of(model).dims[:] = [2**40, 3, 3, 3]


def external(model: Any) -> None:
    weight = weight_of(model)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")


def negative(model: Any) -> None:
    weight_of(model).dims[:] = [-8, -3, 3, 3]


def half(model: Any) -> None:
    weight_of(model).data_type = TensorProto.BFLOAT16


def listed(model: Any) -> None:
    weight = weight_of(model)
    weight.ClearField("raw_data")
    weight.float_data[:] = [1.0] * 5


def newer(model: Any) -> None:
    model.opset_import[0].version = 99


def functions(model: Any) -> None:
    model.functions.add(name="f", domain="own")


def two(model: Any) -> None:
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = "0/Conv"


CHANGES: list[tuple[Callable[[Any], None], str]] = [
    (huge, r"0\.weight of shape \(1099511627776, 3, 3, 3\) and float32 takes [\d,]+ bytes, and the file has 864"),
    (external, r"0\.weight lies in another file; save the model as one file"),
    (negative, r"0\.weight has the shape \(-8, -3, 3, 3\)"),
    (half, r"0\.weight has numbers of type 16 of ONNX"),
    (listed, r"takes 864 bytes, and the file has 20"),
    (newer, r"is of opset \[99\]; 13 to 23 are read"),
    (functions, "has functions, sparse arrays or training steps"),
    (two, "has 1 inputs and 2 outputs"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_what_a_file_declares_is_held_against_what_it_has(
    change: Callable[[Any], None], words: str, tmp_path: Path
) -> None:
    path = model_file(tmp_path)
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=words):
            deploy.from_onnx(path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        deploy.from_onnx(tmp_path / "m.onnx")
