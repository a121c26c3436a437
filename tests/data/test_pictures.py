"""Every kind of picture that Pillow opens, as a viewer shows it, or refused by name."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from minidil.cli.images import read_image
from minidil.data import folder
from minidil.data.pictures import opened, pixels
from minidil.errors import DataError

RAMP = np.arange(0, 256, 5, dtype=np.uint8)[:50].reshape(5, 10)
COLOURS = np.random.default_rng(0).integers(0, 256, size=(5, 10, 3), dtype=np.uint8)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def grey_of(path: Path) -> np.ndarray:
    """The picture as a model of one channel gets it, (H, W)."""
    image = opened(path)[0]
    return read_image(path, (1, image.height, image.width))[0][0]


def both(path: Path) -> np.ndarray:
    """The picture in RGB, (H, W, 3), of which `folder` and `predict` make the same."""
    image = opened(path)[0]
    used, _ = read_image(path, (3, image.height, image.width))
    root = path.parent / f"set of {path.name}"
    (root / "class").mkdir(parents=True)
    (root / "class" / path.name).write_bytes(path.read_bytes())
    (learnt,) = folder(root).images
    np.testing.assert_array_equal(learnt, used, strict=True)
    return used.transpose(1, 2, 0)


def png(depth: int, colour: int, width: int, row: bytes, transparent: bytes = b"") -> bytes:
    """A PNG of one row, written by hand: Pillow does not write all of its kinds."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, colour, 0, 0, 0))
    key = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + key + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_is_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 128, 129, 1000, 32768, 65406, 65407, 65535]], dtype=np.uint16)
    path = saved(tmp_path / f"deep.{suffix}", Image.fromarray(deep))
    expected = np.array([[0, 0, 1, 4, 128, 254, 255, 255]], dtype=np.uint8)  # value / 257 to the nearest
    np.testing.assert_array_equal(grey_of(path), expected)
    np.testing.assert_array_equal(both(path), np.stack([expected] * 3, axis=-1))
    assert opened(path)[1] == ["scaled from 16 to 8 bits"]


def test_big_endian_tiff_and_pgm_of_16_bits(tmp_path: Path) -> None:
    deep = np.array([[0, 257, 65535]], dtype=">u2")
    big = saved(tmp_path / "big.tif", Image.frombytes("I;16B", (3, 1), deep.tobytes()))
    (tmp_path / "deep.ppm").write_bytes(b"P5 3 1 65535 " + deep.tobytes())
    (tmp_path / "ten.ppm").write_bytes(b"P5 2 1 1023 " + np.array([0, 1023], dtype=">u2").tobytes())
    assert grey_of(big).tolist() == grey_of(tmp_path / "deep.ppm").tolist() == [[0, 1, 255]]
    assert grey_of(tmp_path / "ten.ppm").tolist() == [[0, 255]]


