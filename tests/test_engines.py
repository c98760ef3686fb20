"""The conformance suite: what every engine promises, run over all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Word2Vec as GensimWord2Vec

from w2vcli import engines
from w2vcli.config import Config, Train, Word2Vec
from w2vcli.corpus import Block
from w2vcli.engines import ENGINES, Engine, reference
from w2vcli.engines.numba_engine import NumbaEngine
from w2vcli.engines.reference import ReferenceEngine, draw_noise, step, subsample, windows
from w2vcli.errors import ConfigError
from w2vcli.gensim_model import build_model
from w2vcli.vocab import Vocab, noise_probabilities

from .conftest import need

CUDA = ["torch, cuda"] if Path("/dev/nvidia0").exists() else []
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("torch, batches of 7", "reference, batch")]


@pytest.fixture(params=[*ENGINES, "numba, 8 lanes", "numba, 16 lanes", "reference, window", *CUDA, *SLOW])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Every engine, and the variants that one machine's default would leave untried."""
    name, *variant = request.param.split(", ")
    if "lanes" in request.param:
        return NumbaEngine(int(variant[0].split()[0]))
    if name == "torch":
        need("torch", "'w2vcli[torch]'")
        device = "cuda" if "cuda" in variant else "cpu"
        return engines.create("torch", Train(device=device, batch_size=7 if "batches of 7" in variant else None))
    return ReferenceEngine(variant[0]) if variant else engines.create(name)


def block_of(sentences: list[list[int]]) -> Block:
    offsets = np.cumsum([0] + [len(ids) for ids in sentences])
    return Block(np.array([i for ids in sentences for i in ids], dtype=np.int32), offsets[:-1], offsets[1:])


def model_of(counts: list[int], **settings: Any) -> GensimWord2Vec:
    vocab = Vocab([f"w{i}" for i in range(len(counts))], np.array(counts))
    options = {"sg": 1, "sample": 0.0, "min_count": 1, "workers": 1, "vector_size": 8, **settings}
    return build_model(vocab, Word2Vec(**options), {"sentences": 1, "words": sum(counts)})


# Word 0 is so frequent that every noise word drawn is word 0: no engine's random numbers matter.
CERTAIN_NOISE = {"ns_exponent": 8.0, "window": 1, "negative": 2}
CERTAIN_COUNTS = [10_000, 10, 10]


def table_sigmoid(x: float) -> float:
    """Look the sigmoid up as Gensim's kernels do: 1000 entries over -6 to 6, found with a factor cut to 83."""
    entry = int((np.float32(x) + 6) * 83)
    power = np.exp((entry / 1000 * 2 - 1) * 6)
    return float(power / (power + 1))


@pytest.fixture(autouse=True)
def sigmoid_of_the_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference compute as the engine under test does, so that it can be held to the last digits."""
    if "engine" in request.fixturenames and "gensim" in request.node.name:
        monkeypatch.setattr("w2vcli.engines.reference.sigmoid", table_sigmoid)


def reference_of(engine: Engine, vocabulary: int) -> Engine:
    """Return the reference that steps as an engine does with so many words."""
    return ReferenceEngine(engine.capabilities.at_once, engine.batch_size_of(vocabulary) or 1)


def train(engine: Engine, model: GensimWord2Vec, block: Block, alpha: float, alpha_end: float, seed: int = 1) -> int:
    """Train a block, so that the model's arrays are up to date after it."""
    trained = engine.train_block(model, block, alpha, alpha_end, np.random.default_rng(seed))
    engine.sync(model)
    return trained


def test_new_models_start_as_word2vec_does() -> None:
    model = model_of([3, 2, 1], vector_size=50, seed=3)
    assert model.wv.vectors.shape == (3, 50)
    assert model.wv.vectors.dtype == np.float32
    assert 0.45 / 50 < np.abs(model.wv.vectors).max() <= 0.5 / 50
    assert not model.syn1neg.any()
    plain = GensimWord2Vec(min_count=1, vector_size=50, seed=3)
    plain.build_vocab_from_freq({"a": 3, "b": 2, "c": 1})
    np.testing.assert_array_equal(model.wv.vectors, plain.wv.vectors / 2)


