"""Text into sentences of tokens: the rules, plainly. Pure: no files, no settings objects, only strings.

Text is cut into chunks at white space, and all that is said of a chunk depends on nothing but the chunk. So each
distinct chunk need be looked at only once: `preprocessing.tokenizing` does that, and gives what `sentences_of` gives.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from typing import Literal, NamedTuple

from w2vcli.sentences import sentences, split_unspaced

Tokenizer = Callable[[str], Sequence[str]]
"""A run of text without white space -> its tokens."""
Unit = Literal["line", "paragraph", "document"]

BYTE_ORDER_MARK = "\ufeff"
MAX_TOKENS = 10_000  # Gensim drops the rest of a longer sentence without a word
MAX_SENTENCE_BYTES = 1 << 24
LONGEST_CHUNK = 1 << 20  # bytes of UTF-8

# ---------------------------------------------------------------- tokenizers

_HYPHENS = "\u2010\u2011"
_JOINERS = "\u200c\u200d"  # of Persian and the scripts of India, invisible but part of the word
_SOFT_HYPHEN = "\u00ad"
_PLACEHOLDERS = {"\U000f0000": "<url>", "\U000f0001": "<email>"}  # private characters that stand for tokens
_URL, _EMAIL = _PLACEHOLDERS


def _ranges(codes: Iterable[int]) -> str:
    """Return a regular expression's character class (without brackets) for ascending code points."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


# Unicode's emoji: of the Basic Multilingual Plane those that are shown as pictures (Emoji_Presentation), and those that
# are when U+FE0F or a skin tone follows; beyond it, all symbols of the blocks of pictographs.
_PICTURES = (
    "\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd"
    "\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e"
    "\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf\u2b1b\u2b1c\u2b50\u2b55"
)
_SYMBOLS = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2194-\u2199\u21a9\u21aa\u2300-\u23ff\u24c2\u24dc\u25a0-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299"
)
_ASTRAL = "\U0001f000-\U0001f0ff\U0001f170-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
_SKIN, _REGION, _TAGS = "\U0001f3fb-\U0001f3ff", "\U0001f1e6-\U0001f1ff", "\U000e0020-\U000e007f"


def _emoji() -> str:
    one = rf"(?:[{_PICTURES}{_ASTRAL}]\ufe0f?|[{_SYMBOLS}](?:\ufe0f|(?=[{_SKIN}])))[{_SKIN}]?[{_TAGS}]*"
    joined = rf"{one}(?:\u200d(?:{one}|[{_SYMBOLS}]))*"
    return rf"[{_REGION}]{{2}}|[#*]\ufe0f?\u20e3|{joined}"


# the other ranges, nine tenths of all, have ideographs, Korean syllables and private characters
_WITH_MARKS = (
    (0x300, 0x3400),
    (0xA000, 0xAC00),
    (0xD7B0, 0xD800),
    (0xF900, 0x17000),
    (0x1A000, 0x20000),
    (0xE0000, 0xE1000),
)


@lru_cache(maxsize=1)
def _marks() -> str:
    """Return the characters that modify the letter before them, as a regular expression's class."""
    codes = chain.from_iterable(range(first, end) for first, end in _WITH_MARKS)
    return _ranges(code for code in codes if unicodedata.category(chr(code))[0] == "M")


@lru_cache(maxsize=1)
def _unicode_pattern() -> re.Pattern[str]:
    letters = rf"[^\W_]+(?:[{_marks()}{_JOINERS}]+[^\W_]*)*"
    return re.compile(rf"{letters}(?:['-]{letters})*|[{''.join(_PLACEHOLDERS)}]|{_emoji()}|\n")


_ASCII_PATTERN = re.compile(rf"[a-z]+|[{''.join(_PLACEHOLDERS)}]|\n")
_SPACED_PATTERN = re.compile(r"[^\s]+|\n")


def unicode_tokens(text: str) -> list[str]:
    """Return the words of any script, and emoji.

    A word is a run of letters, their marks and digits, with single apostrophes and hyphens inside it. Curly apostrophes
    and typographic hyphens become plain ones; soft hyphens vanish. Every emoji is a token, however it is composed.

    >>> unicode_tokens("Don\u2019t stop\u2014the well-known_caf\u00e9's 3rd!")
    ["Don't", 'stop', 'the', 'well-known', "caf\u00e9's", '3rd']
    """
    return [token for token in _unicode_spans(text) if token != "\n"]


