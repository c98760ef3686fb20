"""The torch engine: skip-gram and CBOW in minibatches, on a CPU or a GPU.

A block's ids are moved to the device, and there words, windows and noise words are drawn (`torch_sampling`); a batch of
examples goes through the module (`torch_modules`), and an optimiser steps the rows that it looked up (`torch_steps`).
On a CPU, `word2vec.workers` large batches are stepped side by side.

In skip-gram the centre predicts its contexts, as in the paper; over a text these are the same pairs as the other way
round. A noise word that is one of the two (in CBOW: the centre) is drawn again, a few times, and at last does not
count; of noise words that a batch shares, those that are one of a pair do not count for it.

With `train.fused` the steps of skip-gram are those of `triton_kernel` instead.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from w2vcli.config import Train
from w2vcli.corpus import Block
from w2vcli.engines import Capabilities, Engine
from w2vcli.engines.torch_modules import CBOWNegativeSampling, SkipGramNegativeSampling
from w2vcli.engines.torch_sampling import Examples, Noise, Words, pairs, subsampled, whole_windows, windows
from w2vcli.engines.torch_steps import Steps
from w2vcli.errors import ConfigError, NotHereError, W2VError
from w2vcli.resources import usable_cores
from w2vcli.vocab import keep_probabilities, noise_probabilities

CPU_BATCH, GPU_BATCH = 4_096, 16_384
"""Batch sizes where none is given: a CPU's cache holds the rows of the one, a GPU is kept busy by the other. A small
vocabulary's is smaller: as many as there are words, so that no row is in very many pairs."""
_SIDE_BY_SIDE = 512
"""Batches so large are stepped side by side. With smaller ones, workers wait for Python's lock more than they gain."""
_IN_FLIGHT = 8_192
"""Pairs that all workers together step from old rows, where no batch size is given: more would learn less."""
_OPTIMIZERS = {"sgd": torch.optim.SGD, "sparse_adam": torch.optim.SparseAdam, "adagrad": torch.optim.Adagrad}
_REMEMBERED = {"sgd": 0, "sparse_adam": 2, "adagrad": 1}
_ALIGNED = 16
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT, _LARGEST_MMAP_THRESHOLD = 256 << 20, 32 << 20
_STATE = "optimizer"


class _Alphas(NamedTuple):
    """Learning rates: that of a block's first word, and what is added with each word after it."""

    start: float
    slope: float

    def at(self, places: Tensor) -> Tensor:
        return self.start + self.slope * places


@dataclass
class _Prepared:
    """A model on the device, and everything about it that stays the same."""

    model: Any
    keep: Tensor
    """float32 (V + 1,): the keep probabilities, and 0 for words that have none."""
    steps: Steps
    vectors: NDArray[np.float32]
    syn1neg: NDArray[np.float32]
    settings: tuple[Any, ...]

    def is_of(self, model: Any) -> bool:
        """Whether these are still the arrays and settings of `model`."""
        same_arrays = self.vectors is model.wv.vectors and self.syn1neg is model.syn1neg
        return self.model is model and same_arrays and self.settings == _settings(model)


def _settings(model: Any) -> tuple[Any, ...]:
    return model.sg, model.cbow_mean, model.sample, model.ns_exponent, model.negative


