from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from w2vcli.preprocessing import parts
from w2vcli.text import Unit

texts = st.text(st.sampled_from("ab \t\r\n"), max_size=120).map(str.encode)


@given(texts, st.integers(1, 40), st.integers(1, 50), st.sampled_from(["line", "paragraph"]))
@settings(max_examples=400)
@example(b"a" * 27 + b"\n\n" + b"\n" + b"b" * 30, 29, 7, "paragraph")
def test_ranges_are_the_whole_text_cut_where_units_begin(text: bytes, size: int, piece: int, unit: Unit) -> None:
    finder = parts.boundary_finder(unit)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "_PIECE_BYTES", piece)
        for start in range(0, len(text), size):
            stream = io.BytesIO(text)
            stream.seek(parts.offset_for(start))
            place, pieces = parts.range_of(stream, parts.offset_for(start), start, min(start + size, len(text)), finder)
            found.append((place, b"".join(pieces)))
    assert b"".join(own for _, own in found) == text
    for place, own in found:
        assert text[place : place + len(own)] == own
        assert not own or place == 0 or text[place - 1 : place] == b"\n"
        if unit == "paragraph" and own and place:
            assert not text[:place].split(b"\n")[-2].strip()


@given(texts, st.integers(1, 60), st.integers(1, 30), st.sampled_from(["line", "paragraph", "document"]))
@settings(max_examples=300)
def test_tasks_of_fed_text_are_all_of_it_cut_where_units_begin(text: bytes, size: int, piece: int, unit: Unit) -> None:
    finder = parts.boundary_finder(unit)
    pieces = (text[place : place + piece] for place in range(0, len(text), piece))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "FED_BYTES", size)
        patch.setattr(parts, "_PIECE_BYTES", piece)
        found = [b"".join(task.pieces) for task in parts._text_tasks(parts.Part(0), pieces, finder)]
    assert b"".join(found) == text
    place = 0
    for own in found[:-1]:
        place += len(own)
        assert place == len(text) or finder(text, place) == place


def test_fed_text_is_cut_near_its_end_where_a_long_line_follows() -> None:
    """Not at its first line end, which would read it again for every line."""
    pieces = [b"a b c\n" * 50_000, *[b"x" * 1_000_000] * 5, b"\n"]
    sizes = [sum(map(len, task.pieces)) for task in parts.line_tasks(iter(pieces))]
    assert sizes == [300_000, 5_000_001, 0]