def _unicode_spans(text: str) -> list[str]:
    if not text.isascii():
        text = text.replace(_SOFT_HYPHEN, "").replace("\u2019", "'")
        for hyphen in _HYPHENS:
            text = text.replace(hyphen, "-")
    return _unicode_pattern().findall(text)


def ascii_tokens(text: str) -> list[str]:
    """Return the runs of a-z of the lowercased text: the classic recipe.

    >>> ascii_tokens("The King's 2nd well-known caf\u00e9")
    ['the', 'king', 's', 'nd', 'well', 'known', 'caf']
    """
    return [token for token in _ASCII_PATTERN.findall(text.lower()) if token != "\n"]


# ---------------------------------------------------------------- rules

Replacement = Literal["keep", "drop", "placeholder"]

# What is in no URL: quotation marks, brackets other than () and [], and the punctuation of texts without spaces.
_NOT_OF_URLS = (
    r"\s<>\"\u201c\u201d\u00ab\u00bb{}|\\^`"
    r"\u3001\u3002\u3008-\u3011\u3014\u3015\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f"
)
_URL_PATTERN = re.compile(
    rf"(?:(?:https?|ftp|file)://|(?<![^\W_])www\.)[^{_NOT_OF_URLS}]*[^{_NOT_OF_URLS}.,;:!?'\u2019)\]\u2026]",
    re.IGNORECASE,
)
_EMAIL_PATTERN = re.compile(  # with bounds, or it would take quadratic time in a very long word
    r"[^\W_][\w.+-]{0,63}@(?<!\.@)(?:[^\W_][\w-]{0,62}\.(?<![_-]\.)){1,8}(?:xn--[a-z\d-]{1,59}|[^\W\d_]{2,63})"
)
_ACCENTS = re.compile("[\u0300-\u036f]+")
_DIGIT = re.compile(r"\d")


_MANY_LETTERS = 1000


@lru_cache(maxsize=1)
def _many_marks() -> re.Pattern[str]:
    mark = f"(?!\u034f)[{_marks()}]"
    return re.compile(f"((?:{mark}){{30}})(?={mark})")


