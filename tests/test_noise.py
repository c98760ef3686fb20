from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from w2vcli.engines.noise import GROUPS, alias_table, groups, tables


def zipf(size: int) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = np.arange(1, size + 1, dtype=np.float64) ** -0.75
    weights /= weights.sum()
    return weights


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60))
def test_the_alias_table_is_the_distribution(weights: list[float]) -> None:
    """What the columns give to each word, added up, is its probability."""
    probabilities = np.array(weights) / sum(weights)
    accept, alias = alias_table(probabilities)
    own = (accept.astype(np.float64) + 1) / 2**32
    given_out = np.bincount(alias, 1 - own, len(weights)) + own
    np.testing.assert_allclose(given_out / len(weights), probabilities, atol=1e-8)


weights = st.lists(st.one_of(st.floats(1e-6, 1e-3), st.floats(1e-6, 1e3)), min_size=1, max_size=300)


@given(weights)
def test_over_the_groups_every_word_has_its_probability(weights: list[float]) -> None:
    probabilities = np.array(weights) / sum(weights)
    given_out = np.zeros(len(weights))
    for words, share in groups(probabilities):
        assert share.sum() == pytest.approx(1)
        assert len(set(words.tolist())) == len(words)
        given_out[words] += share
    np.testing.assert_allclose(given_out / GROUPS, probabilities, atol=1e-12)


def test_how_many_groups_a_word_is_in() -> None:
    """Every one, every 2nd or 16th; the few words that stand on a cut, twice as many."""
    probabilities = np.repeat([0.04, 0.02, 0.0008, 0.368 / 40_000], [10, 10, 40, 40_000])
    times = np.bincount(np.concatenate([words for words, _ in groups(probabilities)]))
    for words, expected in [((0, 10), 16), ((10, 20), 8), ((20, 60), 8), ((60, 40_060), 1)]:
        assert np.median(times[slice(*words)]) == expected
        assert set(times[slice(*words)].tolist()) <= {expected, 2 * expected}


def test_even_and_odd_groups_have_few_words_in_common() -> None:
    """None of these words is so frequent that it is in all; those that stand on a cut are in two in succession."""
    members = [{word for words, _ in groups(zipf(40_000))[first::2] for word in words.tolist()} for first in (0, 1)]
    assert len(members[0] | members[1]) == 40_000
    assert len(members[0] & members[1]) <= 1 + 15


def test_few_words_are_in_every_group() -> None:
    assert all(sorted(words.tolist()) == [0, 1, 2] for words, _ in groups(np.array([0.5, 0.3, 0.2])))


def test_tables_are_those_of_the_groups() -> None:
    probabilities = zipf(5000)
    words, accept, alias, starts = tables(probabilities)
    assert starts[-1] == len(words) == len(accept) == len(alias)
    for group, (members, share) in enumerate(groups(probabilities)):
        columns = slice(starts[group], starts[group + 1])
        assert words[columns].tolist() == members.tolist()
        own = (accept[columns].astype(np.float64) + 1) / 2**32
        drawn = np.bincount(words[columns], own, 5000) + np.bincount(alias[columns], 1 - own, 5000)
        np.testing.assert_allclose(drawn[members] / len(members), share, atol=1e-8)
        assert drawn.sum() == pytest.approx(len(members))
