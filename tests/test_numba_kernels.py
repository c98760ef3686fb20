"""What the numba engine is made of; what it trains is in the conformance suite."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numba import njit

from w2vcli.corpus import Block
from w2vcli.engines import noise, numba_engine, reference
from w2vcli.engines import numba_kernels as kernels
from w2vcli.engines.numba_engine import NumbaEngine
from w2vcli.engines.numba_kernels import random_bits
from w2vcli.engines.reference import ReferenceEngine
from w2vcli.engines.vector_code import tiling

from .test_engines import CERTAIN_COUNTS, CERTAIN_NOISE, block_of, model_of


def test_random_bits_are_splitmix64s() -> None:
    """The first numbers that its authors' program prints for seed 0, and for 1234567."""
    first = [int(random_bits(np.uint64(0), np.uint64(i))) for i in (1, 2, 3)]
    assert first == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert int(random_bits(np.uint64(1234567), np.uint64(1))) == 6457827717110365317


def tables(keep: list[float], probabilities: list[float]) -> kernels.Tables:
    return kernels.Tables(
        np.array([k * 2**32 for k in keep] + [0]).astype(np.uint64), *noise.tables(np.array(probabilities))
    )


def memory(batch: int, window: int = 5, negative: int = 4) -> tuple[kernels.Settings, kernels.Scratch]:
    options = kernels.Settings(window, negative, True, True)
    return options, kernels.scratch(options, batch, 16, 16)


def test_subsampling_keeps_sentences_apart() -> None:
    ids = np.array([1, 0, 1, 2, 7, 1, 0, 0, 1, 1, 1], dtype=np.int32)
    sentences = kernels.Sentences(ids, np.array([8, 0, 6]), np.array([11, 6, 8]))
    _, scratch = memory(9)
    keep = tables([0, 1, 1], [1]).keep  # word 0 never, 1 and 2 always, 7 is left out
    n, counter = kernels._subsample(sentences, 0, 2, keep, np.uint64(1), scratch)
    assert (n, int(counter)) == (7, 9)
    assert scratch.words[:7].tolist() == [1, 1, 1, 1, 1, 2, 1]
    assert scratch.begins[:7].tolist() == [0] * 3 + [3] * 4
    assert scratch.ends[:7].tolist() == [3] * 3 + [7] * 4
    n, counter = kernels._subsample(sentences, 2, 3, keep, np.uint64(1), scratch)
    assert (n, int(counter)) == (0, 2)


def test_subsampling_keeps_the_share_it_should() -> None:
    ids = np.zeros(40_000, dtype=np.int32)
    sentences = kernels.Sentences(ids, np.array([0]), np.array([len(ids)]))
    _, scratch = memory(len(ids))
    n, _ = kernels._subsample(sentences, 0, 1, tables([0.3], [1]).keep, np.uint64(5), scratch)
    assert n / len(ids) == pytest.approx(0.3, abs=0.01)


def test_windows_shrink_uniformly() -> None:
    options, scratch = memory(20_000)
    scratch.begins[:], scratch.ends[:] = 0, 20_000
    counter = kernels._draw_windows(options, np.uint64(3), np.uint64(7), 20_000, scratch)
    assert int(counter) == 20_007
    places = np.arange(20_000)
    before, after = (places - scratch.begins)[5:-5], (scratch.ends - places - 1)[5:-5]
    assert (before == after).all()
    np.testing.assert_allclose(np.bincount(before) / len(before), [0, 0.2, 0.2, 0.2, 0.2, 0.2], atol=0.01)
    assert scratch.begins[0] == 0
    assert scratch.ends[-1] == 20_000


def test_noise_follows_its_distribution() -> None:
    drawn = np.zeros(50_000, dtype=np.int32)
    expected = [0.5, 0.3, 0.15, 0.05]
    kernels._draw_noise(tables([], expected), 3, np.uint64(9), np.uint64(0), len(drawn), drawn)
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), expected, atol=0.01)


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("negative", [1, 2, 5, 7, 8, 20])
@pytest.mark.parametrize("vector_size", [1, 33, 100])
def test_tiles_and_padding(lanes: int, negative: int, vector_size: int) -> None:
    """Any number of outputs and dimensions against the reference, where chance plays no part."""
    tiles, tile = tiling(1 + negative, lanes)
    assert tiles * tile >= 1 + negative
    block = block_of([[0, 1, 2], [1, 0], [2, 0, 1, 2]] * 5)
    ends: list[Any] = []
    for engine in (NumbaEngine(lanes), ReferenceEngine("window")):
        model = model_of(CERTAIN_COUNTS, **{**CERTAIN_NOISE, "negative": negative}, vector_size=vector_size)
        engine.train_block(model, block, 0.03, 0.03, np.random.default_rng(1))
        ends.append(model)
    assert np.abs(ends[1].syn1neg).max() > 1e-3
    np.testing.assert_allclose(ends[0].wv.vectors, ends[1].wv.vectors, atol=2e-6)
    np.testing.assert_allclose(ends[0].syn1neg, ends[1].syn1neg, atol=2e-6)
    assert ends[0].wv.vectors.shape == (3, vector_size)


