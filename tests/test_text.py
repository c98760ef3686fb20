from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from gensim.utils import simple_preprocess
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.text import (
    BYTE_ORDER_MARK,
    MAX_SENTENCE_BYTES,
    MAX_TOKENS,
    LineCounts,
    Rules,
    Unit,
    _marks,
    ascii_tokens,
    chunks_of,
    cut_long,
    sentences_of,
    unicode_tokens,
)


def sentences(text: str, unit: Unit = "line", split: bool = True) -> list[str]:
    return [" ".join(tokens) for tokens in sentences_of(text, Rules(), unit, split)]


def counted(text: str, rules: Rules) -> dict[tuple[str, int], int]:
    """Return what rules drop or replace: what and in which line -> how often."""
    counts = LineCounts()
    rules.tokens_of_lines(text, counts)
    found = {(what, line): number for what, line, number in counts.found}
    assert len(found) == len(counts.found) or rules.min_length > 1 or rules.stop_words or rules.digits == "drop"
    return found


# ---------------------------------------------------------------- tokenizers


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
        ("a\u0000b \ufffd c\ufffdd", ["a", "b", "c", "d"]),  # no letters
        ("one\ntwo", ["one", "two"]),
        ("", []),
    ],
)
def test_unicode_tokens(text: str, tokens: list[str]) -> None:
    assert unicode_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("👍🏽", ["👍🏽"]),
        ("❤️", ["❤️"]),
        ("☝🏽✌🏿", ["☝🏽", "✌🏿"]),  # in text form without a skin tone, as pictures with one
        ("⛹🏾‍♀️", ["⛹🏾‍♀️"]),
        ("🇩🇪🇫🇷", ["🇩🇪", "🇫🇷"]),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", ["🏴󠁧󠁢󠁥󠁮󠁧󠁿"]),  # England: letters of tags
        ("🏳️‍🌈🏴‍☠️", ["🏳️‍🌈", "🏴‍☠️"]),
        ("👨‍👩‍👧‍👦👩🏿‍❤️‍👨🏻", ["👨‍👩‍👧‍👦", "👩🏿‍❤️‍👨🏻"]),
        ("1️⃣ #️⃣*️⃣", ["1️⃣", "#️⃣", "*️⃣"]),
        ("😀😀", ["😀", "😀"]),
        ("Ⓜ️ ㊗️㊙️", ["Ⓜ️", "㊗️", "㊙️"]),
        ("love❤️you😀!", ["love", "❤️", "you", "😀"]),
        ("⌚⭐✅", ["⌚", "⭐", "✅"]),
        ("☞ ✠ ♣ © ™ ❤ → # * 🏽", []),  # symbols of text, and a skin tone of nothing
        ("©️ ♣️ ™️", ["©️", "♣️", "™️"]),  # with U+FE0F they are pictures
    ],
)
def test_every_emoji_is_a_token(text: str, tokens: list[str]) -> None:
    assert unicode_tokens(text) == tokens
    assert Rules().tokens_of_lines(text).split() == [token.lower() for token in tokens]  # Ⓜ️ becomes ⓜ️


def test_ascii_is_the_classic_recipe() -> None:
    text = "The King and queen ruled the Kingdom wisely."
    assert ascii_tokens(text) == ["the", "king", "and", "queen", "ruled", "the", "kingdom", "wisely"]
    assert ascii_tokens("Naïve 2nd-hand\tDon't") == ["na", "ve", "nd", "hand", "don", "t"]


@given(st.text(st.sampled_from("abcXYZ '’-.!?0189éñ—_\t"), max_size=60))
def test_ascii_agrees_with_gensim_on_plain_words(text: str) -> None:
    plain = "".join(character if character.isascii() and character.isalpha() else " " for character in text)
    assert ascii_tokens(text) == simple_preprocess(plain, min_len=1, max_len=10**6)


# ---------------------------------------------------------------- rules


def words(*tokens: str) -> list[str]:
    """Return tokens as they are; for lists of them in tables."""
    return list(tokens)


