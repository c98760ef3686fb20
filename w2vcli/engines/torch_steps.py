"""Steps in PyTorch: batches go through a module, and an optimiser moves the rows that they looked up.

A learning rate for every batch size. `alpha` is the rate of a pair, so a batch steps by the sum of its pairs'
gradients, not by their mean, which would learn the less the larger the batch is. But all of them are taken at the old
rows, and a row that is in very many pairs of a batch would overshoot: its rate is at most 1 over the curvature of the
batch's loss along it (`torch_modules.curvatures`). That would be sound if the other rows stood still; as all of them
move, the loss may still rise for some steps, but it comes down again. SparseAdam and Adagrad find rates of their own.

Several workers find the gradients of a batch each, at rows that may lack what the others step meanwhile; so for a
curvature the batches of all of them are one. They take turns with the optimiser, which is of one thread.
"""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from w2vcli.engines.torch_modules import (
    CBOWNegativeSampling,
    SkipGramNegativeSampling,
    curvatures,
    negative_sampling_loss,
)
from w2vcli.engines.torch_sampling import Examples, Noise, is_among


@dataclass
class Steps:
    """Steps the rows of a module."""

    module: SkipGramNegativeSampling | CBOWNegativeSampling
    optimizer: torch.optim.Optimizer
    noise: Noise
    negative: int
    """Noise words for each positive."""
    shared_negatives: int
    """Noise words for a whole batch, which count as many as `negative`; or 0."""
    limits_rates: bool
    """Whether a row's rate is cut where it would overshoot."""
    made: int = 0
    """So many batches."""
    examples: int = 0
    """Pairs, or in CBOW windows, in them."""
    _lock: Lock = field(default_factory=Lock)

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """The input rows and the output rows, float32 (V, d) each."""
        inputs, outputs = self.module.parameters()
        return inputs, outputs

    def make(self, batches: Generator[tuple[Examples, float]], generators: list[torch.Generator]) -> None:
        """Step all batches, each at the learning rate beside it, with a worker for each generator."""
        taking = Lock()

        def take() -> tuple[Examples, float] | None:
            with taking:
                return next(batches, None)

        def work(generator: torch.Generator) -> None:
            room = self.rows[0].new_zeros(len(self.rows[0]))
            for batch, alpha in iter(take, None):
                gradients = self._gradients(batch, len(generators) * alpha, generator, room)
                self._step(gradients, alpha, len(batch.positives))

        if len(generators) == 1:
            work(generators[0])
            return
        with ThreadPoolExecutor(len(generators), "w2v-torch") as pool:
            working = [pool.submit(work, generator) for generator in generators]
            try:
                wait(working, return_when=FIRST_EXCEPTION)
            finally:  # after an error the others stop, too
                with taking:
                    batches.close()
            for worker in working:
                worker.result()

    def _gradients(self, batch: Examples, rate: float, generator: torch.Generator, room: Tensor) -> tuple[Tensor, ...]:
        """Draw a batch's noise words, and return the gradients of the sum of its losses, sparse (V, d).

        `rate`: where it would overshoot, the gradient is cut. `room`: float32 (V,), 0 before and after.
        """
        negatives, weights = self._noise_words(batch, generator)
        look_up: Any = self.module.look_up
        inputs = (batch.inputs,) if batch.sizes is None else (batch.inputs, batch.sizes)
        predicting, targets = look_up(*inputs, batch.positives, negatives)
        loss = negative_sampling_loss(predicting, targets, weights) * len(batch.positives)
        gradients = torch.autograd.grad(loss, self.rows)
        if self.limits_rates:
            of_predicting, of_targets = curvatures(predicting, targets, weights)
            if batch.sizes is not None:
                of_predicting = of_predicting.repeat_interleave(batch.sizes, output_size=len(batch.inputs))
            limit(gradients[0], batch.inputs, of_predicting, rate, room)
            limit(gradients[1], targets.ids.flatten(), of_targets.flatten(), rate, room)
        return gradients

    def _noise_words(self, batch: Examples, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Return the noise words of a batch and what they count; where all share them, as much as their own would."""
        never = (batch.positives, batch.inputs) if batch.sizes is None else (batch.positives,)
        if not self.shared_negatives:
            return self.noise.draw_others(self.negative, never, generator)
        drawn = self.noise.draw((self.shared_negatives,), generator)
        return drawn, (~is_among(drawn, never)).float() * (self.negative / self.shared_negatives)

    def _step(self, gradients: tuple[Tensor, ...], alpha: float, examples: int) -> None:
        """Let the optimiser, which is of one thread, make a step."""
        with self._lock:
            for rows, gradient in zip(self.rows, gradients, strict=True):
                rows.grad = gradient
            for group in self.optimizer.param_groups:
                group["lr"] = alpha
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.made += 1
            self.examples += examples


def limit(gradient: Tensor, ids: Tensor, bounds: Tensor, rate: float, room: Tensor) -> None:
    """Cut, in place, the gradient of a row along which the curvature is more than 1 / `rate`.

    `gradient`: sparse (V, d). `ids`: int64 (n,), rows, and `bounds`: float32 (n,), their `curvatures`, to be summed.
    `room`: float32 (V,), 0 before and after.
    """
    overshoot = room.index_add_(0, ids, bounds)[gradient._indices()[0]].mul_(rate)
    room[ids] = 0.0
    if bool((overshoot > 1).any()):
        gradient._values().div_(overshoot.clamp_(min=1.0)[:, None])
