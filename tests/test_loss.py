from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli import encoding, loss
from w2vcli.config import Word2Vec
from w2vcli.corpus import Block, Corpus
from w2vcli.engines.reference import pair_loss
from w2vcli.errors import W2VError
from w2vcli.gensim_model import build_model
from w2vcli.loss import HeldOut
from w2vcli.sources import expand
from w2vcli.vocab import Vocab, noise_probabilities

COUNTS = [50, 40, 30, 20, 10, 5]


def block_of(sentences: list[list[int]]) -> Block:
    offsets = np.cumsum([0] + [len(ids) for ids in sentences])
    return Block(np.array([i for ids in sentences for i in ids], dtype=np.int32), offsets[:-1], offsets[1:])


def model_of(trained: bool = True, counts: list[int] = COUNTS, **settings: Any) -> Any:
    vocab = Vocab([f"w{i}" for i in range(len(counts))], np.array(counts))
    options = {"sg": 1, "sample": 0.0, "min_count": 1, "vector_size": 8, "window": 2, "negative": 3, **settings}
    model = build_model(vocab, Word2Vec(**options), {"sentences": 1, "words": sum(counts)})
    if trained:
        rng = np.random.default_rng(4)
        for array in (model.wv.vectors, getattr(model, "syn1neg", None), getattr(model, "syn1", None)):
            if array is not None:
                array[...] = rng.normal(0, 1.5, array.shape)
    return model


SENTENCES = [[0, 1, 2, 3], [4, 0], [5], [], [2, 1, 0, 5, 3, 3]]
BLOCK = block_of(SENTENCES)


# ---------------------------------------------------------------- the loss


@pytest.mark.parametrize("settings", [{"sg": 1}, {"sg": 0}, {"negative": 7}])
def test_an_untrained_model_has_k_plus_1_log_2(settings: dict[str, Any]) -> None:
    model = model_of(trained=False, **settings)
    held_out = HeldOut(model, BLOCK)
    assert held_out.untrained == pytest.approx((model.negative + 1) * np.log(2), abs=1e-12)
    assert held_out.loss(model) == pytest.approx(held_out.untrained, abs=1e-12)


@pytest.mark.parametrize("settings", [{"sg": 1}, {"sg": 0, "cbow_mean": 1}, {"sg": 0, "cbow_mean": 0}])
@pytest.mark.parametrize("padded", [False, True])
def test_it_is_the_references(settings: dict[str, Any], padded: bool) -> None:
    """Pair by pair, and with rows that are not contiguous, as the numba engine leaves them."""
    model = model_of(**settings)
    held_out = HeldOut(model, BLOCK)
    examples = held_out.examples["syn1neg"]
    losses = []
    for number in range(len(held_out)):
        inputs = examples.inputs[slice(*examples.input_starts[number : number + 2])]
        span = slice(*examples.output_starts[number : number + 2])
        u = model.wv.vectors[inputs].astype(np.float64).sum(axis=0) / (len(inputs) if model.cbow_mean else 1)
        centre, *noise = examples.outputs[span]
        assert examples.labels[span].tolist() == [1] + [-1] * model.negative
        assert centre not in noise
        losses.append(pair_loss(u, model.syn1neg[centre].astype(np.float64), model.syn1neg[noise].astype(np.float64)))
    assert len(losses) > 8
    if padded:
        model.wv.vectors = np.pad(model.wv.vectors, ((0, 0), (0, 5)))[:, :8]
        model.syn1neg = np.pad(model.syn1neg, ((0, 0), (0, 5)))[:, :8]
    assert held_out.loss(model) == pytest.approx(np.mean(losses), abs=1e-12)


def table_log_sigmoid(x: float) -> float:
    """Look log s(x) up as Gensim's kernels do: 1000 entries over -6 to 6, found with a factor cut to 83."""
    entry = int((np.float32(x) + 6) * 83)
    return float(-np.log1p(np.exp(-(entry / 1000 * 2 - 1) * 6)))