def test_one_step_worked_out_by_hand(engine: Engine) -> None:
    """One sentence "w1 w0", one context each; alpha 0.5; two dimensions.

    Centre w1, context w0: u = v(w0); outputs w1 (label 1) and twice w0 (noise). All outputs are 0, so every dot is 0
    and s = 1/2. The change of u is 0 while outputs are 0; output w1 += 0.5 * (1 - 1/2) * u = u/4, output w0 gets
    0.5 * (0 - 1/2) * u = -u/4, and then once more: with its dot now -|u|^2/4, or, where the noise is shared and every
    pair starts from the old rows, the same -u/4.
    Centre w0, context w1: output w0 has label 1, and the noise w0 is the centre itself, so it is dropped.
    In batches noise that is one of the pair is drawn again, in vain here, so only the labels of 1 count, both found
    from the outputs that are 0.
    """
    model = model_of(CERTAIN_COUNTS, vector_size=2, **CERTAIN_NOISE)
    u0, u1, zero = np.array([0.4, 0.2]), np.array([-0.1, 0.3]), np.zeros(2)
    model.wv.vectors[:] = [u0, u1, zero]
    trained = train(engine, model, block_of([[1, 0]]), 0.5, 0.5)
    assert trained == 2
    s = reference.sigmoid
    half = s(0.0)
    assert half == pytest.approx(0.5, abs=0.01)
    out1 = 0.5 * (1 - half) * u0
    out0 = 0.5 * (0 - half) * u0
    if engine.capabilities.at_once == "batch":
        out0 = np.zeros(2)
    elif engine.capabilities.at_once == "window":
        out0 = out0 * 2
    else:
        again = 0.5 * (0 - s(float(u0 @ out0)))
        out0, u0 = out0 + again * u0, u0 + again * out0
    g = 0.5 * (1 - s(float(u1 @ out0)))  # where out0 is still 0, u1 stays
    u1, out0 = u1 + g * out0, out0 + g * u1
    np.testing.assert_allclose(model.wv.vectors, [u0, u1, zero], atol=1e-6)
    np.testing.assert_allclose(model.syn1neg, [out0, out1, zero], atol=1e-6)


@pytest.mark.parametrize("options", [{"sg": 1}, {"sg": 1, "negative": 9}, {"sg": 0}, {"sg": 0, "cbow_mean": 0}])
@pytest.mark.parametrize("vector_size", [8, 50])
def test_agrees_with_the_reference(engine: Engine, options: dict[str, Any], vector_size: int) -> None:
    """On a corpus where chance plays no part, hundreds of steps lead to the same vectors."""
    if not (engine.capabilities.sg if options["sg"] else engine.capabilities.cbow):
        return
    block = block_of([[0, 1, 2], [1, 0], [2, 0, 1, 2]] * 60)
    models = []
    for is_reference in (False, True):
        models.append(model_of(CERTAIN_COUNTS, **{**CERTAIN_NOISE, **options}, vector_size=vector_size))
        train(reference_of(engine, len(CERTAIN_COUNTS)) if is_reference else engine, models[-1], block, 0.02, 0.02)
    movement = np.abs(models[1].syn1neg).max()
    assert movement > 0.05
    np.testing.assert_allclose(models[0].wv.vectors, models[1].wv.vectors, atol=2e-5)
    np.testing.assert_allclose(models[0].syn1neg, models[1].syn1neg, atol=2e-5)


def planted() -> tuple[list[int], Block, dict[str, int]]:
    """Return counts, sentences and word ids of a language with roles and genders.

    A person word for each role and gender occurs with words of its role and words of its gender.
    """
    rng = np.random.default_rng(5)
    names = [f"{kind}{i}{k}" for kind, number in (("role", 4), ("gender", 2)) for i in range(number) for k in range(3)]
    names += [f"person{role}{gender}" for role in range(4) for gender in range(2)]
    ids = {name: i for i, name in enumerate(names)}
    sentences = []
    for _ in range(800):
        role, gender = rng.integers(4), rng.integers(2)
        words = [f"person{role}{gender}", *(f"role{role}{k}" for k in rng.integers(3, size=2))]
        words += [f"gender{gender}{k}" for k in rng.integers(3, size=2)]
        sentences.append([ids[word] for word in rng.permutation(words)])
    counts = np.bincount([i for sentence in sentences for i in sentence], minlength=len(names))
    return counts.tolist(), block_of(sentences), ids


