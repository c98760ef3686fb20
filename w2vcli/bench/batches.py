"""Online against minibatch: the torch engine's speed, and what it has learnt after the same pairs, by batch size.

For the learning rate of a batch there are three rules. `limited` is the engine's: see `torch_steps`. `mean` steps by
the mean of the batch's gradients, which learns the less the larger the batch is; `sum` by their sum, which diverges
when it is large.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from w2vcli import encoding, loss
from w2vcli.config import Config
from w2vcli.corpus import Block, Corpus
from w2vcli.engines import choose, reference
from w2vcli.errors import ConfigError, W2VError
from w2vcli.gensim_model import build_model
from w2vcli.loss import HeldOut
from w2vcli.plots import saving
from w2vcli.sources import expand, names
from w2vcli.vocab import Vocab, keep_probabilities, noise_probabilities

if TYPE_CHECKING:
    from w2vcli.engines.torch_engine import TorchEngine

SIZES = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536]
LIMITED, MEAN, SUM, NAIVE = "limited", "mean", "sum", "naive DataLoader"
_CUT_FROM = 256
"""In smaller batches hardly a row is in so many pairs that its rate is cut, unless alpha is very high."""
_NAIVE_SIZE, _NAIVE_PAIRS = 1_024, 20_480


@dataclass(frozen=True)
class Trial:
    """One training: so many pairs (in CBOW: windows) of so many words of text, and the held-out loss after them."""

    device: str
    batch_size: int
    rule: str
    steps: int
    pairs: int
    words: int
    seconds: float
    loss: float | None
    """None where it is not measured, or where training diverged."""
    diverged: bool = False

    @property
    def ms_a_step(self) -> float:
        """Milliseconds a step."""
        return 1000 * self.seconds / max(self.steps, 1)

    @property
    def pairs_per_second(self) -> float:
        """Pairs a second."""
        return self.pairs / self.seconds


@dataclass(frozen=True)
class _Task:
    """What every trial trains on, and is measured by."""

    config: Config
    vocab: Vocab
    about: dict[str, Any]
    block: Block
    held_out: Block

    def new_model(self) -> Any:
        return build_model(self.vocab, self.config.word2vec, self.about)


def bench_batch(corpus: Sequence[str], config: Config, sizes: Sequence[int], words: int) -> Iterator[Trial]:
    """Train the same pairs with each batch size on each device, and yield every trial.

    Args:
        corpus: tokenised text.
        config: the settings; with train.device other than auto, that is the only one.
        sizes: batch sizes.
        words: how many words of the text are trained, up to the end of a sentence.

    Raises:
        ConfigError: when the torch engine is not installed, or cannot train what the config asks for.
        W2VError: when the text cannot be read.
    """
    choose(config.with_engine("torch"))
    if config.train.fused:
        raise ConfigError(["train.fused: has no batches"])
    from w2vcli.engines.torch_engine import devices

    there = devices() if config.train.device == "auto" else [config.train.device]
    with tempfile.TemporaryDirectory(prefix="w2v-bench-") as temporary:
        task = _task(corpus, config, words, Path(temporary))
        if config.word2vec.sg:
            yield _naive_trial(task)
        for device in there:
            for size in sizes:
                yield from _trials(task, device, size)


def _task(corpus: Sequence[str], config: Config, words: int, folder: Path) -> _Task:
    sources = expand(corpus)
    for _ in encoding.encode(sources, folder / "corpus", folder / "vocab.tsv", config.word2vec.workers):
        pass
    encoded, vocab = Corpus(folder / "corpus"), Vocab.load(folder / "vocab.tsv")
    vocab = vocab.head(vocab.kept(config.word2vec.min_count, config.word2vec.max_final_vocab))
    if len(vocab) < 3:  # or a pair would have no noise words
        raise W2VError(f"{names(sources)}: too few words occur {config.word2vec.min_count} times")
    first, last = encoded.block_bounds(words)[:2].tolist()
    left_out = loss.sample(encoded, None, config.word2vec.seed)
    block = encoded.block(first, last).without(left_out[left_out < last])
    rng = np.random.default_rng(config.word2vec.seed)
    return _Task(config, vocab, encoded.meta, block.shuffled(rng), encoded.sentences(left_out.tolist()))


def _trials(task: _Task, device: str, size: int) -> Iterator[Trial]:
    """Yield the trials of one batch size: with the engine's rule, and with the others where they make a difference."""
    settings = task.config.word2vec
    yield _trial(task, device, size, LIMITED, settings.alpha, settings.min_alpha)
    if task.config.train.optimizer != "sgd":
        return
    if size > 1:
        yield _trial(task, device, size, MEAN, settings.alpha / size, settings.min_alpha / size)
    if size >= _CUT_FROM:
        yield _trial(task, device, size, SUM, settings.alpha, settings.min_alpha)


def _trial(task: _Task, device: str, size: int, rule: str, alpha: float, min_alpha: float) -> Trial:
    engine = _engine(task.config, device, size, limits_rates=rule == LIMITED)
    model = task.new_model()
    held_out = HeldOut(model, task.held_out)
    warm = task.new_model()
    engine.train_block(warm, Block(task.block.ids, task.block.starts[:50], task.block.ends[:50]), 0.0, 0.0, _rng(task))
    started = time.perf_counter()
    engine.train_block(model, task.block, alpha, min_alpha, _rng(task))
    engine.sync(model)
    seconds = time.perf_counter() - started
    with np.errstate(all="ignore"):  # a sum may diverge
        value = held_out.loss(model)
    diverged = value is not None and not value <= 2 * held_out.untrained
    assert engine.steps is not None
    counted = engine.steps.made, engine.steps.examples
    return Trial(device, size, rule, *counted, len(task.block), seconds, None if diverged else value, diverged)


