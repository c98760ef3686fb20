"""What the torch engine has beside the promises of every engine, which test_engines holds it to."""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2vcli import engines, training
from w2vcli.config import Config, Train
from w2vcli.corpus import Block
from w2vcli.engines import reference
from w2vcli.errors import ConfigError
from w2vcli.vocab import keep_probabilities

from .conftest import W2V, need
from .test_engines import CERTAIN_COUNTS, CERTAIN_NOISE, block_of, loss, model_of, planted

need_torch = pytest.mark.usefixtures("torch")
CONFIGS = Path(__file__).parent.parent / "configs"


@pytest.fixture
def torch() -> Any:
    need("torch", "'w2vcli[torch]'")
    return __import__("torch")


# ---------------------------------------------------------------- the modules


def test_a_new_module_is_drawn_as_word2vec_does(torch: Any) -> None:
    from w2vcli.engines.torch_modules import SkipGramNegativeSampling

    torch.manual_seed(1)
    module = SkipGramNegativeSampling(200, 50)
    for weights in module.parameters():
        assert weights.shape == (200, 50)
        assert 0.495 / 50 < weights.abs().max() <= 0.5 / 50
        assert abs(float(weights.detach().mean())) < 0.02 * 0.5 / 50
    ids = torch.arange(64)
    loss = module(ids, ids + 64, torch.randint(200, (64, 5)))
    assert float(loss.detach()) == pytest.approx(6 * math.log(2), abs=1e-3)


def rows_of(torch: Any, module: Any) -> tuple[Any, Any]:
    """Fill a module with large numbers and return them, float64."""
    inputs, outputs = module.parameters()
    generator = torch.Generator().manual_seed(4)
    for weights in (inputs, outputs):
        weights.data.normal_(generator=generator)
    return inputs.detach().double().numpy(), outputs.detach().double().numpy()


def gradients_of(module: Any) -> list[Any]:
    return [weights.grad for weights in module.parameters()]


def test_the_loss_of_a_batch_is_the_mean_of_its_pairs(torch: Any) -> None:
    from w2vcli.engines.torch_modules import SkipGramNegativeSampling

    module = SkipGramNegativeSampling(9, 4)
    inputs, outputs = rows_of(torch, module)
    centres, positives, negatives = [1, 2, 1], [3, 4, 5], [[6, 7], [8, 0], [7, 7]]
    loss = module(*(torch.tensor(ids) for ids in (centres, positives, negatives)))
    pairs = [
        reference.pair_loss(inputs[c], outputs[p], outputs[n])
        for c, p, n in zip(centres, positives, negatives, strict=True)
    ]
    assert float(loss.detach()) == pytest.approx(sum(pairs) / 3)


def test_shared_noise_words_are_those_of_every_pair(torch: Any) -> None:
    """Two pairs that share three noise words, each counted 2/3 but one not at all, as if they had them of their own."""
    from w2vcli.engines.torch_modules import SkipGramNegativeSampling

    module = SkipGramNegativeSampling(9, 4)
    rows_of(torch, module)
    centres, positives = torch.tensor([1, 2]), torch.tensor([3, 4])
    shared, weights = torch.tensor([6, 7, 3]), torch.tensor([[2 / 3, 2 / 3, 0], [2 / 3, 2 / 3, 2 / 3]])
    gradients = []
    for negatives in (shared, shared.expand(2, 3)):
        module.zero_grad()
        loss = module(centres, positives, negatives, weights)
        loss.backward()
        gradients.append([loss.detach(), *(gradient.to_dense() for gradient in gradients_of(module))])
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_gradients_have_the_rows_that_were_looked_up(torch: Any) -> None:
    from w2vcli.engines.torch_modules import CBOWNegativeSampling

    module = CBOWNegativeSampling(1000, 4)
    rows_of(torch, module)
    contexts, sizes, centres = torch.tensor([1, 2, 2]), torch.tensor([2, 1]), torch.tensor([3, 4])
    module(contexts, sizes, centres, torch.tensor([[5, 6], [7, 8]])).backward()
    of_inputs, of_outputs = (gradient.coalesce() for gradient in gradients_of(module))
    assert of_inputs.indices()[0].tolist() == [1, 2]
    assert of_outputs.indices()[0].tolist() == [3, 4, 5, 6, 7, 8]


