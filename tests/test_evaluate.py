from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from gensim.test.utils import datapath

from w2vcli.errors import ConfigError, W2VError
from w2vcli.evaluate import analogies, metric, read_questions
from w2vcli.vectors import Vectors


def vectors_of(words: list[str], rows: np.ndarray) -> KeyedVectors:
    vectors = KeyedVectors(rows.shape[1])
    vectors.add_vectors(words, rows.astype(np.float32))
    return vectors


@pytest.mark.parametrize("seed", range(5))
def test_analogies_are_gensims(tmp_path: Path, seed: int) -> None:
    """On random vectors of few dimensions, with words in several cases and questions of every kind."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(40)] + [f"W{i}" for i in range(0, 40, 3)]
    words = [words[place] for place in rng.permutation(len(words))]
    vectors = vectors_of(words, rng.normal(size=(len(words), 3)))
    rows = [": a section"]
    rows += [" ".join(f"w{i}" for i in rng.integers(0, 44, size=4)) for _ in range(600)]
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(rows) + "\n")
    value, sections = vectors.evaluate_word_analogies(str(file))
    score = analogies(Vectors.of(vectors), read_questions(file))
    assert score.asked == len(sections[-1]["correct"]) + len(sections[-1]["incorrect"])
    assert score.value == pytest.approx(value)
    assert 0 < value < 1


def test_own_files(tmp_path: Path, lee_run: Path) -> None:
    from w2vcli.model import load

    vectors = load(lee_run)
    pairs, questions, other = (tmp_path / name for name in ("pairs.tsv", "questions.txt", "other.txt"))
    pairs.write_text("# pairs\nminister\tgovernment\t7.5\npolice\tfire\t3\nday\tyear\t-1\n")
    assert metric(str(pairs))(vectors).asked == 3
    questions.write_text("minister government police fire\nday year zzz man\n")
    assert metric(str(questions))(vectors).asked == 1
    other.write_text("two words\n")
    with pytest.raises(W2VError, match=r"other.txt: neither analogies nor pairs; a line should be four words, or two"):
        metric(str(other))
    questions.write_text(": section\na b c d\na b c\n")
    with pytest.raises(W2VError, match=r"questions.txt: line 3: not four words"):
        metric(str(questions))
    with pytest.raises(ConfigError, match=r"WordSim is neither a score nor a file; did you mean WordSim-353\?"):
        metric("WordSim")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(W2VError, match=r"bytes: cannot be read: not a text file in UTF-8"):
        metric(str(tmp_path / "bytes"))


def test_googles_questions_are_read_whole() -> None:
    assert len(read_questions(Path(datapath("questions-words.txt")))) == 19544