def normalized(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """Return text in one of Unicode's normalisation forms, in linear time.

    Python sorts a run of marks by insertion. So in a very long line U+034F, which nobody sees, is put after every
    thirtieth: the Stream-Safe Text Format of Unicode's Standard Annex #15.
    """
    if text.isascii():
        return text
    lines = text.split("\n")
    if len(max(lines, key=len)) > _MANY_LETTERS:
        safe = _many_marks().sub
        text = "\n".join(safe("\\1\u034f", line) if len(line) > _MANY_LETTERS else line for line in lines)
    return unicodedata.normalize(form, text)


class Plain(NamedTuple):
    """Of what the tokens of a chunk of ASCII consist."""

    letters: dict[str, str]
    """Characters, and what becomes of each. Those that stand together are a token."""
    joiners: str
    """Characters of which one may stand between two letters of a token."""
    has_addresses: bool
    """Whether that does not hold for what may be a URL or an e-mail address: with @, / or `www.` in it."""


@dataclass(frozen=True)
class Rules:
    """What becomes of a chunk, step by step, in the order of the fields.

    Whatever the tokenizer, tokens have no white space in them.
    """

    normalization: Literal["NFC", "NFD", "NFKC", "NFKD", "none"] = "NFC"
    urls: Replacement = "keep"
    emails: Replacement = "keep"
    """`keep`: their words are tokens, as elsewhere; `placeholder`: the token `<url>` or `<email>` takes their place."""
    tokenizer: Literal["unicode", "ascii"] | Tokenizer = "unicode"
    """Of a function's tokens those without a letter, a digit or an emoji are left out; nor is it given such text."""
    lowercase: bool | Literal["casefold"] = True
    strip_accents: bool = False
    """Removes the combining diacritics U+0300 to U+036F, with which Latin, Greek and Cyrillic letters are written."""
    digits: Literal["keep", "zero", "drop"] = "keep"
    """`zero`: each digit becomes 0; `drop`: tokens with digits, fractions and the like and no letter are dropped."""
    min_length: int = 1
    max_length: int | None = None
    """Of a token, in characters."""
    stop_words: frozenset[str] = frozenset()
    """Dropped; they are compared with what the steps above have made of a token."""

    def plain(self) -> Plain | None:
        """Return of what the tokens of ASCII chunks consist; None where more than that matters."""
        if callable(self.tokenizer) or self.digits != "keep" or self.stop_words:
            return None
        if self.min_length > 1 or self.max_length is not None:
            return None
        words = self.tokenizer == "unicode"
        characters = string.ascii_letters + (string.digits if words else "")
        letters = {character: self._folded(character) for character in characters}
        return Plain(letters, "'-" if words else "", self.urls != "keep" or self.emails != "keep")

    def tokens(self, chunk: str) -> list[str]:
        """Return the tokens of a chunk.

        >>> Rules(lowercase=True, digits="zero").tokens("Route-66,")
        ['route-00']
        """
        return self.tokens_of_lines(chunk).split()

    def tokens_of_lines(self, text: str, counts: LineCounts | None = None) -> str:
        """Return the tokens of many chunks, which takes far less time than one by one.

        Args:
            text: chunks, with a newline between them.
            counts: is told what was dropped or replaced in which line.

        Returns:
            For each line one with its tokens, separated by single spaces.
        """
        text = self._replaced(self._normalized(text), counts)
        if callable(self.tokenizer):
            text = "\n".join(self._by_function(line) for line in text.split("\n"))
        text = self._folded(text)
        if self.digits == "zero":
            text = self._zeroed(text, counts)
        text = " ".join(self._spans(text)).replace(" \n", "\n").replace("\n ", "\n")
        if self.min_length > 1 or self.max_length or self.stop_words or self.digits == "drop":
            text = "\n".join(self._filtered(line, number, counts) for number, line in enumerate(text.split("\n")))
        for character, token in _PLACEHOLDERS.items():
            text = text.replace(character, token)
        return text

    def _normalized(self, text: str) -> str:
        return text if self.normalization == "none" else normalized(self.normalization, text)

    def _replaced(self, text: str, counts: LineCounts | None) -> str:
        """Return the text with private characters for URLs and addresses, or without them."""
        for character in _PLACEHOLDERS:
            text = text.replace(character, " ")
        for character, pattern, what in ((_URL, _URL_PATTERN, self.urls), (_EMAIL, _EMAIL_PATTERN, self.emails)):
            if what == "keep" or not pattern.search(text):
                continue
            text = pattern.sub(f" {character} ", text)
            if counts is not None:
                for number, line in enumerate(text.split("\n")):
                    counts.add("urls" if character == _URL else "emails", number, line.count(character))
            if what == "drop":
                text = text.replace(character, " ")
        return text

    def _by_function(self, line: str) -> str:
        assert callable(self.tokenizer)
        tokens: list[str] = []
        for part in line.split():
            if part in _PLACEHOLDERS:
                tokens.append(part)
            elif _unicode_pattern().search(part):
                tokens += self.tokenizer(part)
        spaced = " ".join(" ".join(token.split()) for token in tokens)
        return " ".join(token for token in spaced.split(" ") if token and _unicode_pattern().search(token))

    def _folded(self, text: str) -> str:
        if self.tokenizer == "ascii" or self.lowercase is True:
            text = text.lower()
        elif self.lowercase == "casefold":
            text = text.casefold()
        if self.strip_accents:
            text = normalized("NFC", _ACCENTS.sub("", normalized("NFD", text)))
        return self._normalized(text)

    def _zeroed(self, text: str, counts: LineCounts | None) -> str:
        if counts is not None:
            for number, line in enumerate(text.split("\n")):
                counts.add("digits", number, len(_DIGIT.findall(line)))
        return _DIGIT.sub("0", text)

    def _spans(self, text: str) -> list[str]:
        """Return tokens, and newlines where they were."""
        if self.tokenizer == "unicode":
            return _unicode_spans(text)
        return (_ASCII_PATTERN if self.tokenizer == "ascii" else _SPACED_PATTERN).findall(text)

    def _filtered(self, line: str, number: int, counts: LineCounts | None) -> str:
        kept = []
        for token in line.split():
            reason = None if token in _PLACEHOLDERS else self._reason_to_drop(token)
            if reason is None:
                kept.append(token)
            elif counts is not None:
                counts.add(reason, number, 1)
        return " ".join(kept)

    def _reason_to_drop(self, token: str) -> str | None:
        if self.digits == "drop" and any(map(str.isnumeric, token)) and not any(map(str.isalpha, token)):
            return "numbers"
        if len(token) < self.min_length:
            return "short_tokens"
        if self.max_length is not None and len(token) > self.max_length:
            return "long_tokens"
        return "stop_words" if token in self.stop_words else None

    def folded_words(self, words: Iterable[str]) -> frozenset[str]:
        """Return words as the tokens are in which they are to be found: in the same case, form and so on.

        A function that tokenizes is not asked: it may cut a word that in its context it leaves whole.
        """
        rules = replace(self, tokenizer=str.split) if callable(self.tokenizer) else self
        return frozenset(filter(None, rules.tokens_of_lines("\n".join(words)).split("\n")))


@dataclass
class LineCounts:
    """What was dropped or replaced in which lines: urls, emails, digits, numbers, short_tokens and so on."""

    found: list[tuple[str, int, int]] = field(default_factory=list)
    """What, in which line, how often."""

    def add(self, what: str, line: int, number: int) -> None:
        """Count something in a line."""
        if number:
            self.found.append((what, line, number))


# ---------------------------------------------------------------- chunks and sentences


def chunks_of(text: str, longest: int = LONGEST_CHUNK) -> Iterator[str]:
    """Yield the chunks of a text: its runs without white space; cut where a sentence may end without any.

    A byte-order mark is a chunk of its own: it stands where files were joined. A run of over `longest` bytes is cut,
    for the memory's sake.

    >>> list(chunks_of("No way! \u4eca\u65e5\u306f\u3002\u660e\u65e5"))
    ['No', 'way!', '今日は。', '明日']
    """
    for run in text.split():
        for part in cut_long(run, longest):
            for number, joined in enumerate(part.split(BYTE_ORDER_MARK)):
                if number:
                    yield BYTE_ORDER_MARK
                if joined:
                    yield from split_unspaced(joined)


def cut_long(run: str, longest: int) -> list[str]:
    """Cut text after every `longest` bytes of UTF-8, or up to three fewer, so that no character is cut.

    >>> cut_long("aaaaa\u00e9\u00e9", 4)
    ['aaaa', 'aé', 'é']
    """
    if 4 * len(run) <= longest or len(run.encode()) <= longest:
        return [run]
    encoded, parts, start = run.encode(), [], 0
    while start < len(encoded):
        end = min(start + longest, len(encoded))
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:
            end -= 1
        parts.append(encoded[start:end].decode())
        start = end
    return parts


def sentences_of(
    text: str,
    rules: Rules,
    unit: Unit = "line",
    split: bool = True,
    min_tokens: int = 1,
    longest: int = LONGEST_CHUNK,
) -> list[list[str]]:
    """Return the sentences of a text, 1 to MAX_TOKENS tokens each: the definition of what `w2v preprocess` does.

    Args:
        text: lines end with a line feed, a carriage return or both.
        rules: what becomes of its chunks.
        unit: what no sentence crosses. A byte-order mark ends any unit.
        split: whether to look for sentence ends inside a unit.
        min_tokens: shorter sentences are left out, but not those of more than MAX_SENTENCE_BYTES.
        longest: see `chunks_of`.

    >>> sentences_of("Two lines\\nare one. Another", Rules(), "document")
    [['two', 'lines', 'are', 'one'], ['another']]
    """
    found = []
    for chunks in _units(text, unit, longest):
        for sentence in sentences(chunks) if split else [chunks]:
            tokens = [token for chunk in sentence for token in rules.tokens(chunk)]
            parts = list(_cut(tokens))
            if len(tokens) >= min_tokens or len(parts) > 1:
                found += parts
    return found


def _units(text: str, unit: Unit, longest: int) -> Iterator[list[str]]:
    """Yield the chunks of each unit."""
    chunks: list[str] = []
    for line in re.split("\r\n?|\n", text):
        own = list(chunks_of(line, longest))
        if unit == "paragraph" and not own:
            yield chunks
            chunks = []
        for chunk in own:
            if chunk == BYTE_ORDER_MARK:
                yield chunks
                chunks = []
            else:
                chunks.append(chunk)
        if unit == "line":
            yield chunks
            chunks = []
    yield chunks


def _cut(sentence: list[str]) -> Iterator[list[str]]:
    """Yield a sentence in parts of no more than MAX_TOKENS tokens and MAX_SENTENCE_BYTES bytes."""
    part: list[str] = []
    size = 0
    for token in sentence:
        length = len(token.encode()) + 1
        if part and (len(part) == MAX_TOKENS or size + length > MAX_SENTENCE_BYTES):
            yield part
            part, size = [], 0
        part.append(token)
        size += length
    if part:
        yield part
