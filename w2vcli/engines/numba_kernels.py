"""Kernels of the numba engine: skip-gram and CBOW with negative sampling.

They walk sentences, draw everything random and list, for each centre word, the rows that take part; the arithmetic on
these rows is `vector_code`'s.

Addresses are int64; the arrays they point into are kept alive by the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from w2vcli.compiled import compiled
from w2vcli.engines import vector_code
from w2vcli.engines.noise import GROUPS
from w2vcli.engines.vector_code import (
    SLOTS,
    cbow_step,
    prefetch_row,
    read_int32,
    read_int64,
    skipgram_step,
    tiling,
    write_int64,
)

PREFETCH_AHEAD = 2
"""How many centres ahead rows are fetched into the cache: enough to hide the latency, few enough to stay there."""


class Tables(NamedTuple):
    """What the vocabulary says. V words."""

    keep: NDArray[np.uint64]
    """(V + 1,): an occurrence stays if 32 random bits are below this; the last, 0, is for all words left out."""
    noise: NDArray[np.int32]
    """(n,): the words of the columns of the alias tables; this and the rest as `noise.tables` returns them."""
    accept: NDArray[np.uint32]
    alias: NDArray[np.int32]
    group_starts: NDArray[np.int64]


class Sentences(NamedTuple):
    """Sentence i is `ids[starts[i]:ends[i]]`."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Settings(NamedTuple):
    """What does not change in a run."""

    window: int
    negative: int
    shrink_windows: bool
    cbow_mean: bool


class Part(NamedTuple):
    """Which sentences of a block to train on, and how."""

    first: int
    last: int
    batch: int
    """The most words of a batch; not what the scratch would hold, which differs from process to process."""
    key: np.uint64
    """Where its random numbers come from."""
    group: int
    """Which group of noise words its first batch draws from; the next one draws from the next but one."""
    alpha_start: float
    alpha_end: float
    """The learning rate before `first` and after `last`."""


class Scratch(NamedTuple):
    """One thread's working memory."""

    words: NDArray[np.int32]  # (batch,) kept words of some whole sentences
    begins: NDArray[np.int32]  # (batch,) where each word's window begins among them
    ends: NDArray[np.int32]  # (batch,) and where it ends
    noise: NDArray[np.int32]  # (batch * negative,) the noise words of every centre
    contexts: NDArray[np.int64]  # (most contexts + 1,) addresses of input rows
    outputs: NDArray[np.int64]  # (tiles * tile,) addresses of output rows
    factors: NDArray[np.float32]  # (tiles, 2, lanes): alpha, and alpha * label, in each output's slots
    gradients: NDArray[np.float32]  # (tiles * (most contexts + 1), SLOTS)
    changes: NDArray[np.float32]  # (most contexts, width)
    spare: NDArray[np.float32]  # (tile + 1, width): rows that stand in for outputs that are not there; CBOW's sum
    only_sum: NDArray[np.int64]  # (2,): the list of contexts that holds CBOW's sum alone


def aligned(*shape: int) -> NDArray[np.float32]:
    """Return zeros, float32, that begin at a multiple of 64 bytes."""
    size = 4 * int(np.prod(shape))
    memory = np.zeros(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(np.float32).reshape(shape)


def scratch(settings: Settings, batch: int, width: int, lanes: int) -> Scratch:
    """Return working memory for batches of up to `batch` words and rows of `width` floats."""
    tiles, tile = tiling(1 + settings.negative, lanes)
    contexts = min(2 * settings.window, batch) + 1
    return Scratch(
        words=np.zeros(batch, dtype=np.int32),
        begins=np.zeros(batch, dtype=np.int32),
        ends=np.zeros(batch, dtype=np.int32),
        noise=np.zeros(batch * settings.negative, dtype=np.int32),
        contexts=np.zeros(contexts, dtype=np.int64),
        outputs=np.zeros(tiles * tile, dtype=np.int64),
        factors=aligned(tiles, 2, lanes),
        gradients=aligned(tiles * (contexts + 1), SLOTS),
        changes=aligned(contexts, width),
        spare=aligned(tile + 1, width),
        only_sum=np.zeros(2, dtype=np.int64),
    )


# ---------------------------------------------------------------- random numbers


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_27, _30, _31, _32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)


@njit(inline="always")
def random_bits(key: Any, counter: Any) -> Any:
    """Return 64 random bits, uint64: number `counter` of the stream `key`.

    SplitMix64 (Steele, Lea and Flood 2014, https://doi.org/10.1145/2660193.2660195): nothing but the two numbers
    goes in, so draws are independent of each other and of the thread that makes them.
    """
    bits = key + counter * _GOLDEN
    bits = (bits ^ (bits >> _30)) * _MIX_1
    bits = (bits ^ (bits >> _27)) * _MIX_2
    return bits ^ (bits >> _31)