class TorchEngine(Engine):
    """Trains with PyTorch.

    Args:
        settings: its device, batch_size, optimizer, shared_negatives and fused.
        limits_rates: whether SGD's rate of a row is cut where a batch would overshoot; see `torch_steps`.

    Raises:
        NotHereError: when the device is not there, or Triton is not, where it is wanted.
        ConfigError: when fused goes with none of the other settings.
    """

    def __init__(self, settings: Train | None = None, limits_rates: bool = True) -> None:
        settings = settings or Train()
        self.device = device_of(settings.device)
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
        self._limits_rates = limits_rates
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
        seeds = rng.integers(2**63, size=1 + self._workers(model)).tolist()
        generator, *others = (torch.Generator(self.device).manual_seed(seed) for seed in seeds)
        with threads(1), _told_of_memory(self.device):
            prepared = self._prepare_model(model)
            words = subsampled(block, prepared.keep, generator)
            alphas = _Alphas(alpha_start, (alpha_end - alpha_start) / max(len(block), 1))
            if self._settings.fused:
                self._train_fused(prepared, words, alphas.at(words.places), generator)
            else:
                prepared.steps.make(self._batches(prepared, words, alphas, generator), others)
        model.wv.norms = None  # Gensim's cache of vector lengths
        return len(words.ids)

    def batch_size_of(self, vocabulary: int, workers: int = 1) -> int | None:
        """Return the setting, or what becomes of it without one; see `Engine.batch_size_of`."""
        if self._settings.fused:
            return None
        of_cpu = min(CPU_BATCH, max(_SIDE_BY_SIDE, _IN_FLIGHT // min(workers, usable_cores())))
        return self._settings.batch_size or min(of_cpu if self.device.type == "cpu" else GPU_BATCH, vocabulary)

    def _workers(self, model: Any) -> int:
        """Return how many batches are stepped side by side."""
        size = self.batch_size_of(len(model.wv), model.workers)
        several = self.device.type == "cpu" and size is not None and size >= _SIDE_BY_SIDE
        return min(model.workers, usable_cores()) if several else 1

    def sync(self, model: Any) -> None:
        """Copy the rows from a device that is not this computer's memory; see `Engine.sync`."""
        if self._prepared is not None and self._prepared.is_of(model) and self._copies:
            for array, rows in zip((model.wv.vectors, model.syn1neg), self._prepared.steps.rows, strict=True):
                torch.from_numpy(array).copy_(rows.detach())
            model.wv.norms = None

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the optimiser remembers; see `Engine.state`."""
        if self._prepared is None:
            return dict(self._restored)
        remembered = self._prepared.steps.optimizer.state_dict()["state"]
        return {
            f"{_STATE}.{number}.{name}": torch.as_tensor(value).cpu().numpy().reshape(np.shape(value) or (1,))
            for number, values in remembered.items()
            for name, value in values.items()
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Let the optimiser remember what `state` gave; see `Engine.restore`."""
        self._restored = {name: array for name, array in state.items() if name.startswith(f"{_STATE}.")}
        self._prepared = None

    @property
    def steps(self) -> Steps | None:
        """The steps of the model that is trained."""
        return None if self._prepared is None else self._prepared.steps

    # ------------------------------------------------------------ preparing

    def _prepare_model(self, model: Any) -> _Prepared:
        """Return what is known of `model`; it is made anew when its arrays are not those of the last time."""
        if self._prepared is None or not self._prepared.is_of(model):
            counts = model.wv.expandos["count"]
            if self.device.type == "cpu":
                _keep_freed_memory()
            keep = np.append(keep_probabilities(counts, model.sample), 0.0).astype(np.float32)
            self._prepared = _Prepared(
                model,
                torch.from_numpy(keep).to(self.device),
                self._new_steps(model),
                model.wv.vectors,
                model.syn1neg,
                _settings(model),
            )
        return self._prepared

    def _new_steps(self, model: Any) -> Steps:
        module, settings = self._module(model), self._settings
        return Steps(
            module,
            self._optimizer(module),
            Noise(noise_probabilities(model.wv.expandos["count"], model.ns_exponent), self.device),
            model.negative,
            settings.shared_negatives,
            limits_rates=self._limits_rates and settings.optimizer == "sgd",
        )

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

    def _batches(
        self, prepared: _Prepared, words: Words, alphas: _Alphas, generator: torch.Generator
    ) -> Generator[tuple[Examples, float]]:
        """Yield every batch and its learning rate, which is that of its first centre."""
        model, size = prepared.model, self.batch_size_of(len(prepared.model.wv), prepared.model.workers)
        assert size is not None
        for part in windows(words, model.window, bool(model.shrink_windows), generator):
            examples = pairs(words, part) if model.sg else whole_windows(words, part)
            of_batches = alphas.at(examples.places[::size]).tolist()
            yield from zip(examples.batches(size), of_batches, strict=True)

    def _train_fused(self, prepared: _Prepared, words: Words, alphas: Tensor, generator: torch.Generator) -> None:
        from w2vcli.engines import triton_kernel

        seed = int(torch.randint(2**31 - 1, (), device=self.device, generator=generator))
        inputs, outputs = (rows.detach() for rows in prepared.steps.rows)
        triton_kernel.train(inputs, outputs, words, alphas, prepared.steps.noise, prepared.model, seed)


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


def _keep_freed_memory() -> None:
    """Let glibc keep what a step frees for the next: from the system it comes slowly, page by page and zeroed.

    A step takes half the time then, where a batch needs megabytes. It is for the whole process from now on: some
    hundred megabytes that were needed once are not given back. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let PyTorch compute each operation with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
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