@pytest.mark.parametrize(
    ("normalization", "text", "tokens"),
    [
        ("NFC", "cafe\u0301", ["caf\u00e9"]),
        ("NFD", "caf\u00e9", ["cafe\u0301"]),
        ("NFKC", "cafe\u0301", ["caf\u00e9"]),
        ("NFKD", "\ufb01n caf\u00e9", ["fin", "cafe\u0301"]),
        ("none", "cafe\u0301 caf\u00e9", ["cafe\u0301", "caf\u00e9"]),
        ("NFC", "\uff21\uff22\uff13 \ufb01n x\u00b2", ["\uff41\uff42\uff13", "\ufb01n", "x\u00b2"]),
        ("NFKC", "\uff21\uff22\uff13 \ufb01n x\u00b2", ["ab3", "fin", "x2"]),
        ("NFKC", "\uff76\uff9e \u212b \u2163", ["\u30ac", "\u00e5", "iv"]),  # half-width ga, Angstrom, Roman four
        ("NFC", "\u212b", ["\u00e5"]),
        ("NFKC", "a\u00a8b", ["a", "b"]),  # becomes a space and a mark
        ("NFKC", "\u1e9b\u0323", ["\u1e69"]),
    ],
)
def test_normalization(normalization: str, text: str, tokens: list[str]) -> None:
    assert Rules(normalization=normalization).tokens_of_lines(text).split() == tokens  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lowercase", "text", "tokens"),
    [
        (True, "Straße ΟΔΟΣ ΣΑΣ İzmir", ["straße", "οδος", "σας", "i̇zmir"]),  # sigma is another letter at the end
        (False, "Straße ΟΔΟΣ ΣΑΣ İzmir", ["Straße", "ΟΔΟΣ", "ΣΑΣ", "İzmir"]),
        ("casefold", "Straße ΟΔΟΣ ΣΑΣ σας", ["strasse", "οδοσ", "σασ", "σασ"]),
        (True, "ǅungla ᏣᎳᎩ", ["ǆungla", "ꮳꮃꭹ"]),
    ],
)
def test_lowercase(lowercase: bool, text: str, tokens: list[str]) -> None:
    assert Rules(lowercase=lowercase).tokens_of_lines(text).split() == tokens


def test_very_many_marks_are_kept_apart() -> None:
    many, short = "a" + "\u0323\u0302" * 600, "a" + "\u0302\u0323" * 200
    tokens = Rules(normalization="NFD").tokens_of_lines(f"{many}\n{short}").split("\n")
    assert tokens[0].count("\u034f") == 39  # 1200 marks, 30 at a time
    assert tokens[0].replace("\u034f", "") == "a" + ("\u0323" * 15 + "\u0302" * 15) * 40
    assert tokens[1] == "a" + "\u0323" * 200 + "\u0302" * 200  # as Unicode orders them


def test_what_is_lowercased_is_in_its_normal_form() -> None:
    assert Rules(normalization="NFD", lowercase="casefold").tokens("\u0390") == ["\u03b9\u0308\u0301"]
    assert Rules(lowercase="casefold").tokens("\u01f0") == ["\u01f0"]  # folds to j and a caron, which NFC joins
    assert Rules(lowercase="casefold", normalization="none").tokens("\u01f0") == ["j\u030c"]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Café naïve Ångström e\u0301", ["cafe", "naive", "angstrom", "e"]),
        ("Żółw", ["zołw"]),  # the stroke of ł is no mark
        ("Ελλάδα ᾳ", ["ελλαδα", "α"]),
        ("ёлка йод", ["елка", "иод"]),  # a Russian takes й for a letter; Unicode for one with an accent
        ("हिन्दी फ़िल्म", ["हिन्दी", "फ़िल्म".replace("\u095e", "\u092b\u093c")]),
        ("がぎ ガ", ["がぎ", "ガ"]),  # voiced sounds, not accents
        ("한국", ["한국"]),
        ("العَرَبِيَّة", ["العَرَبِيَّة"]),
        ("đ ø", ["đ", "ø"]),
    ],
)
def test_strip_accents(text: str, tokens: list[str]) -> None:
    assert Rules(strip_accents=True).tokens_of_lines(text).split() == tokens


