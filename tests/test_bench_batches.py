from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from w2vcli.bench import batches
from w2vcli.bench.batches import LIMITED, MEAN, NAIVE, SUM, Trial, bench_batch
from w2vcli.config import Config
from w2vcli.errors import ConfigError, W2VError

from .conftest import W2V, need

SMALL = Config.model_validate(
    {
        "word2vec": {"vector_size": 10, "sg": 1, "seed": 7, "workers": 1, "alpha": 0.1, "sample": 0.001},
        "train": {"device": "cpu"},
    }
)


@pytest.mark.slow
def test_every_size_trains_the_same_pairs(lee: Path) -> None:
    need("torch", "'w2vcli[torch]'")
    trials = list(bench_batch([str(lee)], SMALL, [2, 256, 65_536], 5_000))
    assert [(trial.batch_size, trial.rule) for trial in trials] == [
        (1_024, NAIVE),
        (2, LIMITED),
        (2, MEAN),
        (256, LIMITED),
        (256, MEAN),
        (256, SUM),
        (65_536, LIMITED),
        (65_536, MEAN),
        (65_536, SUM),
    ]
    naive, *others = trials
    (pairs,) = {trial.pairs for trial in others}
    assert {trial.words for trial in others} == {others[0].words}
    assert 4_500 < others[0].words <= 5_100
    assert pairs > others[0].words
    assert [trial.steps for trial in others] == [-(-pairs // trial.batch_size) for trial in others]
    assert naive.steps == -(-naive.pairs // 1_024)
    assert naive.loss is None
    losses = {(trial.batch_size, trial.rule): trial.loss for trial in others}
    online = losses[2, LIMITED]
    assert online is not None
    assert online < 6 * math.log(2)
    for size in (256, 65_536):  # the mean has hardly begun
        assert losses[size, MEAN] == pytest.approx(6 * math.log(2), abs=0.01)


def trial(size: int, rule: str, loss: float | None, diverged: bool = False) -> Trial:
    return Trial("cpu", size, rule, 10, 10 * size, 2 * size, 0.5, loss, diverged)


def test_what_a_trial_says() -> None:
    one = trial(100, LIMITED, 3.0)
    assert (one.ms_a_step, one.pairs_per_second) == (50, 2000)


def test_a_plot_of_what_learns_and_what_diverges(tmp_path: Path) -> None:
    need("matplotlib", "matplotlib")
    trials = [trial(1_024, NAIVE, None)]
    trials += [trial(size, rule, 3.0 + size / 100) for size in (1, 64) for rule in (LIMITED, MEAN)]
    batches.plot([*trials, trial(64, SUM, None, True)], tmp_path / "batches.svg")
    drawn = (tmp_path / "batches.svg").read_text()
    assert drawn.startswith("<?xml")
    assert drawn.rstrip().endswith("</svg>")


@pytest.mark.slow
def test_the_command(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    need("torch", "'w2vcli[torch]'")
    need("matplotlib", "matplotlib")
    options = [f"--set=word2vec.{name}" for name in ("vector_size=10", "sg=1", "workers=1", "alpha=0.1")]
    options += ["--set=train.device=cpu", "--size", "64", "--size", "4096", "--words", "2000"]
    files = "-o", tmp_path / "b.json", "--plot", tmp_path / "b.png"
    done = w2v("bench", "batch", lee, *options, *files, "--tsv")
    assert done.code == 0, done.err
    header, *rows = [line.split("\t") for line in done.out.splitlines()]
    assert header == ["device", "batch", "ms/step", "pairs/s", "words/s", "loss", "loss (mean)", "loss (sum)"]
    assert [row[:2] for row in rows] == [["cpu, naive DataLoader", "1024"], ["cpu", "64"], ["cpu", "4096"]]
    assert "cpu, batches of 64, limited: " in done.err
    saved = json.loads((tmp_path / "b.json").read_text())
    assert [f"{one['loss']:.4f}" for one in saved["trials"] if one["rule"] == LIMITED] == [row[5] for row in rows[1:]]
    assert saved["config"]["word2vec"]["alpha"] == 0.1
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_text_is_refused(tmp_path: Path) -> None:
    need("torch", "'w2vcli[torch]'")
    for text, message in (("a b\n" * 9, "too few words"), ("a\nb\nc\n" * 9, "no two words beside each other")):
        (tmp_path / "text.txt").write_text(text)
        with pytest.raises(W2VError, match=message):
            list(bench_batch([str(tmp_path / "text.txt")], SMALL, [64], 1_000))


def test_the_kernel_has_no_batches(lee: Path) -> None:
    need("torch", "'w2vcli[torch]'")
    need("triton", "triton")
    config = SMALL.model_copy(update={"train": SMALL.train.model_copy(update={"fused": True})})
    with pytest.raises(ConfigError, match="has no batches"):
        list(bench_batch([str(lee)], config, [64], 1_000))
