"""Cut a thumbnail out of every chapter: `python chapters/thumbnails.py` takes the figure tagged "thumbnail", else the first."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image

HERE = Path(__file__).parent
SIZE = (320, 200)  # pixels


def figure(path: Path) -> bytes:
    """The PNG of the chapter's figure."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    tagged = [cell for cell in cells if "thumbnail" in cell.metadata.get("tags", [])]
    for cell in tagged + cells:
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                return base64.b64decode(output.data["image/png"])
    raise LookupError(f"{path.name} has no figure")


def main() -> None:
    """Write thumbnails/NN_name.png for every chapter."""
    folder = HERE / "thumbnails"
    folder.mkdir(exist_ok=True)
    for path in sorted(HERE.glob("*.ipynb")):
        picture = Image.open(io.BytesIO(figure(path))).convert("RGB")
        picture.thumbnail(SIZE, Image.Resampling.LANCZOS)
        picture.save(folder / f"{path.stem}.png", optimize=True)


if __name__ == "__main__":
    main()
