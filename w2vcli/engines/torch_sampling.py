"""What a step in PyTorch is made of, drawn on the device: words, windows and noise words, no Python loop a word.

A block's ids are moved to the device once; everything that chance decides about them is drawn there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from w2vcli.corpus import Block
from w2vcli.engines.noise import alias_table
from w2vcli.engines.reference import REDRAWS

_PLACES = 1 << 20  # of words beside words, looked at at once


class Words(NamedTuple):
    """The words of a block that subsampling left, in the order they are visited; n of them.

    `ids`: int64 (n,). `sentences`: int64 (n,), the sentence that each is in. `places`: int64 (n,), how many words of
    the block, trained or not, come before each.
    """

    ids: Tensor
    sentences: Tensor
    places: Tensor


def subsampled(block: Block, keep: Tensor, generator: torch.Generator) -> Words:
    """Return the words that stay; `keep`: float32 (V + 1,), the keep probabilities, and 0 for words that have none."""
    device = keep.device
    ids, starts, ends = (torch.from_numpy(array).to(device) for array in (block.ids, block.starts, block.ends))
    lengths = ends - starts
    sentences = torch.repeat_interleave(lengths)
    before = lengths.cumsum(0) - lengths  # words in the sentences before each
    places = torch.arange(len(sentences), device=device)
    ids = ids[places + (starts - before)[sentences]].long()
    kept = torch.rand(len(ids), device=device, generator=generator) < keep[ids.clamp(max=len(keep) - 1)]
    return Words(ids[kept], sentences[kept], places[kept])


class Windows(NamedTuple):
    """Centres and what is around them, as numbers of words; by centre, and around it from left to right; m of them.

    `centres`, `contexts`: int64 (m,).
    """

    centres: Tensor
    contexts: Tensor


def windows(words: Words, window: int, shrink_windows: bool, generator: torch.Generator) -> Iterator[Windows]:
    """Yield the windows of all words, a good many at a time; no window is cut in two.

    Each centre draws its reach from 1 to `window`, or with `shrink_windows` false has all of it.
    """
    device, size = words.ids.device, len(words.ids)
    offsets = torch.arange(-window, window + 1, device=device)
    offsets = offsets[offsets != 0]
    at_once = max(1, _PLACES // len(offsets))
    for first in range(0, size, at_once):
        centres = torch.arange(first, min(first + at_once, size), device=device)
        around = centres[:, None] + offsets
        inside = (around >= 0) & (around < size)
        around.clamp_(0, size - 1)
        inside &= words.sentences[around] == words.sentences[centres][:, None]
        if shrink_windows:
            reaches = torch.randint(1, window + 1, (len(centres),), device=device, generator=generator)
            inside &= offsets.abs() <= reaches[:, None]
        yield Windows(centres[:, None].expand_as(around)[inside], around[inside])


class Examples(NamedTuple):
    """What predicts what.

    `inputs`: int64 (n,), the words that predict: one for each positive, or in CBOW as many as `sizes` says.
    `sizes`: int64 (m,). `positives`: int64 (m,), what they predict. `places`: int64 (m,), as in `Words`, the centre's.
    """

    inputs: Tensor
    sizes: Tensor | None
    positives: Tensor
    places: Tensor

    def batches(self, size: int) -> Iterator[Examples]:
        """Yield so many of them at a time; the last ones may be fewer."""
        ends = None if self.sizes is None else torch.cat([self.sizes.new_zeros(1), self.sizes.cumsum(0)])
        for start in range(0, len(self.positives), size):
            here = slice(start, min(start + size, len(self.positives)))
            sizes = None if self.sizes is None else self.sizes[here]
            of_inputs = here if ends is None else slice(*ends[[here.start, here.stop]].tolist())
            yield Examples(self.inputs[of_inputs], sizes, self.positives[here], self.places[here])


def pairs(words: Words, part: Windows) -> Examples:
    """Return the examples of skip-gram: each centre predicts each of its contexts."""
    return Examples(words.ids[part.centres], None, words.ids[part.contexts], words.places[part.centres])


def whole_windows(words: Words, part: Windows) -> Examples:
    """Return the examples of CBOW: all contexts of a centre predict it."""
    centres, sizes = torch.unique_consecutive(part.centres, return_counts=True)
    return Examples(words.ids[part.contexts], sizes, words.ids[centres], words.places[centres])


class Noise:
    """The noise distribution on a device.

    Args:
        probabilities: float64 (V,), sum to 1.
        device: where noise words are drawn.
    """

    def __init__(self, probabilities: NDArray[np.float64], device: torch.device) -> None:
        accept, alias = alias_table(probabilities)
        self.accept = torch.from_numpy((accept / 2.0**32).astype(np.float32)).to(device)
        """float32 (V,): a column is its own word with this probability."""
        self.alias = torch.from_numpy(alias).to(device)
        """int32 (V,): otherwise it is this one."""

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return noise words, int64, of this shape."""
        device = self.accept.device
        columns = torch.randint(len(self.accept), shape, device=device, generator=generator)
        is_own = torch.rand(shape, device=device, generator=generator) < self.accept[columns]
        return torch.where(is_own, columns, self.alias[columns].long())

    def draw_others(
        self, number: int, words: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Return noise words, int64 (n, number), and what each counts, float32 of this shape, or None if it is all 1.

        A word that hits one of the `words` (n,) beside it is drawn again, a few times; if it still does, it counts 0.
        """
        drawn = self.draw((len(words[0]), number), generator)
        for turn in range(REDRAWS + 1):
            hits = is_among(drawn, words)
            places = hits.nonzero(as_tuple=True)
            if not len(places[0]):
                return drawn, None
            if turn < REDRAWS:
                drawn[places] = self.draw((len(places[0]),), generator)
        return drawn, (~hits).float()


def is_among(noise: Tensor, words: tuple[Tensor, ...]) -> Tensor:
    """Return whether noise words, (n, k) or (s,), are one of the words (n,) of their row: bool (n, k) or (n, s)."""
    hits = noise == words[0][:, None]
    for others in words[1:]:
        hits |= noise == others[:, None]
    return hits