# ---------------------------------------------------------------- what a batch of sentences is made into


@njit
def _subsample(
    sentences: Any, sentence: Any, last: Any, batch: Any, keep: Any, key: Any, counter: Any, scratch: Any
) -> Any:
    """Put the kept words of as many whole sentences as fit into the batch; `begins` and `ends` are their sentence's.

    Returns the next sentence, the next counter and the number of words.
    """
    left_out = len(keep) - 1
    n = 0
    while sentence < last and n + sentences.ends[sentence] - sentences.starts[sentence] <= batch:
        begin = n
        for place in range(sentences.starts[sentence], sentences.ends[sentence]):
            word = sentences.ids[place]
            scratch.words[n] = word
            # without a branch: which words stay cannot be predicted
            n += (random_bits(key, counter) >> _32) < keep[min(word, left_out)]
            counter += np.uint64(1)
        for place in range(begin, n):
            scratch.begins[place] = begin
            scratch.ends[place] = n
        sentence += 1
    return sentence, counter, n


@njit
def _draw_windows(settings: Any, key: Any, counter: Any, n: Any, scratch: Any) -> Any:
    """Narrow `begins` and `ends` from the sentence to the window, of 1 to window words to either side."""
    window = settings.window
    for place in range(n):
        reach = window
        if settings.shrink_windows:
            reach = np.int64(((random_bits(key, counter + np.uint64(place)) >> _32) * np.uint64(window)) >> _32) + 1
        scratch.begins[place] = max(scratch.begins[place], place - reach)
        scratch.ends[place] = min(scratch.ends[place], place + reach + 1)
    return counter + np.uint64(n)


@njit
def _draw_noise(tables: Any, group: Any, key: Any, counter: Any, number: Any, noise: Any) -> Any:
    """Draw `number` words from one group of the noise distribution."""
    first, last = tables.group_starts[group], tables.group_starts[group + 1]
    words, accept, alias = tables.noise[first:last], tables.accept[first:last], tables.alias[first:last]
    size = np.uint64(last - first)
    for place in range(number):
        bits = random_bits(key, counter + np.uint64(place))
        column = np.int32(((bits >> _32) * size) >> _32)
        # without a branch: which of the column's two words it is cannot be predicted
        is_other = np.int32((bits & _LOW_HALF) >= accept[column])
        noise[place] = words[column] + is_other * (alias[column] - words[column])
    return counter + np.uint64(number)


# ---------------------------------------------------------------- the rows of one centre


# These work on addresses: handling an array counts references to it, which for every centre would cost a fifth of the
# speed.


class _Addresses(NamedTuple):
    """Where arrays begin: the matrices, and what is in Scratch."""

    inputs: int
    outputs: int
    words: int
    begins: int
    ends: int
    noise: int
    contexts: int
    listed: int
    factors: int
    gradients: int
    changes: int
    spare: int
    only_sum: int


@njit(forceinline=True)
def _prefetch_rows(centre: Any, n: Any, settings: Any, at: Any, stride: Any) -> Any:
    """Ask for the output rows of a centre, and for the input row that its window may be the first to reach."""
    if centre < n:
        prefetch_row(at.outputs + read_int32(at.words, centre) * stride, stride)
        for place in range(centre * settings.negative, (centre + 1) * settings.negative):
            prefetch_row(at.outputs + read_int32(at.noise, place) * stride, stride)
    if centre + settings.window < n:
        prefetch_row(at.inputs + read_int32(at.words, centre + settings.window) * stride, stride)


@njit(forceinline=True)
def _list_contexts(centre: Any, at: Any, stride: Any) -> Any:
    """List the input rows of a centre's contexts and return how many there are."""
    number = 0
    for place in range(read_int32(at.begins, centre), read_int32(at.ends, centre)):
        write_int64(at.contexts, number, at.inputs + read_int32(at.words, place) * stride)
        number += place != centre
    if number > 0:
        # once more: it may have to fill the last group
        write_int64(at.contexts, number, read_int64(at.contexts, number - 1))
    return number


@njit(forceinline=True)
def _list_outputs(centre: Any, negative: Any, at: Any, stride: Any) -> Any:
    """List the output rows of a centre: its own, then its noise words'; return whether all of them are different."""
    write_int64(at.listed, 0, at.outputs + read_int32(at.words, centre) * stride)
    all_different = True
    for output in range(1, 1 + negative):
        row = at.outputs + read_int32(at.noise, centre * negative + output - 1) * stride
        for earlier in range(output):
            all_different &= read_int64(at.listed, earlier) != row
        write_int64(at.listed, output, row)
    return all_different


