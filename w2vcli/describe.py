"""What a run or a model is."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from w2vcli import checkpoint, formats
from w2vcli.config import Config, resolve
from w2vcli.errors import ConfigError, W2VError
from w2vcli.history import History
from w2vcli.model import file_of
from w2vcli.queries import Questions
from w2vcli.run_directory import Event, RunDirectory
from w2vcli.sources import STDIN, is_url
from w2vcli.vectors import Vectors, norms_of

_REMARKS = ("warning", "compile", "failed")


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a run or a vector file is: a flat dict of names and values, in the order to show them.

    A run is described from its small files alone, finished or not.

    Raises:
        W2VError: when it is missing or not a model.
    """
    if str(path) == STDIN:
        raise ConfigError(["a model on standard input can be converted, but not described"])
    run = RunDirectory(path)
    if not is_url(path) and run.path.is_dir() and run.is_run():
        return _describe_run(run)
    return _describe_file(file_of(path))


def _describe_run(run: RunDirectory) -> dict[str, Any]:
    events, trained = run.read_events(), run.trained()
    last = next((event["event"] for event in reversed(events) if event["event"] not in _REMARKS), None)
    if run.is_locked():
        state = "training"
    else:
        state = "finished" if trained and last in ("done", "up to date", None) else "unfinished"
    about: dict[str, Any] = {"run": str(run.path), "state": state, "bytes": _bytes_below(run.path)}
    if trained and state == "finished":
        return about | _describe_finished(run, trained)
    return about | _describe_unfinished(run, events)


def _describe_finished(run: RunDirectory, trained: Mapping[str, Any]) -> dict[str, Any]:
    corpus, state = trained["corpus"], trained["state"]
    position, blocks = state["position"], trained["blocks"]
    early = position["blocks"] < trained["total_blocks"]
    return {
        "model": str(run.finished_model()),
        "finished": trained["finished"],
        "vocabulary": trained["vocabulary"],
        "corpus words": corpus["words"],
        "corpus sentences": corpus["sentences"],
        "corpus fingerprint": corpus["fingerprint"],
        "grown from": trained.get("grown_from"),
        "words trained": position["words"],
        "training seconds": round(position["seconds"], 1),
        "held-out loss": trained["loss"],
        "stopped early": f"after {position['blocks'] / blocks:.4g} epochs" if early else None,
        "model of": f"epoch {trained['model_blocks'] / blocks:.4g}" if early else None,
        "best checkpoint": _best_checkpoint(run, trained),
        **{f"drift: {name.replace('_', ' ')}": value for name, value in trained.get("drift", {}).items()},
        **_made_with(state["versions"]),
        "config": _training_settings(Config.model_validate(trained["config"])),
    }


def _best_checkpoint(run: RunDirectory, trained: Mapping[str, Any]) -> str | None:
    """Return what was measured at a checkpoint that is better than the run's end, if there is one."""
    best = trained["state"]["course"]["best"]
    if not best or best["blocks"] == trained["state"]["position"]["blocks"]:
        return None
    if best["of"] == "loss" and trained["loss"] is not None and best["value"] > trained["loss"]:
        return None
    path = checkpoint.path_of(run.checkpoints, best["blocks"])
    return f"{best['of']} {best['value']:.4f}, after {best['blocks'] / trained['blocks']:.4g} epochs: {path}"


