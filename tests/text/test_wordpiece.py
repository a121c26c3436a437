"""WordPiece: pieces as the library `tokenizers` makes them: stored results and, where it is installed, the library itself."""

from __future__ import annotations

import string
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import examples

from minidil.errors import DataError, OptionError
from minidil.text.wordpiece import WordPiece, words

LETTERS = string.ascii_lowercase + string.digits + "σß가\u1100\u1161"
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *("un", "##watch", "##able", "watch", "naive", "re", "reading", "##ing", "mask", "sep"),
    *string.punctuation,
    *"中文。「」—",
]

# Made with tokenizers 0.23.3 from this vocabulary.
STORED = {
    "unwatchable": "un ##watch ##able",
    "Naïve re-reading!": "naive re - reading !",
    "": "",
    " \t\n\r\u3000\xa0": "",
    "it's $9.99": "i ##t ' s $ 9 . 9 ##9",
    "中文a中": "中 文 a 中",
    "「文」a—b": "「 文 」 a — b",
    "re\0re\x07\u200bre\x85re": "re ##r ##e ##r ##e ##r ##e",
    "\ufeffre\ufffd": "re",
    "e\u0301\u0308a\u0327": "e ##a",
    "ŭñŵạtçhåblé": "un ##watch ##able",
    "İI": "i ##i",
    "ΣΑΣ Σ ß": "[UNK] σ ß",
    "a☃b ☃": "[UNK] [UNK]",
    "a" * 100: "a " + " ".join(["##a"] * 99),
    "a" * 101 + " re": "[UNK] re",
    "é" * 101: "[UNK]",
    "a" * 101 + "-b": "[UNK] - b",
    "가": "\u1100 ##\u1161",
    "re\u2028re\u00adre": "re re ##r ##e",
}


@pytest.fixture
def tokenizer() -> WordPiece:
    return WordPiece(VOCABULARY)


def test_pieces_are_those_of_the_library_tokenizers(tokenizer: WordPiece) -> None:
    for text, expected in STORED.items():
        assert " ".join(tokenizer.pieces(text)) == expected, ascii(text)


def test_against_the_library_itself(tokenizer: WordPiece) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers, the oracle of WordPiece, is not installed")
    ids = {piece: number for number, piece in enumerate(VOCABULARY)}
    oracle = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    oracle.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    oracle.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    # The two have tables of other versions of Unicode; of 3.2, what kind a character is changed for few since.
    old = unicodedata.ucd_3_2_0
    settled = [
        c
        for c in map(chr, range(0x30000))
        if unicodedata.category(c) == old.category(c) not in ("Cn", "Cs") and c not in "\u166d\u1734"
    ]
    some = "abcunwatchable éüñİßſςΣ'-,.$#[]0\t\u0301\u200b中文가"

    @examples(300)
    @given(st.text(st.one_of(st.sampled_from(some), st.sampled_from(settled)), max_size=130))
    def same(text: str) -> None:
        assert tokenizer.pieces(text) == oracle.encode(text).tokens

    for text, expected in STORED.items():
        assert " ".join(oracle.encode(text).tokens) == expected, ascii(text)
    same()


def test_half_a_surrogate_pair_is_left_out() -> None:
    assert words("\ud800re") == ["re"]


def test_marks_in_a_text_are_read_as_text(tokenizer: WordPiece) -> None:
    assert tokenizer.pieces("[MASK] [SEP]x") == ["[", "mask", "]", "[", "sep", "]", "x"]


def test_encode_sets_the_marks_and_cuts(tokenizer: WordPiece) -> None:
    marks = [tokenizer.ids["[CLS]"], tokenizer.ids["[SEP]"]]
    assert tokenizer.encode("") == tokenizer.encode("re", 2) == marks
    assert tokenizer.encode("re un re", 4) == [marks[0], tokenizer.ids["re"], tokenizer.ids["un"], marks[1]]
    with pytest.raises(OptionError, match=r"longest must be at least 2, for \[CLS\] and \[SEP\], not 1"):
        tokenizer.encode("re", 1)


def test_a_vocabulary_is_checked() -> None:
    with pytest.raises(OptionError, match="lacks \\[UNK\\], \\[SEP\\]"):
        WordPiece(["[PAD]", "[CLS]", "a"])
    with pytest.raises(OptionError, match="has 'a' twice"):
        WordPiece([*VOCABULARY, "a"])


def test_a_vocabulary_is_read(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("\r\n".join([*VOCABULARY, ""]).encode())
    assert WordPiece.read(path).vocabulary == tuple(VOCABULARY)
    path.write_text("\n".join([*VOCABULARY[:7], "a"]), encoding="utf-8")
    with pytest.raises(DataError, match="line 8 has 'a' again, which is in line 6"):
        WordPiece.read(path)
    path.write_bytes(b"[PAD]\nab\xff\n")
    with pytest.raises(DataError, match=r"line 2 is not UTF-8 \(byte 8\)"):
        WordPiece.read(path)
    path.write_text("[PAD]\na\n")
    with pytest.raises(DataError, match=r"vocab.txt: .*lacks"):
        WordPiece.read(path)