@pytest.mark.parametrize("sg", [0, 1])
def test_of_hierarchical_softmax_it_is_gensims_own_score(sg: int) -> None:
    """Gensim scores sentences by the log probability of their pairs, in full windows, looked up in a coarse table."""
    model = model_of(sg=sg, hs=1, negative=0, shrink_windows=False)
    model.wv.vectors *= 0.2  # beyond +-6 Gensim passes over a node
    held_out = HeldOut(model, BLOCK)
    inputs, input_starts, nodes, node_starts, labels = held_out.examples["syn1"]
    exact = by_table = 0.0
    for (a, b), (first, last) in zip(itertools.pairwise(input_starts), itertools.pairwise(node_starts), strict=True):
        u = model.wv.vectors[inputs[a:b]].astype(np.float64).mean(axis=0)
        for node, label in zip(nodes[first:last], labels[first:last], strict=True):
            score = label * float(u @ model.syn1[node])
            exact += np.log1p(np.exp(-score))
            by_table -= table_log_sigmoid(score)
    sentences = [[f"w{i}" for i in ids] for ids in SENTENCES if len(ids) > 1]
    scores = model.score(sentences, total_sentences=len(sentences))
    assert by_table == pytest.approx(-float(scores.astype(np.float64).sum()), rel=1e-4)
    assert (held_out.loss(model) or 0) * len(held_out) == pytest.approx(exact, abs=1e-10)


def test_with_both_it_is_the_sum() -> None:
    both = model_of(hs=1, negative=3)
    found = HeldOut(both, BLOCK).loss(both)
    alone = []
    for name, hs, negative in (("syn1", 1, 0), ("syn1neg", 0, 3)):
        model = model_of(hs=hs, negative=negative)
        model.wv.vectors, array = both.wv.vectors, getattr(both, name)
        setattr(model, name, array)
        alone.append(HeldOut(model, BLOCK).loss(model) or 0)
    assert found == pytest.approx(sum(alone), abs=1e-12)


def test_large_scores_do_not_overflow() -> None:
    model = model_of()
    model.wv.vectors *= 1e4
    found = HeldOut(model, BLOCK).loss(model)
    assert found is not None
    assert 1000 < found < np.inf


def test_it_is_the_same_for_any_number_of_workers() -> None:
    one, four = model_of(workers=1), model_of(workers=4)
    assert HeldOut(one, BLOCK).loss(one) == HeldOut(four, BLOCK).loss(four)


@pytest.mark.parametrize("sentences", [[], [[1]], [[], [2], []]])
@pytest.mark.parametrize("settings", [{"sg": 1}, {"sg": 0}, {"hs": 1, "negative": 0}])
def test_sentences_without_a_pair_have_none(sentences: list[list[int]], settings: dict[str, Any]) -> None:
    model = model_of(**settings)
    assert HeldOut(model, block_of(sentences)).loss(model) is None


# ---------------------------------------------------------------- the pairs


def pairs(model: Any, block: Block) -> Counter[tuple[int, int]]:
    examples = HeldOut(model, block).examples["syn1neg"]
    return Counter(zip(examples.outputs[examples.output_starts[:-1]].tolist(), examples.inputs.tolist(), strict=True))


def test_pairs_by_hand() -> None:
    model = model_of(shrink_windows=False)
    assert pairs(model, block_of([[0, 1, 2, 3], [4, 5]])) == Counter(
        [(0, 1), (0, 2), (1, 0), (1, 2), (1, 3), (2, 0), (2, 1), (2, 3), (3, 1), (3, 2), (4, 5), (5, 4)]
    )
    cbow = HeldOut(model_of(sg=0, shrink_windows=False), block_of([[0, 1, 2, 3], [4, 5]])).examples["syn1neg"]
    starts = cbow.input_starts
    contexts = [cbow.inputs[a:b].tolist() for a, b in itertools.pairwise(starts)]
    assert contexts == [[1, 2], [0, 2, 3], [0, 1, 3], [1, 2], [5], [4]]
    assert cbow.outputs[cbow.output_starts[:-1]].tolist() == [0, 1, 2, 3, 4, 5]


def test_words_that_are_not_the_models_are_passed_over() -> None:
    model = model_of(shrink_windows=False, window=1)
    assert pairs(model, block_of([[0, 77, 1]])) == pairs(model, block_of([[0, 1]]))


