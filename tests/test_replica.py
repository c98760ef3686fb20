"""Replicas of a model that exchange what they have learned, in one process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec

from w2vcli.corpus import Block
from w2vcli.engines import create
from w2vcli.engines.cluster_engine import cut
from w2vcli.engines.merging import Rule
from w2vcli.engines.replica import About, Replica, StaleError, Token, Work

WORDS, STEP_WORDS = 200, 600
SHARDS = 2


@pytest.fixture(scope="module")
def model() -> Any:
    model = Word2Vec(vector_size=20, min_count=1, sg=1, sample=0, window=2, seed=3)
    model.build_vocab_from_freq({f"w{number}": 1 + 4000 // (number + 1) for number in range(WORDS)})
    return model


def text(seed: int, words: int = STEP_WORDS) -> Block:
    rng = np.random.default_rng(seed)
    ids = np.minimum(rng.zipf(1.3, words) - 1, WORDS - 1).astype(np.int32)
    starts = np.arange(0, words, 20)
    return Block(ids, starts, starts + 20)


def replicas(model: Any, number: int, dtype: str = "float32") -> tuple[list[Replica], Rule]:
    rule = Rule.of(model, STEP_WORDS)
    assert 0 < len(rule.hot()[0]) < WORDS
    assert 0 < len(rule.hot()[1]) <= WORDS
    about, matrices = About.of(model), (model.wv.vectors, model.syn1neg)
    return [Replica(about, matrices, create("numba"), 1, rule.hot(), SHARDS, dtype) for _ in range(number)], rule


def step(team: list[Replica], rule: Rule, token: Token, number: int, is_last: bool, whole: int) -> int:
    """Have all train a step and exchange what they found."""
    works = [Work(text(100 * number + place), 0.025, 0.02, (token.round, number, place)) for place in range(len(team))]
    found = [replica.train(token, work, is_last) for replica, work in zip(team, works, strict=True)]
    told = ([STEP_WORDS] * len(team), [whole] * len(team), "float32")
    merged = [
        (
            rule.merged(0, [shards[shard][0] for _, shards in found], *told),
            rule.merged(1, [shards[shard][1] for _, shards in found], *told),
        )
        for shard in range(SHARDS)
    ]
    for replica in team:
        replica.apply(token, merged)
    return sum(trained for trained, _ in found)


def bits(replica: Replica) -> list[bytes]:
    return [matrix.tobytes() for matrix in (*replica.matrices(), *replica._own())]


def test_after_a_round_all_are_the_same_and_have_learned(model: Any) -> None:
    team, rule = replicas(model, 3)
    before = bits(team[0])
    assert step(team, rule, Token(1, 0), 0, False, STEP_WORDS) == 3 * STEP_WORDS
    assert bits(team[0]) != bits(team[1])  # of rows that are not hot each has its own
    hot = rule.hot()
    for matrix in (0, 1):
        own = [replica._own()[matrix] for replica in team]
        assert np.array_equal(own[0][hot[matrix]], own[1][hot[matrix]])
        assert np.array_equal(own[0][hot[matrix]], team[0].matrices()[matrix][hot[matrix]])
    step(team, rule, Token(1, 0), 1, True, 2 * STEP_WORDS)
    assert bits(team[0]) == bits(team[1]) == bits(team[2])
    assert bits(team[0])[:2] == bits(team[0])[2:]
    assert bits(team[0]) != before


def test_one_alone_trains_as_its_engine_does(model: Any) -> None:
    (alone,), rule = replicas(model, 1)
    step([alone], rule, Token(1, 0), 0, True, STEP_WORDS)
    other = About.of(model)
    (same,), _ = replicas(model, 1)
    engine = create("numba")
    engine.train_block(same._model, text(0), 0.025, 0.02, np.random.default_rng((1, 0, 0)))
    assert other.counts.sum() == sum(model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key)
    assert not np.array_equal(alone.matrices()[0], model.wv.vectors)
    for mine, its in zip(alone.matrices(), same._own(), strict=True):
        assert np.allclose(mine, its, atol=1e-6)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_round_that_is_done_again_gives_the_same_bits(model: Any, done: int) -> None:
    """After none of its steps, one, all, or part of the first one."""
    team, rule = replicas(model, 2)
    step(team, rule, Token(1, 0), 0, True, STEP_WORDS)
    other, _ = replicas(model, 2)
    step(other, rule, Token(1, 0), 0, True, STEP_WORDS)
    if done == 3:
        other[0].train(Token(2, 0), Work(text(7), 0.1, 0.1, (1,)), False)
    for number in range(min(done, 2)):
        step(other, rule, Token(2, 0), number, number == 1, (number + 1) * STEP_WORDS)
    for replica in other:
        replica.go_back(Token(2, 1))
    assert bits(other[0]) == bits(other[1]) == bits(team[0])
    for both, token in ((team, Token(2, 0)), (other, Token(2, 1))):
        step(both, rule, token, 0, False, STEP_WORDS)
        step(both, rule, token, 1, True, 2 * STEP_WORDS)
    assert bits(other[0]) == bits(team[0])


def test_what_was_given_up_is_refused(model: Any) -> None:
    (alone,), _ = replicas(model, 1)
    alone.go_back(Token(3, 2))
    with pytest.raises(StaleError):
        alone.train(Token(3, 1), Work(text(1), 0.1, 0.1, (1,)), True)
    with pytest.raises(StaleError):
        alone.apply(Token(2, 5), [])


def test_a_block_is_cut_between_sentences() -> None:
    block = text(1)
    assert [len(part) for part in cut(block, 4)] == [160, 140, 160, 140]
    parts = cut(block, 7)
    assert np.concatenate([part.starts for part in parts]).tolist() == block.starts.tolist()
    assert [len(part) for part in cut(Block(block.ids, block.starts[:1], block.ends[:1]), 3)] == [20, 0, 0]
    assert [len(part) for part in cut(Block(block.ids, block.starts[:0], block.ends[:0]), 2)] == [0, 0]
