"""Figures: their numbers by hand, by Gensim, SciPy or NumPy; and as files, whose text can be read."""

from __future__ import annotations

import itertools
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.cluster.hierarchy
import scipy.spatial.distance
from gensim.models import KeyedVectors, Word2Vec
from gensim.test.utils import datapath
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.config import Word2Vec as Settings
from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.evaluate import built_in
from w2vcli.evaluate.analogies import read_analogies
from w2vcli.gensim_model import build_model
from w2vcli.observed import MissingError, Observed
from w2vcli.plots import PLOTS, Choice, Drawing, figure_of, prepare, saving, style
from w2vcli.plots.corpus import fit_zipf, share_left
from w2vcli.plots.style import COLOURS, FULL, NARROW, in_legend, inline_svg, log_spaced, thinned
from w2vcli.plots.vectors import chosen_words, clustered, map_of, random_words
from w2vcli.vectors import Vectors, unit_rows
from w2vcli.vocab import Vocab
from w2vcli.wording import label
from w2vcli.words import ListedWords

from .made_runs import block, event, made_run, start


@pytest.fixture(scope="module")
def lee_observed(lee_run: Path) -> Observed:
    return Observed(lee_run, "lee")


@pytest.fixture(scope="module")
def theirs(lee_run: Path) -> KeyedVectors:
    """The finished run's vectors, as Gensim reads them."""
    return Word2Vec.load(str(lee_run / "model" / "word2vec.model")).wv


def of_counts(folder: Path, counts: Mapping[str, int], **word2vec: Any) -> Observed:
    return Observed(made_run(folder / "run", counts, **word2vec))


def numbers(name: str, *runs: Observed, **choice: Any) -> list[tuple[Any, ...]]:
    return list(prepare(name, runs, Choice(**choice)).numbers.rows)


def texts(svg: str) -> list[str]:
    """Return what is written in an SVG, which is well-formed."""
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter() if node.tag.endswith("text")]


def drawn(name: str, drawing: Drawing, width: float = FULL) -> list[str]:
    with style():
        return texts(inline_svg(figure_of(name, drawing, width)))


# ---------------------------------------------------------------- the text


def test_top_words_by_hand(tmp_path: Path) -> None:
    run = of_counts(tmp_path, {"the": 6, "of": 3, "a": 1})
    drawing = prepare("top-words", [run])
    assert drawing.numbers.rows == [("the", 6, 0.6), ("of", 3, 0.3), ("a", 1, 0.1)]
    assert drawing.remark == "“the” alone is 60 % of the text; the 3 most frequent words make 100 %."


def test_top_words_are_twenty(lee: Path, lee_observed: Observed) -> None:
    counts = Counter(lee.read_text().split())
    rows = numbers("top-words", lee_observed)
    assert [count for _, count, _ in rows] == [count for _, count in counts.most_common(20)]
    assert all(count == counts[word] and share == count / counts.total() for word, count, share in rows)


def test_zipfs_law_has_slope_minus_1() -> None:
    counts = np.array([round(1e6 / rank) for rank in range(1, 5001)])
    line = fit_zipf(counts)
    assert line is not None
    assert line.slope == pytest.approx(-1, abs=1e-2)
    assert line.factor == pytest.approx(1e6, rel=2e-2)


@given(st.floats(-1.5, -0.3), st.floats(1e5, 1e7))
def test_the_fitted_line_is_the_law_that_was_followed(slope: float, factor: float) -> None:
    counts = np.round(factor * np.arange(1.0, 301) ** slope).astype(np.int64)
    line = fit_zipf(counts)
    assert line is not None
    assert line.slope == pytest.approx(slope, abs=1e-2)
    assert line.factor == pytest.approx(factor, rel=5e-2)


def test_a_line_is_fitted_to_words_that_occur_ten_times() -> None:
    counts = np.array([round(1e4 / rank) for rank in range(1, 1001)])
    assert counts[-1] == 10
    rare = np.concatenate([counts, np.full(9, 9), np.full(90_000, 1)])
    assert fit_zipf(rare) == fit_zipf(counts)
    assert fit_zipf(np.concatenate([counts, np.full(90_000, 10)])) != fit_zipf(counts)
    assert fit_zipf(np.array([14, 13, 12, 11, 9, 9])) is None
    assert fit_zipf(np.array([14, 13, 12, 11, 10, 9])) is not None


def test_zipf_of_several_runs(tmp_path: Path) -> None:
    """A run's name stands in the legend whatever it begins with."""
    counts = {f"w{rank}": round(1e4 / rank) for rank in range(1, 2001)}
    law = Observed(made_run(tmp_path / "a", counts), "law")
    few = Observed(made_run(tmp_path / "b", {"x": 9, "y": 2, "z": 1}), "_few")
    drawing = prepare("zipf", [law, few])
    assert drawing.remark == (
        "law: The fitted slope, over words that occur 10 times or more, is -1.00. 0 of 2,000 distinct words occur once."
        " _few: Too few words occur 10 times to fit a line. 1 of 3 distinct words occur once."
    )
    assert [row for row in drawing.numbers.rows if row[0] == "_few"] == [
        ("_few", 1, "x", 9),
        ("_few", 2, "y", 2),
        ("_few", 3, "z", 1),
    ]
    assert ("law", 2000, "w2000", 5) in drawing.numbers.rows
    assert {"law, slope -1.00", " _few, no slope"} <= set(drawn("zipf", drawing))