def test_windows_shrink_as_in_training() -> None:
    """At distance d a context is taken with probability (window - d + 1) / window."""
    model = model_of(window=4)
    found = pairs(model, block_of([[0, 1, 2, 3, 4]] * 8000))
    shares = [found[0, distance] / 8000 for distance in range(1, 5)]
    np.testing.assert_allclose(shares, [1, 0.75, 0.5, 0.25], atol=0.02)


def test_subsampling_is_that_of_training() -> None:
    from w2vcli.vocab import keep_probabilities

    model = model_of(sg=0, sample=0.02, window=1)
    keep = keep_probabilities(np.array(COUNTS), 0.02)
    found = len(HeldOut(model, block_of([[0, 5]] * 20_000)))
    assert found == pytest.approx(2 * 20_000 * keep[0] * keep[5], rel=0.03)


def test_noise_follows_its_distribution_without_the_centre() -> None:
    model = model_of(window=1, negative=5)
    examples = HeldOut(model, block_of([[0, 1]] * 5000)).examples["syn1neg"]
    of_0 = examples.outputs.reshape(-1, 6)[examples.outputs.reshape(-1, 6)[:, 0] == 0][:, 1:]
    expected = noise_probabilities(np.array(COUNTS), 0.75)
    expected[0] = 0
    np.testing.assert_allclose(np.bincount(of_0.ravel(), minlength=6) / of_0.size, expected / expected.sum(), atol=0.01)


def test_noise_that_can_only_be_the_centre_is_dropped() -> None:
    model = model_of(counts=[10**6, 1], ns_exponent=10.0)
    examples = HeldOut(model, block_of([[0, 1]])).examples["syn1neg"]
    assert examples.output_starts.tolist() == [0, 1, 5]
    assert examples.outputs.tolist() == [0, 1, 0, 0, 0]


# ---------------------------------------------------------------- the sentences


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(1)
    lines = [" ".join(f"w{i}" for i in rng.integers(9, size=rng.integers(1, 40))) for _ in range(3000)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")
    for _ in encoding.encode(expand([folder / "text.txt"]), folder / "corpus", folder / "vocab.tsv"):
        pass
    return Corpus(folder / "corpus")


@given(st.integers(0, 1500), st.integers(0, 1500), st.integers(0, 2**32 - 1))
def test_samples_are_nested_and_seeded(corpus: Corpus, a: int, b: int, seed: int) -> None:
    small, large = sorted((a, b))
    drawn = [loss.sample(corpus, size, seed) for size in (small, large)]
    assert [len(set(numbers.tolist())) for numbers in drawn] == [small, large]
    assert set(drawn[0].tolist()) <= set(drawn[1].tolist())
    assert drawn[1].tolist() == sorted(loss.sample(corpus, large, seed).tolist())


def test_how_many_are_held_out_by_default(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(loss.sample(corpus, None, 1)) == 30
    monkeypatch.setattr(loss, "AUTO_SENTENCES", 7)
    assert len(loss.sample(corpus, None, 1)) == 7
    monkeypatch.setattr(loss, "AUTO_WORDS", 100)
    chosen = loss.sample(corpus, None, 1)
    assert 1 <= len(chosen) < 7
    assert len(corpus.sentences(chosen.tolist())) <= 100


def test_more_than_half_cannot_be_held_out(corpus: Corpus) -> None:
    with pytest.raises(W2VError, match=r"train.heldout: 1501 of the corpus' 3000 sentences; hold out half"):
        loss.sample(corpus, 1501, 1)


def test_sentences_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("w0 w1 unknown w2\n\nunknown\nw3 w4\n")
    model = model_of()
    block = loss.read_sentences(str(tmp_path / "a.txt"), model)
    assert [block.ids[a:b].tolist() for a, b in zip(block.starts, block.ends, strict=True)] == [
        [0, 1, 2],
        [],
        [],
        [3, 4],
    ]
    (tmp_path / "b.txt").write_text("nothing known\n")
    with pytest.raises(W2VError, match="none of its words is in the vocabulary"):
        loss.read_sentences(str(tmp_path / "b.txt"), model)
