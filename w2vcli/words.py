"""The words of a vocabulary: numbers of words, and words by their numbers."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_LOOKED_AT = 8  # words, to see whether their order is one


class Words(Sequence[str]):
    """The words of a vocabulary in its order, most frequent first as a rule."""

    @abstractmethod
    def find(self, word: str) -> int | None:
        """Return the number of a word, or None."""

    @abstractmethod
    def beginning_with(self, start: str, most: int) -> list[str]:
        """Return up to so many words that begin so, in the order of their code points."""

    @abstractmethod
    def _at(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self._at(one) for one in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(number)
        return self._at(number % len(self))

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find(word) is not None


class ListedWords(Words):
    """Words that are in memory. Of a word that is there twice, the first counts."""

    def __init__(self, words: Sequence[str], numbers: dict[str, int] | None = None) -> None:
        self._words = words
        if numbers is not None:
            self._numbers = numbers

    def __len__(self) -> int:
        return len(self._words)

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in reversed(list(enumerate(self._words)))}

    def find(self, word: str) -> int | None:
        """Return the number of a word, or None."""
        return self._numbers.get(word)

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted(self._words)

    def beginning_with(self, start: str, most: int) -> list[str]:
        """Return up to so many words that begin so, in the order of their code points."""
        first = bisect_left(self._sorted, start)
        return list(takewhile(lambda word: word.startswith(start), self._sorted[first : first + most]))

    def _at(self, number: int) -> str:
        return self._words[number]


class StoredWords(Words):
    """Words in arrays, as they are stored: nothing is read but what is looked up.

    Args:
        text: uint8, the words in UTF-8, one after the other.
        ends: int64 (n,), where each ends in it.
        order: int32 (n,), the numbers of the words in the order of their bytes.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64], order: NDArray[np.int32]) -> None:
        self.text, self.ends, self.order = text, ends, order

    @classmethod
    def checked(cls, text: Any, ends: Any, order: Any) -> StoredWords:
        """Return words from arrays that came from a file.

        Raises:
            ValueError: when they are no words.
        """
        kinds = [getattr(array, "dtype", None) for array in (text, ends, order)]
        if kinds != [np.uint8, np.int64, np.int32] or {text.ndim, ends.ndim, order.ndim} != {1}:
            raise ValueError("has words in arrays of other kinds")
        if len(ends) != len(order) or (ends[-1] if len(ends) else 0) != len(text):
            raise ValueError("has words in arrays that do not belong together")
        if len(order) and not 0 <= order.min() <= order.max() < len(order):
            raise ValueError("has words in an order that is none")
        found = cls(text, ends, order)
        for number in np.linspace(0, len(order) - 1, _LOOKED_AT if len(order) else 0).astype(int).tolist():
            if found.find(found[number]) is None:
                raise ValueError("has words in an order that is none")
        return found

    def __len__(self) -> int:
        return len(self.ends)

    def _bytes(self, number: int) -> bytes:
        start = self.ends[number - 1] if number else 0
        return self.text[start : self.ends[number]].tobytes()

    def _at(self, number: int) -> str:
        return self._bytes(number).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        text, start = self.text.tobytes(), 0
        for end in self.ends.tolist():
            yield text[start:end].decode("utf-8", "replace")
            start = end

    def find(self, word: str) -> int | None:
        """Return the number of a word, or None; by halving."""
        sought = word.encode("utf-8", "surrogatepass")
        place = self._place(sought)
        if place < len(self) and self._bytes(int(self.order[place])) == sought:
            return int(self.order[place])
        return None

    def _place(self, sought: bytes) -> int:
        """Return how many words come before these bytes."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._bytes(int(self.order[middle])) < sought:
                low = middle + 1
            else:
                high = middle
        return low

    def beginning_with(self, start: str, most: int) -> list[str]:
        """Return up to so many words that begin so, in the order of their code points."""
        first = self._place(start.encode("utf-8", "surrogatepass"))
        words = (self._at(int(number)) for number in self.order[first : first + most])
        return list(takewhile(lambda word: word.startswith(start), words))


def listed(keys: Sequence[Any]) -> ListedWords:
    """Return the words of a Gensim model; the keys of vectors need not be words, and are written out then."""
    return ListedWords(keys if all(isinstance(key, str) for key in keys) else [str(key) for key in keys])


def stored(words: Iterable[str]) -> StoredWords:
    """Return words as arrays.

    >>> words = stored(["the", "königin", "a"])
    >>> words.find("königin"), words.find("of"), list(words), words.order.tolist()
    (1, None, ['the', 'königin', 'a'], [2, 1, 0])
    """
    encoded = [word.encode("utf-8", "surrogatepass") for word in words]
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    order = np.array(sorted(range(len(encoded)), key=encoded.__getitem__), dtype=np.int32)
    return StoredWords(np.frombuffer(b"".join(encoded), dtype=np.uint8), ends, order)
