"""Text into lines of tokens, fast: what `text.sentences_of` defines, with each distinct chunk of text looked at once.

Text comes in pieces of any size and leaves as complete lines. The chunks of a piece are numbered by their bytes
(`numbering`); of those that are new the rules of `text` say their tokens and what they mean for the ends of sentences;
then a kernel copies the tokens of every chunk, in the text's order, and ends the lines.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from w2vcli.compiled import compiled, read_uint64, write_uint64
from w2vcli.numbering import PADDING, Bytes, Distinct, Merger, Numbered, Workspace
from w2vcli.sentences import ENDS, End, Start, describe, lines_that_may_be_cut
from w2vcli.text import (
    BYTE_ORDER_MARK,
    LONGEST_CHUNK,
    MAX_SENTENCE_BYTES,
    MAX_TOKENS,
    LineCounts,
    Rules,
    Unit,
    chunks_of,
)

PIECE_BYTES = 1 << 20  # so that what is remembered of its chunks stays in a core's cache
_MEMO_CHUNKS, _MEMO_BYTES = 400_000, 1 << 24  # above them all is forgotten
_BREAK = 255  # the start of a chunk that ends any unit
_WHITE_SPACE = re.compile(
    rb"[\t-\r\x1c-\x20]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80"
)

# ---------------------------------------------------------------- kernels

_NEWLINE, _SPACE = 10, 32
_LINE, _PARAGRAPH, _DOCUMENT = 0, 1, 2
_UNITS: dict[Unit, int] = {"line": _LINE, "paragraph": _PARAGRAPH, "document": _DOCUMENT}
_PIECE = ("where its tokens start", "their bytes", "their number", "its kind of start", "its kind of end")
_STATE = ("used", "line_start", "sentence_tokens", "line_tokens", "pending", "was_cut", "line_chunks",
          "sentences", "tokens", "split", "short_sentences", "short_sentence_tokens")  # fmt: skip


@compiled
def _join_words(text: Any, starts: Any, lengths: Any, out: Any) -> Any:
    """Write words to `out`, with a newline between them."""
    place = 0
    for word in range(len(starts)):
        if word:
            out[place] = _NEWLINE
            place += 1
        for offset in range(lengths[word]):
            out[place] = text[starts[word] + offset]
            place += 1


@njit
def _finish(state: Any, out: Any, min_tokens: Any) -> Any:
    """End the sentence that is being written, if there is one: by a newline, or by removing it."""
    used, line_start, sentence_tokens, line_tokens = state[0], state[1], state[2], state[3]
    if sentence_tokens:
        if sentence_tokens < min_tokens and not state[5]:
            state[10] += 1
            state[11] += sentence_tokens
            used = line_start
        elif line_tokens:
            out[used] = _NEWLINE
            used += 1
            state[7] += 1
            state[8] += line_tokens
        state[9] += state[5]
    state[0], state[1], state[2], state[3], state[4], state[5] = used, used, 0, 0, 0, 0


@njit
def _add_one_by_one(state: Any, out: Any, words: Any, start: Any, length: Any) -> Any:
    """Add tokens, separated by spaces, to a sentence that gets too long: its lines are cut between them."""
    place = start
    while place < start + length:
        end = place
        while end < start + length and words[end] != _SPACE:
            end += 1
        if state[3] and (state[3] == MAX_TOKENS or state[0] - state[1] + end - place + 2 > MAX_SENTENCE_BYTES):
            out[state[0]] = _NEWLINE
            state[0] += 1
            state[7] += 1
            state[8] += state[3]
            state[1], state[3], state[5] = state[0], 0, 1
        if state[3]:
            out[state[0]] = _SPACE
            state[0] += 1
        for offset in range(end - place):
            out[state[0] + offset] = words[place + offset]
        state[0] += end - place
        state[2] += 1
        state[3] += 1
        place = end + 1


@compiled
def _gather(
    identities: Any, first: Any, numbers: Any, pieces: Any, words: Any, own_first: Any, own_pieces: Any, own_words: Any
) -> Any:
    """Copy what is known of a text's chunks, so that all of it fits into a core's cache."""
    to, source = own_words.ctypes.data, words.ctypes.data
    own, used = 0, 0
    for number in range(len(identities)):
        own_first[number] = own
        identity = identities[number]
        for piece in range(first[identity], first[identity] + numbers[identity]):
            start, length = pieces[piece, 0], pieces[piece, 1]
            offset = 0
            while offset < length:
                write_uint64(to + used + offset, read_uint64(source + start + offset))
                offset += 8
            own_pieces[own, 0] = used
            for column in range(1, 5):
                own_pieces[own, column] = pieces[piece, column]
            used += length
            own += 1
    own_first[len(identities)] = own


@compiled
def _write(
    numbers: Any, lengths: Any, first: Any, pieces: Any, words: Any, ends: Any, split: Any, unit: Any, min_tokens: Any,
    state: Any, out: Any,
) -> Any:  # fmt: skip
    """Write the tokens of a text's chunks to `out`, a sentence a line.

    numbers: of the chunks, in their order. lengths: the chunks of each line that ends.
    first: the first piece of each number, and where those of the last end. pieces: see _PIECE. words: their tokens.
    ends: (kinds of end, kinds of start), whether a sentence ends between them.
    state: as in _STATE, from the text before and for the text after.
    """
    chunk, to, source = 0, out.ctypes.data, words.ctypes.data
    used, line_start, sentence_tokens, line_tokens, pending = state[0], state[1], state[2], state[3], state[4]
    for line in range(len(lengths) + 1):
        is_last = line == len(lengths)
        line_end = len(numbers) if is_last else chunk + lengths[line]
        state[6] += line_end - chunk
        while chunk < line_end:
            number = numbers[chunk]
            chunk += 1
            for piece in range(first[number], first[number + 1]):
                start, length, count = pieces[piece, 0], pieces[piece, 1], pieces[piece, 2]
                start_kind, end_kind = pieces[piece, 3], pieces[piece, 4]
                # where the chunk before may end a sentence, this one decides
                if start_kind == _BREAK or (pending and start_kind):
                    if start_kind == _BREAK or ends[pending, start_kind]:
                        state[0], state[1], state[2], state[3] = used, line_start, sentence_tokens, line_tokens
                        _finish(state, out, min_tokens)
                        used, line_start, sentence_tokens, line_tokens = state[0], state[1], state[2], state[3]
                    pending = 0
                # its tokens join the sentence
                if line_tokens + count > MAX_TOKENS or used - line_start + length + 2 > MAX_SENTENCE_BYTES:
                    state[0], state[1], state[2], state[3] = used, line_start, sentence_tokens, line_tokens
                    _add_one_by_one(state, out, words, start, length)
                    used, line_start, sentence_tokens, line_tokens = state[0], state[1], state[2], state[3]
                elif count:
                    if line_tokens:
                        out[used] = _SPACE
                        used += 1
                    offset = 0
                    while offset < length:  # eight bytes at a time; what is too much is written over
                        write_uint64(to + used + offset, read_uint64(source + start + offset))
                        offset += 8
                    used += length
                    sentence_tokens += count
                    line_tokens += count
                if split and end_kind:
                    pending = end_kind
        # the line's end may be the unit's
        if not is_last:
            if unit == _LINE or (unit == _PARAGRAPH and state[6] == 0):
                state[0], state[1], state[2], state[3] = used, line_start, sentence_tokens, line_tokens
                _finish(state, out, min_tokens)
                used, line_start, sentence_tokens, line_tokens, pending = state[0], state[1], state[2], state[3], 0
            state[6] = 0
    state[0], state[1], state[2], state[3], state[4] = used, line_start, sentence_tokens, line_tokens, pending


# ---------------------------------------------------------------- what is known of chunks


class _Known(NamedTuple):
    """What is known of the chunks of a text; see `_write`."""

    first: NDArray[np.int32]
    pieces: NDArray[np.int32]
    words: Bytes


class _Memo:
    """What the rules say of each distinct chunk, by its identity.

    A chunk has pieces, nearly always one: several where a sentence may end without white space.
    """

    def __init__(self, rules: Rules, longest: int) -> None:
        self._rules, self._longest = rules, longest
        self._letters = np.zeros(256, dtype=np.uint8)  # what becomes of the bytes of plain tokens; 0: no part of any
        for letter, becomes in rules.plain_letters().items():
            self._letters[ord(letter)] = ord(becomes)
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._merger = Merger()
        self._known = self._size = self._used = 0  # chunks, pieces, bytes of tokens
        # of each chunk: its first piece, how many there are, and their bytes, with one more for each
        self._first = np.zeros(1 << 15, dtype=np.int32)
        self._numbers = np.zeros(1 << 15, dtype=np.int32)
        self._sizes = np.zeros(1 << 15, dtype=np.int32)
        self._pieces = np.empty((1 << 15, len(_PIECE)), dtype=np.int32)
        self._words: Bytes = np.empty(1 << 18, dtype=np.uint8)
        self._counts: dict[str, NDArray[np.int64]] = {}

    def look_up(self, numbered: Numbered, counts: Counter[str]) -> tuple[_Known, int]:
        """Return what is known of a text's distinct chunks, and how many bytes its tokens take at the most.

        Args:
            numbered: the text.
            counts: what is dropped or replaced in it is added to them.
        """
        if self._known > _MEMO_CHUNKS or self._used > _MEMO_BYTES:
            self.forget()
        identities = self._merger.add(numbered)
        is_new = identities >= self._known
        if is_new.any():
            every = numbered.distinct
            distinct = Distinct(every.starts[is_new], every.lengths[is_new], every.keys[is_new], every.counts[is_new])
            try:
                self._learn(_joined(numbered.text, distinct))
            except BaseException:  # of a tokenizer of one's own: half of it is known
                self.forget()
                raise
        for what, number in self._counts.items():
            counts[what] += int((number[identities] * numbered.distinct.counts).sum())
        sizes = self._sizes[identities]
        known = self._known_of(identities, int(sizes.sum()))
        return known, int((sizes * numbered.distinct.counts).sum())

    def _known_of(self, identities: NDArray[np.int32], size: int) -> _Known:
        """Return arrays of these chunks alone; `size` is no less than their tokens' bytes."""
        number = int(self._numbers[identities].sum())
        known = _Known(
            np.empty(len(identities) + 1, dtype=np.int32),
            np.empty((number, len(_PIECE)), dtype=np.int32),
            np.empty(size + len(PADDING), dtype=np.uint8),
        )
        _gather(identities, self._first, self._numbers, self._pieces, self._words, *known)
        return known

    def _learn(self, runs: Bytes) -> None:
        """Add chunks, as they stand between white space; there is a newline between them here."""
        lengths = _line_lengths(runs)
        places = _line_starts(lengths)
        identities = self._known + np.arange(len(lengths))
        self._known += len(lengths)
        is_letter = self._letters[runs] > 0
        begins = np.diff(is_letter, prepend=False) & is_letter
        of_one_token = np.add.reduceat(begins, places, dtype=np.int64) == 1
        of_one_token &= ~np.logical_or.reduceat(runs > 127, places) & (lengths <= self._longest)
        # nearly all chunks: their token is what is left without other characters
        is_letter &= np.repeat(of_one_token, lengths + 1)[:-1]
        words = np.add.reduceat(is_letter, places, dtype=np.int64)[of_one_token]
        starts, ends = _kinds(runs, places, lengths, of_one_token)
        counts = np.ones(len(words), dtype=np.int64)
        self._add(identities[of_one_token], words, counts, starts, ends, self._letters[runs[is_letter]])
        if not of_one_token.all():
            self._learn_others(_some_lines(runs, lengths, ~of_one_token), identities[~of_one_token])

    def _learn_others(self, runs: str, identities: NDArray[np.int64]) -> None:
        """Add chunks, a line each, as the rules say."""
        text, owners = self._cut(runs)
        found = LineCounts()
        tokens = np.frombuffer(self._rules.tokens_of_lines(text, found).encode("utf-8", "replace"), dtype=np.uint8)
        lengths = _line_lengths(tokens)
        spaces = np.add.reduceat(np.append(tokens == _SPACE, False), _line_starts(lengths))
        chunks = text.split("\n")
        starts, ends = (np.frombuffer(kinds, dtype=np.uint8) for kinds in describe(chunks))
        if BYTE_ORDER_MARK in text:
            starts = np.where([chunk == BYTE_ORDER_MARK for chunk in chunks], np.uint8(_BREAK), starts)
        self._add(identities[owners], lengths, spaces + (lengths > 0), starts, ends, tokens[tokens != _NEWLINE])
        for what, line, number in found.found:
            if what not in self._counts:
                self._counts[what] = np.zeros(len(self._first), dtype=np.int64)
            self._counts[what][identities[owners[line]]] += number

    def _add(
        self, identities: NDArray[np.int64], lengths: NDArray[np.int64], counts: NDArray[np.int64],
        starts: NDArray[Any], ends: NDArray[Any], words: Bytes,
    ) -> None:  # fmt: skip
        """Add pieces of chunks, in their order; of a chunk all of them at once."""
        self._make_room(len(identities), len(words))
        here = slice(self._size, self._size + len(identities))
        for column, value in enumerate((self._used + np.cumsum(lengths) - lengths, lengths, counts, starts, ends)):
            self._pieces[here, column] = value
        self._words[self._used : self._used + len(words)] = words
        begins = np.flatnonzero(np.diff(identities, prepend=-1))
        chunks = identities[begins]
        self._first[chunks] = here.start + begins
        self._numbers[chunks] = np.diff(begins, append=len(identities))
        self._sizes[chunks] = np.add.reduceat(lengths + 1, begins) if len(begins) else 0
        self._size, self._used = here.stop, self._used + len(words)

    def _cut(self, runs: str) -> tuple[str, NDArray[np.int64]]:
        """Return chunks, a line each, and of which run each is."""
        lines = runs.split("\n")
        if 4 * len(max(lines, key=len)) > self._longest:
            candidates: Iterable[int] = range(len(lines))
        else:
            candidates = lines_that_may_be_cut(runs)
        cut = {
            number: chunks for number in candidates if len(chunks := list(chunks_of(lines[number], self._longest))) > 1
        }
        for number, chunks in cut.items():
            lines[number] = "\n".join(chunks)
        numbers = np.ones(len(lines), dtype=np.int64)
        numbers[list(cut)] = [len(chunks) for chunks in cut.values()]
        return "\n".join(lines) if cut else runs, np.repeat(np.arange(len(lines)), numbers)

    def _make_room(self, pieces: int, letters: int) -> None:
        if self._known > len(self._first):
            size = 2 * self._known
            self._first, self._numbers = _grown(self._first, size), _grown(self._numbers, size)
            self._sizes = _grown(self._sizes, size)
            self._counts = {what: _grown(number, size) for what, number in self._counts.items()}
        if self._size + pieces > len(self._pieces):
            self._pieces = _grown(self._pieces, 2 * (self._size + pieces))
        if self._used + letters + len(PADDING) > len(self._words):
            self._words = _grown(self._words, 2 * (self._used + letters + len(PADDING)))


