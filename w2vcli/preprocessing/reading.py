"""What a worker does: reads a part of the inputs and gives its sentences, a line each."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from w2vcli.config import Preprocess
from w2vcli.errors import W2VError
from w2vcli.preprocessing.decoding import with_newlines
from w2vcli.preprocessing.documents import Batch, ParquetReader, format_of, reader
from w2vcli.preprocessing.parts import Part, boundary_finder, decoder, offset_for, range_of, read_whole
from w2vcli.preprocessing.phrases import Phrases
from w2vcli.preprocessing.tokenizing import SentenceReader
from w2vcli.sources import Source, opened, opened_at, shown, translated
from w2vcli.text import Rules

_BATCH_BYTES = 1 << 20
_REPORT_BYTES = 1 << 20  # read or written, after which it is said
_DOCUMENT_END = "\n\ufeff\n"


class Found(NamedTuple):
    """What is said of some of the sentences of a part."""

    read: int
    """Bytes as stored, since the last result."""
    counts: Counter[str]
    """What was read, dropped or replaced, since the last result."""


class PartReader:
    """Gives the results of parts; what it learns of one it remembers for the next.

    Args:
        sources: of which the parts are.
        settings: how they are read.
        rules: what becomes of their text.
        phrases: words to join, if any.
    """

    def __init__(self, sources: Sequence[Source], settings: Preprocess, rules: Rules, phrases: Phrases | None) -> None:
        self._sources, self._settings, self._rules, self._phrases = sources, settings, rules, phrases
        self._reader: SentenceReader | None = None

    def __call__(self, part: Part, pieces: Iterator[Any]) -> Iterator[tuple[bytes, Found]]:
        """Yield the results of a part.

        Args:
            part: which.
            pieces: of a part that is fed, its text or batches of its records.

        Raises:
            W2VError: when it cannot be read.
        """
        if part.error is not None:
            raise part.error
        settings = self._settings
        if self._reader is None:
            self._reader = SentenceReader(self._rules, settings.unit, settings.sentences, settings.min_sentence_length)
        reader = self._reader
        reader.drop_rest()  # of a part that could not be read
        kind = format_of(self._sources[part.source].name, settings.format)
        progress = _Progress()
        lines: list[bytes] = []
        for text in self._texts(part, kind, pieces, progress):
            lines.append(reader.read(text))
            if progress.is_due(lines):
                yield progress.result(self._joined(lines, progress.counts), reader.counts, kind == "text")
                lines = []
        lines.append(reader.finish())
        yield progress.result(self._joined(lines, progress.counts), reader.counts, kind == "text")

    def _joined(self, lines: list[bytes], counts: Counter[str]) -> bytes:
        joined = b"".join(lines)
        return joined if self._phrases is None else join(self._phrases, joined, counts)

    def _texts(self, part: Part, kind: str, pieces: Iterator[Any], progress: _Progress) -> Iterator[bytes]:
        """Yield the part's text as UTF-8, with a byte-order mark between documents."""
        source, settings, counts = self._sources[part.source], self._settings, progress.counts
        if kind == "parquet":
            yield from self._documents(kind, source, self._rows(part, source), counts)
            progress.reached(part.read)
        elif part.is_fed:
            yield from pieces if kind == "text" else self._documents(kind, source, pieces, counts)
        elif part.end is None:
            with read_whole(source, settings, counts, progress.reached) as text:
                yield from self._decoded(kind, source, text, counts)
        else:
            finder = boundary_finder("line" if kind == "jsonl" else settings.unit)
            with translated(source.name), opened_at(source, offset_for(part.start)) as stream:
                start, stored = range_of(stream, offset_for(part.start), part.start, part.end, finder)
                text = decoder(source, settings, part.encoding).decoded(stored, counts, start)
                yield from self._decoded(kind, source, text, counts, start)
            progress.reached(part.end - part.start)

    def _decoded(
        self, kind: str, source: Source, text: Iterator[bytes], counts: Counter[str], start: int = 0
    ) -> Iterator[bytes]:
        if kind == "text":
            return text
        batches = reader(kind, self._settings.field).batches(with_newlines(text), _BATCH_BYTES, name=shown(source.name))
        return self._documents(kind, source, batches, counts, start)

    def _rows(self, part: Part, source: Source) -> Iterator[Batch]:
        """Yield the batches of a part of a Parquet file."""
        rows = ParquetReader(self._settings.field)
        if source.is_local:
            yield from rows.batches_of(
                source.name, range(part.start, part.end or 0), _BATCH_BYTES, name=shown(source.name)
            )
            return
        with tempfile.TemporaryFile() as copy:  # its table of contents is at the end
            with translated(source.name), opened(source) as (stored, _):
                shutil.copyfileobj(stored, copy, _BATCH_BYTES)
            groups = range(rows.row_groups(copy, name=shown(source.name)))
            yield from rows.batches_of(copy, groups, _BATCH_BYTES, name=shown(source.name))

    def _documents(
        self, kind: str, source: Source, batches: Iterable[Batch], counts: Counter[str], start: int = 0
    ) -> Iterator[bytes]:
        """Yield the texts of batches; `start` is where in the source they begin."""
        field, name = self._settings.field, shown(source.name)
        documents = ParquetReader(field) if kind == "parquet" else reader(kind, field)
        for batch in batches:
            try:
                texts = list(documents.documents(batch, counts, name=name))
            except W2VError:
                if not start or not source.is_local:
                    raise
                # again, for a message in which lines are counted from the beginning of the source
                batch = replace(batch, first=batch.first + _lines_before(source, start))
                texts = list(documents.documents(batch, counts, name=name))
            counts["documents"] += len(texts)
            joined = _DOCUMENT_END.join([*texts, ""]).encode("utf-8", "replace")
            if kind == "parquet":  # of the others, the bytes of the source were counted
                counts["bytes"] += len(joined) - len(texts) * len(_DOCUMENT_END.encode())
            yield joined


def _lines_before(source: Source, place: int) -> int:
    with opened_at(source, 0) as stream:
        return sum(stream.read(min(_BATCH_BYTES, place - at)).count(b"\n") for at in range(0, place, _BATCH_BYTES))


def join(phrases: Phrases, lines: bytes, counts: Counter[str]) -> bytes:
    """Return lines with phrases joined; correct how many tokens there are."""
    joined = phrases.join_lines(lines)
    fewer = lines.count(b" ") - joined.count(b" ")
    counts["tokens"] -= fewer
    counts["tokens_joined"] += fewer
    return joined


class _Progress:
    """What has been read since the last result."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._read = self._said = 0

    def reached(self, read: int) -> None:
        """Be told of the stored bytes read so far of a part."""
        self._read = read

    def is_due(self, lines: list[bytes]) -> bool:
        """Whether there is enough for a result."""
        return self._read - self._said >= _REPORT_BYTES or sum(map(len, lines)) >= _REPORT_BYTES

    def result(self, lines: bytes, counts: Counter[str], is_text: bool) -> tuple[bytes, Found]:
        """Return a result, and begin anew; only of text the lines are of interest."""
        if not is_text:
            del counts["lines"]
        self.counts.update(counts)
        result = lines, Found(self._read - self._said, Counter(self.counts))
        counts.clear()
        self.counts.clear()
        self._said = self._read
        return result