def test_sentence_lengths_by_hand(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", lengths=[0, 1, *[5] * 88, *[20] * 10]))
    drawing = prepare("sentence-lengths", [run])
    shares = {"0": 0.01, "1": 0.01, "5": 0.88, "20": 0.1}
    assert drawing.numbers.rows == [(str(length), shares.get(str(length), 0)) for length in range(21)]
    assert drawing.remark == (
        "Half of the sentences have up to 5 words, 95 % up to 20; the longest has 20. 2 % have a single word, and "
        "teach nothing."
    )
    assert {"half: ≤ 5", "95 %: ≤ 20"} <= set(drawn("sentence-lengths", drawing))


def test_long_sentences_in_wider_bars(tmp_path: Path) -> None:
    """Lengths 1 to 200, one sentence each; the last hundredth is not shown: 50 bars of 4 reach to 198."""
    drawing = prepare("sentence-lengths", [Observed(made_run(tmp_path / "run", lengths=range(1, 201)))])
    inner = [(f"{first}-{first + 3}", 4 / 200) for first in range(4, 196, 4)]
    assert drawing.numbers.rows == [("0-3", 3 / 200), *inner, ("196-198", 3 / 200)]
    assert "Half of the sentences have up to 100 words, 95 % up to 190; the longest has 200." in drawing.remark


def test_sentences_of_which_some_were_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2vcli.observed._PIECE", 2)
    monkeypatch.setattr("w2vcli.observed._MOST_PIECES", 2)
    run = Observed(made_run(tmp_path / "run", lengths=[1, 1, 9, 9, 3, 4]))
    drawing = prepare("sentence-lengths", [run])
    assert drawing.numbers.rows == [("0", 0), ("1", 0.5), ("2", 0), ("3", 0.25), ("4", 0.25)]
    assert drawing.remark.endswith(" Of 6, 4 were read.")


def test_a_text_without_sentences(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="the text has no sentences"):
        prepare("sentence-lengths", [Observed(made_run(tmp_path / "run", lengths=[]))])


@pytest.mark.parametrize(
    ("min_count", "rows"),
    [
        (4, [(1, 3, 1.0), (2, 2, 0.9), (3, 2, 0.9), (4, 1, 0.6), (5, 1, 0.6)]),
        (0, [(0, 3, 1.0), (1, 3, 1.0), (2, 2, 0.9), (3, 2, 0.9), (5, 1, 0.6)]),
        (7, [(1, 3, 1.0), (2, 2, 0.9), (3, 2, 0.9), (5, 1, 0.6), (7, 0, 0.0)]),
    ],
)
def test_coverage_by_hand(tmp_path: Path, min_count: int, rows: list[tuple[int, int, float]]) -> None:
    """The min_count that was asked for is there, even where it leaves nothing."""
    run = of_counts(tmp_path, {"a": 6, "b": 3, "c": 1}, min_count=min_count)
    drawing = prepare("coverage", [run])
    assert drawing.numbers.rows == rows
    (chosen,) = (row for row in rows if row[0] == min_count)
    share = f"{100 * chosen[2]:g}"
    assert drawing.remark == (f"min_count {min_count} leaves {chosen[1]} of 3 words, which are {share} % of the text.")
    assert "min_count" in drawn("coverage", drawing)


def test_the_pipeline_by_hand(tmp_path: Path) -> None:
    """12 of 16 million words are in the vocabulary; each has (1 + 2 + 3) / 3 words to either side on average."""
    counts = {"a": 8_000_000, "b": 4_000_000, "c": 3_000_000, "d": 1_000_000}
    settings: dict[str, Any] = {"sample": 0, "window": 3, "negative": 7, "sg": 1, "epochs": 1, "vector_size": 40}
    events = [start(sentences=1234)]
    run = Observed(made_run(tmp_path / "run", counts, events, min_count=3_500_000, **settings))
    assert numbers("pipeline", run) == [
        ("Text", "16M words", "1,234 sentences"),
        ("Vocabulary", "2 of 4", "75 % of the text"),
        ("Subsampling", "keeps 100 %", "12M an epoch"),
        ("Contexts", "3 words each side", "≤ 48M pairs"),
        ("Noise words", "7 for each pair", "by count ^ 0.75"),
        ("SGD, skip-gram", "1 epoch", "0.025 to 0.0001"),
        ("Vectors", "2 × 40", "words × dimensions"),
    ]


def test_the_pipeline_of_other_settings(tmp_path: Path) -> None:
    """Two words with half of the text each and sample 0.125: kept with sqrt(1/4) + 1/4."""
    counts = {"a": 8_000_000, "b": 8_000_000}
    settings = {"sample": 0.125, "window": 3, "shrink_windows": False, "negative": 0, "hs": 1, "epochs": 2}
    rows = numbers("pipeline", of_counts(tmp_path, counts, **settings))
    assert rows[0] == ("Text", "16M words", "")
    assert rows[2:6] == [
        ("Subsampling", "keeps 75 %", "12M an epoch"),
        ("Contexts", "3 words each side", "≤ 12M windows"),
        ("Huffman codes", "hierarchical softmax", ""),
        ("SGD, CBOW", "2 epochs", "0.025 to 0.0001"),
    ]


# ---------------------------------------------------------------- what is drawn from the text


@pytest.mark.parametrize("sample", [0, 1e-4, 1e-3, 0.1])
def test_what_subsampling_leaves_is_what_gensim_leaves(lee_observed: Observed, sample: float) -> None:
    counts = lee_observed.kept_counts
    vocab = Vocab([f"w{number}" for number in range(len(counts))], counts)
    model = build_model(vocab, Settings(sample=sample), {"sentences": 1, "words": int(counts.sum())})
    keeps = model.wv.expandos["sample_int"] / (2**32 - 1)
    assert share_left(counts, sample) == pytest.approx(float((counts * keeps).sum() / counts.sum()), abs=1e-8)
    assert 0.2 < share_left(counts, sample) <= 1


def test_subsampling_has_gensims_probabilities(lee_observed: Observed, lee_run: Path, theirs: KeyedVectors) -> None:
    rows = numbers("subsampling", lee_observed)
    counts, keeps = theirs.expandos["count"], theirs.expandos["sample_int"] / (2**32 - 1)
    assert rows[0][0] == "the"
    assert rows[-1][0] == theirs.index_to_key[-1]
    for word, count, share, kept in rows:
        number = theirs.key_to_index[word]
        assert (count, share) == (counts[number], counts[number] / counts.sum())
        assert kept == pytest.approx(keeps[number], abs=1e-8)
    left = (counts * keeps).sum()
    assert prepare("subsampling", [lee_observed]).remark == (
        f"With sample = 0.001, {100 * left / counts.sum():.3g} % of the occurrences are kept: {left / 1000:.3g}k words "
        "an epoch."
    )


def test_subsampling_by_hand(tmp_path: Path) -> None:
    run = of_counts(tmp_path, {"a": 16, "b": 4}, sample=0.2)
    assert numbers("subsampling", run) == [("a", 16, 0.8, 0.75), ("b", 4, 0.2, 1.0)]
    assert "a" in drawn("subsampling", prepare("subsampling", [run]))


def test_no_subsampling(tmp_path: Path) -> None:
    drawing = prepare("subsampling", [of_counts(tmp_path, {"a": 16, "b": 4}, sample=0)])
    assert drawing.remark == "sample is 0: every occurrence is kept."
    assert [row[-1] for row in drawing.numbers.rows] == [1, 1]


@pytest.mark.parametrize(("shrinks", "chances"), [(True, [1, 0.8, 0.6, 0.4, 0.2]), (False, [1, 1, 1, 1, 1])])
def test_windows_by_hand(tmp_path: Path, shrinks: bool, chances: list[float]) -> None:
    drawing = prepare("windows", [of_counts(tmp_path, {"a": 1}, window=5, shrink_windows=shrinks)])
    assert [distance for distance, _ in drawing.numbers.rows] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([chance for _, chance in drawing.numbers.rows], chances)
    assert {f"{chance:.0%}" for chance in chances} <= set(drawn("windows", drawing))


def test_windows_are_those_that_gensim_draws(tmp_path: Path) -> None:
    """Gensim takes a number below `window` from each window: all are as likely."""
    rows = numbers("windows", of_counts(tmp_path, {"a": 1}, window=7))
    for distance, chance in rows:
        assert chance == pytest.approx(np.mean([distance <= 7 - reduced for reduced in range(7)]))


def test_noise_by_hand(tmp_path: Path) -> None:
    """16 ** 0.75 = 8 and 16 ** 0.5 = 4."""
    run = of_counts(tmp_path, {"a": 16, "b": 1}, ns_exponent=0.5)
    drawing = prepare("noise", [run])
    assert drawing.numbers.columns == ("word", "count ^ 0", "count ^ 0.5", "count ^ 0.75", "count ^ 1")
    np.testing.assert_allclose(
        [row[1:] for row in drawing.numbers.rows], [[1 / 2, 4 / 5, 8 / 9, 16 / 17], [1 / 2, 1 / 5, 1 / 9, 1 / 17]]
    )
    assert drawing.remark == (
        "With the exponent 0.5, “a” is drawn 4 times as often as the rarest word; in the text it is 16 times as "
        "frequent."
    )
    assert {"a", "b", "count ^ 0.5 (used)", "count ^ 0.75"} <= set(drawn("noise", drawing))


def test_noise_of_all_words_but_those_left_out(tmp_path: Path) -> None:
    counts = {f"w{number}": 30 - number for number in range(30)}
    rows = numbers("noise", of_counts(tmp_path, counts, min_count=16))
    kept = np.arange(30, 15, -1.0)
    assert [row[0] for row in rows] == [f"w{number}" for number in range(10)]
    np.testing.assert_allclose([row[2] for row in rows], (kept**0.75 / (kept**0.75).sum())[:10])


def test_no_noise_words(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="was trained by hierarchical softmax, without noise words"):
        prepare("noise", [of_counts(tmp_path, {"a": 2, "b": 1}, hs=1, negative=0)])


# ---------------------------------------------------------------- the course

EVENTS = [
    start(),
    event("loss", words=0, loss=4.0),
    *(block(100 * number, speed=100 * number, alpha=round(0.03 - number / 1000, 3)) for number in range(1, 6)),
    event("loss", words=500, loss=2.0),
    event("scores", words=500, scores={"analogies": 0.1, "pairs": 0.5}),
    event("checkpoint", words=500),
    block(600),
    event("stopped", 0, reason="time"),
    start(500, "5", time=9),
    *(block(100 * number, speed=100 * number, alpha=round(0.03 - number / 1000, 3)) for number in range(6, 12)),
    event("loss", words=1100, loss=3.0),
    event("scores", words=1100, scores={"analogies": 0.2, "pairs": 0.4}),
]


def test_the_course_by_hand(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", events=EVENTS, alpha=0.04), "mine")
    drawing = prepare("training", [run])
    assert drawing.numbers.rows == [("mine", 0, 4.0, 0.04), ("mine", 500, 2.0, 0.025), ("mine", 1100, 3.0, 0.019)]
    assert drawing.remark == (
        "The loss went from 4.0000 to 3.0000, and was lowest, 2.0000, after 500 words. "
        "After 500 words training went on again (time was over), 100 words were trained anew. "
        "It is not finished, and goes on from the checkpoint after 500 words."
    )
    assert {"held-out loss", "checkpoint", "interruption", "lowest", "words trained", "↑ 4.0000 at the start"} <= set(
        drawn("training", drawing)
    )


def test_the_courses_of_two_runs(tmp_path: Path) -> None:
    one = Observed(made_run(tmp_path / "a", events=EVENTS[:8]), "_a")
    other = Observed(made_run(tmp_path / "b", events=[start(), block(100, alpha=0.01)]), "b")
    begun = Observed(made_run(tmp_path / "c"), "c")
    drawing = prepare("training", [one, other, begun])
    assert drawing.remark == (
        "_a: the loss went from 4.0000 to 2.0000. It is not finished, and goes on from its beginning. "
        "b: no loss was measured: no sentences are held out (train.heldout)."
    )
    assert [row[:3] for row in drawing.numbers.rows] == [("_a", 0, 4.0), ("_a", 500, 2.0)]
    assert " _a" in drawn("training", drawing)
    assert prepare("training", [other]).remark == "No loss was measured: no sentences are held out (train.heldout)."
    for name in ("training", "throughput"):
        with pytest.raises(MissingError, match="c: nothing has been trained yet"):
            prepare(name, [begun])


def test_throughput_by_hand(tmp_path: Path) -> None:
    """Of the speeds 100, 200, ..., 1100, one is slower than the slowest tenth, and five than half."""
    run = Observed(made_run(tmp_path / "run", events=EVENTS), "mine")
    drawing = prepare("throughput", [run])
    assert drawing.numbers.rows == [("mine", 200, 600, 1000, 11)]
    assert drawing.remark == "Half of the blocks ran at 600 words a second or more."
    assert "words a second" in drawn("throughput", drawing)
    other = Observed(made_run(tmp_path / "b", events=EVENTS[:3]), "other")
    drawing = prepare("throughput", [run, other])
    assert drawing.numbers.rows[1] == ("other", 100, 100, 100, 1)
    assert drawing.remark.endswith("other: Half of the blocks ran at 100 words a second or more.")


def test_scores_by_hand(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", events=EVENTS), "mine")
    drawing = prepare("scores", [run])
    assert drawing.numbers.rows == [
        ("mine", "analogies", 500, 0.1),
        ("mine", "analogies", 1100, 0.2),
        ("mine", "pairs", 500, 0.5),
        ("mine", "pairs", 1100, 0.4),
    ]
    assert {"analogies", "pairs"} <= set(drawn("scores", drawing))
    assert {"mine", "analogies", "pairs"} <= set(drawn("scores", prepare("scores", [run, run])))
    no_score = event("scores", words=100, scores={"a": float("nan")})
    none = Observed(made_run(tmp_path / "b", events=[*EVENTS[:3], no_score]))
    with pytest.raises(MissingError, match=r"no scores were taken during training; train\.evaluate asks for them"):
        prepare("scores", [none])


def test_more_scores_than_there_are_colours(tmp_path: Path) -> None:
    scores = {f"set {number}": number / 20 for number in range(11)}
    run = Observed(made_run(tmp_path / "run", events=[start(), event("scores", words=100, scores=scores)]))
    assert set(scores) <= set(drawn("scores", prepare("scores", [run])))


# ---------------------------------------------------------------- the vectors


def test_words_that_are_chosen_make_less_than_a_thousandth_of_the_text(lee: Path, lee_observed: Observed) -> None:
    counts = Counter(lee.read_text().split())
    words = lee_observed.vectors.words
    first = next(place for place, word in enumerate(words) if counts[word] < counts.total() / 1000)
    assert first > 50
    assert chosen_words(lee_observed, Choice()).tolist() == list(range(first, first + 12))
    assert chosen_words(lee_observed, Choice(), 5).tolist() == list(range(first, first + 5))


def test_words_that_are_asked_for(lee_observed: Observed, theirs: KeyedVectors) -> None:
    found = chosen_words(lee_observed, Choice(words=("police", "the", "police")))
    assert found.tolist() == [theirs.key_to_index["police"], 0]
    assert chosen_words(lee_observed, Choice(words=("police the", "the"))).tolist() == found.tolist()
    with pytest.raises(UnknownWordError, match="polcie"):
        chosen_words(lee_observed, Choice(words=("polcie",)))


def test_words_that_are_chosen_where_all_are_frequent(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", {"a": 5, "b": 4, "c": 3}, rows=np.eye(3)))
    assert chosen_words(run, Choice()).tolist() == [0, 1, 2]
    assert chosen_words(run, Choice(), 2).tolist() == [1, 2]


def some_vectors(number: int) -> Vectors:
    return Vectors(ListedWords([f"w{place}" for place in range(number)]), np.ones((number, 1), dtype=np.float32))


@given(st.integers(1, 3000), st.integers(1, 40), st.integers(0, 5))
def test_random_words_are_seeded_and_in_the_order_of_their_ranks(words: int, number: int, seed: int) -> None:
    vectors = some_vectors(words)
    found = random_words(vectors, number, seed).tolist()
    assert found == sorted(set(found))
    assert 0 <= found[0] <= found[-1] < words
    assert 1 <= len(found) <= number
    assert random_words(vectors, number, seed).tolist() == found


def test_random_words_are_even_over_the_logarithm_of_their_ranks() -> None:
    """One of ranks 100 to 999, one of 1,000 to 9,999; over many seeds they are many."""
    vectors = some_vectors(9_999)
    found = [random_words(vectors, 2, seed).tolist() for seed in range(60)]
    assert all(99 <= first < 999 <= second < 9_999 for first, second in found)
    for words, middle in zip(zip(*found, strict=True), (549, 5_499), strict=True):
        assert len(set(words)) > 50
        assert 15 < sum(word < middle for word in words) < 45


def test_random_words_of_few_begin_with_the_tenth_part() -> None:
    """Of 40 words the first three are left out; of nine, none."""
    assert {number for seed in range(200) for number in random_words(some_vectors(40), 9, seed)} == set(range(3, 40))
    assert random_words(some_vectors(9), 99).min() == 0


def test_an_order_of_clusters_is_scipys(theirs: KeyedVectors) -> None:
    units = unit_rows(theirs.vectors[100:130])
    distances = scipy.spatial.distance.pdist(units.astype(np.float64), "cosine")
    tree = scipy.cluster.hierarchy.linkage(distances, "average", optimal_ordering=True)
    leaves = scipy.cluster.hierarchy.leaves_list(tree).tolist()
    assert clustered(units) in (leaves, leaves[::-1])


@given(st.permutations(sorted([*range(3)] * 4)), st.integers(0, 100))
def test_planted_groups_stand_together(groups: list[int], seed: int) -> None:
    noise = 0.1 * np.random.default_rng(seed).normal(size=(12, 6))
    order = clustered(unit_rows((np.eye(3, 6)[groups] + noise).astype(np.float32)))
    assert sorted(order) == list(range(12))
    ordered = [groups[place] for place in order]
    assert sum(one != other for one, other in itertools.pairwise(ordered)) == 2


@pytest.mark.parametrize("number", [0, 1, 2])
def test_too_few_to_be_clustered(number: int) -> None:
    assert clustered(np.eye(2, dtype=np.float32)[:number]) == list(range(number))


def test_the_heatmap_is_of_cosines(lee_observed: Observed, theirs: KeyedVectors) -> None:
    asked = ("police", "israel", "cricket", "the", "government")
    drawing = prepare("heatmap", [lee_observed], Choice(words=asked))
    words = list(drawing.numbers.columns[1:])
    assert sorted(words) == sorted(asked)
    for (word, *cosines), same in zip(drawing.numbers.rows, words, strict=True):
        assert word == same
        for other, cosine in zip(words, cosines, strict=True):
            assert cosine == pytest.approx(theirs.similarity(word, other), abs=6e-4)
    mean = np.mean([theirs.similarity(one, other) for one in asked for other in asked if one != other])
    assert drawing.remark == f"The mean similarity of two of these words is {mean:.2f}."


def random_run(folder: Path, number: int) -> tuple[Observed, KeyedVectors]:
    """Return a run of so many words with random vectors, and Gensim's view of these; each occurs half as often
    as the one before."""
    rows = np.random.default_rng(number).normal(size=(number, 8)).astype(np.float32)
    words = [f"w{place}" for place in range(number)]
    counts = {word: max(1, 100_000 >> place) for place, word in enumerate(words)}
    vectors = KeyedVectors(8)
    vectors.add_vectors(words, rows)
    return Observed(made_run(folder, counts, rows=rows)), vectors


def test_the_heatmap_of_a_word_is_of_its_nearest(tmp_path: Path) -> None:
    run, vectors = random_run(tmp_path / "run", 60)
    words = [row[0] for row in numbers("heatmap", run, words=("w5",))]
    assert sorted(words) == sorted(["w5", *(word for word, _ in vectors.most_similar("w5", topn=9))])


def test_the_heatmap_that_nobody_chose_is_of_words_and_their_nearest(tmp_path: Path) -> None:
    """Of 200,000 words the tenth, with 195, is the first of those that make less than a thousandth."""
    run, vectors = random_run(tmp_path / "run", 60)
    chosen = [f"w{number}" for number in range(9, 17)]
    nearest = {word for one in chosen for word, _ in vectors.most_similar(one, topn=2)}
    assert {row[0] for row in numbers("heatmap", run)} == {*chosen, *nearest}


def test_the_heatmap_of_one_word_alone(tmp_path: Path) -> None:
    run = Observed(made_run(tmp_path / "run", {"a": 1}, rows=[[3, 4]]))
    with pytest.raises(MissingError, match="has a single word"):
        prepare("heatmap", [run])


def test_similarities_are_those_of_gensim(tmp_path: Path) -> None:
    """Of 60 words nearly all of the 1,770 pairs are drawn, and the nearest of each word."""
    run, vectors = random_run(tmp_path / "run", 60)
    drawing = prepare("similarities", [run])
    names = vectors.index_to_key
    cosines = np.array([vectors.similarity(one, other) for one, other in itertools.combinations(names, 2)])
    nearest = np.array([vectors.most_similar(word, topn=1)[0][1] for word in names])
    left, right, random, near = np.array(drawing.numbers.rows).T
    edges = np.linspace(cosines.min(), 1, 61)
    np.testing.assert_allclose([*left, right[-1]], edges, atol=1e-4)
    np.testing.assert_allclose(near, np.histogram(nearest, edges)[0] / 60, atol=1e-4)
    np.testing.assert_allclose(random, np.histogram(cosines, edges)[0] / len(cosines), atol=0.006)
    assert drawing.remark == (
        f"Two words drawn at random have a similarity of {cosines.mean():.2f} on average, a word and its nearest one "
        f"of {nearest.mean():.2f}."
    )


def test_similarities_of_words_that_are_alike(tmp_path: Path) -> None:
    """However their cosines are rounded, all pairs are in the last bar."""
    rows = np.tile(np.random.default_rng(1).normal(size=30), (40, 1))
    run = Observed(made_run(tmp_path / "run", {f"w{number}": 9 for number in range(40)}, rows=rows))
    *others, last = numbers("similarities", run)
    assert last[2:] == (1, 1)
    assert {row[2:] for row in others} == {(0, 0)}
    with pytest.raises(MissingError, match="has too few words to draw pairs of"):
        prepare("similarities", [Observed(made_run(tmp_path / "b", {"a": 2, "b": 1}, rows=np.eye(2)))])


def test_the_map_is_of_unit_vectors(tmp_path: Path) -> None:
    """The three most frequent words and one that was asked for; lengths do not matter, here to SciPy's PCA."""
    rows = np.random.default_rng(3).normal(size=(9, 5)).astype(np.float32) * np.arange(1, 10)[:, None]
    run = Observed(made_run(tmp_path / "run", dict.fromkeys("abcdefghi", 9), rows=rows))
    choice = Choice(top=5, words=("g", "b"))
    found = map_of(run, choice)
    assert found.ids.tolist() == [0, 1, 2, 3, 4, 6]
    assert [found.ids[place] for place in found.chosen] == [6, 1]
    units = rows[found.ids].astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    left, sizes, _ = scipy.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    points = left[:, :2] * sizes[:2]
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    points /= np.abs(points).max()
    points *= np.sign((points * found.points).sum(axis=0))
    np.testing.assert_allclose(found.points, points, atol=1e-5)
    assert found.remark.startswith("6 words of the checkpoint after 1,234 words. PCA: these two directions hold ")
    drawing = prepare("map", [run], choice)
    assert [row[0] for row in drawing.numbers.rows] == list("abcdeg")
    np.testing.assert_allclose([row[1:] for row in drawing.numbers.rows], points, atol=1e-4)
    assert {"g", "b"} <= set(drawn("map", drawing))


def test_words_that_were_asked_for_have_room_on_the_map(lee_observed: Observed) -> None:
    """Of words that lie on one another some are not written, but never those, unless by each other."""
    asked = ("yesterday", "afghanistan", "cricket")
    written = drawn("map", prepare("map", [lee_observed], Choice(words=asked)))
    assert "afghanistan" in written or "yesterday" in written
    assert 10 < len(written) < 1799
    assert len(set(written)) == len(written)


def test_analogies_are_gensims(lee_observed: Observed, theirs: KeyedVectors) -> None:
    rows = numbers("analogies", lee_observed, sets=[built_in("analogies"), built_in("WordSim-353")])
    total, sections = theirs.evaluate_word_analogies(datapath("questions-words.txt"), case_insensitive=True)
    own = {section: row for _, set_, section, *row in rows if set_ == "analogies"}
    assert own[""][0] == total
    for section in sections[:-1]:
        right, asked = len(section["correct"]), len(section["correct"]) + len(section["incorrect"])
        score, low, high, known, _ = own[section["section"]]
        assert known == asked
        if asked:
            assert score == right / asked
            assert low <= score <= high
        else:
            assert score is None
    _, spearman, unknown = theirs.evaluate_word_pairs(datapath("wordsim353.tsv"), case_insensitive=True)
    ((score, _, _, asked, of),) = (row[3:] for row in rows if row[1] == "WordSim-353")
    assert score == pytest.approx(spearman.statistic)
    assert (asked, of) == (round(353 * (1 - unknown / 100)), 353)


def test_analogies_of_two_runs(tmp_path: Path) -> None:
    """By hand: in the plane, queen is at king - man + woman; in the other run she is not."""
    (tmp_path / "own.txt").write_text(": royals\nman king woman queen\n: none\nx y z q\n")
    counts = {"man": 9, "king": 8, "woman": 7, "queen": 6, "far": 5}
    rows = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [-1, 0, 0.1]])
    good = Observed(made_run(tmp_path / "a", counts, rows=rows), "good")
    bad = Observed(made_run(tmp_path / "b", counts, rows=rows[[0, 1, 2, 4, 3]]), "bad")
    questions = read_analogies(tmp_path / "own.txt")
    drawing = prepare("analogies", [good, bad], Choice(sets=[questions]))
    assert [(*row[:1], *row[2:4], *row[-2:]) for row in drawing.numbers.rows] == [
        ("good", "", 1.0, 1, 2),
        ("good", "royals", 1.0, 1, 1),
        ("good", "none", None, 0, 1),
        ("bad", "", 0.0, 1, 2),
        ("bad", "royals", 0.0, 1, 1),
        ("bad", "none", None, 0, 1),
    ]
    (tmp_path / "other.txt").write_text("homme roi femme reine\n")
    with pytest.raises(MissingError, match="a: none of the questions could be asked"):
        prepare("analogies", [good], Choice(sets=[read_analogies(tmp_path / "other.txt")]))


def test_a_file_alone_has_figures_of_its_vectors(theirs: KeyedVectors, tmp_path: Path) -> None:
    theirs.save_word2vec_format(str(tmp_path / "a.txt"))
    run = Observed(tmp_path / "a.txt")
    assert {row[0] for row in numbers("heatmap", run)} > set(theirs.index_to_key[:8])  # without counts the first ones
    assert len(map_of(run, Choice(top=50)).ids) == 50
    for name in set(PLOTS) - {"map", "heatmap", "similarities", "analogies"}:
        with pytest.raises(MissingError, match=r"a\.txt: (this file does not tell|a model alone does not tell)"):
            prepare(name, [run])


# ---------------------------------------------------------------- words as they are shown


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("", "(empty)"),
        ("naïve", "naïve"),
        ("東京", "東京"),
        ("$x$", "$x$"),
        ("a\tb\n", r"a\tb\n"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066a\u2069", r"\u2066a\u2069"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("\ue000\U0010ffff", r"\ue000\U0010ffff"),
        ("soft\u00adhyphen", r"soft\xadhyphen"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("w" * 24, "w" * 24),
        ("w" * 25, "w" * 23 + "…"),
    ],
)
def test_words_are_shown_as_what_they_are(word: str, shown: str) -> None:
    assert label(word) == shown


@given(st.text(st.characters(exclude_categories=[]), max_size=60), st.integers(2, 40))
def test_nothing_that_is_shown_is_hidden(word: str, most: int) -> None:
    shown = label(word, most)
    hidden = {unicodedata.category(letter) for letter in shown.replace("\u200c", "").replace("\u200d", "")}
    assert not hidden & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert 0 < len(shown) <= max(10 * most, len("(empty)"))
    assert shown.encode()


def test_names_in_legends() -> None:
    assert (in_legend("a_b"), in_legend("_ab"), in_legend("")) == ("a_b", " _ab", "(empty)")


@given(st.integers(1, 10**7), st.integers(1, 200))
def test_places_on_a_logarithmic_axis(number: int, most: int) -> None:
    places = log_spaced(number, most).tolist()
    assert places == sorted(set(places))
    assert places[0] == 0
    assert len(places) <= most
    assert most == 1 or places[-1] == number - 1
    exact = [number ** (step / max(1, most - 1)) for step in range(most)]
    assert all(min(abs(place + 1 - one) for one in exact) <= 0.5 + 1e-6 for place in places)


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=50), st.integers(1, 60))
def test_thinned_values_are_means(values: list[int], most: int) -> None:
    found = thinned(values, most)
    assert len(found) == min(most, len(values))
    assert min(values) <= found.min() <= found.max() <= max(values)
    if len(values) <= most:
        assert found.tolist() == values
    if len(values) % most == 0:
        np.testing.assert_allclose(found, np.reshape(values, (most, -1)).mean(axis=1))


