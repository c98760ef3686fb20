"""How changes of several workers become one, against values worked out by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.engines.merging import HOT_UPDATES, Deltas, Rule, changed, packed


def rows(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int32)


def deltas(values: dict[int, list[float]]) -> Deltas:
    return Deltas(rows(*values), np.array(list(values.values()), dtype=np.float32).reshape(len(values), -1))


def rule(*updates: float, hot: tuple[bool, ...] | None = None) -> Rule:
    """Return a rule by which a word of text is so many times tau updates of each row."""
    rates = np.array(updates) * 10.0
    is_hot = np.array(hot or [False] * len(updates))
    return Rule((rates, rates), (is_hot, is_hot), tau=10.0)


def merged(rule: Rule, *some: Deltas, step: int = 1, whole: int = 1) -> dict[int, list[float]]:
    found = rule.merged(0, some, [step] * len(some), [whole] * len(some), "float32")
    return dict(zip(found.rows.tolist(), found.values.tolist(), strict=True))


def test_one_worker_alone_changes_nothing() -> None:
    assert merged(rule(5.0, 0.001), deltas({0: [2.0], 1: [3.0]})) == {0: [2.0], 1: [3.0]}


def test_half_of_the_way_by_each_of_two_is_three_quarters_of_it() -> None:
    half = np.log(2.0)  # in units of tau: 1 - exp(-log 2) = 1/2
    found = merged(rule(half), deltas({0: [8.0]}), deltas({0: [8.0]}))  # of a way of 16
    assert found[0] == pytest.approx([12.0])


def test_few_updates_are_summed_and_many_averaged() -> None:
    found = merged(rule(1e-9, 50.0), *[deltas({0: [1.0], 1: [1.0]})] * 4)
    assert found[0] == pytest.approx([4.0])
    assert found[1] == pytest.approx([1.0])


def test_only_those_that_touched_a_row_count() -> None:
    found = merged(rule(50.0, 50.0, 50.0), deltas({0: [1.0], 2: [4.0]}), deltas({1: [3.0], 2: [2.0]}))
    assert found == {0: [1.0], 1: [3.0], 2: pytest.approx([3.0])}


def test_workers_that_trained_less_have_less_of_a_share() -> None:
    # 1/2 and 3/4 of the way of 16; together 1 - 1/2 * 1/4 = 7/8 of it
    both = [deltas({0: [8.0]}), deltas({0: [12.0]})]
    found = rule(np.log(2.0)).merged(0, both, [1, 2], [1, 2], "float32")
    assert found.values.tolist() == [pytest.approx([14.0])]


def test_hot_rows_count_the_words_of_a_step_and_others_those_of_the_round() -> None:
    half = np.log(2.0)
    both = [deltas({0: [8.0], 1: [8.0]})] * 2
    found = merged(rule(half, half / 2, hot=(True, False)), *both, step=1, whole=2)
    assert found == {0: pytest.approx([12.0]), 1: pytest.approx([12.0])}
    found = merged(rule(half, half / 2, hot=(True, True)), *both, step=1, whole=2)
    share = 1 - np.sqrt(0.5)
    assert found[1] == pytest.approx([16 * 0.5 / (2 * share)])


@pytest.mark.parametrize("negative", [0, 5])
def test_the_expected_updates(negative: int) -> None:
    wv = SimpleNamespace(expandos={"count": np.array([6, 2])})
    model = SimpleNamespace(wv=wv, sample=0, window=2, shrink_windows=0, sg=1, ns_exponent=1.0, negative=negative)
    found = Rule.of(model, 1.0)
    # four contexts of each centre; of a hundred words 75 are the first, which is 3/4 of the noise words too
    assert found.rates[0].tolist() == [3.0, 1.0]
    assert found.rates[1].tolist() == [3.0 + 4 * negative * 0.75, 1.0 + 4 * negative * 0.25]
    model.shrink_windows, model.sg = 1, 0
    found = Rule.of(model, 1.0)  # contexts: a half of the window's on average, and one more
    assert found.rates[0].tolist() == [0.75 * 3, 0.25 * 3]
    assert found.rates[1].tolist() == [0.75 * (1 + negative), 0.25 * (1 + negative)]
    assert Rule.of(model, HOT_UPDATES).hot()[0].tolist() == [0]
    assert Rule.of(model, 2 * HOT_UPDATES).hot()[0].tolist() == [0, 1]


def test_how_many_rows_are_exchanged() -> None:
    rates = np.array([np.log(2.0), np.log(2.0) / 5])
    found = Rule((rates, rates), (np.array([True, False]), np.array([False, False]))).exchanged(5, 1.0)
    # inputs: in each of five steps with a chance of 1/2, once in the round with 1/2; outputs: 31/32 and 1/2
    assert found == pytest.approx(5 / 2 + 1 / 2 + 31 / 32 + 1 / 2)


def test_changed_rows() -> None:
    before = np.zeros((5, 40), dtype=np.float32)
    now = before.copy()
    now[[1, 4]] += np.linspace(-1, 1, 40, dtype=np.float32)
    assert changed(now, before).tolist() == [1, 4]
    assert changed(now, before, rows(0, 1, 3)).tolist() == [1]


@given(st.lists(st.floats(-32, 32, width=32), min_size=1, max_size=20), st.integers(1, 5))
def test_what_is_sent_is_what_was_changed(values: list[float], shards: int) -> None:
    column = np.array(values, dtype=np.float32)[:, None]
    numbers = np.arange(len(values), dtype=np.int32) * 3
    exact = packed(numbers, column, "float32")
    assert exact.floats().tolist() == column.tolist()
    half = packed(numbers, column, "float16")
    # eleven bits of each number, and nothing below 2^-34
    assert np.abs(half.floats() - column).max() <= np.abs(column).max() * 2.0**-11 + 2.0**-34
    assert half.nbytes == len(values) * (4 + 2)
    parts = [exact.of_shard(shard, shards) for shard in range(shards)]
    assert all((part.rows % shards == shard).all() for shard, part in enumerate(parts))
    assert sorted(row for part in parts for row in part.rows.tolist()) == numbers.tolist()
    assert sum(len(part.values) for part in parts) == len(values)
