"""Raw text from any source into tokenised text: one sentence a line, tokens split by one space.

The inputs are cut into parts (`parts`), whose sentences worker processes find (`reading`, `tokenizing`); they come
together in the parts' order (`pipeline`), and are written (`writing`, `sharding`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, cast

from w2vcli import __version__, outputs
from w2vcli.cluster import Cluster, maybe_connected
from w2vcli.config import Config, Preprocess, as_config, yaml_scalar
from w2vcli.errors import W2VError
from w2vcli.preprocessing.documents import format_of
from w2vcli.preprocessing.phrases import Phrase, Phrases
from w2vcli.preprocessing.pipeline import Lines, OnError, Pipeline, Progress
from w2vcli.preprocessing.sharding import Manifest, ShardWriter
from w2vcli.preprocessing.writing import written
from w2vcli.resources import usable_cores
from w2vcli.sources import Source, expand, is_passed_over, is_url, names, shown
from w2vcli.text import MAX_TOKENS
from w2vcli.wording import plural

__all__ = ["Summary", "preprocess", "top_phrases"]

_OWN_FIELDS = "bytes", "sentences", "tokens"
_DROPPED = "stop_words", "numbers", "short_tokens", "long_tokens", "urls", "emails", "short_sentences"
Inputs = Sequence[str | Path] | str | Path


@dataclass(frozen=True)
class Summary:
    """What `preprocess` read and wrote."""

    files: int
    bytes: int
    """Bytes of text read, after decompression."""
    sentences: int
    tokens: int
    counts: dict[str, int]
    """What else was counted: read, dropped, replaced and split, each under its name."""
    failed: dict[str, str]
    """Files that could not be read and were left out, and what was wrong with each."""
    warnings: tuple[str, ...]
    """What may not be as it was meant, a line each; of `failed` too."""
    phrases: str | None
    """The file of the phrases that were learned."""
    shards: tuple[str, ...]
    """The files, if there are several."""
    shards_kept: int
    """Of them, those that had been made before."""
    seconds: float

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes (10^6 bytes) of text read a second."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0


def preprocess(
    inputs: Inputs,
    output: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    phrases: str | Path | None = None,
    shard_size: int | None = None,
    on_error: OnError = "fail",
    cluster: str | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Tokenise `inputs` into `output`, which appears whole or not at all.

    Phrases that are learned are written beside it, to `OUTPUT.phrases.json`.

    Args:
        inputs: files, globs, folders, URLs, or `-` for standard input; compressed or not.
        output: a file, compressed by its extension; `-` is standard output.
        config: its `preprocess` section counts: a Config, a nested mapping, or a YAML file.
        phrases: a file of phrases that were learned before, to be joined here too.
        shard_size: write shards of about so many bytes, uncompressed: `NAME-00000.txt`, … of `NAME.txt`. Each of them
            appears whole; those that are there already, of the same text and settings, are kept.
        on_error: `skip` leaves out files that cannot be read, whole, and names them in the summary.
        cluster: the address of a Ray cluster that is to do the work; see `cluster.connected`.
        progress: called now and then with what is being done, how much of it has been done, and how much there is.

    Raises:
        ConfigError: when the config is wrong.
        W2VError: when an input cannot be read or has no text, or the output cannot be written.
    """
    started = time.perf_counter()
    settings, output = as_config(config).preprocess, str(output)
    if not is_url(output) and output != outputs.STDOUT:
        outputs.check_folder(output)
    with maybe_connected(cluster) as on:
        job = _Job(inputs, output, settings, phrases, on_error, progress, on)
        return (
            _in_one_file(job, output, started) if shard_size is None else _in_shards(job, output, shard_size, started)
        )


def _in_one_file(job: _Job, output: str, started: float) -> Summary:
    with written(output, usable_cores()) as sink, job.lines() as lines:
        for _, text in lines:
            sink.write(text)
        job.check()
    job.save_phrases()
    return job.summary(started)


def _in_shards(job: _Job, output: str, shard_size: int, started: float) -> Summary:
    manifest = Manifest(output, {**job.made_of(), "shard_size": shard_size})
    manifest.check_inputs(job.sources)
    if manifest.summary is not None:
        return Summary(**{**manifest.summary, "shards_kept": len(manifest.shards), "seconds": 0.0})
    kept = len(manifest.shards)
    manifest.begin()
    with (
        ShardWriter(manifest, shard_size, usable_cores(), job.failed) as writer,
        job.lines(manifest) as lines,
    ):
        for task, text in lines:
            writer.write(task, text, job.pipeline.before)
        writer.finish(job.pipeline.before)
        job.check()
    job.save_phrases()
    manifest.failed.update(job.failed())
    shards = tuple(str(manifest.path_of(number)) for number in range(len(manifest.shards)))
    summary = job.summary(started, shards, kept, manifest.failed)
    manifest.finish(vars(summary))
    return summary


