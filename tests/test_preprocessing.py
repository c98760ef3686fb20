from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compression import COMPRESS, DECOMPRESS
from w2vcli.bench.rounds import timed
from w2vcli.errors import W2VError
from w2vcli.preprocessing import parts, preprocess, top_phrases
from w2vcli.text import Rules, Unit, sentences_of

from .conftest import need


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def defined(text: str, unit: Unit = "line") -> str:
    """What the definition makes of a text, in lines."""
    return "".join(" ".join(sentence) + "\n" for sentence in sentences_of(text, Rules(), unit))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have many parts in little text."""
    monkeypatch.setattr(parts, "RANGE_BYTES", 1000)
    monkeypatch.setattr(parts, "FED_BYTES", 700)
    monkeypatch.setattr(parts, "WHOLE_BYTES", 2000)
    monkeypatch.setattr(parts, "_PIECE_BYTES", 333)
    monkeypatch.setattr("w2vcli.preprocessing.pipeline._ALONE_BYTES", 0)
    monkeypatch.setattr("w2vcli.preprocessing.pipeline._BLOCK_BYTES", 500)


def test_real_text(lee_raw: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    summary = preprocess(lee_raw, tmp_path / "out.txt", progress=lambda *step: seen.append(step))
    lines = read(tmp_path / "out.txt").splitlines()
    assert (summary.sentences, summary.tokens) == (len(lines), sum(len(line.split(" ")) for line in lines))
    assert (summary.files, summary.counts["lines"], summary.bytes) == (1, 300, lee_raw.stat().st_size)
    assert seen[-1] == ("preprocess", summary.bytes, summary.bytes)
    assert summary.megabytes_per_second > 0
    assert read(tmp_path / "out.txt") == defined(read(lee_raw))


def test_settings_reach_the_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("It's an Über-\nidea. Yes!\n")
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, "it's an über\nidea\nyes\n"),
        ({"unit": "paragraph"}, "it's an über idea\nyes\n"),
        ({"sentences": False}, "it's an über\nidea yes\n"),
        ({"lowercase": False}, "It's an Über\nIdea\nYes\n".replace("Idea", "idea")),
        ({"tokenizer": "ascii"}, "it s an ber\nidea\nyes\n"),
        ({"strip_accents": True}, "it's an uber\nidea\nyes\n"),
        ({"min_token_length": 3}, "it's über\nidea\nyes\n"),
        ({"max_token_length": 3}, "an\nyes\n"),
        ({"min_sentence_length": 2}, "it's an über\n"),
        ({"normalization": "NFD"}, "it's an u\u0308ber\nidea\nyes\n"),
    ]
    for options, expected in cases:
        preprocess(tmp_path / "in.txt", tmp_path / "out.txt", {"preprocess": options})
        assert read(tmp_path / "out.txt") == expected, options


def test_everything_dropped_or_replaced_is_counted(tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("# words\nThe\n\nof\n")
    (tmp_path / "in.txt").write_text(
        "The end of 1984, x!\nThe mail: a@b.org www.x.org/y http://z.org\nend\nEnd.\nyes of\n"
    )
    options = {
        "stop_words": str(tmp_path / "stop.txt"),
        "digits": "drop",
        "urls": "placeholder",
        "emails": "drop",
        "min_token_length": 2,
        "max_token_length": 4,
        "min_sentence_length": 1,
        "deduplicate": True,
    }
    summary = preprocess(tmp_path / "in.txt", tmp_path / "out.txt", {"preprocess": options})
    assert read(tmp_path / "out.txt") == "end\nmail <url> <url>\nyes\n"
    assert (summary.sentences, summary.tokens) == (3, 5)
    found = {name: number for name, number in summary.counts.items() if number}
    assert found == {
        "lines": 5,
        "stop_words": 4,
        "numbers": 1,
        "short_tokens": 1,
        "emails": 1,
        "urls": 2,
        "duplicate_sentences": 2,
    }


def test_short_sentences_are_counted(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("One. Two words. And three words. Four.\n")
    summary = preprocess(tmp_path / "in.txt", tmp_path / "out.txt", {"preprocess": {"min_sentence_length": 2}})
    assert read(tmp_path / "out.txt") == "two words\nand three words\n"
    assert (summary.counts["short_sentences"], summary.counts["short_sentence_tokens"]) == (2, 2)


def test_files_are_documents_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfThe end")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfA start\r\n"))
    config = {"preprocess": {"unit": "document"}}
    preprocess([tmp_path / "a.txt", tmp_path / "b.txt.gz"], tmp_path / "out.txt", config)
    assert read(tmp_path / "out.txt") == "the end\na start\n"


paragraphs = st.lists(st.text(st.sampled_from("ab. \n\r\fÄ'。B"), max_size=60), min_size=1, max_size=4)


@given(paragraphs, st.sampled_from(["line", "paragraph", "document"]), st.integers(8, 80), st.integers(5, 60))
@settings(max_examples=80)
def test_any_files_and_any_parts_give_the_definition(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], unit: Unit, size: int, piece: int
) -> None:
    """One by one, joined, in ranges, whole, compressed or fed: as `sentences_of` defines it."""
    folder = tmp_path_factory.mktemp("files")
    files = []
    for number, text in enumerate([*texts, "x"]):
        files.append(folder / f"{number}.txt")
        files[-1].write_bytes(b"\xef\xbb\xbf" + text.encode())
    joined = folder / "joined.txt"
    joined.write_bytes(b"".join(file.read_bytes() for file in files))
    packed = folder / "joined.txt.gz"
    packed.write_bytes(gzip.compress(joined.read_bytes()))
    expected = "".join(defined(text.replace("\r\n", "\n").replace("\r", "\n"), unit) for text in [*texts, "x"])
    config = {"preprocess": {"unit": unit, "workers": 1}}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RANGE_BYTES": size, "FED_BYTES": size, "WHOLE_BYTES": 30, "_PIECE_BYTES": piece}.items():
            patch.setattr(parts, name, value)
        for inputs in (files, joined, packed):
            preprocess(inputs, folder / "out", config)
            assert read(folder / "out") == expected


def a_text(seed: int, size: int) -> str:
    chance = random.Random(seed)
    words = [
        "Word",
        "another",
        "word.",
        "End!",
        "\n",
        "\n\n",
        "it's",
        "Über",
        "今日。",
        "Mr.",
        "x",
        "3.5",
        "\ufeff",
        "…",
    ]
    return " ".join(chance.choice(words) for _ in range(size))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("unit", ["line", "paragraph", "document"])
def test_any_number_of_workers_gives_the_same_bytes(tmp_path: Path, unit: Unit) -> None:
    texts = [a_text(seed, 1500) for seed in range(4)]
    (tmp_path / "texts").mkdir()
    for number, (text, ending) in enumerate(zip(texts, [".gz", "", ".xz", ""], strict=True)):
        (tmp_path / "texts" / f"{number}.txt{ending}").write_bytes(COMPRESS[ending](text.encode()))
    expected = "".join(defined(text, unit) for text in texts)
    for ending, workers in (("", 1), ("", 2), ("", 5), (".gz", 1), (".gz", 3), (".bz2", 2), (".xz", 2), (".zst", 2)):
        config = {"preprocess": {"unit": unit, "workers": workers}}
        output = tmp_path / f"{workers}.out{ending}"
        summary = preprocess(tmp_path / "texts", output, config)
        assert DECOMPRESS[ending](output.read_bytes()).decode() == expected
        assert summary.sentences == expected.count("\n")
    assert (tmp_path / "1.out.gz").read_bytes() == (tmp_path / "3.out.gz").read_bytes()


@pytest.mark.usefixtures("small_parts")
def test_a_line_far_longer_than_any_part(tmp_path: Path) -> None:
    text = "Start. " + "many words. And more " * 2000 + "x" * 9000 + " end\nNext line\n"
    (tmp_path / "plain.txt").write_text(text)
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("plain.txt", "packed.txt.gz"):
        for workers in (1, 3):
            preprocess(tmp_path / name, tmp_path / "out", {"preprocess": {"workers": workers}})
            assert read(tmp_path / "out") == defined(text)


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


@pytest.mark.parametrize("workers", [1, 3])
def test_files_that_cannot_be_read_are_left_out_whole(
    tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch, small_parts: None
) -> None:
    monkeypatch.setattr(parts, "WHOLE_BYTES", 10**6)
    (tmp_path / "a.txt").write_text(a_text(1, 800))
    chance = random.Random(1)
    text = "".join(chance.choice("abcdefgh .\n") for _ in range(60_000)).encode()
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text)[:-20_000])  # much of it could be read
    (tmp_path / "c.txt").write_bytes(b"\0\0\0")
    (tmp_path / "d.txt").write_text("The end. " + a_text(2, 800))
    names = [tmp_path / name for name in ("a.txt", "b.txt.gz", "c.txt", "d.txt")]
    for config in ({"workers": workers}, {"workers": workers, "deduplicate": True}):
        summary = preprocess(names, tmp_path / "out", {"preprocess": config}, on_error="skip")
        preprocess([names[0], names[3]], tmp_path / "good", {"preprocess": config})
        assert read(tmp_path / "out") == read(tmp_path / "good")
        assert list(summary.failed) == [str(names[1]), str(names[2])]
        assert "ends too early" in summary.failed[str(names[1])]
        assert "not text" in summary.failed[str(names[2])]
        assert summary.files == 2
        assert summary.tokens == len(read(tmp_path / "out").split())
        assert [warning.split(": ")[0] for warning in summary.warnings] == ["left out", "left out"]
    with pytest.raises(W2VError, match="ends too early"):
        preprocess(names, tmp_path / "out", {"preprocess": {"workers": workers}})
    with pytest.raises(W2VError, match=r"c\.txt: not text"):
        preprocess(names[2:3], tmp_path / "out", on_error="skip")


def test_the_output_may_not_be_an_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words\n")
    with pytest.raises(W2VError, match=r"a.txt: is also an input"):
        preprocess(tmp_path, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "words\n"


def test_long_sentences_and_odd_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"word " * 25_000 + b"\ncaf\xe9\n")
    summary = preprocess(tmp_path / "a.txt", tmp_path / "out.txt")
    assert (summary.counts["split"], summary.counts["undecodable"], summary.sentences) == (1, 1, 4)
    lengths = [len(line.split()) for line in (tmp_path / "out.txt").read_text().splitlines()]
    assert lengths == [10_000, 10_000, 5_000, 1]
    assert [warning.partition(":")[0] for warning in summary.warnings] == [
        "1 sentence of over 10,000 tokens split",
        str(tmp_path / "a.txt"),
    ]


@pytest.mark.usefixtures("small_parts")
def test_bytes_that_are_no_text_are_refused_with_their_place(tmp_path: Path) -> None:
    text = a_text(3, 900).encode()
    (tmp_path / "a.txt").write_bytes(text + b"\ncaf\xe9\n")
    for workers in (1, 2):
        with pytest.raises(W2VError, match=rf"a\.txt: byte {len(text) + 4:,} cannot be decoded as utf-8"):
            config = {"preprocess": {"bad_bytes": "refuse", "workers": workers}}
            preprocess(tmp_path / "a.txt", tmp_path / "out.txt", config)


@pytest.mark.usefixtures("small_parts")
def test_other_encodings(tmp_path: Path) -> None:
    text = a_text(4, 900).replace("今日。", "naïve").replace("\ufeff", "é").replace("…", "à")
    for encoding in ("latin-1", "utf-16-le", "cp1252"):
        (tmp_path / "a.txt").write_bytes(text.encode(encoding))
        preprocess(tmp_path / "a.txt", tmp_path / "out", {"preprocess": {"encoding": encoding, "workers": 2}})
        assert read(tmp_path / "out") == defined(text)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_break_in_a_unit_that_is_fed_is_said(tmp_path: Path, workers: int) -> None:
    packed = gzip.compress(a_text(7, 9000).replace("\n", " ").encode())
    (tmp_path / "a.txt.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "b.txt").write_text("Good text.")
    for unit in ("line", "document"):
        config = {"preprocess": {"unit": unit, "workers": workers}}
        with pytest.raises(W2VError, match=r"a\.txt\.gz: the compressed data ends too early"):
            preprocess(tmp_path / "a.txt.gz", tmp_path / "out", config)
        inputs = [tmp_path / "a.txt.gz", tmp_path / "a.txt.gz", tmp_path / "a.txt.gz", tmp_path / "b.txt"]
        summary = preprocess(inputs, tmp_path / "out", config, on_error="skip")
        assert (read(tmp_path / "out"), summary.tokens) == ("good text\n", 2)


@pytest.mark.usefixtures("small_parts")
def test_large_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"some text\n\0" * 1000)
    with pytest.raises(W2VError, match=r"a\.txt: not text; it holds NUL bytes"):
        preprocess(tmp_path / "a.txt", tmp_path / "out")


def explode(text: str) -> list[str]:
    if text == "boom":
        raise ValueError(text)
    return [text]


def test_after_a_tokenizer_has_failed_the_next_file_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello world boom\n")
    (tmp_path / "b.txt").write_text("hello world again\n")
    config = {"preprocess": {"tokenizer": "tests.test_preprocessing:explode", "workers": 1}}
    summary = preprocess([tmp_path / "a.txt", tmp_path / "b.txt"], tmp_path / "out", config, on_error="skip")
    assert read(tmp_path / "out") == "hello world again\n"
    assert list(summary.failed) == [str(tmp_path / "a.txt")]


# ---------------------------------------------------------------- formats


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("workers", [1, 3])
def test_records_are_documents(tmp_path: Path, workers: int) -> None:
    texts = [a_text(seed, 40) for seed in range(60)]
    config = {"preprocess": {"unit": "paragraph", "workers": workers, "field": "a.text"}}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"a": {"text": text}}) + "\n" for text in texts))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    expected = "".join(defined(text, "paragraph") for text in texts)
    for name in ("a.jsonl", "b.jsonl.gz"):
        summary = preprocess(tmp_path / name, tmp_path / "out", config)
        assert read(tmp_path / "out") == expected
        assert summary.counts["documents"] == 60
        assert "lines" not in summary.counts


@pytest.mark.usefixtures("small_parts")
def test_a_line_of_a_range_is_numbered_in_the_file(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"words {number}"}) for number in range(200)]
    lines[150] = "{"
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    for workers in (1, 2):
        with pytest.raises(W2VError, match=r"a\.jsonl: line 151: not JSON"):
            preprocess(tmp_path / "a.jsonl", tmp_path / "out", {"preprocess": {"workers": workers}})


def test_parquet_alone(tmp_path: Path) -> None:
    need("pyarrow", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    texts = [a_text(seed, 40) for seed in range(60)]
    table = pyarrow.table({"text": texts})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet", row_group_size=7)
    config = {"preprocess": {"unit": "paragraph", "workers": 2}}
    summary = preprocess(tmp_path / "a.parquet", tmp_path / "out", config)
    assert read(tmp_path / "out") == "".join(defined(text, "paragraph") for text in texts)
    assert (summary.counts["documents"], summary.bytes) == (60, sum(len(text.encode()) for text in texts))


def test_a_field_that_no_record_has_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "yes"}\n{"body": "no"}\n')
    with pytest.raises(W2VError, match=r"no text in text of any of 2 records; preprocess\.field\?"):
        preprocess(tmp_path / "a.jsonl", tmp_path / "out")
    (tmp_path / "a.csv").write_text("1,yes\n2,no\n")
    preprocess(tmp_path / "a.csv", tmp_path / "out", {"preprocess": {"field": 2}})
    assert read(tmp_path / "out") == "yes\nno\n"


def test_that_all_was_dropped_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("One. Two.\n")
    with pytest.raises(W2VError, match="nothing is left, all was dropped: short sentences 2; nothing was written"):
        preprocess(tmp_path / "a.txt", tmp_path / "out", {"preprocess": {"min_sentence_length": 9}})


def test_records_without_text_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "yes"}\n{"txt": "no"}\n{"text": 3}\n')
    summary = preprocess(tmp_path / "a.jsonl", tmp_path / "out")
    assert (summary.sentences, summary.counts["records_without_text"]) == (1, 2)
    assert summary.warnings == ("2 records without text; is it in another field than text?",)


# ---------------------------------------------------------------- shards


SHARDED = {"preprocess": {"unit": "line", "workers": 2}}


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("out-*.txt.gz"))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("extra", [{}, {"deduplicate": True}, {"phrases": {"passes": 1, "min_count": 2}}])
def test_shards_hold_what_one_file_would_and_are_resumed(tmp_path: Path, extra: dict[str, Any]) -> None:
    text = a_text(5, 4000)
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(text.encode() + b"More. And more."))
    inputs = [tmp_path / "a.txt", tmp_path / "b.txt.gz"]
    config = {"preprocess": {"workers": 2, **extra}}
    whole = preprocess(inputs, tmp_path / "whole.txt", config)
    output = tmp_path / "out.txt.gz"
    first = preprocess(inputs, output, config, shard_size=3000)
    assert first.shards == tuple(map(str, shards(tmp_path)))
    sizes = [len(gzip.decompress(path.read_bytes())) for path in shards(tmp_path)]
    assert len(sizes) >= 2
    assert all(3000 <= size < 3300 for size in sizes[:-1])
    joined = b"".join(gzip.decompress(path.read_bytes()) for path in shards(tmp_path)).decode()
    assert joined == read(tmp_path / "whole.txt")
    assert (first.sentences, first.tokens, first.counts) == (whole.sentences, whole.tokens, whole.counts)
    before = {path: path.read_bytes() for path in shards(tmp_path)}
    # again: nothing is to be done
    again = preprocess(inputs, output, config, shard_size=3000)
    assert (again.shards_kept, again.sentences) == (len(before), whole.sentences)
    # without some of them, it goes on at the first that is missing
    for lost in ([len(before) - 1], [1], range(1, len(before)), range(len(before))):
        for number in lost:
            shards(tmp_path)[min(lost)].unlink()
            del number
        resumed = preprocess(inputs, output, config, shard_size=3000)
        assert {path: path.read_bytes() for path in shards(tmp_path)} == before
        assert resumed.shards_kept == min(lost)
        assert (resumed.sentences, resumed.tokens, resumed.counts) == (whole.sentences, whole.tokens, whole.counts)
    # another text, or other settings: anew, and what is no longer one of the shards goes
    (tmp_path / "a.txt").write_text("One sentence. And another.\n")
    anew = preprocess(tmp_path / "a.txt", output, config, shard_size=3000)
    assert (anew.shards_kept, len(shards(tmp_path))) == (0, 1)


def test_shards_of_an_interrupted_run_are_kept(tmp_path: Path, small_parts: None) -> None:
    (tmp_path / "a.txt").write_text(a_text(6, 4000))
    calls = 0

    def interrupt(what: str, done: int, total: int | None) -> None:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess(tmp_path / "a.txt", tmp_path / "out.txt.gz", SHARDED, shard_size=2000, progress=interrupt)
    left = shards(tmp_path)
    assert 1 < len(left) < 9
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    summary = preprocess(tmp_path / "a.txt", tmp_path / "out.txt.gz", SHARDED, shard_size=2000)
    assert summary.shards_kept == len(left)
    joined = b"".join(gzip.decompress(path.read_bytes()) for path in shards(tmp_path)).decode()
    assert joined == defined(read(tmp_path / "a.txt"))


def test_shards_replace_no_input(tmp_path: Path) -> None:
    (tmp_path / "out-00001.txt").write_text("Some words.\n")
    with pytest.raises(W2VError, match="is an input, and has the name of a shard"):
        preprocess(tmp_path / "out-00001.txt", tmp_path / "out.txt", shard_size=100)
    assert read(tmp_path / "out-00001.txt") == "Some words.\n"


@pytest.mark.parametrize("name", ["in", "in/*.txt", "**/*.txt", "in/**/[ab]*"])
def test_an_output_that_the_next_run_would_read_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("Some words.\n")
    with pytest.raises(W2VError, match=r"b\.txt: would be an input the next time, of "):
        preprocess(tmp_path / name, tmp_path / "in" / "b.txt")
    preprocess(tmp_path / "in" / "*.txt", tmp_path / "in" / "b.tokens")
    preprocess(tmp_path / "in" / "a.txt", tmp_path / "in" / "b.txt")
    assert read(tmp_path / "in" / "b.txt") == read(tmp_path / "in" / "b.tokens") == "some words\n"


def test_utf_16_without_a_mark_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Größe und Maß".encode("utf-16-be"))
    with pytest.raises(W2VError, match=r"NUL bytes; is it UTF-16\? .*preprocess.encoding=utf-16-be reads that"):
        preprocess(tmp_path / "a.txt", tmp_path / "out")
    preprocess(tmp_path / "a.txt", tmp_path / "out", {"preprocess": {"encoding": "utf-16-be"}})
    assert read(tmp_path / "out") == "größe und maß\n"


def test_shards_of_other_words_to_drop_are_made_anew(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one two three\n" * 50)
    config = {"preprocess": {"stop_words": str(tmp_path / "stop")}}
    (tmp_path / "stop").write_text("one\n")
    preprocess(tmp_path / "a.txt", tmp_path / "out.txt", config, shard_size=100)
    (tmp_path / "stop").write_text("two\n")
    summary = preprocess(tmp_path / "a.txt", tmp_path / "out.txt", config, shard_size=100)
    assert summary.shards_kept == 0
    assert {line for path in tmp_path.glob("out-*") for line in read(path).splitlines()} == {"one three"}


@pytest.mark.usefixtures("small_parts")
def test_what_was_left_out_is_known_after_an_interruption(tmp_path: Path) -> None:
    (tmp_path / "bad.txt").write_bytes(b"\0")
    (tmp_path / "good.txt").write_text(a_text(8, 2000))
    inputs = [tmp_path / "bad.txt", tmp_path / "good.txt"]
    first = preprocess(inputs, tmp_path / "out.txt", shard_size=2000, on_error="skip")
    Path(first.shards[-1]).unlink()
    second = preprocess(inputs, tmp_path / "out.txt", shard_size=2000, on_error="skip")
    assert (second.failed, second.files, second.warnings) == (first.failed, 1, first.warnings)
    assert second.shards_kept == len(first.shards) - 1


def test_shards_are_files_here(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    for output in ("-", "s3://bucket/out.txt"):
        with pytest.raises(W2VError, match="shards are files in a folder of this computer"):
            preprocess(tmp_path / "a.txt", output, shard_size=100)


def test_a_manifest_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "out.shards.json").write_text("[1")
    with pytest.raises(W2VError, match=r"out\.shards\.json: cannot be read; remove it"):
        preprocess(tmp_path / "a.txt", tmp_path / "out.txt", shard_size=100)


# ---------------------------------------------------------------- phrases

NEW_YORK = "I saw New York. The New York we saw! Old York, new New York.\nWe saw old things.\n" * 20
PHRASES = {"passes": 1, "min_count": 30, "threshold": 0.01}


def test_phrases_are_learned_saved_and_used_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(NEW_YORK)
    summary = preprocess(tmp_path / "a.txt", tmp_path / "out.txt", {"preprocess": {"phrases": PHRASES}})
    assert read(tmp_path / "out.txt").splitlines()[:2] == ["i saw new_york", "the new_york we_saw"]
    assert summary.phrases == f"{tmp_path}/out.txt.phrases.json"
    assert summary.tokens == len(read(tmp_path / "out.txt").split())
    (tmp_path / "b.txt").write_text("In New York City\n")
    again = preprocess(tmp_path / "b.txt", tmp_path / "b.out", phrases=summary.phrases)
    assert read(tmp_path / "b.out") == "in new_york city\n"
    assert (again.warnings, again.tokens) == ((), 3)
    config = {"preprocess": {"lowercase": False}}
    other = preprocess(tmp_path / "b.txt", tmp_path / "b.out", config, phrases=summary.phrases)
    assert other.warnings == (f"{summary.phrases}: found in text with preprocess.lowercase: true; here it is false",)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a.txt", "b.out", "b.txt", "out.txt", "out.txt.phrases.json",
    ]  # fmt: skip


def test_the_best_phrases_are_shown_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(NEW_YORK)
    found = top_phrases(tmp_path / "a.txt", 1, {"preprocess": {"phrases": {**PHRASES, "passes": 0}}})
    assert [(phrase.text, phrase.count) for phrase in found] == [("new_york", 60)]
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_phrases_need_a_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(NEW_YORK)
    with pytest.raises(W2VError, match="phrases are saved beside the output"):
        preprocess(tmp_path / "a.txt", "-", {"preprocess": {"phrases": PHRASES}})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=repr)
@pytest.mark.parametrize(
    ("name", "field", "records"),
    [
        ("a.tsv", "1", ["one two\tx", "three four\ty"]),
        ("a.csv", "t", ["t,n", "one two,x", '"three four",y']),
        ("a.jsonl", "text", ['{"text": "one two"}', '{"text": "three four"}']),
        ("a.txt", "text", ["one two", "three four"]),
    ],
)
def test_lines_of_records_may_end_in_any_way(
    name: str, field: str, records: list[str], end: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes("".join(record + end for record in records).encode())
    preprocess(tmp_path / name, tmp_path / "out.txt", {"preprocess": {"field": field}})
    assert (tmp_path / "out.txt").read_text() == "one two\nthree four\n"
    with gzip.open(tmp_path / f"{name}.gz", "wb") as stream:
        stream.write((tmp_path / name).read_bytes())
    with mock.patch.multiple(parts, WHOLE_BYTES=1):  # so that it is fed
        preprocess(tmp_path / f"{name}.gz", tmp_path / "out.txt", {"preprocess": {"field": field}})
    assert (tmp_path / "out.txt").read_text() == "one two\nthree four\n"


# ---------------------------------------------------------------- memory

SENTENCE = b"It was the best of times, it was the worst of times; nobody could tell. "
LARGE = 2_000_000_000


@pytest.mark.slow
@pytest.mark.parametrize("piece", [SENTENCE * 13_000 + b"\n", SENTENCE * 14_000, b"a" * 1_000_000])
@pytest.mark.parametrize("workers", [1, 2])
def test_memory_grows_neither_with_a_file_nor_with_a_line(tmp_path: Path, piece: bytes, workers: int) -> None:
    """Two gigabytes of lines, of one line, and of one word."""
    with (tmp_path / "large.txt").open("wb") as file:
        for _ in range(LARGE // len(piece)):
            file.write(piece)
    command = [sys.executable, "-m", "w2vcli", "preprocess", str(tmp_path / "large.txt"), "-q", "-o", "/dev/null"]
    _, peak, _, _ = timed([*command, "--set", f"preprocess.workers={workers}"])
    assert peak < 300e6
    (tmp_path / "large.txt").unlink()


@pytest.mark.slow
@pytest.mark.parametrize(("letters", "length", "joint"), [("абвгдежзийклмнопрстуфхцчшщ", 3, ""), ("abcdefgh", 20, "؟")])
def test_memory_does_not_grow_with_the_number_of_words(tmp_path: Path, letters: str, length: int, joint: str) -> None:
    """Many short ones, and many that are cut into pieces."""
    chance = random.Random(1)
    with (tmp_path / "many.txt").open("w", encoding="utf-8") as file:
        for _ in range(16_000_000 // (3 * length)):
            file.write(joint.join(chance.choices(letters, k=length)) + " ")
    command = [sys.executable, "-m", "w2vcli", "preprocess", str(tmp_path / "many.txt"), "-q", "-o", "/dev/null"]
    _, peak, _, _ = timed([*command, "--set", "preprocess.workers=1"])
    assert peak < 300e6