@pytest.mark.parametrize("workers", [1, 3])
def test_finds_planted_analogies(engine: Engine, workers: int) -> None:
    """With several threads, which write to the same rows without locks, as well as with one."""
    if not engine.capabilities.threads and workers > 1:
        return
    counts, block, ids = planted()
    model = model_of(counts, vector_size=12, window=4, negative=4, workers=workers)
    rng = np.random.default_rng(2)
    for epoch in range(7):
        engine.train_block(model, block, 0.08 - 0.01 * epoch, 0.07 - 0.01 * epoch, rng)
    people = [f"w{i}" for name, i in ids.items() if name.startswith("person")]
    right = 0
    for role in range(4):
        for other in range(4):
            if role != other:
                a, b, c = (f"w{ids[name]}" for name in (f"person{role}0", f"person{role}1", f"person{other}0"))
                found = [w for w, _ in model.wv.most_similar([b, c], [a], topn=20) if w in people]
                right += found[0] == f"w{ids[f'person{other}1']}"
    assert right >= 10  # of 12


def loss(model: GensimWord2Vec, block: Block) -> float:
    """Return the mean loss over all pairs within distance 2, its expectation over the noise words, in float64."""
    inputs, outputs = model.wv.vectors.astype(np.float64), model.syn1neg.astype(np.float64)
    noise = noise_probabilities(model.wv.expandos["count"], model.ns_exponent)
    total, number = 0.0, 0
    for start, end in zip(block.starts, block.ends, strict=True):
        for centre, contexts in windows(block.ids[start:end], 2, False, np.random.default_rng(0)):
            u = inputs[contexts]
            total += np.log1p(np.exp(-u @ outputs[centre])).sum()
            total += model.negative * (np.log1p(np.exp(u @ outputs.T)) @ noise).sum()
            number += len(contexts)
    return total / number


def test_loss_goes_down(engine: Engine) -> None:
    counts, block, _ = planted()
    model = model_of(counts, vector_size=12, window=2, negative=4)
    losses = [loss(model, block)]
    assert losses[0] == pytest.approx(5 * np.log(2))
    for alpha in (0.05, 0.03, 0.01):  # falling, as in a run: at a constant one the loss ends up wandering
        engine.train_block(model, block, alpha, alpha - 0.01, np.random.default_rng(2))
        losses.append(loss(model, block))
    assert losses[0] > losses[1] > losses[2] > losses[3]


def settings_of(engine: Engine) -> list[dict[str, Any]]:
    """Return the models an engine says it can train."""
    able = engine.capabilities
    kinds = [{"sg": sg} for sg, can in ((1, able.sg), (0, able.cbow)) if can]
    outputs = [{"hs": hs, "negative": 0 if hs else 3} for hs, can in ((0, able.ns), (1, able.hs)) if can]
    return [{**kind, **output} for kind in kinds for output in outputs]


def state(model: GensimWord2Vec) -> list[bytes]:
    arrays = (model.wv.vectors, getattr(model, "syn1neg", None), getattr(model, "syn1", None))
    return [array.tobytes() for array in arrays if array is not None]


def test_same_seed_same_bits(engine: Engine) -> None:
    counts, block, _ = planted()
    if str(engine.device) == "cuda":  # its threads add up in any order
        return
    for settings in settings_of(engine):
        ends = []
        for seed in (1, 1, 2):
            model = model_of(counts, sample=0.01, **settings)
            train(engine, model, block, 0.05, 0.02, seed)
            ends.append(state(model))
        assert ends[0] == ends[1] != ends[2], settings


def test_every_setting_it_claims_trains(engine: Engine) -> None:
    counts, block, _ = planted()
    for settings in settings_of(engine):
        for extra in ({"shrink_windows": False}, {"ns_exponent": 0.0}, {"cbow_mean": 0}, {"sample": 0.001}):
            model = model_of(counts, **settings, **extra)
            before = state(model)
            trained = train(engine, model, block, 0.05, 0.02)
            assert all(a != b for a, b in zip(before, state(model), strict=True)), (settings, extra)
            assert np.isfinite(model.wv.vectors).all()
            assert trained == len(block) if model.sample == 0 else trained < len(block)


def test_subsampling_keeps_the_stated_share(engine: Engine) -> None:
    counts, block, _ = planted()
    model = model_of(counts, sample=0.02)
    from w2vcli.vocab import keep_probabilities

    expected = (keep_probabilities(np.array(counts), 0.02) * counts).sum()
    trained = np.mean([train(engine, model, block, 0.01, 0.01, i) for i in range(3)])
    assert trained == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("sentences", [[], [[]], [[1]], [[], [1], []]])
def test_blocks_with_nothing_to_learn(engine: Engine, sentences: list[list[int]]) -> None:
    model = model_of([5, 4])
    before = state(model)
    assert train(engine, model, block_of(sentences), 0.05, 0.02) == sum(map(len, sentences))
    assert state(model) == before


