"""The pictures: what is on them, that saving them is repeatable, and that drawing them leaves nothing behind."""

import io
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from minidil import viz
from minidil.errors import OptionError, ShapeError

ROWS = [
    {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.3, "val_loss": 1.5, "val_accuracy": 0.50, "lr": 0.1},
    {"epoch": 2, "train_loss": 1.0, "train_accuracy": 0.6, "val_loss": 1.2, "val_accuracy": 0.625, "lr": 0.1},
    {"epoch": 3, "train_loss": 0.5, "train_accuracy": 0.9, "val_loss": 1.3, "val_accuracy": 0.60, "lr": 0.1},
]


def test_curves_show_losses_and_accuracies_in_percent() -> None:
    loss, accuracy = viz.curves(ROWS).axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "accuracy in %")
    lines = {line.get_label(): line for line in accuracy.lines}
    np.testing.assert_allclose(lines["training"].get_ydata(), [30, 60, 90])
    np.testing.assert_allclose(lines["training"].get_xdata(), [1, 2, 3])
    assert "validation, best 62.5 in epoch 2" in lines
    assert "validation, best 1.2 in epoch 2" in {line.get_label() for line in loss.lines}


def test_curves_work_from_the_first_epoch_on_and_without_validation() -> None:
    viz.curves(ROWS[:1])
    figure = viz.curves([{"epoch": 1, "train_loss": 2.0, "val_loss": float("nan")}])
    assert [line.get_label() for line in figure.axes[0].lines] == ["training", "validation"]


def test_curves_can_be_saved_at_once(tmp_path: Path) -> None:
    viz.curves(ROWS, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1350, 510)


@pytest.mark.parametrize("rows", [[], [{"train_loss": 1.0}]])
def test_curves_need_rows_with_epochs(rows: list[dict[str, float]]) -> None:
    with pytest.raises(OptionError, match="at least one row, each with an 'epoch'"):
        viz.curves(rows)


@pytest.mark.parametrize(
    ("count", "columns", "grid"),
    [(1, None, (1, 1)), (5, None, (2, 3)), (9, None, (3, 3)), (5, 5, (1, 5)), (5, 2, (3, 2))],
)
def test_image_grid_shows_every_image_once(count: int, columns: int | None, grid: tuple[int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, size=(count, 3, 4, 5), dtype=np.uint8)
    figure = viz.image_grid(images, titles=range(count), columns=columns)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(figure.axes) == grid[0] * grid[1]
    assert [axes.get_title() for axes in shown] == [str(i) for i in range(count)]
    for axes, image in zip(shown, images, strict=True):
        np.testing.assert_allclose(axes.images[0].get_array(), image.transpose(1, 2, 0) / 255)


def test_image_grid_stretches_floats_and_takes_grey() -> None:
    figure = viz.image_grid(np.array([-3.0, 1.0], dtype=np.float32).reshape(1, 1, 1, 2))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), [[0.0, 1.0]])
    constant = viz.image_grid(np.full((1, 1, 2, 2), 7.0))
    np.testing.assert_allclose(constant.axes[0].images[0].get_array(), np.zeros((2, 2)))


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 2, 4, 4), (3, 4, 4)])
def test_image_grid_refuses_what_is_no_batch_of_pictures(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"must be \(N, C, H, W\) with N > 0 and 1 or 3 channels"):
        viz.image_grid(np.zeros(shape))


def test_image_grid_refuses_titles_and_columns_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="1 titles for 2 images"):
        viz.image_grid(np.zeros((2, 1, 3, 3)), titles=["one"])
    with pytest.raises(OptionError, match="columns must be at least 1, got 0"):
        viz.image_grid(np.zeros((2, 1, 3, 3)), columns=0)


def taps(axes: Axes) -> list[tuple[float, float]]:
    """(row, column) of every tap that is drawn, the first one at (0, 0)."""
    cells = [
        patch.get_xy() for patch in axes.patches if isinstance(patch, Rectangle) and to_hex(patch.get_fc()) == "#0072b2"
    ]
    left, top = min(x for x, _ in cells), min(y for _, y in cells)
    return sorted((y - top, x - left) for x, y in cells)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (3, 2), (3, 4), (1, 3), (2, 5), ((3, 5), 2)])
def test_kernel_footprint_draws_each_tap_where_it_falls(kernel_size: int | tuple[int, int], dilation: int) -> None:
    rows, columns = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
    (axes,) = viz.kernel_footprint(kernel_size, dilation).axes
    assert taps(axes) == [(dilation * i, dilation * j) for i in range(rows) for j in range(columns)]
    for k in (rows, columns):
        assert f"span {dilation} ({k} − 1) + 1 = {dilation * (k - 1) + 1}" in axes.get_title()


def test_kernel_footprint_has_a_panel_for_each_dilation_to_one_scale() -> None:
    figure = viz.kernel_footprint(3, (1, 2, 4))
    assert [axes.get_title() for axes in figure.axes] == [
        "dilation 1\nspan 1 (3 − 1) + 1 = 3",
        "dilation 2\nspan 2 (3 − 1) + 1 = 5",
        "dilation 4\nspan 4 (3 − 1) + 1 = 9",
    ]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1


@pytest.mark.parametrize(("kernel_size", "dilation"), [(0, 1), (3, 0), (3, ()), (3, (1, -1)), ((3, 3, 3), 1)])
def test_kernel_footprint_refuses_what_is_no_kernel(
    kernel_size: int | tuple[int, ...], dilation: int | tuple[int, ...]
) -> None:
    with pytest.raises(OptionError, match=r"viz\.kernel_footprint"):
        viz.kernel_footprint(kernel_size, dilation)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_saving_is_repeatable(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{name}.{suffix}" for name in ("first", "second")]
    for number, path in enumerate(paths):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1_000_000_000 * (number + 1)))  # a date would show
        viz.save(viz.kernel_footprint(3, 2), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_png_names_neither_date_nor_program(tmp_path: Path) -> None:
    viz.save(viz.kernel_footprint(), tmp_path / "kernel.png")
    with Image.open(tmp_path / "kernel.png") as image:
        assert set(image.info) <= {"dpi"}


@pytest.mark.parametrize("name", ["picture", "picture.docx"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"no suffix that matplotlib can write; use \.png"):
        viz.save(viz.kernel_footprint(3, 1), tmp_path / name)


def test_the_style_ends_with_its_context() -> None:
    before = dict(matplotlib.rcParams)
    with viz.style():
        assert matplotlib.rcParams["axes.prop_cycle"].by_key()["color"][0] == viz.BLUE
    viz.curves(ROWS).savefig(io.BytesIO(), format="png")
    assert dict(matplotlib.rcParams) == before


def test_no_figure_is_kept_alive_by_pyplot() -> None:
    from matplotlib import pyplot

    viz.image_grid(np.zeros((4, 1, 3, 3)))
    assert pyplot.get_fignums() == []


def test_curves_have_a_panel_for_every_metric() -> None:
    rows = [{"epoch": 1, "train_loss": 2.0, "train_mae": 0.5, "val_loss": 1.5, "val_mae": 0.25, "lr": 0.1}]
    loss, mae = viz.curves(rows).axes
    assert (loss.get_title(), mae.get_title()) == ("loss", "mae")
    assert [line.get_label() for line in mae.lines] == ["training", "validation"]
    np.testing.assert_allclose(mae.lines[1].get_ydata(), [0.25])
    (alone,) = viz.curves([{"epoch": 1, "train_loss": 2.0, "val_loss": 1.5, "lr": 0.1}]).axes
    assert alone.get_title() == "loss"
