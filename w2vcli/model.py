"""Open any model safely, and ask it: neighbours, analogies, what it is."""

from __future__ import annotations

import difflib
import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from w2vcli import checkpoint, formats
from w2vcli.config import Config, resolve
from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.run_directory import Event, RunDirectory
from w2vcli.sources import is_url
from w2vcli.vectors import Found, Vectors

Neighbours = list[tuple[str, float]]

_SPELLING_CANDIDATES = 200_000  # most frequent words looked through for a misspelt one


def load(path: str | Path) -> Vectors:
    """Open a run directory or a vector file and return its words and vectors.

    Reads Gensim's `.model` and `.kv`, and word2vec text and binary, compressed or not; arrays are memory-mapped
    where the file allows it.

    Raises:
        W2VError: when it is missing, unfinished, damaged or in no known format.
    """
    return formats.read_vectors(file_of(path))


def file_of(path: str | Path) -> str:
    """Return the file that holds the vectors of a run directory or vector file."""
    if is_url(path):
        return str(path)
    place = Path(path)
    if not place.exists():
        raise W2VError(f"{path}: no such file or run")
    if not place.is_dir():
        return str(path)
    run = RunDirectory(place)
    if run.finished_model().is_file():
        return str(run.finished_model())
    if run.is_run():
        raise W2VError(f"{path}: this run is not finished", "run its w2v train command again to go on")
    raise W2VError(f"{path}: a folder, but not a run", "name a run directory or a vector file")


def find_word(vectors: Vectors, word: str, ignore_case: bool = False) -> int:
    """Return the number of `word`; with `ignore_case` else of its most frequent spelling in another case.

    Raises:
        UnknownWordError: when it is not there, with the nearest spellings.
    """
    number = vectors.words.find(word)
    if number is not None:
        return number
    if ignore_case:
        folded = word.casefold()
        for number, known in enumerate(vectors.words):  # by descending frequency
            if known.casefold() == folded:
                return number
    close = nearest_spellings(vectors, word)
    raise UnknownWordError(f"{word}: not in the vocabulary", f"did you mean {' or '.join(close)}?" if close else None)


def nearest_spellings(vectors: Vectors, word: str, number: int = 3) -> list[str]:
    """Return up to `number` words of the vocabulary that are spelt most like `word`, in any case."""
    folded = word.casefold()
    candidates: dict[str, str] = {}
    for known in vectors.words[:_SPELLING_CANDIDATES]:
        if abs(len(known) - len(word)) <= 2:
            candidates.setdefault(known.casefold(), known)
    return [candidates[close] for close in difflib.get_close_matches(folded, candidates, number, 0.7)]


def neighbours(vectors: Vectors, word: str, number: int = 10) -> Neighbours:
    """Return the `number` words with the largest cosine similarity to `word`, and that similarity.

    Raises:
        UnknownWordError: when the word is not in the vocabulary.
    """
    asked = find_word(vectors, word)
    (found,) = vectors.nearest(vectors.take(np.array([asked])), number, [[asked]])
    return _as_neighbours(vectors, found)