@pytest.mark.parametrize(
    ("digits", "tokens"),
    [
        ("keep", words("r2d2", "20", "٢٣", "६", "3½", "x²", "½", "१st")),
        ("zero", words("r0d0", "00", "00", "0", "0½", "x²", "½", "0st")),
        ("drop", words("r2d2", "x²", "१st")),
    ],
)
def test_digits(digits: str, tokens: list[str]) -> None:
    text = "R2D2 20 ٢٣ ६ 3½ x² ½ १st"
    assert Rules(digits=digits).tokens_of_lines(text).split() == tokens  # type: ignore[arg-type]


def test_numbers_of_keycaps_are_numbers() -> None:
    # 1️⃣ begins the lines of lists as 1. does
    assert Rules(digits="drop").tokens_of_lines("1️⃣ 🔟 😀").split() == ["🔟", "😀"]
    assert Rules(digits="zero").tokens_of_lines("1️⃣").split() == ["0️⃣"]


URLS = [
    ("http://example.org", ""),
    ("see:https://example.org/a?b=c&d=%20#e", "see"),
    ("(https://example.org/a_(b)).", ""),
    ("<ftp://example.org:2121/x/>", ""),
    ("HTTP://EXAMPLE.ORG/X!", ""),
    ("“www.example.org/x…”", ""),
    ("www.example.org,www.example.com", ""),
    ("[a](http://example.org)b", "a"),
    ("http://例え.jp/パス。", ""),
    ("https://müller.example/über?", ""),
    ("http://user:secret@example.org/", ""),
    ("http://[2001:db8::1]:80/x", ""),
    ("file:///etc/hosts", ""),
    ("見てhttps://example.jp/a）それから", "見て それから"),
    ("看https://example.cn/a，然后", "看 然后"),
    ("http://a.b|http://c.d", ""),
    ("awww.so", "awww so"),
    ("http://", "http"),
    ("www.", "www"),
    ("example.org/x", "example org x"),  # nothing says that this is one
    ("https://t.co/abc😀", ""),  # would be in the path
]


@pytest.mark.parametrize(("chunk", "rest"), URLS)
def test_urls(chunk: str, rest: str) -> None:
    assert " ".join(Rules(urls="drop").tokens(chunk)) == rest
    placed = " ".join(Rules(urls="placeholder").tokens(chunk))
    assert placed.replace("<url>", "").split() == rest.split()
    assert bool(re.search("<url>", placed)) == (rest not in ("awww so", "http", "www", "example org x"))
    assert Rules().tokens(chunk) == unicode_tokens(chunk.lower())


def test_several_urls_in_a_chunk() -> None:
    chunk = "a,http://b.c\"http://d.e/f',www.g.h;i"
    assert Rules(urls="placeholder").tokens(chunk) == ["a", "<url>", "<url>"]  # the rest may be of its path
    assert Rules(urls="placeholder").tokens('"http://b.c"—"www.g.h"') == ["<url>", "<url>"]
    assert counted('x\n"http://b.c"—"www.g.h"', Rules(urls="drop")) == {("urls", 1): 2}


@pytest.mark.parametrize(
    ("chunk", "rest"),
    [
        ("me@example.org", ""),
        ("(first.last+tag@mail.example.co.uk).", ""),
        ("<Me@Example.ORG>,", ""),
        ("mailto:me@example.org?subject=hi", "mailto subject hi"),
        ("a@b.org,c@d.org;e@f.org", ""),
        ("o'neill@example.org", "o"),  # an apostrophe may be a quotation mark
        ("jürgen@müller.example", ""),
        ("a@xn--e1afmkfd.xn--p1ai", ""),
        ("почта@пример.рф", ""),
        ("me@localhost", "me localhost"),
        ("@name", "name"),
        ("me@", "me"),
        ("a@b.c", "a b c"),  # no domain has one letter
        ("me@1.2.3.4", "me 1 2 3 4"),
        ("me@@example.org", "me example org"),
    ],
)
def test_emails(chunk: str, rest: str) -> None:
    assert " ".join(Rules(emails="drop").tokens(chunk)) == rest
    placed = Rules(emails="placeholder").tokens(chunk)
    assert [token for token in placed if token != "<email>"] == rest.split()
    assert ("<email>" in placed) == (rest in ("", "o", "mailto subject hi"))