def test_similarities_are_of_250_words_of_a_large_vocabulary(tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(12_000, 3))
    counts = {f"w{number}": 1 for number in range(12_000)}
    found = numbers("similarities", Observed(made_run(tmp_path / "run", counts, rows=rows)))
    asked = [250 * nearest for *_, nearest in found]
    np.testing.assert_allclose(asked, np.round(asked), atol=0.02)
    assert sum(asked) == pytest.approx(250, abs=0.5)


def test_a_map_is_of_one_run_and_a_plot_of_eight_at_most(lee_observed: Observed) -> None:
    with pytest.raises(ConfigError, match="this plot shows one run; here are 2"):
        prepare("map", [lee_observed] * 2)
    with pytest.raises(ConfigError, match="a plot compares 8 runs at most; here are 9"):
        prepare("zipf", [lee_observed] * 9)


def test_what_grew_is_counted_by_its_new_text(tmp_path: Path) -> None:
    """1,000 words of text, of which 3/4 are in the vocabulary as they are of its model and its text together."""
    counts = {"a": 6_000_000, "b": 2_000_000}
    events = [start(words=1000, sentences=10, grown_from="base")]
    run = Observed(made_run(tmp_path / "run", counts, events, min_count=3_000_000, sample=0))
    assert numbers("pipeline", run)[:3] == [
        ("Text", "1,000 words", "10 sentences"),
        ("Vocabulary", "1 of 2", "75 % of the text"),
        ("Subsampling", "keeps 100 %", "750 an epoch"),
    ]