def tiff(bits: int, photometric: int, content: bytes, width: int) -> bytes:
    """A little-endian TIFF of one row of grey."""
    tags = [(256, width), (257, 1), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1), (278, 1)]
    tags += [(279, len(content))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    offset = 8 + len(content)
    return b"II*\0" + struct.pack("<I", offset) + content + struct.pack("<H", len(tags)) + entries + bytes(4)


def palette_tiff(content: bytes, palette: np.ndarray) -> bytes:
    """A little-endian TIFF of one row of (index, alpha), with 256 colours, uint16 (3, 256)."""
    colours = palette.astype("<u2").tobytes()
    start = 8 + len(content)
    tags = [(256, 4, 1, len(content) // 2), (257, 4, 1, 1), (258, 3, 2, 8 | 8 << 16), (259, 4, 1, 1), (262, 4, 1, 3)]
    tags += [(273, 4, 1, 8), (277, 4, 1, 2), (278, 4, 1, 1), (279, 4, 1, len(content)), (320, 3, 768, start)]
    tags += [(338, 3, 1, 2)]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", start + len(colours))
    return head + content + colours + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_tiff_of_12_bits_and_with_white_as_0(tmp_path: Path) -> None:
    (tmp_path / "twelve.tif").write_bytes(tiff(12, 1, bytes([0x00, 0x0F, 0xFF]), 2))  # 0 and 4095
    assert grey_of(tmp_path / "twelve.tif").tolist() == [[0, 255]]
    assert opened(tmp_path / "twelve.tif")[1] == ["scaled from 12 to 8 bits"]
    (tmp_path / "swapped.tif").write_bytes(tiff(16, 0, np.array([0, 257, 65535], dtype="<u2").tobytes(), 3))
    assert grey_of(tmp_path / "swapped.tif").tolist() == [[255, 254, 0]]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_numbers_without_a_white_are_refused(tmp_path: Path, mode: str) -> None:
    path = saved(tmp_path / "numbers.tif", Image.new(mode, (4, 4), 1))
    with pytest.raises(DataError, match=rf"numbers\.tif is of Pillow's mode {mode}, which .* save it with 8 bits"):
        opened(path)
    (tmp_path / "set" / "class").mkdir(parents=True)
    path.rename(tmp_path / "set" / "class" / path.name)
    with pytest.raises(DataError, match=rf"numbers\.tif is of Pillow's mode {mode}"):
        folder(tmp_path / "set")


def test_colours_that_need_a_profile_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "lab.tif", Image.new("LAB", (4, 4)))
    with pytest.raises(DataError, match=r"lab\.tif is of Pillow's mode LAB"):
        opened(path)


def test_a_palette_is_looked_up(tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS).quantize(8)
    np.testing.assert_array_equal(both(saved(tmp_path / "p.png", image)), np.asarray(image.convert("RGB")))


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP > 100)
    for suffix in ("png", "bmp", "tif"):
        path = saved(tmp_path / f"1.{suffix}", image)
        np.testing.assert_array_equal(grey_of(path), np.where(RAMP > 100, 255, 0))
        np.testing.assert_array_equal(both(path)[:, :, 2], np.where(RAMP > 100, 255, 0))


def drawn_on_nothing() -> Image.Image:
    """A black stroke on a ground of transparent black, as drawing programs save it."""
    canvas = np.zeros((6, 8, 4), dtype=np.uint8)
    canvas[2:4, 1:7, 3] = 255
    return Image.fromarray(canvas)


STROKE = np.full((6, 8), 255, dtype=np.uint8)
STROKE[2:4, 1:7] = 0


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P with key", "P with alphas"])
def test_a_drawing_on_a_transparent_ground_is_no_black_square(tmp_path: Path, mode: str) -> None:
    drawing = drawn_on_nothing()
    options: dict[str, object] = {}
    if mode in ("RGBA", "LA"):
        drawing = drawing.convert(mode)
    else:
        drawing = Image.fromarray(np.where(STROKE == 0, 0, 1).astype(np.uint8))
        drawing.putpalette([0, 0, 0, 0, 0, 0])
        options["transparency"] = 1 if mode == "P with key" else b"\xff\x00"
    path = saved(tmp_path / "drawing.png", drawing, **options)
    assert opened(path)[1] == ["laid on white"]
    np.testing.assert_array_equal(grey_of(path), STROKE)
    np.testing.assert_array_equal(both(path), np.stack([STROKE] * 3, axis=-1))
    inverted, changes = read_image(path, (1, 6, 8), invert=True)
    np.testing.assert_array_equal(inverted[0], 255 - STROKE)
    assert changes[-1] == "inverted"


def test_a_palette_with_transparency_of_its_own(tmp_path: Path) -> None:
    palette = np.zeros((3, 256), dtype=np.uint16)
    palette[:, 7] = 200 * 257, 100 * 257, 0
    (tmp_path / "pa.tif").write_bytes(palette_tiff(bytes([0, 0, 0, 255, 7, 255, 7, 0]), palette))
    with Image.open(tmp_path / "pa.tif") as image:
        assert image.mode == "PA"
    assert both(tmp_path / "pa.tif").tolist() == [[[255] * 3, [0] * 3, [200, 100, 0], [255] * 3]]


def test_half_transparent_is_half_way_to_white(tmp_path: Path) -> None:
    pair = np.array([[[200, 100, 0, 128], [200, 100, 0, 255]]], dtype=np.uint8)
    seen = both(saved(tmp_path / "half.png", Image.fromarray(pair)))
    expected = 255 + (np.array([200, 100, 0]) - 255.0) * 128 / 255
    assert np.abs(seen[0, 0] - expected).max() <= 1
    assert seen[0, 1].tolist() == [200, 100, 0]
    assert opened(saved(tmp_path / "opaque.png", Image.fromarray(pair[:, 1:])))[1] == []


@pytest.mark.parametrize(
    ("depth", "row", "key", "expected"),
    [
        (1, b"\x40", b"\0\0", [255, 255]),  # black is the transparent one, white is white
        (2, b"\x10", b"\0\1", [0, 255]),
        (4, b"\x05", b"\0\5", [0, 255]),
        (8, b"\x07\x09", b"\0\x09", [7, 255]),
        (16, b"\x01\x01\x20\x00", b"\x20\x00", [1, 255]),
    ],
)
def test_one_grey_that_means_transparent(
    tmp_path: Path, depth: int, row: bytes, key: bytes, expected: list[int]
) -> None:
    path = tmp_path / "key.png"
    path.write_bytes(png(depth, 0, 2, row, key))
    assert grey_of(path).tolist() == [expected]
    assert both(path)[0, :, 0].tolist() == expected
    assert "laid on white" in opened(path)[1]


@pytest.mark.parametrize("depth", [8, 16])
def test_one_colour_that_means_transparent(tmp_path: Path, depth: int) -> None:
    wide = np.dtype(">u2" if depth == 16 else "u1")
    row = np.array([[9, 8, 7], [9, 8, 6]]) * (257 if depth == 16 else 1)
    key = row[0].astype(">u2").tobytes()
    (tmp_path / "key.png").write_bytes(png(depth, 2, 2, row.astype(wide).tobytes(), key))
    assert both(tmp_path / "key.png").tolist() == [[[255, 255, 255], [9, 8, 6]]]


def test_cmyk_and_ycbcr_become_rgb(tmp_path: Path) -> None:
    flat = Image.new("RGB", (16, 16), (200, 40, 90))
    for name, mode, options in (("a.tif", "CMYK", {}), ("b.jpg", "CMYK", {"quality": 100}), ("c.tif", "YCbCr", {})):
        seen = both(saved(tmp_path / name, flat.convert(mode), **options))
        assert np.abs(seen.astype(int) - [200, 40, 90]).max() <= 3, name


@pytest.mark.parametrize("mark", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16", "P"])
def test_a_cameras_rotation_mark_is_applied_once(tmp_path: Path, mark: int, mode: str) -> None:
    turn = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.T,
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].T,
        8: lambda a: np.rot90(a),
    }[mark]
    grey = Image.fromarray(RAMP.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RAMP).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = mark
    for suffix in ("png", "tif") if mode != "P" else ("png",):
        path = saved(tmp_path / f"turned.{suffix}", grey, exif=exif)
        np.testing.assert_array_equal(both(path)[:, :, 0], turn(RAMP))