# ---------------------------------------------------------------- what is drawn


def words_of(torch: Any, sentences: list[list[int]]) -> Any:
    from w2vcli.engines.torch_sampling import subsampled

    return subsampled(block_of(sentences), torch.ones(1000), torch.Generator())


def test_windows_are_those_of_the_reference(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its order, whether they are drawn all at once or a few words at a time."""
    from w2vcli.engines import torch_sampling

    sentences = [[7, 8, 9, 10], [], [11], [12, 13, 14, 15, 16, 17]]
    rng = np.random.default_rng(1)
    expected = [
        (centre, context)
        for sentence in sentences
        for centre, contexts in reference.windows(np.array(sentence, dtype=np.int32), 2, False, rng)
        for context in contexts.tolist()
    ]
    words = words_of(torch, sentences)
    for places in (1 << 20, 12):
        monkeypatch.setattr(torch_sampling, "_PLACES", places)
        parts = list(torch_sampling.windows(words, 2, False, torch.Generator()))
        assert len(parts) == (1 if places > 100 else 4)
        found = [torch.cat([words.ids[numbers] for numbers in numbered]) for numbered in zip(*parts, strict=True)]
        assert list(zip(*(ids.tolist() for ids in found), strict=True)) == expected


def test_a_context_is_taken_when_the_window_reaches_it(torch: Any) -> None:
    """At distance d with probability (5 - d + 1) / 5."""
    from w2vcli.engines.torch_sampling import windows

    words = words_of(torch, [list(range(11))] * 4000)
    (part,) = windows(words, 5, True, torch.Generator().manual_seed(3))
    of_middle = words.ids[part.centres] == 5
    distances = (words.ids[part.contexts][of_middle] - 5).abs()
    np.testing.assert_allclose(distances.bincount()[1:] / 8000, [1, 0.8, 0.6, 0.4, 0.2], atol=0.02)


def test_words_stay_with_their_keep_probability_and_know_their_place(torch: Any) -> None:
    """Sentences in the block's order, which is not that of the text; words without an id of the model never stay."""
    from w2vcli.engines.torch_sampling import subsampled

    ids = np.tile(np.array([0, 1, 2, 9], dtype=np.int32), 5000)
    starts = np.arange(0, 20_000, 4)[::-1].copy()
    keep = np.append(keep_probabilities(np.array([900, 90, 10]), 0.05), 0.0).astype(np.float32)
    words = subsampled(Block(ids, starts, starts + 4), torch.from_numpy(keep), torch.Generator().manual_seed(1))
    shares = words.ids.bincount(minlength=3) / 5000
    np.testing.assert_allclose(shares, keep[:3], atol=0.02)
    assert (words.places % 4 == words.ids).all()
    assert (words.places // 4 == words.sentences).all()
    assert (words.places.diff() > 0).all()


def test_noise_words_follow_their_distribution_but_are_none_of_the_pair(torch: Any) -> None:
    """Drawn again when they hit: as the distribution is without the words of the pair."""
    from w2vcli.engines.torch_sampling import Noise

    noise = Noise(np.array([0.4, 0.3, 0.2, 0.1]), torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    drawn = noise.draw((40_000,), generator)
    np.testing.assert_allclose(drawn.bincount() / 40_000, [0.4, 0.3, 0.2, 0.1], atol=0.01)
    centres, positives = torch.zeros(8000, dtype=torch.long), torch.full((8000,), 2)
    others, weights = noise.draw_others(5, (centres, positives), generator)
    counted = others[weights == 1]
    assert 0.8 < len(counted) / 40_000 < 0.9  # 0.6 ** 4 of them hit every time
    np.testing.assert_allclose(counted.bincount() / len(counted), [0, 0.75, 0, 0.25], atol=0.01)
    assert noise.draw_others(5, (torch.full((10,), 99),), generator)[1] is None


# ---------------------------------------------------------------- the steps


def test_curvatures_by_hand(torch: Any) -> None:
    """Two pairs, rows of one dimension."""
    from w2vcli.engines.torch_modules import Targets, curvatures

    predicting = torch.tensor([[2.0], [4.0]])
    own = Targets(torch.tensor([[0, 1], [2, 3]]), torch.tensor([[[1.0], [2.0]], [[3.0], [6.0]]]), 2)
    assert [bounds.tolist() for bounds in curvatures(predicting, own)] == [[5 / 4, 45 / 4], [[1, 1], [4, 4]]]
    weights = torch.tensor([[0.5], [0.0]])
    assert [bounds.tolist() for bounds in curvatures(predicting, own, weights)] == [[3 / 4, 9 / 4], [[1, 0.5], [4, 0]]]
    shared = Targets(torch.tensor([0, 2, 1]), torch.tensor([[1.0], [3.0], [2.0]]), 2)
    assert [bounds.tolist() for bounds in curvatures(predicting, shared)] == [[5 / 4, 13 / 4], [1, 4, 5]]
    weights = torch.tensor([[2.0], [1.0]])
    assert [bounds.tolist() for bounds in curvatures(predicting, shared, weights)] == [[9 / 4, 13 / 4], [1, 4, 6]]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_curvatures_bound_those_of_the_loss(torch: Any, shared: bool, scale: float) -> None:
    """No row's Hessian has a larger eigenvalue; of rows of zero, whose scores are all 0, the traces are the bounds."""
    from w2vcli.engines.torch_modules import Targets, curvatures, negative_sampling_loss

    generator = torch.Generator().manual_seed(3)
    ids = torch.arange(3 + 4) if shared else torch.arange(15).view(3, 5)
    points = [torch.randn(3, 6, generator=generator), torch.randn(*ids.shape, 6, generator=generator)]
    weights = torch.rand(3, 4, generator=generator)

    def loss_of(predicting: Any, rows: Any) -> Any:
        return 3 * negative_sampling_loss(predicting, Targets(ids, rows, 3), weights)

    bounds = curvatures(points[0], Targets(ids, points[1], 3), weights)
    for at in (0, 1):
        at_points = [points[other] * (scale if other == at else 1) for other in (0, 1)]
        size = bounds[at].numel()
        hessian = torch.autograd.functional.hessian(loss_of, tuple(at_points))[at][at].reshape(size, 6, size, 6)
        for row, bound in enumerate(bounds[at].flatten().tolist()):
            own = hessian[row, :, row]
            assert float(torch.linalg.eigvalsh(own).max()) <= bound + 1e-5
            if scale == 0:
                assert float(own.trace()) == pytest.approx(bound, rel=1e-4)


def test_a_gradient_is_cut_where_it_would_overshoot(torch: Any) -> None:
    """At a rate of 1/2, row 1 would step (1 + 2) / 2 times too far and row 3 (1/4 + 1/2) / 2 of the way."""
    from w2vcli.engines.torch_steps import limit

    rows, room = torch.tensor([1, 3, 1, 3]), torch.zeros(5)
    gradient = torch.sparse_coo_tensor(rows[None], torch.ones(4, 2), (5, 2), check_invariants=False)
    limit(gradient, rows, torch.tensor([1, 1 / 4, 2, 1 / 2]), 0.5, room)
    np.testing.assert_allclose(gradient.to_dense()[:, 0], [0, 2 / 1.5, 0, 2, 0])
    assert not room.any()


def engine_of(limits_rates: bool = True, **train: Any) -> Any:
    from w2vcli.engines.torch_engine import TorchEngine

    return TorchEngine(Train(device="cpu", **train), limits_rates)


@pytest.mark.slow
@pytest.mark.parametrize("negative", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_large_batches_stay_sound(torch: Any, negative: int) -> None:
    """All the block at once, for long: where the sum of the gradients diverges, the loss falls and stays down."""
    counts, block, _ = planted()
    losses: dict[bool, list[float]] = {True: [], False: []}
    for limit in (True, False):
        engine = engine_of(limits_rates=limit, batch_size=100_000)
        model = model_of(counts, vector_size=50, window=2, negative=negative)
        with np.errstate(all="ignore"):
            for seed in range(120):
                engine.train_block(model, block, 0.05, 0.05, np.random.default_rng(seed))
                if seed % 40 == 39:
                    losses[limit].append(loss(model, block) / ((1 + negative) * math.log(2)))
    assert losses[True][0] < 0.7
    assert losses[True][2] < losses[True][0] + 0.01
    assert not losses[False][2] < 1


@pytest.mark.parametrize("options", [{"sg": 1}, {"sg": 0}, {"sg": 0, "cbow_mean": 0}])
def test_rates_are_cut_as_the_reference_cuts_them(torch: Any, options: dict[str, Any]) -> None:
    """Batches of 200 of three words, at a rate of 0.3: every row is in far too many pairs."""
    block = block_of([[0, 1, 2], [1, 0], [2, 0, 1, 2]] * 60)
    models = [model_of(CERTAIN_COUNTS, **{**CERTAIN_NOISE, **options}, vector_size=8) for _ in range(3)]
    ours, unlimited = (engine_of(limits_rates=limits, batch_size=200) for limits in (True, False))
    for engine, model in zip((ours, reference.ReferenceEngine("batch", 200), unlimited), models, strict=True):
        engine.train_block(model, block, 0.3, 0.3, np.random.default_rng(1))
    for name in ("vectors", "syn1neg"):
        ours_, theirs, others = (getattr(model.wv if name == "vectors" else model, name) for model in models)
        np.testing.assert_allclose(ours_, theirs, atol=2e-5)
        assert np.abs(ours_ - others).max() > 0.1


def test_workers_take_every_pair_once(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of windows that chance has no part in: the pairs of four workers are those of one."""
    from w2vcli.engines.torch_steps import Steps

    taken: list[tuple[int, int]] = []
    gradients = Steps._gradients

    def seen(self: Any, batch: Any, *rest: Any) -> Any:
        taken.extend(zip(batch.inputs.tolist(), batch.positives.tolist(), strict=True))
        return gradients(self, batch, *rest)

    monkeypatch.setattr(Steps, "_gradients", seen)
    monkeypatch.setattr("w2vcli.engines.torch_engine.usable_cores", lambda: 4)
    counts, block, _ = planted()
    found = []
    for workers in (1, 4):
        engine, model = engine_of(batch_size=512), model_of(counts, workers=workers, window=2, shrink_windows=False)
        before = loss(model, block)
        engine.train_block(model, block, 0.05, 0.05, np.random.default_rng(1))
        assert loss(model, block) < before - 0.1
        assert engine.steps.made == -(-len(taken) // 512)
        assert engine.steps.examples == len(taken)
        found.append(sorted(taken))
        taken.clear()
    assert found[0] == found[1]


def test_several_workers_are_one_larger_batch_for_the_rates(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rate that a row is cut to is of all batches that are stepped from the same old rows."""
    from w2vcli.engines import torch_steps

    rates = []
    monkeypatch.setattr(torch_steps, "limit", lambda gradient, ids, bounds, rate, room: rates.append(rate))
    monkeypatch.setattr("w2vcli.engines.torch_engine.usable_cores", lambda: 3)
    counts, block, _ = planted()
    for workers, batch_size, factor in ((1, 512, 1), (2, 512, 2), (8, 512, 3), (8, 511, 1)):
        model = model_of(counts, workers=workers)
        engine_of(batch_size=batch_size).train_block(model, block, 0.05, 0.05, np.random.default_rng(1))
        (rate,) = set(rates)
        assert rate == pytest.approx(0.05 * factor)
        rates.clear()


def test_small_batches_have_one_worker(torch: Any) -> None:
    counts, block, _ = planted()
    models = [model_of(counts, workers=workers) for workers in (1, 4)]
    for model in models:
        engine_of(batch_size=100).train_block(model, block, 0.05, 0.05, np.random.default_rng(1))
    assert models[0].wv.vectors.tobytes() == models[1].wv.vectors.tobytes()


def test_an_error_of_one_worker_stops_the_others(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one fails at its first batch; the others get none after that."""
    from w2vcli.engines.torch_engine import TorchEngine
    from w2vcli.engines.torch_steps import Steps

    step, batches, closed = Steps._step, TorchEngine._batches, threading.Event()

    def until_closed(self: Any, *rest: Any) -> Any:
        try:
            yield from batches(self, *rest)
        finally:
            closed.set()

    def fail(self: Any, *rest: Any) -> None:
        if threading.current_thread().name.endswith("_1"):
            raise RuntimeError("no more")
        closed.wait(5)
        step(self, *rest)

    monkeypatch.setattr(TorchEngine, "_batches", until_closed)
    monkeypatch.setattr(Steps, "_step", fail)
    monkeypatch.setattr("w2vcli.engines.torch_engine.usable_cores", lambda: 3)
    counts, block, _ = planted()
    engine = engine_of(batch_size=512)
    with pytest.raises(RuntimeError, match="no more"):
        engine.train_block(model_of(counts, workers=3), block, 0.05, 0.05, np.random.default_rng(1))
    assert engine.steps.made <= 2
    assert not any(thread.name.startswith("w2v-torch") for thread in threading.enumerate())


def test_rows_that_are_copied_are_brought_back(torch: Any) -> None:
    """As on another device: until it is synchronised the model is as before, then as if its own rows were trained."""
    counts, block, _ = planted()
    models = [model_of(counts), model_of(counts)]
    for model, copies in zip(models, (False, True), strict=True):
        engine: Any = engines.create("torch", Train(device="cpu"))
        engine._copies = copies
        engine.train_block(model, block, 0.05, 0.02, np.random.default_rng(1))
        assert model.syn1neg.any() != copies
        engine.sync(model)
        engine.restore({})  # what is put into the model from now on counts
        model.wv.vectors *= 2
        engine.train_block(model, block, 0.02, 0.01, np.random.default_rng(2))
        engine.sync(model)
    assert models[0].wv.vectors.tobytes() == models[1].wv.vectors.tobytes()
    assert models[0].syn1neg.tobytes() == models[1].syn1neg.tobytes()


def test_the_usual_batch_is_no_larger_than_the_vocabulary(torch: Any) -> None:
    engine: Any = engines.create("torch", Train(device="cpu"))
    for counts, batch_size in (([5] * 30, 30), ([5] * 5000, 4096), ([5] * 40, 40)):
        assert engine.batch_size_of(len(counts)) == batch_size
        model = model_of(counts, shrink_windows=False, window=1)
        engine.train_block(model, block_of([[0, 1]] * (batch_size // 2 + 1)), 0.1, 0.1, np.random.default_rng(1))
        assert engine.steps.made == 2


@pytest.mark.parametrize("options", [{"optimizer": "adagrad"}, {"optimizer": "sparse_adam"}, {"shared_negatives": 32}])
def test_every_way_to_step_learns(torch: Any, options: dict[str, Any]) -> None:
    counts, block, _ = planted()
    alpha = 0.005 if "sparse_adam" in options.values() else 0.05
    engine = engines.create("torch", Train(device="cpu", **options))
    model = model_of(counts, vector_size=12, window=2, negative=4)
    losses = [loss(model, block)]
    for seed in range(2):
        engine.train_block(model, block, alpha, alpha / 2, np.random.default_rng(seed))
        losses.append(loss(model, block))
    assert losses[0] > losses[1] > losses[2]


def test_a_finished_run_remembers_the_optimiser(torch: Any, lee: Path, tmp_path: Path) -> None:
    """More epochs go on from the last checkpoint, which has its arrays; the model alone has not."""
    settings: dict[str, dict[str, Any]] = {
        "word2vec": {"vector_size": 8, "epochs": 1, "workers": 1, "sg": 1, "min_count": 20},
        "train": {"engine": "torch", "device": "cpu", "optimizer": "adagrad", "checkpoint_every": None},
    }
    training.train(lee, tmp_path / "run", settings)
    (folder,) = (tmp_path / "run" / "checkpoints").iterdir()
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    assert sorted(arrays) == [
        *(f"optimizer.{number}.{name}" for number in (0, 1) for name in ("step", "sum")), "syn1neg", "vectors"
    ]  # fmt: skip
    assert arrays["optimizer.1.sum"].shape == arrays["syn1neg"].shape
    events: list[Any] = []
    settings["word2vec"]["epochs"] = 2
    training.train(lee, tmp_path / "run", settings, progress=events.append)
    assert [event["resumed_from"] for event in events if event["event"] == "start"] == [str(folder)]
    last = max((tmp_path / "run" / "checkpoints").iterdir())
    assert last != folder
    assert np.load(last / "optimizer.0.step.npy") > 1.9 * arrays["optimizer.0.step"]


def test_what_was_restored_is_not_lost_before_the_next_block(torch: Any) -> None:
    counts, block, _ = planted()
    first, second = (engines.create("torch", Train(device="cpu", optimizer="sparse_adam")) for _ in range(2))
    model = model_of(counts)
    assert first.state() == {}
    first.train_block(model, block, 0.01, 0.01, np.random.default_rng(1))
    state = first.state()
    assert sorted(state) == [f"optimizer.{i}.{name}" for i in (0, 1) for name in ("exp_avg", "exp_avg_sq", "step")]
    second.restore({**state, "vectors": model.wv.vectors})
    for again in (second.state(), first.state()):
        assert {name: array.tolist() for name, array in again.items()} == {n: a.tolist() for n, a in state.items()}


# ---------------------------------------------------------------- eight sentences


EIGHT = [
    "The king and queen ruled the kingdom wisely.",
    "The queen was loved by all the people.",
    "A wise king listens to his advisors.",
    "The kingdom prospered under their rule.",
    "People gathered to see the royal family.",
    "The wise queen made many important decisions.",
    "Kings and queens have ruled for centuries.",
    "The royal palace overlooked the kingdom.",
]


@pytest.mark.slow
@need_torch
def test_eight_sentences(w2v: W2V, tmp_path: Path) -> None:
    """As the config says: the loss begins at (k + 1) log 2, and its mean over ten epochs falls at every epoch."""
    config = CONFIGS / "eight-sentences.yaml"
    assert re.findall(r"^#   ([A-Z].*)", config.read_text(), re.MULTILINE) == EIGHT
    (tmp_path / "eight.raw.txt").write_text("\n".join(EIGHT) + "\n")
    assert w2v("preprocess", "eight.raw.txt", "-o", "eight.txt", "-c", config, cwd=tmp_path).code == 0
    done = w2v("train", "eight.txt", "-o", "run", "-c", config, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "56 words in 8 sentences" in done.err
    assert "vocabulary 37 of 37 distinct words; engine torch (on cpu, batches of 16), 50 epochs" in done.err
    events = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "loss"][:51]
    assert losses[0] == pytest.approx(6 * math.log(2), abs=1e-9)
    smoothed = np.convolve(losses, np.ones(10) / 10, mode="valid")
    assert (np.diff(smoothed) < 0).all()
    assert losses[50] < 0.6 * losses[0]
    assert w2v("similar", "run", "king", "-n", "1", cwd=tmp_path).code == 0


# ---------------------------------------------------------------- choosing it


def chosen(**train: Any) -> engines.Choice:
    return engines.choose(Config.model_validate({"train": train, "word2vec": {"sg": 1}}))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"batch_size": 64}, "numba cannot train with train.batch_size: 64, gensim cannot train with train.batch_size"),
        ({"optimizer": "adagrad"}, "numba cannot train with train.optimizer: adagrad"),
        ({"shared_negatives": 8}, "numba cannot train with train.shared_negatives: 8"),
    ],
)
def test_auto_takes_the_engine_that_can(torch: Any, settings: dict[str, Any], reason: str) -> None:
    choice = chosen(**settings)
    assert choice.name == "torch"
    assert (choice.reason or "").startswith(reason)


def problems_of(act: Callable[[], Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        act()
    return caught.value.problems


def test_what_cannot_be_is_refused_with_a_reason(torch: Any) -> None:
    if torch.cuda.is_available():
        return
    assert problems_of(lambda: chosen(engine="torch", device="cuda:3")) == [
        "train.device: cuda:3: PyTorch finds no such device here; it finds cpu"
    ]
    assert problems_of(lambda: chosen(engine="numba", device="cuda")) == [
        "train.engine: numba cannot train with train.device: cuda; change it, or take train.engine: torch"
    ]
    with pytest.raises(ValueError, match="device"):
        Train(device="gpu")


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    assert problems_of(lambda: chosen(engine="torch")) == [
        "train.engine: torch needs torch, which is not installed; pip install 'w2vcli[torch]'"
    ]
    (problem,) = problems_of(lambda: chosen(device="cuda"))
    assert problem.startswith("train.engine: torch needs torch, which is not installed; ")
    assert "numba cannot train with train.device: cuda" in problem


def test_a_config_for_another_machine_is_checked(w2v: W2V, tmp_path: Path) -> None:
    (tmp_path / "gpu.yaml").write_text("train:\n  device: cuda:99\n")
    done = w2v("config", "check", tmp_path / "gpu.yaml")
    assert done.code == 0, done.err
    assert "gpu.yaml: ok, but not on this machine: train." in done.err