def _engine(config: Config, device: str, size: int, limits_rates: bool) -> TorchEngine:
    from w2vcli.engines.torch_engine import TorchEngine

    return TorchEngine(config.train.model_copy(update={"device": device, "batch_size": size}), limits_rates)


def _rng(task: _Task) -> np.random.Generator:
    return np.random.default_rng([task.config.word2vec.seed, 1])


# ---------------------------------------------------------------- for the comparison only


def _naive_trial(task: _Task) -> Trial:
    """Train skip-gram as tutorials do: a Dataset whose items are pairs, with noise words drawn one by one.

    The step is the engine's module and PyTorch's sparse SGD; only where the pairs come from is naive.
    """
    import torch

    from w2vcli.engines.torch_engine import threads
    from w2vcli.engines.torch_modules import SkipGramNegativeSampling

    settings = task.config.word2vec
    model = SkipGramNegativeSampling(len(task.vocab), settings.vector_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=settings.alpha)
    generator = torch.Generator().manual_seed(settings.seed)
    started = time.perf_counter()
    pairs, words = _pairs_one_by_one(task)
    dataset = _pair_dataset(task, pairs)
    steps = 0
    with threads(settings.workers):
        for batch in torch.utils.data.DataLoader(dataset, _NAIVE_SIZE, shuffle=True, generator=generator):
            loss_of_batch = model(*batch) * len(batch[0])
            optimizer.zero_grad()
            loss_of_batch.backward()
            optimizer.step()
            steps += 1
    return Trial("cpu", _NAIVE_SIZE, NAIVE, steps, len(pairs), words, time.perf_counter() - started, None)


def _pairs_one_by_one(task: _Task) -> tuple[list[tuple[int, int]], int]:
    """Return some pairs of centre and context, and how many words of text they are from."""
    settings, rng = task.config.word2vec, _rng(task)
    keep = keep_probabilities(task.vocab.counts, settings.sample)
    block = task.block.gathered(len(task.vocab))
    pairs: list[tuple[int, int]] = []
    end = 0
    for start, end in zip(block.starts.tolist(), block.ends.tolist(), strict=True):
        sentence = reference.subsample(block.ids[start:end], keep, rng)
        for centre, contexts in reference.windows(sentence, settings.window, settings.shrink_windows, rng):
            pairs += [(centre, context) for context in contexts.tolist()]
        if len(pairs) >= _NAIVE_PAIRS:
            break
    if not pairs:
        raise W2VError("the text has no two words beside each other", "lower word2vec.min_count or raise --words")
    share = end / len(block.ids)
    return pairs, round(share * len(task.block))


def _pair_dataset(task: _Task, pairs: list[tuple[int, int]]) -> Any:
    """Return a torch Dataset of (centre, positive, negatives)."""
    import torch

    noise = np.cumsum(noise_probabilities(task.vocab.counts, task.config.word2vec.ns_exponent))
    negative, rng = task.config.word2vec.negative, _rng(task)

    class Pairs(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return len(pairs)

        def __getitem__(self, number: int) -> Any:
            centre, positive = pairs[number]
            negatives: list[int] = []
            while len(negatives) < negative:
                drawn = int(reference.draw_noise(noise, 1, rng)[0])
                if drawn not in (centre, positive):
                    negatives.append(drawn)
            return torch.tensor(centre), torch.tensor(positive), torch.tensor(negatives)

    return Pairs()


# ---------------------------------------------------------------- what came out


def plot(trials: Sequence[Trial], path: Path) -> None:
    """Draw speed and held-out loss by batch size to a file that `saving.check` has nothing against."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    speed, learnt = figure.subplots(1, 2)
    for device in dict.fromkeys(trial.device for trial in trials):
        own = [trial for trial in trials if trial.device == device]
        limited = [trial for trial in own if trial.rule == LIMITED]
        sizes = [trial.batch_size for trial in limited]
        speed.plot(sizes, [trial.pairs_per_second for trial in limited], "o-", label=device)
        for rule, line in ((LIMITED, "o-"), (MEAN, "s--"), (SUM, "^:")):
            found = [trial for trial in own if trial.rule == rule and trial.loss is not None]
            learnt.plot([t.batch_size for t in found], [t.loss for t in found], line, label=f"{device}, {rule}")
    for trial in trials:
        if trial.rule == NAIVE:
            speed.plot([trial.batch_size], [trial.pairs_per_second], "kx", label=NAIVE)
    start = max((trial.loss for trial in trials if trial.rule == MEAN and trial.loss is not None), default=None)
    if start is not None:
        lowest = min(trial.loss for trial in trials if trial.loss is not None)
        learnt.set_ylim(lowest - 0.05, start + 0.3)  # what diverged is above
    speed.set_yscale("log")
    for panel, name in ((speed, "pairs a second"), (learnt, "held-out loss after the same pairs")):
        panel.set_xscale("log", base=2)
        panel.set_xlabel("batch size")
        panel.set_ylabel(name)
        panel.legend()
    saving.save(figure, path)