def test_emails_are_counted() -> None:
    rules = Rules(emails="placeholder", urls="placeholder")
    assert rules.tokens_of_lines("a@b.org,c@d.org\nhttp://e@f.org/") == "<email> <email>\n<url>"
    assert counted("a@b.org,c@d.org\nhttp://e@f.org/", rules) == {("emails", 0): 2, ("urls", 1): 1}
    assert Rules(emails="placeholder").tokens("http://e@f.org/") == ["http", "<email>"]


def test_placeholders_are_neither_folded_nor_filtered() -> None:
    rules = Rules(
        urls="placeholder",
        emails="placeholder",
        lowercase="casefold",
        digits="drop",
        min_length=2,
        max_length=3,
        stop_words=frozenset({"<url>", "url", "email"}),
    )
    assert rules.tokens_of_lines("http://a.b me@c.de url e abcd").split() == ["<url>", "<email>"]
    # characters that stand for them on the way are those of nobody
    assert rules.tokens_of_lines("ab\U000f0000\U000f0001cd").split() == ["ab", "cd"]


def test_lengths() -> None:
    text = "a ab abc abcd e\u0301\u0302 東京 👍🏽"
    assert Rules(min_length=3).tokens_of_lines(text).split() == ["abc", "abcd"]  # é̂ is two characters, and so is 👍🏽
    assert Rules(max_length=2).tokens_of_lines(text).split() == ["a", "ab", "\u00e9\u0302", "東京", "👍🏽"]
    assert Rules(min_length=2, max_length=2).tokens_of_lines("a ab\nabc\n").split("\n") == ["ab", "", ""]
    assert counted("a b\nab c\nabc", Rules(min_length=2, max_length=2)) == {
        ("short_tokens", 0): 1,  # each one on its own
        ("short_tokens", 1): 1,
        ("long_tokens", 2): 1,
    }


def test_every_dropped_token_is_counted() -> None:
    counts = LineCounts()
    rules = Rules(min_length=2, max_length=4, digits="drop", stop_words=frozenset({"the"}))
    text = "a b the\n\nabcde the 12 x"
    assert rules.tokens_of_lines(text, counts) == "\n\n"
    assert sorted(counts.found) == [
        ("long_tokens", 2, 1),
        ("numbers", 2, 1),
        ("short_tokens", 0, 1),
        ("short_tokens", 0, 1),
        ("short_tokens", 2, 1),
        ("stop_words", 0, 1),
        ("stop_words", 2, 1),
    ]
    assert counted("12 a3\n4", Rules(digits="zero")) == {("digits", 0): 3, ("digits", 1): 1}


def test_stop_words_are_in_the_form_of_tokens() -> None:
    rules = Rules()
    folded = rules.folded_words(["THE", "Cafe\u0301", "New York", "“Don’t”", "…", "the"])
    assert folded == {"the", "caf\u00e9", "new york", "don't"}
    stopping = Rules(stop_words=folded)
    text = "The Café don't New York"
    assert stopping.tokens_of_lines(text).split() == ["new", "york"]  # a line of two words stops neither
    assert Rules(tokenizer=halves).folded_words(["AB", "..."]) == {"ab"}  # not cut in halves
    exact = Rules(lowercase=False, stop_words=Rules(lowercase=False).folded_words(["the"]))
    assert exact.tokens_of_lines("The the").split() == ["The"]


# ---------------------------------------------------------------- a tokenizer of one's own


def halves(text: str) -> list[str]:
    """Cut text in the middle."""
    middle = len(text) // 2
    return [text[:middle], text[middle:]]


def test_own_tokenizer() -> None:
    assert Rules(tokenizer=halves).tokens("Abcdef") == ["abc", "def"]
    assert Rules(tokenizer=halves).tokens_of_lines("abcd ab\ncdef\n") == "ab cd a b\ncd ef\n"


def test_of_its_tokens_punctuation_is_left_out() -> None:
    assert Rules(tokenizer=list).tokens("a,b!—😀_☞3") == ["a", "b", "😀", "3"]
    assert Rules(tokenizer=lambda text: ["a,", "...", "\ufffd", ""]).tokens("x") == ["a,"]


