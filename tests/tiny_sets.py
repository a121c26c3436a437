"""Small data files with the layout of the real ones, and the registry entries that describe them."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from minidil.data.cifar import HUNDRED, TEN, Layout
from minidil.data.registry import File, Member, Source

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def pack_tar(members: dict[str, bytes]) -> bytes:
    """An uncompressed tar archive; a name that ends in / is a folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def tiny_cifar10(records: int = 6) -> tuple[Layout, dict[str, bytes]]:
    """A layout of two train members and one test member with `records` records each, and the members of its archive."""
    folder = "cifar-10-batches-bin/"
    train = (f"{folder}data_batch_1.bin", f"{folder}data_batch_2.bin")
    test = (f"{folder}test_batch.bin",)
    members = {folder: b"", f"{folder}batches.meta.txt": ("\n".join(CLASSES) + "\n\n").encode()}
    members |= {name: _records(seed, records, label_bytes=(10,)) for seed, name in enumerate(train + test)}
    return replace(TEN, source=_describe("cifar10", "cifar-10-binary.tar.gz", members), train=train, test=test), members


def tiny_cifar100(records: int = 6) -> tuple[Layout, dict[str, bytes]]:
    """A layout with the members of CIFAR-100, `records` records in each part, and the members of its archive."""
    members = {
        "cifar-100-binary/train.bin": _records(0, records, label_bytes=(20, 100)),
        "cifar-100-binary/test.bin": _records(1, records, label_bytes=(20, 100)),
        "cifar-100-binary/fine_label_names.txt": "".join(f"fine_{i}\n" for i in range(100)).encode(),
        "cifar-100-binary/coarse_label_names.txt": "".join(f"coarse_{i}\n" for i in range(20)).encode(),
    }
    return replace(HUNDRED, source=_describe("cifar100", "cifar-100-binary.tar.gz", members)), members


def tiny_mnist(root: Path, count: int = 5, by: str = "unpacked") -> Source:
    """Write four small idx files below root/mnist, and describe them by the checksum of their content or of the file."""
    files = []
    for part, n in (("train", count), ("t10k", count + 1)):
        rng = np.random.default_rng(n)
        images = rng.integers(0, 256, size=(n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, size=n, dtype=np.uint8)
        files += [write_idx(root / "mnist" / f"{part}-images-idx3-ubyte.gz", images, by)]
        files += [write_idx(root / "mnist" / f"{part}-labels-idx1-ubyte.gz", labels, by)]
    return Source("mnist", "a small MNIST", tuple(files), folder="mnist")


def tiny_nuclei(root: Path, train: int = 5, test: int = 3, size: int = 8) -> tuple[Source, dict[str, np.ndarray]]:
    """Write a small nuclei128.npz below root, one bright square an image, and describe it; and its arrays."""
    rng, arrays = np.random.default_rng(0), {}
    for part, n in (("train", train), ("test", test)):
        images, instances = rng.integers(0, 60, (n, 3, size, size)), np.zeros((n, size, size), np.uint8)
        for number, instance in enumerate(instances):
            top, left = rng.integers(0, size // 2, 2)
            instance[top : top + size // 2, left : left + size // 2] = 1 + number % 3
        images[np.broadcast_to(instances[:, None] > 0, images.shape)] += 150
        arrays |= {f"{part}_images": images.astype(np.uint8), f"{part}_instances": instances}
        arrays |= {
            f"{part}_masks": (instances > 0).astype(np.uint8),
            f"{part}_kind": (np.arange(n) % 3).astype(np.uint8),
        }
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    (root / "nuclei128.npz").write_bytes(packed.getvalue())
    file = File("nuclei128.npz", 0, packed=f"sha256:{hashlib.sha256(packed.getvalue()).hexdigest()}")
    return Source("nuclei", "a few nuclei", (file,), kinds=("masks",)), arrays


def write_idx(path: Path, array: np.ndarray, by: str = "unpacked") -> File:
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()
    packed = gzip.compress(content, mtime=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    md5 = "md5:" + hashlib.md5(content if by == "unpacked" else packed).hexdigest()
    return File(path.name, len(packed), unpacked=md5) if by == "unpacked" else File(path.name, len(packed), packed=md5)


def _records(seed: int, count: int, label_bytes: tuple[int, ...]) -> bytes:
    rng = np.random.default_rng(seed)
    labels = [rng.integers(0, high, size=(count, 1), dtype=np.uint8) for high in label_bytes]
    return np.hstack([*labels, rng.integers(0, 256, size=(count, 3072), dtype=np.uint8)]).tobytes()


def _describe(name: str, file: str, members: dict[str, bytes]) -> Source:
    described = tuple(
        Member(member, len(content), hashlib.sha1(content).hexdigest())
        for member, content in members.items()
        if not member.endswith(("/", "_names.txt"))
    )
    return Source(name, f"a small {name}", (File(file, 0, members=described),))