def _describe_unfinished(run: RunDirectory, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe the last start by its events; what counts if it was cut off is the last checkpoint."""
    begins = [place for place, event in enumerate(events) if event["event"] == "start"]
    begun = events[_beginning(events, begins)]["time"] if events else None
    events = events[begins[-1] :] if begins else []
    start: Event = events[0] if events else {}
    latest: dict[str, Event] = {event["event"]: event for event in events}
    if run.is_locked():
        words = latest.get("block", {}).get("words", start.get("done_words"))
        goes_on = None
    else:
        found = checkpoint.newest(run.checkpoints)
        goes_on = str(found.folder) if found else "the beginning" if start else None
        words = found.state["position"]["words"] if found else 0 if start else None
    total = start.get("total_words")
    return {
        "begun": begun and datetime.fromtimestamp(begun, timezone.utc).isoformat(timespec="seconds"),
        "progress": f"{100 * words / total:.1f}%" if total and words is not None else "encoding",
        "goes on from": goes_on,
        "failed": latest.get("failed", {}).get("message"),
        "vocabulary": start.get("vocabulary"),
        "corpus words": start.get("words"),
        "corpus sentences": start.get("sentences"),
        "corpus fingerprint": start.get("fingerprint"),
        "grown from": start.get("grown_from"),
        "words trained": words,
        "held-out loss": _loss_after(events, words),
        **_made_with(start.get("versions", {})),
        "config": _settings_of(run),
    }


def _loss_after(events: list[dict[str, Any]], words: int | None) -> float | None:
    """Return the last loss that was measured before more words were trained; what came later is lost."""
    losses = [loss for after, loss in History.of(events).losses if after <= (words or 0)]
    return losses[-1] if losses else None


def _settings_of(run: RunDirectory) -> dict[str, Any]:
    """Return the settings that the last start stored, if they can be read."""
    with suppress(W2VError):
        return _training_settings(resolve(run.config, environment={}).config)
    return {}


def _beginning(events: list[dict[str, Any]], begins: list[int]) -> int:
    """Return the place of the first event of what is trained now: the last start that did not go on from another."""
    fresh = [place for place in begins if not events[place].get("resumed_from")]
    return fresh[-1] if fresh else 0


def _training_settings(config: Config) -> dict[str, Any]:
    """Return what concerned training; how the text was preprocessed, the run cannot know."""
    return {path: value for path, value in config.flat().items() if not path.startswith("preprocess.")}


def _made_with(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"made with {name}": version for name, version in versions.items()}


def _bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder, in which others may appear and vanish meanwhile."""
    found = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                found += (Path(path) / name).stat().st_size
    return found


_SETTINGS = ("sg", "hs", "negative", "window", "min_count", "sample", "epochs", "seed", "corpus_total_words")


def _describe_file(path: str) -> dict[str, Any]:
    name = formats.format_of(path)
    loaded = formats.read_gensim(path) if name == "gensim" else None
    vectors = formats.read_vectors(path) if loaded is None else Vectors.of(getattr(loaded, "wv", loaded))
    about: dict[str, Any] = {"model": path, "format": name}
    if loaded is not None:
        about["holds"] = type(loaded).__name__
    about |= {"vocabulary": len(vectors), "dimensions": vectors.dimensions, "dtype": str(vectors.rows.dtype)}
    if not is_url(path):
        side_files = Path(path).parent.glob(f"{glob.escape(Path(path).name)}.*npy")
        about["bytes"] = sum(file.stat().st_size for file in (Path(path), *side_files))
    about |= {setting: getattr(loaded, setting) for setting in _SETTINGS if hasattr(loaded, setting)}
    saved = [event for event in getattr(loaded, "lifecycle_events", None) or [] if event["event"] == "saving"]
    if saved:
        about |= {"saved": saved[-1]["datetime"], "made with gensim": saved[-1]["gensim"]}
    return about | {"most frequent words": " ".join(vectors.words[:10])}


def describe_word(questions: Questions, word: str) -> dict[str, Any]:
    """Return what is known of a word: its rank by frequency, its count (None if unknown), the length of its vector.

    Raises:
        UnknownWordError: when it is not in the vocabulary.
    """
    vectors = questions.vectors
    number = questions.find(word)
    count = None if vectors.counts is None else int(vectors.counts[number])
    (norm,) = norms_of(vectors.take(np.array([number]))).tolist()
    return {"word": vectors.words[number], "rank": number + 1, "count": count, "norm": round(norm, 6)}
