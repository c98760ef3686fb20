"""Measurements during training, early stopping, and the best model kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec

from w2vcli import checkpoint, training
from w2vcli.config import Config, Train
from w2vcli.corpus import Corpus
from w2vcli.describe import describe
from w2vcli.errors import ConfigError, W2VError
from w2vcli.loss import HeldOut, sample
from w2vcli.measuring import Best, Course, Measuring, metrics
from w2vcli.schedule import Position

Event = dict[str, Any]


def config(word2vec: dict[str, Any] | None = None, **train: Any) -> dict[str, Any]:
    small = {"workers": 1, "vector_size": 10, "epochs": 3, "min_count": 2, "sg": 1, "window": 3, "sample": 0.01}
    return {"word2vec": {**small, **(word2vec or {})}, "train": {"block_words": 20_000, "heldout": 100, **train}}


def overfitting(**train: Any) -> dict[str, Any]:
    """Return a config with which the held-out loss soon rises again: a high learning rate that does not fall."""
    return config({"epochs": 30, "alpha": 0.2, "min_alpha": 0.2}, early_stopping="loss", **train)


def events_of(text: Path, run: Path, settings: dict[str, Any]) -> list[Event]:
    return list(training.events(text, run, settings))


def kinds(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["event"] == kind]


# ---------------------------------------------------------------- the loss in a run


@pytest.mark.parametrize("engine", ["numba", "gensim", "reference"])
def test_the_loss_in_the_events_is_that_of_the_model(lee: Path, tmp_path: Path, engine: str) -> None:
    """It begins at (k + 1) log 2 and ends as the loss of the saved model on the sentences that were held out."""
    events = events_of(lee, tmp_path / "run", config({"epochs": 1, "negative": 2, "window": 1}, engine=engine))
    losses = [event["loss"] for event in kinds(events, "loss")]
    assert losses[0] == pytest.approx(3 * np.log(2), abs=1e-12)
    assert len(losses) == 2
    assert losses[1] < losses[0]
    model = GensimWord2Vec.load(str(tmp_path / "run" / "model" / "word2vec.model"))
    corpus = Corpus(tmp_path / "run" / "corpus")
    held_out = HeldOut(model, corpus.sentences(sample(corpus, 100, 1).tolist()))
    assert held_out.loss(model) == events[-1]["loss"] == losses[-1]
    assert kinds(events, "start")[0]["heldout_sentences"] == 100
    assert describe(tmp_path / "run")["held-out loss"] == losses[-1]


def test_several_workers_come_to_the_same_loss_within_noise(lee: Path, tmp_path: Path) -> None:
    found = {
        workers: events_of(lee, tmp_path / str(workers), config({"workers": workers}))[-1]["loss"]
        for workers in (1, 2, 4)
    }
    assert found[2] == pytest.approx(found[1], rel=0.06)
    assert found[4] == pytest.approx(found[1], rel=0.06)


def test_measurements_are_taken_where_they_are_due(lee: Path, tmp_path: Path) -> None:
    events = events_of(lee, tmp_path / "epochs", config({"epochs": 5}, evaluate_every="2 epochs"))
    assert [event["epochs"] for event in kinds(events, "loss")] == [0, 2, 4, 5]
    events = events_of(lee, tmp_path / "words", config(evaluate_every="50000 words"))
    ends = [event["words"] for event in kinds(events, "block")]
    due = [end for before, end in zip([0, *ends], ends, strict=False) if before // 50_000 < end // 50_000]
    assert [event["words"] for event in kinds(events, "loss")] == [0, *due, ends[-1]]


def test_nothing_held_out_nothing_measured(lee: Path, tmp_path: Path) -> None:
    events = events_of(lee, tmp_path / "run", config(heldout=0))
    assert kinds(events, "loss") == []
    assert events[-1]["loss"] is None
    assert kinds(events, "start")[0]["total_words"] == 3 * 60005


def test_held_out_sentences_from_a_file(lee: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("".join(lee.read_text().splitlines(keepends=True)[:50]))
    events = events_of(lee, tmp_path / "run", config(heldout=str(tmp_path / "mine.txt")))
    assert kinds(events, "start")[0]["total_words"] == 3 * 60005  # the corpus is trained on whole
    assert kinds(events, "start")[0]["heldout_sentences"] == 50
    assert len(kinds(events, "loss")) == 4


# ---------------------------------------------------------------- scores


def test_scores_during_training(lee: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("government\tminister\t8\npolice\tcricket\t2\nfire\tsydney\t5\n")
    settings = config(evaluate=["WordSim-353", str(pairs)], evaluate_every="2 epochs")
    events = events_of(lee, tmp_path / "run", settings)
    scores = kinds(events, "scores")
    assert [event["epochs"] for event in scores] == [2, 3]
    assert set(scores[0]["scores"]) == {"WordSim-353", str(pairs)}
    vectors = GensimWord2Vec.load(str(tmp_path / "run" / "model" / "word2vec.model")).wv
    _, spearman, _ = vectors.evaluate_word_pairs(str(pairs))
    assert scores[-1]["scores"][str(pairs)] == pytest.approx(spearman.statistic)


def test_scores_that_cannot_be_taken_are_refused_at_once(lee: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"train.evaluate: analogy is neither a score nor a file; did you mean"):
        events_of(lee, tmp_path / "run", config(evaluate=["analogy"]))
    (tmp_path / "odd.txt").write_text("five words on one line\n")
    with pytest.raises(W2VError, match=r"odd.txt: neither analogies nor pairs"):
        events_of(lee, tmp_path / "run", config(evaluate=[str(tmp_path / "odd.txt")]))
    with pytest.raises(ConfigError, match=r"train.early_stopping: los is neither .* did you mean loss"):
        events_of(lee, tmp_path / "run", config(early_stopping="los"))
    with pytest.raises(ConfigError, match=r"train.heldout: mine.txt is not a file, nor a number, nor auto"):
        events_of(lee, tmp_path / "run", config(heldout="mine.txt"))
    with pytest.raises(ConfigError, match="early_stopping: loss needs sentences that are held out"):
        events_of(lee, tmp_path / "run", config(heldout=0, early_stopping="loss"))
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- early stopping


def test_a_course_by_hand() -> None:
    course = Course()
    for blocks, loss in enumerate([4.0, 3.0, 3.5, 3.0, 2.9, 5.0], 1):
        course = course.after("loss", loss, Position(blocks, 100 * blocks))
    assert course == Course(Best("loss", 2.9, 5, 500), 1)
    for blocks, score in enumerate([0.1, 0.3, 0.2], 6):
        course = course.after("analogies", score, Position(blocks, 100 * blocks))
    assert course == Course(Best("analogies", 0.3, 7, 700), 1)
    settings = Train(evaluate=["analogies"], early_stopping="analogies", patience=2)
    measuring = Measuring(settings, metrics(settings), None)
    assert [measuring.is_over(Course(course.best, since)) for since in (1, 2)] == [False, True]
    assert Course.from_state({"best": {"of": "loss", "value": 1.0, "blocks": 2, "words": 3}, "since": 4}) == Course(
        Best("loss", 1.0, 2, 3), 4
    )


def test_early_stopping_keeps_the_best_model(lee: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    events = events_of(lee, run, overfitting(patience=3, keep_checkpoints=1))
    losses = [event["loss"] for event in kinds(events, "loss")][1:]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert len(losses) < 30
    done = events[-1]
    assert (done["stopped_early"], done["loss"]) == (True, losses[best])
    assert done["best"]["value"] == losses[best]
    kept = checkpoint.load(run / "checkpoints" / f"{done['model_blocks']:06d}")
    assert isinstance(kept, checkpoint.Checkpoint)
    model = GensimWord2Vec.load(str(run / "model" / "word2vec.model"))
    np.testing.assert_array_equal(model.wv.vectors, kept.arrays()["vectors"])
    numbers = sorted(int(path.name) for path in (run / "checkpoints").iterdir())
    assert numbers == [done["model_blocks"], done["blocks"]]  # the best, and the last
    about = describe(run)
    assert about["stopped early"] == f"after {len(losses)} epochs"
    assert about["model of"] == f"epoch {best + 1}"


def test_stopped_early_is_up_to_date_until_the_rule_changes(lee: Path, tmp_path: Path) -> None:
    run, settings = tmp_path / "run", overfitting(patience=1)
    stopped = events_of(lee, run, settings)[-1]
    assert events_of(lee, run, settings)[-1]["event"] == "up to date"
    on = events_of(lee, run, overfitting(patience=4))
    assert kinds(on, "start")[0]["done_words"] == stopped["words"]  # from the last state, not from the best
    assert {"train.patience": [1, 4]} in [event.get("settings") for event in on]
    whole = events_of(lee, tmp_path / "whole", overfitting(patience=4))
    assert on[-1]["loss"] == whole[-1]["loss"]
    assert on[-1]["best"] == whole[-1]["best"]


def test_early_stopping_by_a_score(lee: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("government\tminister\t8\npolice\tcricket\t2\nfire\tsydney\t5\nisraeli\tpalestinian\t9\n")
    settings = config({"epochs": 12}, early_stopping=str(pairs), patience=2, heldout=0)
    events = events_of(lee, tmp_path / "run", settings)
    scores = [event["scores"][str(pairs)] for event in kinds(events, "scores")]
    assert len(scores) == min(12, int(np.argmax(scores)) + 3)
    assert events[-1]["best"]["value"] == max(scores)


def test_interrupted_early_stopping_ends_the_same(lee: Path, tmp_path: Path) -> None:
    settings = overfitting(patience=2, checkpoint_every=None)
    whole = events_of(lee, tmp_path / "whole", settings)
    stop = {"after": 0}
    while True:
        stop["after"] += 1
        events: list[Event] = []
        last = training.train(
            lee,
            tmp_path / "parts",
            settings,
            progress=events.append,
            should_stop=lambda events=events: len(kinds(events, "block")) >= 2,  # type: ignore[misc]
        )
        if last["event"] == "done":
            break
    assert stop["after"] > 3
    assert {name: last[name] for name in ("loss", "best", "blocks", "model_blocks")} == {
        name: whole[-1][name] for name in ("loss", "best", "blocks", "model_blocks")
    }


def test_early_stopping_that_begins_later_counts_what_is_there(lee: Path, tmp_path: Path) -> None:
    """A longer run may be worse than the model that it went on from: then that one is kept."""
    run = tmp_path / "run"
    settings = {"epochs": 3, "alpha": 0.2, "min_alpha": 0.0001}
    first = events_of(lee, run, config(settings))[-1]
    worse = config({**settings, "epochs": 40}, early_stopping="loss", patience=1)
    events = events_of(lee, run, worse)
    assert kinds(events, "loss")[0]["loss"] == first["loss"]
    assert events[-1]["best"]["value"] == events[-1]["loss"] == first["loss"]
    assert events[-1]["model_blocks"] == first["blocks"]


def test_early_stopping_that_begins_later_has_all_its_patience(lee: Path, tmp_path: Path) -> None:
    """Losses measured at checkpoints before it began do not wear it out."""
    run = tmp_path / "run"
    rising = {"epochs": 8, "alpha": 0.3, "min_alpha": 0.3}
    events_of(lee, run, config(rising, checkpoint_every="1 words", keep_checkpoints=1))
    events = events_of(lee, run, config({**rising, "epochs": 20}, early_stopping="loss", patience=3))
    assert len(kinds(events, "epoch")) >= 3
    assert events[-1]["best"]["value"] == events[-1]["loss"]


def test_the_best_model_is_kept_when_the_run_goes_on_from_it(lee: Path, tmp_path: Path) -> None:
    """Of a run that ended with its best, and had no checkpoint of it."""
    run = tmp_path / "run"
    settings = {"epochs": 2, "alpha": 0.2, "min_alpha": 0.0001}
    first = events_of(lee, run, config(settings, early_stopping="loss"))[-1]
    assert first["best"]["blocks"] == first["blocks"]
    events = events_of(lee, run, config({**settings, "epochs": 40}, early_stopping="loss", patience=2))
    assert not any("lost" in event["message"] for event in kinds(events, "warning"))
    assert events[-1]["loss"] == min(first["loss"], *(event["loss"] for event in kinds(events, "loss")))


def test_early_stopping_switched_off_gives_the_last_model(lee: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped = events_of(lee, run, overfitting(patience=2))[-1]
    off = config({"epochs": 30, "alpha": 0.2, "min_alpha": 0.2})
    events = events_of(lee, run, off)
    assert kinds(events, "start")[0]["done_words"] == stopped["words"]
    assert events[-1]["model_blocks"] == events[-1]["blocks"] == 30 * kinds(events, "start")[0]["blocks"]


def test_a_score_that_has_no_value_stops_nothing_and_that_is_said(lee: Path, tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("qwertz\tuiop\t3\n")
    events = events_of(lee, tmp_path / "run", config(early_stopping=str(tmp_path / "pairs.tsv")))
    assert "has no value, so nothing is stopped" in kinds(events, "warning")[0]["message"]
    assert events[-1]["event"] == "done"


def test_a_file_of_questions_is_read_once(lee: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("government\tminister\t8\npolice\tcricket\t2\nfire\tsydney\t5\n")
    iterator = training.events(lee, tmp_path / "run", config(evaluate=[str(pairs)]))
    next(iterator)
    pairs.unlink()
    assert len(kinds(list(iterator), "scores")) == 3


def test_the_checkpoint_with_the_lowest_loss_is_always_kept(lee: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = config({"epochs": 8, "alpha": 0.3, "min_alpha": 0.3}, checkpoint_every="1 words", keep_checkpoints=1)
    events = events_of(lee, run, settings)
    saved = {int(Path(event["path"]).name) for event in kinds(events, "checkpoint")}
    blocks = [event["event"] for event in events]
    losses: dict[int, float] = {}
    number = 0
    for event in events:
        number += event["event"] == "block"
        if event["event"] == "loss" and number in saved:
            losses[number] = event["loss"]
    assert blocks.count("block") == len(saved) + 1
    best = min(losses, key=losses.__getitem__)
    assert best < max(saved)
    assert sorted(int(path.name) for path in (run / "checkpoints").iterdir()) == [best, max(saved)]
    assert events[-1]["best"]["blocks"] == best
    assert events[-1]["model_blocks"] == events[-1]["blocks"]  # without early stopping the model is the last


def test_the_settings_are_read(tmp_path: Path) -> None:
    settings = Config.model_validate(
        {"train": {"heldout": "mine.txt", "evaluate": "analogies", "evaluate_every": "5_000_000 words"}}
    ).train
    assert (settings.heldout, settings.evaluate, settings.evaluate_words()) == ("mine.txt", ["analogies"], 5_000_000)
    assert json.loads(Config(train=settings).model_dump_json())["train"]["evaluate_every"] == "5_000_000 words"
    for wrong in ({"heldout": -1}, {"heldout": True}, {"heldout": 2.5}, {"evaluate_every": "soon"}, {"patience": 0}):
        with pytest.raises(ValueError, match="validation error"):
            Config.model_validate({"train": wrong})
