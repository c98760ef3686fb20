from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.errors import W2VError
from w2vcli.preprocessing.decoding import Decoder, may_be_cut, with_newlines

ENCODINGS = [
    *("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"),
    *("latin-1", "cp1252", "koi8-r", "gb18030", "shift_jis"),
]
MARK = "\ufeff"


def decoded(
    pieces: Sequence[bytes], encoding: str, refuse: bool = False, start: int = 0, counts: Counter[str] | None = None
) -> bytes:
    counts = Counter() if counts is None else counts
    return b"".join(Decoder("some.txt", encoding, refuse).decoded(pieces, counts, start))


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in cuts), len(data)]
    return [data[first:last] for first, last in pairwise(places)]


def held_by(text: str, encoding: str) -> str:
    """Return what of a text an encoding has characters for."""
    return text.encode(encoding, "ignore").decode(encoding)


def with_mark(data: bytes, encoding: str) -> bytes:
    """Return data that begins with a byte-order mark where that has to say the order of bytes."""
    return MARK.encode(f"{encoding}-be") + data if encoding in ("utf-16", "utf-32") else data


CUTS = st.lists(st.integers(0, 10_000), max_size=6)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text("\r\n\ufeffaéЖ中あ😀\u2028\ufffd\x85\0", max_size=30),
)
BYTES = st.one_of(
    st.binary(max_size=30),
    st.lists(
        st.sampled_from([b"a", b"\xc3\xa9", b"\xe4\xb8", b"\xf0\x9f\x98\x80", b"\x80", b"\xef\xbf\xbd", b"\xff", b"\r"])
    ).map(b"".join),
)


# ---------------------------------------------------------------- good text


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(TEXTS, CUTS, st.booleans())
def test_any_pieces_are_the_text(encoding: str, text: str, cuts: list[int], refuse: bool) -> None:
    data = held_by(text, encoding).encode(encoding)
    counts: Counter[str] = Counter()
    reading = "utf-8" if encoding == "utf-8-sig" else encoding  # of two marks it takes the first
    expected = data.decode(reading).removeprefix(MARK)
    assert decoded(cut(data, cuts), encoding, refuse, counts=counts).decode() == expected
    assert counts["bytes"] == len(data)
    if "\ufffd" not in text or encoding.startswith("utf-8"):
        assert counts["undecodable"] == 0


@pytest.mark.parametrize("encoding", [name for name in ENCODINGS if held_by(MARK, name) and name != "utf-8-sig"])
def test_a_mark_is_gone_at_the_start_only(encoding: str) -> None:
    for size in (1, 2, 3, 100):
        data = f"{MARK}a{MARK}\nb{MARK}".encode(encoding)
        pieces = [data[place : place + size] for place in range(0, len(data), size)]
        assert decoded(pieces, encoding).decode() == f"a{MARK}\nb{MARK}"


def test_a_mark_after_a_short_first_piece_is_kept() -> None:
    assert decoded([b"a", f"{MARK}b".encode()], "utf-8").decode() == f"a{MARK}b"
    assert decoded([b"", b"", MARK.encode()[:2], MARK.encode()[2:]], "utf-8") == b""


def test_a_mark_within_a_source_is_kept() -> None:
    assert decoded([f"{MARK}a".encode()], "utf-8", start=5).decode() == f"{MARK}a"


@given(st.binary(max_size=30).map(lambda data: data.replace(b"z", b"\r\n")), CUTS)
def test_newlines(data: bytes, cuts: list[int]) -> None:
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert b"".join(with_newlines(cut(data, cuts))) == expected


# ---------------------------------------------------------------- bad bytes


def count_bad(data: bytes) -> int:
    """Return how many U+FFFD Python puts where it cannot decode UTF-8."""
    bad = 0

    def note(error: UnicodeError) -> tuple[str, int]:
        nonlocal bad
        assert isinstance(error, UnicodeDecodeError)
        bad += 1
        return "\ufffd", error.end

    codecs.register_error("w2v-test-note", note)
    data.decode("utf-8", "w2v-test-note")
    return bad


