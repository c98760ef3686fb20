"""From one format to another: the words that are wanted, in the kind of numbers that is wanted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from w2vcli import outputs
from w2vcli.errors import ConfigError, W2VError
from w2vcli.formats import FORMATS, Format, named, read_gensim
from w2vcli.formats.collecting import shown
from w2vcli.formats.repairs import Repairs
from w2vcli.model import file_of, load
from w2vcli.sources import STDIN, Source, compression_of, is_url, open_text
from w2vcli.vectors import Vectors, unit_rows
from w2vcli.words import ListedWords

STDOUT = STDIN
_COMPARED = 200  # words, to see what fewer bits cost
_NEAREST = 10


@dataclass(frozen=True)
class Choice:
    """What is taken over, and how.

    Args:
        top: only the first, most frequent so many words.
        words: a file of words, a word a line; only these.
        normalize: divide each vector by its length.
        dtype: float32, float16 or int8; if not given, what it is, as far as the format has it.
        repair: mend what is wrong instead of refusing it.
    """

    top: int | None = None
    words: str | None = None
    normalize: bool = False
    dtype: str | None = None
    repair: bool = False


class Loss(NamedTuple):
    """What numbers of fewer bits cost.

    Args:
        kept: the share of the ten nearest words that are still among the ten nearest.
        apart: by how much the similarity to one of them differs at most.
        asked: of how many words.
    """

    kept: float
    apart: float
    asked: int


@dataclass(frozen=True)
class Converted:
    """What was written: its format, words and dimensions; what was repaired, missing, or lost."""

    format: str
    words: int
    dimensions: int
    dtype: str
    remarks: tuple[str, ...] = ()
    loss: Loss | None = None


def convert(
    source: str,
    destination: str,
    form: str | None = None,
    choice: Choice | None = None,
    say: Callable[[str], None] | None = None,
) -> Converted:
    """Write the words and vectors of any model in another format.

    Args:
        source: a run, a file of any format, a URL, or `-` for standard input.
        destination: a file, a URL, or `-` for standard output; compressed as its name says.
        form: the name of a format; if not given, the one that the destination's name asks for.
        choice: what is taken over.
        say: is told what takes long.

    Raises:
        ConfigError: when the destination cannot have what is wanted.
        W2VError: when the source cannot be read, the destination not be written, or a word not be held by the format.
    """
    choice = choice or Choice()
    name = _format_for(destination, form, choice)
    if name == "gensim" and destination.lower().endswith(".model"):
        return _copy_model(source, destination, choice)
    repairs = Repairs(source, choice.repair)
    original = load(source, repairs, say, choice.top if choice.words is None else None)
    chosen, remarks = _chosen(original, choice)
    if not len(chosen):
        had_words = len(original) or repairs.made()
        raise W2VError(f"{source}: nothing of it is left to write" if had_words else f"{source}: has no words")
    chosen, more = _fitting(chosen, name, destination, choice.repair)
    converted = _cast(chosen, choice.dtype or _kept_dtype(chosen, FORMATS[name]))
    _write(destination, FORMATS[name], converted)
    lossy = converted.rows.dtype.itemsize < chosen.rows.dtype.itemsize
    return Converted(
        name,
        len(converted),
        converted.dimensions,
        str(converted.rows.dtype),
        (*repairs.made(), *remarks, *more),
        loss_between(chosen, converted) if lossy and len(converted) > 1 else None,
    )


# ---------------------------------------------------------------- before anything is read


def _format_for(destination: str, form: str | None, choice: Choice) -> str:
    """Return the name of the format to write.

    Raises:
        ConfigError: when there is none, or it cannot have what is wanted.
    """
    writable = {name: known for name, known in FORMATS.items() if known.write is not None}
    if form is not None and form not in writable:
        raise ConfigError([f"--to: {form} is none of {', '.join(writable)}"])
    name = form or named(destination)
    if name is None:
        endings = ", ".join(ending for known in writable.values() for ending in known.endings)
        raise ConfigError([f"{destination}: which format is this? Give --to, or one of these endings: {endings}"])
    if choice.dtype is not None and choice.dtype not in FORMATS[name].dtypes:
        able = ", ".join(other for other, known in writable.items() if choice.dtype in known.dtypes)
        raise ConfigError([f"--dtype: {name} cannot have {choice.dtype}; these can: {able or 'none'}"])
    if FORMATS[name].is_several and not _is_plain(destination):
        raise ConfigError(
            [f"{destination}: {name} is more than one file, and can only be written to a folder as it is"]
        )
    return name


def _is_plain(destination: str) -> bool:
    """Return whether it is a file on this computer that is written as it is."""
    elsewhere = destination == STDOUT or is_url(destination) or outputs.is_device(Path(destination))
    return not elsewhere and not compression_of(destination)


def _copy_model(source: str, destination: str, choice: Choice) -> Converted:
    """Write a whole Word2Vec of Gensim's, which nothing but another one can be made from."""
    if choice != Choice():
        raise ConfigError([f"{destination}: a .model is copied whole; .kv has words and vectors alone"])
    model = read_gensim(file_of(source))
    if not hasattr(model, "wv"):
        raise W2VError(f"{source}: vectors alone are no .model", "name the new file .kv")
    with outputs.atomic_siblings(destination) as path:
        model.save(str(path))
    return Converted("gensim", len(model.wv), model.vector_size, "float32")