def test_max_final_vocab_is_marked_where_it_cuts(tmp_path: Path) -> None:
    run = of_counts(tmp_path, {"a": 9, "b": 8, "c": 3, "d": 2}, max_final_vocab=2)
    assert prepare("coverage", [run]).remark == (
        "max_final_vocab, which makes min_count 4, leaves 2 of 4 words, which are 77.3 % of the text."
    )


# ---------------------------------------------------------------- as files


def test_letters_that_no_font_has_are_told_of(tmp_path: Path) -> None:
    """Cuneiform; in an SVG it is text, and the reader's fonts are taken."""
    drawing = prepare("top-words", [of_counts(tmp_path, {"\U00012000\U00012001": 3, "a": 1})])
    for ending in (".png", ".svg"):
        with style():
            problem = saving.save(figure_of("top-words", drawing), tmp_path / f"a{ending}")
        assert (problem is None) == (ending == ".svg")
    assert "\U00012000\U00012001" in texts((tmp_path / "a.svg").read_text())


HOSTILE = ["$\\frac{", "<script>alert(1)</script>", "\u202ereversed", "a&b", '"', "$x$", "#0072b2", "]]>", "%s{}"]
"""What a vocabulary may hold: no white space, but anything else."""


def _named(row: Any) -> str:
    """Return the name of a score, as it stands in the figure of scores, by its row."""
    return f"{row[2] or row[1]} ({row[6]:,})"


