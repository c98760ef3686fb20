"""Benchmarks: our engines and other trainers on the same text with the same settings."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from w2vcli.bench import peers
from w2vcli.bench import rounds as shared
from w2vcli.config import Config
from w2vcli.engines import ENGINES, choose
from w2vcli.errors import ConfigError, W2VError
from w2vcli.evaluate import METRICS, evaluate
from w2vcli.model import load
from w2vcli.plots import saving
from w2vcli.sources import expand

BASELINE = "gensim corpus_file"
_NAME = re.compile(r"[^\s{}]+")
_PLACEHOLDERS = ("input", "output", "dim", "window", "negative", "sample", "min_count", "alpha", "epochs", "threads",
                 "sg", "cbow", "seed")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One training, from the start of its process to the saved vectors."""

    trainer: str
    round: int
    seconds: float
    """From the start of the process until the vectors are saved."""
    train_seconds: float | None
    """Of these, the training alone; None where the trainer does not tell."""
    words: int
    """Words of the text, times epochs."""
    peak_bytes: int
    scores: dict[str, float | None]

    @property
    def words_per_second(self) -> float | None:
        """Raw words a second of training."""
        return self.words / self.train_seconds if self.train_seconds else None


@dataclass(frozen=True)
class _Job:
    """What a trainer is told."""

    text: Path
    folder: Path
    config: Config
    seed: int

    def settings(self) -> dict[str, Any]:
        return {**self.config.word2vec.model_dump(), "seed": self.seed}


@dataclass(frozen=True)
class _Done:
    model: Path
    seconds: float
    train_seconds: float | None
    peak_bytes: int


Trainer = Callable[[_Job], _Done]


def trainers(names: Sequence[str], commands: Sequence[str]) -> dict[str, Trainer]:
    """Return the trainers of these names and of these `name=command` strings.

    Raises:
        ConfigError: for a name that is none, a library that is not installed, or a command that makes no sense.
    """
    found: dict[str, Trainer] = {}
    problems = []
    for name in names:
        if name in ENGINES:
            found[f"w2v {name}"] = _engine(name)
        elif name not in peers.PEERS:
            problems.append(f"{name}: no trainer of that name; known: {', '.join([*ENGINES, *peers.PEERS])}")
        elif name == "fasttext" and find_spec("fasttext") is None:
            problems.append("fasttext: is not installed; pip install fasttext-wheel")
        else:
            found[name] = _peer(name)
    for command in commands:
        name, _, template = command.partition("=")
        try:
            shlex.split(template.format(**dict.fromkeys(_PLACEHOLDERS, "0")))
            understood = "{output}" in template and "{input}" in template and _NAME.fullmatch(name)
        except (ValueError, LookupError):
            understood = None
        program = shlex.split(template)[:1] if understood else []
        if program and shutil.which(program[0]) is None:
            problems.append(f"--peer {command}: {program[0]}: is not a program that can be found")
            continue
        if name in found:
            problems.append(f"--peer {command}: there is a trainer of that name already")
            continue
        if understood:
            found[name] = _command(name, template)
        else:
            known = " ".join(f"{{{placeholder}}}" for placeholder in _PLACEHOLDERS)
            problems.append(f"--peer {command}: should be name=command, with {{input}} and {{output}}; known: {known}")
    if problems:
        raise ConfigError(problems)
    return found


def baseline_of(chosen: Mapping[str, Trainer], name: str | None) -> str:
    """Return which of the trainers the others are compared to: `name`, or Gensim's corpus_file, or the first.

    Raises:
        ConfigError: when there is no trainer of that name.
    """
    if name is None:
        return BASELINE if BASELINE in chosen else next(iter(chosen))
    if name not in chosen and f"w2v {name}" in chosen:
        return f"w2v {name}"
    if name not in chosen:
        raise ConfigError([f"--baseline {name}: is not among the trainers: {', '.join(chosen)}"])
    return name


def default_trainers(config: Config) -> list[str]:
    """Return the names of what is compared if nothing else is asked for; of our engines, the one `auto` takes."""
    return [
        choose(config.with_engine("auto")).name,
        "gensim iterator",
        BASELINE,
        *(["fasttext"] if find_spec("fasttext") else []),
    ]


def bench_train(
    corpus: Sequence[str], config: Config, chosen: Mapping[str, Trainer], rounds: int, quality: bool
) -> Iterator[Run]:
    """Train with each of the trainers, round by round, and yield every run; round i trains with seed + i.

    Raises:
        ConfigError: when one of our engines cannot do what the config says.
        W2VError: when the text cannot be read or a trainer fails.
    """
    for name in ENGINES:
        if f"w2v {name}" in chosen:
            choose(config.with_engine(name))
    with tempfile.TemporaryDirectory(prefix="w2v-bench-") as temporary:
        folder = Path(temporary)
        text = folder / "text.txt"
        shared.one_plain_file(expand(corpus), text)
        words = shared.words_in(text)
        if not words:
            raise W2VError(f"{', '.join(corpus)}: no words in the text")
        for number, name in shared.in_rounds(list(chosen), rounds):
            run_folder = folder / "run"
            run_folder.mkdir()
            job = _Job(text, run_folder, config, config.word2vec.seed + number)
            done = chosen[name](job)
            vectors = _loaded(name, done.model)  # without scores too: what cannot be read is no model
            scores = evaluate(vectors) if quality else {}
            values = {metric: score.value for metric, score in scores.items()}
            total = words * config.word2vec.epochs
            yield Run(name, number, done.seconds, done.train_seconds, total, done.peak_bytes, values)
            shutil.rmtree(run_folder)


