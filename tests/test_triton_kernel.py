"""The fused kernel, under Triton's interpreter: it is slow, so there are few words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2vcli import engines
from w2vcli.config import Config, Train
from w2vcli.engines import Engine
from w2vcli.engines.reference import ReferenceEngine
from w2vcli.errors import ConfigError
from w2vcli.vocab import noise_probabilities

from .conftest import need
from .test_engines import CERTAIN_COUNTS, CERTAIN_NOISE, block_of, loss, model_of, planted, train


@pytest.fixture
def fused() -> Engine:
    need("torch", "'w2vcli[torch]'")
    need("triton", "triton")
    return engines.create("torch", Train(fused=True, device="cpu"))


@pytest.mark.parametrize("vector_size", [8, 50])
@pytest.mark.parametrize("negative", [2, 9])
def test_agrees_with_the_reference(fused: Engine, vector_size: int, negative: int) -> None:
    """Where chance plays no part: rows padded to a power of two or not, noise words too."""
    block = block_of([[0, 1, 2], [1, 0], [], [2, 0, 1, 2], [1]] * 4)
    models = []
    for engine in (fused, ReferenceEngine("window")):
        model = model_of(CERTAIN_COUNTS, **{**CERTAIN_NOISE, "negative": negative}, vector_size=vector_size)
        model.wv.vectors *= 20
        assert train(engine, model, block, 0.2, 0.2) == 40
        models.append(model)
    assert np.abs(models[1].syn1neg).max() > 0.2
    np.testing.assert_allclose(models[0].wv.vectors, models[1].wv.vectors, atol=2e-5)
    np.testing.assert_allclose(models[0].syn1neg, models[1].syn1neg, atol=2e-5)


@pytest.mark.slow
def test_windows_and_noise_words_have_their_probabilities(fused: Engine) -> None:
    """Read off one step's changes, which with input rows of 0 for all but the context tell what was drawn.

    Word 9 stands at distance 1, 2 and 3 of the centres; as a context it moves the output rows of each centre that
    reaches it and of its noise words: by alpha / 2 for the centre, by -alpha / 2 for each time it was drawn.
    """
    counts = [60, 50, 40, 30, 20, 10, 10, 10, 10, 10]
    model = model_of(counts, vector_size=1, window=3, negative=4, ns_exponent=1.0)
    sentences = 60
    model.wv.vectors[:] = 0
    model.wv.vectors[9] = 1e-4  # so that scores stay at 0
    train(fused, model, block_of([[5, 6, 7, 9]] * sentences), 1e-5, 1e-5, 3)
    moved = model.syn1neg[:, 0] / (1e-5 * 0.5 * 1e-4)
    noise = noise_probabilities(np.array(counts), 1.0)
    reached = np.array([1 / 3, 2 / 3, 1])  # by the centres 5, 6 and 7
    expected = -4 * sentences * reached.sum() * noise
    expected[5:8] = sentences * reached - 4 * sentences * (reached.sum() - reached) * noise[5:8]  # its own is dropped
    np.testing.assert_allclose(moved, expected, atol=25)  # of up to 150; three standard deviations and more
    assert np.abs(moved[:5] / expected[:5] - 1).mean() < 0.2
    drawn = -moved[[0, 1, 2, 3, 4, 8, 9]]
    np.testing.assert_allclose(drawn, drawn.round(), atol=0.02)


@pytest.mark.slow
def test_learns_and_repeats_itself(fused: Engine) -> None:
    """In the interpreter programs run in turn, so the same seed gives the same bits."""
    counts, block, _ = planted()
    few = block_of([block.ids[a:b].tolist() for a, b in zip(block.starts[:12], block.ends[:12], strict=True)])
    ends = []
    for seed in (1, 1, 2):
        model = model_of(counts, vector_size=12, window=2, negative=4)
        before = loss(model, few)
        train(fused, model, few, 0.3, 0.2, seed)
        ends.append(model.wv.vectors.tobytes())
        assert loss(model, few) < before
    assert ends[0] == ends[1] != ends[2]


def test_alpha_is_the_centres_own(fused: Engine) -> None:
    """It falls to 0 at the end of the block: there nothing moves any more."""
    model = model_of([10, 10, 10, 10], vector_size=4, window=1, negative=1)
    before = model.wv.vectors.copy()
    train(fused, model, block_of([[0, 1]] * 10 + [[2, 3]]), 1.0, 1e-9)
    moved = np.abs(model.wv.vectors - before).max(axis=1)
    assert moved[:2].min() > 1e-4
    assert moved[2:].max() < 0.2 * moved[:2].min()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"optimizer": "adagrad"}, "train.fused: goes with train.optimizer: sgd and train.shared_negatives: 0 only"),
        ({"shared_negatives": 8}, "train.fused: goes with train.optimizer: sgd and train.shared_negatives: 0 only"),
    ],
)
def test_what_it_does_not_go_with(fused: Engine, settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        engines.create("torch", Train(fused=True, device="cpu", **settings))
    assert caught.value.problems == [problem]


def test_cbow_is_another_engines(fused: Engine) -> None:
    config = Config.model_validate({"train": {"engine": "torch", "fused": True, "device": "cpu"}})
    with pytest.raises(ConfigError, match=r"torch cannot train with word2vec\.sg: 0"):
        engines.choose(config)


def uninterpreted(code: str) -> str:
    """Run Python code where Triton compiles kernels."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_needs_a_gpu_to_be_compiled_for(fused: Engine) -> None:
    code = """
from w2vcli.config import Train
from w2vcli.engines import create
from w2vcli.errors import ConfigError
try:
    create("torch", Train(fused=True, device="cpu"))
except ConfigError as error:
    print(error.problems)
"""
    assert uninterpreted(code) == "['train.fused: is for CUDA devices, and the device is cpu']\n"


