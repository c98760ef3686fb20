"""Growing: a new run begins with a trained model's words and vectors, and trains on new text.

The counts of both texts are added up; so new words join the vocabulary, words that were too rare may now be frequent
enough, and subsampling and noise follow the whole. The model that is grown from is only read.

Trained on new text alone, a model forgets the old: on novels, 5 epochs on the last third of the words left analogies
where they had been, 8 points below a run on all the text. So in the end each word's vectors are averaged with what they
were, weighted by its counts in both texts, as if either text had had its say; that is 2.1 points below the run on all,
and 1.3 after 10 epochs. (Averages of models that share a beginning: Wortsman et al. 2022, arXiv:2109.01903.)
"""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2vcli import formats, npy, outputs
from w2vcli.config import Word2Vec
from w2vcli.corpus import IDS_FILE, META_FILE
from w2vcli.errors import W2VError
from w2vcli.run_directory import RunDirectory
from w2vcli.vectors import unit_rows
from w2vcli.vocab import Vocab

_NEIGHBOURS = 10
_ROWS_AT_ONCE, _ASKED_AT_ONCE = 10_000, 100  # that temporary memory stays small
_ASKED, _CANDIDATES = 1_000, 30_000  # words whose neighbours are compared, and among which they are looked for


@dataclass(frozen=True)
class Base:
    """A finished run, or a Gensim Word2Vec model in a file, that another run grows from."""

    name: str
    model_file: Path
    vocab_file: Path | None
    """Of a run: all its words, the rare ones too."""
    fingerprint: str

    @classmethod
    def open(cls, path: str | Path, settings: Word2Vec) -> Base:
        """Find it.

        Raises:
            W2VError: when it is neither of the two, or its vectors are known to be of another size than in `settings`.
        """
        place, run = Path(path), RunDirectory(path)
        if not place.exists():
            raise W2VError(f"{path}: no such run or model to grow from")
        if not place.is_dir():
            return cls._of(str(path), place, None)
        about, damage = run.verified()
        if about is None:
            raise W2VError(f"{path}: no finished run to grow from", "finish it with its own w2v train command first")
        if damage:
            raise W2VError(f"{path}: its model is damaged: {damage}", "its own w2v train command makes it again")
        base = cls._of(str(path), run.finished_model(), run.vocab)
        base._check_size(about["config"]["word2vec"]["vector_size"], settings)
        return base

    @classmethod
    def _of(cls, name: str, model_file: Path, vocab_file: Path | None) -> Base:
        return cls(name, model_file, vocab_file, _fingerprint(_files(model_file, vocab_file)))

    def size(self) -> int:
        """Return the bytes of its files."""
        return sum(file.stat().st_size for file in _files(self.model_file, self.vocab_file) if file.exists())

    def read(self, settings: Word2Vec) -> Any:
        """Return the gensim.models.Word2Vec.

        Raises:
            W2VError: when the file holds something else, or vectors of another size, or is no longer what it was.
        """
        if _fingerprint(_files(self.model_file, self.vocab_file)) != self.fingerprint:
            raise W2VError(f"{self.name}: changed while it was grown from", "run it again")
        model = formats.read_gensim(str(self.model_file))
        if not (hasattr(model, "wv") and hasattr(model, "vector_size") and "count" in model.wv.expandos):
            raise W2VError(f"{self.name}: vectors alone cannot grow", "name a run, or a .model of Gensim's Word2Vec")
        self._check_size(model.vector_size, settings)
        return model

    def _check_size(self, vector_size: int, settings: Word2Vec) -> None:
        if vector_size != settings.vector_size:
            raise W2VError(
                f"{self.name}: has vectors of {vector_size} dimensions, not {settings.vector_size}",
                f"--set word2vec.vector_size={vector_size}",
            )

    def vocab(self, model: Any) -> Vocab:
        """Return the words and counts of its text: a run's with the rare ones, of a mere model what it holds.

        Raises:
            W2VError: when there are words that a text of tokens split by spaces cannot have.
        """
        whole = Vocab.load(self.vocab_file) if self.vocab_file and self.vocab_file.is_file() else None
        words = list(model.wv.index_to_key)
        if whole is not None and whole.words[: len(words)] == words:
            return whole
        odd = next((word for word in words if word.split() != [word]), None)
        if odd is not None:
            raise W2VError(f"{self.name}: has white space in the word {odd!r}", "such a model cannot grow")
        return Vocab(words, np.asarray(model.wv.expandos["count"], dtype=np.int64))


