"""The loop: it alone owns the schedule, the position, the seeds and the checkpoints.

Every random choice of a block comes from `(seed, epoch, block)`, so a position is all that a checkpoint must know
of randomness, and a run that was interrupted goes on exactly where it was.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from w2vcli import __version__, checkpoint, encoding, engines, numbering, outputs
from w2vcli.config import Config, Word2Vec, as_config
from w2vcli.corpus import Block, Corpus, Offsets
from w2vcli.errors import W2VError
from w2vcli.run_directory import META_FILE, MODEL_FILE, Event, RunDirectory
from w2vcli.sources import Source, expand, names, total_size
from w2vcli.vocab import Vocab

# What may differ between two starts of one run: it changes no vector, or only which of equally good ones.
_FREE_SETTINGS = ("preprocess.", "train.checkpoint_every", "train.keep_checkpoints", "word2vec.workers")

_LONG_PREPARATION = 1.0  # seconds; imports and kernels from the cache take less


def train(
    corpus: Sequence[str | Path] | str | Path,
    run: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    force: bool = False,
    progress: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Event:
    """Train a model on tokenised text into the run directory `run`, or go on with the run that is there.

    Args:
        corpus: tokenised text (a sentence a line): files, globs, folders, URLs, or `-` for standard input.
        run: the run directory; its parent must exist.
        config: a Config, a nested mapping, or a YAML file.
        force: where the run was made with another config or corpus, start over instead of refusing.
        progress: called with every event; see `events`.
        should_stop: asked after every block; when true, a checkpoint is saved and the run ends unfinished.

    Returns:
        The last event: `done`, `up to date` or `stopped`.

    Raises:
        ConfigError: when the config is wrong.
        LockedError: when another process is training this run.
        W2VError: when the corpus cannot be read, the run cannot be written, or it was made from something else.
    """
    event: Event = {}
    for event in events(corpus, run, config, force=force, should_stop=should_stop):
        if progress is not None:
            progress(event)
    return event


def events(
    corpus: Sequence[str | Path] | str | Path,
    run: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    force: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Do what `train` does, yielding an event after each step; stop iterating and the run stops there.

    An event is a dict with `event` and `time` (seconds since 1970), and by kind:
    `warning`: message · `encode` (often, and not in events.jsonl): bytes, total · `compile` (when it takes long):
    engine · `start`: engine, engine_reason, words, sentences,
    distinct, fingerprint, split, vocabulary, epochs, blocks, total_words, done_words, resumed_from, versions ·
    `block`: epoch, block, words, trained_words, alpha, words_per_second · `epoch`: epoch, of · `checkpoint`: path ·
    and last one of `done`: model, vocabulary, seconds, words · `up to date`: model · `stopped`: checkpoint.
    """
    settings = as_config(config)
    choice = engines.choose(settings)
    settings = settings.with_engine(choice.name)
    skipped: list[str] = []
    sources = expand([corpus] if isinstance(corpus, str | Path) else corpus, skipped)
    directory = RunDirectory(run)
    inside = [source.name for source in sources if source.is_local and _is_within(Path(source.name), directory.path)]
    if inside:
        raise W2VError(f"{inside[0]}: is inside the run {directory.path}", "keep text and runs apart")
    is_new = directory.create()
    with directory.lock(), directory.event_log() as log:
        try:
            for event in _Run(settings, choice, sources, directory, force, should_stop).events(skipped):
                event["time"] = time.time()
                if event["event"] != "encode":
                    log.append(event)
                yield event
        except W2VError:
            if is_new and not directory.corpus.exists():  # the text could not be read: as if never begun
                shutil.rmtree(directory.path)
            raise