def _loaded(name: str, path: Path) -> Any:
    try:
        return load(path)
    except W2VError as error:
        raise W2VError(f"{name}: wrote no vectors that can be read: {error}") from error


# ---------------------------------------------------------------- the trainers


def _engine(name: str) -> Trainer:
    def train(job: _Job) -> _Done:
        output = job.folder / "run"
        settings = [f"word2vec.{key}={json.dumps(value)}" for key, value in job.settings().items()]
        train_settings = {**job.config.train.model_dump(), "heldout": 0}  # the others train on every sentence
        options = [f"train.{key}={json.dumps(value)}" for key, value in train_settings.items()]
        overrides = [part for setting in settings + options for part in ("--set", setting)]
        command = [sys.executable, "-m", "w2vcli", "train", str(job.text), "-o", str(output), "--log-json"]
        seconds, peak, _, log = shared.timed([*command, *overrides, "--engine", name])
        done = json.loads(log.splitlines()[-1])
        return _Done(output, seconds, done["seconds"], peak)

    return train


def _peer(name: str) -> Trainer:
    def train(job: _Job) -> _Done:
        output = job.folder / "vectors.kv" if name == "fasttext" else job.folder / "vectors.model"
        settings = {**job.settings(), "input": str(job.text), "output": str(output)}
        started = time.time()
        _, _, printed, log = shared.timed([sys.executable, "-m", "w2vcli.bench.peers", name, json.dumps(settings)])
        result = json.loads(printed.splitlines()[-1])
        seconds = result.get("seconds") or peers.fasttext_seconds(log, result["tokens"], settings["workers"])
        return _Done(output, result["finished"] - started, seconds, result["peak_bytes"])

    return train


def _command(name: str, template: str) -> Trainer:
    def train(job: _Job) -> _Done:
        settings = job.settings()
        output = job.folder / "vectors"
        values = {
            **settings,
            "input": job.text,
            "output": output,
            "dim": settings["vector_size"],
            "threads": settings["workers"],
            "cbow": 1 - settings["sg"],
        }
        seconds, peak, _, _ = shared.timed([part.format(**values) for part in shlex.split(template)])
        made = [path for path in job.folder.iterdir() if path.name.startswith("vectors")]
        made.sort(key=lambda path: (path != output, path.suffix != ".vec", path.name))  # fastText writes .bin and .vec
        if not made:
            raise W2VError(f"{name}: wrote no vectors", "it should write them to {output}, which may get an ending")
        return _Done(made[0], seconds, None, peak)

    return train


# ---------------------------------------------------------------- what came out


@dataclass(frozen=True)
class Summary:
    """Medians over the rounds of one trainer; ratios are the baseline's time over its own, within each round."""

    trainer: str
    words_per_second: float | None
    speed_ratio: float | None
    seconds: float
    time_ratio: float | None
    peak_megabytes: float
    scores: dict[str, float | None]
    """Means over the rounds."""


def summaries(runs: Sequence[Run], baseline: str) -> list[Summary]:
    """Return a summary of each trainer, in their order."""
    found = []
    for trainer, own, pairs in shared.beside(runs, baseline, lambda run: (run.trainer, run.round)):
        rates = [(run.words_per_second, other.words_per_second) for run, other in pairs]
        found.append(
            Summary(
                trainer,
                shared.median([run.words_per_second for run in own if run.words_per_second]),
                shared.median([a / b for a, b in rates if a and b]),
                statistics.median(run.seconds for run in own),
                shared.median([b.seconds / a.seconds for a, b in pairs]),
                statistics.median(run.peak_bytes for run in own) / 1e6,
                {metric: _mean([run.scores.get(metric) for run in own]) for metric in METRICS},
            )
        )
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def as_json(runs: Sequence[Run], config: Config, baseline: str) -> dict[str, Any]:
    """Return everything about a benchmark, for a file."""
    return {
        "config": config.model_dump(),
        "baseline": baseline,
        "summaries": [asdict(summary) for summary in summaries(runs, baseline)],
        "runs": [asdict(run) for run in runs],
    }


def plot(found: Sequence[Summary], path: Path) -> None:
    """Draw speed and quality of every trainer to a file that `saving.check` has nothing against."""
    from matplotlib.figure import Figure

    has_scores = any(summary.scores.get("analogies") is not None for summary in found)
    number = 2 if has_scores else 1
    figure = Figure(figsize=(6.4, 0.6 + 0.45 * len(found) * number), layout="constrained")
    panels = figure.subplots(number, 1, squeeze=False)[:, 0]
    named = [summary.trainer for summary in found]
    speeds = [summary.words_per_second or 0.0 for summary in found]
    shared.bars(panels[0], named, [speed / 1e6 for speed in speeds], [summary.speed_ratio for summary in found])
    panels[0].set_xlabel("million words a second of training")
    if has_scores:
        panels[1].barh(named, [100 * (summary.scores.get("analogies") or 0.0) for summary in found])
        panels[1].set_xlabel("analogies right, %")
    for panel in panels:
        panel.invert_yaxis()
    saving.save(figure, path)