@njit
def _merge_outputs(spare: Any, stride: Any, negative: Any, tile: Any, slots: Any, listed: Any, factors: Any) -> Any:
    """Let every output row be listed once, since it is written from a register; a spare row takes the other place.

    The centre is no noise, so drawing it counts nothing; a noise word drawn twice counts twice.
    """
    for output in range(1, 1 + negative):
        for earlier in range(output):
            if listed[earlier] == listed[output]:
                listed[output] = spare + (output % tile) * stride
                _move_factor(output, earlier, tile, slots, factors)
                break


@njit
def _move_factor(output: Any, earlier: Any, tile: Any, slots: Any, factors: Any) -> Any:
    for slot in range(0, factors.shape[2], SLOTS):
        factor = factors[output // tile, 0, slot + slots[output % tile]]
        factors[output // tile, 0, slot + slots[output % tile]] = 0
        if earlier > 0:
            factors[earlier // tile, 0, slot + slots[earlier % tile]] += factor


@njit
def _set_factors(alpha: Any, negative: Any, tile: Any, slots: Any, factors: Any) -> Any:
    """Give every output the factor alpha; the first, the centre, has label 1, the others 0."""
    factors[:] = 0
    for output in range(1 + negative):
        for slot in range(slots[output % tile], factors.shape[2], SLOTS):
            factors[output // tile, 0, slot] = alpha
            factors[output // tile, 1, slot] = alpha if output == 0 else np.float32(0)


# ---------------------------------------------------------------- the two models


@cache
def kernel(cbow: bool, negative: int, lanes: int) -> Callable[..., int]:
    """Return the compiled function that trains on some sentences; it returns how many words were trained.

    Its arguments: inputs, outputs (float32 (V, width), rows of whole vectors), and as plain tuples Tables, Sentences,
    Settings, Part, Scratch. (numba's cache would not survive a change of these classes.)
    """
    tiles, tile = tiling(1 + negative, lanes)
    # numbers only: they are part of what numba's cache finds compiled functions by
    is_cbow, in_place, groups = int(cbow), int(tiles == 1), GROUPS
    slots = tuple(vector_code.slots_of_outputs(lanes))
    version = vector_code.VERSION

    @compiled
    def train(inputs: Any, outputs: Any, tables: Any, sentences: Any, settings: Any, part: Any, scratch: Any) -> Any:
        _ = version
        tables, sentences, settings = Tables(*tables), Sentences(*sentences), Settings(*settings)
        part, scratch = Part(*part), Scratch(*scratch)
        negative, stride, n_vectors = settings.negative, inputs.strides[0], inputs.shape[1] // lanes
        listed, factors = scratch.outputs, scratch.factors
        at = _Addresses(
            inputs.ctypes.data, outputs.ctypes.data,
            scratch.words.ctypes.data, scratch.begins.ctypes.data, scratch.ends.ctypes.data, scratch.noise.ctypes.data,
            scratch.contexts.ctypes.data, listed.ctypes.data, factors.ctypes.data, scratch.gradients.ctypes.data,
            scratch.changes.ctypes.data, scratch.spare.ctypes.data, scratch.only_sum.ctypes.data,
        )  # fmt: skip
        the_sum = at.spare + tile * stride
        for output in range(1 + negative, len(listed)):  # places of the last tile that stay empty
            listed[output] = at.spare + (output % tile) * stride
        counter = np.uint64(0)
        sentence, group = part.first, part.group
        trained = 0
        while sentence < part.last:
            # a batch of whole sentences: everything random is drawn
            done = (sentence - part.first) / (part.last - part.first)
            alpha = np.float32(part.alpha_start + (part.alpha_end - part.alpha_start) * done)
            sentence, counter, n = _subsample(
                sentences, sentence, part.last, part.batch, tables.keep, part.key, counter, scratch
            )
            counter = _draw_windows(settings, part.key, counter, n, scratch)
            counter = _draw_noise(tables, group, part.key, counter, n * negative, scratch.noise)
            group = (group + 2) % groups
            trained += n
            # and then every word is the centre once
            _set_factors(alpha, negative, tile, slots, factors)
            for centre in range(n):
                _prefetch_rows(centre + PREFETCH_AHEAD, n, settings, at, stride)
                number = _list_contexts(centre, at, stride)
                if number == 0:
                    continue
                all_different = _list_outputs(centre, negative, at, stride)
                if not all_different:
                    _merge_outputs(at.spare, stride, negative, tile, slots, listed, factors)
                if is_cbow:
                    cbow_step(
                        lanes, tile, at.contexts, number, at.listed, tiles, at.factors, n_vectors,
                        at.gradients, at.changes, settings.cbow_mean, at.only_sum, the_sum,
                    )  # fmt: skip
                else:
                    skipgram_step(
                        lanes, tile, in_place, at.contexts, number, at.listed, tiles, at.factors, n_vectors,
                        at.gradients, at.changes,
                    )  # fmt: skip
                if not all_different:
                    _set_factors(alpha, negative, tile, slots, factors)
        return trained

    return train
