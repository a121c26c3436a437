"""CoNLL files: what is read, and which file and line is named where something is wrong."""

import hashlib
from pathlib import Path

import pytest

from minidil.data import TaggedDataset, conll, load, registry, wnut17
from minidil.data.registry import File, Source
from minidil.data.tagged import tag_names
from minidil.errors import DataError, OptionError, ShapeError

BIO = ("O", "B-per", "I-per", "O", "B-loc", "B-loc")
FORMS = {
    "BIO": "O B-per I-per O B-loc B-loc",
    "IOB1": "O I-per I-per O I-loc B-loc",
    "IOBES": "O B-per E-per O S-loc S-loc",
    "BILOU": "O B-per L-per O U-loc U-loc",
}


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "mine.conll"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("scheme", FORMS)
@pytest.mark.parametrize("told", [True, False])
def test_all_schemes_become_bio(tmp_path: Path, scheme: str, told: bool) -> None:
    path = written(tmp_path, "".join(f"w{n}\t{tag}\n" for n, tag in enumerate(FORMS[scheme].split())))
    dataset = conll(path, scheme=scheme if told else None)
    assert dataset[0] == (tuple(f"w{n}" for n in range(6)), BIO)
    assert (dataset.types, dataset.classes) == (("loc", "per"), ("O", "B-loc", "I-loc", "B-per", "I-per"))


def test_sentences_documents_columns_and_line_ends(tmp_path: Path) -> None:
    text = "\ufeff-DOCSTART- -X- O\r\n\r\nAda NNP B-per\r\n \r\n\r\n-DOCSTART- -X- O\r\n\r\nin IN O\r\nYork NNP B-loc"
    dataset = conll(written(tmp_path, text))
    assert list(dataset) == [(("Ada",), ("B-per",)), (("in", "York"), ("O", "B-loc"))]
    assert (dataset.documents, dataset.name, len(dataset)) == ((0, 1), "mine", 2)
    assert conll(written(tmp_path, "O Ada\nB-x Lin\n"), token_column=1, tag_column=0)[0][0] == ("Ada", "Lin")


def test_what_is_no_tab_and_no_line_feed_is_part_of_a_token(tmp_path: Path) -> None:
    tokens = ("a b", "no\u00a0break", "line\u2028separator", "\x85", "\U0001f602", "#tag")
    assert conll(written(tmp_path, "".join(f"{token}\tO\n" for token in tokens)))[0][0] == tokens


def test_another_encoding_is_read_if_told_and_named_if_not(tmp_path: Path) -> None:
    path = written(tmp_path, "Zoë\tO\n".encode() + "\ncafé\tB-loc\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"mine\.conll, line 3: byte 0xe9 is not utf-8; say what the file is in"):
        conll(path)
    assert conll(path, encoding="cp1252")[1] == (("café",), ("B-loc",))
    with pytest.raises(OptionError, match="conll: unknown encoding: utf-9"):
        conll(path, encoding="utf-9")


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ("a\tO\n\nb\tO\tO\n", {}, "line 3: there are 3 columns, and 2 in the lines before"),
        ("a\n", {}, r"line 1: there are 1 columns, and of token and tag the numbers are \(0, -1\)"),
        ("a\tO\n", {"tag_column": 3}, r"line 1: there are 2 columns, and of token and tag the numbers are \(0, 3\)"),
        ("a\tO\n\tO\n", {}, "line 2: the token is empty"),
        ("a\tO\nb\t\n", {}, "line 2: the tag is empty"),
        ("a\tper\n", {}, "line 1: 'per' is no tag, which is O, or a letter, - and a type"),
        ("a\tB-\n", {}, "line 1: 'B-' is no tag"),
        ("a\tO\nb\tB-dog\n", {"types": ["per", "loc"]}, "line 2: B-dog is of a type that is not known; there are loc, per"),
        ("a\tO\nb\tI-per\n", {"scheme": "BIO"}, "line 2: I-per follows O, and goes on with an entity that has not begun"),
        ("a\tB-loc\nb\tI-per\n", {"scheme": "BIO"}, "line 2: I-per follows B-loc"),
        ("a\tB-per\n\nb\tI-per\n", {"scheme": "BIO"}, "line 3: I-per follows O"),
        ("a\tB-per\n\nb\tO\nc\tI-loc\n", {}, r"B- in .*line 1 \(B-per after O\), .* I- in .*line 4 \(I-loc after O\)"),
        ("a\tS-per\nb\tB-per\n", {}, "line 2: an entity ends with B-per, and in IOBES with E-per"),
        ("a\tB-per\nb\tO\nc\tS-per\n", {}, "line 1: an entity ends with B-per"),
        ("a\tS-per\nb\tE-per\n", {}, "line 2: E-per follows S-per, and goes on with"),
        ("a\tB-per\nb\tL-loc\n", {}, "line 2: L-loc follows B-per, and goes on with"),
        ("a\tB-per\nb\tE-per\nc\tU-per\n", {}, "line 3: U-per is no tag of IOBES, which has B, I, E, S and O"),
        ("\n \n", {}, "holds no sentence"),
    ],
)  # fmt: skip
def test_file_and_line_of_what_is_wrong_are_named(
    tmp_path: Path, lines: str, options: dict[str, object], message: str
) -> None:
    path = written(tmp_path, lines)
    with pytest.raises(DataError, match=message) as caught:
        conll(path, **options)  # type: ignore[arg-type]
    assert str(path) in str(caught.value)


