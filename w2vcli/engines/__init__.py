"""Engines: what updates a model's arrays, block by block.

An engine gets arrays and numbers, never paths; it owns neither schedule nor position nor seeds. To add one, write
`engines/x.py` and add its line to ENGINES; the conformance suite picks it up.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from w2vcli.errors import ConfigError, NotHereError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from w2vcli.config import Config, Train, Word2Vec
    from w2vcli.corpus import Block

ENGINES = {
    "numba": "w2vcli.engines.numba_engine:NumbaEngine",
    "gensim": "w2vcli.engines.gensim_engine:GensimEngine",
    "torch": "w2vcli.engines.torch_engine:TorchEngine",
    "reference": "w2vcli.engines.reference:ReferenceEngine",
}
_NEEDS = {"torch": "torch"}
"""Libraries that do not come with w2vcli; the extra has the engine's name."""


@dataclass(frozen=True)
class Capabilities:
    """What an engine can train, and how its steps are to be understood."""

    sg: bool
    cbow: bool
    hs: bool
    ns: bool
    threads: bool
    devices: bool = False
    """It trains on other devices than the CPU: `train.device`."""
    minibatches: bool = False
    """It has `train.batch_size`, `train.optimizer`, `train.shared_negatives` and `train.fused`."""
    at_once: Literal["pair", "window", "batch"] = "pair"
    """What is stepped from the same old rows. pair: each pair has noise words of its own, and the rows they are for are
    stepped one after the other. window: the pairs of a centre share their noise words. batch: see `torch_steps`."""


class Engine(ABC):
    """Updates a Gensim model's arrays; it may replace them by others, so that they must be asked of the model again."""

    capabilities: Capabilities
    device: Any = "cpu"
    arrays_a_matrix = 0
    """How many arrays `state` has for each matrix of the model, as large as that."""

    @classmethod
    def made_for(cls, settings: Train) -> Engine:
        """Return the engine with the settings that concern it.

        Raises:
            ConfigError: when they ask for what is not there.
        """
        return cls()

    def batch_size_of(self, vocabulary: int, workers: int = 1) -> int | None:
        """Return how many examples it steps at once, with so many words; None where it has no `train.batch_size`."""
        return None

    def prepare(self, settings: Word2Vec) -> None:  # noqa: B027
        """Load, or compile, the code that training with `settings` will need; `train_block` works without it too."""

    @abstractmethod
    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on the sentences of `block` and return how many words were trained (subsampling left them in).

        Args:
            model: a gensim.models.Word2Vec with vocabulary and weights: `wv.vectors` float32 (V, d), and
                `syn1neg` (V, d) or `syn1` (V - 1 or more, d).
            block: its sentences are visited in its order; ids of V and more are words left out, to be passed over.
            alpha_start: the learning rate at the first word.
            alpha_end: the learning rate after the last; in between it falls linearly.
            rng: the source of all randomness; with one worker, the same state gives the same bits.
        """

    def sync(self, model: Any) -> None:  # noqa: B027
        """Bring the model's arrays up to date, where the engine trains copies of them; to be called before a look."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what training goes on from beside the model: arrays of the engine's own, by name."""
        return {}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:  # noqa: B027
        """Take up what `state` gave, to go on from it; other arrays in it are passed over."""


def create(name: str, settings: Train | None = None) -> Engine:
    """Return the engine of that name, with the settings that concern it.

    Raises:
        ConfigError: when there is none, what it needs is not installed, or the settings ask for what is not there.
    """
    if name not in ENGINES:
        close = difflib.get_close_matches(name, [*ENGINES, AUTO], 1) or [AUTO, *ENGINES]
        raise ConfigError([f"train.engine: {name} is not an engine; did you mean {' or '.join(close)}?"])
    library = _NEEDS.get(name)
    if library is not None and find_spec(library) is None:
        raise NotHereError(
            [f"train.engine: {name} needs {library}, which is not installed; pip install 'w2vcli[{name}]'"]
        )
    module, _, class_name = ENGINES[name].partition(":")
    engine_class: type[Engine] = getattr(import_module(module), class_name)
    return engine_class() if settings is None else engine_class.made_for(settings)


@dataclass(frozen=True)
class Choice:
    """The engine that a run gets: its name in ENGINES, the engine, and why, where `auto` chose."""

    name: str
    engine: Engine
    reason: str | None = None


AUTO = "auto"
_BY_SPEED = ("numba", "gensim", "torch")


def choose(config: Config) -> Choice:
    """Return the engine that `config` names, or for `auto` the fastest one that can train what it asks for.

    Raises:
        ConfigError: when there is none, or it cannot train what the config asks for.
    """
    name = config.train.engine
    if name != AUTO:
        engine = create(name, config.train)
        lacking = _lacking(engine.capabilities, config)
        if lacking:
            problem = "train.engine: {} cannot train with {}; change it, or take train.engine: {}"
            raise ConfigError([problem.format(name, setting, _able(setting, config)) for setting in lacking])
        return Choice(name, engine)
    reasons: list[str] = []
    for name in _BY_SPEED:
        try:
            engine = create(name, config.train)
        except NotHereError as error:
            raise NotHereError([", ".join([*error.problems, *reasons])]) from error
        lacking = _lacking(engine.capabilities, config)
        if not lacking:
            return Choice(name, engine, ", ".join(reasons) or "the fastest for these settings")
        reasons.append(f"{name} cannot train with {' and '.join(lacking)}")
    raise ConfigError([f"train.engine: {reason}" for reason in reasons])


def _able(setting: str, config: Config) -> str:
    """Return the fastest engine that has a setting which another one lacks."""
    engines = (name for name in _BY_SPEED if setting not in _lacking(_capabilities(name, config), config))
    return next(engines, AUTO)


def _capabilities(name: str, config: Config) -> Capabilities:
    try:
        return create(name, config.train).capabilities
    except ConfigError:  # what it could if it were here
        return Capabilities(sg=True, cbow=True, hs=False, ns=True, threads=True, devices=True, minibatches=True)


def _lacking(able: Capabilities, config: Config) -> list[str]:
    """Return the settings that an engine cannot train with."""
    settings, train = config.word2vec, config.train
    wanted = {
        "word2vec.sg: 1": (settings.sg == 1, able.sg),
        "word2vec.sg: 0": (settings.sg == 0, able.cbow),
        "word2vec.hs: 1": (settings.hs == 1, able.hs),
        "word2vec.negative above 0": (settings.negative > 0, able.ns),
        f"train.device: {train.device}": (train.device not in (AUTO, "cpu"), able.devices),
        f"train.batch_size: {train.batch_size}": (train.batch_size is not None, able.minibatches),
        f"train.optimizer: {train.optimizer}": (train.optimizer != "sgd", able.minibatches),
        f"train.shared_negatives: {train.shared_negatives}": (train.shared_negatives > 0, able.minibatches),
        "train.fused: true": (train.fused, able.minibatches),
    }
    return [setting for setting, (asked, can) in wanted.items() if asked and not can]
