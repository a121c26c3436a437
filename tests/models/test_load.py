"""Weights from files by name: all or none, and every fault is told with its numbers before anything is changed."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from minidil import checkpoint, models, nn
from minidil.errors import CheckpointError, OptionError
from minidil.models import load_weights

STATES = json.loads(Path(__file__).with_name("torchvision_states.json").read_text())
CODES = {"float32": "F32", "float16": "F16", "int64": "I64"}


def write_safetensors(path: Path, state: dict[str, np.ndarray]) -> None:
    """The format as its authors describe it: the length of a header, the header in JSON, the arrays one after the other."""
    header, at = {}, 0
    for name, array in state.items():
        header[name] = {"dtype": CODES[str(array.dtype)], "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in state.values()))


def write_npz(path: Path, state: dict[str, np.ndarray]) -> None:
    np.savez(path, **state)


def write_sealed(path: Path, state: dict[str, np.ndarray]) -> None:
    checkpoint.save(path, {"card": {"licence": "MIT"}, "state": state})


WRITERS = {"safetensors": write_safetensors, "npz": write_npz, "sealed": write_sealed}


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, np.ndarray]], Path]:
    """Writes a state in one of the formats, and tells where."""
    if request.param == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / ("weights.safetensors" if request.param == "safetensors" else "weights.npz")

    def writes(state: dict[str, np.ndarray]) -> Path:
        WRITERS[request.param](path, state)
        return path

    return writes


def network(classes: int = 3) -> models.ResNet:
    return models.resnet_small(classes, widths=(2, 4), blocks=1, strides=(1, 2), dilations=(1, 1))


def drawn(model: nn.Module, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: np.array(7) if array.ndim == 0 else rng.standard_normal(array.shape).astype(np.float32)
        for name, array in model.state_dict().items()
    }


def assert_state(model: nn.Module, expected: dict[str, np.ndarray]) -> None:
    state = model.state_dict()
    assert list(state) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(state[name], array, err_msg=name)


def refused(model: nn.Module, path: Path, **options: object) -> str:
    """The message of an error that left the model as it was."""
    before = model.state_dict()
    with pytest.raises((CheckpointError, OptionError)) as caught:
        load_weights(model, path, **options)
    assert_state(model, before)
    assert str(path) in str(caught.value) or isinstance(caught.value, OptionError)
    return str(caught.value)


def test_every_format_loads(write) -> None:
    model = network()
    state = drawn(model)
    found = load_weights(model, write(state))
    assert_state(model, state)
    assert found == (tuple(state), (), (), ())


def test_half_precision_is_converted(write) -> None:
    model = network()
    state = {name: array.astype(np.float16) if array.ndim else array for name, array in drawn(model).items()}
    load_weights(model, write(state))
    assert model.conv1.weight.dtype == np.float32
    assert_state(model, {name: array.astype(np.float32) for name, array in state.items()})


def test_one_error_lists_all_that_is_wrong(write) -> None:
    model = network()
    state = drawn(model)
    state["conv1.wieght"] = state.pop("conv1.weight")
    state["fc.weight"] = state["fc.weight"][:2]
    message = refused(model, write(state))
    assert "does not fit this ResNet; missing 1: conv1.weight; unexpected 1: conv1.wieght; misfitting 1: " in message
    assert "fc.weight has shape (2, 4) but the model needs (3, 4); skip=(...) leaves names out" in message


def test_long_lists_are_cut(tmp_path: Path) -> None:
    write_npz(tmp_path / "other.npz", {f"part{n:02}": np.zeros(1, np.float32) for n in range(20)})
    message = refused(network(), tmp_path / "other.npz")
    assert "unexpected 20: part00, part01, part02, part03, part04, part05, part06, part07 and 12 more" in message
    assert "missing 32: conv1.weight" in message


def test_complex_numbers_are_no_weights(tmp_path: Path) -> None:
    model = network()
    write_npz(tmp_path / "w.npz", drawn(model) | {"fc.bias": np.zeros(3, complex)})
    assert "fc.bias has type complex128 but the model needs float32" in refused(model, tmp_path / "w.npz")


def test_not_strict(write) -> None:
    model = network()
    state = drawn(model)
    before = model.conv1.weight.numpy().copy()
    spare = {name: array for name, array in state.items() if name != "conv1.weight"} | {
        "extra": np.zeros(2, np.float32)
    }
    found = load_weights(model, write(spare), strict=False)
    assert (found.missing, found.unexpected) == (("conv1.weight",), ("extra",))
    assert_state(model, state | {"conv1.weight": before})


def test_not_strict_refuses_other_shapes_still(write) -> None:
    model = network()
    path = write(drawn(model) | {"fc.bias": np.zeros(9, np.float32)})
    assert "fc.bias has shape (9,) but the model needs (3,)" in refused(model, path, strict=False)


def test_a_head_for_other_classes_is_skipped(write) -> None:
    model = network(5)
    state = drawn(network(3))
    head = {name: model.state_dict()[name] for name in ("fc.weight", "fc.bias")}
    found = load_weights(model, write(state), skip=("fc.*",))
    assert found.skipped == ("fc.weight", "fc.bias")
    assert_state(model, state | head)


def test_a_pattern_that_no_name_has(write) -> None:
    model = network()
    message = refused(model, write(drawn(model)), skip="classifier.*")
    assert message.startswith(
        "load_weights: skip='classifier.*' is the name of nothing; there are conv1.weight, bn1.weight"
    )


def test_a_prefix(write) -> None:
    model = network()
    state = drawn(model)
    path = write({f"module.{name}": array for name, array in state.items()} | {"optimizer.step": np.array(3)})
    assert load_weights(model, path, prefix="module.").unexpected == ()
    assert_state(model, state)
    message = refused(model, path, prefix="net.")
    assert message.startswith(f"load_weights: no name in {path} begins with 'net.'; there are module.")


def test_the_counters_of_batch_norm_may_be_missing_or_too_many(write) -> None:
    model = network()
    state = drawn(model)
    found = load_weights(model, write({name: array for name, array in state.items() if array.ndim}))
    assert found.missing == ()
    assert int(model.bn1.num_batches_tracked) == 0
    plain = nn.Sequential(nn.Linear(2, 2))
    extra = {
        "0.weight": np.eye(2, dtype=np.float32),
        "0.bias": np.ones(2, np.float32),
        "1.num_batches_tracked": np.array(1),
    }
    assert load_weights(plain, write(extra)).unexpected == ()


def test_a_file_that_is_damaged_in_its_last_array_changes_nothing(tmp_path: Path) -> None:
    model = network()
    write_npz(tmp_path / "w.npz", drawn(model))
    content = bytearray((tmp_path / "w.npz").read_bytes())
    content[content.index(drawn(model)["fc.bias"].tobytes())] ^= 1
    (tmp_path / "w.npz").write_bytes(content)
    assert "is damaged, or cut short: member 'fc.bias.npy' of it: Bad CRC-32" in refused(model, tmp_path / "w.npz")


def test_a_run_of_ones_own_has_them_under_model(tmp_path: Path) -> None:
    model = network()
    state = drawn(model)
    checkpoint.save(tmp_path / "best.npz", {"model": state, "row": {"epoch": 3}})
    load_weights(model, tmp_path / "best.npz")
    assert_state(model, state)
    checkpoint.save(tmp_path / "other.npz", {"weights": 1})
    assert "without arrays by name under 'state' or 'model'" in refused(model, tmp_path / "other.npz")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_file_with_torchvisions_names_and_shapes(name: str, tmp_path: Path) -> None:
    """Half precision, so that it is written quickly."""
    rng = np.random.default_rng(0)
    state = {
        key: np.array(5) if not shape else rng.integers(-8, 9, shape, np.int8).astype(np.float16) / np.float16(16)
        for key, shape in STATES[name].items()
    }
    write_npz(tmp_path / "w.npz", state)
    model = models.names[name](output_stride=8)
    load_weights(model, tmp_path / "w.npz")
    assert_state(model, state)
    other = models.names[name](10)
    message = refused(other, tmp_path / "w.npz")
    assert re.search(
        r"misfitting 2: fc.weight has shape \(1000, \d+\) but the model needs \(10, \d+\), fc.bias", message
    )
    load_weights(other, tmp_path / "w.npz", skip="fc.*")
    np.testing.assert_array_equal(other.layer1[0].conv1.weight.numpy(), state["layer1.0.conv1.weight"])


@pytest.mark.long
def test_a_file_with_the_names_and_shapes_of_torchvisions_vgg16(tmp_path: Path) -> None:
    state = {name: np.zeros(shape, np.float16) for name, shape in STATES["vgg16"].items()}
    for number, array in enumerate(state.values()):
        array.flat[-1] = number + 1
    np.savez_compressed(tmp_path / "vgg16.npz", **state)
    model = models.vgg16()
    load_weights(model, tmp_path / "vgg16.npz")
    for number, (name, parameter) in enumerate(model.named_parameters()):
        assert (name, parameter.numpy().flat[-1], parameter.numpy().flat[0]) == (list(state)[number], number + 1, 0)
    edges = models.hed()
    found = load_weights(edges, tmp_path / "vgg16.npz", skip=("classifier.*", "dsn*", "fuse.*"))
    assert len(found.set) == 26
    assert edges.features[28].bias.numpy()[-1] == 26
