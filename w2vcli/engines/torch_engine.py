"""The torch engine: skip-gram and CBOW in minibatches, on a CPU or a GPU.

A block's ids are moved to the device, and there words, windows and noise words are drawn (`torch_sampling`); a batch of
examples goes through the module (`torch_modules`), and an optimiser steps the rows that it looked up. In skip-gram the
centre predicts its contexts, as in the paper; over a text these are the same pairs as the other way round. A noise word
that is one of the two (in CBOW: the centre) is drawn again, a few times, and at last does not count; of noise words
that a batch shares, those that are one of a pair do not count for it.

A learning rate for every batch size. `alpha` is the rate of a pair, so a batch steps by the sum of its pairs'
gradients, not by their mean, which would learn the less the larger the batch is. But all of them are taken at the old
rows, and a row that is in very many pairs of a batch would overshoot: where its rates add up to more than MAX_RATE, its
step is cut to that. A pair counts once for an output row, and for an input row, which meets its noise words too, 1 + k
times. (The curvature of a row's mean loss is then at most a quarter of the square of the other rows' length, about 2
when trained, and steps diverge above a rate of 2 over the curvature.) SparseAdam and Adagrad find rates of their own.

With `train.fused` the steps of skip-gram are those of `triton_kernel` instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# PyTorch's threads wait for each other by spinning, unless told otherwise when it is loaded; where other programs want
# the cores too, that makes training ten times as slow and more
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor

from w2vcli.config import Train
from w2vcli.corpus import Block
from w2vcli.engines import Capabilities, Engine
from w2vcli.engines.reference import MAX_RATE
from w2vcli.engines.torch_modules import CBOWNegativeSampling, SkipGramNegativeSampling
from w2vcli.engines.torch_sampling import Noise, Windows, Words, is_among, subsampled, windows
from w2vcli.errors import ConfigError, NotHereError, W2VError
from w2vcli.resources import usable_cores
from w2vcli.vocab import keep_probabilities, noise_probabilities

CPU_BATCH, GPU_BATCH = 1_024, 16_384
"""Batch sizes where none is given: a CPU's cache holds the rows of the one, a GPU is kept busy by the other. A small
vocabulary's is smaller: as many as there are words, so that no row is in very many pairs."""
_OPTIMIZERS = {"sgd": torch.optim.SGD, "sparse_adam": torch.optim.SparseAdam, "adagrad": torch.optim.Adagrad}
_REMEMBERED = {"sgd": 0, "sparse_adam": 2, "adagrad": 1}
_ALIGNED = 16
_STATE = "optimizer"


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


@dataclass
class _Prepared:
    """A model on the device, and everything about it that stays the same."""

    model: Any
    module: SkipGramNegativeSampling | CBOWNegativeSampling
    optimizer: torch.optim.Optimizer
    keep: Tensor
    noise: Noise
    vectors: NDArray[np.float32]
    syn1neg: NDArray[np.float32]
    counts: Tensor
    """float32 (V,), all 0: room to count rows in."""
    settings: tuple[Any, ...]

    def is_of(self, model: Any) -> bool:
        """Whether these are still the arrays and settings of `model`."""
        same_arrays = self.vectors is model.wv.vectors and self.syn1neg is model.syn1neg
        return self.model is model and same_arrays and self.settings == _settings(model)

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """The input rows and the output rows, float32 (V, d) each."""
        inputs, outputs = self.module.parameters()
        return inputs, outputs


def _settings(model: Any) -> tuple[Any, ...]:
    return model.sg, model.cbow_mean, model.sample, model.ns_exponent


