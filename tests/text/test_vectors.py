"""Vectors of words from files."""

from pathlib import Path

import numpy as np
import pytest

from minidil.errors import DataError
from minidil.text import UNKNOWN
from minidil.text.vectors import read_vectors


def test_packed_and_text_files_mean_the_same(tmp_path: Path) -> None:
    words, vectors = ["the", "Zoë", "##s"], np.array([[1, 2], [0.5, -3], [0, 0.25]], np.float16)
    np.savez(tmp_path / "a.npz", words=np.array(words), vectors=vectors)
    lines = [" ".join([word, *map(str, row)]) for word, row in zip(words, vectors.tolist(), strict=True)]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "b.vec").write_text("\n".join(["3 2", *lines]), encoding="utf-8")
    for name in ("a.npz", "a.txt", "b.vec"):
        vocabulary, rows = read_vectors(tmp_path / name)
        assert vocabulary.words == tuple(words)
        np.testing.assert_array_equal(rows, np.concatenate([np.zeros((2, 2)), vectors]).astype(np.float32), strict=True)
        assert rows[vocabulary.encode(["Zoë", "none"])].tolist() == [[0.5, -3], rows[UNKNOWN].tolist()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"the 1 2\ncat 1\n", r"v\.txt, line 2: 1 numbers, and 2 in the lines before"),
        (b"the 1 x\n", r"v\.txt, line 1: could not convert string to float: 'x'"),
        (b"the 1 2\ncaf\xe9 1 2\n", r"v\.txt, line 2: 'utf-8' codec can't decode"),
        (b"the 1\n", r"v\.txt: 0 words need as many vectors"),
        (b"the 1 nan\n", r"v\.txt: 1 words need as many vectors of finite numbers, \(V, D\), and there are \(1, 2\)"),
        (b"the 1 2\nthe 2 1\n", r"v\.txt: Vocabulary: the word 'the' is there twice"),
        (b"", r"v\.txt: 0 words need"),
    ],
)
def test_file_and_line_of_what_is_wrong_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "v.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / "v.txt")


def test_packed_files_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.npz cannot be read: No such file"):
        read_vectors(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"bad\.npz holds no words and vectors"):
        read_vectors(tmp_path / "bad.npz")
    np.savez(tmp_path / "other.npz", words=np.array(["a", "b"]), vectors=np.zeros((1, 3)))
    with pytest.raises(DataError, match=r"other\.npz: 2 words need as many vectors .* and there are \(1, 3\)"):
        read_vectors(tmp_path / "other.npz")
    np.savez(tmp_path / "no.npz", words=np.array(["a"]))
    with pytest.raises(DataError, match=r"no\.npz holds no words and vectors: .*vectors"):
        read_vectors(tmp_path / "no.npz")
