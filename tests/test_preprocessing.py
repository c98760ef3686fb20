from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli.errors import W2VError
from w2vcli.preprocessing import preprocess


def test_real_text(lee_raw: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    summary = preprocess(lee_raw, tmp_path / "out.txt", progress=lambda read, total: seen.append((read, total)))
    lines = (tmp_path / "out.txt").read_text().splitlines()
    tokens = [token for line in lines for token in line.split(" ")]
    assert (summary.sentences, summary.tokens, summary.distinct) == (
        len(lines),
        len(tokens),
        len(set(tokens)),
    )
    assert (summary.files, summary.lines, summary.bytes) == (1, 300, lee_raw.stat().st_size)
    assert seen[-1] == (summary.bytes, summary.bytes)
    assert summary.megabytes_per_second > 0


def test_settings_reach_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("It's an Über-\nidea. Yes!\n")
    for options, expected in (
        ({}, "it's an über\nidea\nyes\n"),
        ({"unit": "paragraph"}, "it's an über idea\nyes\n"),
        ({"sentences": False}, "it's an über\nidea yes\n"),
        ({"lowercase": False}, "It's an Über\nidea\nYes\n"),
        ({"tokenizer": "ascii"}, "it s an ber\nidea\nyes\n"),
    ):
        preprocess(tmp_path / "in.txt", tmp_path / "out.txt", {"preprocess": options})
        assert (tmp_path / "out.txt").read_text() == expected


def test_files_are_documents_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfThe end")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfA start\r\n"))
    preprocess(
        [tmp_path / "a.txt", tmp_path / "b.txt.gz"],
        tmp_path / "out.txt",
        {"preprocess": {"unit": "document"}},
    )
    assert (tmp_path / "out.txt").read_text() == "the end\na start\n"


paragraphs = st.lists(st.text(st.sampled_from("ab. \n\r\fÄ'"), max_size=40), min_size=1, max_size=4)


@given(paragraphs, st.sampled_from(["line", "paragraph", "document"]))
@settings(max_examples=60)
def test_files_one_by_one_or_joined_give_the_same(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], unit: str
) -> None:
    """As long as each begins with a byte-order mark: nothing else shows where a file began."""
    folder = tmp_path_factory.mktemp("files")
    files = []
    for number, text in enumerate([*texts, "x"]):
        files.append(folder / f"{number}.txt")
        files[-1].write_bytes(b"\xef\xbb\xbf" + text.encode())
    joined = folder / "joined.txt"
    joined.write_bytes(b"".join(file.read_bytes() for file in files))
    config = {"preprocess": {"unit": unit}}
    preprocess(files, folder / "a", config)
    preprocess(joined, folder / "b", config)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_nothing_is_written_when_something_fails(tmp_path: Path) -> None:
    output = tmp_path / "out.txt"
    output.write_text("former")
    (tmp_path / "good.txt").write_text("some words\n")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"some words\n" * 1000)[:40])
    (tmp_path / "blank.txt").write_text("… !\n")
    for name, message in {
        "none.txt": "no such file",
        "cut.gz": "ends too early",
        "blank.txt": "no text in the input; nothing was written to",
    }.items():
        inputs = [tmp_path / "good.txt", tmp_path / name] if name == "cut.gz" else [tmp_path / name]
        with pytest.raises(W2VError, match=message):
            preprocess(inputs, output)
        assert output.read_text() == "former"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blank.txt", "cut.gz", "good.txt", "out.txt"]


def test_the_output_may_not_be_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words\n")
    with pytest.raises(W2VError, match=r"a.txt: is also an input"):
        preprocess(tmp_path, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "words\n"


def test_long_sentences_and_odd_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"word " * 25_000 + b"\ncaf\xe9\n")
    summary = preprocess(tmp_path / "a.txt", tmp_path / "out.txt")
    assert (summary.split, summary.undecodable, summary.sentences) == (1, 1, 4)
    lengths = [len(line.split()) for line in (tmp_path / "out.txt").read_text().splitlines()]
    assert lengths == [10_000, 10_000, 5_000, 1]
