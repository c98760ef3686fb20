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
    fetch_add,
    read_int32,
    read_int64,
    skipgram_step,
    tiling,
    write_int64,
)

PREFETCH_AHEAD = 2
"""How many centres ahead rows are fetched into the cache: enough to hide the latency, few enough to stay there."""
LEAD = 1  # runs that one line of batches may be ahead of the other; see `noise`
LISTS = 4  # of output rows: more than PREFETCH_AHEAD


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


class Work(NamedTuple):
    """A block cut into batches of whole sentences, n of them, which threads take one after the other."""

    cuts: NDArray[np.int64]
    """(n + 1,): batch i has the sentences cuts[i] to cuts[i + 1]."""
    keys: NDArray[np.uint64]
    """(n,): where each batch's random numbers come from."""
    alphas: NDArray[np.float64]
    """(n,): each batch's learning rate."""
    group: int
    """Where the turns of the groups of noise words begin."""
    run: int
    """So many batches in succession draw their noise from groups that share frequent words: they stay in the cache."""
    taken: NDArray[np.int64]
    """(1 or 2, 8), each in a cache line of its own: how many batches of all runs, or of every second run, are taken."""


class Scratch(NamedTuple):
    """One thread's working memory."""

    words: NDArray[np.int32]  # (batch,) kept words of some whole sentences
    begins: NDArray[np.int32]  # (batch,) where each word's window begins among them
    ends: NDArray[np.int32]  # (batch,) and where it ends
    noise: NDArray[np.int32]  # (batch * negative,) the noise words of every centre
    contexts: NDArray[np.int64]  # (most contexts + 1,) addresses of input rows
    outputs: NDArray[np.int64]  # (LISTS, tiles * tile) addresses of output rows, of centres in succession
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
        outputs=np.zeros((LISTS, tiles * tile), dtype=np.int64),
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
def _next_batch(taken: Any, worker: Any, run: Any, batches: Any) -> Any:
    """Take a batch that nobody has taken, and return its number; -1: there is none left.

    With two lines, one is of the even runs and one of the odd ones; a worker takes from its own as long as it can, and
    as long as the other has not fallen behind (where two threads share a core, say): or else noise would come from
    groups of one kind for long.
    """
    lines, address = len(taken), taken.ctypes.data
    first = worker % lines
    if taken[first, 0] > taken[lines - 1 - first, 0] + LEAD * run:
        first = lines - 1 - first
    for turn in range(lines):
        line = (first + turn) % lines
        place = fetch_add(address + line * taken.strides[0], 1)
        batch = (place // run * lines + line) * run + place % run
        if batch < batches:
            return batch
    return -1


@njit
def _group_of(batch: Any, first: Any, run: Any, groups: Any) -> Any:
    """Return the group that a batch draws its noise from: of an even number in one run, of an odd one in the next.

    The batches of all even runs, or of all odd ones, go through their groups in turn: no group comes twice soon.
    """
    line, place = batch // run % 2, batch // (2 * run) * run + batch % run
    return (first + 2 * place + line) % groups


@njit
def _subsample(sentences: Any, first: Any, last: Any, keep: Any, key: Any, scratch: Any) -> Any:
    """Put the kept words of some sentences into the batch; `begins` and `ends` are their sentence's.

    Returns the number of words, and the next number to draw.
    """
    left_out = len(keep) - 1
    n, counter = 0, np.uint64(0)
    for sentence in range(first, last):
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
    return n, counter


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
def _list_outputs(centre: Any, negative: Any, at: Any, listed: Any, stride: Any) -> Any:
    """List the output rows of a centre: its own, then its noise words'."""
    write_int64(listed, 0, at.outputs + read_int32(at.words, centre) * stride)
    for output in range(1, 1 + negative):
        row = at.outputs + read_int32(at.noise, centre * negative + output - 1) * stride
        write_int64(listed, output, row)


@njit(forceinline=True)
def _are_different(listed: Any, number: Any) -> Any:
    """Return whether all rows of a list are different."""
    all_different = True
    for output in range(1, number):
        for earlier in range(output):
            all_different &= read_int64(listed, earlier) != read_int64(listed, output)
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
    """Return the compiled function that trains, as one of the workers; it returns how many words were trained.

    Its arguments: inputs, outputs (float32 (V, width), rows of whole vectors), Tables, Sentences, Settings, Work, the
    worker's number, Scratch; classes as plain tuples. (numba's cache would not survive a change of them.)
    """
    tiles, tile = tiling(1 + negative, lanes)
    # numbers only: they are part of what numba's cache finds compiled functions by
    is_cbow, in_place, groups = int(cbow), int(tiles == 1), GROUPS
    slots = tuple(vector_code.slots_of_outputs(lanes))
    version = vector_code.VERSION

    @compiled
    def train(
        inputs: Any, outputs: Any, tables: Any, sentences: Any, settings: Any, work: Any, worker: Any, scratch: Any
    ) -> Any:
        _ = version
        tables, sentences, settings = Tables(*tables), Sentences(*sentences), Settings(*settings)
        work, scratch = Work(*work), Scratch(*scratch)
        negative, stride, n_vectors = settings.negative, inputs.strides[0], inputs.shape[1] // lanes
        listed, factors = scratch.outputs, scratch.factors
        at = _Addresses(
            inputs.ctypes.data, outputs.ctypes.data,
            scratch.words.ctypes.data, scratch.begins.ctypes.data, scratch.ends.ctypes.data, scratch.noise.ctypes.data,
            scratch.contexts.ctypes.data, listed.ctypes.data, factors.ctypes.data, scratch.gradients.ctypes.data,
            scratch.changes.ctypes.data, scratch.spare.ctypes.data, scratch.only_sum.ctypes.data,
        )  # fmt: skip
        the_sum = at.spare + tile * stride
        list_bytes = listed.strides[0]
        for output in range(1 + negative, tiles * tile):  # places of the last tile that stay empty
            listed[:, output] = at.spare + (output % tile) * stride
        trained = 0
        while True:
            batch = _next_batch(work.taken, worker, work.run, len(work.keys))
            if batch < 0:
                break
            # everything random is drawn
            key, alpha = work.keys[batch], np.float32(work.alphas[batch])
            n, counter = _subsample(sentences, work.cuts[batch], work.cuts[batch + 1], tables.keep, key, scratch)
            counter = _draw_windows(settings, key, counter, n, scratch)
            _draw_noise(
                tables, _group_of(batch, work.group, work.run, groups), key, counter, n * negative, scratch.noise
            )
            trained += n
            # and then every word is the centre once
            _set_factors(alpha, negative, tile, slots, factors)
            for ahead in range(n + PREFETCH_AHEAD):
                rows_ahead = at.listed + (min(ahead, n - 1) % LISTS) * list_bytes
                if ahead < n:
                    _list_outputs(ahead, negative, at, rows_ahead, stride)
                centre = ahead - PREFETCH_AHEAD
                number = _list_contexts(centre, at, stride) if centre >= 0 else 0
                if number == 0:
                    continue
                rows = at.listed + (centre % LISTS) * list_bytes
                all_different = _are_different(rows, 1 + negative)
                if not all_different:
                    _merge_outputs(at.spare, stride, negative, tile, slots, listed[centre % LISTS], factors)
                # the row that the window ahead may be the first to reach
                row_ahead = at.inputs + read_int32(at.words, min(ahead + settings.window, n - 1)) * stride
                if is_cbow:
                    cbow_step(
                        lanes, tile, at.contexts, number, rows, tiles, at.factors, n_vectors,
                        at.gradients, at.changes, rows_ahead, row_ahead, settings.cbow_mean, at.only_sum, the_sum,
                    )  # fmt: skip
                else:
                    skipgram_step(
                        lanes, tile, in_place, at.contexts, number, rows, tiles, at.factors, n_vectors,
                        at.gradients, at.changes, rows_ahead, row_ahead,
                    )  # fmt: skip
                if not all_different:
                    _set_factors(alpha, negative, tile, slots, factors)
        return trained

    return train
