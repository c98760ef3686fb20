from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli.preprocessing import memo
from w2vcli.preprocessing.tokenizing import SentenceReader
from w2vcli.text import (
    MAX_SENTENCE_BYTES,
    MAX_TOKENS,
    LineCounts,
    Rules,
    Unit,
    chunks_of,
    sentences_of,
)

LINE_END = "\r\n|\r|\n"
UNITS: list[Unit] = ["line", "paragraph", "document"]
RULES = [
    Rules(),
    Rules(tokenizer="ascii"),
    Rules(tokenizer=list),
    Rules(tokenizer=lambda text: [text[:2], " ", text[2:] + " x\n", "!"]),
    Rules(normalization="NFKC", lowercase="casefold", strip_accents=True, digits="zero", urls="drop"),
    Rules(
        digits="drop",
        min_length=2,
        max_length=4,
        urls="placeholder",
        emails="placeholder",
        stop_words=frozenset({"ab", "the"}),
    ),
]


def lines_of(output: bytes) -> list[list[str]]:
    """Return the sentences that a reader gave."""
    assert output == b"" or output.endswith(b"\n")
    return [line.split(" ") for line in output.decode().split("\n")[:-1]]


def pieces_of(text: str, cuts: list[int]) -> list[bytes]:
    """Return the text's bytes, cut at those places, also within characters."""
    encoded = text.encode()
    places = [0, *sorted(cut % (len(encoded) + 1) for cut in cuts), len(encoded)]
    return [encoded[first:last] for first, last in pairwise(places)]


def read(reader: SentenceReader, text: str, cuts: list[int] | None = None) -> list[list[str]]:
    return lines_of(b"".join(map(reader.read, pieces_of(text, cuts or []))) + reader.finish())


def recounted(
    text: str, rules: Rules, unit: Unit, split: bool, min_tokens: int, longest: int = 1 << 20
) -> dict[str, int]:
    """Return what a reader should count, worked out otherwise than it does."""
    kept = sentences_of(text, rules, unit, split, min_tokens, longest)
    everything = sentences_of(text, rules, unit, split, 1, longest)
    short = [sentence for sentence in everything if len(sentence) < min_tokens]
    counts = Counter(
        lines=len(re.findall(LINE_END, text)) + (text != "" and text[-1] not in "\r\n"),
        sentences=len(kept),
        tokens=sum(map(len, kept)),
        short_sentences=len(short),
        short_sentence_tokens=sum(map(len, short)),
    )
    for line in re.split(LINE_END, text):
        for chunk in chunks_of(line, longest):
            found = LineCounts()
            rules.tokens_of_lines(chunk, found)
            for what, place, number in found.found:
                assert place == 0
                counts[what] += number
    return {what: number for what, number in counts.items() if number}


def nonzero(counts: Counter[str]) -> dict[str, int]:
    return {what: number for what, number in counts.items() if number}


