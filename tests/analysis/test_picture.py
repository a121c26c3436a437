"""Pictures of coverage as SVG: classes of path numbers, rectangles, bars, and the picture of a receptive field in a notebook."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidil import nn
from minidil.analysis import picture, receptive_field


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([1, 1], ["1"]),
        ([0, 1, 2, 3], ["1", "2–3"]),
        ([1, 49], ["1", "2–3", "4–7", "8–15", "16–31", "32–49"]),
        ([1, 64], ["1–3", "4–15", "16–63", "64"]),
        ([5, 900_000, 3_000_000], ["5–63", "64–1,023", "1,024–16,383", "16,384–262,143", "262,144–2^21"]),
        ([0], []),
    ],
)
def test_a_legend_tells_what_classes_hold(numbers: list[int], words: list[str]) -> None:
    assert picture.legend(numbers) == words


@given(st.lists(st.integers(0, 2**70), min_size=1, max_size=20))
def test_classes_are_in_order_and_at_most_six(numbers: list[int]) -> None:
    scale = picture.scale_of(numbers)
    classes = [picture.class_of(number, scale) for number in sorted(numbers)]
    assert classes == sorted(classes)
    assert [each == 0 for each in classes] == [number == 0 for number in sorted(numbers)]
    assert max(classes) <= picture.CLASSES
    assert len(picture.legend(numbers)) == max(classes)


def painted(svg: str, height: int, width: int) -> np.ndarray:
    """The class of every cell, from the rectangles."""
    cells = np.zeros((height, width), int)
    for number, path in re.findall(r'<path class="[cw](\d)" d="([^"]*)"', svg):
        for x, y, w, h, back in re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z", path):
            assert w == back
            area = np.s_[int(y) : int(y) + int(h), int(x) : int(x) + int(w)]
            assert not cells[area].any()
            cells[area] = int(number)
    return cells


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_rectangles_paint_every_cell_once(height: int, width: int, choose) -> None:
    classes = [[choose.randint(0, 3) for _ in range(width)] for _ in range(height)]
    assert painted(picture.drawn(picture.rectangles(classes)), height, width).tolist() == classes


def test_a_map_has_its_holes_and_its_frame() -> None:
    counted = np.zeros((5, 6))
    counted[1, 1], counted[1, 3], counted[3, 1] = 1, 4, 2
    svg, step = picture.coverage_map(counted, [(1, 4), (1, 4)])
    assert painted(svg, 5, 6).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 7, 3, 0, 0],
        [0, 7, 7, 7, 0, 0],
        [0, 2, 7, 7, 0, 0],
        [0, 0, 0, 0, 0, 0],
    ]
    assert '<rect class="frame" x="1" y="1" width="3" height="3"/>' in svg
    assert step == 1
    ElementTree.fromstring(f"<svg>{svg}</svg>")


def test_where_there_are_too_many_a_square_stands_for_several_positions() -> None:
    counted = np.indices((120, 120)).sum(axis=0) % 2 + 1.0
    counted[100, 7] = 0
    svg, step = picture.coverage_map(counted, [(0, 120), (0, 120)])
    assert step == 2
    wanted = np.ones((60, 60), int)
    wanted[50, 3] = picture.HOLE
    assert painted(svg, 60, 60).tolist() == wanted.tolist()
    assert svg.startswith('<g transform="scale(2)">')


def test_bars_rise_with_the_paths_and_hang_where_there_are_none() -> None:
    drawing, box = picture.bars((1, 0, 0, 2, 2, 1), -2, 3)
    assert box == "0 0 6 124"
    assert drawing == (
        '<path class="c1" d="M0 100V50h1V100zM5 100V50h1V100z"/><path class="c2" d="M3 100V0h2V100z"/>'
        '<path class="c7" d="M1 100V112h2V100z"/><rect class="real" x="2" y="116" width="3" height="8"/>'
    )


def test_a_receptive_field_has_a_picture_without_styles_or_ids() -> None:
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding="same", dilation=2) for _ in range(2)))
    html = receptive_field(model, (1, 11, 13))._repr_html_()
    table, svg = html.split("</table>")
    assert "sees 9x9 positions" in table
    assert 'viewBox="0 0 13 11"' in svg
    assert svg.count("<path") == 3  # reached, holes, lines
    assert 'fill="#d55e00"' in svg
    assert not re.search(r'\b(class|id)="', svg)
    ElementTree.fromstring(svg)
    along = receptive_field(nn.Sequential(nn.Conv1d(1, 1, 3)), (1, 9))._repr_html_()
    assert 'viewBox="0 0 9 1"' in along
    volume = nn.Sequential(nn.Conv3d(1, 1, 3))
    assert receptive_field(volume, (1, 5, 5, 5))._repr_html_().endswith("</table>")
