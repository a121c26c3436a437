"""Pictures: learning curves, grids of images, and where the taps of a dilated kernel fall.

Every function returns a matplotlib Figure made without pyplot, so that nothing is shown, kept alive or changed
globally; save it with `save`. Colours are those of Okabe and Ito 2008, "Color Universal Design", which people with
any kind of colour vision can tell apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from minidil.errors import OptionError, ShapeError
from minidil.kernels.geometry import Ints, Window, per_axis

Floats = npt.NDArray[np.float64]

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's eight, in the order in which lines take them; yellow is left for areas, being too faint for a line.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, BLACK, YELLOW = "#56B4E9", "#D55E00", "#000000", "#F0E442"

_STYLE: dict[str, Any] = {
    "axes.prop_cycle": (BLUE, ORANGE, GREEN, PINK, SKY, RED, BLACK),
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": "medium",
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # the font that comes with matplotlib: the same picture on every machine
    "font.size": 10,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "savefig.dpi": 150,
    "svg.hashsalt": "minidil",
}


def style() -> AbstractContextManager[None]:
    """The look of all pictures, as a context: `with viz.style(): ...` gives your own matplotlib figures the same one."""
    import matplotlib
    from cycler import cycler

    return matplotlib.rc_context(_STYLE | {"axes.prop_cycle": cycler(color=_STYLE["axes.prop_cycle"])})


def save(figure: Figure, path: str | Path) -> None:
    """Write the figure to `path`, in the format of its suffix: the same bytes for the same figure on any day.

    Raises: OptionError for a suffix that matplotlib cannot write.
    """
    suffix = Path(path).suffix.lower().lstrip(".")
    if suffix not in figure.canvas.get_supported_filetypes():
        raise OptionError(f"viz.save: {path} has no suffix that matplotlib can write; use .png, .svg or .pdf")
    # What would differ between two runs or two versions: the date, and the name of the program.
    undated = {"png": ("Software",), "svg": ("Date", "Creator"), "pdf": ("CreationDate", "Creator", "Producer")}
    with style():
        figure.savefig(path, metadata=dict.fromkeys(undated.get(suffix, ())) or None)


def curves(rows: Sequence[Mapping[str, float]], path: str | Path | None = None) -> Figure:
    """Loss and accuracy over the epochs, training and validation together, the best validation epoch marked.

    Other metrics have a panel each in place of accuracy; which of their values is best is not known here.
    Args:
        rows: one mapping an epoch, with epoch, train_loss, train_accuracy, val_loss and val_accuracy (0..1); NaN
            leaves a gap, and so does a key that is missing.
        path: where to save the figure too, if given.
    Raises: OptionError if there are no rows or a row has no epoch.
    """
    if not rows or any("epoch" not in row for row in rows):
        raise OptionError("viz.curves: needs at least one row, each with an 'epoch'")
    epochs = [row["epoch"] for row in rows]
    others = [name.removeprefix("train_") for name in rows[0] if name.startswith("train_") and name != "train_loss"]
    names = ["loss", *others]
    with style():
        figure = blank(4.5 * max(len(names), 2), 3.4)
        panels = dict(zip(names, np.atleast_1d(figure.subplots(1, len(names))), strict=True))
        for name, axes in panels.items():
            percent = name == "accuracy"
            best = {"loss": np.nanargmin, "accuracy": np.nanargmax}.get(name)
            for part, label in (("train", "training"), ("val", "validation")):
                _line(axes, epochs, (100 if percent else 1) * _column(rows, f"{part}_{name}"), label, best)
            axes.set(title="accuracy in %" if percent else name, xlabel="epoch")
            axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            axes.legend()
    if path is not None:
        save(figure, path)
    return figure


def _column(rows: Sequence[Mapping[str, float]], key: str) -> Floats:
    return np.array([row.get(key, math.nan) for row in rows], dtype=np.float64)


def _line(
    axes: Axes, epochs: Sequence[float], values: Floats, label: str, best: Callable[[Floats], np.intp] | None
) -> None:
    (line,) = axes.plot(epochs, values, label=label, marker="o", markersize=3)
    if best is not None and label == "validation" and not np.isnan(values).all():
        where = int(best(values))
        line.set_label(f"{label}, best {values[where]:.4g} in epoch {epochs[where]:g}")
        axes.plot(epochs[where], values[where], "o", color=line.get_color(), markersize=8, markerfacecolor="none")


def image_grid(images: npt.ArrayLike, titles: Sequence[object] | None = None, columns: int | None = None) -> Figure:
    """The images (N, C, H, W) side by side, C being 1 (grey) or 3 (RGB), in rows of `columns` (default: nearly square).

    uint8 is shown as it is; floats, such as normalised images, are stretched so that their least value is black and
    their greatest white. titles: one a picture, anything that prints.
    Raises: ShapeError for another shape or no image at all; OptionError if the number of titles differs or columns is
        below 1.
    """
    pictures = np.asarray(images)
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3) or len(pictures) == 0:
        raise ShapeError(
            f"viz.image_grid: images must be (N, C, H, W) with N > 0 and 1 or 3 channels, got {pictures.shape}"
        )
    if titles is not None and len(titles) != len(pictures):
        raise OptionError(f"viz.image_grid: {len(titles)} titles for {len(pictures)} images")
    columns = math.ceil(math.sqrt(len(pictures))) if columns is None else columns
    if columns < 1:
        raise OptionError(f"viz.image_grid: columns must be at least 1, got {columns}")
    rows = math.ceil(len(pictures) / columns)
    pictures = _to_unit(pictures).transpose(0, 2, 3, 1)  # matplotlib wants channels last
    with style():
        figure = blank(1.2 * columns, (1.2 if titles is None else 1.45) * rows)
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in cells:
            axes.axis("off")
        for index, (axes, picture) in enumerate(
            zip(cells, pictures, strict=False)
        ):  # the last row may have room to spare
            axes.imshow(picture[:, :, 0] if picture.shape[2] == 1 else picture, cmap="gray", vmin=0, vmax=1)
            if titles is not None:
                axes.set_title(str(titles[index]), fontsize="small")
    return figure


def _to_unit(images: npt.NDArray[Any]) -> Floats:
    if images.dtype == np.uint8:
        return images / 255
    low, high = images.min(), images.max()
    return (images - low) / ((high - low) or 1)


def kernel_footprint(kernel_size: Ints = 3, dilation: int | Sequence[int] = (1, 2, 4)) -> Figure:
    """Where the taps of a two-dimensional kernel fall, one panel for each dilation, all to the same scale.

    Dark cells are read by a tap, light ones are spanned but skipped: the span grows as d (k - 1) + 1 while the number
    of taps, and with it the number of weights and the work, stays k^2. Source: Yu and Koltun 2016, arXiv:1511.07122.
    Raises: OptionError for a kernel size or dilation below 1.
    """
    kernel = per_axis(kernel_size, 2, "kernel_size", "viz.kernel_footprint", least=1)
    dilations = (dilation,) if isinstance(dilation, int) else tuple(dilation)
    if not dilations:
        raise OptionError("viz.kernel_footprint: dilation needs at least one number")
    widest = _window(kernel, max(dilations)).span
    grid = (widest[0] + 2, widest[1] + 2)  # a margin of one cell
    with style():
        scale = 2.6 / max(grid)
        figure = blank(scale * grid[1] * len(dilations) + 0.3, scale * grid[0] + 0.75)
        for axes, d in zip(figure.subplots(1, len(dilations), squeeze=False)[0], dilations, strict=True):
            _draw_footprint(axes, _window(kernel, d), grid)
    return figure


def _window(kernel: tuple[int, ...], dilation: int) -> Window:
    """The window over an input that it just fits: padding "same" makes any size do."""
    return Window.of((1, 1), kernel, padding="same", dilation=dilation, op="viz.kernel_footprint")


def _draw_footprint(axes: Axes, window: Window, grid: tuple[int, int]) -> None:
    from matplotlib.patches import Rectangle

    (rows, columns), (d, _) = window.span, window.dilation
    top, left = (grid[0] - rows) // 2, (grid[1] - columns) // 2
    axes.add_patch(Rectangle((left, top), columns, rows, facecolor=SKY, alpha=0.3))
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            axes.add_patch(Rectangle((left + column * d, top + row * d), 1, 1, facecolor=BLUE, edgecolor="white"))
    axes.set(xlim=(0, grid[1]), ylim=(grid[0], 0), aspect="equal", title=_caption(window))
    axes.set_xticks(range(grid[1] + 1), labels=[])
    axes.set_yticks(range(grid[0] + 1), labels=[])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _caption(window: Window) -> str:
    """The span with its numbers put in; of a kernel that is no square, a line for either axis, rows first."""
    d = window.dilation[0]
    spans = [f"span {d} ({k} − 1) + 1 = {span}" for k, span in zip(window.kernel, window.span, strict=True)]
    return "\n".join([f"dilation {d}", *dict.fromkeys(spans)])


def blank(width: float, height: float) -> Figure:
    """An empty figure of so many inches, in the style that is set; it needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen
    return figure