EXPECTED: dict[str, Callable[[Any, list[str]], set[str]]] = {
    "pipeline": lambda rows, words: {text for row in rows for text in row if text},
    "top-words": lambda rows, words: {*words[:20], "6.89 %", "2.81 %", "count, and share of the text"},
    "zipf": lambda rows, words: {"rank", "count", "slope -0.90", "1k"},
    "sentence-lengths": lambda rows, words: {"half: ≤ 22", "95 %: ≤ 38", "words in a sentence"},
    "coverage": lambda rows, words: {"min_count", "● share of the text", "90%", "100"},
    "subsampling": lambda rows, words: {"the", "share of the text", "probability of being kept"},
    "windows": lambda rows, words: {"80%", "60%", "40%", "20%", "1", "2", "3", "4", "5"},
    "noise": lambda rows, words: {*words[:10], "count ^ 0", "count ^ 0.75 (used)", "count ^ 1"},
    "training": lambda rows, words: {
        "held-out loss",
        "words trained",
        "● held-out loss",
        "- - learning rate",
        "lowest",
    },
    "throughput": lambda rows, words: {"words trained", "words a second"},
    "map": lambda rows, words: set(),
    "heatmap": lambda rows, words: {row[0] for row in rows},
    "similarities": lambda rows, words: {"two words at random", "a word and its nearest", "cosine similarity"},
    "analogies": lambda rows, words: {_named(row) for row in rows if row[6] and (row[2] or row[1] != "analogies")},
}
"""What is written in the figures of the finished run, by their numbers and its words."""


