"""From raw text to tokens: our preprocessing, by number of workers, and what is usual, on the same text."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from w2vcli.bench import rounds as shared
from w2vcli.bench import tokenizers as programs
from w2vcli.config import Config, Preprocess
from w2vcli.errors import ConfigError, W2VError
from w2vcli.plots import saving
from w2vcli.preprocessing.documents import format_of
from w2vcli.preprocessing.parts import read_whole
from w2vcli.preprocessing.rules import rules_of
from w2vcli.resources import usable_cores
from w2vcli.sources import Source, expand, names, open_bytes
from w2vcli.wording import plural

BASELINE = "gensim simple_preprocess"


@dataclass(frozen=True)
class Run:
    """The text tokenised once."""

    tokenizer: str
    round: int
    seconds: float
    """From the start of the process to its end."""
    text_seconds: float
    """Of these, from opening the text until the output is complete."""
    bytes: int
    """Of text."""
    tokens: int
    """Written."""
    peak_bytes: int
    """Of the largest of its processes."""

    @property
    def megabytes_per_second(self) -> float:
        """Megabytes (10^6 bytes) of text a second."""
        return self.bytes / 1e6 / self.text_seconds


@dataclass(frozen=True)
class Tokenizer:
    """A program of `tokenizers`, and what it is told beside where the text is."""

    program: str
    settings: Mapping[str, Any]


def tokenizers(config: Config, workers: Sequence[int]) -> dict[str, Tokenizer]:
    """Return what is compared: ours with each number of workers, and the others.

    Args:
        config: its `preprocess` section counts; of `workers` only where no number is given.
        workers: processes; if none are given, one, and as many as ours would take.

    Raises:
        ConfigError, W2VError: when the settings ask for what is not there.
    """
    rules_of(config.preprocess)
    numbers = workers or (1, config.preprocess.workers or usable_cores())
    return {
        **{f"w2v, {plural(number, 'worker')}": _ours(config.preprocess, number) for number in numbers},
        **{name: Tokenizer(name, {}) for name in programs.PEERS},
    }


def _ours(settings: Preprocess, workers: int) -> Tokenizer:
    # the text that is measured is plain and UTF-8, whatever it was before
    own = settings.model_copy(update={"workers": workers, "format": "text", "encoding": "auto"})
    return Tokenizer(programs.OURS, {"preprocess": own.model_dump()})


def baseline_of(chosen: Mapping[str, Tokenizer], name: str) -> str:
    """Return the name of the one that the others are compared to.

    Raises:
        ConfigError: when there is none of that name.
    """
    if name not in chosen:
        raise ConfigError([f"--baseline {name}: is not among the tokenizers: {'; '.join(chosen)}"])
    return name


def bench_preprocess(
    inputs: Sequence[str], config: Config, chosen: Mapping[str, Tokenizer], rounds: int
) -> Iterator[Run]:
    """Tokenise the text with each of the tokenizers, round by round, and yield every run.

    Raises:
        W2VError: when the text cannot be read or is not plain, or a tokenizer fails.
    """
    with tempfile.TemporaryDirectory(prefix="w2v-bench-") as temporary:
        text, output = Path(temporary, "text.txt"), Path(temporary, "tokens.txt")
        _write_text(inputs, config.preprocess, text)
        for number, name in shared.in_rounds(list(chosen), rounds):
            settings = {**chosen[name].settings, "input": str(text), "output": str(output)}
            command = [sys.executable, "-m", programs.__name__, chosen[name].program, json.dumps(settings)]
            seconds, peak, printed, _ = shared.timed(command)
            text_seconds = json.loads(printed.splitlines()[-1])["seconds"]
            yield Run(name, number, seconds, text_seconds, text.stat().st_size, shared.words_in(output), peak)
            output.unlink()


def _write_text(inputs: Sequence[str], settings: Preprocess, path: Path) -> None:
    """Write the inputs to one UTF-8 file."""
    sources = expand(inputs)
    for source in sources:
        kind = format_of(source.name, settings.format)
        if kind != "text":
            raise W2VError(f"{source.name}: is {kind}; what is measured is plain text", "set preprocess.format=text")

    def decoded(source: Source) -> AbstractContextManager[Iterator[bytes]]:
        return read_whole(source, settings, Counter(), lambda read: None)

    shared.one_plain_file(sources, path, open_bytes if settings.encoding == "auto" else decoded)
    if not path.stat().st_size:
        raise W2VError(f"{names(sources)}: no text in the input")


# ---------------------------------------------------------------- what came out


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds of one tokenizer; ratios are the baseline's time over its own, within each round."""

    tokenizer: str
    megabytes_per_second: float
    speed_ratio: float | None
    seconds: float
    time_ratio: float | None
    peak_megabytes: float
    tokens: int


def summaries(runs: Sequence[Run], baseline: str) -> list[Summary]:
    """Return a summary of each tokenizer, in their order."""
    return [
        Summary(
            name,
            statistics.median(run.megabytes_per_second for run in own),
            shared.median([other.text_seconds / run.text_seconds for run, other in pairs]),
            statistics.median(run.seconds for run in own),
            shared.median([other.seconds / run.seconds for run, other in pairs]),
            statistics.median(run.peak_bytes for run in own) / 1e6,
            own[0].tokens,
        )
        for name, own, pairs in shared.beside(runs, baseline, lambda run: (run.tokenizer, run.round))
    ]


def as_json(runs: Sequence[Run], config: Config, baseline: str) -> dict[str, Any]:
    """Return everything about a benchmark, for a file."""
    return {
        "config": config.model_dump(include={"preprocess"}),
        "baseline": baseline,
        "summaries": [asdict(summary) for summary in summaries(runs, baseline)],
        "runs": [asdict(run) for run in runs],
    }


def plot(found: Sequence[Summary], path: Path) -> None:
    """Draw the speed of every tokenizer to a file that `saving.check` has nothing against."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 0.45 * len(found)), layout="constrained")
    panel = figure.subplots()
    shared.bars(
        panel,
        [summary.tokenizer for summary in found],
        [summary.megabytes_per_second for summary in found],
        [summary.speed_ratio for summary in found],
    )
    panel.set_xlabel("MB of text a second")
    panel.invert_yaxis()
    saving.save(figure, path)
