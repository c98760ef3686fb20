"""Text into sentences of tokens. Pure: no files, no settings objects, only strings.

Text repeats itself, so each distinct chunk between white space is looked at once: its tokens, whether a sentence
may end after it, and whether it starts in lower case are remembered.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Literal

Tokenizer = Callable[[str], list[str]]
Unit = Literal["line", "paragraph", "document"]

BYTE_ORDER_MARK = "\ufeff"
MAX_TOKENS = 10_000  # Gensim drops the rest of a longer sentence without a word
_MEMO_CHUNKS = 1_000_000

_APOSTROPHES = "'\u2019"
_HYPHENS = "\u2010\u2011-"  # the plain one last: in a character class it would span a range
_JOINERS = "\u200c\u200d"  # of Persian and the scripts of India, invisible but part of the word
_SOFT_HYPHEN = "\u00ad"
_TO_PLAIN = str.maketrans({"\u2019": "'", "\u2010": "-", "\u2011": "-", _SOFT_HYPHEN: None})


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern[str]:
    marks = _ranges(code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M")
    letters = rf"(?:[^\W_]|[{marks}{_JOINERS}])+"
    return re.compile(rf"{letters}(?:[{_APOSTROPHES}{_HYPHENS}]{letters})*")


def _ranges(codes: Iterable[int]) -> str:
    """Return a regular expression's character class (without brackets) for ascending code points."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


def unicode_tokens(text: str) -> list[str]:
    """Return the runs of letters, marks and digits of any script, with single apostrophes and hyphens inside them.

    Curly apostrophes and typographic hyphens become plain ones; soft hyphens vanish.

    >>> unicode_tokens("Don\u2019t stop\u2014the well-known_caf\u00e9's 3rd!")
    ["Don't", 'stop', 'the', 'well-known', "caf\u00e9's", '3rd']
    """
    return [token.translate(_TO_PLAIN) for token in _word_pattern().findall(text.replace(_SOFT_HYPHEN, ""))]


def lowercase_unicode_tokens(text: str) -> list[str]:
    """Return `unicode_tokens` of the lowercased text.

    >>> lowercase_unicode_tokens("The King's men")
    ['the', "king's", 'men']
    """
    return unicode_tokens(text.lower())


_NOT_A_TO_Z = re.compile("[^a-z]+")


def ascii_tokens(text: str) -> list[str]:
    """Return the runs of a-z of the lowercased text: the classic recipe.

    >>> ascii_tokens("The King's 2nd well-known caf\u00e9")
    ['the', 'king', 's', 'nd', 'well', 'known', 'caf']
    """
    return _NOT_A_TO_Z.sub(" ", text.lower()).split()


def tokenizer(name: str, lowercase: bool) -> Tokenizer:
    """Return the tokenizer of that name: `unicode` or `ascii`."""
    if name == "ascii":
        return ascii_tokens
    return lowercase_unicode_tokens if lowercase else unicode_tokens


# ---------------------------------------------------------------- sentences

_STOPS = ".!?\u2026\u3002\uff01\uff1f\u061f\u06d4\u0964\u0965"
_END = re.compile(rf"[{_STOPS}][{_STOPS}\"'\u2019\u201d\u00bb\u203a)\]}}\u300d\u300f_*]*$")
_UNSPACED_STOP = re.compile(
    "([\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019]*)"
)  # followed by no space in Chinese and Japanese
_ABBREVIATION = re.compile(
    r"\W*(?:mr|mrs|ms|mme|mlle|messrs|dr|drs|prof|st|ste|rev|hon|sr|jr|capt|col|gen|lt|maj|sgt|vs|cf|ca|nos|vol|vols|pp|ch|fig"
    r"|eg|ie|viz|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec|[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_])\.\W*",
    re.IGNORECASE,
)
_THE_WORD_I = re.compile(r"\W*I\.\W*")


class _Start(IntEnum):
    """What a chunk says about whether a sentence begins with it."""

    UNKNOWN = 0  # nothing but punctuation
    INSIDE = 1  # begins in lower case
    POSSIBLE = 2


_Chunk = tuple[tuple[str, ...], _Start, bool]  # tokens, may a sentence start with it, may one end with it


