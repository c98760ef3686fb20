"""Raw text from any source into one file of tokenised text: one sentence a line, tokens split by one space."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2vcli import outputs
from w2vcli.config import Config, as_config
from w2vcli.errors import W2VError
from w2vcli.sources import Source, expand, is_url, names, open_text, total_size
from w2vcli.text import SentenceReader, tokenizer

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Summary:
    """What `preprocess` read and wrote."""

    files: int
    bytes: int
    """Bytes of text read, after decompression."""
    lines: int
    sentences: int
    tokens: int
    distinct: int
    split: int
    """Sentences over 10,000 tokens, cut into several."""
    undecodable: int
    """Places where bytes were no valid text; they count as spaces."""
    undecodable_in: str
    """The first few files that had such."""
    skipped: tuple[str, ...]
    """Files in folders that hold no text."""
    seconds: float

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes (10^6 bytes) of text read a second."""
        return self.bytes / 1e6 / self.seconds


class _ByteCount:
    """Stands where a hash would, and counts the bytes it is fed."""

    def __init__(self) -> None:
        self.total = 0

    def update(self, data: bytes | memoryview) -> None:
        self.total += len(data)


def preprocess(
    inputs: Sequence[str | Path] | str | Path,
    output: str | Path,
    config: Config | Mapping[str, Any] | str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> Summary:
    """Tokenise `inputs` into `output`, which appears whole or not at all.

    Args:
        inputs: files, globs, folders, URLs, or `-` for standard input; compressed or not.
        output: a file, compressed by its extension; `-` is standard output.
        config: its `preprocess` section counts: a Config, a nested mapping, or a YAML file.
        progress: called now and then with the stored bytes read so far, and their total where it is known.

    Raises:
        ConfigError: when the config is wrong.
        W2VError: when an input cannot be read or has no text, or the output cannot be written.
    """
    settings = as_config(config).preprocess
    if not is_url(output) and str(output) != "-":
        outputs.check_folder(output)
    skipped: list[str] = []
    sources = expand([inputs] if isinstance(inputs, str | Path) else inputs, skipped)
    _refuse_overlap(sources, output)
    started = time.perf_counter()
    reader = SentenceReader(tokenizer(settings.tokenizer, settings.lowercase), settings.unit, settings.sentences)
    byte_count = _ByteCount()
    total = total_size(sources)
    with outputs.open_text(output) as stream:
        read_before = undecodable = 0
        doubtful: list[Source] = []
        for source in sources:
            report = None if progress is None else _reporter(progress, read_before, total)
            with open_text(source, report, byte_count) as lines:
                stream.writelines(" ".join(sentence) + "\n" for sentence in reader.read(lines))
            if reader.counts.undecodable > undecodable:
                undecodable = reader.counts.undecodable
                doubtful.append(source)
            read_before += source.size or 0
        if not reader.counts.tokens:
            raise W2VError(f"{names(sources)}: no text in the input", f"nothing was written to {output}")
    counts = reader.counts
    return Summary(
        files=len(sources),
        bytes=byte_count.total,
        lines=counts.lines,
        sentences=counts.sentences,
        tokens=counts.tokens,
        distinct=len(counts.distinct),
        split=counts.split,
        undecodable=counts.undecodable,
        undecodable_in=names(doubtful),
        skipped=tuple(skipped),
        seconds=time.perf_counter() - started,
    )


def _reporter(progress: Progress, read_before: int, total: int | None) -> Callable[[int], None]:
    return lambda read: progress(read_before + read, total)


def _refuse_overlap(sources: Sequence[Source], output: str | Path) -> None:
    target = Path(output)
    for source in sources:
        if source.is_local and target.exists() and target.samefile(source.name):
            raise W2VError(f"{output}: is also an input", "write to another place")