def _grown(array: NDArray[Any], size: int) -> NDArray[Any]:
    grown = np.zeros((size, *array.shape[1:]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown


def _joined(text: Bytes, distinct: Distinct) -> Bytes:
    joined = np.empty(int(distinct.lengths.sum()) + len(distinct.lengths) - 1, dtype=np.uint8)
    _join_words(text, distinct.starts, distinct.lengths, joined)
    return joined


def _line_lengths(text: Bytes) -> NDArray[np.int64]:
    """Return the bytes of each line; text of n lines has n - 1 newlines."""
    ends = np.append(np.flatnonzero(text == _NEWLINE), len(text))
    return np.diff(ends, prepend=-1) - 1


def _line_starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where lines of so many bytes begin."""
    return np.asarray(np.cumsum(lengths + 1) - lengths - 1)


def _some_lines(text: Bytes, lengths: NDArray[np.int64], wanted: NDArray[np.bool_]) -> str:
    """Return some of the lines of a text, at least one, with a newline between them."""
    return np.append(text, np.uint8(_NEWLINE))[np.repeat(wanted, lengths + 1)][:-1].tobytes().decode()


def _kinds(
    runs: Bytes, places: NDArray[np.int64], lengths: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what the wanted ones of the lines say of a sentence's start and of its end; see `sentences.describe`.

    Args:
        runs: lines, with newlines between.
        places: where they begin.
        lengths: their bytes.
        wanted: which of them; these are ASCII.
    """
    # most begin in lower case and end in a letter or a comma
    is_clear = _IS_LOWER[runs[places]] & _ENDS_NOTHING[runs[places + lengths - 1]]
    starts = np.full(len(lengths), Start.LOWER, dtype=np.uint8)
    ends = np.full(len(lengths), End.NONE, dtype=np.uint8)
    unclear = wanted & ~is_clear
    if unclear.any():
        described = describe(_some_lines(runs, lengths, unclear).split("\n"))
        starts[unclear], ends[unclear] = (np.frombuffer(kinds, dtype=np.uint8) for kinds in described)
    return starts[wanted], ends[wanted]


def _is_one_of(characters: str) -> NDArray[np.bool_]:
    is_one = np.zeros(256, dtype=np.bool_)
    is_one[list(characters.encode())] = True
    return is_one


_IS_LOWER, _ENDS_NOTHING = _is_one_of(string.ascii_lowercase), _is_one_of(string.ascii_letters + string.digits + ",")


# ---------------------------------------------------------------- text


class SentenceReader:
    """Cuts text into lines of tokens, as `text.sentences_of` defines them.

    `counts` grows with what is read: sentences, tokens, split (sentences of more than MAX_TOKENS tokens), lines,
    short_sentences and short_sentence_tokens (left out), and what the rules drop or replace.

    Args:
        rules, unit, split, min_tokens: see `text.sentences_of`.
        piece_bytes: how much text is worked on at once; it makes no difference to the result.
        longest: see `text.chunks_of`; no more than `piece_bytes`.
    """

    def __init__(
        self, rules: Rules, unit: Unit = "line", split: bool = True, min_tokens: int = 1,
        piece_bytes: int = PIECE_BYTES, longest: int = LONGEST_CHUNK,
    ) -> None:  # fmt: skip
        self.counts: Counter[str] = Counter()
        self._unit, self._split, self._min_tokens = _UNITS[unit], split, min_tokens
        self._piece_bytes, self._longest = max(piece_bytes, longest + 4), longest
        self._memo = _Memo(rules, longest)
        self._workspace = Workspace()
        self._ends = np.array(ENDS, dtype=np.bool_)
        self._rest = bytearray()
        self._state = np.zeros(len(_STATE), dtype=np.int64)
        self._out: Bytes = np.empty(1 << 20, dtype=np.uint8)
        self._is_at_line_start = True

    def read(self, text: bytes) -> bytes:
        """Return the sentences, a line each, that end before the end of the text so far.

        Args:
            text: the next piece: UTF-8, lines that end with a newline.
        """
        if text:
            self.counts["lines"] += text.count(b"\n")
            self._is_at_line_start = text.endswith(b"\n")
        self._rest += text
        lines = []
        while len(self._rest) >= self._piece_bytes:
            end = self._last_place_to_cut()
            lines.append(self._written(bytes(self._rest[:end])))
            del self._rest[:end]
        return b"".join(lines)

    def finish(self) -> bytes:
        """Return what is left, and be ready for another text."""
        self.counts["lines"] += not self._is_at_line_start
        self._is_at_line_start = True
        lines = [self._written(bytes(self._rest))]
        self._rest.clear()
        _finish(self._state, self._room(1), self._min_tokens)
        self._state[6] = 0
        lines.append(self._flushed())
        return b"".join(lines)

    def drop_rest(self) -> None:
        """Forget text that has not been finished, and what was counted in it."""
        self.counts.clear()
        self._rest.clear()
        self._state[:] = 0
        self._is_at_line_start = True

    def _last_place_to_cut(self) -> int:
        """Return where the text that is at hand can be cut: after white space, or within a run that is too long."""
        rest, end = self._rest, self._piece_bytes
        place = max(rest.rfind(b"\n", 0, end), rest.rfind(b" ", 0, end)) + 1
        if place:
            return place
        for match in _WHITE_SPACE.finditer(rest, 0, end):
            place = match.end()
        if place:
            return place
        place = self._longest
        while rest[place] & 0xC0 == 0x80:  # a character is not cut
            place -= 1
        return place

    def _written(self, text: bytes) -> bytes:
        numbered = self._workspace.number_words(np.frombuffer(text + PADDING, dtype=np.uint8))
        known, size = self._memo.look_up(numbered, self.counts)
        _write(
            numbered.numbers, numbered.lengths, *known, self._ends, self._split, self._unit, self._min_tokens,
            self._state, self._room(size),
        )  # fmt: skip
        return self._flushed()

    def _room(self, size: int) -> Bytes:
        """Return the output, with room for `size` bytes more."""
        used, size = int(self._state[0]), size + len(PADDING)
        if used + size > len(self._out):
            self._out = _grown(self._out, 2 * (used + size))
        return self._out

    def _flushed(self) -> bytes:
        """Return the lines that are complete, and keep the one that is not."""
        used, start = self._state[:2].tolist()
        lines = self._out[:start].tobytes()
        self._out[: used - start] = self._out[start:used]
        self._state[:2] = used - start, 0
        for place, what in enumerate(_STATE[7:], 7):
            self.counts[what] += int(self._state[place])
            self._state[place] = 0
        return lines


def prepare() -> None:
    """Load all kernels from numba's cache, or compile them."""
    reader = SentenceReader(Rules())
    reader.read(b"A word. Another")
    reader.finish()
