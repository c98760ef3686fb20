"""Joins phrases in text that is bytes, in place: a phrase's spaces become underscores, so that nothing moves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.compiled import compiled
from w2vcli.numbering import Bytes

_SPACE, _UNDERSCORE = 0x20, 0x5F
_PRIME, _32 = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)

# A token's hash is made of its bytes, that of several tokens in a row of theirs, one after the other, so that every
# byte of the text is hashed once. A hash table, uint64 (a power of two, 2), with open addressing and step 1, holds in
# each slot a hash and a number + 1, or 0: the number of an entry, which is a token or several with spaces between, and
# stands in `pool` from starts[number] on. The search for one stands in the kernel twice: in a function that gets the
# arrays, references to them would be counted for every token.


@compiled
def _fill(table: Any, pool: Any, starts: Any, first: Any, last: Any) -> Any:
    """Put the entries `first` to `last` - 1 into an empty table."""
    mask = np.uint64(len(table) - 1)
    for number in range(first, last):
        # the same hash as in `_join`
        sequence = token = np.uint64(0)
        is_first = True
        for place in range(starts[number], starts[number + 1] + 1):
            if place < starts[number + 1] and pool[place] != _SPACE:
                token = (token ^ np.uint64(pool[place])) * _PRIME
            else:
                sequence = token if is_first else ((sequence ^ (sequence >> _32)) * _PRIME) ^ token
                token, is_first = np.uint64(0), False
        slot = (sequence ^ (sequence >> _32)) * _PRIME >> _32 & mask
        while table[slot, 1]:
            slot = (slot + np.uint64(1)) & mask
        table[slot, 0], table[slot, 1] = sequence, np.uint64(number + 1)


@compiled
def _join(text: Any, size: Any, connectors: Any, phrases: Any, pool: Any, starts: Any) -> Any:
    """Join the phrases in the first `size` bytes of a text; return how many there were.

    connectors, phrases: tables as above.
    """
    connector_mask, phrase_mask = np.uint64(len(connectors) - 1), np.uint64(len(phrases) - 1)
    place = joined = 0
    start, sequence = -1, np.uint64(0)  # where the phrase may have begun that the next word may end; hash from there on
    while place < size:
        # a token and its hash
        begin, token, byte = place, np.uint64(0), np.uint8(0)
        while place < size:
            byte = text[place]
            if byte <= 0x20 and (byte >= 0x1C or 0x09 <= byte <= 0x0D):
                break
            token = (token ^ np.uint64(byte)) * _PRIME
            place += 1
        length = place - begin
        # is it a connector word?
        is_connector = False
        slot = (token ^ (token >> _32)) * _PRIME >> _32 & connector_mask
        while connectors[slot, 1]:
            if connectors[slot, 0] == token:
                entry = np.int64(connectors[slot, 1]) - 1
                is_connector = starts[entry + 1] - starts[entry] == length
                for offset in range(length if is_connector else 0):
                    is_connector &= pool[starts[entry] + offset] == text[begin + offset]
                if is_connector:
                    break
            slot = (slot + np.uint64(1)) & connector_mask
        if is_connector:
            if start >= 0:
                sequence = ((sequence ^ (sequence >> _32)) * _PRIME) ^ token
        else:
            # does it end a phrase?
            is_phrase = False
            if start >= 0:
                sequence = ((sequence ^ (sequence >> _32)) * _PRIME) ^ token
                slot = (sequence ^ (sequence >> _32)) * _PRIME >> _32 & phrase_mask
                while phrases[slot, 1]:
                    if phrases[slot, 0] == sequence:
                        entry = np.int64(phrases[slot, 1]) - 1
                        is_phrase = starts[entry + 1] - starts[entry] == place - start
                        for offset in range(place - start if is_phrase else 0):
                            is_phrase &= pool[starts[entry] + offset] == text[start + offset]
                        if is_phrase:
                            break
                    slot = (slot + np.uint64(1)) & phrase_mask
            if is_phrase:
                for inside in range(start, place):
                    if text[inside] == _SPACE:
                        text[inside] = _UNDERSCORE
                joined += 1
                start = -1
            else:
                start, sequence = begin, token
        # no phrase goes beyond a line, or an empty token
        if byte != _SPACE or length == 0:
            start = -1
        place += 1
    return joined


class Joiner:
    """Joins phrases in tokenised text.

    Args:
        phrases: each two tokens or more with one space between.
        connector_words: what may stand inside of them.
    """

    def __init__(self, phrases: Collection[str], connector_words: Collection[str]) -> None:
        entries = [entry.encode() for entry in (*connector_words, *phrases)]
        self._pool = np.frombuffer(b"".join(entries), dtype=np.uint8)
        self._starts = np.cumsum([0, *map(len, entries)], dtype=np.int64)
        self._connectors = self._table(0, len(connector_words))
        self._phrases = self._table(len(connector_words), len(entries))

    def _table(self, first: int, last: int) -> NDArray[np.uint64]:
        table = np.zeros((1 << (2 * (last - first)).bit_length(), 2), dtype=np.uint64)
        _fill(table, self._pool, self._starts, first, last)
        return table

    def join(self, text: Bytes, size: int) -> int:
        """Join the phrases in the first `size` bytes of a text, in place; return how many there were.

        Args:
            text: uint8 (at least size,): UTF-8, a sentence a line, one space between tokens. No phrase is found across
                anything else.
            size: bytes.
        """
        return int(_join(text, size, self._connectors, self._phrases, self._pool, self._starts))