def test_iob1_takes_whatever_b_and_i_there_are(tmp_path: Path) -> None:
    path = written(tmp_path, "a\tB-per\nb\tI-per\nc\tI-loc\nd\tO\ne\tI-loc\nf\tB-loc\n")
    assert conll(path, scheme="IOB1")[0][1] == ("B-per", "I-per", "B-loc", "O", "B-loc", "B-loc")


def test_a_missing_file_and_an_unknown_scheme_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.conll cannot be read: No such file"):
        conll(tmp_path / "none.conll")
    with pytest.raises(
        OptionError, match="scheme must be one of BIO, IOB1, IOBES, BILOU, or None to find it out, not 'IO'"
    ):
        conll(tmp_path / "none.conll", scheme="IO")


def test_a_tagged_set_is_checked_and_cut() -> None:
    dataset = TaggedDataset("made", (("a", "b"), ("c",), ("d",)), (("B-x", "I-x"), ("O",), ("B-x",)), ("x",))
    part = dataset[[2, 0]]
    assert (list(part), part.documents) == ([dataset[2], dataset[0]], (0, 0))
    assert dataset[1:].tokens == (("c",), ("d",))
    assert repr(dataset) == "TaggedDataset('made': 3 sentences, 4 tokens; x)"
    with pytest.raises(OptionError, match="made has 3 sentences"):
        dataset.subset([3])
    for tokens, tags, error, message in (
        ((("a",), ("b",)), (("O",),), ShapeError, "tokens of 2 sentences, tags of 1"),
        ((("a", "b"),), (("O",),), ShapeError, "sentence 0 has 2 tokens and 1 tags"),
        ((("a",),), (("B-y",),), DataError, "sentence 0: tag 'B-y' is none of O, B-x, I-x"),
        ((("a", "b"),), (("O", "I-x"),), DataError, "sentence 0: I-x follows O, and begins an entity as B-x would"),
    ):
        with pytest.raises(error, match=message):
            TaggedDataset("made", tokens, tags, ("x",))
    assert tag_names(("p", "q")) == ("O", "B-p", "I-p", "B-q", "I-q")


def test_wnut17_is_read_from_the_files_of_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"datasets/wnut17\.md tells how"):
        wnut17("dev", tmp_path)
    with pytest.raises(OptionError, match="wnut17: split must be 'train' or 'dev' or 'test', got 'all'"):
        load("wnut17", "all", tmp_path)
    (tmp_path / "wnut17").mkdir()
    files = []
    for part in ("train", "dev", "test"):
        content = f"{part}\tB-person\nEire\tB-location\n".encode()
        (tmp_path / "wnut17" / f"{part}.conll").write_bytes(content)
        files.append(File(f"{part}.conll", len(content), packed=f"sha256:{hashlib.sha256(content).hexdigest()}"))
    source = Source("wnut17", "three sentences", tuple(files), folder="wnut17")
    monkeypatch.setitem(registry.SOURCES, "wnut17", source)
    monkeypatch.setattr(registry, "WNUT17", source)
    dataset = load("wnut17", "test", tmp_path)
    assert dataset[0] == (("test", "Eire"), ("B-person", "B-location"))
    assert dataset.types == ("corporation", "creative-work", "group", "location", "person", "product")
    (tmp_path / "wnut17" / "dev.conll").write_bytes(b"x\tO\n")
    with pytest.raises(DataError, match=r"dev\.conll is damaged or not the published file"):
        wnut17("dev", tmp_path)


def test_the_card_of_wnut17_tells_checksums_and_sizes() -> None:
    card = (Path(__file__).parents[2] / "datasets" / "wnut17.md").read_text(encoding="utf-8")
    for file in registry.WNUT17.files:
        assert f"| `{file.name}` | {file.size:,} | `{(file.packed or '').removeprefix('sha256:')}` |" in card
