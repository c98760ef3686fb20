"""What the rules make of each distinct chunk of a text: its tokens, and what it says of the ends of sentences.

Most chunks are ASCII: a kernel says what becomes of them. For the others there are the functions that define it, in
`text` and `sentences`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from w2vcli import sentences
from w2vcli.compiled import compiled
from w2vcli.numbering import PADDING, Bytes, Numbered, Workspace
from w2vcli.sentences import End, Start, describe, lines_that_may_be_cut
from w2vcli.text import BYTE_ORDER_MARK, LineCounts, Rules, chunks_of

BREAK = 255
"""The kind of start of a chunk that ends any unit."""
SEVERAL = -1
"""Stands for the kinds of a chunk that has several pieces."""

_MOST_CHUNKS, _MOST_BYTES = 400_000, 1 << 24  # above them all is forgotten
_NEWLINE, _SPACE = 10, 32
_DOT, _SLASH, _AT, _W = map(ord, "./@w")
_OTHERS_BYTES = 1 << 16  # of chunks that are not plain, looked at together: they become objects

# ---------------------------------------------------------------- ASCII

_NEITHER, _LOWER, _UPPER, _DIGIT = 0, 1, 2, 3
_UNDECIDED, _BY_WORD = 255, 254
_JOINER = 1
_STARTS_UNKNOWN, _STARTS_LOWER, _STARTS_NUMBER = int(Start.UNKNOWN), int(Start.LOWER), int(Start.NUMBER)
_STARTER, _OTHER_START, _FULL = int(Start.STARTER), int(Start.OTHER), int(End.FULL)
_LONGEST_TAIL = 3
_LETTERS = 26
_FIRST_LETTERS, _LAST_LETTERS = re.compile("([a-z]{3})([a-z]?)"), re.compile("[a-z]{3}$")


class _Ascii(NamedTuple):
    """What `_learn_plain` has to know of characters."""

    kinds: NDArray[np.uint8]
    """(256,): _LOWER, _UPPER, _DIGIT or _NEITHER."""
    is_quote: NDArray[np.bool_]
    """(256,)"""
    marks: NDArray[np.uint8]
    """(256,): the number of a character that may stand after a word's last letter, from 1; 0: it may not."""
    tails: NDArray[np.uint8]
    """(16^3,), by the numbers of up to three marks, the last one lowest: their kind of end."""
    is_first: NDArray[np.bool_]
    """(26^3, 27): whether a word that begins with these letters, of which the fourth may lack (0), may be listed."""
    is_last: NDArray[np.bool_]
    """(26^3,): whether a word that ends in these letters may be an abbreviation."""


@cache
def _ascii() -> _Ascii:
    kinds, marks = np.zeros(256, dtype=np.uint8), np.zeros(256, dtype=np.uint8)
    for characters, kind in (
        (string.ascii_lowercase, _LOWER),
        (string.ascii_uppercase, _UPPER),
        (string.digits, _DIGIT),
    ):
        kinds[list(characters.encode())] = kind
    is_quote = np.zeros(256, dtype=np.bool_)
    is_quote[list(sentences.ASCII_QUOTATION_MARKS.encode())] = True
    assert len(sentences.ASCII_TAIL) < 16, "a mark takes four bits"
    marks[list(sentences.ASCII_TAIL.encode())] = range(1, len(sentences.ASCII_TAIL) + 1)
    tails = np.full(16**_LONGEST_TAIL, _UNDECIDED, dtype=np.uint8)
    tails[0] = End.NONE
    for length in range(1, _LONGEST_TAIL + 1):
        for characters in map("".join, product(sentences.ASCII_TAIL, repeat=length)):
            place = sum(int(marks[ord(mark)]) << (4 * offset) for offset, mark in enumerate(reversed(characters)))
            if "]" not in characters:  # it may be a footnote's
                end, by_word = sentences.end_of_tail(characters)
                tails[place] = _BY_WORD if by_word else end
    is_first, is_last = np.zeros((_LETTERS**3, 1 + _LETTERS), dtype=np.bool_), np.zeros(_LETTERS**3, dtype=np.bool_)
    for word in sentences.START_OF:
        if match := _FIRST_LETTERS.match(word):
            is_first[_of_three(match[1]), _number(match[2]) + 1 if match[2] else 0] = True
    for word in sentences.ABBREVIATIONS:
        if match := _LAST_LETTERS.search(word):
            is_last[_of_three(match[0])] = True
    return _Ascii(kinds, is_quote, marks, tails, is_first, is_last)


def _number(letter: str) -> int:
    return ord(letter) - ord("a")