@pytest.mark.parametrize("name", EXPECTED)
def test_a_figure_as_files_and_in_a_page(
    name: str, lee_observed: Observed, theirs: KeyedVectors, tmp_path: Path
) -> None:
    drawing = prepare(name, [lee_observed])
    figure = figure_of(name, drawing)
    files = [tmp_path / f"a{ending}" for ending in saving.ENDINGS]
    with style():
        for file in files:
            saving.check(file)
            saving.save(figure, file)
        page = inline_svg(figure)
    svg, pdf, png = (file.read_bytes() for file in files)
    written = texts(svg.decode())
    assert EXPECTED[name](drawing.numbers.rows, theirs.index_to_key) <= set(written)
    if name == "map":
        assert len(set(written) & set(theirs.index_to_key)) == len(written) > 10
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert b"CreationDate" not in pdf  # which would make it another file tomorrow
    assert b"dc:date" not in svg
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == round(200 * figure.get_figwidth())
    assert int.from_bytes(png[20:24], "big") == pytest.approx(200 * figure.get_figwidth() * PLOTS[name].aspect, abs=1)
    assert texts(page) == written
    tags = re.findall(r"<[^>]*>", page)
    assert not [tag for tag in tags for colour in COLOURS.values() if colour in tag]
    assert "var(--ink)" in page
    assert set(re.findall(r"font-family: ([^;\"]*)", page)) <= {"sans-serif"}
    assert ET.fromstring(page).keys() == ["viewBox"]
    assert not re.search("xmlns|http|xlink|<metadata|<!DOCTYPE|<script", page)
    assert all(link.startswith("#") for link in re.findall(r"href=\"([^\"]*)", page))


