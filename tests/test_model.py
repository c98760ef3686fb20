from __future__ import annotations

from pathlib import Path

import pytest

import w2vcli
from w2vcli import training
from w2vcli.errors import W2VError
from w2vcli.model import load


def test_what_cannot_be_opened(tmp_path: Path, lee: Path) -> None:
    with pytest.raises(W2VError, match="none: no such file or run"):
        load(tmp_path / "none")
    with pytest.raises(W2VError, match="a folder, but not a run"):
        load(tmp_path)
    iterator = training.events(lee, tmp_path / "run")
    for event in iterator:
        if event["event"] == "start":
            break
    iterator.close()  # type: ignore[attr-defined]
    with pytest.raises(W2VError, match="this run is not finished; run its w2v train command again to go on"):
        load(tmp_path / "run")


def test_the_api_of_the_package(lee_raw: Path, tmp_path: Path) -> None:
    summary = w2vcli.preprocess(lee_raw, tmp_path / "lee.txt.gz")
    seen: list[str] = []
    done = w2vcli.train(
        tmp_path / "lee.txt.gz",
        tmp_path / "run",
        {"word2vec": {"epochs": 1}, "train": {"heldout": 0}},
        progress=lambda event: seen.append(event["event"]),
    )
    assert summary.tokens == done["words"] == 60005
    assert seen[-1] == done["event"] == "done"
    assert len(w2vcli.load(tmp_path / "run")) == done["vocabulary"]
    with pytest.raises(AttributeError):
        _ = w2vcli.nothing
