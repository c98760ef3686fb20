"""Skip-gram's step as one Triton kernel: a program takes a run of centres, one after the other.

What a program computes for a centre is what the numba engine does: the noise words are drawn once for it and shared by
its contexts, and all pairs of its window are stepped from the same old output rows. These rows, 1 + k of them, stay on
the chip while the context rows pass by; each row's change is added to memory at once, atomically. Programs run side by
side without locks (Hogwild), so a run is not repeatable, but under Triton's interpreter, which runs them in turn.

Random numbers belong to the word's number and the block's seed, so they do not depend on which program trains it.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from w2vcli.engines.torch_sampling import Noise, Words

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton was told to run kernels on the CPU, for tests."""
RUN = 4
"""Centres that a program takes: the contexts of the one are mostly those of the next, and then near the processor."""
_NUMBERS_A_WARP = 2_048


def train(
    inputs: Tensor, outputs: Tensor, words: Words, alphas: Tensor, noise: Noise, settings: Any, seed: int
) -> None:
    """Train skip-gram on all words.

    Args:
        inputs: float32 (V, d), stepped in place.
        outputs: float32 (V, d), likewise.
        words: n words.
        alphas: float (n,), the learning rate of each word as a centre.
        noise: where noise words are drawn from.
        settings: its window, shrink_windows and negative.
        seed: of the block's random numbers, below 2**31.
    """
    if not len(words.ids):
        return
    fixed = constants(inputs.shape[1], settings.window, bool(settings.shrink_windows), settings.negative)
    # Triton starts kernels on the device that is current
    with torch.cuda.device_of(inputs):  # type: ignore[no-untyped-call]
        _launch(fixed, inputs, outputs, words, alphas, noise, seed)


def _launch(
    fixed: dict[str, Any], inputs: Tensor, outputs: Tensor, words: Words, alphas: Tensor, noise: Noise, seed: int
) -> None:
    _train[(triton.cdiv(len(words.ids), RUN),)](
        inputs,
        outputs,
        words.ids.int(),
        words.sentences.int(),
        alphas.float(),
        noise.accept,
        noise.alias,
        seed,
        len(words.ids),
        len(noise.accept),
        inputs.stride(0),
        outputs.stride(0),
        **fixed,
        num_warps=warps(fixed),
    )


def constants(vector_size: int, window: int, shrink_windows: bool, negative: int) -> dict[str, Any]:
    """Return what the kernel is compiled for."""
    return {
        "vector_size": vector_size,
        "window": window,
        "shrink_windows": shrink_windows,
        "negative": negative,
        "padded_size": triton.next_power_of_2(vector_size),
        "padded_rows": triton.next_power_of_2(1 + negative),
        "run": RUN,
    }


def warps(fixed: dict[str, Any]) -> int:
    """Return how many warps a program needs so that its output rows and their changes fit into registers."""
    return max(1, min(8, int(fixed["padded_size"] * fixed["padded_rows"]) // _NUMBERS_A_WARP))


@triton.jit(do_not_specialize=["seed", "number_of_words", "vocabulary"])  # blocks differ in them
def _train(
    inputs,
    outputs,
    ids,
    sentences,
    alphas,
    accept,
    alias,
    seed,
    number_of_words,
    vocabulary,
    input_stride,
    output_stride,
    vector_size: tl.constexpr,
    window: tl.constexpr,
    shrink_windows: tl.constexpr,
    negative: tl.constexpr,
    padded_size: tl.constexpr,
    padded_rows: tl.constexpr,
    run: tl.constexpr,
):
    """Train some centres. `ids`, `sentences`: int32, `alphas`: float32 (number_of_words,); `accept`, `alias`: (V,)."""
    columns = tl.arange(0, padded_size)
    in_row = columns < vector_size
    rows = tl.arange(0, padded_rows)
    first = tl.program_id(0) * run
    for step in range(run):
        place = first + step
        if place < number_of_words:
            centre = tl.load(ids + place).to(tl.int64)
            sentence = tl.load(sentences + place)
            alpha = tl.load(alphas + place)

            # how far the window reaches, 1 to `window`; a random number in [0, 1) may round up to 1
            reach = window
            if shrink_windows:
                reach = tl.minimum(1 + (tl.rand(seed, place * (2 * padded_rows + 1)) * window).to(tl.int32), window)

            # the words to predict, or not to: the centre, then noise words, of which those that hit it do not count
            numbers = place * (2 * padded_rows + 1) + 1 + rows
            drawn = tl.minimum((tl.rand(seed, numbers) * vocabulary).to(tl.int32), vocabulary - 1)
            is_own = tl.rand(seed, numbers + padded_rows) < tl.load(accept + drawn)
            noise = tl.where(is_own, drawn, tl.load(alias + drawn)).to(tl.int64)
            predicted = tl.where(rows == 0, centre, noise)
            counts = (rows == 0) | ((rows <= negative) & (noise != centre))

            # their output rows v, (padded_rows, padded_size); past the first cache, where others' changes are not seen
            v_mask = counts[:, None] & in_row[None, :]
            v_places = outputs + predicted[:, None] * output_stride + columns[None, :]
            v = tl.load(v_places, mask=v_mask, other=0.0, cache_modifier=".cg")
            v_change = tl.zeros((padded_rows, padded_size), dtype=tl.float32)

            for other in range(tl.maximum(place - reach, 0), tl.minimum(place + reach + 1, number_of_words)):
                if (other != place) & (tl.load(sentences + other) == sentence):
                    # a context's input row u, its scores, and the slope of the loss: label - s(u . v)
                    context = tl.load(ids + other).to(tl.int64)
                    u_places = inputs + context * input_stride + columns
                    u = tl.load(u_places, mask=in_row, other=0.0, cache_modifier=".cg")
                    scores = tl.sum(v * u[None, :], axis=1)
                    labels = tl.where(rows == 0, 1.0, 0.0)
                    slopes = tl.where(counts, alpha * (labels - tl.sigmoid(scores)), 0.0)
                    # u's change is in memory at once; the changes of v are collected, and found from the old v
                    tl.atomic_add(u_places, tl.sum(slopes[:, None] * v, axis=0), mask=in_row, sem="relaxed")
                    v_change += slopes[:, None] * u[None, :]

            tl.atomic_add(v_places, v_change, mask=v_mask, sem="relaxed")
