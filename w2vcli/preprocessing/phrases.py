"""Phrases, such as new_york: pairs of words found together more often than chance would have it, joined into one.

What is learned is what Gensim's `Phrases` would learn, number for number (Mikolov et al. 2013,
https://arxiv.org/abs/1310.4546), from counts that are made faster.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from w2vcli import outputs
from w2vcli.corpus import renumber
from w2vcli.encoding import Cutter
from w2vcli.errors import ConfigError, W2VError
from w2vcli.numbering import PADDING, Bytes, Merger, Workspace
from w2vcli.preprocessing.joining import Joiner
from w2vcli.preprocessing.pairs import DELIMITER, Integers, PairCounter, Pairs, Spelt
from w2vcli.sources import Source, open_text
from w2vcli.vocab import Vocab

SCORINGS = ("default", "npmi")
MAX_PAIRS = 40_000_000  # as Gensim's max_vocab_size

_FORMAT, _VERSION = "w2vcli phrases", 1
_CONNECTORS = "preprocess.phrases.connector_words"
_HIGHEST = 1e300  # beyond any score, and still a float


@dataclass(frozen=True)
class Phrase:
    """Words that are joined into one."""

    text: str
    """The words with the delimiter between."""
    score: float
    count: int
    """How often `text` was there when it was learned, as these words or others that read the same when joined."""
    pass_number: int
    """From 1."""


@dataclass(frozen=True)
class Phrases:
    """Phrases that were learned from a text, and how.

    Tokens are joined by `_`. One that contains it is like any other, except that its count is also that of words which
    would read the same when joined: `new_york` counts together with `new` before `york`, as in Gensim.
    """

    passes: tuple[dict[str, Phrase], ...]
    """The phrases of each pass, by their tokens with a space between each two."""
    connector_words: frozenset[str] = frozenset()
    """May stand inside a phrase, but not at its ends."""
    min_count: float = 5.0
    threshold: float = 10.0
    scoring: str = "default"
    dropped: int = 0
    """Distinct pairs that were dropped because there were too many; one that came again counts again."""
    settings: dict[str, Any] = field(default_factory=dict)
    """How the text was preprocessed that they were learned from: for the caller to compare."""

    @cached_property
    def _joiners(self) -> list[Joiner]:
        return [Joiner(phrases, self.connector_words) for phrases in self.passes]

    def join(self, tokens: list[str]) -> list[str]:
        """Return a sentence's tokens with those joined that are phrases, from the left, one pass after the other.

        >>> phrases = Phrases(({"new york": Phrase("new_york", 12.5, 7, 1)},))
        >>> phrases.join(["in", "new", "york"])
        ['in', 'new_york']
        """
        for phrases in self.passes:
            joined: list[str] = []
            pending: list[str] = []  # a word that may begin a phrase, and connector words
            for token in tokens:
                if token in self.connector_words:
                    (pending or joined).append(token)
                elif pending and (phrase := phrases.get(" ".join([*pending, token]))):
                    joined.append(phrase.text)
                    pending = []
                else:
                    joined += pending
                    pending = [token]
            tokens = joined + pending
        return tokens

    def join_lines(self, lines: bytes) -> bytes:
        r"""Return tokenised text with `join` done to each line.

        >>> phrases = Phrases(({"new york": Phrase("new_york", 12.5, 7, 1)},))
        >>> phrases.join_lines(b"in new york\nnew\nyork\n")
        b'in new_york\nnew\nyork\n'

        Args:
            lines: UTF-8, a sentence a line, one space between tokens. No phrase is found across anything else.
        """
        text = np.frombuffer(lines, dtype=np.uint8).copy()
        self._join_in_place(text, len(text))
        return text.tobytes()

    def _join_in_place(self, text: Bytes, size: int) -> None:
        for joiner in self._joiners:
            joiner.join(text, size)

    def top(self, n: int) -> list[Phrase]:
        """Return the n phrases with the highest scores; of the same score, the more frequent one, then by text."""
        every = (phrase for phrases in self.passes for phrase in phrases.values())
        return heapq.nsmallest(n, every, key=_order)

    def save(self, path: str | Path) -> None:
        """Write a JSON file with a phrase a line, compressed by its extension; it appears whole or not at all.

        Raises:
            W2VError: when it cannot be written.
        """
        with outputs.open_text(path) as stream:
            stream.writelines(self._lines())

    def _lines(self) -> Iterator[str]:
        head = {
            "format": _FORMAT,
            "version": _VERSION,
            "scoring": self.scoring,
            "min_count": self.min_count,
            "threshold": self.threshold,
            "dropped": self.dropped,
            "connector_words": sorted(self.connector_words),
            "settings": self.settings,
        }
        yield "{\n"
        for name, value in head.items():
            yield f"{_json(name)}: {_json(value)},\n"
        yield '"passes": ['
        for number, phrases in enumerate(self.passes):
            entries = sorted(phrases.items(), key=lambda item: (_order(item[1]), item[0]))
            lines = ",\n".join(f"{_json(key)}: {_json([phrase.score, phrase.count])}" for key, phrase in entries)
            yield f"{',' if number else ''}\n{{\n{lines}\n}}"
        yield "\n]\n}\n"

    @classmethod
    def load(cls, path: str | Path) -> Phrases:
        """Read what `save` wrote.

        Raises:
            W2VError: when it cannot be read, or is something else.
        """
        with open_text(Source(str(path))) as lines:
            text = "".join(lines)
        try:
            return _parsed(json.loads(text, parse_constant=_refused))
        except (ValueError, RecursionError) as error:
            reason = "nested too deep" if isinstance(error, RecursionError) else error
            raise W2VError(
                f"{path}: not a file of phrases: {reason}", "learn them anew from the text, or name another file"
            ) from error


def _order(phrase: Phrase) -> tuple[float, int, str, int]:
    return -phrase.score, -phrase.count, phrase.text, phrase.pass_number


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


# ---------------------------------------------------------------- what is in a file


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number that a score can be")


def _checked(about: Mapping[str, Any], name: str, *types: type) -> Any:
    """Return the value of that name, if it is of one of these types, exactly."""
    if type(about.get(name)) not in types:
        raise ValueError(f"its {name} is not what it should be" if name in about else f"it has no {name}")
    return about[name]


def _parsed(about: Any) -> Phrases:
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ValueError(f'it does not begin with "format": "{_FORMAT}"')
    if about.get("version") != _VERSION:
        raise ValueError(f"its version is {about.get('version')!r}, not {_VERSION}")
    connectors = _checked(about, "connector_words", list)
    if not all(type(word) is str and _is_token(word) for word in connectors):
        raise ValueError("its connector_words are not all words")
    scoring, dropped = _checked(about, "scoring", str), _checked(about, "dropped", int)
    min_count, threshold = _checked(about, "min_count", int, float), _checked(about, "threshold", int, float)
    if problem := _problem(1, min_count, threshold, scoring):
        raise ValueError(problem[0])
    passes = tuple(
        _parsed_pass(entries, number, frozenset(connectors))
        for number, entries in enumerate(_checked(about, "passes", list), 1)
    )
    settings = _checked(about, "settings", dict)
    _json(settings).encode()  # or it could not be saved again
    return Phrases(passes, frozenset(connectors), min_count, threshold, scoring, dropped, settings)


def _parsed_pass(entries: Any, number: int, connectors: frozenset[str]) -> dict[str, Phrase]:
    if not isinstance(entries, dict):
        raise ValueError(f"pass {number} is no mapping")
    phrases = {}
    for key, value in entries.items():
        tokens = key.split(" ")
        is_phrase = len(tokens) > 1 and all(map(_is_token, tokens))
        if not is_phrase or [token in connectors for token in tokens] != [False, *[True] * (len(tokens) - 2), False]:
            raise ValueError(f"{key!r} is no phrase")
        match value:
            case [float() | int() as score, int() as count] if _is_number(score) and _is_number(count) and count > 0:
                phrases[key] = Phrase(DELIMITER.join(tokens), float(score), count, number)
            case _:
                raise ValueError(f"{key!r} should have a score and a count")
    return phrases


def _is_number(value: float) -> bool:
    return not isinstance(value, bool) and abs(value) < _HIGHEST


def _is_token(text: str) -> bool:
    """Whether it is a word with no white space in it that can be written."""
    return text.split() == [text] and not any("\ud800" <= letter <= "\udfff" for letter in text)


# ---------------------------------------------------------------- learning


def learn(
    lines: Callable[[], Iterable[bytes]],
    *,
    passes: int = 1,
    min_count: float = 5.0,
    threshold: float = 10.0,
    scoring: str = "default",
    connector_words: frozenset[str] = frozenset(),
    settings: Mapping[str, Any] | None = None,
    max_pairs: int = MAX_PAIRS,
    progress: Callable[[int, int], None] | None = None,
) -> Phrases:
    """Learn phrases from tokenised text: two words, or in each further pass also two phrases.

    Scores and what `join` makes of the text are those of `gensim.models.Phrases`, a new one for each pass, trained on
    what the one before made of the text. Where tokens contain `_`, as in a second pass, they are not those of its
    `freeze()`, which takes tokens apart there and scores `new_york` before `times` as `new` before `times`
    (https://github.com/piskvorky/gensim/issues/3326).

    Memory: 24 bytes for each distinct pair of words, about 90 now and then for a moment, and what the distinct words
    take.

    Args:
        lines: gives the text anew for each pass, as pieces of UTF-8: a sentence a line, one space between tokens.
        passes: how often; with 2, phrases have up to four words, connector words aside.
        min_count: pairs below it are no phrases; see `scoring`.
        threshold: a phrase's score is above it: positive, or with npmi between -1 and 1.
        scoring: `default`, (count(ab) - min_count) * distinct words and pairs / (count(a) * count(b)); or `npmi`, the
            normalised pointwise mutual information, ln(p(ab) / (p(a) * p(b))) / -ln(p(ab)).
        connector_words: may stand inside a phrase without affecting its score.
        settings: what to keep with the phrases of how the text was preprocessed; anything that JSON can hold.
        max_pairs: when there are more distinct pairs, the rarest are dropped until half as many are left.
        progress: called with the number of the pass and the bytes read in it so far.

    Raises:
        W2VError: when an argument is out of range.
    """
    if problem := _problem(passes, min_count, threshold, scoring):
        raise W2VError(*problem)
    learned = Phrases((), connector_words, min_count, threshold, scoring, 0, dict(settings or {}))
    for number in range(1, passes + 1):
        report = None if progress is None else lambda read, number=number: progress(number, read)
        counts = _count(lines(), learned, max_pairs, report)
        found = _found(counts, learned, number)
        if not found:
            break
        learned = _with_pass(learned, found, counts.dropped)
    return learned


def _with_pass(learned: Phrases, found: dict[str, Phrase], dropped: int) -> Phrases:
    """Return phrases with those of another pass."""
    return Phrases(
        (*learned.passes, found), learned.connector_words, learned.min_count, learned.threshold, learned.scoring,
        learned.dropped + dropped, learned.settings,
    )  # fmt: skip


def _problem(passes: int, min_count: float, threshold: float, scoring: str) -> tuple[str, str] | None:
    """Return which argument is out of range, and what to do."""
    if scoring not in SCORINGS:
        return f"{scoring!r} is no way to score phrases", f"take {' or '.join(SCORINGS)}"
    if passes < 1:
        return f"phrases cannot be learned in {passes} passes", "take 1 or more"
    if not 0 < min_count < _HIGHEST:
        return "the min_count of phrases is out of range", "take a positive number"
    if scoring == "default" and not 0 < threshold < _HIGHEST:
        return "the threshold of phrases is out of range", "take a positive number"
    if scoring == "npmi" and not -1 <= threshold <= 1:
        return "the threshold of phrases scored by npmi is out of range", "take a number between -1 and 1"
    return None


class _Counts(NamedTuple):
    """What a text has; words are numbered by falling counts."""

    words: list[str]
    word_counts: Integers
    pairs: Pairs
    between: list[tuple[str, ...]]
    """The connector words that each number in `pairs.between` stands for."""
    total: int
    """Words in the text, with connector words."""
    dropped: int


def _count(
    pieces: Iterable[bytes], learned: Phrases, max_pairs: int, progress: Callable[[int], None] | None
) -> _Counts:
    """Count the words and pairs in a text in which the phrases learned before are joined."""
    connectors = sorted(learned.connector_words)
    cutter, space, merger = Cutter(), Workspace(), Merger()
    pairs = PairCounter(len(connectors), max_pairs)
    # connector words get the lowest numbers, because they come first
    merger.add(space.number_words(np.frombuffer(" ".join(connectors).encode() + PADDING, dtype=np.uint8)))
    total = bytes_read = 0
    for chunk in cutter.chunks(pieces):
        size = len(chunk) - len(PADDING)
        learned._join_in_place(chunk, size)
        numbered = space.number_words(chunk)
        renumber(numbered.numbers, merger.add(numbered))
        pairs.add(numbered.numbers, numbered.lengths)
        cutter.take_back(chunk)
        total += len(numbered.numbers)
        bytes_read += size
        if progress is not None:
            progress(bytes_read)
    finished = merger.finish()
    vocab, ids = Vocab.parse(finished.table.decode()), finished.ids
    counted = pairs.finish()
    words = ids[counted.words >> 32].astype(np.int64) << 32 | ids[counted.words & 0xFFFFFFFF]
    between = [tuple(connectors[number] for number in numbers) for numbers in pairs.between]
    return _Counts(vocab.words, vocab.counts, counted._replace(words=words), between, total, pairs.dropped)


def _found(counts: _Counts, learned: Phrases, number: int) -> dict[str, Phrase]:
    """Return the pairs that are phrases."""
    from gensim.models.phrases import npmi_scorer, original_scorer

    scorer = npmi_scorer if learned.scoring == "npmi" else original_scorer
    word_counts, pair_counts, distinct = _joined_counts(counts, learned.connector_words)
    words = counts.words
    found: dict[str, Phrase] = {}
    # the scorers give no score above the threshold to pairs below min_count
    for place in np.flatnonzero(pair_counts >= learned.min_count).tolist():
        first, second = divmod(int(counts.pairs.words[place]), 1 << 32)
        count = int(pair_counts[place])
        score = scorer(
            worda_count=int(word_counts[first]), wordb_count=int(word_counts[second]), bigram_count=count,
            len_vocab=distinct, min_count=learned.min_count, corpus_word_count=counts.total,
        )  # fmt: skip
        if score > learned.threshold:
            tokens = [words[first], *counts.between[counts.pairs.between[place]], words[second]]
            found[" ".join(tokens)] = Phrase(DELIMITER.join(tokens), score, count, number)
    return found


def _joined_counts(counts: _Counts, connectors: frozenset[str]) -> tuple[Integers, Integers, int]:
    """Return the counts of words and of pairs, and the number of distinct strings that they are when joined.

    Where strings are the same, each gets the sum of their counts: in Gensim they are one.
    """
    words, pairs = counts.words, counts.pairs
    is_word = np.array([word not in connectors for word in words], dtype=np.bool_)
    if not any(DELIMITER in word for word in words):
        return counts.word_counts, pairs.counts, int(is_word.sum()) + len(pairs.counts)
    spelt = Spelt.of([(word,) for word in words])
    between = Spelt.of(counts.between)
    first, second = spelt.taken(pairs.words >> 32), spelt.taken(pairs.words & 0xFFFFFFFF)
    joined = first.then(between.taken(pairs.between)).then(second)
    hashes = np.concatenate((spelt.hashes, joined.hashes))
    every = np.concatenate((np.where(is_word, counts.word_counts, 0), pairs.counts))
    _, same = np.unique(hashes, return_inverse=True)
    sums = np.bincount(same, weights=every)
    totals = sums[same].astype(np.int64)
    return totals[: len(words)], totals[len(words) :], int((sums > 0).sum())


# ---------------------------------------------------------------- connector words


def connector_words(value: str | Sequence[str]) -> frozenset[str]:
    """Return connector words: those of English by the name `english`, those in a file, a word a line, or those listed.

    >>> "of" in connector_words("english"), connector_words(["van", "der"]) == {"van", "der"}
    (True, True)

    Raises:
        ConfigError: when the file cannot be read, or something is not one word.
    """
    if value == "english":
        from gensim.models.phrases import ENGLISH_CONNECTOR_WORDS

        return frozenset(ENGLISH_CONNECTOR_WORDS)
    if isinstance(value, str):
        if not Path(value).is_file():
            raise ConfigError([f"{_CONNECTORS}: {value}: no such file; name one with a word a line, or take english"])
        with open_text(Source(value)) as lines:
            named = {f"{value}, line {number:,}": line.strip() for number, line in enumerate(lines, 1) if line.strip()}
    else:
        named = {f"connector word {number:,}": word for number, word in enumerate(value, 1)}
    for place, word in named.items():
        if not _is_token(word):
            raise ConfigError([f"{_CONNECTORS}: {place}: {word!r} is not one word; give each word by itself"])
    return frozenset(named.values())
