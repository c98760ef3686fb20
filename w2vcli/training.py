"""Training a run: what has to be done of it, and doing that, from the check of what is there to the saved model."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import checkpoint, encoding, engines, growing, loss, numbering, outputs, resources, wording
from w2vcli.background import Background
from w2vcli.cluster import Cluster, maybe_connected
from w2vcli.config import AUTO_HELDOUT, Config, as_config
from w2vcli.corpus import Corpus
from w2vcli.engines import cluster_engine
from w2vcli.engines.cluster_engine import ClusterEngine
from w2vcli.errors import ConfigError, LockedError, W2VError
from w2vcli.evaluate import Metric
from w2vcli.gensim_model import build_model
from w2vcli.loop import Loop
from w2vcli.loss import HeldOut
from w2vcli.measuring import Measuring, metrics
from w2vcli.provenance import Provenance, accepted_changes, differences, provenance, versions
from w2vcli.resuming import Finished, Start, State, is_as_exact, is_up_to_date, to_go_on_from
from w2vcli.run_directory import Event, RunDirectory
from w2vcli.schedule import Schedule
from w2vcli.sources import STDIN, Source, expand, names, total_size
from w2vcli.vocab import Vocab, model_bytes

_LONG_PREPARATION = 1.0  # seconds; imports and kernels from the cache take less
_LOCK_POLL = 0.2  # seconds
_IDS_A_BYTE = 0.75  # bytes of ids that a byte of usual text becomes; of compressed text it is more
_NOT_LOGGED = ("encode", "waiting")
_LOGGED_IF_POSSIBLE = ("warning", "up to date")  # on a full disk a finished run is still finished


def train(
    corpus: Sequence[str | Path] | str | Path,
    run: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    grow_from: str | Path | None = None,
    force: bool = False,
    wait_seconds: float = 0.0,
    max_seconds: float | None = None,
    cluster: str | None = None,
    progress: Callable[[Event], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Event:
    """Train a model on tokenised text into the run directory `run`, or go on with the run that is there.

    Args:
        corpus: tokenised text (a sentence a line): files, globs, folders, URLs, or `-` for standard input.
        run: the run directory; its parent must exist.
        config: a Config, a nested mapping, or a YAML file.
        grow_from: a finished run, or a Gensim Word2Vec model, whose words and vectors the run begins with.
        force: where the run was made with another config or corpus, start over instead of refusing.
        wait_seconds: how long to wait for another process that is training this run.
        max_seconds: save and stop before so much time is over; a block is trained in any case.
        cluster: the address of a Ray cluster whose nodes are to train; see `cluster.connected`.
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
    for event in events(
        corpus,
        run,
        config,
        grow_from=grow_from,
        force=force,
        wait_seconds=wait_seconds,
        max_seconds=max_seconds,
        cluster=cluster,
        should_stop=should_stop,
    ):
        if progress is not None:
            progress(event)
    return event