def test_settings_of_the_model_are_left_alone(engine: Engine) -> None:
    counts, block, _ = planted()
    model = model_of(counts, alpha=0.03, min_alpha=0.001, epochs=7)
    train(engine, model, block, 0.02, 0.01)
    assert (model.alpha, model.min_alpha, model.epochs) == (0.03, 0.001, 7)
    assert len(model.lifecycle_events) < 5


def test_alpha_may_fall_to_zero(engine: Engine) -> None:
    counts, block, _ = planted()
    model = model_of(counts, min_alpha=0.0)
    before = state(model)
    train(engine, model, block, 1e-30, 0.0)
    assert state(model)[0] == before[0]


def test_alpha_falls_within_a_block(engine: Engine) -> None:
    """A block of more than 10,000 words, as Gensim changes alpha that often."""
    counts, block, _ = planted()
    block = block_of([block.ids[a:b].tolist() for a, b in zip(block.starts, block.ends, strict=True)] * 4)
    ends = []
    for alpha_end in (0.02, 0.0001):
        model = model_of(counts, window=1, negative=1)
        engine.train_block(model, block, 0.02, alpha_end, np.random.default_rng(1))
        ends.append(np.abs(model.syn1neg).mean())
    assert ends[1] < 0.9 * ends[0]


def test_an_error_in_a_thread_of_gensims_is_raised() -> None:
    counts, block, _ = planted()
    model = model_of(counts, workers=2)
    model.cum_table = None
    with pytest.raises((TypeError, ValueError, AttributeError)):
        engines.create("gensim").train_block(model, block, 0.02, 0.01, np.random.default_rng(1))
    assert "_do_train_job" not in vars(model)


# ---------------------------------------------------------------- the registry


def test_unknown_engines_and_what_an_engine_cannot() -> None:
    with pytest.raises(ConfigError, match=r"train.engine: gensm is not an engine; did you mean gensim\?"):
        engines.create("gensm")
    config = Config.model_validate({"train": {"engine": "reference"}, "word2vec": {"hs": 1}})
    with pytest.raises(ConfigError) as caught:
        engines.choose(config)
    assert caught.value.problems == [
        "train.engine: reference cannot train with word2vec.hs: 1; change it, or take train.engine: gensim",
    ]


# ---------------------------------------------------------------- the pieces of the specification


def test_contexts_of_a_shrunken_window() -> None:
    """A context at distance d is taken when the drawn window is at least d: with probability (5 - d + 1) / 5."""
    sentence = np.arange(11, dtype=np.int32)
    rng = np.random.default_rng(3)
    seen = np.zeros(6)
    for _ in range(4000):
        for centre, contexts in windows(sentence, 5, True, rng):
            if centre == 5:
                np.add.at(seen, np.abs(contexts - 5), 1)
    np.testing.assert_allclose(seen[1:] / 8000, [1, 0.8, 0.6, 0.4, 0.2], atol=0.02)


def test_noise_follows_its_distribution() -> None:
    cumulative = np.cumsum([0.5, 0.3, 0.2])
    drawn = draw_noise(cumulative, 30_000, np.random.default_rng(1))
    np.testing.assert_allclose(np.bincount(drawn) / 30_000, [0.5, 0.3, 0.2], atol=0.01)
    assert draw_noise(np.array([0.5, 1 - 1e-16]), 5, np.random.default_rng(1)).max() <= 1


def test_subsample_draws_before_windows_are_laid() -> None:
    kept = subsample(np.array([0, 1, 0, 2], dtype=np.int32), np.array([0.0, 1.0, 1.0]), np.random.default_rng(1))
    assert kept.tolist() == [1, 2]


def test_step_follows_the_gradient() -> None:
    """The step is -alpha times the gradient of the loss, checked by finite differences on the input row."""
    rng = np.random.default_rng(1)
    inputs, outputs = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(4, 6)).astype(np.float32)
    centre, context, negatives = 0, 1, np.array([2, 3])

    def pair_loss(u: Any) -> Any:
        scores = np.array([-(u @ outputs[centre]), *(u @ outputs[n] for n in negatives)], dtype=np.float64)
        return np.log1p(np.exp(scores)).sum()

    u = inputs[context].astype(np.float64)
    numeric = np.array([(pair_loss(u + h) - pair_loss(u - h)) / 2e-5 for h in 1e-5 * np.eye(6)])
    before = inputs.copy()
    step(inputs, outputs, centre, context, negatives, 1e-3)
    np.testing.assert_allclose((inputs[context] - before[context]) / -1e-3, numeric, rtol=2e-2, atol=1e-3)
    assert (inputs[[0, 2, 3]] == before[[0, 2, 3]]).all()
