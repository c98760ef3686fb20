"""The vocabulary: words and counts, and the probabilities that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w2vcli.errors import W2VError

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

_PIECE_BYTES = 1 << 22  # of a table, read at once


@dataclass(frozen=True)
class Vocab:
    """All words of a corpus by descending count, ties in order of first appearance; a word's place is its id.

    `words`: list of n words. `counts`: int64 (n,), how often each occurs.
    """

    words: list[str]
    counts: CountArray

    def __len__(self) -> int:
        return len(self.words)

    def kept(self, min_count: int, max_final_vocab: int | None = None) -> int:
        """Return V: the words with id < V stay, the rarer ones are left out; see `kept`."""
        return kept(self.counts, min_count, max_final_vocab)

    def head(self, size: int) -> Vocab:
        """Return the vocabulary of the `size` most frequent words."""
        return Vocab(self.words[:size], self.counts[:size])

    def table(self) -> str:
        """Return `word<TAB>count` lines."""
        return "".join([f"{word}\t{count}\n" for word, count in zip(self.words, self.counts.tolist(), strict=True)])

    @classmethod
    def parse(cls, table: str) -> Vocab:
        """Return what `table` gave.

        Raises:
            ValueError: when it is something else.
        """
        fields = table.split()  # a word has no white space in it
        words, counts = fields[::2], fields[1::2]
        if not len(words) == len(counts) == table.count("\t") == table.count("\n"):
            raise ValueError("every line should be a word, a tab and a count")
        return cls(words, np.array(list(map(int, counts)), dtype=np.int64))

    @classmethod
    def load(cls, path: Path) -> Vocab:
        """Read a table.

        Raises:
            W2VError: when it is not such a file.
        """
        try:
            return cls.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _not_a_vocabulary(path, error) from error

    @classmethod
    def load_head(cls, path: Path, size: int) -> tuple[Vocab, CountArray]:
        """Return the first `size` words of a table, and the counts of all its words, which memory holds more easily.

        Raises:
            W2VError: when it is not such a file.
        """
        words: list[str] = []
        counts = [np.zeros(0, dtype=np.int64)]
        try:
            with path.open(encoding="utf-8", newline="\n") as lines:
                while piece := "".join(lines.readlines(_PIECE_BYTES)):
                    part = cls.parse(piece)
                    words += part.words[: max(0, size - len(words))]
                    counts.append(part.counts)
        except (OSError, ValueError) as error:
            raise _not_a_vocabulary(path, error) from error
        every = np.concatenate(counts)
        return cls(words, every[: len(words)]), every


def kept(counts: CountArray, min_count: int, max_final_vocab: int | None = None) -> int:
    """Return V of words with these counts, in descending order: those with id < V stay.

    As in Gensim, `max_final_vocab` raises min_count until at most that many words are left; words as frequent as the
    first one left out go with it.
    """
    return int(np.searchsorted(-counts, -least_count(counts, min_count, max_final_vocab), side="right"))


def least_count(counts: CountArray, min_count: int, max_final_vocab: int | None) -> int:
    """Return the count from which on words with these counts, in descending order, are kept; see `kept`."""
    if max_final_vocab is not None and max_final_vocab < len(counts):
        return max(min_count, int(counts[max_final_vocab]) + 1)
    return min_count


def _not_a_vocabulary(path: Path, error: Exception) -> W2VError:
    return W2VError(f"{path}: not a vocabulary file: {error}")


def keep_probabilities(counts: CountArray, sample: float, total: int | None = None) -> FloatArray:
    """Return the probability that subsampling keeps an occurrence of each word, float64 (n,).

    min(1, sqrt(t/f) + t/f) with t = `sample` and f the word's share of all occurrences, as in word2vec.c (Mikolov
    et al. 2013, https://arxiv.org/abs/1310.4546, give sqrt(t/f) alone). Of Gensim's conventions: 0 keeps all, and
    from 1 on `sample` is a count, the one below which words are kept whole.

    Args:
        counts: how often each word occurs, int64 (n,).
        sample: the threshold.
        total: how often all words do, if these are not all.
    """
    if sample == 0:
        return np.ones(len(counts))
    total = int(counts.sum()) if total is None else total
    threshold = sample * total if sample < 1 else int(sample * (3 + np.sqrt(5)) / 2)
    ratio = threshold / counts
    return np.minimum(1.0, np.sqrt(ratio) + ratio)


def noise_probabilities(counts: CountArray, exponent: float) -> FloatArray:
    """Return the probability of each word as a noise word, float64 (n,): proportional to count ** exponent.

    Mikolov et al. 2013 (https://arxiv.org/abs/1310.4546) use 0.75.
    """
    weights = counts.astype(np.float64) ** exponent
    return np.asarray(weights / weights.sum(), dtype=np.float64)


_BYTES_A_WORD = 500  # a str, a dict entry and its share of the arrays, as Gensim reckons
_BYTES_A_HUFFMAN_PATH = 200


def model_bytes(words: int, vector_size: int, hs: bool, negative: bool) -> int:
    """Return the memory a model needs in bytes, by Gensim's own estimate (`Word2Vec.estimate_memory`)."""
    matrices = 1 + hs + negative
    return words * (_BYTES_A_WORD + (_BYTES_A_HUFFMAN_PATH if hs else 0) + matrices * vector_size * 4)