def top_phrases(
    inputs: Inputs,
    number: int,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    cluster: str | None = None,
    progress: Progress | None = None,
) -> list[Phrase]:
    """Return the phrases in `inputs` that score best, and write nothing.

    Args:
        inputs, config, cluster, progress: see `preprocess`; where `phrases.passes` is 0 there is one pass.
        number: how many.

    Raises:
        ConfigError, W2VError: see `preprocess`.
    """
    settings = as_config(config).preprocess
    if not settings.phrases.passes:
        once = settings.phrases.model_copy(update={"passes": 1})
        settings = settings.model_copy(update={"phrases": once})
    with maybe_connected(cluster) as on, _spool(outputs.STDOUT) as spool:
        pipeline = Pipeline(_expanded(inputs, settings)[0], settings, None, "fail", progress, on)
        pipeline.fill(spool)
        return pipeline.learned(spool).top(number)


class _Job:
    """What `preprocess` is to do, checked as far as it can be before anything is read."""

    def __init__(
        self, inputs: Inputs, output: str, settings: Preprocess, phrases: str | Path | None, on_error: OnError,
        progress: Progress | None, cluster: Cluster | None,
    ) -> None:  # fmt: skip
        self.sources, self._not_text = _expanded(inputs, settings)
        _refuse_overlap(inputs, self.sources, output)
        self._output, self._settings, self._on_error = output, settings, on_error
        self._phrases = None if phrases is None else str(phrases)
        self._phrases_file = _phrases_file(output) if settings.phrases.passes else None
        known = None if phrases is None else Phrases.load(phrases)
        self._known = known
        self._learned: Phrases | None = None
        self.pipeline = Pipeline(self.sources, settings, known, on_error, progress, cluster)

    def made_of(self) -> dict[str, Any]:
        """Return all that the output depends on."""
        return {
            "sources": [
                source.stamp() or (time.time_ns() if source.size is None else (source.name, source.size))
                for source in self.sources
            ],
            "version": __version__,
            "settings": self._settings.model_dump(exclude={"workers"}),
            "stop_words": sorted(self.pipeline.rules.stop_words),
            "connector_words": sorted(self.pipeline.connector_words),
            "phrases": None if self._phrases is None else Source(self._phrases).stamp() or self._phrases,
            "on_error": self._on_error,
        }

    @contextmanager
    def lines(self, manifest: Manifest | None = None) -> Iterator[Lines]:
        """Yield the sentences as they are to be written, from the task on in which a manifest's shards end."""
        pipeline, task = self.pipeline, 0 if manifest is None else manifest.end.task
        if self._phrases_file is None:
            if manifest is not None and manifest.shards:
                pipeline.go_on(task, manifest.shards[-1].counts, manifest.lines())
            with closing(pipeline.lines()) as lines:
                yield lines
            return
        with _spool(self._output) as spool:
            pipeline.fill(spool)
            self.check()
            self._learned = phrases = pipeline.learned(spool)
            fewer = 0 if manifest is None or not manifest.shards else manifest.shards[-1].counts["tokens_joined"]
            with closing(pipeline.joined(phrases, spool, task, fewer)) as lines:
                yield lines

    def save_phrases(self) -> None:
        """Write the phrases that were learned, if any were to be."""
        if self._phrases_file is not None and self._learned is not None:
            self._learned.save(self._phrases_file)

    def failed(self) -> dict[str, str]:
        """Return the sources that were left out so far, and why."""
        return {shown(self.sources[number].name): str(error) for number, error in self.pipeline.failed.items()}

    def check(self) -> None:
        """Make sure that there is something to write."""
        counts, where = self.pipeline.counts(), names(self.sources)
        if counts["tokens"]:
            return
        nothing = f"nothing was written to {self._output}"
        if counts["records_without_text"] and not counts["documents"]:
            records = plural(counts["records_without_text"], "record")
            raise W2VError(
                f"{where}: no text in {self._settings.field} of any of {records}; preprocess.field?", nothing
            )
        dropped = [f"{what.replace('_', ' ')} {counts[what]:,}" for what in _DROPPED if counts[what]]
        if dropped:
            raise W2VError(f"{where}: nothing is left, all was dropped: {', '.join(dropped)}", nothing)
        raise W2VError(f"{where}: no text in the input", nothing)

    def summary(
        self, started: float, shards: tuple[str, ...] = (), shards_kept: int = 0, failed: dict[str, str] | None = None
    ) -> Summary:
        """Return what was done since `started`; `failed` sources before the shards that were kept too."""
        counts = self.pipeline.counts()
        failed = self.failed() if failed is None else dict(failed)
        if self._learned is not None:
            counts["phrases_pruned"] = self._learned.dropped
        return Summary(
            files=len(self.sources) - len(failed),
            bytes=counts["bytes"],
            sentences=counts["sentences"],
            tokens=counts["tokens"],
            counts={what: number for what, number in sorted(counts.items()) if what not in _OWN_FIELDS},
            failed=failed,
            warnings=tuple(self._warnings(counts, failed)),
            phrases=self._phrases_file,
            shards=shards,
            shards_kept=shards_kept,
            seconds=time.perf_counter() - started,
        )

    def _warnings(self, counts: Mapping[str, int], failed: Mapping[str, str]) -> Iterator[str]:
        for error in failed.values():
            yield f"left out: {error}"
        if counts.get("split"):
            yield f"{plural(counts['split'], 'sentence')} of over {MAX_TOKENS:,} tokens split"
        if counts.get("undecodable"):
            places = plural(counts["undecodable"], "place")
            where = names(self.pipeline.undecodable())
            yield f"{where}: {places} not valid text, taken for spaces; is preprocess.encoding another?"
        if counts.get("records_without_text"):
            records = plural(counts["records_without_text"], "record")
            yield f"{records} without text; is it in another field than {self._settings.field}?"
        if self._not_text:
            shown_names = names([Source(name) for name in self._not_text])
            yield f"{plural(len(self._not_text), 'file')} without text passed over: {shown_names}"
        if counts.get("sentences_not_remembered"):
            forgotten = plural(counts["sentences_not_remembered"], "sentence")
            yield f"preprocess.deduplicate_memory was full: duplicates of {forgotten} may be left"
        if self._known is not None:
            yield from self._differences(self._known.settings)

    def _differences(self, settings: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the text differs in which phrases were found that are joined here."""
        for key, value in self._settings.model_dump().items():
            if key in settings and settings[key] != value:
                there, here = yaml_scalar(settings[key]), yaml_scalar(value)
                yield f"{self._phrases}: found in text with preprocess.{key}: {there}; here it is {here}"


def _expanded(inputs: Inputs, settings: Preprocess) -> tuple[list[Source], list[str]]:
    """Return the sources, and the names of files that hold no text."""
    not_text: list[str] = []
    is_other = settings.encoding != "auto"  # in which there may be NUL bytes
    accepted = lambda name: is_other or format_of(name, settings.format) == "parquet"  # noqa: E731
    return expand(_several(inputs), not_text, accepted), not_text


def _matches(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a glob finds a path, both in their parts; `**` stands for any number of folders."""
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**":
        return _matches(path, pattern[1:]) or _matches(path[1:], pattern)
    return fnmatchcase(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _several(inputs: Inputs) -> Sequence[str | Path]:
    return [inputs] if isinstance(inputs, str | Path) else inputs


@contextmanager
def _spool(output: str) -> Iterator[BinaryIO]:
    """Yield a file without a name, on the disk of the output where it has one."""
    is_elsewhere = is_url(output) or output == outputs.STDOUT or outputs.is_device(Path(output))
    folder = None if is_elsewhere else Path(output).resolve().parent
    with outputs.translated_errors(output), tempfile.TemporaryFile(dir=folder) as spool:
        yield cast("BinaryIO", spool)


def _phrases_file(output: str) -> str:
    if output == outputs.STDOUT or outputs.is_device(Path(output)):
        raise W2VError(f"{output}: phrases are saved beside the output, and here they cannot be", "name a file")
    return f"{output}.phrases.json"


def _refuse_overlap(inputs: Inputs, sources: Sequence[Source], output: str) -> None:
    """Refuse an output that is an input, or would be one the next time."""
    target = Path(output)
    for source in sources:
        if source.is_local and target.exists() and target.samefile(source.name):
            raise W2VError(f"{output}: is also an input", "write to another place")
    if is_url(output) or output == outputs.STDOUT or is_passed_over(target.name):
        return
    target = target.resolve()
    for name in map(str, _several(inputs)):
        place = Path(name).resolve()
        if is_url(name) or place.is_file():
            continue
        if target.is_relative_to(place) if place.is_dir() else _matches(target.parts, place.parts):
            raise W2VError(f"{output}: would be an input the next time, of {name}", "write to another place")
