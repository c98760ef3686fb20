from __future__ import annotations

import gzip
import hashlib
import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.compression import COMPRESS
from w2vcli import sources
from w2vcli.errors import W2VError
from w2vcli.sources import Source, expand, open_bytes, open_text


def read(path: Path) -> list[str]:
    with open_text(Source(str(path))) as lines:
        return list(lines)


def names(*inputs: str | Path) -> list[str]:
    return [Path(source.name).name for source in expand(inputs)]


@pytest.mark.parametrize("extension", COMPRESS)
@given(text=st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=25)
def test_whatever_the_compression_the_text_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, extension: str, text: str
) -> None:
    path = tmp_path_factory.mktemp("source") / f"text.txt{extension}"
    path.write_bytes(COMPRESS[extension](text.encode()))
    assert "".join(read(path)) == text
    assert all(line.endswith("\n") for line in read(path)[:-1])


def test_compression_is_known_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"text\n"))
    (tmp_path / "b.gz").write_bytes(b"text\n")
    assert read(tmp_path / "a.txt") == read(tmp_path / "b.gz") == ["text\n"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding_and_vanishes(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("Straße\nпуть\n".encode(encoding))
    assert read(path) == ["Straße\n", "путь\n"]


def test_line_ends_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"dos\r\nmac\runix\nlast")
    assert read(path) == ["dos\n", "mac\n", "unix\n", "last"]


def test_bytes_that_are_no_text_are_marked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("café".encode("latin-1") + b" ok\n")
    assert read(path) == ["caf\ufffd ok\n"]


def test_long_lines_come_in_pieces_cut_at_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LINE_PIECE", 10)
    path = tmp_path / "a.txt"
    path.write_text("one two three four five\nsix\n" + "x" * 60 + " end\n")
    pieces = read(path)
    assert "".join(pieces) == path.read_text()
    assert pieces[:3] == ["one two ", "three four ", "five\n"]
    assert "six\n" in pieces
    assert max(map(len, pieces)) <= 50  # a word without end is cut at some point


def test_globs_folders_and_files_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt", ".hidden", ".git/d.txt", "empty.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("" if name == "empty.txt" else "text\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    (tmp_path / "utf16.txt").write_bytes("text".encode("utf-16"))
    assert names(tmp_path) == ["a.txt", "b.txt", "utf16.txt", "c.txt"]
    skipped: list[str] = []
    expand([tmp_path], skipped)
    assert skipped == [str(tmp_path / "picture.png")]
    assert names(tmp_path / "*.txt") == ["a.txt", "b.txt", "empty.txt", "utf16.txt"]
    assert names(tmp_path / "**" / "[bc].txt") == ["b.txt", "c.txt"]
    assert names(tmp_path / "b.txt", tmp_path / "a.txt") == ["b.txt", "a.txt"]
    (tmp_path / "odd[1].txt").write_text("x")
    assert names(tmp_path / "odd[1].txt") == ["odd[1].txt"]
    assert names("-", "s3://bucket/key") == ["-", "key"]


def test_inputs_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"\x89PNG\0\0")
    for name, message in {
        "none.txt": "no such file or folder",
        "*.txt": "no file matches",
        "pictures": "no text file in this folder",
    }.items():
        with pytest.raises(W2VError) as caught:
            expand([tmp_path / name])
        assert str(caught.value) == f"{tmp_path / name}: {message}"


@pytest.mark.parametrize("extension", [".gz", ".bz2", ".xz", ".zst"])
def test_truncated_and_damaged_files(tmp_path: Path, extension: str) -> None:
    whole = COMPRESS[extension](os.urandom(5000).hex().encode() + b"\n")
    path = tmp_path / f"a{extension}"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(W2VError, match=f"^{path}: the compressed data ends too early; the file is truncated"):
        read(path)
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    damaged[-9:] = b"\x55" * 9
    path.write_bytes(damaged)
    with pytest.raises(W2VError, match=f"^{path}: "):
        read(path)


def test_binary_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc\0def")
    with pytest.raises(W2VError, match="not text; it holds NUL bytes"):
        read(path)


def test_progress_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    seen: list[int] = []
    digest = hashlib.sha256()
    with open_text(Source(str(path)), seen.append, digest) as lines:
        assert list(lines) == ["one\n", "two\n"]
    assert seen[-1] == path.stat().st_size
    assert digest.hexdigest() == hashlib.sha256(b"one\ntwo\n").hexdigest()


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_bytes_are_utf8_whatever_the_source_is(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2vcli.sources.LINE_PIECE", 5)
    stored = "one\nzwei drä\n".encode(codec)
    path = tmp_path / "a.txt"
    path.write_bytes(stored)
    seen: list[int] = []
    digest = hashlib.sha256()
    with open_bytes(Source(str(path)), seen.append, digest) as pieces:
        assert b"".join(pieces).decode() == "one\nzwei drä\n"
    assert seen[-1] == len(stored)
    assert digest.hexdigest() == hashlib.sha256(stored).hexdigest()


def test_standard_input_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(gzip.compress(b"one\n"))))
    monkeypatch.setattr("sys.stdin", stdin)
    with open_text(Source("-")) as lines:
        assert list(lines) == ["one\n"]
    assert not stdin.buffer.closed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("azure://box/a.txt", "the library for it is not installed; pip install 'w2vcli[azure]'"),
        ("gopher://host/a.txt", "no way is known to open gopher://"),
    ],
)
def test_places_that_cannot_be_read(name: str, message: str) -> None:
    with pytest.raises(W2VError) as caught, open_text(Source(name)) as lines:
        list(lines)
    assert str(caught.value) == f"{name}: {message}"


def test_over_http(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2vcli.sources.steady.BACKOFF", 0)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    with open_text(Source(f"{server}/a.txt.gz")) as lines:
        assert list(lines) == ["one\n", "two\n"]
    for name in ("none.txt", "cut.txt"):
        with pytest.raises(W2VError) as caught, open_text(Source(f"{server}/{name}")) as lines:
            list(lines)
        assert str(caught.value).startswith(f"{server}/{name}: ")
        assert "\n" not in str(caught.value)