def test_it_is_not_given_punctuation() -> None:
    assert Rules(tokenizer=lambda text: ["x"]).tokens_of_lines("a … \ufeff\n☞\n😀") == "x\n\nx"


def test_in_its_tokens_there_is_no_white_space() -> None:
    rules = Rules(tokenizer=lambda text: ["a b", " c\u3000\n", "\t", "d\x1ce"])
    assert rules.tokens("x") == ["a", "b", "c", "d", "e"]
    assert rules.tokens_of_lines("x\ny") == "a b c d e\na b c d e"


def test_it_gets_text_as_it_was_written() -> None:
    seen: list[str] = []

    def look(text: str) -> list[str]:
        seen.append(text)
        return [text]

    rules = Rules(tokenizer=look, urls="placeholder", strip_accents=True, digits="zero", stop_words=frozenset({"x"}))
    assert rules.tokens_of_lines("E\u0301té2 见http://a.b X").split() == ["ete0", "见", "<url>"]
    assert seen == ["Été2", "见", "X"]  # normalised, and without URLs


def test_order_of_the_steps() -> None:
    # full-width letters make a URL once they are normalised
    assert Rules(normalization="NFKC", urls="drop").tokens("ｈｔｔｐ://a.b") == []
    assert Rules(urls="drop").tokens("ｈｔｔｐ://a.b") == ["ｈｔｔｐ", "a", "b"]
    # stop words are compared with what lowercasing, accents and digits have made of a token
    stops = frozenset({"cafe0"})
    assert Rules(strip_accents=True, digits="zero", stop_words=stops).tokens("CAFÉ7") == []
    # lengths are those of folded tokens
    assert Rules(lowercase="casefold", min_length=4).tokens("Maß") == ["mass"]
    assert Rules(lowercase=True, min_length=4).tokens("Maß") == []
    # ascii is lowercase whatever is asked
    assert Rules(tokenizer="ascii", lowercase=False).tokens("The") == ["the"]
    assert Rules(tokenizer="ascii", strip_accents=True).tokens("Café") == ["cafe"]


ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="\n")
RULES = [
    Rules(),
    Rules(tokenizer="ascii"),
    Rules(tokenizer=halves),
    Rules(normalization="NFKD", lowercase="casefold"),
    Rules(normalization="NFKC", strip_accents=True, digits="zero", urls="drop", emails="placeholder"),
    Rules(digits="drop", min_length=2, max_length=5, urls="placeholder", stop_words=frozenset({"the"})),
]


@given(st.lists(st.one_of(st.text(ALPHABET), st.text("aA.@:/w'\u0301ﬁΣ1 ½😀\u200d"))), st.sampled_from(RULES))
def test_lines_are_taken_one_by_one(lines: list[str], rules: Rules) -> None:
    together = rules.tokens_of_lines("\n".join(lines))
    assert together.split("\n") == [rules.tokens_of_lines(line) for line in lines] or not lines
    for line in together.split("\n"):
        assert line == " ".join(line.split())


@given(st.text(ALPHABET))
def test_tokens_are_in_normal_form(text: str) -> None:
    for token in Rules(normalization="NFKC", lowercase="casefold").tokens(text):
        assert unicodedata.is_normalized("NFKC", token)


# ---------------------------------------------------------------- chunks


def test_chunks() -> None:
    assert list(chunks_of(" a\tb\u3000c\x1fd\n")) == ["a", "b", "c", "d"]
    assert list(chunks_of("a\ufeffb \ufeff \ufeff\ufeffc")) == ["a", "\ufeff", "b", *["\ufeff"] * 3, "c"]
    assert list(chunks_of("はい。いいえ")) == ["はい。", "いいえ"]
    assert list(chunks_of("abcdefgh ij", 3)) == ["abc", "def", "gh", "ij"]
    assert list(chunks_of("")) == []


@given(st.text(), st.integers(4, 20))
def test_long_runs_are_cut_between_characters(text: str, longest: int) -> None:
    parts = cut_long(text, longest)
    assert "".join(parts) == text
    assert all(len(part.encode()) <= longest for part in parts)
    assert all(len(part.encode()) > longest - 4 for part in parts[:-1])