def _of_three(letters: str) -> int:
    first, second, third = map(_number, letters)
    return (first * _LETTERS + second) * _LETTERS + third


@njit(inline="always")
def _copy_tokens(pool: Any, begin: Any, end: Any, letters: Any, addresses: Any, words: Any, used: Any) -> Any:
    """Write the tokens of a chunk to `words`, a space between them; return where they end, and their number.

    letters: uint8 (256,): what becomes of the bytes of tokens; 0: no part of any; _JOINER: of one between two others.
    The number is -1 where the chunk is not ASCII, or may be an address and `addresses` matter.
    """
    tokens, was_letter, place = 0, False, begin
    while place < end and pool[place] < 128:
        if addresses:
            byte = pool[place]
            if byte in (_AT, _SLASH) or (byte == _DOT and place > begin and (pool[place - 1] | 32) == _W):
                break
        letter = letters[pool[place]]
        if letter == _JOINER:  # what follows the last byte is a newline
            letter = pool[place] if was_letter and letters[pool[place + 1]] > _JOINER else 0
        if letter:
            if tokens and not was_letter:
                words[used] = _SPACE
                used += 1
            tokens += not was_letter
            words[used] = letter
            used += 1
        was_letter = letter != 0
        place += 1
    return used, tokens if place == end else -1


@njit(inline="always")
def _start_kind(pool: Any, begin: Any, end: Any, known: Any) -> Any:
    """Return the kind of start of a chunk by its first letter or digit, and the word that this may begin."""
    place = begin
    while place < end and known.kinds[pool[place]] == _NEITHER:
        place += 1
    if place == end:
        return _STARTS_UNKNOWN
    kind = known.kinds[pool[place]]
    if kind == _LOWER:
        return _STARTS_LOWER
    if kind == _DIGIT:
        return _STARTS_NUMBER
    if place > begin and known.is_quote[pool[place - 1]]:
        return _STARTER
    if place + 3 > end:
        return _UNDECIDED
    three = 0
    for offset in range(3):
        letter = pool[place + offset]
        if not 0 < known.kinds[letter] < _DIGIT:
            return _UNDECIDED
        three = three * _LETTERS + (letter | 32) - 97  # as in lower case
    fourth = pool[place + 3]  # a newline, if the chunk ends before
    fourth = (fourth | 32) - 96 if 0 < known.kinds[fourth] < _DIGIT else 0
    return _UNDECIDED if known.is_first[three, fourth] else _OTHER_START


@njit(inline="always")
def _end_kind(pool: Any, begin: Any, end: Any, known: Any) -> Any:
    """Return the kind of end of a chunk by the marks after its last letter or digit, and what these end."""
    place, tail, shift = end - 1, 0, 0
    while place >= begin and known.marks[pool[place]]:
        if shift == 4 * _LONGEST_TAIL:
            return _UNDECIDED
        tail |= int(known.marks[pool[place]]) << shift
        shift += 4
        place -= 1
    kind = int(known.tails[tail])
    if kind != _BY_WORD:
        return kind
    if place - 2 < begin:
        return _UNDECIDED
    three = 0
    for offset in range(-2, 1):
        letter = pool[place + offset]
        if known.kinds[letter] != _LOWER:
            return _UNDECIDED
        three = three * _LETTERS + letter - 97
    return _UNDECIDED if known.is_last[three] else _FULL


@compiled
def _learn_plain(
    pool: Any, starts: Any, lengths: Any, first: Any, longest: Any, letters: Any, addresses: Any, known: Any, rows: Any,
    words: Any, used: Any, others: Any, unclear: Any,
) -> Any:  # fmt: skip
    """Add the chunks from number `first` on that are plain.

    pool, starts, lengths: the chunks. longest: bytes; longer ones are among the others. letters, addresses: see
    `_copy_tokens`. known: see `_Ascii`. rows, words: see `Memo`; of the words `used` bytes are taken. others: gets the
    numbers of the other chunks. unclear: gets those of chunks whose kinds of start and end have to be worked out
    otherwise.
    Returns the new `used`, and how many others and unclear ones there are.
    """
    n_others, n_unclear = 0, 0
    for number in range(first, len(starts)):
        begin = starts[number]
        end = begin + lengths[number]
        out, tokens = used, -1
        if lengths[number] <= longest:
            out, tokens = _copy_tokens(pool, begin, end, letters, addresses, words, used)
        if tokens < 0:
            others[n_others] = number
            n_others += 1
            continue
        start, stop = _start_kind(pool, begin, end, known), _end_kind(pool, begin, end, known)
        if start == _UNDECIDED or stop == _UNDECIDED:
            unclear[n_unclear] = number
            n_unclear += 1
        rows[number, 0], rows[number, 1], rows[number, 2] = used, out - used, tokens
        rows[number, 3] = (start << 8) | stop
        used = out
    return used, n_others, n_unclear


