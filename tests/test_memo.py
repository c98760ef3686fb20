"""What the kernel says of ASCII chunks is what `sentences` and `text` say, for all that they list."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from w2vcli.numbering import PADDING
from w2vcli.preprocessing.memo import SEVERAL, Memo
from w2vcli.sentences import ABBREVIATIONS, ASCII_TAIL, START_OF, end_of, start_of
from w2vcli.text import Rules

TAILS = ["", *(".!?,;:\"'])-"), '."', ".'", '?"', "!)", "...", "?!", ".]", ".-", ".\"'", '...."', *ASCII_TAIL]


def known(text: str, rules: Rules) -> list[tuple[list[str], int, int]]:
    """Return what is known of each chunk of a text: its tokens, its kind of start and its kind of end."""
    memo = Memo(rules, 1 << 20)
    numbered, room = memo.number(np.frombuffer(text.encode() + PADDING, dtype=np.uint8), Counter())
    rows = memo.rows[numbered.numbers]
    assert (rows[:, 3] != SEVERAL).all()
    assert room == rows[:, 1].sum() + len(rows)
    pieces = [memo.words[start : start + length].tobytes().decode() for start, length in rows[:, :2].tolist()]
    assert [len(piece.split()) for piece in pieces] == rows[:, 2].tolist()
    return [(piece.split(), kinds >> 8, kinds & 255) for piece, kinds in zip(pieces, rows[:, 3].tolist(), strict=True)]


def check(chunks: list[str], rules: Rules) -> None:
    tokens = rules.tokens_of_lines("\n".join(chunks)).split("\n")
    expected = [(line.split(), start_of(chunk), end_of(chunk)) for line, chunk in zip(tokens, chunks, strict=True)]
    assert known(" ".join(chunks), rules) == expected


def ascii_words() -> list[str]:
    listed = [word for word in (*START_OF, *ABBREVIATIONS) if word.isascii()]
    assert len(listed) > 300
    return sorted({*listed, *(f"{word}s" for word in listed), *(f"x{word}" for word in listed), "qqq", "", "1", "21st"})


def test_listed_words() -> None:
    cases = str, str.lower, str.upper, str.capitalize
    chunks = [f"{case(word)}{tail}" for word in ascii_words() for case in cases for tail in TAILS]
    check(list(filter(None, chunks)), Rules())


def test_what_stands_before_words() -> None:
    heads = ["'", '"', "(", "[", "_", "--", '--"', "$", "1", "a-", "X-", "("]
    words = [
        "the",
        "The",
        "He",
        "I",
        "I'm",
        "May",
        "Maybe",
        "Mary",
        "MARY",
        "J.",
        "U.S.",
        "Mr.",
        "etc.",
        "5",
        "x",
        "--",
    ]
    chunks = [f"{head}{word}{tail}" for head in heads for word in words for tail in ("", ".", '."', "!?", "'s")]
    check(chunks, Rules())


@pytest.mark.parametrize(
    "rules",
    [
        Rules(),
        Rules(lowercase=False),
        Rules(lowercase="casefold", normalization="NFKC", strip_accents=True),
        Rules(tokenizer="ascii"),
        Rules(urls="drop"),
        Rules(emails="placeholder"),
        Rules(tokenizer="ascii", urls="drop", emails="drop"),
        Rules(digits="zero"),
        Rules(min_length=2),
    ],
    ids=repr,
)
def test_all_short_chunks(rules: Rules) -> None:
    check(["".join(characters) for characters in product("aB1'-_.@/", repeat=4)], rules)
    odd = [
        "http://192.168.0.1:8080/",
        "12345@163.com",
        "file:///",
        "http:///",
        "www./",
        "WWW.1",
        "w.1",
        "//",
        "@",
        "a.w.",
    ]
    check(
        [*odd, "www.a.de/b?c", "http://a.b", "a.b@cd.ef", "x@y", "it's-well", "rock'-n'-roll'", "end--Then", "a/b"],
        rules,
    )
