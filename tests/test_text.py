from __future__ import annotations

import pytest
from gensim.utils import simple_preprocess
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.text import MAX_TOKENS, SentenceReader, Unit, ascii_tokens, tokenizer, unicode_tokens


def sentences(text: str, unit: Unit = "line", split: bool = True, name: str = "unicode") -> list[str]:
    reader = SentenceReader(tokenizer(name, True), unit, split)
    return [" ".join(tokens) for tokens in reader.read(text.splitlines(keepends=True))]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop—the well-known café's 3rd!", ["Don't", "stop", "the", "well-known", "café's", "3rd"]),
        ("it’s ‘quoted’ and 'tis", ["it's", "quoted", "and", "tis"]),
        ("word--word semi- -tones rock'n'roll", ["word", "word", "semi", "tones", "rock'n'roll"]),
        ("_emphasis_ a_b", ["emphasis", "a", "b"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs are marks, not letters
        ("می‌خواهم", ["می‌خواهم"]),  # a zero-width non-joiner inside
        ("cafe\u0301 naïve", ["cafe\u0301", "naïve"]),
        ("Größe ΑΘΗΝΑ Москва 東京", ["Größe", "ΑΘΗΝΑ", "Москва", "東京"]),
        ("co\u00adoperate non\u2011stop", ["cooperate", "non-stop"]),
        ("3.14 1,000 R2D2", ["3", "14", "1", "000", "R2D2"]),
        ("… — !?", []),
    ],
)
def test_unicode_tokens(text: str, tokens: list[str]) -> None:
    assert unicode_tokens(text) == tokens


def test_ascii_is_the_classic_recipe() -> None:
    assert ascii_tokens("The King and queen ruled the Kingdom wisely.") == [
        "the",
        "king",
        "and",
        "queen",
        "ruled",
        "the",
        "kingdom",
        "wisely",
    ]
    assert ascii_tokens("Naïve 2nd-hand\tDon't") == ["na", "ve", "nd", "hand", "don", "t"]


@given(st.text(st.sampled_from("abcXYZ '’-.!?0189éñ—_\t"), max_size=60))
def test_ascii_agrees_with_gensim_on_plain_words(text: str) -> None:
    plain = "".join(character if character.isascii() and character.isalpha() else " " for character in text)
    assert ascii_tokens(text) == simple_preprocess(plain, min_len=1, max_len=10**6)


TWO_LINES = "The first sentence runs\nover two lines. The second\ndoes too.\n"


def test_unit_line_ends_every_line() -> None:
    assert sentences(TWO_LINES) == ["the first sentence runs", "over two lines", "the second", "does too"]


def test_unit_paragraph_lets_sentences_span_lines() -> None:
    text = TWO_LINES + "\nA heading\n \nNext. paragraph\n"
    expected = [
        "the first sentence runs over two lines",
        "the second does too",
        "a heading",
        "next paragraph",
    ]
    assert sentences(text, "paragraph") == expected


def test_unit_document_lets_them_span_blank_lines() -> None:
    assert sentences("one\n\ntwo\n\n\nthree. Four\n", "document") == ["one two three", "four"]
    assert sentences("One. Two.\nThree.", "document", split=False) == ["one two three"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He said: “Go!” Then he went. She stayed.", ["he said go", "then he went", "she stayed"]),
        ("“What eyes!” and he used an oath.", ["what eyes and he used an oath"]),
        ("Mr. J. R. Smith met Dr. Jones. They spoke.", ["mr j r smith met dr jones", "they spoke"]),
        ("It was I. Nobody else, e.g. Tom.", ["it was i", "nobody else e g tom"]),
        ("Wait... what? Really?! Yes.", ["wait what", "really", "yes"]),
        ("He ran . She sat .", ["he ran", "she sat"]),
        ("今日は。明日も！「はい。」終わり", ["今日は", "明日も", "はい", "終わり"]),
        ("هل هذا صحيح؟ نعم هو۔ جيد", ["هل هذا صحيح", "نعم هو", "جيد"]),
        ("यह है। वह है।", ["यह है", "वह है"]),
        ("It cost 3.50 dollars. 20 men came.", ["it cost 3 50 dollars", "20 men came"]),
    ],
)
def test_sentence_ends(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_sentences_can_be_left_whole() -> None:
    assert sentences("One. Two! Three?\n", split=False) == ["one two three"]


def test_line_ends_form_feeds_and_joined_files() -> None:
    assert sentences("one\ftwo\x0bthree\u2003four\n") == ["one two three four"]
    # a byte-order mark in the stream stands where another file was joined on, with or without a newline before it
    assert sentences("the end\ufeffA start\n", "document") == ["the end", "a start"]
    assert sentences("the end\n\ufeffA start\n", "paragraph") == ["the end", "a start"]


def test_a_line_in_pieces_is_one_line() -> None:
    reader = SentenceReader(ascii_tokens, "line")
    assert list(reader.read(["a b ", "c d\n", "e"])) == [["a", "b", "c", "d"], ["e"]]
    assert reader.counts.lines == 2


@pytest.mark.parametrize("unit", ["line", "paragraph", "document"])
def test_long_sentences_are_split_and_counted(unit: Unit) -> None:
    reader = SentenceReader(ascii_tokens, unit)
    found = list(reader.read(["x " * 25_000 + "\n", "\n", "y. Z\n"]))
    lengths = [len(tokens) for tokens in found]
    assert lengths[:2] == [MAX_TOKENS, MAX_TOKENS]
    assert sum(lengths) == 25_002
    assert reader.counts.split == 1
    assert (reader.counts.tokens, reader.counts.sentences) == (25_002, len(found))


def test_memory_does_not_hold_a_document_without_sentences() -> None:
    reader = SentenceReader(ascii_tokens, "document")
    longest = 0

    def lines() -> list[str]:
        return ["word " * 1000 + "\n"] * 100

    for tokens in reader.read(lines()):
        longest = max(longest, len(tokens))
    assert longest == MAX_TOKENS
    assert (reader.counts.sentences, reader.counts.split) == (10, 1)


def test_counts() -> None:
    reader = SentenceReader(tokenizer("unicode", True), "line")
    list(reader.read(["One two.\n", "\n", "two \ufffd three\n"]))
    counts = reader.counts
    assert (counts.lines, counts.sentences, counts.tokens, counts.undecodable) == (3, 2, 4, 1)
    assert counts.distinct == {"one", "two", "three"}


@given(st.text(max_size=200), st.sampled_from(["line", "paragraph", "document"]), st.booleans())
def test_sentences_neither_lose_nor_make_tokens(text: str, unit: Unit, split: bool) -> None:
    text = text.replace("\r", "\n")
    reader = SentenceReader(unicode_tokens, unit, split)
    found = list(reader.read(text.splitlines(keepends=True)))
    pieces = [token for chunk in text.replace("\ufeff", " ").split() for token in unicode_tokens(chunk)]
    spaced = [token for sentence in found for token in sentence]
    assert "".join(spaced) == "".join(pieces)
    assert all(found)
    for token in spaced:
        assert token == "".join(token.split())  # what is joined by spaces can be split by them
