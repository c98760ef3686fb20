"""Runs whose every number is known, made without training: their words, events, sentences and vectors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from w2vcli import checkpoint, npy
from w2vcli.config import Config
from w2vcli.run_directory import RunDirectory
from w2vcli.vocab import Vocab


def event(kind: str, time: float = 0.0, **fields: Any) -> dict[str, Any]:
    return {"event": kind, "time": time, **fields}


def start(done_words: int = 0, resumed_from: str | None = None, time: float = 0.0, **fields: Any) -> dict[str, Any]:
    return event("start", time, done_words=done_words, resumed_from=resumed_from, total_words=10_000, **fields)


def block(words: int, speed: float = 100, alpha: float = 0.01, time: float = 0.0) -> dict[str, Any]:
    return event("block", time, words=words, words_per_second=speed, alpha=alpha, epoch=1)


def made_run(
    folder: Path,
    counts: Mapping[str, int] | None = None,
    events: Iterable[Mapping[str, Any]] = (),
    lengths: Sequence[int] | None = None,
    rows: Any = None,
    **word2vec: Any,
) -> Path:
    """Return a run that is not finished.

    Args:
        folder: to be made.
        counts: of its words, falling.
        events: what happened.
        lengths: of its sentences.
        rows: the vectors of its only checkpoint, after 1,234 words.
        word2vec: its settings; min_count is 1.
    """
    run = RunDirectory(folder)
    folder.mkdir()
    run.config.write_text(Config.model_validate({"word2vec": {"min_count": 1, **word2vec}}).to_yaml())
    run.events.write_text("".join(json.dumps(one) + "\n" for one in events))
    if counts is not None:
        vocab = Vocab(list(counts), np.array(list(counts.values()), dtype=np.int64))
        run.vocab.write_text(vocab.table(), encoding="utf-8")
    if lengths is not None:
        run.corpus.mkdir()
        npy.save(run.corpus / "offsets.npy", np.cumsum([0, *lengths], dtype=np.int64))
    if rows is not None:
        state = {"position": {"words": 1234}}
        checkpoint.save(run.checkpoints, 1, {"vectors": np.asarray(rows, dtype=np.float32)}, state, 1)
    return folder