def _files(model_file: Path, vocab_file: Path | None) -> list[Path]:
    """Return what a base consists of: the model's file, the arrays beside it, and a run's vocabulary."""
    beside = sorted(model_file.parent.glob(f"{glob.escape(model_file.name)}.*.npy"))
    return [model_file, *beside, *([vocab_file] if vocab_file and vocab_file.exists() else [])]


def _fingerprint(files: list[Path]) -> str:
    """Return the hash of what is in some files, 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                while piece := stream.read(1 << 22):
                    digest.update(piece)
        except OSError as error:
            raise W2VError(f"{file}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()[:32]


# ---------------------------------------------------------------- before training


def merge(base: Base, old: Vocab, corpus: Path, vocab_path: Path) -> None:
    """Give an encoded corpus ids of the merged vocabulary, and write that vocabulary in place of its own.

    Ids follow the summed counts; of equal ones the words of `old` come first, each side in its order.

    Raises:
        W2VError: when something cannot be written.
    """
    new = Vocab.load(vocab_path)
    merged, ids = merged_vocab(old, new)
    with outputs.translated_errors(corpus):
        of_identity = np.load(corpus / IDS_FILE, allow_pickle=False)
        ids = np.append(ids, np.int32(len(merged)))[of_identity]  # words that vocab_memory dropped stay last
        npy.save(corpus / IDS_FILE, ids)
        meta = json.loads((corpus / META_FILE).read_text())
        meta["checksums"][IDS_FILE] = npy.checksums(ids)
        meta |= {"distinct": len(merged), "base": base.fingerprint, "base_words": int(old.counts.sum())}
        outputs.write_text(corpus / META_FILE, json.dumps(meta, indent=1) + "\n")
    outputs.write_text(vocab_path, merged.table())


def merged_vocab(old: Vocab, new: Vocab) -> tuple[Vocab, NDArray[np.int32]]:
    """Return the vocabulary with the counts of both, and the id in it of each word of `new`, int32 (n,)."""
    words = list(dict.fromkeys([*old.words, *new.words]))
    places = {word: place for place, word in enumerate(words)}
    counts = np.zeros(len(words), dtype=np.int64)
    counts[: len(old)] = old.counts
    place_of_new = np.array([places[word] for word in new.words], dtype=np.int64)
    counts[place_of_new] += new.counts
    order = np.argsort(-counts, kind="stable")
    ids = np.empty(len(words), dtype=np.int32)
    ids[order] = np.arange(len(words), dtype=np.int32)
    return Vocab([words[place] for place in order.tolist()], counts[order]), ids[place_of_new]


class Growth:
    """The growing of one run from its base."""

    def __init__(self, base: Base, settings: Word2Vec, average: bool) -> None:
        self.base = base
        self.averages = average
        self._settings = settings

    def begin(self, model: Any) -> Iterator[str]:
        """Put the base's vectors into an untrained model; yield what is lost."""
        yield from take_over(model, self.base.read(self._settings))

    def finish(self, model: Any) -> dict[str, Any]:
        """Average, if that is wanted, and return what is to be said of the finished model: see `drift`."""
        old = self.base.read(self._settings)
        if self.averages:
            average(model, old)
        return {"grown_from": self.base.name, "drift": drift(model, old)}


def take_over(model: Any, old: Any) -> Iterator[str]:
    """Put the old model's vectors into the new one where a word is in both; yield what could not be taken over."""
    mine, theirs = _shared(model, old)
    model.wv.vectors[mine] = old.wv.vectors[theirs]
    lost = len(old.wv) - len(mine)
    if lost:
        yield f"{lost:,} words of the model are too rare for word2vec.min_count and are left out"
    if getattr(model, "syn1neg", None) is not None:
        if getattr(old, "syn1neg", None) is not None:
            model.syn1neg[mine] = old.syn1neg[theirs]
        else:
            yield "the model has no output vectors for negative sampling; they begin at zero"
    if getattr(model, "syn1", None) is not None:
        yield "the Huffman tree of hierarchical softmax is another with other counts; its output vectors begin at zero"


