"""The jobs that are disturbed: what each begins with, what it does, and how its result is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2vcli import preprocessing, training

from . import lab


@dataclass(frozen=True)
class Job:
    """Something that is done to the folder `place`, begun from a copy of `before`, if there is one."""

    name: str
    before: Path | None
    work: Callable[[Path], Any]
    result: Callable[[Path], Any]
    check: Callable[[Path], None]
    pages: int = 1
    """By how much to change the room it gets, from one trial to the next."""


def large_job(home: Path) -> Job:
    """Prepare a job whose arrays are so large that Gensim saves them beside the model."""
    text = lab.write_text(home / "large.txt", 300, 3_000)
    config = lab.settings(block_words=10**6, checkpoint_every="1 words")
    config["word2vec"] = {**config["word2vec"], "vector_size": 700, "epochs": 2, "negative": 1}

    def work(place: Path) -> None:
        training.train(text, place, config)

    return Job("train a large model", None, work, lab.arrays, lab.check_readable, 500)


def jobs(home: Path) -> list[Job]:
    """Prepare all the others below `home`."""
    home.mkdir(parents=True, exist_ok=True)
    one, two = lab.write_text(home / "one.txt", 1), lab.write_text(home / "two.txt", 2)
    plain, other = lab.settings(), lab.settings()
    other["word2vec"] = {**other["word2vec"], "window": 3}
    stopping = lab.settings(early_stopping="loss", patience=1, heldout=20, keep_checkpoints=1)
    stopping["word2vec"] = {**stopping["word2vec"], "epochs": 4}
    longer = lab.settings(keep_checkpoints=1)
    longer["word2vec"] = {**longer["word2vec"], "epochs": 3}

    finished, cut = home / "finished", home / "cut"
    training.train(one, finished, plain)
    lab.cut_after(3, one, cut, plain)

    def run(name: str, before: Path | None, *arguments: Any, **keywords: Any) -> Job:
        def work(place: Path) -> None:
            training.train(arguments[0], place, arguments[1], **keywords)

        return Job(name, before, work, lab.arrays, lab.check_readable)

    return [
        run("train", None, one, plain),
        run("train on", cut, one, plain),
        run("train again with another text", finished, two, other, force=True),
        run("train longer", finished, one, longer),
        run("train with early stopping", None, one, stopping),
        run("grow", None, two, plain, grow_from=finished),
        Job("preprocess", _folder_with_output(home, one), _preprocess(two), _output, _check_output),
    ]


def _folder_with_output(home: Path, text: Path) -> Path:
    folder = home / "preprocessed"
    folder.mkdir()
    (home / "short.txt").write_text("One former output.\n")
    preprocessing.preprocess(home / "short.txt", folder / "out.txt.gz")
    return folder


def _preprocess(text: Path) -> Callable[[Path], None]:
    def work(place: Path) -> None:
        preprocessing.preprocess(text, place / "out.txt.gz")

    return work


def _output(place: Path) -> bytes:
    return (place / "out.txt.gz").read_bytes()


def _check_output(place: Path) -> None:
    import gzip

    lines = gzip.decompress(_output(place)).decode().splitlines()
    assert len(lines) in (1, 400)
