"""`w2v train`."""

from __future__ import annotations

import json
import os
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from w2vcli.cli.options import ClusterAddress, ConfigFile, Overrides, Quiet
from w2vcli.cli.output import ProgressLine, note
from w2vcli.errors import ConfigError, InterruptedRunError
from w2vcli.wording import duration, plural, quantity, size


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
    grow_from: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN", help="Begin with the words and vectors of this finished run, or Gensim .model."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="If RUN was made from another config or text, start over instead of refusing."),
    ] = False,
    wait: Annotated[
        str | None,
        typer.Option("--wait", metavar="TIME", help="Wait this long (90s, 10m, 2h) for another process to end RUN."),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option("--max-time", metavar="TIME", help="Save and exit with 0 before this time (90s, 6h, 1d) is over."),
    ] = None,
    cluster: ClusterAddress = None,
    quiet: Quiet = False,
    log_json: Annotated[
        bool, typer.Option("--log-json", help="Log every event, and an error, to stderr as a JSON object a line.")
    ] = False,
) -> None:
    """Train word vectors on tokenised text.

    The same command again goes on after an interruption.

    Example: w2v train novels.tokens.txt.gz -o runs/novels -c configs/default.yaml --set word2vec.epochs=10

    A finished run that nothing has changed is left as it is; more epochs go on from its end. SIGINT (Ctrl-C),
    SIGTERM and SIGHUP finish the block, save a checkpoint and exit; a second one exits at once.
    """
    stop = _StopSignal(quiet or log_json)
    wait_seconds, max_seconds = _seconds("--wait", wait), _seconds("--max-time", max_time)

    from w2vcli import training
    from w2vcli.config import resolve

    settings = resolve(config, [*(overrides or ()), *([f"train.engine={engine}"] if engine else [])]).config
    with ProgressLine("train", quiet or log_json) as line:
        show = _log_json if log_json else _Reporter(line)

        def progress(event: dict[str, Any]) -> None:
            stop.is_training = event["event"] in _TRAINING
            show(event)

        last = training.train(
            corpus,
            run,
            settings,
            grow_from=grow_from,
            force=force,
            wait_seconds=wait_seconds or 0.0,
            max_seconds=max_seconds,
            cluster=cluster,
            progress=progress,
            should_stop=stop,
        )
    if last["event"] == "stopped" and stop.number is not None:
        name = signal.Signals(stop.number).name
        after = "goes on from here" if last["checkpoint"] else "begins again"
        if last["reason"] == "waiting":
            raise InterruptedRunError(f"{run}: stopped by {name} while waiting for its other process", stop.number)
        raise InterruptedRunError(f"{run}: stopped by {name}; the same command {after}", stop.number)


_TRAINING = ("start", "block", "loss", "scores", "epoch", "checkpoint")


def _seconds(option: str, value: str | None) -> float | None:
    from w2vcli.config import seconds

    found = None if value is None else seconds(value)
    if value is not None and found is None:
        raise ConfigError([f"{option}: {value} is not a time such as 90s, 10m or 2h"])
    return found


class _StopSignal:
    """Remembers the first SIGINT, SIGTERM or SIGHUP for the loop to find; the second one ends the program."""

    def __init__(self, quiet: bool) -> None:
        self.number: int | None = None
        self.is_training = False
        self._quiet = quiet
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has SIGHUP ignored
                signal.signal(number, self._catch)

    def __call__(self) -> bool:
        return self.number is not None

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            self._say("stopped at once; the same command goes on from the last checkpoint, if there is one")
            os._exit(128 + number)  # sys.exit would wait for the threads that train
        self.number = number
        doing = "finishing the block and saving" if self.is_training else "stopping"
        self._say(f"{doing}; once more to stop at once")

    def _say(self, message: str) -> None:
        """Say it, not by print: the signal may come in the middle of one, and Python's streams are not re-entrant."""
        if not self._quiet:
            os.write(2, f"\n{message}\n".encode())


def _log_json(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), file=sys.stderr, flush=True)