# ---------------------------------------------------------------- sentences

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
        ("「「はい。」』と言う。」次", ["はい と言う", "次"]),  # marks that close together stay together
        ("えっ。。。3つ", ["えっ", "3つ"]),
        ("長さ３．５キロ。３つ", ["長さ３ ５キロ", "３つ"]),
        ("لمبائی ۳۔۵ ہے۔۵", ["لمبائی ۳ ۵ ہے ۵"]),
    ],
)
def test_sentence_ends(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_sentences_can_be_left_whole() -> None:
    assert sentences("One. Two! Three?\n", split=False) == ["one two three"]


def test_dropped_words_still_end_sentences() -> None:
    rules = Rules(urls="drop", stop_words=frozenset({"the", "end"}))
    assert sentences_of("See http://a.b. The end. Go", rules) == [["see"], ["go"]]
    assert sentences_of("Is it? http://a.b Yes.", rules) == [["is", "it", "yes"]]  # what follows begins in lower case


def test_line_ends_form_feeds_and_joined_files() -> None:
    assert sentences("one\ftwo\x0bthree\u2003four\n") == ["one two three four"]
    # a byte-order mark in the stream stands where another file was joined on, with or without a newline before it
    for unit in ("line", "paragraph", "document"):
        assert sentences("the end\ufeffA start\n", unit) == ["the end", "a start"]
        assert sentences("the end\n\ufeffA start\n", unit) == ["the end", "a start"]
        assert sentences(f"the end{BYTE_ORDER_MARK}no end", unit, split=False) == ["the end", "no end"]


def test_short_sentences_are_left_out() -> None:
    text = "One. Two words. Now three words."
    assert sentences_of(text, Rules(), min_tokens=2) == [["two", "words"], ["now", "three", "words"]]
    assert sentences_of(text, Rules(), min_tokens=3) == [["now", "three", "words"]]


@pytest.mark.parametrize("unit", ["line", "paragraph", "document"])
def test_long_sentences_are_split(unit: Unit) -> None:
    found = sentences_of("x " * 25_000 + "\n\ny. Z\n", Rules(tokenizer="ascii"), unit)
    ends = [5_001, 1] if unit == "document" else [5_000, 1, 1]
    assert [len(tokens) for tokens in found] == [MAX_TOKENS, MAX_TOKENS, *ends]


def test_sentences_of_many_bytes_are_split() -> None:
    word = "b" * ((1 << 20) - 1)  # with the space after it 16 of them are as many as may be
    found = sentences_of(f"{word} " * 17, Rules(), min_tokens=18)
    assert [len(tokens) for tokens in found] == [16, 1]
    assert sum(len(token) + 1 for token in found[0]) == MAX_SENTENCE_BYTES
    assert sentences_of(f"{word} " * 16, Rules(), min_tokens=17) == []


WRITABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\U000f0000\U000f0001")  # of two private ones


@given(st.text(WRITABLE, max_size=200), st.sampled_from(["line", "paragraph", "document"]), st.booleans())
def test_sentences_neither_lose_nor_make_tokens(text: str, unit: Unit, split: bool) -> None:
    rules = Rules(normalization="none", lowercase=False)
    found = sentences_of(text, rules, unit, split)
    pieces = [token for chunk in text.replace("\ufeff", " ").split() for token in unicode_tokens(chunk)]
    spaced = [token for sentence in found for token in sentence]
    assert "".join(spaced) == "".join(pieces)
    assert all(found)
    for token in spaced:
        assert token == "".join(token.split())  # what is joined by spaces can be split by them


def test_all_marks_of_unicode_are_known() -> None:
    """Also those of a later version of it than today's."""
    every = [code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith("M")]
    assert len(every) > 2000
    assert re.fullmatch(f"[{_marks()}]+", "".join(map(chr, every)))
    assert not re.search(
        f"[{_marks()}]", "".join(map(chr, sorted(set(range(0x20000)) - {*every, *range(0xD800, 0xE000)})))
    )