class _Memo(dict[str, _Chunk]):
    """Chunk of text -> what there is to know of it, worked out at its first appearance."""

    def __init__(self, tokenize: Tokenizer) -> None:
        self.tokenize = tokenize
        self.distinct: set[str] = set()

    def __missing__(self, text: str) -> _Chunk:
        if len(self) >= _MEMO_CHUNKS:
            self.clear()
        tokens = tuple(self.tokenize(text))
        self.distinct.update(tokens)
        letter = next((character for character in text if character.isalnum()), "")
        start = _Start.UNKNOWN if not letter else _Start.INSIDE if letter.islower() else _Start.POSSIBLE
        self[text] = chunk = tokens, start, _may_end(text)
        return chunk


def _may_end(text: str) -> bool:
    """Return whether a sentence may end after this chunk.

    >>> [_may_end(chunk) for chunk in ("end.", 'end!"', "Mr.", "J.", "I.", "e.g.", "end", "end,")]
    [True, True, False, False, True, False, False, False]
    """
    if not _END.search(text):
        return False
    return not _ABBREVIATION.fullmatch(text) or bool(_THE_WORD_I.fullmatch(text))


@dataclass
class TextCounts:
    """What `sentences` has seen so far."""

    lines: int = 0
    sentences: int = 0
    tokens: int = 0
    split: int = 0
    """Sentences over MAX_TOKENS tokens, cut into several."""
    undecodable: int = 0
    """Bytes that were no text (U+FFFD after decoding)."""
    distinct: set[str] = field(default_factory=set, repr=False)


class SentenceReader:
    """Cuts lines of text into sentences of tokens.

    Args:
        tokenize: text without white space -> tokens.
        unit: what no sentence crosses. A byte-order mark ends any unit: it stands where files were joined.
        split: whether to look for sentence ends inside a unit; a sentence ends after a stop that belongs to no
            abbreviation, unless the next word starts in lower case.

    `counts` grows with what is read.
    """

    def __init__(self, tokenize: Tokenizer, unit: Unit = "line", split: bool = True) -> None:
        self.unit = unit
        self.split = split
        self.counts = TextCounts()
        self._memo = _Memo(tokenize)
        self.counts.distinct = self._memo.distinct
        self._too_long = False

    def read(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the sentences of one file's lines; a line without a newline goes on in the next.

        Each sentence is a list of 1 to MAX_TOKENS tokens.
        """
        memo, split, unit = self._memo, self.split, self.unit
        sentence: list[str] = []
        may_end = False
        at_line_start = True
        for line in lines:
            self.counts.lines += at_line_start
            at_line_start = line.endswith("\n")
            if not line.isascii():
                self.counts.undecodable += line.count("\ufffd")
                line = _UNSPACED_STOP.sub(r"\1 ", line)
            for number, part in enumerate(line.split(BYTE_ORDER_MARK)):
                chunks = part.split()
                if number or (unit == "paragraph" and not chunks and part == line):
                    yield from self._finish(sentence)
                    sentence, may_end = [], False
                for text in chunks:
                    tokens, start, end = memo[text]
                    if may_end and start:
                        if start == _Start.POSSIBLE:
                            yield from self._finish(sentence)
                            sentence = []
                        may_end = False
                    sentence += tokens
                    if end and split:
                        may_end = True
            if unit == "line" and at_line_start:
                yield from self._finish(sentence)
                sentence, may_end = [], False
            elif len(sentence) > MAX_TOKENS:
                yield from self._cut(sentence)
        yield from self._finish(sentence)

    def _cut(self, sentence: list[str]) -> Iterator[list[str]]:
        """Yield pieces of MAX_TOKENS of a sentence that has more, and leave the rest in it."""
        self.counts.split += not self._too_long
        self._too_long = True
        while len(sentence) > MAX_TOKENS:
            yield self._counted(sentence[:MAX_TOKENS])
            del sentence[:MAX_TOKENS]

    def _finish(self, sentence: list[str]) -> Iterator[list[str]]:
        """Yield a whole sentence, or what `_cut` has left of it."""
        if len(sentence) > MAX_TOKENS:
            yield from self._cut(sentence)
        if sentence:
            yield self._counted(sentence)
        self._too_long = False

    def _counted(self, sentence: list[str]) -> list[str]:
        self.counts.sentences += 1
        self.counts.tokens += len(sentence)
        return sentence
