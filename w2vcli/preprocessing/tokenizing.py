"""Text into lines of tokens, fast: what `text.sentences_of` defines, with each distinct chunk of text looked at once.

Text comes in pieces of any size and leaves as complete lines. The chunks of a piece are numbered by their bytes
(`numbering`); what the rules make of each is worked out when it is new (`memo`); then a kernel copies the tokens of
every chunk, in the text's order, and ends the lines.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from numba import njit

from w2vcli.compiled import compiled, prefetch, read_uint64, write_uint64
from w2vcli.numbering import PADDING, Bytes
from w2vcli.preprocessing.memo import BREAK, SEVERAL, Memo, grown
from w2vcli.sentences import ENDS
from w2vcli.text import LONGEST_CHUNK, MAX_SENTENCE_BYTES, MAX_TOKENS, Rules, Unit

PIECE_BYTES = 1 << 20  # so that what is worked on stays in a core's cache
_WHITE_SPACE = re.compile(  # at whose end a text can be cut
    rb"[\t-\x0c\x1c-\x20]|\r(?=[^\n])|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f"
    rb"|\xe3\x80\x80"
)

# ---------------------------------------------------------------- kernels

_NEWLINE, _SPACE = 10, 32
_AHEAD = 8  # chunks whose tokens are fetched meanwhile
_LINE, _PARAGRAPH, _DOCUMENT = 0, 1, 2
_UNITS: dict[Unit, int] = {"line": _LINE, "paragraph": _PARAGRAPH, "document": _DOCUMENT}
# what is between two texts, and counted: places in an array
_STATE = 12
_USED, _LINE_START, _SENTENCE_TOKENS, _LINE_TOKENS, _PENDING, _WAS_CUT, _LINE_CHUNKS = range(7)
_SENTENCES, _TOKENS, _SPLIT, _SHORT_SENTENCES, _SHORT_SENTENCE_TOKENS = range(7, _STATE)
_COUNTED = {
    "sentences": _SENTENCES,
    "tokens": _TOKENS,
    "split": _SPLIT,
    "short_sentences": _SHORT_SENTENCES,
    "short_sentence_tokens": _SHORT_SENTENCE_TOKENS,
}


@njit(inline="always")
def _kept(state: Any) -> Any:
    """Return what a loop holds in variables: the first four of the state."""
    return state[_USED], state[_LINE_START], state[_SENTENCE_TOKENS], state[_LINE_TOKENS]


@njit(inline="always")
def _keep(state: Any, used: Any, line_start: Any, sentence_tokens: Any, line_tokens: Any) -> Any:
    """Put them back, for whoever else works on them."""
    state[_USED], state[_LINE_START] = used, line_start
    state[_SENTENCE_TOKENS], state[_LINE_TOKENS] = sentence_tokens, line_tokens


@compiled
def _finish(state: Any, out: Any, min_tokens: Any) -> Any:
    """End the sentence that is being written, if there is one: by a newline, or by removing it."""
    used, line_start, sentence_tokens, line_tokens = _kept(state)
    if sentence_tokens:
        if sentence_tokens < min_tokens and not state[_WAS_CUT]:
            state[_SHORT_SENTENCES] += 1
            state[_SHORT_SENTENCE_TOKENS] += sentence_tokens
            used = line_start
        elif line_tokens:
            out[used] = _NEWLINE
            used += 1
            state[_SENTENCES] += 1
            state[_TOKENS] += line_tokens
        state[_SPLIT] += state[_WAS_CUT]
    state[_USED], state[_LINE_START], state[_SENTENCE_TOKENS], state[_LINE_TOKENS], state[_PENDING], state[_WAS_CUT] = (
        used,
        used,
        0,
        0,
        0,
        0,
    )


@compiled
def _add_one_by_one(state: Any, out: Any, words: Any, start: Any, length: Any) -> Any:
    """Add tokens, separated by spaces, to a sentence that gets too long: its lines are cut between them."""
    place = start
    while place < start + length:
        end = place
        while end < start + length and words[end] != _SPACE:
            end += 1
        if state[_LINE_TOKENS] and (
            state[_LINE_TOKENS] == MAX_TOKENS
            or state[_USED] - state[_LINE_START] + end - place + 2 > MAX_SENTENCE_BYTES
        ):
            out[state[_USED]] = _NEWLINE
            state[_USED] += 1
            state[_SENTENCES] += 1
            state[_TOKENS] += state[_LINE_TOKENS]
            state[_LINE_START], state[_LINE_TOKENS], state[_WAS_CUT] = state[_USED], 0, 1
        if state[_LINE_TOKENS]:
            out[state[_USED]] = _SPACE
            state[_USED] += 1
        for offset in range(end - place):
            out[state[_USED] + offset] = words[place + offset]
        state[_USED] += end - place
        state[_SENTENCE_TOKENS] += 1
        state[_LINE_TOKENS] += 1
        place = end + 1


@compiled
def _write(
    numbers: Any, lengths: Any, rows: Any, places: Any, words: Any, ends: Any, split: Any, unit: Any, min_tokens: Any,
    state: Any, out: Any,
) -> Any:  # fmt: skip
    """Write the tokens of a text's chunks to `out`, a sentence a line.

    numbers: of the chunks, in their order. lengths: the chunks of each line that ends.
    rows, places, words: see `Memo`.
    ends: (kinds of end, kinds of start), whether a sentence ends between them.
    state: see _STATE; from the text before and for the text after.
    """
    chunk, to, source = 0, out.ctypes.data, words.ctypes.data
    used, line_start, sentence_tokens, line_tokens = _kept(state)
    pending = state[_PENDING]
    for line in range(len(lengths) + 1):
        is_rest = line == len(lengths)
        line_end = len(numbers) if is_rest else chunk + lengths[line]
        state[_LINE_CHUNKS] += line_end - chunk
        while chunk < line_end:
            if chunk + _AHEAD < len(numbers):
                prefetch(source + rows[numbers[chunk + _AHEAD], 0])
            row = numbers[chunk]
            last = row
            chunk += 1
            if rows[row, 3] == SEVERAL:
                row = places + rows[row, 0]
                last = row + rows[numbers[chunk - 1], 1] - 1
            while row <= last:
                start, length, count = rows[row, 0], rows[row, 1], rows[row, 2]
                start_kind, end_kind = rows[row, 3] >> 8, rows[row, 3] & 255
                row += 1
                # where the chunk before may end a sentence, this one decides
                if start_kind == BREAK or (pending and start_kind):
                    if start_kind == BREAK or ends[pending, start_kind]:
                        _keep(state, used, line_start, sentence_tokens, line_tokens)
                        _finish(state, out, min_tokens)
                        used, line_start, sentence_tokens, line_tokens = _kept(state)
                    pending = 0
                # its tokens join the sentence
                if line_tokens + count > MAX_TOKENS or used - line_start + length + 2 > MAX_SENTENCE_BYTES:
                    _keep(state, used, line_start, sentence_tokens, line_tokens)
                    _add_one_by_one(state, out, words, start, length)
                    used, line_start, sentence_tokens, line_tokens = _kept(state)
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
        if not is_rest:
            if unit == _LINE or (unit == _PARAGRAPH and state[_LINE_CHUNKS] == 0):
                _keep(state, used, line_start, sentence_tokens, line_tokens)
                _finish(state, out, min_tokens)
                used, line_start, sentence_tokens, line_tokens = _kept(state)
                pending = 0
            state[_LINE_CHUNKS] = 0
    _keep(state, used, line_start, sentence_tokens, line_tokens)
    state[_PENDING] = pending


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
        self._longest = longest
        self._memo = Memo(rules, longest)
        self._ends = np.array(ENDS, dtype=np.bool_)
        self._text = bytearray(max(piece_bytes, longest + 4) + len(PADDING))
        self._held = 0  # bytes of the text that is at hand
        self._state = np.zeros(_STATE, dtype=np.int64)
        self._out: Bytes = np.empty(1 << 20, dtype=np.uint8)
        self._is_at_line_start = True

    def read(self, text: bytes) -> bytes:
        """Return the sentences, a line each, that end before the end of the text so far.

        Args:
            text: the next piece: UTF-8; lines end with a line feed, a carriage return or both.
        """
        if text:
            self._is_at_line_start = text[-1] in b"\n\r"
        lines, piece, room = [], memoryview(text), len(self._text) - len(PADDING)
        while len(piece) >= room - self._held:
            taken = room - self._held
            self._text[self._held : room] = piece[:taken]
            piece, self._held = piece[taken:], room
            lines.append(self._written(self._last_place_to_cut()))
        self._text[self._held : self._held + len(piece)] = piece
        self._held += len(piece)
        return b"".join(lines)

    def finish(self) -> bytes:
        """Return what is left, and be ready for another text."""
        self.counts["lines"] += not self._is_at_line_start
        lines = [self._written(self._held)]
        _finish(self._state, self._room(1), self._min_tokens)
        self._state[_LINE_CHUNKS] = 0
        self._is_at_line_start = True
        lines.append(self._flushed())
        return b"".join(lines)

    def drop_rest(self) -> None:
        """Forget text that has not been finished, and what was counted in it."""
        self.counts.clear()
        self._held = 0
        self._state[:] = 0
        self._is_at_line_start = True

    def _last_place_to_cut(self) -> int:
        """Return where the text that is at hand can be cut: after white space, or within a run that is too long."""
        text, end = self._text, self._held
        place = max(text.rfind(b"\n", 0, end), text.rfind(b" ", 0, end)) + 1
        if place:
            return place
        for match in _WHITE_SPACE.finditer(text, 0, end):
            place = match.end()
        if place:
            return place
        place = self._longest
        while text[place] & 0xC0 == 0x80:  # a character is not cut
            place -= 1
        return place

    def _written(self, end: int) -> bytes:
        """Return the lines that the text at hand up to there completes; keep what follows."""
        after = slice(end, end + len(PADDING))
        kept = self._text[after]
        self._text[after] = PADDING
        text = np.frombuffer(self._text, dtype=np.uint8, count=after.stop)
        numbered, size = self._memo.number(text, self.counts)
        memo = self._memo
        _write(
            numbered.numbers, numbered.lengths, memo.rows, memo.places, memo.words, self._ends, self._split,
            self._unit, self._min_tokens, self._state, self._room(size),
        )  # fmt: skip
        self.counts["lines"] += len(numbered.lengths)
        self._text[after] = kept
        self._text[: self._held - end] = self._text[end : self._held]
        self._held -= end
        return self._flushed()

    def _room(self, size: int) -> Bytes:
        """Return the output, with room for `size` bytes more."""
        used, size = int(self._state[_USED]), size + len(PADDING)
        if used + size > len(self._out):
            self._out = grown(self._out, 2 * (used + size))
        return self._out

    def _flushed(self) -> bytes:
        """Return the lines that are complete, and keep the one that is not."""
        used, start = self._state[:2].tolist()
        lines = self._out[:start].tobytes()
        self._out[: used - start] = self._out[start:used]
        self._state[:2] = used - start, 0
        for what, place in _COUNTED.items():
            self.counts[what] += int(self._state[place])
            self._state[place] = 0
        return lines


def prepare() -> None:
    """Load all kernels from numba's cache, or compile them; have the patterns of words at hand."""
    reader = SentenceReader(Rules())
    reader.read("A word. Ünlike".encode())
    reader.finish()
