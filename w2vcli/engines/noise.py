"""The noise distribution in groups, so that the rows of noise words stay in a core's cache.

A batch of sentences draws its noise words from one group; the groups take turns. A rare word is in one group and has
there GROUPS times its probability; a more frequent one is in every second group, or in all. So over the groups every
word has exactly its probability. But one batch touches few rows, and threads at work on an even and an odd group write
to different ones, or nearly so.

A frequent word whose noise comes in bursts is trained worse: with every word in a single group the novels' analogies
lose 4 points. With _EVERY, turns as short as a batch, and even and odd groups taking over from each other every 4
batches, no loss could be told from chance. Where threads share a core the even groups could run away from the odd ones:
after 32 batches of one kind the held-out loss is 0.5 higher for a while, so that the engine lets neither lead by more
than a few.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli.compiled import compiled

GROUPS = 16
_EVERY = {2: 0.025, GROUPS: 0.00006}
"""A word whose probability is at most this is only in every 2nd, or GROUPS-th, group."""

Probabilities = NDArray[np.float64]
Words = NDArray[np.int32]


def groups(noise: Probabilities) -> list[tuple[Words, Probabilities]]:
    """Return, for each group, its words and their probabilities, (n,) both; `noise`: float64 (V,), sums to 1."""
    every = np.ones(len(noise), dtype=np.int64)
    for number, limit in _EVERY.items():
        every[noise <= limit] = number
    parts: list[list[tuple[Words, Probabilities]]] = [[] for _ in range(GROUPS)]
    for number in np.unique(every).tolist():
        words = np.random.default_rng(0).permutation(np.flatnonzero(every == number)).astype(np.int32)
        for piece, (place, share) in enumerate(_cut_evenly(noise[words], number)):
            for group in range(piece, GROUPS, number):
                parts[group].append((words[place], number * share))
    return [(np.concatenate([w for w, _ in part]), np.concatenate([p for _, p in part])) for part in parts]


def _cut_evenly(weights: Probabilities, number: int) -> list[tuple[NDArray[np.int64], Probabilities]]:
    """Cut weights into `number` pieces of the same sum; return the places in each, and how much is in it of theirs.

    What stands on a cut is in both pieces.
    """
    ends = np.cumsum(weights)
    begins = ends - weights
    cuts = np.linspace(0, ends[-1], number + 1)
    pieces = []
    for low, high in itertools.pairwise(cuts.tolist()):
        share = np.minimum(ends, high) - np.maximum(begins, low)
        inside = np.flatnonzero(share > 0)
        pieces.append((inside, share[inside]))
    return pieces


def tables(noise: Probabilities) -> tuple[Words, NDArray[np.uint32], Words, NDArray[np.int64]]:
    """Return the alias tables of all groups, one after the other: what to draw from them, in constant time.

    words, accept, alias, (n,) each: a column is words[i] with probability accept[i] / 2**32, otherwise alias[i].
    starts (GROUPS + 1,): group g has the columns starts[g] to starts[g + 1].
    """
    words, accepts, aliases, sizes = [], [], [], [0]
    for members, probabilities in groups(noise):
        accept, alias = alias_table(probabilities / probabilities.sum())
        words.append(members)
        accepts.append(accept)
        aliases.append(members[alias])
        sizes.append(len(members))
    return np.concatenate(words), np.concatenate(accepts), np.concatenate(aliases), np.cumsum(sizes)


@compiled
def alias_table(probabilities: Any) -> Any:
    """Return (accept uint32 (n,), alias int32 (n,)) to draw from a distribution, float64 (n,), in constant time.

    Walker's method in Vose's form (https://doi.org/10.1109/32.92917): n columns of equal width, each shared by its own
    word, which has accept / 2**32 of it, and one other.
    """
    size = len(probabilities)
    share = probabilities * size
    accept = np.full(size, 0xFFFFFFFF, dtype=np.uint32)
    alias = np.arange(size).astype(np.int32)
    small = np.empty(size, dtype=np.int64)
    large = np.empty(size, dtype=np.int64)
    n_small = n_large = 0
    for word in range(size):
        if share[word] < 1:
            small[n_small] = word
            n_small += 1
        else:
            large[n_large] = word
            n_large += 1
    while n_small and n_large:
        n_small -= 1
        word, giver = small[n_small], large[n_large - 1]
        accept[word] = np.uint32(min(share[word] * 4294967296.0, 4294967295.0))
        alias[word] = giver
        share[giver] -= 1 - share[word]
        if share[giver] < 1:
            n_large -= 1
            small[n_small] = giver
            n_small += 1
    return accept, alias
