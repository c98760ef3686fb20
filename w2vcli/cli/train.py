"""`w2v train`."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from w2vcli.cli.options import ConfigFile, Overrides, Quiet
from w2vcli.cli.output import ProgressLine, duration, note, plural, quantity
from w2vcli.errors import InterruptedRunError


def train(
    corpus: Annotated[
        list[str],
        typer.Argument(metavar="CORPUS", help="Tokenised text: files, globs, folders, URLs, or - for standard input."),
    ],
    run: Annotated[
        str,
        typer.Option("--output", "-o", metavar="RUN", help="The run directory to make, or to go on with."),
    ],
    config: ConfigFile = None,
    overrides: Overrides = None,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="The same as --set train.engine=NAME.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="If RUN was made from another config or text, start over instead of refusing."),
    ] = False,
    quiet: Quiet = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log every event to stderr as a JSON object a line.")
    ] = False,
) -> None:
    """Train word vectors on tokenised text.

    The same command again goes on after an interruption.

    Example: w2v train novels.tokens.txt.gz -o runs/novels -c configs/default.yaml --set word2vec.epochs=10

    A finished run that nothing has changed is left as it is. SIGINT (Ctrl-C) and SIGTERM finish the block, save a
    checkpoint and exit; a second one exits at once.
    """
    from w2vcli import training
    from w2vcli.config import resolve

    settings = resolve(config, [*(overrides or ()), *([f"train.engine={engine}"] if engine else [])]).config
    stop = _StopSignal(quiet or log_json)
    with ProgressLine("train", quiet or log_json) as line:
        show = _log_json if log_json else _Reporter(line)
        last = training.train(corpus, run, settings, force=force, progress=show, should_stop=stop)
    if last["event"] == "stopped" and stop.number is not None:
        name = signal.Signals(stop.number).name
        after = "goes on from here" if last["checkpoint"] else "begins again"
        raise InterruptedRunError(f"{run}: stopped by {name}; the same command {after}", stop.number)


class _StopSignal:
    """Remembers the first SIGINT or SIGTERM for the loop to find; the second one ends the program."""

    def __init__(self, quiet: bool) -> None:
        self.number: int | None = None
        self.quiet = quiet
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._catch)

    def __call__(self) -> bool:
        return self.number is not None

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            os._exit(128 + number)  # sys.exit would wait for the threads that train
        self.number = number
        # not print: the signal may have come in the middle of one, and Python's streams are not re-entrant
        if not self.quiet:
            os.write(2, b"\nfinishing the block and saving; once more to stop at once\n")


def _log_json(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), file=sys.stderr, flush=True)


class _Reporter:
    """Shows a run's events to a person."""

    def __init__(self, line: ProgressLine) -> None:
        self.line = line
        self.total_words = 0
        self.epochs = 0

    def __call__(self, event: dict[str, Any]) -> None:
        handler = getattr(self, "_" + event["event"].replace(" ", "_"), None)
        if handler is not None:
            handler(event)

    def _warning(self, event: dict[str, Any]) -> None:
        note(f"warning: {event['message']}")

    def _encode(self, event: dict[str, Any]) -> None:
        self.line.update(event["bytes"], event["total"], f"encode {event['bytes'] / 1e6:.0f} MB")

    def _compile(self, event: dict[str, Any]) -> None:
        self.line.say(
            f"loading the {event['engine']} engine; the first time, it is compiled for this processor and kind of model"
        )

    def _start(self, event: dict[str, Any]) -> None:
        self.total_words, self.epochs = event["total_words"], event["epochs"]
        if event["split"]:
            note(f"warning: {plural(event['split'], 'sentence')} of over 10,000 words split")
        if event["resumed_from"]:
            self.line.say(f"going on from {event['resumed_from']}")
        reason = f" ({event['engine_reason']})" if event["engine_reason"] else ""
        self.line.say(
            f"{plural(event['words'], 'word')} in {plural(event['sentences'], 'sentence')}; "
            f"vocabulary {event['vocabulary']:,} of {event['distinct']:,} distinct words; "
            f"engine {event['engine']}{reason}, {plural(self.epochs, 'epoch')}"
        )
        self.line.update(event["done_words"], self.total_words, "", "train")

    def _block(self, event: dict[str, Any]) -> None:
        rate = quantity(event["words_per_second"])
        detail = f"epoch {event['epoch']}/{self.epochs} {rate} words/s alpha {event['alpha']:.4f}"
        self.line.update(event["words"], self.total_words, detail)

    def _done(self, event: dict[str, Any]) -> None:
        rate = event["words"] / event["seconds"] if event["seconds"] else 0
        self.line.say(
            f"{event['model']}: {event['vocabulary']:,} vectors; {event['words']:,} words in "
            f"{duration(event['seconds'])} ({quantity(rate)} words/s)"
        )

    def _up_to_date(self, event: dict[str, Any]) -> None:
        self.line.say(f"{event['model']}: up to date")
