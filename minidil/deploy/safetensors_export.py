"""Weights as a `.safetensors` file, which PyTorch reads by the same names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from minidil.errors import OptionError
from minidil.nn import Module
from minidil.storage import states


def save_safetensors(model: Module, path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None) -> None:
    """Write the state dict of a model: every parameter and buffer, under PyTorch's and torchvision's names.

    `models.load_weights(model, path)` reads it, and so does PyTorch: `model.load_state_dict(safetensors.torch.load_file(path))`.
    metadata: words by words, kept in the file's head.
    Raises: OptionError if `path` ends in anything but .safetensors, the library safetensors is not installed, or metadata holds
        anything but words; StorageError if the disk does not take the file, when none is left there.
    """
    words = dict(metadata or {})
    if not all(isinstance(word, str) for pair in words.items() for word in pair):
        raise OptionError(f"save_safetensors: metadata holds words by words, not {words!r}")
    states.write_safetensors(path, model.state_dict(), words)
