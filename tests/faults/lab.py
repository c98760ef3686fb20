"""What the programs share: work done in a forked process, and what must hold of a run whatever happened to it."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gensim.models
import numpy as np

from w2vcli import checkpoint, loss, numbering, seal, training
from w2vcli.config import Word2Vec, resolve
from w2vcli.corpus import Corpus
from w2vcli.engines import create
from w2vcli.errors import W2VError
from w2vcli.run_directory import META_FILE, RunDirectory
from w2vcli.vocab import Vocab

Settings = dict[str, dict[str, Any]]


def warm_up() -> None:
    """Load what every forked process needs, once."""
    numbering.prepare()
    loss.prepare()
    for sg in (0, 1):
        create("numba").prepare(Word2Vec(sg=sg))


def write_text(path: Path, seed: int, sentences: int = 400) -> Path:
    """Write sentences of a few hundred words that follow one another by rules, the rarer the later."""
    rng = random.Random(seed)
    words = [f"word{number}" for number in range(60 + 20 * seed)]
    weights = [1 / (number + 2) for number in range(len(words))]
    lines = (" ".join(rng.choices(words, weights, k=rng.randint(3, 12))) for _ in range(sentences))
    path.write_text("\n".join(lines) + "\n")
    return path


def settings(engine: str = "numba", workers: int = 1, **more: Any) -> Settings:
    """Return a config of a small run with many blocks and a checkpoint after each."""
    word2vec = {"workers": workers, "vector_size": 50, "epochs": 2, "min_count": 1, "sg": 1, "window": 2}
    train = {"engine": engine, "block_words": 800, "checkpoint_every": "1 words", "keep_checkpoints": 2, **more}
    return {"word2vec": word2vec, "train": train}


def cut_after(blocks: int, text: Path, run: Path, settings: Settings, **more: Any) -> None:
    """Train so many blocks, save a checkpoint, and stop."""
    seen: list[str] = []
    training.train(
        text,
        run,
        settings,
        progress=lambda event: seen.append(event["event"]),
        should_stop=lambda: seen.count("block") >= blocks,
        **more,
    )


# ---------------------------------------------------------------- work in another process

CUT_OFF = 40  # exit code of work that ended with an error of ours
BROKEN = 41  # and with another


def child(work: Callable[[], Any], errors: Path | None = None) -> int:
    """Start `work` in a forked process; return its number."""
    process = os.fork()
    if process:
        return process
    code = BROKEN
    try:
        work()
        code = 0
    except W2VError as error:
        code = CUT_OFF
        if errors is not None:
            errors.write_text(str(error))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(code)


def ended(process: int) -> int:
    """Wait for a process; return its exit code, or the signal that ended it below zero."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def done(work: Callable[[], Any], errors: Path | None = None) -> int:
    """Do `work` in a forked process and return its exit code."""
    return ended(child(work, errors))


# ---------------------------------------------------------------- what must hold


def arrays(run: Path) -> dict[str, bytes]:
    """Return the arrays of a finished run's model."""
    model = gensim.models.Word2Vec.load(str(run / "model" / "word2vec.model"))
    named = {"vectors": model.wv.vectors, "syn1neg": getattr(model, "syn1neg", None)}
    named["syn1"] = getattr(model, "syn1", None)
    return {name: np.asarray(array).tobytes() for name, array in named.items() if array is not None}


def check_readable(run: Path) -> None:
    """Make sure that everything in a run that has a name a reader would look for is whole."""
    for folder in run.glob("checkpoints/[0-9]*"):
        found = checkpoint.load(folder)
        assert isinstance(found, checkpoint.Checkpoint), f"{folder}: {found}"
        assert found.arrays()
    directory = RunDirectory(run)
    model = directory.finished_model()
    if model.parent.exists():
        seal.read(model.parent, META_FILE)
        gensim.models.Word2Vec.load(str(model))
    if directory.corpus.exists():
        corpus = Corpus(directory.corpus)
        assert len(corpus.block(0, len(corpus.offsets) - 1)) == corpus.meta["words"]
    if directory.vocab.exists():
        Vocab.load(directory.vocab)
    if directory.config.exists():
        resolve(directory.config, environment={})
    directory.read_events()


def replace_folder(source: Path | None, target: Path) -> None:
    """Make `target` a copy of `source`, or nothing."""
    shutil.rmtree(target, ignore_errors=True)
    if source is not None:
        shutil.copytree(source, target)