def frames(count: int = 3) -> list[Image.Image]:
    return [Image.fromarray(np.full((4, 4, 3), 80 * index, dtype=np.uint8)) for index in range(count)]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_the_first_picture_of_an_animation_counts(tmp_path: Path, suffix: str) -> None:
    if suffix == "webp" and not features.check("webp"):
        pytest.skip("this Pillow has no WebP")
    options = {"lossless": True} if suffix == "webp" else {}
    first, *rest = frames()[::-1]
    path = saved(tmp_path / f"moving.{suffix}", first, save_all=True, append_images=rest, **options)
    assert (both(path) == 160).all()
    assert opened(path)[1] == ["the first of 3 pictures"]


def test_pixels_are_planes(tmp_path: Path) -> None:
    colours = pixels(opened(saved(tmp_path / "rgb.png", Image.fromarray(COLOURS)))[0])
    np.testing.assert_array_equal(colours, COLOURS.transpose(2, 0, 1), strict=True)
    grey = pixels(opened(saved(tmp_path / "l.png", Image.fromarray(RAMP)))[0])
    np.testing.assert_array_equal(grey, RAMP[None], strict=True)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for path in (tmp_path / "text.png", tmp_path):
        with pytest.raises(DataError, match=f"^{path} cannot be read as an image: [A-Za-z]"):
            opened(path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none.png")