def _is_within(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


class _Background:
    """Runs a function once, in a thread that does not keep the program from ending."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it, unless that has been done."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._function()
        except Exception as error:
            self._error = error

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, or so long; return whether it has ended, or raise what it raised."""
        assert self._thread is not None
        self._thread.join(seconds)
        if self._error:
            raise self._error
        return not self._thread.is_alive()


_Item = TypeVar("_Item")


def _ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield the items; while one is used, a thread makes the next."""
    with ThreadPoolExecutor(1, "w2v-read") as pool:
        following = pool.submit(next, items, None)
        while (item := following.result()) is not None:
            following = pool.submit(next, items, None)
            yield item


class _Turn(NamedTuple):
    """A block that is to be trained, in its order, and where its randomness comes from."""

    epoch: int
    place: int
    block: Block
    rng: np.random.Generator


@dataclass
class _Position:
    """How far the training is: blocks trained over all epochs, and the words in them."""

    blocks: int = 0
    words: int = 0
    trained_words: int = 0
    seconds: float = 0.0


class _Run:
    """One start of a run, from the check of what is there to the saved model."""

    def __init__(
        self,
        config: Config,
        choice: engines.Choice,
        sources: list[Source],
        directory: RunDirectory,
        force: bool,
        should_stop: Callable[[], bool],
    ) -> None:
        self.config = config
        self.engine = choice.engine
        self.engine_reason = choice.reason
        self.sources = sources
        self.directory = directory
        self.force = force
        self.should_stop = should_stop
        self._stopped = self._said_that_it_compiles = False
        self._preparation = _Background(self._prepare)

    def events(self, skipped: Sequence[str]) -> Iterator[Event]:
        """Yield the run's events; see the module's `events`."""
        directory = self.directory
        outputs.recover_folder(directory.model)
        outputs.sweep(directory.path)
        outputs.sweep(directory.checkpoints)
        self._discard_new_corpus()
        found, damaged = checkpoint.latest(directory.checkpoints)
        warnings = [*damaged, *(f"{name}: skipped, it is no text" for name in skipped)]
        yield from ({"event": "warning", "message": message} for message in warnings)
        finished, encoded = directory.trained(), self._encoded()
        fingerprint = self._known_fingerprint(finished["corpus"] if finished else None, encoded)
        if fingerprint is None:
            yield from self._encode()
            if self._stopped:
                return
            fingerprint = self._new_fingerprint()
        identity = self._identity(fingerprint)
        if finished and not _differences(finished["identity"], identity) and self._is_as_exact(finished):
            self._discard_new_corpus()
            os.utime(directory.model_file)  # newer than its corpus again, so that Make is content
            outputs.write_text(directory.config, self.config.to_yaml())
            yield {"event": "up to date", "model": str(directory.model_file)}
            return
        found = self._to_go_on_from(found, finished, identity)
        if encoded is None or encoded["fingerprint"] != fingerprint:
            if not self._new_corpus.exists():
                yield from self._encode()
                if self._stopped:
                    return
            if self._new_fingerprint() != fingerprint:
                raise W2VError(f"{names(self.sources)}: is being written to", "run it again when the text is complete")
            self._install_new_corpus()
        self._discard_new_corpus()
        if found is None:
            checkpoint.remove_all(directory.checkpoints)
        outputs.write_text(directory.config, self.config.to_yaml())
        yield from self._train(identity, found)

    def _is_as_exact(self, finished: Mapping[str, Any]) -> bool:
        """Return False where one worker is asked for and several have trained: that is not the repeatable model."""
        return self.config.word2vec.workers > 1 or bool(finished["config"]["word2vec"]["workers"] == 1)

    def _to_go_on_from(
        self, found: checkpoint.Checkpoint | None, finished: Mapping[str, Any] | None, identity: Mapping[str, Any]
    ) -> checkpoint.Checkpoint | None:
        """Return the checkpoint to go on from, or None to start over.

        Raises:
            W2VError: when what is there was made from something else, unless forced.
        """
        earlier = found.state["identity"] if found else finished["identity"] if finished else identity
        different = _differences(earlier, identity)
        if (
            finished
            and not _differences(finished["identity"], identity)
            and not (found and found.state["workers"] == 1)
        ):
            different = ["word2vec.workers was more than 1"]  # else it would have been up to date
        if not different:
            return found
        if not self.force:
            self._discard_new_corpus()
            raise W2VError(
                f"{self.directory.path}: was made from something else: {', '.join(different)}",
                "--force starts over, another -o keeps both",
            )
        return None

    # ------------------------------------------------------------ what the run is made from

    def _identity(self, fingerprint: str) -> dict[str, Any]:
        """Return what makes two runs the same: the settings that count, and the corpus."""
        settings = {path: value for path, value in self.config.flat().items() if not path.startswith(_FREE_SETTINGS)}
        return {"settings": settings, "corpus": fingerprint}

    def _encoded(self) -> Mapping[str, Any] | None:
        """Return what is known of the encoded corpus, or None where there is none that is whole."""
        try:
            meta = Corpus(self.directory.corpus).meta if self.directory.vocab.is_file() else None
        except W2VError:
            return None
        limit = self.config.train.vocab_bytes()
        return meta if meta is None or meta["max_bytes"] == limit else None

    def _known_fingerprint(self, *earlier: Mapping[str, Any] | None) -> str | None:
        """Return the corpus' fingerprint if its files are, unchanged, those of an earlier start."""
        stamps = [source.stamp() for source in self.sources]
        for meta in earlier:
            if meta and None not in stamps and meta["sources"] == [list(stamp or ()) for stamp in stamps]:
                return str(meta["fingerprint"])
        return None

    def _new_fingerprint(self) -> str:
        return str(Corpus(self._new_corpus).meta["fingerprint"])

    @property
    def _new_corpus(self) -> Path:
        return self.directory.path / ".corpus.new"

    @property
    def _new_vocab(self) -> Path:
        return self.directory.path / ".vocab.new.tsv"

    def _encode(self) -> Iterator[Event]:
        """Encode the corpus beside the one that may be there; it is installed once nothing speaks against it."""
        # first what encoding needs: numba compiles one thing at a time, and while it does nothing could be said
        kernels = _Background(numbering.prepare)
        kernels.start()
        yield from self._wait(kernels)
        self._preparation.start()
        total = total_size(self.sources)
        workers, max_bytes = self.config.word2vec.workers, self.config.train.vocab_bytes()
        for read in encoding.encode(self.sources, self._new_corpus, self._new_vocab, workers, max_bytes):
            yield {"event": "encode", "bytes": read, "total": total}
            if self.should_stop():
                self._stopped = True
                yield {"event": "stopped", "checkpoint": None}
                return

    def _install_new_corpus(self) -> None:
        """Put the new corpus and its vocabulary in place; cut off in between, there is none and it is made again."""
        shutil.rmtree(self.directory.corpus, ignore_errors=True)
        self._new_vocab.replace(self.directory.vocab)
        self._new_corpus.rename(self.directory.corpus)

    def _discard_new_corpus(self) -> None:
        shutil.rmtree(self._new_corpus, ignore_errors=True)
        self._new_vocab.unlink(missing_ok=True)

    # ------------------------------------------------------------ the loop

    def _prepare(self) -> None:
        """Import and compile what training needs; while the text is encoded there is time for it."""
        import gensim.models  # noqa: F401

        self.engine.prepare(self.config.word2vec)

    def _wait(self, preparation: _Background) -> Iterator[Event]:
        """Wait; when it takes long, say why, once."""
        if not preparation.wait(_LONG_PREPARATION) and not self._said_that_it_compiles:
            self._said_that_it_compiles = True
            yield {"event": "compile", "engine": self.config.train.engine}
        preparation.wait()

    def _train(self, identity: dict[str, Any], found: checkpoint.Checkpoint | None) -> Iterator[Event]:
        settings, directory = self.config.word2vec, self.directory
        self._preparation.start()
        corpus = Corpus(directory.corpus)
        vocab = self._vocab(corpus)
        yield from self._wait(self._preparation)
        model = build_model(vocab, settings, corpus.meta)
        position = _Position()
        if found:
            _restore(model, found)
            position = _Position(**found.state["position"])
            if found.state["versions"] != versions():
                made = ", ".join(f"{name} {version}" for name, version in found.state["versions"].items())
                yield {
                    "event": "warning",
                    "message": f"{found.folder} was made with {made}; the end may differ in bits",
                }
        bounds = corpus.block_bounds(self.config.train.block_words)
        blocks = len(bounds) - 1
        yield from ({"event": "warning", "message": message} for message in _doubts(corpus.meta))
        yield {
            "event": "start",
            "engine": self.config.train.engine,
            "engine_reason": self.engine_reason,
            "words": corpus.meta["words"],
            "sentences": corpus.meta["sentences"],
            "distinct": corpus.meta["distinct"],
            "fingerprint": corpus.meta["fingerprint"],
            "split": corpus.meta["split"],
            "vocabulary": len(vocab),
            "epochs": settings.epochs,
            "blocks": blocks,
            "total_words": corpus.meta["words"] * settings.epochs,
            "done_words": position.words,
            "resumed_from": str(found.folder) if found else None,
            "versions": versions(),
        }
        saved = position.words, time.monotonic()
        turns = _ahead(self._turns(corpus, bounds, position.blocks))
        while position.blocks < blocks * settings.epochs:
            yield self._train_block(model, turns, corpus.meta["words"] * settings.epochs, position)
            if position.blocks % blocks == 0:
                yield {"event": "epoch", "epoch": position.blocks // blocks, "of": settings.epochs}
            stop = self.should_stop()
            if position.blocks < blocks * settings.epochs and (stop or self._is_checkpoint_due(position, *saved)):
                _check_finite(model)
                path = self._save_checkpoint(model, position, identity)
                saved = position.words, time.monotonic()
                yield {"event": "checkpoint", "path": str(path)}
                if stop:
                    yield {"event": "stopped", "checkpoint": str(path)}
                    return
        _check_finite(model)
        self._save_model(model, corpus, position, identity)
        yield {
            "event": "done",
            "model": str(directory.model_file),
            "vocabulary": len(vocab),
            "seconds": round(position.seconds, 3),
            "words": position.words,
        }

    def _vocab(self, corpus: Corpus) -> Vocab:
        settings = self.config.word2vec
        vocab = Vocab.load(self.directory.vocab)
        if len(vocab) != corpus.meta["distinct"] or vocab.counts.sum() + corpus.meta["dropped"] != corpus.meta["words"]:
            raise W2VError(f"{self.directory.vocab}: is not the encoded text's", "remove it to encode the text again")
        size = vocab.kept(settings.min_count, settings.max_final_vocab)
        if size == 0:
            most = f"the most frequent ({vocab.words[0]}) {vocab.counts[0]} times"
            limit = "" if settings.max_final_vocab is None else f" and fits max_final_vocab {settings.max_final_vocab}"
            raise W2VError(
                f"{names(self.sources)}: no word occurs {settings.min_count} times{limit}, {most}",
                "lower word2vec.min_count" if not limit else "raise word2vec.max_final_vocab or lower min_count",
            )
        return vocab.head(size)

    def _turns(self, corpus: Corpus, bounds: Offsets, first: int) -> Iterator[_Turn]:
        """Yield the blocks of all epochs from number `first` on. Nothing depends on those before."""
        seed, shuffle = self.config.word2vec.seed, self.config.train.shuffle
        blocks = len(bounds) - 1
        first_epoch, first_place = divmod(first, blocks)
        for epoch in range(first_epoch, self.config.word2vec.epochs):
            # seeds begin at 1: NumPy takes [3, 0] and [3, 0, 0] for the same seed
            order = np.random.default_rng([seed, epoch + 1]).permutation(blocks) if shuffle else np.arange(blocks)
            for place in range(first_place, blocks):
                index = int(order[place])
                rng = np.random.default_rng([seed, epoch + 1, index + 1])
                block = corpus.block(int(bounds[index]), int(bounds[index + 1]))
                yield _Turn(epoch, place, block.shuffled(rng) if shuffle else block, rng)
            first_place = 0

    def _train_block(self, model: Any, turns: Iterator[_Turn], total: int, position: _Position) -> Event:
        """Train the next block, move `position` past it and return its event."""
        settings = self.config.word2vec
        started = time.perf_counter()
        epoch, place, block, rng = next(turns)
        alpha_start = alpha_at(position.words, total, settings.alpha, settings.min_alpha)
        alpha_end = alpha_at(position.words + len(block), total, settings.alpha, settings.min_alpha)
        trained = self.engine.train_block(model, block, alpha_start, alpha_end, rng)
        seconds = time.perf_counter() - started
        position.blocks += 1
        position.words += len(block)
        position.trained_words += trained
        position.seconds += seconds
        return {
            "event": "block",
            "epoch": epoch + 1,
            "block": place + 1,
            "words": position.words,
            "trained_words": position.trained_words,
            "alpha": alpha_end,
            "words_per_second": round(len(block) / seconds),
        }

    def _is_checkpoint_due(self, position: _Position, saved_words: int, saved_time: float) -> bool:
        seconds, words = self.config.train.checkpoint_seconds(), self.config.train.checkpoint_words()
        if seconds is not None:
            return time.monotonic() - saved_time >= seconds
        return words is not None and position.words - saved_words >= words

    # ------------------------------------------------------------ saving

    def _save_checkpoint(self, model: Any, position: _Position, identity: dict[str, Any]) -> Path:
        state = {
            "identity": identity,
            "position": asdict(position),
            "workers": self.config.word2vec.workers,
            "versions": versions(),
        }
        folder, keep = self.directory.checkpoints, self.config.train.keep_checkpoints
        return checkpoint.save(folder, position.blocks, _arrays(model), state, keep)

    def _save_model(self, model: Any, corpus: Corpus, position: _Position, identity: dict[str, Any]) -> None:
        about = {
            "identity": identity,
            "config": self.config.model_dump(),
            "corpus": corpus.meta,
            "vocabulary": len(model.wv),
            "position": asdict(position),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "versions": versions(),
        }
        with outputs.atomic_folder(self.directory.model) as temporary:
            model.save(str(temporary / MODEL_FILE))
            (temporary / META_FILE).write_text(json.dumps(about, indent=1) + "\n")


def _doubts(meta: Mapping[str, Any]) -> Iterator[str]:
    """Yield what looks wrong with the text, and what was left out of it."""
    if meta["dropped_words"]:
        yield (
            f"the vocabulary reached train.vocab_memory: words were dropped {meta['dropped_words']:,} times, with "
            f"{meta['dropped']:,} occurrences in all; counts of rare words are lower bounds"
        )
    if meta["undecodable"]:
        yield f"{meta['undecodable']:,} words have bytes in them that are not UTF-8; w2v preprocess leaves them out"
    if meta["punctuated"] > 0.05 * meta["words"]:
        share = 100 * meta["punctuated"] / meta["words"]
        yield f"{share:.0f}% of the words end in punctuation: this text is not tokenised; w2v preprocess does that"


def alpha_at(words: int, total: int, alpha: float, min_alpha: float) -> float:
    """Return the learning rate after `words` of `total` words: max(alpha * (1 - words / total), min_alpha).

    >>> [alpha_at(words, 100, 0.025, 0.0001) for words in (0, 50, 100)]
    [0.025, 0.0125, 0.0001]
    """
    return max(alpha * (1 - words / total), min_alpha)


def build_model(vocab: Vocab, settings: Word2Vec, corpus_meta: Mapping[str, Any]) -> Any:
    """Return an untrained gensim.models.Word2Vec with exactly the words of `vocab`, in its order.

    Its input vectors are drawn uniformly from +-0.5 / vector_size, as in word2vec.c; its output vectors are zero.
    """
    from gensim.models import Word2Vec as GensimWord2Vec

    if settings.hs and len(vocab) < 2:
        raise W2VError("hierarchical softmax needs two words at least", "lower word2vec.min_count")
    # sorted_vocab=0: the words are in order already, and Gensim's sort would swap those of equal count
    model = GensimWord2Vec(**settings.model_dump(), sorted_vocab=0)
    counts = dict(zip(vocab.words, vocab.counts.tolist(), strict=True))
    model.build_vocab_from_freq(counts, corpus_count=corpus_meta["sentences"])
    model.corpus_total_words = corpus_meta["words"]
    model.sorted_vocab = 1
    model.wv.vectors /= 2  # Gensim 4 draws from +-1 / vector_size
    return model


def _check_finite(model: Any) -> None:
    if not all(np.isfinite(array).all() for array in _arrays(model).values()):
        raise W2VError("training diverged: the vectors are no longer finite numbers", "lower word2vec.alpha")


def _arrays(model: Any) -> dict[str, Any]:
    arrays = {
        "vectors": model.wv.vectors,
        "syn1neg": getattr(model, "syn1neg", None),
        "syn1": getattr(model, "syn1", None),
    }
    return {name: array for name, array in arrays.items() if array is not None}


def _restore(model: Any, found: checkpoint.Checkpoint) -> None:
    """Put a checkpoint's arrays into a freshly built model."""
    arrays = found.arrays()
    for name, array in _arrays(model).items():
        if name not in arrays or arrays[name].shape != array.shape or arrays[name].dtype != array.dtype:
            raise W2VError(f"{found.folder}: does not fit the model", "remove it to go on from the one before")
        array[...] = arrays[name]


def _differences(earlier: Mapping[str, Any], identity: Mapping[str, Any]) -> list[str]:
    """Return a phrase for everything in which two runs' identities differ."""
    before, now = earlier["settings"], identity["settings"]
    phrases = [
        f"{path} was {before.get(path)}, now {now.get(path)}"
        for path in {**before, **now}
        if before.get(path) != now.get(path)
    ]
    if earlier["corpus"] != identity["corpus"]:
        phrases.append("the text is another")
    return phrases


def versions() -> dict[str, str]:
    """Return the versions of what the vectors depend on."""
    import gensim
    import numba

    return {
        "w2vcli": __version__,
        "gensim": gensim.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