class _Reporter:
    """Shows a run's events to a person."""

    def __init__(self, line: ProgressLine) -> None:
        self.line = line
        self.total_words = 0
        self.epochs = 0
        self.blocks = 1
        self.loss = ""
        self.scores = ""

    def __call__(self, event: dict[str, Any]) -> None:
        handler = getattr(self, "_" + event["event"].replace(" ", "_"), None)
        if handler is not None:
            handler(event)

    def _waiting(self, event: dict[str, Any]) -> None:
        self.line.say(f"waiting for {event['holder']}, which is training this run")

    def _warning(self, event: dict[str, Any]) -> None:
        note(f"warning: {event['message']}")

    def _encode(self, event: dict[str, Any]) -> None:
        self.line.update(event["bytes"], event["total"], f"encode {event['bytes'] / 1e6:.0f} MB")

    def _compile(self, event: dict[str, Any]) -> None:
        self.line.say(
            f"loading the {event['engine']} engine; the first time, what it needs is compiled for this processor"
        )

    def _changed(self, event: dict[str, Any]) -> None:
        from w2vcli.config import yaml_scalar

        settings = event["settings"].items()
        changes = [f"{path} was {yaml_scalar(was)}, now {yaml_scalar(now)}" for path, (was, now) in settings]
        self.line.say(f"changed: {', '.join(changes)}")

    def _start(self, event: dict[str, Any]) -> None:
        self.total_words, self.epochs, self.blocks = event["total_words"], event["epochs"], event["blocks"]
        if event["split"]:
            note(f"warning: {plural(event['split'], 'sentence')} of over 10,000 words split")
        if event["resumed_from"]:
            self.line.say(f"going on from {event['resumed_from']}")
        elif event["grown_from"]:
            self.line.say(f"growing from {event['grown_from']}")
        batches = f"batches of {event['batch_size']:,}" if event["batch_size"] else None
        about = [event["engine_reason"], f"on {event['device']}" if event["engine"] == "torch" else None, batches]
        reason = f" ({', '.join(filter(None, about))})" if any(about) else ""
        self.line.say(
            f"{plural(event['words'], 'word')} in {plural(event['sentences'], 'sentence')}, "
            f"{event['heldout_sentences']:,} held out; "
            f"vocabulary {event['vocabulary']:,} of {event['distinct']:,} distinct words; "
            f"engine {event['engine']}{reason}, {plural(self.epochs, 'epoch')}"
        )
        if event["cluster"]:
            self._cluster(event["cluster"])
        self.line.update(event["done_words"], self.total_words, "", "train")

    def _cluster(self, event: dict[str, Any]) -> None:
        threads = f" of {plural(event['threads'], 'thread')}" if event["threads"] > 1 else ""
        self.line.say(
            f"{plural(event['workers'], 'worker')}{threads} on the cluster, {size(event['memory_bytes'])} of memory "
            f"each; every {event['sync_words']:,} words each sends {size(event['sent_bytes'])} "
            f"and receives {size(event['received_bytes'])}"
        )

    def _block(self, event: dict[str, Any]) -> None:
        rate = quantity(event["words_per_second"])
        detail = f"epoch {event['epoch']}/{self.epochs} {rate} words/s alpha {event['alpha']:.4f}"
        self.line.update(event["words"], self.total_words, f"{detail}{self.loss}{self.scores}")

    def _loss(self, event: dict[str, Any]) -> None:
        self.loss = f" loss {event['loss']:.4f}"

    def _scores(self, event: dict[str, Any]) -> None:
        shown = {name: "-" if value is None else f"{value:.3f}" for name, value in event["scores"].items()}
        self.scores = "".join(f" {name} {value}" for name, value in shown.items())
        self.line.say(f"after {event['epochs']:.4g} epochs:{self.loss}{self.scores}")

    def _drift(self, event: dict[str, Any]) -> None:
        if event["old_words"]:
            self.line.say(
                f"{plural(event['new_words'], 'new word')}; the {event['old_words']:,} old ones moved by "
                f"{event['mean_movement']:.3f} (1 - cosine) on average, {event['furthest_word']} furthest, by "
                f"{event['largest_movement']:.3f}; {100 * event['neighbours_changed']:.0f}% of their neighbours changed"
            )

    def _stopped(self, event: dict[str, Any]) -> None:
        if event["reason"] == "time":
            share = 100 * event["words"] / event["total_words"]
            self.line.say(f"{event['checkpoint']}: unfinished ({share:.0f}%), run again")

    def _done(self, event: dict[str, Any]) -> None:
        rate = event["words"] / event["seconds"] if event["seconds"] else 0
        self.line.say(
            f"{event['model']}: {event['vocabulary']:,} vectors; {event['words']:,} words in "
            f"{duration(event['seconds'])} ({quantity(rate)} words/s)"
            + ("" if event["loss"] is None else f"; held-out loss {event['loss']:.4f}")
        )
        if "traffic" in event:
            traffic = event["traffic"]
            self.line.say(f"the workers sent {size(traffic['sent'])} and received {size(traffic['received'])}")
        best = event["best"]
        if best is None or best["blocks"] == event["blocks"]:
            return
        where = f"after {best['blocks'] / self.blocks:.4g} epochs ({best['of']} {best['value']:.4f})"
        if event["model_blocks"] == best["blocks"]:
            self.line.say(f"{'stopped early: ' if event['stopped_early'] else ''}the model is the best one, {where}")
        elif best["of"] == "loss" and best["value"] < event["loss"]:
            self.line.say(f"the model was better {where}; that checkpoint is kept")

    def _up_to_date(self, event: dict[str, Any]) -> None:
        self.line.say(f"{event['model']}: up to date")