@given(BYTES, CUTS)
def test_bad_bytes_of_utf8_are_replaced_and_counted(data: bytes, cuts: list[int]) -> None:
    counts: Counter[str] = Counter()
    text = decoded(cut(data, cuts), "utf-8", counts=counts, start=1).decode()
    assert text == data.decode(errors="replace")
    assert counts["undecodable"] == count_bad(data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252", "gb18030", "shift_jis", "ascii"])
@given(BYTES, CUTS)
def test_bad_bytes_of_others_are_replaced_and_counted(encoding: str, data: bytes, cuts: list[int]) -> None:
    data = with_mark(data, encoding)
    counts: Counter[str] = Counter()
    text = decoded(cut(data, cuts), encoding, counts=counts).decode()
    expected = data.decode(encoding, "replace")
    assert text == expected.removeprefix(MARK)
    assert counts["undecodable"] == expected.count("\ufffd")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "cp1252", "gb18030", "shift_jis", "ascii"])
@given(BYTES, CUTS, st.sampled_from([0, 1, 1000]))
def test_refused_bytes_are_told_by_their_place(encoding: str, data: bytes, cuts: list[int], start: int) -> None:
    start, data = start if may_be_cut(encoding) else 0, with_mark(data, encoding)
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        place = start + error.start
        with pytest.raises(W2VError) as refused:
            decoded(cut(data, cuts), encoding, True, start)
        assert str(refused.value).startswith(f"some.txt: byte {place:,} cannot be decoded as {encoding}: ")
    else:
        decoded(cut(data, cuts), encoding, True, start)


def test_what_a_refusal_says() -> None:
    with pytest.raises(W2VError) as refused:
        decoded([b"a" * 1999, "é".encode()[:1], b"bc"], "utf-8", True, start=10_000)
    assert str(refused.value) == (
        "some.txt: byte 11,999 cannot be decoded as utf-8: invalid continuation byte; "
        "give preprocess.encoding, or bad_bytes: replace"
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("refuse", [False, True])
def test_without_a_mark_the_order_of_bytes_must_be_given(encoding: str, refuse: bool) -> None:
    data = "ab".encode(f"{encoding}-le")
    with pytest.raises(W2VError, match=f"some.txt: cannot be decoded as {encoding}: .* BOM; give preprocess.encoding"):
        decoded([data], encoding, refuse)
    assert decoded([data], f"{encoding}-le", refuse) == b"ab"


def test_text_before_refused_bytes_is_given() -> None:
    texts = Decoder("some.txt", "utf-8", True).decoded([b"good\n", b"\xff"], Counter())
    assert next(texts) == b"good\n"
    with pytest.raises(W2VError, match="byte 5 "):
        next(texts)


def test_a_replacement_that_stands_in_the_text_is_not_counted() -> None:
    counts: Counter[str] = Counter()
    assert decoded(["\ufffd".encode() + b"\xff\xf0\x9f", b"\xef\xbf", b"\xbd"], "utf-8", counts=counts).decode() == (
        "\ufffd" * 4
    )
    assert counts == {"bytes": 9, "undecodable": 2}


# ---------------------------------------------------------------- cutting


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        *((name, True) for name in ("utf-8", "UTF8", "utf-8-sig", "ascii", "latin-1", "iso-8859-15", "cp1252")),
        *((name, True) for name in ("koi8-r", "gb18030", "gbk", "big5", "euc-jp", "shift_jis")),
        *((name, False) for name in ("utf-16", "utf-16-le", "utf-32", "utf-7", "iso2022_jp", "hz", "cp037")),
    ],
)
def test_what_may_be_cut(encoding: str, expected: bool) -> None:
    assert may_be_cut(encoding) is expected


@pytest.mark.parametrize("encoding", [name for name in [*ENCODINGS, "big5", "euc-jp", "cp949"] if may_be_cut(name)])
def test_byte_10_is_a_newline_wherever_text_may_be_cut(encoding: str) -> None:
    everything = "".join(map(chr, [*range(0x20, 0xD800), *range(0xE000, 0x20000)]))
    assert b"\n" not in everything.encode(encoding, "ignore")