def replay(engine: NumbaEngine, model: Any, block: Block, work: kernels.Work) -> None:
    """Train `model` on all batches with the reference's steps, and what the kernels draw for it."""
    assert engine._prepared is not None
    options, tables = engine._prepared.settings, engine._prepared.tables
    sentences = kernels.Sentences(block.ids, block.starts, block.ends)
    scratch = kernels.scratch(options, len(block), 16, 16)
    inputs, outputs = model.wv.vectors, model.syn1neg
    for batch, (key, alpha) in enumerate(zip(work.keys, work.alphas.tolist(), strict=True)):
        n, counter = kernels._subsample(sentences, work.cuts[batch], work.cuts[batch + 1], tables.keep, key, scratch)
        counter = kernels._draw_windows(options, key, np.uint64(counter), n, scratch)
        group = kernels._group_of(batch, work.group, work.run, noise.GROUPS)
        number = n * options.negative
        kernels._draw_noise(tables, group, key, np.uint64(counter), number, scratch.noise)
        negatives = scratch.noise[:number].astype(np.int64).reshape(n, options.negative)
        for centre in range(n):
            places = [place for place in range(scratch.begins[centre], scratch.ends[centre]) if place != centre]
            word, contexts = int(scratch.words[centre]), scratch.words[places]
            if not places:
                continue
            if model.sg:
                reference.window_step(inputs, outputs, word, contexts, negatives[centre], alpha)
            else:
                reference.cbow_step(
                    inputs, outputs, word, contexts, negatives[centre], alpha, bool(model.cbow_mean),
                    reference.train_at_once,
                )  # fmt: skip