# ---------------------------------------------------------------- what is taken over


def _chosen(vectors: Vectors, choice: Choice) -> tuple[Vectors, list[str]]:
    """Return the words that are wanted, and what is to be said of them."""
    remarks = []
    if choice.words is not None:
        wanted = {word for line in _lines(choice.words) if (word := line.strip())}
        ids = sorted(number for word in wanted if (number := vectors.words.find(word)) is not None)
        if len(ids) < len(wanted):
            remarks.append(f"{choice.words}: {len(wanted) - len(ids):,} of {len(wanted):,} words are not in the model")
        vectors = vectors.only(np.array(ids, dtype=np.int64))
    if choice.top is not None and choice.top < len(vectors):
        vectors = vectors.only(np.arange(choice.top))
    if choice.normalize:
        rows = np.concatenate([unit_rows(block) for block in vectors.in_blocks()] or [vectors.take(slice(0))])
        vectors = Vectors(vectors.words, rows, counts=vectors.counts)
    return vectors, remarks


def _lines(file: str) -> Iterator[str]:
    with open_text(Source(file)) as lines:
        yield from lines


def _fitting(vectors: Vectors, name: str, destination: str, repair: bool) -> tuple[Vectors, list[str]]:
    """Return the vectors with words that a format can hold.

    Raises:
        W2VError: when there are others, and nothing is to be repaired.
    """
    form = FORMATS[name]
    if name == "gensim":
        return vectors, []
    words, changed, taken = list(vectors.words), 0, None
    for number, word in enumerate(words):
        reason = form.cannot_hold(word)
        if reason is None:
            continue
        if not repair:
            hint = "--repair puts _ in its place, or give a format such as .safetensors"
            encoded = word.encode("utf-8", "surrogatepass")
            raise W2VError(f"{destination}: {name} cannot hold {shown(encoded)}: it {reason}", hint)
        taken = taken or set(words)
        words[number] = _renamed(word, form.separators, taken)
        changed += 1
    if not changed:
        return vectors, []
    renamed = Vectors(ListedWords(words), vectors.rows, scales=vectors.scales, counts=vectors.counts)
    return renamed, [f"{destination}: {changed:,} words that {name} cannot hold have _ in them now"]


def _renamed(word: str, separators: Sequence[str], taken: set[str]) -> str:
    """Return a word with _ for what separates words, and another _ for as long as there is such a word."""
    for mark in filter(None, separators):
        word = word.replace(mark, "_")
    word = word.encode("utf-8", "replace").decode()
    word = word or "_"
    while word in taken:
        word += "_"
    taken.add(word)
    return word


def _kept_dtype(vectors: Vectors, form: Format) -> str:
    kind = str(vectors.rows.dtype)
    return kind if kind in form.dtypes else "float32"


def _cast(vectors: Vectors, dtype: str) -> Vectors:
    """Return the vectors in other numbers; of int8 the largest of each row is 127."""
    if str(vectors.rows.dtype) == dtype:
        return vectors
    rows = np.empty((len(vectors), vectors.dimensions), dtype=dtype)
    scales = np.ones(len(vectors), dtype=np.float32) if dtype == "int8" else None
    done = 0
    for block in vectors.in_blocks():
        piece = slice(done, done + len(block))
        if scales is not None:
            largest = np.abs(block).max(axis=1, initial=0)
            scales[piece] = np.maximum(largest / 127, np.finfo(np.float32).tiny)
            block = np.rint(block / scales[piece, None])
        with np.errstate(over="ignore"):
            rows[piece] = block
        done += len(block)
    if not np.isfinite(rows).all():
        raise W2VError(f"some numbers are too large for {dtype}", "--normalize makes them small")
    return Vectors(vectors.words, rows, scales=scales, counts=vectors.counts)


def loss_between(original: Vectors, converted: Vectors) -> Loss:
    """Return what the numbers of converted vectors cost, by the nearest words of some words, spread over all."""
    asked = np.unique(np.linspace(0, len(original) - 1, _COMPARED).astype(np.int64))
    left_out = [[number] for number in asked.tolist()]
    before = original.nearest(original.take(asked), _NEAREST, left_out)
    after = converted.nearest(converted.take(asked), _NEAREST, left_out)
    kept = [
        len(set(one.ids.tolist()) & set(other.ids.tolist())) / len(one.ids)
        for one, other in zip(before, after, strict=True)
    ]
    apart = max(
        float(np.abs(converted.units(found.ids) @ converted.units(asked[place : place + 1])[0] - found.scores).max())
        for place, found in enumerate(before)
    )
    return Loss(float(np.mean(kept)), apart, len(asked))


# ---------------------------------------------------------------- where it goes


def _write(destination: str, form: Format, vectors: Vectors) -> None:
    assert form.write is not None
    if _is_plain(destination):
        with outputs.atomic_siblings(destination) as path:
            form.write(path, vectors)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors"
        form.write(file, vectors)
        outputs.deliver(file, destination)