def test_a_figure_drawn_twice_is_the_same_file(tmp_path: Path) -> None:
    run = of_counts(tmp_path, {"a": 2, "b": 1})
    figures = [figure_of("top-words", prepare("top-words", [run]), NARROW) for _ in range(2)]
    with style():
        for ending in saving.ENDINGS:
            one, other = (tmp_path / f"{name}{ending}" for name in ("one", "other"))
            saving.save(figures[0], one)
            saving.save(figures[1], other)
            assert one.read_bytes() == other.read_bytes()
        assert inline_svg(figures[0]) == inline_svg(figures[1])


@pytest.mark.parametrize("name", ["top-words", "subsampling", "noise", "heatmap", "map"])
def test_words_made_to_do_harm_are_written_as_text(name: str, tmp_path: Path) -> None:
    """No formula, no markup, no colour is read in them, and the file is well-formed."""
    rows = np.eye(len(HOSTILE))
    counts = {word: 10 ** (len(HOSTILE) - place) for place, word in enumerate(HOSTILE)}
    run = Observed(made_run(tmp_path / "run", counts, rows=rows))
    figure = figure_of(name, prepare(name, [run]), FULL)
    with style():
        saving.save(figure, tmp_path / "a.svg")
        written = set(texts((tmp_path / "a.svg").read_text(encoding="utf-8")))
        assert set(texts(inline_svg(figure))) == written
        saving.save(figure, tmp_path / "a.pdf")
    if name in ("top-words", "noise", "heatmap"):
        most = 14 if name == "top-words" else 12
        assert {label(word, most) for word in HOSTILE} <= written
        assert {"$\\frac{", "$x$", "#0072b2", label("\u202ereversed", most), "a&b"} <= written
    else:
        assert label(HOSTILE[0]) in written
    assert "<script>" in label(HOSTILE[1], 12)


