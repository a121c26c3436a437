"""Image files as a viewer shows them: whatever Pillow opens comes out as 8-bit grey or RGB, or is refused by name.

The one reader behind `data.folder` and `minidil predict`, so that a network sees in use what it saw in training.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minidil.data.dataset import Images
from minidil.errors import DataError

# Pillow's modes that have one meaning on a screen; I;16 (16-bit grey) is added by _eight_bits.
_SHOWN = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV")
_LINE = 18  # pixels of a caption's line
_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
_KEY_UNITS = {"L;2": 85, "L;4": 17}  # Pillow spreads 2 and 4 bits over 0..255, but not the grey that means transparent


def opened(path: Path) -> tuple[Any, list[str]]:
    """The picture in the file: a PIL image in mode L (grey) or RGB, and in words what had to be done for that.

    Grey of 16 bits is scaled to 8 (65,535 is white), what is transparent lies on white, palettes are looked up, a
    camera's rotation mark is applied, and of an animation or a file of several pages the first picture counts.
    Raises: DataError, naming the file, if Pillow is missing, cannot read it, or gives numbers without a white (32-bit
        integers, floats) or colours that need a profile (LAB). OSError if there is no such file.
    """
    pillow = require_pillow()
    path.stat()  # that there is no such file is another error than that it is no image
    changes: list[str] = []
    try:
        # As a stream: by its path Pillow 13 maps a plain TIFF into memory, and takes the rows of one that is marked as
        # lying on its side for columns.
        with path.open("rb") as stream, pillow.Image.open(stream) as file:
            if getattr(file, "n_frames", 1) > 1:
                changes.append(f"the first of {file.n_frames} pictures")
            key = _transparent_colour(file)
            white, darkest_is_white = _range_of_grey(file)
            image = pillow.ImageOps.exif_transpose(file)
            image.load()
        if key is not None:
            image.info["transparency"] = key
        if white is not None:
            image = _eight_bits(pillow, image, white, darkest_is_white)
            changes.append(f"scaled from {white.bit_length()} to 8 bits")
        if image.mode in _SHOWN:
            shown, on_white = _flat(pillow, image)
            return shown, changes + ["laid on white"] * on_white
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes them stumble over
        raise DataError(f"{path} cannot be read as an image: {_reason(error)}") from error
    raise DataError(
        f"{path} is of Pillow's mode {image.mode}, which does not say what is white; "
        "save it with 8 bits a channel (L, RGB or RGBA) or as 16-bit grey"
    )


def numbers(path: Path) -> Any:
    """The numbers in the file of a mask: a PIL image in mode L, grey levels or numbers of a palette as they are.

    A camera's rotation mark is applied, as `opened` does. Black and white is 0 and 255, RGB with three equal channels is grey.
    Raises: DataError, naming the file, if Pillow is missing or cannot read it, it is in colour or transparent, or a number is
        above 255. OSError if there is no such file.
    """
    pillow = require_pillow()
    path.stat()
    try:
        with path.open("rb") as stream, pillow.Image.open(stream) as file:
            image = pillow.ImageOps.exif_transpose(file)
            image.load()
    except Exception as error:  # as in `opened`
        raise DataError(f"{path} cannot be read as an image: {_reason(error)}") from error
    values = np.asarray(image if image.mode != "1" else image.convert("L"))
    if values.ndim == 3 and image.mode == "RGB" and (values == values[:, :, :1]).all():
        values = values[:, :, 0]
    if values.ndim != 2 or values.dtype.kind not in "iu":
        raise DataError(
            f"{path} is no mask: it is of Pillow's mode {image.mode}, and a mask has one number for each pixel; save it in grey "
            "(L) or with a palette (P)"
        )
    if not 0 <= values.min() <= values.max() <= 255:
        raise DataError(
            f"{path} is no mask: it holds the numbers {values.min()}..{values.max()}, and classes are 0..255"
        )
    return pillow.Image.fromarray(values.astype(np.uint8))


def fitted(image: Any, height: int, width: int, *, nearest: bool = False) -> Any:
    """The PIL image scaled to fill height x width, cut evenly at both ends.

    nearest: take the nearest pixel, as numbers want it that cannot be mixed; else bilinear, smoothed where it shrinks.
    """
    pillow = require_pillow()
    filters = pillow.Image.Resampling
    return pillow.ImageOps.fit(image, (width, height), method=filters.NEAREST if nearest else filters.BILINEAR)


def inverted(image: Any) -> Any:
    """The PIL image with dark and bright swapped."""
    return require_pillow().ImageOps.invert(image)


def captioned(image: Any, text: str) -> Any:
    """The PIL image with a white line above it, and the text on that in black."""
    pillow = require_pillow()
    canvas = pillow.Image.new("L", (image.width, image.height + _LINE), 255).convert(image.mode)
    canvas.paste(image, (0, _LINE))
    pillow.ImageDraw.Draw(canvas).text((4, 3), text, fill=0 if image.mode == "L" else (0, 0, 0))
    return canvas


def image_of(pixels: Images) -> Any:
    """The PIL image of pixels (1 or 3, H, W): what `pixels` makes of it again."""
    return require_pillow().Image.fromarray(
        pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))
    )


def pixels(image: Any) -> Images:
    """A PIL image of mode L or RGB as uint8 (C, H, W), C being 1 or 3."""
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return " ".join(reason.split())


def _flat(pillow: ModuleType, image: Any) -> tuple[Any, bool]:
    """The image as L or RGB, what is transparent laid on white; and whether anything was."""
    grey = image.mode in ("1", "L", "LA")
    on_white = False
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        on_white = rgba.getextrema()[3][0] < 255
        image = pillow.Image.alpha_composite(pillow.Image.new("RGBA", rgba.size, "white"), rgba)
    # First to RGB: what was grey has three equal channels there, and L is their weighted sum, exactly that grey.
    return (image if image.mode in ("1", "L") else image.convert("RGB")).convert("L" if grey else "RGB"), on_white


def _range_of_grey(file: Any) -> tuple[int | None, bool]:
    """For grey of more than 8 bits the number of white (before a swap), and whether dark and bright are swapped."""
    # Pillow gives 16-bit PNG (before version 11) and PGM, its samples scaled to 16 bits, as 32-bit integers.
    if file.mode not in _SIXTEEN and not (file.mode == "I" and file.format in ("PNG", "PPM")):
        return None, False
    if file.format != "TIFF":
        return 65535, False
    bits = int(np.ravel(file.tag_v2.get(258, 16))[0])
    return 2**bits - 1, file.tag_v2.get(262) == 0


def _eight_bits(pillow: ModuleType, image: Any, white: int, darkest_is_white: bool) -> Any:
    """Grey 0..white as mode L, or LA where one value means transparent, to the nearest of 0..255."""
    grey = np.asarray(image).astype(np.int64)
    scaled = ((grey * 255 + white // 2) // white).clip(0, 255).astype(np.uint8)
    result = pillow.Image.fromarray(255 - scaled if darkest_is_white else scaled)
    key = image.info.get("transparency")
    if key is not None:
        result.putalpha(pillow.Image.fromarray(np.where(grey == key, 0, 255).astype(np.uint8)))
    return result


def _transparent_colour(file: Any) -> Any:
    """The colour that means transparent, in the units that Pillow gives the pixels in; None if it is already so."""
    key, raw = file.info.get("transparency"), str(file.tile[0][3]) if getattr(file, "tile", None) else ""
    if isinstance(key, int) and raw in _KEY_UNITS:
        return key * _KEY_UNITS[raw]
    if isinstance(key, tuple) and raw == "RGB;16B":  # of whose samples Pillow keeps the upper byte
        return tuple(value >> 8 for value in key)
    return None


def require_pillow() -> ModuleType:
    """Pillow. Raises: DataError, which says what to install, if it is missing."""
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageOps
    except ImportError as error:
        raise DataError("reading image files needs Pillow; pip install 'minidil[images]'") from error
    return PIL
