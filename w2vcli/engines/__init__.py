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

    from w2vcli.config import Config
    from w2vcli.corpus import Block

ENGINES = {
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


class Engine(Protocol):
    """Updates a Gensim model's arrays in place."""

    capabilities: Capabilities

    def train_block(
        self, model: Any, block: Block, alpha_start: float, alpha_end: float, rng: np.random.Generator
    ) -> int:
        """Train on the sentences of `block` and return how many words were trained (subsampling left them in).

        Args:
            model: a gensim.models.Word2Vec with vocabulary and weights: `wv.vectors` float32 (V, d), and
                `syn1neg` (V, d) or `syn1` (V - 1 or more, d).
            block: ids below V.
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
        close = difflib.get_close_matches(name, ENGINES, 1) or list(ENGINES)
        raise ConfigError([f"train.engine: {name} is not an engine; did you mean {' or '.join(close)}?"])
    module, _, class_name = ENGINES[name].partition(":")
    return cast("Engine", getattr(import_module(module), class_name)())


def create_for(config: Config) -> Engine:
    """Return the engine that `config` names.

    Raises:
        ConfigError: when there is none, or it cannot train what the config asks for.
    """
    engine = create(config.train.engine)
    able, settings = engine.capabilities, config.word2vec
    wanted = {
        "word2vec.sg: 1": (settings.sg == 1, able.sg),
        "word2vec.sg: 0": (settings.sg == 0, able.cbow),
        "word2vec.hs: 1": (settings.hs == 1, able.hs),
        "word2vec.negative above 0": (settings.negative > 0, able.ns),
    }
    problems = [
        f"train.engine: {config.train.engine} cannot train with {setting}; change it, or take train.engine: gensim"
        for setting, (asked, can) in wanted.items()
        if asked and not can
    ]
    if problems:
        raise ConfigError(problems)
    return engine
