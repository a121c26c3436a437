"""Cell nuclei under the microscope, the images of the 2018 Data Science Bowl. Their card is datasets/nuclei.md."""

import io
from pathlib import Path

import numpy as np

from minidil.data import archive, cache, registry
from minidil.data.dataset import check_split
from minidil.data.masked import MaskedDataset

KINDS = ("fluorescence", "bright field", "stained tissue")


def nuclei(split: str, root: str | Path | None = None) -> MaskedDataset:
    """Nuclei of cells: 532 images for "train" and 132 for "test", uint8 (N, 3, 128, 128), RGB, each pixel a class.

    Masks hold 0, background, and 1, nucleus; instances number the nuclei of an image, 1..125, with gaps. The kinds are
    fluorescence on dark ground (433 and 108 images), grey bright field (13 and 3) and stained tissue in colour (86 and 21). About
    0.15 of the pixels are nucleus, and 4 and 1 images have none.

    Looks for nuclei128.npz below `root` (default: `data.root()`), which must be the one of the card to the byte.

    Source: Caicedo et al. 2019, Nature Methods 16, 1247-1253, doi:10.1038/s41592-019-0612-7; BBBC038v1, Broad Bioimage Benchmark
        Collection, CC0. The split is ours, the same share of every kind; images of one slide may be in both parts.
    Raises: OptionError for another split; DataError for a file that is missing or damaged.
    """
    check_split(split, "nuclei")
    path = cache.get("nuclei", root)[0]
    content = archive.read_packed(path, registry.NUCLEI.files[0])
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:  # nothing to catch: the bytes are the right ones
        images, masks, kinds, instances = (
            arrays[f"{split}_{name}"] for name in ("images", "masks", "kind", "instances")
        )
    return MaskedDataset("nuclei", images, masks, ("background", "nucleus"), kinds.astype(np.int64), KINDS, instances)
