from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.spelling import Spellings, edits_between
from w2vcli.words import ListedWords, stored


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("king", "kingdom", 3),
        ("receive", "recieve", 1),
        ("ca", "abc", 3),  # of optimal string alignment: what was swapped is not edited again
        ("kitten", "sitting", 3),
    ],
)
def test_edits_by_hand(one: str, other: str, edits: int) -> None:
    assert edits_between(one, other, 5) == edits_between(other, one, 5) == edits
    assert edits_between(one, other, edits) == edits
    assert edits_between(one, other, edits - 1) is None


words = st.lists(st.text("abC", min_size=1, max_size=6), unique=True, max_size=30)


@given(words, st.text("abc", min_size=1, max_size=6))
def test_the_nearest_are_those_of_all_words_compared(known: list[str], asked: str) -> None:
    """Fewest edits first, then the more frequent; of spellings that differ in case the most frequent."""
    allowed = 1 if len(asked) <= 4 else 2
    first: dict[str, int] = {}
    for place, word in enumerate(known):
        first.setdefault(word.casefold(), place)
    near = [(edits, place) for word, place in first.items() if (edits := edits_between(asked, word, 9)) is not None]
    expected = [known[place] for edits, place in sorted(near) if edits <= allowed]
    for listed in (ListedWords(known), stored(known)):
        spellings = Spellings(listed)
        assert spellings.nearest(asked, 100) == expected
        assert spellings.nearest(asked, 1) == expected[:1]


def test_another_case() -> None:
    spellings = Spellings(ListedWords(["the", "The", "STRASSE", "THE"]))
    assert spellings.in_another_case("tHE") == 0
    assert spellings.in_another_case("straße") == 2
    assert spellings.in_another_case("they") is None