@dataclass(frozen=True)
class Expression:
    """A sum of words with signs: the words to be near to, and those to be far from."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]

    def __str__(self) -> str:
        return " + ".join(self.positive) + "".join(f" - {word}" for word in self.negative)


def parse_analogy(terms: Sequence[str]) -> Expression:
    """Read an analogy: three words (a is to b as c is to …), or an expression with + and - between spaces.

    >>> str(parse_analogy(["man", "king", "woman"]))
    'king + woman - man'
    >>> str(parse_analogy(["king - man + woman"]))
    'king + woman - man'

    Raises:
        ConfigError: when it is neither.
    """
    parts = " ".join(terms).split()
    if not any(part in "+-" for part in parts):
        if len(parts) != 3:
            hint = " (+ and - need spaces around them)" if len(parts) == 1 and re.search("[+-]", parts[0]) else ""
            raise ConfigError([f"an analogy has three words, as in: man king woman; here are {len(parts)}{hint}"])
        first, second, third = parts
        return Expression((second, third), (first,))
    if parts[0] not in ("+", "-"):
        parts.insert(0, "+")
    signs, words = parts[::2], parts[1::2]
    if len(signs) != len(words) or set(signs) - {"+", "-"} or {"+", "-"} & set(words):
        raise ConfigError([f"{' '.join(terms)}: not words with + or - between them, as in: 'king - man + woman'"])
    signed = list(zip(signs, words, strict=True))
    positive = tuple(word for sign, word in signed if sign == "+")
    if not positive:
        raise ConfigError([f"{' '.join(terms)}: at least one word must be added"])
    return Expression(positive, tuple(word for sign, word in signed if sign == "-"))


ANALOGY_FORMULA = "3CosAdd"


def analogy(vectors: Vectors, expression: Expression, number: int = 10, ignore_case: bool = False) -> Neighbours:
    """Return the `number` words nearest to the expression's sum of unit vectors, its own words left out.

    3CosAdd of Mikolov et al. 2013 (https://aclanthology.org/N13-1090): the largest cosine similarity to the mean of
    the positive words' unit vectors and the negated negative ones'.

    Raises:
        UnknownWordError: when one of the words is not in the vocabulary.
    """
    positive = [find_word(vectors, word, ignore_case) for word in expression.positive]
    negative = [find_word(vectors, word, ignore_case) for word in expression.negative]
    total = vectors.units(np.array(positive)).sum(axis=0)
    if negative:
        total -= vectors.units(np.array(negative)).sum(axis=0)
    (found,) = vectors.nearest(total[None], number, [[*positive, *negative]])
    return _as_neighbours(vectors, found)


def _as_neighbours(vectors: Vectors, found: Found) -> Neighbours:
    return [
        (vectors.words[word], similarity)
        for word, similarity in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
    ]


# ---------------------------------------------------------------- what a run or model is


_REMARKS = ("warning", "compile", "failed")


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a run or a vector file is: a flat dict of names and values, in the order to show them.

    A run is described from its small files alone, finished or not.

    Raises:
        W2VError: when it is missing or not a model.
    """
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
    return {
        "begun": begun and datetime.fromtimestamp(begun, timezone.utc).isoformat(timespec="seconds"),
        "progress": f"{100 * words / start['total_words']:.1f}%" if start and words is not None else "encoding",
        "goes on from": goes_on,
        "failed": latest["failed"]["message"] if "failed" in latest else None,
        "vocabulary": start.get("vocabulary"),
        "corpus words": start.get("words"),
        "corpus sentences": start.get("sentences"),
        "corpus fingerprint": start.get("fingerprint"),
        "grown from": start.get("grown_from"),
        "words trained": words,
        "held-out loss": latest.get("loss", {}).get("loss"),
        **_made_with(start.get("versions", {})),
        "config": _training_settings(resolve(run.config, environment={}).config) if run.config.is_file() else {},
    }


def _beginning(events: list[dict[str, Any]], begins: list[int]) -> int:
    """Return the place of the first event of what is trained now: the last start that did not go on from another."""
    fresh = [place for place in begins if not events[place]["resumed_from"]]
    return fresh[-1] if fresh else 0


def _training_settings(config: Config) -> dict[str, Any]:
    """Return what concerned training; how the text was preprocessed, the run cannot know."""
    return {path: value for path, value in config.flat().items() if not path.startswith("preprocess.")}


def _made_with(versions: Mapping[str, str]) -> dict[str, str]:
    return {f"made with {name}": version for name, version in versions.items()}


def _bytes_below(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _describe_file(path: str) -> dict[str, Any]:
    loaded = formats.read(path)
    vectors = getattr(loaded, "wv", loaded)
    about: dict[str, Any] = {"model": path, "format": formats.detect(path), "holds": type(loaded).__name__}
    about |= {
        "vocabulary": len(vectors),
        "dimensions": vectors.vector_size,
        "dtype": str(vectors.vectors.dtype),
    }
    if not is_url(path):
        side_files = Path(path).parent.glob(f"{glob.escape(Path(path).name)}.*npy")
        about["bytes"] = sum(file.stat().st_size for file in (Path(path), *side_files))
    settings = (
        "sg",
        "hs",
        "negative",
        "window",
        "min_count",
        "sample",
        "epochs",
        "seed",
        "corpus_total_words",
    )
    about |= {name: getattr(loaded, name) for name in settings if hasattr(loaded, name)}
    saved = [event for event in getattr(loaded, "lifecycle_events", None) or [] if event["event"] == "saving"]
    if saved:
        about |= {"saved": saved[-1]["datetime"], "made with gensim": saved[-1]["gensim"]}
    return about | {"most frequent words": " ".join(vectors.index_to_key[:10])}