def events(
    corpus: Sequence[str | Path] | str | Path,
    run: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    grow_from: str | Path | None = None,
    force: bool = False,
    wait_seconds: float = 0.0,
    max_seconds: float | None = None,
    cluster: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Do what `train` does, yielding an event after each step; stop iterating and the run stops there.

    An event is a dict with `event` and `time` (seconds since 1970), and by kind:
    `waiting` (not in events.jsonl): holder · `warning`: message · `encode` (often, and not in events.jsonl): bytes,
    total · `compile` (when it takes long): engine · `changed`: settings, each with its value before and now ·
    `start`: engine, engine_reason, device, batch_size, cluster (see `cluster_engine.estimate`), words, sentences,
    distinct, fingerprint, split, vocabulary, heldout_sentences, epochs, blocks, total_words, done_words, resumed_from,
    grown_from, versions ·
    `loss`: epochs, words, loss · `scores`: epochs, words, scores ·
    `block`: epoch, block, words, trained_words, alpha, words_per_second · `epoch`: epoch, of ·
    `checkpoint`: path, words · `drift`: see `growing.drift` · `failed`: message · and last one of
    `done`: model, vocabulary, seconds, words, loss, best, blocks, model_blocks, stopped_early, and of a cluster
    traffic: bytes that this start's workers sent and received · `up to date`: model ·
    `stopped`: reason (asked, time; waiting: asked before anything was done), checkpoint, words, total_words.
    """
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    settings = as_config(config)
    choice = engines.choose(settings)
    with maybe_connected(cluster) as on:
        if on is not None:
            choice, settings = cluster_engine.choice_on(on, choice, settings)
        yield from _events(
            corpus, run, settings, choice, grow_from, force, time.monotonic() + wait_seconds, deadline, should_stop
        )


def _events(
    corpus: Sequence[str | Path] | str | Path, run: str | Path, settings: Config, choice: engines.Choice,
    grow_from: str | Path | None, force: bool, wait_until: float, deadline: float | None,
    should_stop: Callable[[], bool],
) -> Iterator[Event]:  # fmt: skip
    settings = settings.with_engine(choice.name)
    skipped: list[str] = []
    sources = expand([corpus] if isinstance(corpus, str | Path) else corpus, skipped)
    scored = metrics(settings.train)
    held_out = settings.train.heldout_file()
    if held_out is not None and not Path(held_out).is_file():
        raise ConfigError([f"train.heldout: {held_out} is not a file, nor a number, nor auto"])
    base = None if grow_from is None else growing.Base.open(grow_from, settings.word2vec)
    directory = RunDirectory(run)
    inside = [source.name for source in sources if source.is_local and _is_within(Path(source.name), directory.path)]
    if inside:
        raise W2VError(f"{inside[0]}: is inside the run {directory.path}", "keep text and runs apart")
    if base is not None and _is_within(base.model_file, directory.path):
        raise W2VError(f"{base.name}: cannot grow into itself", "give a new folder to -o")
    start = _Run(settings, choice, scored, sources, base, directory, force, should_stop, deadline)
    directory.create()
    locked = yield from _lock(directory, wait_until, should_stop)
    if not locked:
        return
    try:
        with directory.event_log() as log:
            try:
                for event in start.events(skipped):
                    event["time"] = time.time()
                    if event["event"] in _LOGGED_IF_POSSIBLE:
                        log.append_if_possible(event)
                    elif event["event"] not in _NOT_LOGGED:
                        log.append(event)
                    yield event
            except (W2VError, MemoryError) as error:
                directory.check_held()  # or else this is why
                failure = error if isinstance(error, W2VError) else _out_of_memory(directory)
                log.append_if_possible({"event": "failed", "message": str(failure), "time": time.time()})
                directory.remove_if_nothing_was_begun()  # the text could not be read, say: as if never begun
                raise failure from error
    finally:
        directory.release_lock()


def _out_of_memory(directory: RunDirectory) -> W2VError:
    return W2VError(
        f"{directory.path}: out of memory; what was saved is kept",
        "a smaller word2vec.vector_size or a larger word2vec.min_count needs less",
    )


def _is_within(path: Path, folder: Path) -> bool:
    return folder.resolve() in path.resolve().parents


def _lock(directory: RunDirectory, until: float, should_stop: Callable[[], bool]) -> Generator[Event, None, bool]:
    """Take the lock, waiting for it; return whether it is held, or else the wait was stopped."""
    said = False
    while (holder := directory.take_lock()) is not None:
        if time.monotonic() >= until:
            raise LockedError(
                f"{directory.path}: {holder} is {'still ' if said else ''}training this run",
                None if said else "--wait 10m waits for it",
            )
        if not said:
            said = True
            yield {"event": "waiting", "holder": holder, "time": time.time()}
        if should_stop():
            yield {"event": "stopped", "reason": "waiting", "checkpoint": None, "time": time.time()}
            return False
        time.sleep(_LOCK_POLL)
        directory.create()  # the other one may have removed it
    return True


class _Run:
    """One start of a run: finds out what has to be done, and does it."""

    def __init__(
        self,
        config: Config,
        choice: engines.Choice,
        scored: Mapping[str, Metric],
        sources: list[Source],
        base: growing.Base | None,
        directory: RunDirectory,
        force: bool,
        should_stop: Callable[[], bool],
        deadline: float | None,
    ) -> None:
        self.config = config
        self.engine = choice.engine
        self.engine_reason = choice.reason
        self.scored = scored
        self.sources = sources
        self.base = base
        self.directory = directory
        self.force = force
        self.should_stop = should_stop
        self.deadline = deadline
        self._stopped = self._said_that_it_compiles = False
        self._preparation = Background(self._prepare)

    def events(self, skipped: Sequence[str]) -> Iterator[Event]:
        """Yield the run's events; see the module's `events`."""
        try:
            yield from self._steps(skipped)
        except (W2VError, MemoryError):
            with suppress(W2VError):
                self._discard_new_corpus()
            raise

    def _steps(self, skipped: Sequence[str]) -> Iterator[Event]:
        directory = self.directory
        self._tidy_up()
        found, warnings = checkpoint.latest(directory.checkpoints)
        latest = Start.from_checkpoint(found) if found else None
        finished = self._finished()
        if finished and finished.damage:
            damaged = f"{finished.model_file.parent}: the model is damaged and is made again: {finished.damage}"
            warnings.append(damaged)
        warnings += (f"{name}: skipped, it is no text" for name in skipped)
        yield from _warnings(warnings)
        encoded = self._encoded()
        fingerprint = self._known_fingerprint(finished.about["corpus"] if finished else None, encoded)
        if fingerprint is None:
            yield from self._encode()
            if self._stopped:
                return
            fingerprint = self._new_meta()["fingerprint"]
        made_from = provenance(self.config, fingerprint, self.base.fingerprint if self.base else None)
        if finished and is_up_to_date(latest, finished, made_from, self.force):
            yield from self._leave_as_it_is(finished.state, made_from)
            return
        start = to_go_on_from(directory.path, latest, finished, made_from, self.force)
        if encoded is None or not self._is_of(encoded, fingerprint):
            if not self._new_corpus.exists():
                yield from self._encode()
                if self._stopped:
                    return
            if self._new_meta()["fingerprint"] != fingerprint:
                raise W2VError(f"{names(self.sources)}: is being written to", "run it again when the text is complete")
            self._install_new_corpus()
        self._discard_new_corpus()
        if latest and (start is None or differences(latest.state.made_from, made_from)):
            yield from self._warn_of_discarded(latest, made_from)
            checkpoint.remove_all(directory.checkpoints)
        outputs.write_text(directory.config, self.config.to_yaml())
        yield from self._train(made_from, start)

    def _warn_of_discarded(self, latest: Start, made_from: Provenance) -> Iterator[Event]:
        """Say what --force throws away, if it is not merely what a finished model came from."""
        about = self.directory.trained()
        if about and State.load(about["state"]).position.blocks >= latest.state.position.blocks:
            return
        position, why = latest.state.position, ", ".join(differences(latest.state.made_from, made_from))
        message = (
            f"{position.words:,} words of an unfinished training are discarded: {why or 'several workers trained them'}"
        )
        yield from _warnings([f"{self.directory.path}: {message}"])

    def _finished(self) -> Finished | None:
        about, damage = self.directory.verified()
        return Finished(self.directory.finished_model(), about, damage) if about else None

    def _leave_as_it_is(self, state: State, made_from: Provenance) -> Iterator[Event]:
        self._discard_new_corpus()
        if "word2vec.epochs" in accepted_changes(state.made_from, made_from):
            message = "it stopped early, and would again; more train.patience lets it go on"
            yield from _warnings([f"{self.directory.path}: {message}"])
        exact = is_as_exact(state, made_from)
        if not exact:
            message = "several workers trained the model, so it is not exactly repeatable; --force trains it with one"
            yield from _warnings([f"{self.directory.path}: {message}"])
        with outputs.translated_errors(self.directory.model_file):
            os.utime(self.directory.model_file)  # newer than its corpus again, so that Make is content
        if not self.directory.config.exists():
            outputs.write_text(self.directory.config, self.config.to_yaml())
        yield {"event": "up to date", "model": str(self.directory.model_file)}

    def _tidy_up(self) -> None:
        """Finish or undo what a killed process had begun."""
        with outputs.translated_errors(self.directory.path):
            outputs.sweep(self.directory.path)
            outputs.sweep(self.directory.checkpoints)
            self._discard_new_corpus()

    # ------------------------------------------------------------ the encoded text

    def _encoded(self) -> Mapping[str, Any] | None:
        """Return what is known of the encoded corpus, or None where there is none that is whole."""
        try:
            meta = Corpus(self.directory.corpus).meta if self.directory.vocab.is_file() else None
        except W2VError:
            return None
        limit = self.config.train.vocab_bytes()
        return meta if meta is None or meta["max_bytes"] == limit else None

    def _is_of(self, encoded: Mapping[str, Any], fingerprint: str) -> bool:
        """Return whether an encoded corpus is of the text with this fingerprint, and grown from the same model."""
        base = self.base.fingerprint if self.base else None
        return bool(encoded["fingerprint"] == fingerprint and encoded["base"] == base)

    def _known_fingerprint(self, *earlier: Mapping[str, Any] | None) -> str | None:
        """Return the corpus' fingerprint if its files are, unchanged, those of an earlier start."""
        stamps = [source.stamp() for source in self.sources]
        for meta in earlier:
            if meta and None not in stamps and meta["sources"] == [list(stamp or ()) for stamp in stamps]:
                return str(meta["fingerprint"])
        return None

    def _new_meta(self) -> Mapping[str, Any]:
        return Corpus(self._new_corpus).meta

    @property
    def _new_corpus(self) -> Path:
        return self.directory.path / ".corpus.new"

    @property
    def _new_vocab(self) -> Path:
        return self.directory.path / ".vocab.new.tsv"

    def _encode(self) -> Iterator[Event]:
        """Encode the corpus beside the one that may be there; it is installed once nothing speaks against it."""
        total = total_size(self.sources)
        needed, free = int(_IDS_A_BYTE * (total or 0)), resources.free_space(self.directory.path)
        if free is not None and needed > free:
            shown = f"{wording.size(free)} are free; the encoded text may need {wording.size(needed)}"
            yield from _warnings([f"{self.directory.path}: {shown}"])
        # first what encoding needs: numba compiles one thing at a time, and while it does nothing could be said
        kernels = Background(numbering.prepare)
        kernels.start()
        yield from self._wait(kernels)
        self._preparation.start()
        workers, max_bytes = self.config.word2vec.workers, self.config.train.vocab_bytes()
        there = yield from self._encoding_cluster()
        for read in encoding.encode(self.sources, self._new_corpus, self._new_vocab, workers, max_bytes, there):
            yield {"event": "encode", "bytes": read, "total": total}
            if self.should_stop():
                self._stopped = True
                yield {"event": "stopped", "reason": "asked", "checkpoint": None}
                return
        if self.base:
            yield from self._wait(self._preparation)  # two threads that import Gensim would wait for each other
            old = self.base.read(self.config.word2vec)
            growing.merge(self.base, self.base.vocab(old), self._new_corpus, self._new_vocab)

    def _encoding_cluster(self) -> Generator[Event, None, Cluster | None]:
        """Return the cluster whose nodes are to read the text, if there is one and they see it."""
        one_of_a_folder = {str(Path(source.name).parent): source.name for source in self.sources}
        is_for_several = len(self.sources) > 1 and STDIN not in one_of_a_folder.values()
        if not isinstance(self.engine, ClusterEngine) or not is_for_several:
            return None
        if problem := self.engine.cluster.problem_with(one_of_a_folder.values()):
            yield from _warnings([f"the text is encoded here, since not all nodes see it: {problem}"])
            return None
        return self.engine.cluster

    def _install_new_corpus(self) -> None:
        """Put the new corpus and its vocabulary in place; cut off in between, there is none and it is made again."""
        with outputs.translated_errors(self.directory.corpus):
            outputs.remove_folder(self.directory.corpus)
            self._new_vocab.replace(self.directory.vocab)
            self._new_corpus.rename(self.directory.corpus)

    def _discard_new_corpus(self) -> None:
        with outputs.translated_errors(self.directory.path):
            shutil.rmtree(self._new_corpus, ignore_errors=True)
            self._new_vocab.unlink(missing_ok=True)

    # ------------------------------------------------------------ training

    def _prepare(self) -> None:
        """Import and compile what training needs; while the text is encoded there is time for it."""
        import gensim.models  # noqa: F401

        self.engine.prepare(self.config.word2vec)
        loss.prepare()

    def _wait(self, preparation: Background) -> Iterator[Event]:
        """Wait; when it takes long, say why, once."""
        if not preparation.wait(_LONG_PREPARATION) and not self._said_that_it_compiles:
            self._said_that_it_compiles = True
            yield {"event": "compile", "engine": self.config.train.engine}
        preparation.wait()

    def _train(self, made_from: Provenance, start: Start | None) -> Iterator[Event]:
        self._preparation.start()
        corpus = Corpus(self.directory.corpus)
        vocab = self._vocab(corpus)
        yield from _warnings(self._resource_warnings(len(vocab)))
        yield from self._wait(self._preparation)
        model = build_model(vocab, self.config.word2vec, corpus.meta)
        held_out, sentences = self._held_out(corpus, model)
        growth = growing.Growth(self.base, self.config.word2vec, self.config.train.average_base) if self.base else None
        measured = Measuring(self.config.train, self.scored, held_out)
        schedule = Schedule(corpus, self.config, sentences)
        yield from _warnings(_doubts(corpus.meta))
        if start is not None:
            start.fit(model, self.engine)
            yield from self._changes(start, made_from)
        elif growth:
            yield from _warnings(f"{growth.base.name}: {message}" for message in growth.begin(model))
        loop = Loop(
            self.config,
            self.engine,
            self.directory,
            model,
            corpus,
            schedule,
            measured,
            made_from,
            start,
            self.should_stop,
            self.deadline,
            growth,
        )
        yield {
            "event": "start",
            "engine": self.config.train.engine,
            "engine_reason": self.engine_reason,
            "device": str(self.engine.device),
            "batch_size": self.engine.batch_size_of(len(vocab), self.config.word2vec.workers),
            "cluster": self.engine.needs(model) if isinstance(self.engine, ClusterEngine) else None,
            **{name: corpus.meta[name] for name in ("words", "sentences", "distinct", "fingerprint", "split")},
            "vocabulary": len(vocab),
            "heldout_sentences": held_out.sentences if held_out else 0,
            "epochs": self.config.word2vec.epochs,
            "blocks": schedule.blocks,
            "total_words": schedule.total_words,
            "done_words": loop.state.position.words,
            "resumed_from": str(start.name) if start else None,
            "grown_from": self.base.name if self.base else None,
            "versions": versions(),
        }
        for event in loop.events():
            if event["event"] == "done" and isinstance(self.engine, ClusterEngine):
                event["traffic"] = vars(self.engine.traffic)
            yield event

    def _vocab(self, corpus: Corpus) -> Vocab:
        settings = self.config.word2vec
        vocab = Vocab.load(self.directory.vocab)
        counted = vocab.counts.sum() - corpus.meta["base_words"] + corpus.meta["dropped"]
        if len(vocab) != corpus.meta["distinct"] or counted != corpus.meta["words"]:
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

    def _resource_warnings(self, words: int) -> Iterator[str]:
        """Refuse what cannot fit into memory or on the disk; yield what may not."""
        settings, folder = self.config.word2vec, self.directory.path
        smaller = "lower word2vec.vector_size or raise word2vec.min_count"
        size = f"a model of {words:,} words and {settings.vector_size} dimensions"
        arrays = (1 + settings.hs + (settings.negative > 0)) * words * settings.vector_size * 4
        memory = model_bytes(words, settings.vector_size, bool(settings.hs), settings.negative > 0)
        memory += self.engine.arrays_a_matrix * arrays
        kept = arrays * (1 + self.engine.arrays_a_matrix)  # in a checkpoint
        resources.check_memory(memory + (self.base.size() if self.base else 0), size, smaller)
        resources.check_space(folder, arrays, size, f"make room, or {smaller}")
        number = self.config.train.keep_checkpoints + 2  # the best one, and one that is being written
        there = sum(file.stat().st_size for file in self.directory.checkpoints.glob("[0-9]*/*.npy"))
        free = resources.free_space(folder)
        if free is not None and arrays + number * kept - there > free:
            yield (
                f"{folder}: {wording.size(free)} are free; the model and {number} checkpoints "
                f"would need {wording.size(arrays + number * kept)}"
            )

    def _held_out(self, corpus: Corpus, model: Any) -> tuple[HeldOut | None, NDArray[np.int64]]:
        """Return the pairs to measure with, and the sentences not to train on, in ascending order."""
        file, wanted = self.config.train.heldout_file(), self.config.train.heldout
        if file is not None:
            return HeldOut(model, loss.read_sentences(file, model)), np.zeros(0, dtype=np.int64)
        sentences = loss.sample(corpus, None if wanted == AUTO_HELDOUT else int(wanted), self.config.word2vec.seed)
        held_out = HeldOut(model, corpus.sentences(sentences.tolist()))
        return held_out if len(held_out) else None, sentences

    def _changes(self, start: Start, made_from: Provenance) -> Iterator[Event]:
        changed = accepted_changes(start.state.made_from, made_from)
        if changed:
            yield {"event": "changed", "settings": changed}
        if start.versions != versions():
            made = ", ".join(f"{name} {version}" for name, version in start.versions.items())
            yield from _warnings([f"{start.name} was made with {made}; the end may differ in bits"])
        if not is_as_exact(start.state, made_from):
            message = "several workers trained it so far, so its end is not exactly repeatable; --force starts over"
            yield from _warnings([f"{start.name}: {message}"])


def _warnings(messages: Iterable[str]) -> Iterator[Event]:
    return ({"event": "warning", "message": message} for message in messages)


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