class TorchEngine(Engine):
    """Trains with PyTorch.

    Args:
        settings: its device, batch_size, optimizer, shared_negatives and fused.

    Raises:
        NotHereError: when the device is not there, or Triton is not, where it is wanted.
        ConfigError: when fused goes with none of the other settings.
    """

    def __init__(self, settings: Train | None = None) -> None:
        settings = settings or Train()
        self.device = device_of(settings.device)
        self._largest_batch = CPU_BATCH if self.device.type == "cpu" else GPU_BATCH
        self.batch_size = settings.batch_size or self._largest_batch
        """Examples that are stepped at once; without the setting, what a model's vocabulary makes of it."""
        self.capabilities = Capabilities(
            sg=True,
            cbow=not settings.fused,
            hs=False,
            ns=True,
            threads=self.device.type == "cpu",
            devices=True,
            minibatches=True,
            at_once="window" if settings.fused else "batch",
        )
        self.arrays_a_matrix = _REMEMBERED[settings.optimizer]
        self.max_rate = MAX_RATE
        """Where the rates of a row's pairs add up to more, its step is cut."""
        self.steps = self.examples = 0
        """Trained so far: batches, and the pairs (in CBOW: windows) in them."""
        self._settings = settings
        self._copies = self.device.type != "cpu"  # or else the module's rows are the model's arrays themselves
        self._prepared: _Prepared | None = None
        self._restored: Mapping[str, NDArray[Any]] = {}
        if settings.fused:
            _check_fused(settings, self.device)

    @classmethod
    def made_for(cls, settings: Train) -> TorchEngine:
        """Return the engine with these settings."""
        return cls(settings)

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on one block; see `Engine.train_block`."""
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**63)))
        with threads(model.workers), _told_of_memory(self.device):
            prepared = self._prepare_model(model)
            words = subsampled(block, prepared.keep, generator)
            slope = (alpha_end - alpha_start) / max(len(block), 1)
            if self._settings.fused:
                self._train_fused(prepared, words, alpha_start + slope * words.places, generator)
            else:
                self._train(prepared, words, alpha_start, slope, generator)
        model.wv.norms = None  # Gensim's cache of vector lengths
        return len(words.ids)

    def sync(self, model: Any) -> None:
        """Copy the rows from a device that is not this computer's memory; see `Engine.sync`."""
        if self._prepared is not None and self._prepared.is_of(model) and self._copies:
            for array, rows in zip((model.wv.vectors, model.syn1neg), self._prepared.rows, strict=True):
                torch.from_numpy(array).copy_(rows.detach())
            model.wv.norms = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the optimiser remembers; see `Engine.state`."""
        if self._prepared is None:
            return dict(self._restored)
        remembered = self._prepared.optimizer.state_dict()["state"]
        return {
            f"{_STATE}.{number}.{name}": torch.as_tensor(value).cpu().numpy().reshape(np.shape(value) or (1,))
            for number, values in remembered.items()
            for name, value in values.items()
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Let the optimiser remember what `state` gave; see `Engine.restore`."""
        self._restored = {name: array for name, array in state.items() if name.startswith(f"{_STATE}.")}
        self._prepared = None

    # ------------------------------------------------------------ preparing

    def _prepare_model(self, model: Any) -> _Prepared:
        """Return what is known of `model`; it is made anew when its arrays are not those of the last time."""
        if self._prepared is None or not self._prepared.is_of(model):
            counts = model.wv.expandos["count"]
            self.batch_size = self._settings.batch_size or min(self._largest_batch, len(counts))
            keep = np.append(keep_probabilities(counts, model.sample), 0.0).astype(np.float32)
            module = self._module(model)
            self._prepared = _Prepared(
                model,
                module,
                self._optimizer(module),
                torch.from_numpy(keep).to(self.device),
                Noise(noise_probabilities(counts, model.ns_exponent), self.device),
                model.wv.vectors,
                model.syn1neg,
                torch.zeros(len(counts), device=self.device),
                _settings(model),
            )
        return self._prepared

    def _module(self, model: Any) -> SkipGramNegativeSampling | CBOWNegativeSampling:
        """Return the module of `model`; on a CPU its rows are the model's arrays themselves."""
        size = len(model.wv), model.vector_size
        module: SkipGramNegativeSampling | CBOWNegativeSampling
        if model.sg:
            module = SkipGramNegativeSampling(*size, device="meta")
            first, second = module.centre_embeddings, module.context_embeddings
        else:
            module = CBOWNegativeSampling(*size, mean=bool(model.cbow_mean), device="meta")
            first, second = module.context_embeddings, module.centre_embeddings
        for embeddings, array in ((first, model.wv.vectors), (second, model.syn1neg)):
            rows = torch.from_numpy(array).to(self.device, copy=self._copies)
            embeddings.weight = torch.nn.Parameter(_aligned(rows) if self._settings.fused else rows)
        return module

    def _optimizer(self, module: torch.nn.Module) -> torch.optim.Optimizer:
        optimizer: torch.optim.Optimizer = _OPTIMIZERS[self._settings.optimizer](list(module.parameters()), lr=1.0)
        if self._restored:
            saved = optimizer.state_dict()
            saved["state"] = _unflattened(self._restored)
            optimizer.load_state_dict(saved)
            self._restored = {}
        return optimizer

    # ------------------------------------------------------------ training

    def _train(
        self, prepared: _Prepared, words: Words, alpha_start: float, slope: float, generator: torch.Generator
    ) -> None:
        """Train batch by batch; a batch's learning rate is that of its first centre."""
        model = prepared.model
        for part in windows(words, model.window, bool(model.shrink_windows), generator):
            examples = _pairs(words, part) if model.sg else _whole_windows(words, part)
            alphas = (alpha_start + slope * examples.places[:: self.batch_size]).tolist()
            for batch, alpha in zip(examples.batches(self.batch_size), alphas, strict=True):
                self._step(prepared, batch, alpha, generator)

    def _step(self, prepared: _Prepared, batch: Examples, alpha: float, generator: torch.Generator) -> None:
        """Draw the noise words of a batch, and make one step of the optimiser on the sum of its losses."""
        size, negative = len(batch.positives), prepared.model.negative
        negatives, weights = self._noise_words(prepared, batch, generator)
        inputs = (batch.inputs,) if batch.sizes is None else (batch.inputs, batch.sizes)
        for group in prepared.optimizer.param_groups:
            group["lr"] = alpha
        prepared.optimizer.zero_grad()
        loss = prepared.module(*inputs, batch.positives, negatives, weights) * size
        loss.backward()
        if self._settings.optimizer == "sgd" and alpha * size * (1 + negative) > self.max_rate:
            pairs = weights.sum(0) if weights is not None and negatives.dim() == 1 else weights
            most = self.max_rate / alpha
            of_inputs, of_outputs = (rows.grad for rows in prepared.rows)
            _limit(of_inputs, [(batch.inputs, None)], most / (1 + negative), prepared.counts)
            _limit(of_outputs, [(batch.positives, None), (negatives, pairs)], most, prepared.counts)
        prepared.optimizer.step()
        self.steps += 1
        self.examples += size

    def _noise_words(
        self, prepared: _Prepared, batch: Examples, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Return the noise words of a batch and what they count; where all share them, as much as their own would."""
        never = (batch.positives, batch.inputs) if batch.sizes is None else (batch.positives,)
        negative, shared = prepared.model.negative, self._settings.shared_negatives
        if not shared:
            return prepared.noise.draw_others(negative, never, generator)
        drawn = prepared.noise.draw((shared,), generator)
        return drawn, (~is_among(drawn, never)).float() * (negative / shared)

    def _train_fused(self, prepared: _Prepared, words: Words, alphas: Tensor, generator: torch.Generator) -> None:
        from w2vcli.engines import triton_kernel

        seed = int(torch.randint(2**31 - 1, (), device=self.device, generator=generator))
        inputs, outputs = (rows.detach() for rows in prepared.rows)
        triton_kernel.train(inputs, outputs, words, alphas, prepared.noise, prepared.model, seed)


def _pairs(words: Words, part: Windows) -> Examples:
    """Return the examples of skip-gram: each centre predicts each of its contexts."""
    return Examples(words.ids[part.centres], None, words.ids[part.contexts], words.places[part.centres])


def _whole_windows(words: Words, part: Windows) -> Examples:
    """Return the examples of CBOW: all contexts of a centre predict it."""
    centres, sizes = torch.unique_consecutive(part.centres, return_counts=True)
    return Examples(words.ids[part.contexts], sizes, words.ids[centres], words.places[centres])


def _limit(
    gradient: Tensor | None, rows: list[tuple[Tensor, Tensor | None]], most_pairs: float, counts: Tensor
) -> None:
    """Cut the sparse gradient of a row that is in more than `most_pairs` pairs to what so many would give, in place.

    `rows`: ids of rows, and how many pairs each of them stands for, 1 if not given. `counts`: float32 (V,), 0 before
    and after.
    """
    assert gradient is not None
    for ids, pairs in rows:
        counts.index_add_(0, ids.flatten(), counts.new_ones(ids.numel()) if pairs is None else pairs.flatten())
    looked_up = gradient._indices()[0]
    gradient._values().mul_((most_pairs / counts[looked_up]).clamp_(max=1.0)[:, None])
    counts[looked_up] = 0.0


def device_of(name: str) -> torch.device:
    """Return the device of that name, or for `auto` a CUDA device if there is one, else the CPU.

    Raises:
        NotHereError: when there is no such device here.
    """
    there = devices()
    if name == "auto":
        return torch.device("cuda" if "cuda" in there else "cpu")
    kind, _, number = name.partition(":")
    if kind not in there or (kind == "cuda" and int(number or 0) >= torch.cuda.device_count()):
        raise NotHereError([f"train.device: {name}: PyTorch finds no such device here; it finds {', '.join(there)}"])
    return torch.device(name)


def devices() -> list[str]:
    """Return the kinds of devices that there are."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, is_there in there.items() if is_there]


def _check_fused(settings: Train, device: torch.device) -> None:
    if settings.optimizer != "sgd" or settings.shared_negatives:
        raise ConfigError(["train.fused: goes with train.optimizer: sgd and train.shared_negatives: 0 only"])
    if find_spec("triton") is None:
        raise NotHereError(["train.fused: needs Triton, which is not installed; pip install triton"])
    from w2vcli.engines import triton_kernel

    if device.type != "cuda" and not triton_kernel.INTERPRETED:
        raise NotHereError([f"train.fused: is for CUDA devices, and the device is {device.type}"])


def _aligned(rows: Tensor) -> Tensor:
    """Return rows so that each begins where Triton can read and add four numbers at once; on a CPU they stay."""
    if rows.device.type == "cpu":
        return rows
    width = -(-rows.shape[1] // _ALIGNED) * _ALIGNED
    padded = rows.new_zeros(len(rows), width)[:, : rows.shape[1]]
    return padded.copy_(rows)


def _scalar(value: Tensor) -> Tensor | int:
    return value[0] if value.is_floating_point() else int(value[0])


def _unflattened(state: Mapping[str, NDArray[Any]]) -> dict[int, dict[str, Any]]:
    """Return an optimiser's state by parameter and name."""
    found: dict[int, dict[str, Any]] = {}
    for key, array in state.items():
        _, number, name = key.split(".")
        value = torch.from_numpy(array)
        # a number of steps is one again, of the kind it was: a tensor would be reckoned with in another precision
        found.setdefault(int(number), {})[name] = value if name != "step" else _scalar(value)
    return found


@contextmanager
def threads(workers: int) -> Iterator[None]:
    """Let PyTorch compute with so many threads, but no more than there are cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(workers, usable_cores()))
    try:
        # it would warn that it does not check them
        with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _told_of_memory(device: torch.device) -> Iterator[None]:
    """Say what to do when the device has too little memory.

    Raises:
        W2VError: instead of PyTorch's error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise W2VError(
            f"out of memory on {device}", "a smaller word2vec.vector_size or train.batch_size needs less"
        ) from error