@pytest.mark.parametrize("lanes", [8, 16])
@pytest.mark.parametrize("negative", [1, 5, 6, 8, 15, 20])
@pytest.mark.parametrize("model", [{"sg": 1}, {"sg": 0}, {"sg": 0, "cbow_mean": 0}])
@pytest.mark.parametrize("vector_size", [10, 40])
def test_any_outputs_against_the_reference(
    lanes: int, negative: int, model: dict[str, int], vector_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the noise that the kernels draw, many different rows in a window, words left out and words subsampled."""
    words = 60
    rng = np.random.default_rng(0)
    # in a sentence no word twice: a context twice in the window is another test
    block = block_of([rng.permutation(words + 3)[:12].tolist() for _ in range(40)])
    settings = {"vector_size": vector_size, "window": 4, "negative": negative, "sample": 0.02, **model}
    ours, theirs = (model_of([100] * words, **settings) for _ in range(2))
    for one in (ours, theirs):
        one.wv.vectors *= 5
        one.syn1neg[:] = np.random.default_rng(9).normal(0, 0.2, one.syn1neg.shape)
    before = ours.syn1neg.copy()
    works: list[kernels.Work] = []
    make_work = numba_engine._work

    def noted_work(*given: Any) -> kernels.Work:
        works.append(make_work(*given))
        return works[-1]

    monkeypatch.setattr(numba_engine, "_work", noted_work)
    monkeypatch.setattr(numba_engine, "_BATCH_WORDS", 20)
    engine = NumbaEngine(lanes)
    engine.train_block(ours, block, 0.05, 0.02, np.random.default_rng(3))
    assert (len(works[0].keys), works[0].run) == (24, 4)
    replay(engine, theirs, block, works[0])
    assert np.abs(theirs.syn1neg - before).max() > 0.005
    np.testing.assert_allclose(ours.wv.vectors, theirs.wv.vectors, atol=5e-6)
    np.testing.assert_allclose(ours.syn1neg, theirs.syn1neg, atol=5e-6)


def test_what_was_trained_before_changes_no_draw() -> None:
    """A long sentence in the first block; the second trains alike with the same engine and with a new one."""
    rng = np.random.default_rng(2)
    first = block_of([rng.integers(0, 300, 9000).tolist()])
    second = block_of([rng.integers(0, 300, 12).tolist() for _ in range(2000)])
    ends = []
    for is_new in (False, True):
        model = model_of([1000] * 300, vector_size=16)
        engine = NumbaEngine()
        engine.train_block(model, first, 0.05, 0.05, np.random.default_rng(3))
        engine = NumbaEngine() if is_new else engine
        engine.train_block(model, second, 0.05, 0.05, np.random.default_rng(4))
        ends.append((model.wv.vectors.copy(), model.syn1neg.copy()))
    np.testing.assert_array_equal(ends[0][0], ends[1][0])
    np.testing.assert_array_equal(ends[0][1], ends[1][1])


def test_settings_changed_between_blocks() -> None:
    model = model_of([100] * 30, negative=2)
    block = block_of([list(range(30))] * 20)
    engine = NumbaEngine()
    engine.train_block(model, block, 0.05, 0.05, np.random.default_rng(3))
    model.negative, model.window = 20, 9
    assert engine.train_block(model, block, 0.05, 0.05, np.random.default_rng(3)) == 600
    assert np.isfinite(model.syn1neg).all()


def test_every_batch_is_taken_once() -> None:
    alone = np.zeros((1, 8), dtype=np.int64)
    assert [kernels._next_batch(alone, 0, 2, 5) for _ in range(7)] == [0, 1, 2, 3, 4, -1, -1]
    taken = np.zeros((2, 8), dtype=np.int64)
    assert [kernels._next_batch(taken, worker, 3, 9) for worker in (0, 1, 0)] == [0, 3, 1]
    assert [kernels._next_batch(taken, 1, 3, 9) for _ in range(6)] == [4, 5, 2, 6, 7, 8]
    assert [kernels._next_batch(taken, worker, 3, 9) for worker in (0, 1, 2)] == [-1, -1, -1]


def test_no_line_of_batches_runs_away_from_the_other() -> None:
    """Though a single worker does all the work, as when the other one has to wait for its core."""
    taken = np.zeros((2, 8), dtype=np.int64)
    parities = []
    while (batch := int(kernels._next_batch(taken, 1, 4, 1000))) >= 0:
        parities.append(kernels._group_of(batch, 0, 4, noise.GROUPS) % 2)
    leads = np.cumsum(np.array(parities) * 2 - 1)
    assert len(parities) == 1000
    assert leads.max() == 5
    assert leads.min() == 0
    assert leads[-1] == 0


def test_threads_take_every_batch_once() -> None:
    batches = 500_000
    taken, next_batch = np.zeros((2, 8), dtype=np.int64), kernels._next_batch

    @njit(nogil=True)
    def take_all(worker: int, taken: Any, found: Any) -> int:
        number = 0
        while True:
            batch = next_batch(taken, worker, 16, batches)
            if batch < 0:
                return number
            found[number] = batch
            number += 1

    memory = np.zeros((4, batches), dtype=np.int64)
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(take_all, range(4), [taken] * 4, memory))
    assert sum(numbers) == batches
    assert len(np.unique(np.concatenate([found[:n] for found, n in zip(memory, numbers, strict=True)]))) == batches


def test_runs_draw_from_even_and_odd_groups_in_turn() -> None:
    groups = [int(kernels._group_of(batch, 5, 16, noise.GROUPS)) for batch in range(32)]
    assert sorted(groups[:16]) == sorted(2 * list(range(1, noise.GROUPS, 2)))
    assert sorted(groups[16:]) == sorted(2 * list(range(0, noise.GROUPS, 2)))


@pytest.mark.parametrize("run", [1, 3, 4, 16])
def test_groups_take_turns_in_even_and_in_odd_runs(run: int) -> None:
    """Of one line's batches every eight in succession draw from the eight different groups of its kind."""
    lines: tuple[list[int], list[int]] = ([], [])
    for batch in range(100 * run):
        lines[batch // run % 2].append(int(kernels._group_of(batch, 3, run, noise.GROUPS)))
    for line, kind in zip(lines, (1, 0), strict=True):
        for first in range(len(line) - 8):
            assert sorted(line[first : first + 8]) == list(range(kind, noise.GROUPS, 2))


def test_batches_by_hand() -> None:
    """Of 2,400 words four batches of about 600."""
    lengths = np.array([500, 400, 0, 100, 900, 500])
    work = numba_engine._work(lengths, 2, 0.05, 0.02, np.random.default_rng(0))
    assert work.cuts.tolist() == [0, 2, 5, 6]  # 600 and 1,200 are in the second sentence and the fifth, 1,800 too
    np.testing.assert_allclose(work.alphas, [0.05, 0.05 - 0.03 * 900 / 2400, 0.05 - 0.03 * 1900 / 2400])
    assert len(set(work.keys.tolist())) == 3
    assert work.taken.shape == (2, 8)
    assert work.run == 2


@pytest.mark.parametrize(("words", "runs"), [(30, [1, 1]), (5000, [3, 3]), (100_000, [4] * 25)])
def test_a_short_block_draws_from_even_and_odd_groups(words: int, runs: list[int]) -> None:
    work = numba_engine._work(np.full(words // 10, 10), 1, 0.05, 0.02, np.random.default_rng(0))
    groups = [int(kernels._group_of(batch, work.group, work.run, noise.GROUPS)) for batch in range(len(work.keys))]
    parities = [group % 2 for group in groups]
    assert [len(list(run)) for _, run in itertools.groupby(parities)] == runs


def test_a_word_twice_in_the_window() -> None:
    """Its second row is read after its first update, which differs from the reference in the second order of alpha."""
    differences = []
    for alpha in (0.04, 0.02):
        ends = []
        for engine in (NumbaEngine(), ReferenceEngine("window")):
            model = model_of(CERTAIN_COUNTS, **CERTAIN_NOISE, vector_size=4, seed=3)
            model.wv.vectors[:] *= 10
            model.syn1neg[:] = model.wv.vectors[::-1]
            engine.train_block(model, block_of([[1, 2, 1]]), alpha, alpha, np.random.default_rng(1))
            ends.append(model.syn1neg.copy())
        differences.append(np.abs(ends[0] - ends[1]).max())
    assert 0 < differences[0] < 1e-2
    assert differences[1] == pytest.approx(differences[0] / 4, rel=0.1)


def test_the_number_of_workers_does_not_change_what_is_drawn() -> None:
    """Random numbers belong to a batch; so the same words stay, whichever thread takes it."""
    rng = np.random.default_rng(1)
    sentences = [rng.integers(0, 50, 30).tolist() for _ in range(2000)]
    trained = []
    for workers in (1, 3):
        model = model_of([1200] * 50, sample=0.001, workers=workers)
        trained.append(NumbaEngine().train_block(model, block_of(sentences), 0.02, 0.01, np.random.default_rng(4)))
    assert trained[0] == trained[1] < 60_000


def test_this_thread_stays_free_to_hear_of_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python calls their handlers in the main thread, and not while it is in a kernel."""
    threads = []
    make_kernel = kernels.kernel

    def noted_kernel(*options: Any) -> Any:
        def train(*arguments: Any) -> int:
            threads.append(threading.current_thread())
            return make_kernel(*options)(*arguments)

        return train

    monkeypatch.setattr(kernels, "kernel", noted_kernel)
    block = block_of([[0, 1, 2]] * 50)
    assert NumbaEngine().train_block(model_of([50] * 3), block, 0.03, 0.03, np.random.default_rng(1)) == 150
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


def test_arrays_put_in_anew_are_taken_up() -> None:
    """A checkpoint's arrays, or any others, may replace the model's between two blocks."""
    block = block_of([[0, 1, 2]] * 50)
    ends = []
    for replace in (False, True):
        model = model_of(CERTAIN_COUNTS, **CERTAIN_NOISE)
        engine = NumbaEngine()
        for _ in range(2):
            engine.train_block(model, block, 0.03, 0.03, np.random.default_rng(1))
            if replace:
                model.wv.vectors, model.syn1neg = model.wv.vectors.copy(), model.syn1neg.copy()
        ends.append(model.wv.vectors.tobytes())
    assert ends[0] == ends[1]


def test_every_centre_draws_its_own_noise() -> None:
    """As many different output rows move as independent draws lead to: 200 centres' from each of two groups."""
    words, negative = 20_000, 3
    model = model_of([1] * words, ns_exponent=0.0, negative=negative, window=1)
    sentences = [list(range(start, start + 25)) for start in range(0, 400, 25)]
    NumbaEngine().train_block(model, block_of(sentences), 0.02, 0.02, np.random.default_rng(1))
    moved = np.flatnonzero(np.abs(model.syn1neg).sum(axis=1))
    assert (moved < 400).sum() == 400
    expected = 2 * (words - 400) / noise.GROUPS * (1 - (1 - noise.GROUPS / words) ** (200 * negative))
    assert (moved >= 400).sum() == pytest.approx(expected, rel=0.05)