def _shared(model: Any, old: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ids of the words that are in both, in the one and in the other, by falling count in `model`."""
    known = old.wv.key_to_index
    pairs = [(number, known[word]) for number, word in enumerate(model.wv.index_to_key) if word in known]
    mine, theirs = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return mine, theirs


# ---------------------------------------------------------------- after training


def average(model: Any, old: Any) -> None:
    """Let an old word's vectors be (c * old + (n - c) * new) / n, in place; c of its n occurrences are in the old text.

    New words, and the nodes of hierarchical softmax, stay as they are.
    """
    mine, theirs = _shared(model, old)
    counts = old.wv.expandos["count"][theirs] / model.wv.expandos["count"][mine]
    share = np.minimum(counts, 1.0).astype(np.float32)[:, None]
    pairs = [(model.wv.vectors, old.wv.vectors)]
    if getattr(model, "syn1neg", None) is not None and getattr(old, "syn1neg", None) is not None:
        pairs.append((model.syn1neg, old.syn1neg))
    for now, before in pairs:
        for part in (slice(*ends) for ends in _parts(len(mine))):
            now[mine[part]] += share[part] * (before[theirs[part]] - now[mine[part]])
    model.wv.norms = None  # Gensim's cache of vector lengths


def drift(model: Any, old: Any) -> dict[str, Any]:
    """Return how far the old words' vectors moved: a word's movement is 1 - cosine similarity to what it was.

    `neighbours_changed`: of the ten nearest neighbours of each of the most frequent old words, among the most frequent
    old words, the share that are others now.
    """
    mine, theirs = _shared(model, old)
    if not len(mine):
        return {"old_words": 0, "new_words": len(model.wv)}
    movement = np.concatenate(
        [
            _distances(model.wv.vectors[mine[first:last]], old.wv.vectors[theirs[first:last]])
            for first, last in _parts(len(mine))
        ]
    )
    after, before = unit_rows(model.wv.vectors[mine[:_CANDIDATES]]), unit_rows(old.wv.vectors[theirs[:_CANDIDATES]])
    furthest = int(movement.argmax())
    return {
        "old_words": len(mine),
        "new_words": len(model.wv) - len(mine),
        "mean_movement": float(movement.mean()),
        "largest_movement": float(movement[furthest]),
        "furthest_word": model.wv.index_to_key[mine[furthest]],
        "neighbours_changed": _share_changed(before, after),
    }


def _parts(size: int) -> list[tuple[int, int]]:
    return [(first, min(first + _ROWS_AT_ONCE, size)) for first in range(0, size, _ROWS_AT_ONCE)]


def _distances(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return 1 - cosine similarity of each row and the other."""
    return np.asarray(1 - np.einsum("ij,ij->i", unit_rows(rows), unit_rows(others), dtype=np.float64))


def _share_changed(before: NDArray[np.float32], after: NDArray[np.float32]) -> float:
    number = min(_NEIGHBOURS, len(before) - 1)
    asked = min(_ASKED, len(before))
    if number < 1:
        return 0.0
    same = sum(
        len(set(a) & set(b))
        for a, b in zip(_nearest(before, asked, number), _nearest(after, asked, number), strict=True)
    )
    return 1 - same / (asked * number)


def _nearest(units: NDArray[np.float32], asked: int, number: int) -> list[list[int]]:
    """Return the ids of the nearest neighbours of the first `asked` words."""
    nearest: list[list[int]] = []
    for first in range(0, asked, _ASKED_AT_ONCE):
        last = min(first + _ASKED_AT_ONCE, asked)
        scores = units[first:last] @ units.T
        scores[np.arange(last - first), np.arange(first, last)] = -np.inf
        nearest += np.argpartition(-scores, number - 1, axis=1)[:, :number].tolist()
    return nearest
