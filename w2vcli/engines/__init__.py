"""Engines: what updates a model's arrays, block by block.

An engine gets arrays and numbers, never paths; it owns neither schedule nor position nor seeds. To add one, write
`engines/x.py` and add its line to ENGINES; the conformance suite picks it up.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from w2vcli.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from w2vcli.config import Config, Word2Vec
    from w2vcli.corpus import Block

ENGINES = {
    "numba": "w2vcli.engines.numba_engine:NumbaEngine",
    "gensim": "w2vcli.engines.gensim_engine:GensimEngine",
    "reference": "w2vcli.engines.reference:ReferenceEngine",
}


@dataclass(frozen=True)
class Capabilities:
    """What an engine can train."""

    sg: bool
    cbow: bool
    hs: bool
    ns: bool
    threads: bool
    device: str = "cpu"
    shared_noise: bool = False
    """Skip-gram's noise words are drawn once a centre, not once a pair; and in both models a window's pairs are stepped
    at once, from the same old rows, not one after the other."""


class Engine(Protocol):
    """Updates a Gensim model's arrays; it may replace them by others, so that they must be asked of the model again."""

    capabilities: Capabilities

    def prepare(self, settings: Word2Vec) -> None:
        """Load, or compile, the code that training with `settings` will need; `train_block` works without it too."""
        ...

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
        ...


def create(name: str) -> Engine:
    """Return the engine of that name.

    Raises:
        ConfigError: when there is none.
    """
    if name not in ENGINES:
        close = difflib.get_close_matches(name, [*ENGINES, AUTO], 1) or [AUTO, *ENGINES]
        raise ConfigError([f"train.engine: {name} is not an engine; did you mean {' or '.join(close)}?"])
    module, _, class_name = ENGINES[name].partition(":")
    return cast("Engine", getattr(import_module(module), class_name)())


@dataclass(frozen=True)
class Choice:
    """The engine that a run gets: its name in ENGINES, the engine, and why, where `auto` chose."""

    name: str
    engine: Engine
    reason: str | None = None


AUTO = "auto"
_FASTEST, _ABLEST = "numba", "gensim"


def choose(config: Config) -> Choice:
    """Return the engine that `config` names, or for `auto` the fastest one that can train what it asks for.

    Raises:
        ConfigError: when there is none, or it cannot train what the config asks for.
    """
    name = config.train.engine
    if name == AUTO:
        engine = create(_FASTEST)
        lacking = _lacking(engine.capabilities, config.word2vec)
        if not lacking:
            return Choice(_FASTEST, engine, "the fastest for these settings")
        return Choice(_ABLEST, create(_ABLEST), f"{_FASTEST} cannot train with {' and '.join(lacking)}")
    engine = create(name)
    lacking = _lacking(engine.capabilities, config.word2vec)
    if lacking:
        problem = "train.engine: {} cannot train with {}; change it, or take train.engine: {}"
        raise ConfigError([problem.format(name, setting, _ABLEST) for setting in lacking])
    return Choice(name, engine)


def _lacking(able: Capabilities, settings: Word2Vec) -> list[str]:
    """Return the settings that an engine cannot train with."""
    wanted = {
        "word2vec.sg: 1": (settings.sg == 1, able.sg),
        "word2vec.sg: 0": (settings.sg == 0, able.cbow),
        "word2vec.hs: 1": (settings.hs == 1, able.hs),
        "word2vec.negative above 0": (settings.negative > 0, able.ns),
    }
    return [setting for setting, (asked, can) in wanted.items() if asked and not can]
