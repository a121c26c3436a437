"""Texts with labels: the set in memory, tables of one's own, and the film reviews."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minidil.data import TextDataset, load, registry, rt_polarity, split, text_file
from minidil.errors import DataError, DtypeError, OptionError, ShapeError

ROWS = 'split\tlabel\ttext\ntrain\t1\tgood "so" , it\'s\ntrain\t0\tbad\ndev\t1\tfine\ntest\t0\tna\u00efve\n'


def written(folder: Path, content: str | bytes, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_csv_and_a_tsv_are_read(tmp_path: Path) -> None:
    csv = '\ufeffid,label,text\r\n1,good,"It\'s ""fine"", really\nso"\r\n\r\n2,bad, no \n'
    dataset = text_file(written(tmp_path, csv))
    assert dataset.texts == ('It\'s "fine", really\nso', "no")
    assert (dataset.classes, dataset.labels.tolist(), dataset.name) == (("bad", "good"), [1, 0], "reviews")
    dataset = text_file(written(tmp_path, ROWS, "a.TSV"), "train", ("1", "0"))
    assert dataset.texts == ('good "so" , it\'s', "bad")
    assert (dataset.classes, dataset.labels.tolist()) == (("1", "0"), [0, 1])
    assert text_file(written(tmp_path, "t\ty\nx\tz\n", "b.tsv"), text="t", label="y").texts == ("x",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"text,label\nok,good\ncaf\xe9,good\n",
            r"reviews.csv, line 3: byte 0xe9 is not UTF-8; save the file as UTF-8",
        ),
        ('text,label\n"a\nb",x\nok\n', "reviews.csv, line 4: 1 fields where the first line names 2 columns"),
        ("text,label\na,b,c\n", "line 2: 3 fields where"),
        ("text,label\nok,x\n  ,y\n", "line 3: the column 'text' is empty; take the line out"),
        ("text,label\nok,\n", "line 2: the column 'label' is empty"),
        ("text,label\nok,good\nno,ugly\n", "line 3: the label 'ugly' is none of 'good', 'bad'"),
        (
            "text,class\nok,good\n",
            "line 1: the first line must name the columns 'text', 'label', and has 'text', 'class'",
        ),
        ("text,label,text\n", "and has 'text' twice"),
        ("", "line 1: the first line must name the columns 'text', 'label', and has nothing"),
        ("text,label\n", "reviews.csv: no text below its first line"),
        ('text,label\n"ok,good\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        text_file(written(tmp_path, content), classes=("good", "bad") if "good" in str(content) else None)


def test_files_and_splits_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        text_file(tmp_path / "none.csv")
    with pytest.raises(OptionError, match=r"reviews\.txt must end in \.csv or \.tsv"):
        text_file(written(tmp_path, ROWS, "reviews.txt"))
    with pytest.raises(DataError, match=r"a\.tsv: no text of split 'all'"):
        text_file(written(tmp_path, ROWS, "a.tsv"), "all")
    with pytest.raises(DataError, match="must name the columns 'text', 'label', 'split', and has 'text', 'label'"):
        text_file(written(tmp_path, "text,label\na,b\n"), "train")


def test_a_set_is_divided_and_indexed() -> None:
    dataset = TextDataset("made", tuple("abcdef"), np.array([0, 1] * 3), ("no", "yes"))
    assert dataset[-1] == ("f", 1)
    assert list(dataset[1:3]) == [("b", 1), ("c", 0)]
    assert dataset.subset(np.array([True] + [False] * 5)).texts == ("a",)
    assert repr(dataset) == "TextDataset('made': 6 texts in 2 classes)"
    first, second = split(dataset, 0.34, seed=0)
    assert (len(first), len(second)) == (2, 4)
    assert_array_equal(np.sort(first.labels), [0, 1])
    with pytest.raises(ValueError, match="read-only"):
        dataset.labels[0] = 1
    with pytest.raises(OptionError, match="made has 6 texts"):
        dataset.subset([7])


@pytest.mark.parametrize(
    ("error", "labels", "words"),
    [
        (DtypeError, np.zeros(2, np.int32), "labels must be int64, got int32"),
        (ShapeError, np.zeros(3, np.int64), r"2 texts need as many labels, got \(3,\)"),
        (DataError, np.array([0, 2]), r"label 2 of text 1 names no class; 2 classes have the labels 0\.\.1"),
    ],
)
def test_labels_that_do_not_go_with_them(error: type[Exception], labels: np.ndarray, words: str) -> None:
    with pytest.raises(error, match=words):
        TextDataset("made", ("a", "b"), labels, ("no", "yes"))


def test_the_film_reviews_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"rt-polarity\.tsv does not exist, .*: datasets/rt_polarity\.md tells how"):
        rt_polarity("train", tmp_path)
    written(tmp_path, ROWS, "rt-polarity.tsv")
    with pytest.raises(DataError, match=r"rt-polarity\.tsv is damaged or not the published file"):
        rt_polarity("train", tmp_path)
    file = registry.File("rt-polarity.tsv", 0, packed=f"sha256:{hashlib.sha256(ROWS.encode()).hexdigest()}")
    source = registry.Source("rt_polarity", "", (file,))
    monkeypatch.setattr(registry, "RT_POLARITY", source)
    monkeypatch.setitem(registry.SOURCES, "rt_polarity", source)
    dataset = load("rt_polarity", "train", tmp_path)
    assert dataset.classes == ("negative", "positive")
    assert list(dataset) == [('good "so" , it\'s', 1), ("bad", 0)]
    assert [len(rt_polarity(part, tmp_path)) for part in ("dev", "test")] == [1, 1]
    with pytest.raises(OptionError, match=r"rt_polarity: split must be 'train' or 'dev' or 'test', got 'all'$"):
        rt_polarity("all", tmp_path)


def test_the_card_tells_the_checksum_and_size_of_the_file() -> None:
    (file,) = registry.RT_POLARITY.files
    card = (Path(__file__).parents[2] / "datasets" / "rt_polarity.md").read_text(encoding="utf-8")
    assert f"`{(file.packed or '').removeprefix('sha256:')}`" in card
    assert f"{file.size:,} bytes" in card
