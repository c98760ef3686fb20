"""A run as plots and reports see it: finished or still going, read and never written. A model's file will do, too.

Everything is read when it is first asked for, and what is not there says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import checkpoint, model
from w2vcli.config import Config, resolve
from w2vcli.describe import describe
from w2vcli.errors import ConfigError, W2VError
from w2vcli.history import History
from w2vcli.npy import NpyFile
from w2vcli.run_directory import RunDirectory
from w2vcli.sources import STDIN, is_url
from w2vcli.text import MAX_TOKENS
from w2vcli.vectors import Vectors
from w2vcli.vocab import CountArray, Vocab, kept
from w2vcli.wording import label
from w2vcli.words import listed

_WORDS_READ = 10_000
"""Of the vocabulary's words; of the others, only the counts."""
_TRIES = 5
_LETTERS = 60  # of a name
_PIECE, _MOST_PIECES = 1 << 18, 64  # of sentences; of a long text, pieces from all of it are looked at


class MissingError(W2VError):
    """What a figure would show is not there."""


@dataclass(frozen=True)
class Lengths:
    """The lengths of sentences in words.

    `sentences`: int64 (longest + 1,), how many there are of each length. `looked_at`: how many sentences these are,
    `total`: of how many.
    """

    sentences: NDArray[np.int64]
    looked_at: int
    total: int

    def quantile(self, share: float) -> int:
        """Return the length that so large a share of the sentences does not exceed."""
        return int(np.searchsorted(np.cumsum(self.sentences), share * self.looked_at))


