"""WAV files, as recorders and other programs write them: with chunks that nobody asked for, cut off, or without sizes.

Read by hand because no library at hand reads them all. Python's `wave` knows no floating-point numbers, and in 3.11 no extensible
header; SciPy's reader (1.17) fails where the size of the data is 0, where the last sample is cut off, and behind a chunk of odd
size that lacks its last byte. SciPy is what the tests compare with where both read a file.
"""

import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minidil.data.dataset import Floats
from minidil.errors import DataError

_WHOLE, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # formats by their numbers
_OTHERS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "ADPCM", 0x31: "GSM", 0x55: "MP3"}
_UNKNOWN = (0, 0xFFFFFFFF)  # sizes that a program writes which does not know how much will follow


class _Format(NamedTuple):
    kind: int
    channels: int
    rate: int
    width: int  # bytes of a sample


def read_wav(path: str | Path) -> tuple[Floats, int]:
    """The samples of a WAV file, float32 (n, channels), and their rate in samples a second.

    Whole numbers of 8, 16, 24 and 32 bits run from -1 to 1, the largest being just below; floating-point ones, of 32 and 64 bits,
    are taken as they are. Other chunks are passed over. Where the size of the data is 0, unknown, or more than the file holds,
    the data is what there is to the end of the file; what is left of a last sample that was cut off is dropped.
    Raises: DataError, naming the file, if it is no WAV file, is compressed, has no samples, or one that is not finite.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError(f"{path} is no WAV file: it begins with {content[:12]!r} and not with RIFF....WAVE")
    chunks = _chunks(content)
    for name in (b"fmt ", b"data"):
        if name not in chunks:
            raise DataError(f"{path} is no whole WAV file: it has no chunk {name.decode()!r}")
    form = _format(path, chunks[b"fmt "])
    samples = _samples(chunks[b"data"], form)
    if not len(samples):
        raise DataError(f"{path} holds no sample")
    wrong = np.argwhere(~np.isfinite(samples))
    if wrong.size:
        at = tuple(wrong[0])
        raise DataError(f"{path}: sample {at[0]} of channel {at[1]} is {samples[at]}, and sounds are finite")
    return samples, form.rate


def _chunks(content: bytes) -> dict[bytes, bytes]:
    """The first chunk of every name; the last one reaches to the end of the file if its size is unknown or too large."""
    found: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(content):
        name, (size,) = content[at : at + 4], struct.unpack_from("<I", content, at + 4)
        at += 8
        if name == b"data" and size in _UNKNOWN and not _begins_a_chunk(content, at):
            size = len(content) - at
        found.setdefault(name, content[at : at + size])
        at += size
        # A chunk of odd size is followed by a byte that counts for nothing, which some programs leave out.
        if size % 2 and not (_begins_a_chunk(content, at) and not _begins_a_chunk(content, at + 1)):
            at += 1
    return found


def _begins_a_chunk(content: bytes, at: int) -> bool:
    """Whether a name of printable letters and a size that the file can hold stand here."""
    if at + 8 > len(content):
        return False
    name, (size,) = content[at : at + 4], struct.unpack_from("<I", content, at + 4)
    return all(32 <= letter < 127 for letter in name) and at + 8 + size <= len(content)


def _format(path: Path, chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise DataError(f"{path}: its chunk 'fmt ' has {len(chunk)} bytes, and needs 16")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == _EXTENSIBLE and len(chunk) >= 26:
        (kind,) = struct.unpack_from("<H", chunk, 24)  # the first number of what names the format at length
    if kind not in (_WHOLE, _FLOAT):
        known = f" ({_OTHERS[kind]})" if kind in _OTHERS else ""
        raise DataError(f"{path} is of format {kind:#x}{known}; save it as PCM, of 16 bits for instance")
    width = block // channels if channels else 0
    if not channels or not rate or block != width * channels or bits > 8 * width:
        raise DataError(
            f"{path}: {channels} channels of {bits} bits in {block} bytes, {rate} times a second, is no format of sound"
        )
    if width not in ((1, 2, 3, 4) if kind == _WHOLE else (4, 8)):
        raise DataError(
            f"{path}: {'whole' if kind == _WHOLE else 'floating-point'} numbers of {8 * width} bits are not known"
        )
    return _Format(kind, channels, rate, width)


def _samples(data: bytes, form: _Format) -> Floats:
    """float32 (n, channels), of as many whole samples as there are."""
    size = form.width * form.channels
    raw = np.frombuffer(data, np.uint8)[: len(data) // size * size].reshape(-1, form.channels, form.width)
    numbers: npt.NDArray[Any]
    if form.kind == _FLOAT:
        numbers = raw.view(f"<f{form.width}")
    elif form.width == 1:  # these alone have no sign
        numbers = (raw.astype(np.int16) - 128) / 128
    else:
        # In the upper bytes of 32 bits every width runs over the whole range.
        wide = np.zeros((*raw.shape[:2], 4), np.uint8)
        wide[..., 4 - form.width :] = raw
        numbers = wide.view("<i4") / 2.0**31
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as that
        return numbers.reshape(-1, form.channels).astype(np.float32)