@pytest.mark.parametrize(
    ("capability", "vector_size", "negative"),
    [
        (90, 100, 20),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in ((80, 128, 5), (90, 300, 10), (90, 300, 20))),
    ],
)
def test_compiles_for_gpus(fused: Engine, tmp_path: Path, capability: int, vector_size: int, negative: int) -> None:
    """To machine code that keeps all in registers, and adds four numbers at once where rows are aligned."""
    code = f"""
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from w2vcli.engines.triton_kernel import _train, constants, warps
names = _train.arg_names
arrays = {{"inputs": "fp32", "outputs": "fp32", "ids": "i32", "sentences": "i32", "alphas": "fp32", "accept": "fp32",
           "alias": "i32"}}
fixed = constants({vector_size}, 5, True, {negative})
types = {{name: "*" + arrays[name] if name in arrays else "constexpr" if name in fixed else "i32" for name in names}}
aligned = {{(names.index(name),): [["tt.divisibility", 16]] for name in [*arrays, "input_stride", "output_stride"]}}
values = {{(names.index(name),): value for name, value in fixed.items()}}
source = ASTSource(_train, types, values, aligned)
kernel = triton.compile(source, target=GPUTarget("cuda", {capability}, 32), options={{"num_warps": warps(fixed)}})
open({str(tmp_path / "cubin")!r}, "wb").write(kernel.asm["cubin"])
ptx = kernel.asm["ptx"]
print(ptx.count("red.") + ptx.count("atom."), ptx.count(".v4.f32"))
"""
    additions, by_four = map(int, uninterpreted(code).split())
    assert additions > 0
    assert (by_four > 0) == (capability >= 90)  # older ones add single numbers
    triton = import_module("triton")
    tool = Path(str(triton.__file__)).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    used = subprocess.check_output([tool, "--dump-resource-usage", tmp_path / "cubin"], text=True)
    assert re.findall(r"STACK:(\d+)", used) == ["0"]