def test_figures_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match=r"a\.jpg: a plot's name ends in \.svg, \.pdf, \.png"):
        saving.check(tmp_path / "a.jpg")
    with pytest.raises(W2VError, match=r"a\.pdf: a plot's name ends in \.svg"):
        saving.check(tmp_path / "a.pdf", (".svg",))
    with pytest.raises(W2VError, match="gone"):
        saving.check(tmp_path / "gone" / "a.svg")


# ---------------------------------------------------------------- the registry


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_says_what_it_is(name: str, tmp_path: Path) -> None:
    plot = PLOTS[name]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert plot.title
    assert not plot.title.endswith(".")
    assert plot.look_for.endswith(".")
    assert plot.look_for[0].isupper()
    runs = [Observed(made_run(tmp_path / name)) for name in "ab"]
    if plot.several:
        with pytest.raises(MissingError):  # and not for being two
            prepare(name, runs)
    else:
        with pytest.raises(ConfigError, match="this plot shows one run; here are 2"):
            prepare(name, runs)


@pytest.mark.parametrize("width", [FULL, NARROW])
def test_a_figure_is_as_wide_as_wanted(width: float, tmp_path: Path) -> None:
    run = of_counts(tmp_path, {"a": 2, "b": 1})
    figure = figure_of("windows", prepare("windows", [run]), width)
    aspect = PLOTS["windows"].aspect if width == FULL else PLOTS["windows"].narrow_aspect
    assert figure.get_size_inches().tolist() == pytest.approx([width, width * aspect])


def test_the_style_is_left_behind() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with style():
        assert matplotlib.rcParams["svg.fonttype"] == "none"
        assert matplotlib.rcParams["text.parse_math"] is False
    assert dict(matplotlib.rcParams) == before
