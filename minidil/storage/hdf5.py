"""Arrays in an HDF5 file, such as Keras writes for weights; by the library h5py."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minidil.errors import CheckpointError
from minidil.storage.archives import Tensors


@contextmanager
def hdf5(path: str | os.PathLike[str]) -> Iterator[Tensors]:
    """The data sets of a file by their paths in it; they are read inside the block.

    Raises: CheckpointError if h5py is missing, or the file is no HDF5, damaged, or refers to others; OSError if there is none.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError:
        raise CheckpointError(
            f'{path}: reading HDF5 needs the library h5py; install it with `pip install "minidil[weights]"`'
        ) from None
    with path.open("rb"):  # so that a file that is missing or closed to us is told as any other one
        pass
    try:
        with h5py.File(path, "r") as file:
            found: dict[str, Any] = {}

            def note(name: str, node: Any) -> None:
                if isinstance(node, h5py.Dataset):
                    # Links to other files are not followed by visititems; a data set whose numbers lie elsewhere is refused.
                    if node.external or node.is_virtual or node.dtype.kind not in "biufc":
                        raise CheckpointError(f"{path}: {name} is no array of numbers that lie in this file")
                    found[name] = node

            file.visititems(note)
            yield Tensors({name: tuple(node.shape) for name, node in found.items()}, lambda name: found[name][...])
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged, cut short, or no HDF5: {reason}"
        ) from error
