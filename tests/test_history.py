"""A run's course by its events: by hand, of real runs, and of runs that are cut anywhere."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import training
from w2vcli.errors import W2VError
from w2vcli.history import History, Interruption, Trained
from w2vcli.run_directory import Event, RunDirectory

from .made_runs import block, event, start


def loss(words: int, value: float) -> Event:
    return event("loss", words=words, loss=value)


def scores(words: int, **values: float | None) -> Event:
    return event("scores", words=words, scores=values)


PLAIN = [
    event("warning", message="odd"),
    start(sentences=7),
    loss(0, 4.5),
    block(1000, speed=100, alpha=0.02),
    scores(1000, analogies=0.25, pairs=None),
    loss(1000, 3.5),
    event("checkpoint", words=1000),
    block(3000, speed=400, alpha=0.01),
    loss(3000, 3.0),
]


# ---------------------------------------------------------------- a start


def test_a_plain_run_by_hand() -> None:
    done = event("done", words=3000)
    history = History.of([*PLAIN, done])
    assert history.start["sentences"] == 7
    assert history.blocks == [Trained(1000, 0.02, 100, 1), Trained(3000, 0.01, 400, 1)]
    assert history.losses == [(0, 4.5), (1000, 3.5), (3000, 3.0)]
    assert history.scores == {"analogies": [(1000, 0.25)]}
    assert (history.checkpoints, history.warnings, history.interruptions) == ([1000], ["odd"], [])
    assert (history.done, history.failed, history.words) == (done, None, 3000)
    assert history.seconds == 1000 / 100 + 2000 / 400


def test_nothing_happened() -> None:
    history = History.of([])
    assert history == History()
    assert (history.words, history.seconds, history.start) == (0, 0, {})


def test_why_a_run_failed() -> None:
    assert History.of([*PLAIN, event("failed", message="full disk")]).failed == "full disk"
    assert History.of([*PLAIN, event("failed", message="full disk"), start(1000, "1")]).failed is None


def test_a_finished_run_that_was_refused_another_config_has_not_failed() -> None:
    history = History.of([*PLAIN, event("done", words=3000), event("failed", message="made from something else")])
    assert history.failed is None
    assert history.done == event("done", words=3000)


def test_a_stopped_run_that_was_refused_another_config_goes_on_as_if_it_was_not() -> None:
    refused = event("failed", 50, message="made from something else")
    history = History.of([*PLAIN, event("stopped", 40, reason="asked"), refused])
    assert history.failed is None
    history = History.of(
        [*PLAIN, event("stopped", 40, reason="asked"), refused, start(3000, "3", time=100)],
    )
    assert history.interruptions == [Interruption(3000, lost=0, seconds=60, reason="stopped")]


# ---------------------------------------------------------------- going on


def test_losses_of_other_sentences_are_no_part_of_the_curve() -> None:
    changed = event("changed", settings={"train.heldout": [100, 200]})
    history = History.of([*PLAIN, event("stopped", reason="asked"), changed, start(1000, "1"), loss(3000, 5.0)])
    assert history.losses == [(3000, 5.0)]


def test_a_run_that_was_killed_and_went_on() -> None:
    """What came after the checkpoint was trained anew, and gives way."""
    history = History.of(
        [
            *PLAIN,
            block(4000, time=50),
            start(1000, "checkpoints/1", time=80),
            block(3000, speed=200, alpha=0.015),
            loss(3000, 2.5),
            scores(3000, analogies=0.5),
        ]
    )
    assert history.interruptions == [Interruption(1000, lost=3000, seconds=30, reason="broke off")]
    assert [(one.words, one.words_per_second) for one in history.blocks] == [(1000, 100), (3000, 200)]
    assert history.losses == [(0, 4.5), (1000, 3.5), (3000, 2.5)]
    assert history.scores == {"analogies": [(1000, 0.25), (3000, 0.5)]}
    assert history.checkpoints == [1000]
    assert history.seconds == 10 + 2000 / 200


def test_words_of_a_run_that_went_on_and_has_trained_nothing_yet() -> None:
    assert History.of([start(3000, "model")]).words == 3000


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (block(3000), "broke off"),
        (event("checkpoint", words=3000), "broke off"),
        (event("stopped", reason="asked"), "stopped"),
        (event("stopped", reason="time"), "time was over"),
        (event("failed", message="full disk"), "failed"),
        (event("done", words=3000), "it had finished"),
    ],
)
@pytest.mark.parametrize("between", ["nothing", "warning", "compile", "changed"])
def test_why_training_ended_before_it_went_on(last: Event, reason: str, between: str) -> None:
    """What the next start says before its own event tells neither why training ended nor when."""
    before = {
        "nothing": [],
        "warning": [event("warning", 99, message="a damaged checkpoint")],
        "compile": [event("compile", 99, engine="numba")],
        "changed": [event("changed", 99, settings={})],
    }[between]
    history = History.of([*PLAIN, {**last, "time": 40}, *before, start(3000, "3", time=100)])
    assert history.interruptions == [Interruption(3000, lost=0, seconds=60, reason=reason)]


def test_a_clock_that_was_set_back_makes_no_pause() -> None:
    history = History.of([*PLAIN, block(4000, time=500), start(1000, "1", time=80)])
    assert history.interruptions[0].seconds == 0


def test_interruptions_after_the_point_that_is_gone_on_from_are_forgotten() -> None:
    again = [start(1000, "1"), block(3000), start(3000, "3"), block(5000), start(1000, "1")]
    history = History.of([*PLAIN, *again])
    assert [(one.words, one.lost) for one in history.interruptions] == [(1000, 2000), (1000, 4000)]


def test_a_run_that_began_anew_has_nothing_of_what_was_before() -> None:
    before = [*PLAIN, start(1000, "1"), block(3000), event("failed", message="full disk")]
    assert History.of([*before, start()]) == History(start=start())
    history = History.of([*before, start(sentences=8), loss(0, 4.2), block(500, speed=50)])
    assert history.blocks == [Trained(500, 0.01, 50, 1)]
    assert history.losses == [(0, 4.2)]
    assert (history.scores, history.checkpoints, history.interruptions) == ({}, [], [])
    assert (history.words, history.failed, history.start["sentences"]) == (500, None, 8)


def cut_anywhere(draw: Any) -> tuple[list[Event], list[Event]]:
    """Return the events of a run that nothing interrupts, and of the same run killed several times."""
    steps = draw(st.integers(1, 12))
    saved = {0, *draw(st.sets(st.integers(1, steps)))}
    whole: list[list[Event]] = [[loss(0, 4.0)]]
    for step in range(1, steps + 1):
        whole.append([block(100 * step, speed=7), loss(100 * step, 1 / step), scores(100 * step, a=step)])
        whole[-1] += [event("checkpoint", words=100 * step)] if step in saved else []
    found: list[Event] = [start()]
    at = 0
    for end in [*draw(st.lists(st.integers(0, steps), max_size=3)), steps]:
        end = max(at, end)
        done = [one for step in whole[at if at else 0 : end + 1] for one in step]
        found += done
        if end == steps:
            break
        at = max(step for step in saved if step <= end)
        found.append(start(100 * at, str(at) if at else None))
        at = at + 1 if at else 0
    return [start(), *(one for step in whole for one in step)], found


@given(st.composite(cut_anywhere)())
def test_a_run_cut_anywhere_has_the_history_of_one_that_was_not(both: tuple[list[Event], list[Event]]) -> None:
    whole, cut = map(History.of, both)
    assert (cut.blocks, cut.losses, cut.scores, cut.checkpoints) == (
        whole.blocks,
        whole.losses,
        whole.scores,
        whole.checkpoints,
    )
    assert cut.seconds == pytest.approx(whole.seconds)


# ---------------------------------------------------------------- what is not as it should be


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"event": "block"},
        {"event": ["block"], "time": 0},
        {"event": "block", "words": "many", "words_per_second": 1, "alpha": 0, "epoch": 1},
        {"event": "block", "words": float("inf"), "words_per_second": 1, "alpha": 0, "epoch": 1},
        {"event": "block", "words": 5000, "words_per_second": 0, "alpha": 0, "epoch": 1},
        {"event": "block", "words": 5000, "words_per_second": float("nan"), "alpha": 0, "epoch": 1},
        {"event": "loss", "words": 3000, "loss": "low"},
        {"event": "loss", "words": None, "loss": 1.0},
        {"event": "scores", "words": 3000, "scores": [1, 2]},
        {"event": "scores", "words": 3000, "scores": {"analogies": "high"}},
        {"event": "checkpoint"},
        {"event": "warning"},
        {"event": "start"},
        {"event": "start", "done_words": 0},
        {"event": "start", "done_words": "none", "resumed_from": None},
        {"event": "start", "done_words": 0, "resumed_from": None, "time": "now"},
        {"event": "somebody else's", "time": 0},
    ],
)
def test_events_of_another_shape_are_passed_over(odd: Event) -> None:
    more = [block(5000), event("done", words=5000)]
    assert History.of([*PLAIN, odd, *more]) == History.of([*PLAIN, *more])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_no_point(value: float) -> None:
    history = History.of([start(), loss(0, 4), loss(10, value), scores(10, a=value), scores(20, a=1, b=value)])
    assert history.losses == [(0, 4)]
    assert history.scores == {"a": [(20, 1)]}


def test_the_last_measurement_at_a_place_counts() -> None:
    assert History.of([start(), loss(10, 4), loss(10, 3)]).losses == [(10, 3)]


# ---------------------------------------------------------------- real runs

SETTINGS: dict[str, Any] = {
    "train": {"block_words": 10_000, "checkpoint_every": "20_000 words"},
    "word2vec": {"epochs": 2, "workers": 1, "vector_size": 10},
}


def test_a_real_run_that_was_killed_and_went_on(lee: Path, tmp_path: Path) -> None:
    """It is known by what is measured: the same seeds, so the same losses as of a run that nothing interrupts."""
    training.train(lee, tmp_path / "whole", SETTINGS)
    iterator = training.events(lee, tmp_path / "cut", SETTINGS)
    words = [one["words"] for one in itertools.islice((one for one in iterator if one["event"] == "block"), 7)]
    iterator.close()  # type: ignore[attr-defined]
    training.train(lee, tmp_path / "cut", SETTINGS)
    whole, cut = (History.of(RunDirectory(tmp_path / name).read_events()) for name in ("whole", "cut"))
    assert cut.losses == whole.losses
    assert [(one.words, one.alpha, one.epoch) for one in cut.blocks] == [
        (one.words, one.alpha, one.epoch) for one in whole.blocks
    ]
    (interruption,) = cut.interruptions
    assert interruption.words == max(saved for saved in whole.checkpoints if saved <= words[-1])
    assert interruption.lost == words[-1] - interruption.words
    assert interruption.reason == "broke off"
    assert whole.interruptions == []
    assert cut.done is not None
    assert cut.words == whole.words == cut.done["words"]


def test_a_real_run_that_was_stopped_refused_and_trained_longer(lee: Path, tmp_path: Path) -> None:
    def history() -> History:
        return History.of(RunDirectory(tmp_path / "run").read_events())

    more = {**SETTINGS, "word2vec": {**SETTINGS["word2vec"], "epochs": 3}}
    other = {**SETTINGS, "word2vec": {**SETTINGS["word2vec"], "window": 2}}
    training.train(lee, tmp_path / "run", SETTINGS, max_seconds=0)
    training.train(lee, tmp_path / "run", SETTINGS)
    (interruption,) = history().interruptions
    assert (interruption.words, interruption.lost) == (history().blocks[0].words, 0)
    assert interruption.reason == "time was over"
    with pytest.raises(W2VError, match="made from something else"):
        training.train(lee, tmp_path / "run", other)
    assert history().failed is None
    training.train(lee, tmp_path / "run", more)
    _, second = history().interruptions
    assert (second.reason, second.lost) == ("it had finished", 0)
    assert second.words == 2 * history().words // 3
    training.train(lee, tmp_path / "run", other, force=True)
    assert history().interruptions == []
    assert history().words == second.words


def test_seconds_and_words_of_a_real_run(lee_run: Path) -> None:
    history = History.of(RunDirectory(lee_run).read_events())
    assert history.done is not None
    assert history.words == history.done["words"]
    assert history.seconds == pytest.approx(history.done["seconds"], abs=2e-3, rel=1e-3)