NASTY = [
    "aB1. \n",
    "a. \r\n",
    "a-'b \r",
    "Aa.!?\"“”')…\n \u3000",
    "ab \t\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000\n",
    "\u200b\u180e\u2060\ufeffa.B \n",  # U+200B and the like are no white space
    "\ufeff\n a.B",
    "今は。！？」』、，と3\n \ufeff",
    "e\u0301\u0323\u200d\u200c\u093f☝🏽\ufe0f❤ \n",
    "😀🇩🇪\u200d\u20e3#1 ",
    "0१٣½² .,\n",
    "\0a \n.B",
    "हि।॥۔؟ نع\n",
    "iIİıßΣσςǅ. ",
]
WORDS = st.sampled_from(
    [
        "Mr.",
        "U.S.",
        "The",
        "end.",
        "I",
        "http://a.b/c?d",
        "me@a.org",
        "“What?”",
        "[1]",
        "3.",
        "はい。はい",
        "it’s",
        "\n\n",
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(NASTY).flatmap(lambda alphabet: st.text(alphabet, max_size=120)),
    st.lists(st.one_of(WORDS, st.text("".join(NASTY), max_size=8))).map(" ".join),
    st.lists(st.one_of(WORDS, st.text("".join(NASTY), max_size=8))).map("\n".join),
)
MEMORIES = st.sampled_from([(400_000, 1 << 24), (3, 1 << 24), (400_000, 8)])


@given(
    TEXTS,
    st.lists(st.integers(0, 10_000), max_size=8),
    st.sampled_from(UNITS),
    st.booleans(),
    st.integers(1, 4),
    st.sampled_from(RULES),
    st.one_of(st.integers(1, 60), st.just(1 << 20)),
    st.one_of(st.integers(4, 40), st.just(1 << 20)),
    MEMORIES,
)
@settings(max_examples=300)
def test_reader_gives_what_is_defined(
    text: str,
    cuts: list[int],
    unit: Unit,
    split: bool,
    min_tokens: int,
    rules: Rules,
    piece_bytes: int,
    longest: int,
    memory: tuple[int, int],
) -> None:
    with mock.patch.multiple(memo, _MOST_CHUNKS=memory[0], _MOST_BYTES=memory[1]):
        reader = SentenceReader(rules, unit, split, min_tokens, piece_bytes, longest)
        assert read(reader, text, cuts) == sentences_of(text, rules, unit, split, min_tokens, longest)
    assert nonzero(reader.counts) == recounted(text, rules, unit, split, min_tokens, longest)


@given(st.lists(TEXTS, max_size=6), st.sampled_from(UNITS), st.sampled_from(RULES), st.integers(1, 40), MEMORIES)
@settings(max_examples=50)
def test_texts_in_a_row_do_not_touch(
    texts: list[str], unit: Unit, rules: Rules, piece_bytes: int, memory: tuple[int, int]
) -> None:
    with mock.patch.multiple(memo, _MOST_CHUNKS=memory[0], _MOST_BYTES=memory[1]):
        reader = SentenceReader(rules, unit, min_tokens=2, piece_bytes=piece_bytes, longest=20)
        expected: Counter[str] = Counter()
        for text in texts:
            assert read(reader, text) == sentences_of(text, rules, unit, min_tokens=2, longest=20)
            expected.update(recounted(text, rules, unit, True, 2, 20))
            assert nonzero(reader.counts) == dict(expected)


@given(TEXTS, TEXTS, st.sampled_from(UNITS))
@settings(max_examples=50)
def test_dropped_text_leaves_nothing(dropped: str, text: str, unit: Unit) -> None:
    reader = SentenceReader(Rules(), unit, piece_bytes=30, longest=20)
    reader.read(dropped.encode())
    reader.drop_rest()
    assert reader.counts == Counter()
    assert read(reader, text) == sentences_of(text, Rules(), unit, longest=20)
    assert nonzero(reader.counts) == recounted(text, Rules(), unit, True, 1, 20)


def test_a_line_in_pieces_is_one_line() -> None:
    reader = SentenceReader(Rules())
    assert read(reader, "a b c d\ne", [2, 4, 5, 9]) == [["a", "b", "c", "d"], ["e"]]
    assert reader.counts["lines"] == 2
    assert read(reader, "f\n") == [["f"]]
    assert reader.counts["lines"] == 3
    assert read(reader, "") == []
    assert reader.counts["lines"] == 3


WHITE_SPACE = [character for character in map(chr, range(0x3001)) if character.isspace()]


@pytest.mark.parametrize("space", WHITE_SPACE, ids=ascii)
def test_text_is_cut_at_any_white_space(space: str) -> None:
    text = space.join(["abcde", "fgh", "ijkl"] * 3)
    reader = SentenceReader(Rules(), "document", piece_bytes=1, longest=5)
    assert read(reader, text) == [["abcde", "fgh", "ijkl"] * 3]


@pytest.mark.parametrize("unit", UNITS)
def test_pieces_that_end_between_a_word_and_its_line_end(unit: Unit) -> None:
    text = "ab \ncd\t\n ef \n\n gh \u3000\r\nij  \r \nkl\r\n\r\n" * 3
    for piece_bytes in range(8, 40):
        reader = SentenceReader(Rules(), unit, piece_bytes=piece_bytes, longest=4)
        assert read(reader, text) == sentences_of(text, Rules(), unit)


def test_there_is_room_for_many_short_tokens() -> None:
    text = "x\n" * (3 << 19)
    reader = SentenceReader(Rules(), piece_bytes=8 << 20)
    assert b"".join([reader.read(text.encode()), reader.finish()]).decode() == text


def test_sentences_leave_when_they_end() -> None:
    reader = SentenceReader(Rules(), "document", piece_bytes=31, longest=16)
    assert reader.read(b"One is here. Two is here. Three is h") == b"one is here\n"  # all but what may go on
    assert reader.counts["sentences"] == 1
    assert reader.read(b"ere.\n") == b""
    assert reader.finish() == b"two is here\nthree is here\n"


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(("chunk", "piece_bytes"), [("x-y", 1000), ("é。x", 1 << 21)])
def test_too_many_tokens(unit: Unit, chunk: str, piece_bytes: int) -> None:
    each = 2 if "。" in chunk else 1  # tokens of a chunk, between which it may have to be cut
    text = "z " + f"{chunk} " * (2 * MAX_TOKENS // each + 3) + "\n\nY. Z\n" + "w\n" * MAX_TOKENS
    reader = SentenceReader(Rules(), unit, split=False, piece_bytes=piece_bytes, longest=100)
    found = read(reader, text)
    assert found == sentences_of(text, Rules(), unit, split=False)
    rest = 1 + 3 * each
    ends: dict[Unit, list[int]] = {
        "line": [rest, 2, *[1] * MAX_TOKENS],
        "paragraph": [rest, MAX_TOKENS, 2],
        "document": [MAX_TOKENS, rest + 2],
    }
    assert [len(sentence) for sentence in found] == [MAX_TOKENS, MAX_TOKENS, *ends[unit]]
    assert nonzero(reader.counts) == {
        "lines": MAX_TOKENS + 3,
        "sentences": len(found),
        "tokens": 3 * MAX_TOKENS + rest + 2,
        "split": 2 if unit == "paragraph" else 1,
    }


def test_parts_of_long_sentences_are_not_short() -> None:
    text = "x " * (MAX_TOKENS + 3) + "\ny\n"
    reader = SentenceReader(Rules(), min_tokens=5)
    assert [len(sentence) for sentence in read(reader, text)] == [MAX_TOKENS, 3]
    expected = {"lines": 2, "sentences": 2, "tokens": MAX_TOKENS + 3, "split": 1}
    assert nonzero(reader.counts) == {**expected, "short_sentences": 1, "short_sentence_tokens": 1}


@pytest.mark.parametrize("min_tokens", [1, 30])
def test_too_many_bytes(min_tokens: int) -> None:
    longest = 1 << 20
    word = "b" * (longest - 1)  # with the space after it 16 of them are as many as may be
    lines = [f"{word} " * 17, f"{word} " * 16, "c" * (longest + 5) + f" {word}" * 16, f"{word} " * 15 + word + "d"]
    text = "\n".join(lines)
    reader = SentenceReader(Rules(), min_tokens=min_tokens, longest=longest)
    found = read(reader, text)
    assert found == sentences_of(text, Rules(), min_tokens=min_tokens, longest=longest)
    assert max(sum(len(token) + 1 for token in sentence) for sentence in found) == MAX_SENTENCE_BYTES
    kept = [16, 1, *([16] if min_tokens == 1 else []), 16, 2, 15, 1]
    assert [len(sentence) for sentence in found] == kept
    assert reader.counts["split"] == 3
    assert reader.counts["tokens"] == sum(map(len, found))
    assert reader.counts["short_sentences"] == (min_tokens > 1)


def test_memory_does_not_hold_a_document_without_sentences() -> None:
    reader = SentenceReader(Rules(), "document", piece_bytes=10_000, longest=100)
    line, longest, given = b"word " * 1000 + b"\n", 0, 0
    for _ in range(100):
        given += len(lines_of(reader.read(line)))
        longest = max(longest, reader._held, int(reader._state[0]))
    given += len(lines_of(reader.finish()))
    assert longest < 10_000 * len("word ") + 20_000
    assert (given, reader.counts["sentences"], reader.counts["split"]) == (10, 10, 1)


def test_what_is_known_is_looked_up_once() -> None:
    seen: list[str] = []

    def look(text: str) -> list[str]:
        seen.append(text)
        return [text]

    reader = SentenceReader(Rules(tokenizer=look), piece_bytes=64, longest=32)
    assert len(read(reader, "a b a c\n" * 50 + "b d")) == 51
    assert seen == ["a", "b", "c", "d"]
    with mock.patch.object(memo, "_MOST_CHUNKS", 3):
        assert read(reader, "a b") == [["a", "b"]]  # four were known, so they were forgotten
    assert seen == ["a", "b", "c", "d", "a", "b"]


# A start, a run of 1 MB and an end. Whatever began a search anew at each of its characters would not end in a minute.
RUNS = {
    "": [
        *("a", ")", "a'", ".", "@", "a@a.", "http://a"),
        *("\u3002", "\u300d", "\u0301", "\u200d", "a\u200d", "\U0001f600", "\U0001f600\u200d"),
    ],
    "3": ["\uff0e", "!\uff0e", "\u2026"],
    "x]": ["[1]"],
}
OTHER_RUNS = [("\u3002", "\u300d", "\u3068"), ("a@", "a.", "1"), ("http://", ".)", ""), ("a", "\u0323\u0301", "")]
PROGRAM = """
import ast, sys
from w2vcli.preprocessing.tokenizing import SentenceReader
from w2vcli.text import Rules

for start, run, end in ast.literal_eval(sys.stdin.read()):
    reader = SentenceReader(Rules("NFKC", "placeholder", "drop", strip_accents=True), "document")
    text = start + run * ((1 << 20) // len(run.encode()) - 10) + end
    reader.read(text.encode())
    reader.finish()
    print(ascii(run), reader.counts["tokens"] + reader.counts["emails"], flush=True)
"""


def test_no_run_of_characters_takes_quadratic_time() -> None:
    runs = [("", run, end) for end, some in RUNS.items() for run in some] + OTHER_RUNS
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=ascii(runs), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [line.rsplit(" ", 1) for line in done.stdout.splitlines()]
    assert [run for run, _ in found] == [ascii(run) for _, run, _ in runs]
    tokens = dict(zip(runs, (int(number) for _, number in found), strict=True))
    assert (tokens["", "a", ""], tokens["", ")", ""], tokens["", "\U0001f600", ""]) == (1, 0, (1 << 18) - 10)
    assert tokens["", "\uff0e", "3"] == 1
