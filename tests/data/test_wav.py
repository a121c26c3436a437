"""WAV files of every kind, put together byte by byte; SciPy says what is in them where it reads them."""

import builtins
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from minidil.data import read_wav, sound_folder, wave_of
from minidil.errors import DataError, OptionError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def chunk(name: bytes, content: bytes, size: int | None = None, padded: bool = True) -> bytes:
    return (
        name + struct.pack("<I", len(content) if size is None else size) + content + b"\0" * (len(content) % 2 * padded)
    )


def form(bits: int, channels: int = 1, rate: int = 8000, kind: int = PCM, extensible: bool = False) -> bytes:
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", EXTENSIBLE if extensible else kind, channels, rate, rate * block, block, bits)
    guid = struct.pack("<H", kind) + bytes.fromhex("000000001000800000aa00389b71")
    return chunk(b"fmt ", head + (struct.pack("<HHI", 22, bits, 0) + guid if extensible else b""))


def wav(*chunks: bytes) -> bytes:
    content = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def read(tmp_path: Path, content: bytes) -> np.ndarray:
    (tmp_path / "a.wav").write_bytes(content)
    return read_wav(tmp_path / "a.wav")[0]


def packed(values: list[int], width: int) -> bytes:
    """Whole numbers of `width` bytes; those of one byte have no sign."""
    return b"".join((value + 128 * (width == 1)).to_bytes(width, "little", signed=width > 1) for value in values)


