from __future__ import annotations

import numpy as np

from w2vcli.numbering import PADDING, Merger, Numbered, Workspace
from w2vcli.vocab import Vocab


def number_words(text: bytes) -> Numbered:
    return Workspace().number_words(np.frombuffer(text + PADDING, dtype=np.uint8))


def test_a_workspace_is_used_again() -> None:
    space = Workspace()
    for text, ids in [(b"a b a", [0, 1, 0]), (b"b c", [0, 1]), (b"c " * 70_000, [0] * 70_000), (b"b", [0])]:
        numbered = space.number_words(np.frombuffer(text + PADDING, dtype=np.uint8))
        assert numbered.numbers.tolist() == ids
        assert numbered.distinct.counts.tolist() == np.bincount(ids).tolist()


def test_more_words_than_the_tables_begin_with() -> None:
    words = [f"{number:x}" for number in range(100_000)]
    numbered = number_words(" ".join(words).encode() + b"\n" * 50_000)
    assert numbered.numbers.tolist() == list(range(100_000))
    assert len(numbered.lengths) == 50_000
    merger = Merger()
    merger.add(number_words(b"ffff"))
    identities = merger.add(numbered)
    assert identities[0xFFFF] == 0
    vocab = Vocab.parse(merger.finish().table.decode())
    assert vocab.words == ["ffff", *(word for word in words if word != "ffff")]
    assert vocab.counts.tolist() == [2] + [1] * 99_999


def test_rare_words_are_dropped_at_the_limit_by_hand() -> None:
    """A limit of six one-letter words: at the seventh, the rarest go until three or fewer are left."""
    merger = Merger(6 * (Merger.BYTES_A_WORD + 2))
    first = merger.add(number_words(b"a a a b b c d e f f"))
    assert first.tolist() == [0, 1, 2, 3, 4, 5]
    assert merger.dropped_words == 0
    second = merger.add(number_words(b"g a"))
    assert second.tolist() == [6, 0]
    assert (merger.dropped_words, merger.dropped) == (4, 4)  # c, d, e and g, once each; then a 4, b 2, f 2 are left
    third = merger.add(number_words(b"c f h"))
    assert third.tolist() == [7, 5, 8]  # c counts again, as a new word
    finished = merger.finish()
    vocab, ids = Vocab.parse(finished.table.decode()), finished.ids
    assert vocab.words == ["a", "f", "b", "c", "h"]
    assert vocab.counts.tolist() == [4, 3, 2, 1, 1]
    assert ids.tolist() == [0, 2, 5, 5, 5, 1, 5, 3, 4]
