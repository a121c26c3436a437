"""A folder of clips by class, each a folder of its frames. Needs Pillow (`pip install minidil[images]`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minidil.data import pictures
from minidil.data.clip_set import Clips
from minidil.data.dataset import Floats, Images
from minidil.data.folder import folders, image_files
from minidil.errors import DataError, OptionError


def clip_folder(
    path: str | Path,
    size: int | tuple[int, int] | None = None,
    frames: int | None = None,
    classes: Sequence[str] | None = None,
) -> Clips:
    """Read path/<class>/<clip>/<frame>, classes, clips and frames in the order of their names: Clips in RGB.

    Number the frames with leading zeros, 001.png. Images are read as by `data.folder`: a clip of grey frames gets three equal
    channels.

    Args:
        size: (H, W), or one number for both, to which every frame is scaled, as for `data.folder`. None: leave them; all must
            then have one size.
        frames: so many of each clip, evenly spread from its first to its last. None: all; clips must then have one length.
        classes: the sub-folders to read, in the order of their labels. None: all of them, sorted by name.
    Raises: OptionError for a size below 1 or frames below 2; DataError, naming the file or folder, if one is missing or empty, a
        clip has one frame or fewer than are wanted, frames in grey are among frames in colour, an image cannot be read, or
        lengths or sizes differ; DataError if Pillow is not installed.
    """
    path = Path(path)
    target = (size, size) if isinstance(size, int) else size
    if (target is not None and min(target) < 1) or (frames is not None and frames < 2):
        raise OptionError(f"clip_folder: size must be at least 1 and frames at least 2, got {size} and {frames}")
    names = folders(path, "clip_folder", "the clips of each class") if classes is None else tuple(classes)
    if not names:
        raise DataError("clip_folder: classes names no class")
    found = [
        (path / name / clip, label)
        for label, name in enumerate(names)
        for clip in folders(path / name, "clip_folder", "the frames of each clip")
    ]
    read = list[Images]()
    for file, _ in found:
        clip = read_clip(file, target, frames)
        if read and clip.shape != read[0].shape:
            raise DataError(
                f"clip_folder: {file} has {_measure(clip)} but {found[0][0]} {_measure(read[0])}; give frames and a size that "
                f"all are to have, frames={clip.shape[1]} and size={clip.shape[2:]} for instance"
            )
        read.append(clip)

    def draw(at: int) -> Floats:
        return np.divide(read[at], 255, dtype=np.float32)

    _, length, height, width = read[0].shape
    return Clips(path.name, np.array([label for _, label in found], np.int64), names, (3, length, height, width), draw)


def read_clip(path: Path, size: tuple[int, int] | None = None, frames: int | None = None, grey: bool = False) -> Images:
    """The clip whose frames are the images in a folder, uint8 (3, T, H, W), or (1, T, H, W) in grey.

    Raises: DataError as `clip_folder` does.
    """
    files = image_files(path)
    if len(files) < max(frames or 2, 2):
        wanted = "a clip has at least two" if frames is None else f"{frames} are wanted of every clip"
        raise DataError(f"clip_folder: {path} holds {len(files)} image{'s' if len(files) > 1 else ''}, and {wanted}")
    if frames is not None:
        files = [files[round(at * (len(files) - 1) / (frames - 1))] for at in range(frames)]
    images = [pictures.opened(file)[0] for file in files]
    for file, image in zip(files, images, strict=True):
        if image.mode != images[0].mode:
            kinds = {"L": "grey", "RGB": "in colour"}
            raise DataError(
                f"clip_folder: {file} is {kinds[image.mode]} but {files[0]} {kinds[images[0].mode]}; save the frames of a clip "
                "alike"
            )
        if size is None and image.size != images[0].size:
            raise DataError(
                f"clip_folder: {file} is {image.height}x{image.width} but {files[0]} is {images[0].height}x{images[0].width} "
                "pixels high and wide; the frames of a clip have one size, or give a size to scale all to"
            )
    fitted = [image if size is None else pictures.fitted(image, *size) for image in images]
    return np.stack([pictures.pixels(image.convert("L" if grey else "RGB")) for image in fitted], axis=1)


def write_clip(clip: Floats, path: str | Path) -> None:
    """Write the frames of a clip (C, T, H, W), C being 1 or 3 and white 1, as 000.png, 001.png, ... into a new folder."""
    Path(path).mkdir(parents=True)
    for number, frame in enumerate(np.rint(clip.clip(0, 1) * 255).astype(np.uint8).swapaxes(0, 1)):
        pictures.image_of(frame).save(Path(path) / f"{number:03}.png")


def _measure(clip: Images) -> str:
    return f"{clip.shape[1]} frames of {clip.shape[2]}x{clip.shape[3]} pixels"