class Observed:
    """A run, or a model.

    Args:
        path: a run directory, or what else holds a model.
        name: what to call it, if not by its path.

    Raises:
        W2VError: when it is neither.
    """

    def __init__(self, path: str | Path, name: str | None = None) -> None:
        self.path = str(path)
        self.name = label(name or self.path, _LETTERS)
        if self.path == STDIN:
            raise ConfigError(["a model on standard input cannot be looked at; write it to a file first"])
        directory = RunDirectory(path)
        self.run = directory if not is_url(path) and directory.path.is_dir() and directory.is_run() else None
        if self.run is None:
            model.file_of(path)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What `w2v info` tells of it."""
        return describe(self.path)

    @property
    def is_training(self) -> bool:
        """Whether a process is training it now."""
        return self.run is not None and self.run.is_locked()

    @cached_property
    def _is_finished(self) -> bool:
        """Whether there is a model, and nothing is being trained, or was begun, after it."""
        return bool(self.about.get("state") == "finished")

    @cached_property
    def history(self) -> History:
        """What happened in it.

        Raises:
            MissingError: of a model that is no run.
        """
        return History.of(self._the_run().read_events())

    @cached_property
    def config(self) -> Config:
        """Its settings.

        Raises:
            MissingError: when they are not known.
        """
        run = self._the_run()
        trained = run.trained()
        if trained and self._is_finished:
            return Config.model_validate(trained["config"])
        try:
            return resolve(run.config, environment={}).config
        except W2VError as error:
            raise MissingError(f"{self.path}: the settings of this run are not known: {error}") from error

    # ------------------------------------------------------------ the corpus

    @cached_property
    def _counted(self) -> tuple[Vocab, CountArray]:
        if self.run is None:
            counts = self.vectors.counts
            if counts is None:
                raise MissingError(f"{self.path}: this file does not tell how often its words occur")
            head = self.vectors.words[:_WORDS_READ]
            return Vocab(head, np.asarray(counts[: len(head)])), np.asarray(counts)
        if not self.run.vocab.is_file():
            raise MissingError(f"{self.path}: the words of this run's corpus are not counted yet")
        return Vocab.load_head(self.run.vocab, _WORDS_READ)

    @property
    def top(self) -> Vocab:
        """The most frequent words of the corpus, some thousands.

        Raises:
            MissingError: when they are not known, as is `counts`.
        """
        return self._counted[0]

    @property
    def counts(self) -> CountArray:
        """How often each word of the corpus occurs, int64 (n,), in descending order; of a model, each of its words."""
        return self._counted[1]

    @property
    def kept_counts(self) -> CountArray:
        """The counts of the words that are trained, int64 (V,).

        Raises:
            MissingError: when they are not known.
        """
        if self.run is None:
            return self.counts
        settings = self.config.word2vec
        size = kept(self.counts, settings.min_count, settings.max_final_vocab)
        if not size:
            raise MissingError(f"{self.path}: no word occurs {settings.min_count} times")
        return self.counts[:size]

    @cached_property
    def lengths(self) -> Lengths:
        """The lengths of the corpus' sentences.

        Raises:
            MissingError: when the encoded text is not there.
        """
        from w2vcli.corpus import OFFSETS_FILE  # which compiles

        run = self._the_run()
        try:
            offsets = NpyFile(run.corpus / OFFSETS_FILE, np.int64)
            sentences = len(offsets) - 1
            firsts = np.arange(0, sentences, _PIECE)
            if len(firsts) > _MOST_PIECES:
                firsts = firsts[np.linspace(0, len(firsts) - 1, _MOST_PIECES).astype(np.int64)]
            found = np.zeros(MAX_TOKENS + 1, dtype=np.int64)
            for first in firsts.tolist():
                lengths = np.diff(offsets[first : min(first + _PIECE, sentences) + 1])
                found += np.bincount(np.clip(lengths, 0, MAX_TOKENS), minlength=len(found))
        except FileNotFoundError:
            raise MissingError(f"{self.path}: the encoded text, RUN/corpus, is not there (any more)") from None
        except (OSError, ValueError) as error:
            raise MissingError(f"{self.path}: the encoded text cannot be read: {error}") from error
        longest = int(np.flatnonzero(found)[-1]) if found.any() else 0
        return Lengths(found[: longest + 1], int(found.sum()), sentences)

    # ------------------------------------------------------------ the vectors

    @property
    def vectors(self) -> Vectors:
        """Its words and vectors: of the finished model, or of the latest checkpoint.

        Raises:
            MissingError: when there are none yet.
            W2VError: when they cannot be read.
        """
        return self._vectors_and_source[0]

    @property
    def vectors_of(self) -> str:
        """Which state of the run the vectors are of."""
        return self._vectors_and_source[1]

    @cached_property
    def _vectors_and_source(self) -> tuple[Vectors, str]:
        if self.run is None:
            return _in_order(model.load(self.path)), "the file"
        for _ in range(_TRIES):
            found = None if self._is_finished else checkpoint.newest(self.run.checkpoints)
            if found is None:
                break
            with suppress(FileNotFoundError):  # a training has just removed it, as it has a newer one
                return self._of_checkpoint(found)
        if self.run.trained():
            return model.load(self.path), "the finished model" if self._is_finished else "the former model"
        raise MissingError(f"{self.path}: there are no vectors before the first checkpoint")

    def _of_checkpoint(self, found: checkpoint.Checkpoint) -> tuple[Vectors, str]:
        try:
            rows = np.load(found.folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            assert self.run is not None
            vocab, _ = Vocab.load_head(self.run.vocab, len(rows))
            vectors = Vectors(listed(vocab.words), rows, counts=vocab.counts)
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise MissingError(f"{found.folder}: this checkpoint cannot be read: {error}") from error
        words = found.state["position"]["words"]
        return vectors, f"the checkpoint after {words:,} words"

    def _the_run(self) -> RunDirectory:
        if self.run is None:
            raise MissingError(f"{self.path}: a model alone does not tell how it was trained")
        return self.run


def _in_order(vectors: Vectors) -> Vectors:
    """Return vectors by descending counts, as all but some models' are anyway."""
    if vectors.counts is None or (np.diff(vectors.counts) <= 0).all():
        return vectors
    return vectors.only(np.argsort(-vectors.counts, kind="stable"))


def observe(paths: Sequence[str]) -> list[Observed]:
    """Return runs, called by as many last parts of their paths as tell them apart.

    Raises:
        W2VError: when there is none at one of the paths.
    """
    parts = [path.rstrip("/").split("/") for path in paths]
    names = list(paths)
    for number in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(of_one[-number:]) for of_one in parts]
        if len(set(names)) == len(set(paths)):
            break
    return [Observed(path, name) for path, name in zip(paths, names, strict=True)]