@given(st.sampled_from([1, 2, 3, 4]), st.integers(1, 3), st.booleans(), st.data())
def test_whole_numbers_of_every_width(
    tmp_path: Path, width: int, channels: int, extensible: bool, data: st.DataObject
) -> None:
    top = 2 ** (8 * width - 1)
    values = data.draw(st.lists(st.integers(-top, top - 1), min_size=channels, max_size=5 * channels))
    values = values[: len(values) // channels * channels]
    content = wav(form(8 * width, channels, extensible=extensible), chunk(b"data", packed(values, width)))
    expected = (np.array(values).reshape(-1, channels) / top).astype(np.float32)
    np.testing.assert_array_equal(read(tmp_path, content), expected, strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_what_scipy_writes_and_reads(tmp_path: Path, dtype: type) -> None:
    rng, file = np.random.default_rng(0), tmp_path / "a.wav"
    whole = np.dtype(dtype).kind in "iu"
    samples = rng.integers(0, 200, (50, 2)).astype(dtype) if whole else rng.uniform(-2, 2, (50, 2)).astype(dtype)
    wavfile.write(file, 44100, samples)
    rate, theirs = wavfile.read(file)
    scaled = {
        "u": lambda x: (x.astype(float) - 128) / 128,
        "i": lambda x: x / -float(np.iinfo(dtype).min),
        "f": lambda x: x,
    }
    ours, own_rate = read_wav(file)
    assert own_rate == rate == 44100
    np.testing.assert_array_equal(ours, scaled[np.dtype(dtype).kind](theirs).astype(np.float32), strict=True)


SOUND = packed([1000, -2000, 3000], 2)
HEARD = np.array([[1000], [-2000], [3000]], np.float32) / 32768
JUNK, LIST = chunk(b"JUNK", b"\0" * 28), chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0")


@pytest.mark.parametrize(
    "content",
    [
        wav(JUNK, form(16), LIST, chunk(b"data", SOUND), LIST),
        wav(form(16), chunk(b"odd ", b"123"), chunk(b"data", SOUND)),
        wav(form(16), chunk(b"odd ", b"123", padded=False), chunk(b"data", SOUND)),
        wav(form(16), chunk(b"data", SOUND, size=0)),
        wav(form(16), chunk(b"data", SOUND, size=0xFFFFFFFF)),
        wav(form(16), chunk(b"data", SOUND, size=1000)),
        wav(form(16), chunk(b"data", SOUND + b"\x07", padded=False)),
        wav(form(16), chunk(b"data", SOUND), b"LIST\xff"),
        b"RIFF\0\0\0\0" + wav(form(16), chunk(b"data", SOUND))[8:],
        wav(form(16), chunk(b"data", SOUND), chunk(b"data", b"another")),
    ],
    ids=["junk", "odd", "unpadded", "size-0", "unknown", "larger", "cut-sample", "cut-chunk", "riff-0", "second"],
)
def test_other_chunks_odd_sizes_and_sizes_that_are_wrong(tmp_path: Path, content: bytes) -> None:
    np.testing.assert_array_equal(read(tmp_path, content), HEARD, strict=True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no WAV file: it begins with b''"),
        (b"RIFX" + wav(form(16))[4:], "is no WAV file: it begins with b'RIFX"),
        (wav(form(16)), "is no whole WAV file: it has no chunk 'data'"),
        (wav(chunk(b"data", SOUND)), "is no whole WAV file: it has no chunk 'fmt '"),
        (wav(chunk(b"fmt ", b"\1\0"), chunk(b"data", SOUND)), "its chunk 'fmt ' has 2 bytes, and needs 16"),
        (wav(form(8, kind=7), chunk(b"data", SOUND)), r"is of format 0x7 \(mu-law\); save it as PCM"),
        (wav(form(16, channels=0), chunk(b"data", SOUND)), "0 channels of 16 bits in 0 bytes"),
        (wav(form(40), chunk(b"data", SOUND)), "whole numbers of 40 bits are not known"),
        (wav(form(16, kind=FLOAT), chunk(b"data", SOUND)), "floating-point numbers of 16 bits are not known"),
        (wav(form(16), chunk(b"data", b""), LIST), "holds no sample"),
        (wav(form(16), chunk(b"data", b"\1", padded=False)), "holds no sample"),
        (
            wav(form(32, 2, kind=FLOAT), chunk(b"data", struct.pack("<4f", 0, 1, 0, np.nan))),
            "sample 1 of channel 1 is nan",
        ),
        (wav(form(64, kind=FLOAT), chunk(b"data", struct.pack("<d", 1e300))), "sample 0 of channel 0 is inf"),
    ],
)
def test_what_is_no_sound_is_refused_by_the_name_of_its_file(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=rf"a\.wav:? {told}"):
        read(tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.wav cannot be read: No such file"):
        read_wav(tmp_path / "b.wav")


def write(file: Path, rate: int, samples: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    wavfile.write(stream, rate, samples)
    file.write_bytes(stream.getvalue())


def test_a_folder_is_mixed_down_and_brought_to_one_rate(tmp_path: Path) -> None:
    from scipy.signal import resample_poly  # takes a second, so that collecting the tests does not import it

    rng = np.random.default_rng(0)
    stereo, silent = rng.uniform(-0.5, 0.5, (4410, 2)).astype(np.float32), np.zeros(80, np.int16)
    write(tmp_path / "yes" / "b.WAV", 44100, stereo)
    write(tmp_path / "no" / "a.wav", 8000, silent)
    (tmp_path / "no" / "notes.txt").write_text("no sound")
    clips = sound_folder(tmp_path)
    assert (clips.classes, clips.labels.tolist(), clips.rate) == (("no", "yes"), [0, 1], 8000)
    np.testing.assert_array_equal(clips.waves[0], np.zeros(80, np.float32), strict=True)
    np.testing.assert_allclose(clips.waves[1], resample_poly(stereo.mean(axis=1), 80, 441), atol=1e-7)
    assert sound_folder(tmp_path, classes=("yes",)).labels.tolist() == [0]


def test_a_tone_keeps_its_pitch_and_what_the_new_rate_cannot_hold_is_left_out(tmp_path: Path) -> None:
    t = np.arange(44100) / 44100
    write(
        tmp_path / "a.wav",
        44100,
        np.stack([np.sin(2 * np.pi * f * t) for f in (1000, 9000)], axis=1).astype(np.float32),
    )
    spectrum = np.abs(np.fft.rfft(wave_of(tmp_path / "a.wav"))) / 4000
    assert spectrum.argmax() == 1000  # one second: bins of 1 Hz
    assert spectrum[1000] == pytest.approx(0.5, abs=0.01)
    assert np.delete(spectrum, range(990, 1011)).max() < 0.01


def test_folders_and_rates_that_give_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"has no sub-folders; put the sounds of each class into one of its own"):
        sound_folder(tmp_path)
    (tmp_path / "no").mkdir()
    with pytest.raises(DataError, match=r"no holds no sound \(\.wav, \.wave\)"):
        sound_folder(tmp_path)
    with pytest.raises(DataError, match="sound_folder: classes names no class"):
        sound_folder(tmp_path, classes=())
    write(tmp_path / "no" / "a.wav", 16000, np.ones(9, np.int16))
    with pytest.raises(OptionError, match="rate must be at least 1, got 0"):
        wave_of(tmp_path / "no" / "a.wav", 0)
    imported = builtins.__import__

    def without_scipy(name: str, *args: object, **options: object) -> object:
        if name.startswith("scipy"):
            raise ImportError(name)
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without_scipy)
    with pytest.raises(DataError, match=r"a\.wav has 16000 samples a second and 8000 are wanted, .* minidil\[sound\]"):
        sound_folder(tmp_path)
    assert len(wave_of(tmp_path / "no" / "a.wav", 16000)) == 9
