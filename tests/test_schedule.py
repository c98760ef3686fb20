from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.config import Config
from w2vcli.corpus import Corpus
from w2vcli.encoding import encode
from w2vcli.schedule import Schedule
from w2vcli.sources import expand


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=40),
    st.sets(st.integers(0, 39), max_size=15),
    st.integers(1, 60),
    st.booleans(),
)
def test_every_sentence_but_the_held_out_once_an_epoch(
    lengths: list[int], held_out: set[int], block_words: int, shuffle: bool
) -> None:
    held_out = {number for number in held_out if number < len(lengths)}
    sentences = [[f"s{number}" for _ in range(length)] for number, length in enumerate(lengths)]
    config = Config.model_validate(
        {"word2vec": {"epochs": 2}, "train": {"block_words": block_words, "shuffle": shuffle}}
    )
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        text.write_text("".join(" ".join(words) + "\n" for words in sentences))
        for _ in encode(expand([text]), Path(folder, "corpus"), Path(folder, "vocab.tsv")):
            pass
        names = [line.split("\t")[0] for line in Path(folder, "vocab.tsv").read_text().splitlines()]
        schedule = Schedule(Corpus(Path(folder, "corpus")), config, np.array(sorted(held_out), dtype=np.int64))
        turns = list(schedule.turns(0))
        later = list(schedule.turns(len(turns) // 2 + 1))
        words = [schedule.words_before(number) for number in range(len(turns) + 1)]
    assert len(turns) == schedule.total_blocks == 2 * schedule.blocks
    expected = sorted(set(range(len(lengths))) - held_out)
    for epoch in (0, 1):
        seen = []
        for turn in turns[epoch * schedule.blocks : (epoch + 1) * schedule.blocks]:
            block = turn.block
            for start, end in zip(block.starts, block.ends, strict=True):
                (name,) = {names[i] for i in block.ids[start:end]}
                seen.append(int(name[1:]))
                assert end - start == lengths[seen[-1]]
        assert sorted(seen) == expected
        if not shuffle:
            assert seen == expected
    assert words == list(itertools.accumulate((len(turn.block) for turn in turns), initial=0))
    assert schedule.total_words == words[-1]
    for turn, same in zip(turns[len(turns) // 2 + 1 :], later, strict=True):
        assert turn.block.starts.tolist() == same.block.starts.tolist()
        assert turn.rng.integers(2**32) == same.rng.integers(2**32)


def test_alpha_falls_to_its_least(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a b c d\n" * 10)
    for _ in encode(expand([tmp_path / "a.txt"]), tmp_path / "corpus", tmp_path / "vocab.tsv"):
        pass
    config = Config.model_validate({"word2vec": {"epochs": 2, "alpha": 0.1, "min_alpha": 0.01}})
    schedule = Schedule(Corpus(tmp_path / "corpus"), config, np.array([3]))
    assert schedule.total_words == 72
    assert schedule.alpha_after(0) == 0.1
    assert schedule.alpha_after(36) == pytest.approx(0.05)
    assert schedule.alpha_after(72) == 0.01