@compiled
def _room_for(numbers: Any, rows: Any) -> Any:
    """Return how many bytes the tokens of chunks take, with one more for each piece."""
    room = 0
    for number in numbers:
        room += rows[number, 2] if rows[number, 3] == SEVERAL else rows[number, 1] + 1
    return room


# ---------------------------------------------------------------- any text


class Memo:
    """What is known of chunks, which have numbers.

    A chunk has pieces, nearly always one: several where a sentence may end without white space. What is known of a
    piece is a row: where its tokens begin in `words`, their bytes, their number, and its kinds: of start, times 256,
    and of end. Row n is that of chunk n; if it has several pieces, there stands which of the rows from `places` on is
    its first one, how many they are, their bytes with one more for each, and SEVERAL.

    Args:
        rules: what becomes of text.
        longest: see `text.chunks_of`.
    """

    def __init__(self, rules: Rules, longest: int) -> None:
        self._rules, self._longest = rules, longest
        self._letters = np.zeros(256, dtype=np.uint8)
        self._longest_plain, self._addresses = 0, False
        if plain := rules.plain():
            self._longest_plain, self._addresses = longest, plain.has_addresses
            for letter, becomes in plain.letters.items():
                self._letters[ord(letter)] = ord(becomes)
            self._letters[list(plain.joiners.encode())] = _JOINER
        self._workspace = Workspace()
        self._begin()

    def _begin(self) -> None:
        self._known = self._extra = self._used = self._seen = 0  # chunks, more rows, bytes of tokens and of chunks
        self.places = 1 << 15
        """Chunks for which there are rows."""
        self.rows = np.empty((self.places + (1 << 8), 4), dtype=np.int32)
        self.words: Bytes = np.empty(1 << 18, dtype=np.uint8)
        """Tokens, those of a piece with a space between them; eight bytes can be read from any place in them."""
        self._counts: dict[str, NDArray[np.int32]] = {}

    def number(self, text: Bytes, counts: Counter[str]) -> tuple[Numbered, int]:
        """Return the chunks of a text, and how many bytes its tokens take at the most.

        Args:
            text: see `Workspace.number_more`.
            counts: what is dropped or replaced in it is added to them.
        """
        if self._known + self._extra > _MOST_CHUNKS or max(self._used, self._seen) > _MOST_BYTES:
            self._forget()
        numbered = self._workspace.number_more(text)
        if len(numbered.distinct.starts) > self._known:
            try:
                self._learn(numbered)
            except BaseException:  # of a tokenizer of one's own: half of it is known
                self._forget()
                raise
        for what, number in self._counts.items():
            counts[what] += int(number[numbered.numbers].sum())
        return numbered, int(_room_for(numbered.numbers, self.rows))

    def _forget(self) -> None:
        self._workspace.forget()
        self._begin()

    def _learn(self, numbered: Numbered) -> None:
        """Add the chunks that are new."""
        pool, (starts, lengths, _, _), known = numbered.pool, numbered.distinct, self._known
        self._known, self._seen = len(starts), len(pool)
        new = self._known - known
        self._make_room(letters=int(starts[-1] + lengths[-1] - starts[known]))
        others, unclear = np.empty(new, dtype=np.int64), np.empty(new, dtype=np.int64)
        self._used, n_others, n_unclear = _learn_plain(
            pool, starts, lengths, known, self._longest_plain, self._letters, self._addresses, _ascii(), self.rows,
            self.words, self._used, others, unclear,
        )  # fmt: skip
        if n_unclear:
            chunks = _chunks(pool, starts, lengths, unclear[:n_unclear])
            self.rows[unclear[:n_unclear], 3] = _kinds(chunks.split("\n"))
        ends = np.cumsum(lengths[others[:n_others]] + 1)
        cuts = np.flatnonzero(np.diff(ends // _OTHERS_BYTES)) + 1
        for some in np.split(others[:n_others], cuts) if n_others else ():
            self._learn_others(_chunks(pool, starts, lengths, some), some)

    def _learn_others(self, chunks: str, numbers: NDArray[np.int64]) -> None:
        """Add chunks, a line each, as the rules say."""
        text, owners = self._cut(chunks)
        found = LineCounts()
        tokens = np.frombuffer(self._rules.tokens_of_lines(text, found).encode("utf-8", "replace"), dtype=np.uint8)
        lengths = _line_lengths(tokens)
        spaces = np.add.reduceat(np.append(tokens == _SPACE, False), _line_starts(lengths))
        pieces = text.split("\n")
        kinds = _kinds(pieces)
        if BYTE_ORDER_MARK in text:
            kinds[[piece == BYTE_ORDER_MARK for piece in pieces]] = BREAK << 8
        self._add(numbers[owners], lengths, spaces + (lengths > 0), kinds, tokens[tokens != _NEWLINE])
        for what, line, number in found.found:
            if what not in self._counts:
                self._counts[what] = np.zeros(self.places, dtype=np.int32)
            self._counts[what][numbers[owners[line]]] += number

    def _add(
        self, owners: NDArray[np.int64], lengths: NDArray[np.int64], counts: NDArray[np.int64], kinds: NDArray[Any],
        words: Bytes,
    ) -> None:  # fmt: skip
        """Add pieces of chunks, in their order; of a chunk all of them at once."""
        begins = np.flatnonzero(np.diff(owners, prepend=-1))
        pieces = np.diff(begins, append=len(owners))
        several = pieces > 1
        is_extra = np.repeat(several, pieces)
        self._make_room(int(is_extra.sum()), len(words))
        rows = np.stack((self._used + np.cumsum(lengths) - lengths, lengths, counts, kinds), axis=1)
        self.rows[owners[~is_extra]] = rows[~is_extra]
        if several.any():
            sizes, first = np.add.reduceat(lengths + 1, begins)[several], np.cumsum(pieces[several])
            columns = self._extra + first - pieces[several], pieces[several], sizes, np.full(len(sizes), SEVERAL)
            self.rows[owners[begins[several]]] = np.stack(columns, axis=1)
            here = self.places + self._extra
            self.rows[here : here + int(first[-1])] = rows[is_extra]
            self._extra += int(first[-1])
        self.words[self._used : self._used + len(words)] = words
        self._used += len(words)

    def _cut(self, chunks: str) -> tuple[str, NDArray[np.int64]]:
        """Return pieces of chunks, a line each, and of which chunk each is."""
        lines = chunks.split("\n")
        if 4 * len(max(lines, key=len)) > self._longest:
            candidates: Iterable[int] = range(len(lines))
        else:
            candidates = lines_that_may_be_cut(chunks)
        cut = {
            number: pieces for number in candidates if len(pieces := list(chunks_of(lines[number], self._longest))) > 1
        }
        for number, pieces in cut.items():
            lines[number] = "\n".join(pieces)
        numbers = np.ones(len(lines), dtype=np.int64)
        numbers[list(cut)] = [len(pieces) for pieces in cut.values()]
        return "\n".join(lines) if cut else chunks, np.repeat(np.arange(len(lines)), numbers)

    def _make_room(self, extra: int = 0, letters: int = 0) -> None:
        if self._known > self.places:
            places = 2 * self._known
            self.rows = np.concatenate((grown(self.rows[: self.places], places), self.rows[self.places :]))
            self._counts = {what: grown(number, places) for what, number in self._counts.items()}
            self.places = places
        if self.places + self._extra + extra > len(self.rows):
            self.rows = grown(self.rows, self.places + 2 * (self._extra + extra))
        if self._used + letters + len(PADDING) > len(self.words):
            self.words = grown(self.words, 2 * (self._used + letters + len(PADDING)))


def _kinds(pieces: list[str]) -> NDArray[np.int32]:
    """Return the kinds of pieces, as they stand in a row."""
    starts, ends = (np.frombuffer(kinds, dtype=np.uint8).astype(np.int32) for kinds in describe(pieces))
    return (starts << 8) | ends


def grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    """Return an array with room for more."""
    larger = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _chunks(pool: Bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64], numbers: NDArray[np.int64]) -> str:
    """Return some chunks, at least one, with a newline between them."""
    begins, sizes = starts[numbers], lengths[numbers] + 1
    offsets = np.repeat(begins - np.cumsum(sizes) + sizes, sizes)
    return pool[offsets + np.arange(len(offsets))][:-1].tobytes().decode()


def _line_lengths(text: Bytes) -> NDArray[np.int64]:
    """Return the bytes of each line; text of n lines has n - 1 newlines."""
    ends = np.append(np.flatnonzero(text == _NEWLINE), len(text))
    return np.diff(ends, prepend=-1) - 1


def _line_starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where lines of so many bytes begin."""
    return np.asarray(np.cumsum(lengths + 1) - lengths - 1)
