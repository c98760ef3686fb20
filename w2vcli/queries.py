"""Questions to word vectors: which words are near to a word or to a sum of words, and how near two of them are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np

from w2vcli.errors import ConfigError, UnknownWordError, W2VError
from w2vcli.spelling import Spellings
from w2vcli.vectors import Found, Ids, Rows, Vectors

Neighbours = list[tuple[str, float]]
Method = Literal["3cosadd", "3cosmul"]
Unknown = Literal["fail", "skip", "nearest-spelling"]

_LONGEST_SHOWN = 60  # letters of a word in a message

METHODS: tuple[Method, ...] = get_args(Method)
FORMULAS: dict[Method, str] = {"3cosadd": "3CosAdd", "3cosmul": "3CosMul"}
UNKNOWN: tuple[Unknown, ...] = get_args(Unknown)


@dataclass(frozen=True)
class Expression:
    """A sum of words with signs: the words to be near to, and those to be far from."""

    positive: tuple[str, ...]
    negative: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " + ".join(self.positive) + "".join(f" - {word}" for word in self.negative)


def parse(text: str) -> Expression:
    """Read a word, or several with + and - between them; with nothing between, they are added.

    >>> str(parse("king - man + woman")), str(parse("new york"))
    ('king + woman - man', 'new + york')

    Raises:
        ConfigError: when it is neither.
    """
    parts = text.split()
    if not {"+", "-"} & set(parts) or len(parts) == 1:
        return Expression(tuple(parts) or (text,))
    if parts[0] not in ("+", "-"):
        parts.insert(0, "+")
    signs, words = parts[::2], parts[1::2]
    if len(signs) != len(words) or set(signs) - {"+", "-"} or {"+", "-"} & set(words):
        raise ConfigError([f"{text}: not words with + or - between them, as in: king - man + woman"])
    signed = list(zip(signs, words, strict=True))
    positive = tuple(word for sign, word in signed if sign == "+")
    if not positive:
        raise ConfigError([f"{text}: at least one word must be added"])
    return Expression(positive, tuple(word for sign, word in signed if sign == "-"))


def parse_analogy(text: str) -> Expression:
    """Read an analogy: three words (a is to b as c is to …), or an expression with + and - between spaces.

    >>> str(parse_analogy("man king woman"))
    'king + woman - man'

    Raises:
        ConfigError: when it is neither.
    """
    parts = text.split()
    if len(parts) > 1 and {"+", "-"} & set(parts):
        return parse(text)
    if len(parts) != 3:
        hint = " (+ and - need spaces around them)" if len(parts) == 1 and re.search("[+-]", parts[0]) else ""
        raise ConfigError([f"an analogy has three words, as in: man king woman; here are {len(parts)}{hint}"])
    first, second, third = parts
    return Expression((second, third), (first,))


@dataclass(frozen=True)
class Options:
    """How questions are answered.

    Args:
        number: so many words.
        method: 3cosadd, the largest cosine similarity to the sum of the words' unit vectors (Mikolov et al. 2013,
            https://aclanthology.org/N13-1090), or 3cosmul (Levy and Goldberg 2014, https://aclanthology.org/W14-1618).
        among: only of the first, most frequent so many words.
        excluded: words that are no answers.
        threshold: only words that score so much at least.
        ignore_case: take an unknown word in another case.
        unknown: what to do about a word that is not there.
    """

    number: int = 10
    method: Method = "3cosadd"
    among: int | None = None
    excluded: tuple[str, ...] = ()
    threshold: float | None = None
    ignore_case: bool = False
    unknown: Unknown = "fail"


@dataclass(frozen=True)
class Answer:
    """What was found for a question.

    Args:
        neighbours: words and their scores, best first.
        replaced: the words that were taken for ones that are not there.
        passed_over: words that are not there and were left out of the sum.
        error: why there is no answer.
    """

    neighbours: Neighbours = field(default_factory=list)
    replaced: dict[str, str] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    error: W2VError | None = None


@dataclass(frozen=True)
class Known:
    """An expression in numbers of words.

    Args:
        positive: of the words to be near to.
        negative: of those to be far from.
        replaced: the words that were taken for ones that are not there.
        passed_over: words that are not there and were left out.
    """

    positive: list[int]
    negative: list[int]
    replaced: dict[str, str]
    passed_over: tuple[str, ...]


class Nearest(Protocol):
    """What finds the nearest words: the vectors themselves, or an index of them."""

    def nearest(
        self, queries: Rows, number: int, left_out: Sequence[Sequence[int]] = (), among: int | None = None
    ) -> list[Found]:
        """Return, for each query, the words whose vectors have the largest cosine similarity to it."""


class Questions:
    """Asks vectors, by the same options, one batch of questions after another.

    Args:
        vectors: words and vectors.
        options: how questions are answered.
        index: finds the nearest words, by sums, in the vectors' stead.
    """

    def __init__(self, vectors: Vectors, options: Options | None = None, index: Nearest | None = None) -> None:
        self.vectors, self.options = vectors, options or Options()
        self._index = index
        self._spellings = Spellings(vectors.words)

    # ------------------------------------------------------------ words

    def find(self, word: str) -> int:
        """Return the number of a word, or of what is taken for it.

        Raises:
            UnknownWordError: when it is not there, with the nearest spellings.
        """
        number = self._find(word)
        if number is not None:
            return number
        close = self._spellings.nearest(word) if word.strip() and len(word) <= _LONGEST_SHOWN else []
        hint = f"did you mean {' or '.join(close)}?" if close else None
        raise UnknownWordError(f"{_shown(word)}: not in the vocabulary", hint)

    def _find(self, word: str) -> int | None:
        number = self.vectors.words.find(word)
        if number is None and self.options.ignore_case:
            number = self._spellings.in_another_case(word)
        if number is None and self.options.unknown == "nearest-spelling":
            number = next(map(self.vectors.words.find, self._spellings.nearest(word, 1)), None)
        return number

    def known(self, expression: Expression) -> Known:
        """Return an expression in numbers of words.

        Raises:
            UnknownWordError: when a word is not there, and words are not to be left out; or when none is.
        """
        found = self._known(expression)
        if not found.positive:
            raise UnknownWordError(f"{expression}: no word of it is in the vocabulary")
        return found

    def _known(self, expression: Expression) -> Known:
        replaced: dict[str, str] = {}
        passed_over: list[str] = []

        def numbers(words: Sequence[str]) -> list[int]:
            found = []
            for word in words:
                number = self._find(word) if self.options.unknown == "skip" else self.find(word)
                if number is None:
                    passed_over.append(word)
                    continue
                found.append(number)
                if (taken := self.vectors.words[number]) != word:
                    replaced[word] = taken
            return found

        return Known(numbers(expression.positive), numbers(expression.negative), replaced, tuple(passed_over))

    def expression(self, text: str) -> Expression:
        """Return what a line of text asks for: a word that is there, even if it has spaces, or an expression.

        Raises:
            ConfigError: when it is neither.
        """
        return Expression((text,)) if text in self.vectors.words else parse(text)

    def vector(self, known: Known) -> Rows:
        """Return the vector of a word, or of several the sum of their unit vectors, float32 (d,)."""
        if len(known.positive) == 1 and not known.negative:
            return np.asarray(self.vectors.take(np.array(known.positive))[0])
        return self._sum(known)

    def _sum(self, known: Known) -> Rows:
        units = self.vectors.units(np.array([*known.positive, *known.negative], dtype=np.int64))
        signs = np.array([1] * len(known.positive) + [-1] * len(known.negative), dtype=np.float32)
        total: Rows = signs @ units
        return total

    # ------------------------------------------------------------ answers

    def ask(self, expressions: Sequence[Expression]) -> list[Answer]:
        """Return the words nearest to each expression, its own words left out: all of them at once, in one search."""
        known: list[Known | UnknownWordError] = []
        for expression in expressions:
            try:
                known.append(self._known(expression))
            except UnknownWordError as error:
                known.append(error)
        asked = [one for one in known if isinstance(one, Known) and one.positive]
        found = iter(self._search(asked) if asked else [])
        answers = []
        for one in known:
            if isinstance(one, UnknownWordError):
                answers.append(Answer(error=one))
            else:
                neighbours = self._shown(next(found)) if one.positive else []
                answers.append(Answer(neighbours, one.replaced, one.passed_over))
        return answers

    def _search(self, asked: Sequence[Known]) -> list[Found]:
        number, among = self.options.number, self.options.among
        excluded = [self.vectors.words.find(word) for word in self.options.excluded]
        left_out = [[*one.positive, *one.negative, *(word for word in excluded if word is not None)] for one in asked]
        if self.options.method == "3cosmul":
            positive, negative = [one.positive for one in asked], [one.negative for one in asked]
            return self.vectors.nearest_by_product(positive, negative, number, left_out, among)
        queries = np.stack([self._sum(one) for one in asked])
        return (self._index or self.vectors).nearest(queries, number, left_out, among)

    def _shown(self, found: Found) -> Neighbours:
        threshold = self.options.threshold
        return [
            (self.vectors.words[number], score)
            for number, score in zip(found.ids.tolist(), found.scores.tolist(), strict=True)
            if threshold is None or score >= threshold
        ]

    def similarity(self, one: Known, other: Known) -> float:
        """Return the cosine similarity of two words or sums of words; 0 if one is of length 0."""
        first, second = self.vector(one), self.vector(other)
        lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
        return float(first @ second) / lengths if lengths else 0.0

    def odd_one_out(self, known: Known) -> Neighbours:
        """Return words by their cosine similarity to the mean of all their unit vectors, the odd one first."""
        ids: Ids = np.array(known.positive, dtype=np.int64)
        units = self.vectors.units(ids)
        mean = units.mean(axis=0)
        scores = units @ (mean / (np.linalg.norm(mean) or 1))
        order = np.argsort(scores, kind="stable")
        return [(self.vectors.words[int(ids[place])], float(scores[place])) for place in order]


def _shown(word: str) -> str:
    """Return a word for a message, in quotation marks if it is blank, and cut if it is very long."""
    if len(word) > _LONGEST_SHOWN:
        return f"{word[:_LONGEST_SHOWN]}…"
    return word if word.strip() else repr(word)


def neighbours(vectors: Vectors, asked: str, number: int = 10, **options: Any) -> Neighbours:
    """Return the `number` words nearest to a word, or to an expression as `king - man + woman`, and their scores.

    Args:
        vectors: words and vectors.
        asked: a word or an expression.
        number: so many words.
        options: others of `Options`.

    Raises:
        UnknownWordError: when a word is not in the vocabulary.
        ConfigError: when it is no expression.
    """
    questions = Questions(vectors, Options(number, **options))
    (answer,) = questions.ask([questions.expression(asked)])
    if answer.error is not None:
        raise answer.error
    return answer.neighbours
