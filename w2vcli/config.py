"""The settings: three sections, strict, and where each value came from.

`resolve` merges defaults < file < `W2V_…` environment < `--set` and reports every mistake at once. The models
below are the single source of each setting's name, default, bounds and description: `template`, the JSON schema
and the error messages are all made from them.
"""

from __future__ import annotations

import difflib
import itertools
import math
import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from w2vcli.errors import ConfigError

DEFAULT = "default"
AUTO_HELDOUT = "auto"


def _setting(default: Any, description: str, usual: str | None = None, **bounds: Any) -> Any:
    """Return a pydantic field with a description and the range of values people usually pick."""
    return Field(default, description=description, json_schema_extra={"usual": usual} if usual else None, **bounds)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Phrases(_Section):
    """Words that belong together, such as new_york, as Gensim's Phrases finds them."""

    passes: int = _setting(
        0, "How often: 1 finds phrases of two words, 2 of up to four, and so on; 0: no phrases.", "1 or 2", ge=0, le=5
    )
    min_count: int = _setting(5, "Phrases that occur less often are left out.", "5 to 100", ge=1)
    threshold: float = _setting(10.0, "Phrases that score less are left out.", "10 to 200; with npmi 0.3 to 0.8")
    scoring: Literal["default", "npmi"] = _setting(
        "default", "How phrases are scored: default as in word2phrase, or npmi, from -1 to 1."
    )
    connector_words: str | list[str] = _setting(
        [],
        "Words that may stand inside a phrase and do not count (bank_of_england): a list, a file with a word a line, "
        "or english: articles and prepositions.",
    )

    @model_validator(mode="after")
    def _threshold_of_scoring(self) -> Phrases:
        if self.scoring == "npmi" and not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold ({self.threshold:g}) should be between -1 and 1 where scoring is npmi")
        if self.scoring == "default" and self.threshold <= 0:
            raise ValueError(f"threshold ({self.threshold:g}) should be a positive number")
        return self


class Preprocess(_Section):
    """How raw text becomes sentences of tokens."""

    format: Literal["auto", "text", "jsonl", "csv", "tsv", "parquet", "wikipedia"] = _setting(
        "auto", "What the inputs are; auto: told by the file's extension, text if that says nothing."
    )
    field: str = _setting(
        "text", "Where a record's text is: of jsonl a dotted path, of csv, tsv and parquet a column by name or number."
    )
    encoding: str = _setting("auto", "Of the text, such as latin-1 or cp1252; auto: UTF-8, or by a byte-order mark.")
    bad_bytes: Literal["replace", "refuse"] = _setting(
        "replace",
        "What to do about bytes that are not text in that encoding: take them for spaces, or refuse the file.",
    )
    unit: Literal["line", "paragraph", "document"] = _setting(
        "line",
        "What no sentence crosses. line: each line stands alone; paragraph: hard-wrapped text, "
        "a blank line ends the paragraph; document: a whole file or record.",
    )
    sentences: bool = _setting(
        True,
        "Cut each unit into sentences at full stops, question and exclamation marks; false: a unit is one sentence.",
    )
    normalization: Literal["NFC", "NFD", "NFKC", "NFKD", "none"] = _setting(
        "NFC",
        "Unicode's normalisation form; NFKC also makes plain letters of ligatures, full-width forms and the like.",
    )
    urls: Literal["keep", "drop", "placeholder"] = _setting(
        "keep", "URLs. keep: their words, as of other text; drop; placeholder: the token <url> for each."
    )
    emails: Literal["keep", "drop", "placeholder"] = _setting("keep", "E-mail addresses, likewise: <email>.")
    tokenizer: str = _setting(
        "unicode",
        "unicode: runs of any script's letters, marks and digits, with apostrophes and hyphens inside them, and emoji; "
        "ascii: lowercase, everything but a-z becomes a space; package.module:function: your own, which is given text "
        "without white space and returns its tokens.",
    )
    lowercase: bool | Literal["casefold"] = _setting(
        True, "Lowercase every token (the ascii tokenizer always does); casefold: fold more, such as \u00df to ss."
    )
    strip_accents: bool = _setting(False, "Take accents off Latin, Greek and Cyrillic letters.")
    digits: Literal["keep", "zero", "drop"] = _setting(
        "keep", "zero: each digit becomes 0; drop: tokens with digits and no letter are dropped."
    )
    min_token_length: int = _setting(1, "Shorter tokens, in characters, are dropped.", "1 to 3", ge=1)
    max_token_length: int | None = _setting(None, "Longer tokens are dropped. null: no limit.", "20 to 50", ge=1)
    stop_words: str | None = _setting(None, "A file of words to drop, one a line. null: none.")
    min_sentence_length: int = _setting(1, "Sentences of fewer tokens are dropped.", "1 to 5", ge=1, le=10_000)
    deduplicate: bool = _setting(False, "Drop every sentence that has occurred before, token for token.")
    deduplicate_memory: str = _setting(
        "1GB",
        "Memory for telling that, some 25 to 40 bytes a sentence. When it is full, later sentences are no longer "
        "remembered, and the summary says how many.",
        "500MB to 8GB",
    )
    phrases: Phrases = Field(default_factory=Phrases, description="Which words are joined into one token.")
    workers: int | None = _setting(
        None, "Processes that work; the output is the same for any number. null: one for each core.", ge=1, le=1024
    )

    @field_validator("field", mode="before")
    @classmethod
    def _name_or_number(cls, value: Any) -> Any:
        return str(value) if type(value) is int else value

    @field_validator("lowercase", mode="before")
    @classmethod
    def _yes_no_or_more(cls, value: Any) -> Any:
        if not isinstance(value, bool) and value != "casefold":
            raise ValueError("should be true, false or casefold")
        return value

    @field_validator("tokenizer", mode="before")
    @classmethod
    def _known_tokenizer(cls, value: Any) -> Any:
        if not isinstance(value, str) or not (value in ("unicode", "ascii") or _FUNCTION.fullmatch(value)):
            raise ValueError("should be unicode, ascii, or a function of your own as package.module:function")
        return value

    @field_validator("encoding", mode="before")
    @classmethod
    def _known_encoding(cls, value: Any) -> Any:
        if not isinstance(value, str) or not (value == "auto" or _is_text_encoding(value)):
            raise ValueError(
                "should be auto, or an encoding that Python knows, such as utf-8, latin-1, cp1252 or gb18030"
            )
        return value

    @field_validator("deduplicate_memory", mode="before")
    @classmethod
    def _readable_size(cls, value: Any) -> Any:
        return _checked_size(value)

    @model_validator(mode="after")
    def _lengths(self) -> Preprocess:
        if self.max_token_length is not None and self.min_token_length > self.max_token_length:
            raise ValueError(
                f"min_token_length ({self.min_token_length}) is larger than max_token_length ({self.max_token_length})"
            )
        return self

    def deduplicate_bytes(self) -> int:
        """Return `deduplicate_memory` in bytes."""
        return size_in_bytes(self.deduplicate_memory) or 0


_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def _is_text_encoding(name: str) -> bool:
    try:
        return isinstance("".encode(name), bytes)
    except (LookupError, ValueError):
        return False


class Word2Vec(_Section):
    """Gensim's own keyword names and defaults, one to one."""

    vector_size: int = _setting(100, "Dimensions of the vectors.", "100 to 300", ge=1, le=100_000)
    window: int = _setting(
        5,
        "Furthest distance between a centre word and its context words.",
        "2 to 5 syntactic, 5 to 15 topical",
        ge=1,
        le=10_000,
    )
    min_count: int = _setting(5, "Words that occur less often are left out.", "1 small corpora, 5 to 50 large", ge=0)
    max_final_vocab: int | None = _setting(
        None, "At most this many words: min_count is raised until they fit. null: no limit.", ge=1
    )
    sg: Literal[0, 1] = _setting(0, "1: skip-gram (better for rare words); 0: CBOW (faster).")
    hs: Literal[0, 1] = _setting(0, "1: train by hierarchical softmax.")
    negative: int = _setting(
        5,
        "Noise words drawn for each positive pair; 0: no negative sampling.",
        "5 to 10 large corpora, 15 to 20 small",
        ge=0,
        le=10_000,
    )
    ns_exponent: float = _setting(
        0.75,
        "Noise words are drawn in proportion to count ** ns_exponent.",
        "0.75; 0 is uniform, 1 the raw counts",
        ge=-10,
        le=10,
    )
    cbow_mean: Literal[0, 1] = _setting(1, "CBOW adds up (0) or averages (1) the context vectors.")
    shrink_windows: bool = _setting(
        True,
        "Draw each centre's window from 1 to window, so that near words weigh more; false: always the full window.",
    )
    alpha: float = _setting(0.025, "Learning rate at the start.", "0.025 skip-gram, 0.05 CBOW", gt=0)
    min_alpha: float = _setting(0.0001, "The learning rate falls linearly and never below this.", "0.0001", ge=0)
    epochs: int = _setting(5, "Passes over the corpus.", "5 to 15; more for small corpora", ge=1)
    sample: float = _setting(
        0.001,
        "Words with a larger share of the corpus are randomly discarded, with keep probability "
        "min(1, sqrt(sample/share) + sample/share); 0: keep all.",
        "1e-3 to 1e-5; the larger the corpus, the smaller",
        ge=0,
    )
    seed: int = _setting(
        1, "Seed of every random choice; the same seed and one worker give the same vectors.", ge=0, lt=2**32
    )
    workers: int = _setting(
        3, "Threads that train; 1 makes the run exactly repeatable.", "the number of cores", ge=1, le=1024
    )

    @model_validator(mode="after")
    def _trainable(self) -> Word2Vec:
        if not self.hs and not self.negative:
            raise ValueError("hs and negative are both 0, so nothing would be trained; set one of them")
        if self.min_alpha > self.alpha:
            raise ValueError(f"min_alpha ({self.min_alpha}) is larger than alpha ({self.alpha})")
        return self


_TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|m|h|d)")
_AMOUNT = re.compile(r"(?P<number>[\d_]+)\s*(?P<unit>word|epoch)s?")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>MB|GB)")
_BYTES = {"MB": 10**6, "GB": 10**9}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def size_in_bytes(size: str) -> int | None:
    """Return an amount of memory such as 500MB or 4GB in bytes, or None for anything else.

    >>> size_in_bytes("1.5 GB"), size_in_bytes("a lot")
    (1500000000, None)
    """
    match = _SIZE.fullmatch(size.strip())
    return int(float(match["number"]) * _BYTES[match["unit"]]) or None if match else None


def _checked_size(value: Any) -> Any:
    if size_in_bytes(str(value)) is None:
        raise ValueError("should be an amount of memory such as 500MB or 4GB")
    return value


def seconds(time: str) -> float | None:
    """Return a time such as 90s, 10m, 2h or 1d in seconds, or None for anything else, nothing at all included.

    >>> seconds("90s"), seconds("1.5 h"), seconds("0m"), seconds("soon")
    (90.0, 5400.0, None, None)
    """
    match = _TIME.fullmatch(time.strip())
    return float(match["number"]) * _SECONDS[match["unit"]] or None if match else None


def amount(value: str, unit: str) -> int | None:
    """Return how many of `unit` (word, epoch) a value such as "5_000_000 words" is; None where it is none of them."""
    match = _AMOUNT.fullmatch(value.strip())
    return int(match["number"].replace("_", "") or 0) or None if match and match["unit"] == unit else None


class Train(_Section):
    """How the run is carried out."""

    engine: str = _setting(
        "auto",
        "What updates the vectors: numba (fastest; negative sampling), gensim (every setting), torch (PyTorch, also on "
        "GPUs), reference (NumPy, for study), or auto: the first of them that can.",
    )
    device: str = _setting(
        "auto",
        "Where the torch engine trains: cpu, cuda, cuda:1 (the second one), mps, or auto: cuda where it is, else cpu.",
    )
    batch_size: int | None = _setting(
        None,
        "Pairs (with CBOW: windows) that the torch engine steps at once. null: as many as there are words in the "
        "vocabulary, but no more than 4096 on a CPU (fewer with more than two workers) and 16384 on a GPU.",
        "256 to 65536",
        ge=1,
        le=1 << 24,
    )
    optimizer: Literal["sgd", "sparse_adam", "adagrad"] = _setting(
        "sgd", "How the torch engine steps; sgd is Word2Vec's own way.", "sgd"
    )
    shared_negatives: int = _setting(
        0,
        "Noise words that all pairs of the torch engine's batch share, which is faster; 0: each has its own.",
        "0, or 64 for every 1024 pairs of a batch",
        ge=0,
        le=1 << 16,
    )
    fused: bool = _setting(
        False, "The torch engine trains skip-gram with one Triton kernel, on CUDA devices; batch_size is not used."
    )
    block_words: int = _setting(
        1_000_000,
        "Words in a block, the unit of shuffling, progress and resuming.",
        "200_000 to 5_000_000",
        ge=1,
    )
    cluster_workers: int | None = _setting(
        None,
        "Of a cluster: workers that train, each with its own copy of the model; null: one a node, all with as many "
        "cores as the smallest node has.",
        ge=1,
        le=4096,
    )
    sync_words: int | None = _setting(
        None,
        "Of a cluster: words that a worker trains before the changes of all are put together (those of frequent words "
        "five times as often), no more than all find in a block; null: 200000 divided by the workers, 5000 at least. "
        "More is less traffic, less is better vectors.",
        "10_000 to 100_000",
        ge=1000,
    )
    delta_dtype: Literal["float32", "float16"] = _setting(
        "float16", "Of a cluster: what changes are sent as; float16 is half the traffic."
    )
    vocab_memory: str | None = _setting(
        None,
        "Memory that counting the words may take (500MB, 4GB); when it is reached, the rarest words so far are dropped "
        "and the run says how many. null: no limit.",
    )
    shuffle: bool = _setting(True, "Visit blocks, and sentences within a block, in a new seeded order each epoch.")
    checkpoint_every: str | None = _setting(
        "10m",
        "Save a checkpoint this often: a time (90s, 10m, 2h) or an amount (5000000 words). null: never.",
        "5m to 30m",
    )
    keep_checkpoints: int = _setting(
        2, "How many checkpoints to keep, and the best one besides; older ones are removed.", "1 to 5", ge=1
    )
    heldout: int | str = _setting(
        AUTO_HELDOUT,
        "Sentences that are never trained on, to measure the loss with: how many (a seeded sample), or a file of "
        "tokenised text; auto: one of a hundred, no more than 1000, of 20000 words in all; 0: none.",
    )
    evaluate: list[str] = _setting(
        [],
        "Scores to take during training: analogies, WordSim-353, SimLex-999 (all three English), or files of your "
        "own, of analogies (four words a line) or of pairs (two words and a number, with tabs between).",
    )
    evaluate_every: str = _setting(
        "1 epoch",
        "Measure the held-out loss and these scores this often: 1 epoch, 5000000 words. (At checkpoints the loss is "
        "measured too, but decides nothing.)",
    )
    early_stopping: str | None = _setting(
        None,
        "Stop when this no longer improves, and save the best model rather than the last: loss (held-out), or one of "
        "the scores. null: never.",
    )
    average_base: bool = _setting(
        True,
        "A run grown with --from ends with the mean of what a word's vectors were and what they became, weighted by "
        "how often the old text and the new one have the word; false: with what they became.",
    )
    patience: int = _setting(2, "Early stopping waits for an improvement this many measurements long.", "1 to 5", ge=1)

    @field_validator("device", mode="before")
    @classmethod
    def _known_device(cls, value: Any) -> Any:
        if not (isinstance(value, str) and _DEVICE.fullmatch(value)):
            raise ValueError("should be auto, cpu, cuda, cuda:N (N = 0, 1, …) or mps")
        return value

    @field_validator("checkpoint_every", mode="before")
    @classmethod
    def _readable_interval(cls, value: Any) -> Any:
        if value is not None and not (seconds(str(value)) or amount(str(value), "word")):
            raise ValueError("should be a time such as 90s, 10m or 2h, or an amount such as 5000000 words")
        return value

    @field_validator("evaluate_every", mode="before")
    @classmethod
    def _readable_amount(cls, value: Any) -> Any:
        if not (amount(str(value), "word") or amount(str(value), "epoch")):
            raise ValueError("should be an amount such as 1 epoch or 5000000 words")
        return value

    @field_validator("heldout", mode="before")
    @classmethod
    def _number_or_file(cls, value: Any) -> Any:
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if not is_number and not (isinstance(value, str) and value):
            raise ValueError("should be a number of sentences, the name of a file, or auto")
        return value

    @field_validator("evaluate", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("vocab_memory", mode="before")
    @classmethod
    def _readable_size(cls, value: Any) -> Any:
        return None if value is None else _checked_size(value)

    @model_validator(mode="after")
    def _measurable(self) -> Train:
        if self.early_stopping == "loss" and self.heldout == 0:
            raise ValueError("early_stopping: loss needs sentences that are held out; set heldout")
        return self

    def vocab_bytes(self) -> int | None:
        """Return `vocab_memory` in bytes, or None for no limit."""
        return size_in_bytes(self.vocab_memory or "")

    def checkpoint_seconds(self) -> float | None:
        """Return the interval in seconds, or None where it is not a time."""
        return seconds(self.checkpoint_every or "")

    def checkpoint_words(self) -> int | None:
        """Return the interval in raw words, or None where it is not an amount."""
        return amount(self.checkpoint_every or "", "word")

    def heldout_file(self) -> str | None:
        """Return the file of held-out sentences, or None where they are a sample."""
        return self.heldout if isinstance(self.heldout, str) and self.heldout != AUTO_HELDOUT else None

    def evaluate_words(self) -> int | None:
        """Return the words between two measurements, or None where it is epochs."""
        return amount(self.evaluate_every, "word")

    def evaluate_epochs(self) -> int | None:
        """Return the epochs between two measurements, or None where it is words."""
        return amount(self.evaluate_every, "epoch")


class Config(_Section):
    """Every setting of a run."""

    preprocess: Preprocess = Field(default_factory=Preprocess)
    word2vec: Word2Vec = Field(default_factory=Word2Vec)
    train: Train = Field(default_factory=Train)

    def flat(self) -> dict[str, Any]:
        """Return every setting under its dotted path, in the order of the sections."""
        return dict(_leaves(self, ""))

    def with_workers(self, number: int) -> Config:
        """Return the same config with another number of workers."""
        return self.model_copy(update={"word2vec": self.word2vec.model_copy(update={"workers": number})})

    def with_engine(self, name: str) -> Config:
        """Return the same config with another engine."""
        return self.model_copy(update={"train": self.train.model_copy(update={"engine": name})})

    def to_yaml(self) -> str:
        """Return the config as YAML that `resolve` reads back to an equal one."""
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True)


def _leaves(section: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@dataclass(frozen=True)
class Resolved:
    """A config, and for every dotted path where its value came from."""

    config: Config
    origins: dict[str, str]


def resolve(
    file: str | Path | None = None,
    overrides: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Resolved:
    """Merge defaults < `file` < environment < `overrides` into one checked config.

    Args:
        file: a YAML file with any of the three sections.
        overrides: `section.key=value` strings; the value is read as YAML.
        environment: where `W2V_SECTION_KEY` variables are looked up; the process's own by default.

    Raises:
        ConfigError: with a line for every mistake found in any of the sources.
    """
    problems: list[str] = []
    layers = (
        _file_layer(file, problems),
        _environment_layer(os.environ if environment is None else environment, problems),
        _override_layer(overrides, problems),
    )
    return _merge(itertools.chain.from_iterable(layers), problems)


def _merge(leaves: Iterable[Leaf], problems: list[str]) -> Resolved:
    """Let each leaf replace what an earlier one set, and check the result; `problems` has what reading them found."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(_paths(), DEFAULT)
    for path, value, origin in leaves:
        if path in origins or path in _sections():
            values[path] = value
            origins[path] = origin
        else:
            problems.append(f"{origin}: {path} is not a setting{_did_you_mean(path)}")
    config = _validate(values, origins, problems)
    if config is None:
        raise ConfigError(problems)
    return Resolved(config, origins)


def as_config(config: Config | Mapping[str, Any] | str | Path | None) -> Config:
    """Return a checked config from what the Python API accepts: a config, a nested mapping, a file, or nothing.

    Raises:
        ConfigError: with a line for every mistake.
    """
    if isinstance(config, Config):
        return config
    if config is None or isinstance(config, str | Path):
        return resolve(config).config
    return _merge(_flatten(config, "config"), []).config


def template() -> str:
    """Return a YAML file with every setting at its default, each with its description as a comment."""
    lines = ["# Settings for w2v. Every key is optional; what stands here are the defaults.", ""]
    for section, field in Config.model_fields.items():
        lines += [*_section_lines(section, _model(field), ""), ""]
    return "\n".join(lines[:-1]) + "\n"


def _section_lines(name: str, model: type[BaseModel], indent: str) -> Iterator[str]:
    yield f"{indent}# {model.__doc__}"
    yield f"{indent}{name}:"
    indent += "  "
    for key, setting in model.model_fields.items():
        if (inner := _model(setting)) is not None:
            yield from _section_lines(key, inner, indent)
            continue
        extra = setting.json_schema_extra
        usual = f" Usual: {extra['usual']}." if isinstance(extra, dict) and extra else ""
        comment = f"{indent}# "
        width = 94 + len(indent)
        yield from textwrap.wrap(
            f"{setting.description}{usual}", width, initial_indent=comment, subsequent_indent=comment
        )
        yield f"{indent}{key}: {yaml_scalar(setting.default)}"


def _model(field: Any) -> Any:
    """Return the model of a field that is a section, or None."""
    is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    return field.annotation if is_section else None


@lru_cache(maxsize=1)
def _sections() -> frozenset[str]:
    """Return the dotted paths of all sections."""
    return frozenset(path.rpartition(".")[0] for path in _paths())


@lru_cache(maxsize=1)
def _paths() -> tuple[str, ...]:
    """Return the dotted paths of all settings."""
    return tuple(Config().flat())


def yaml_scalar(value: Any) -> str:
    """Return a setting's value as it stands in YAML, on one line."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=math.inf)).splitlines()[0]


# What word2vec.c, fastText and older Gensims call the same things.
_OTHER_NAMES = {
    "size": "vector_size", "dim": "vector_size", "dimensions": "vector_size", "iter": "epochs", "iterations": "epochs",
    "neg": "negative", "ws": "window", "lr": "alpha", "learning_rate": "alpha", "mincount": "min_count",
    "threads": "workers", "thread": "workers", "cores": "workers", "subsample": "sample",
    "cbow": "sg", "skipgram": "sg",
}  # fmt: skip


def _did_you_mean(path: str) -> str:
    """Return `; did you mean …?` for the closest setting, or nothing."""
    paths = list(_paths())
    key = path.rsplit(".", 1)[-1]
    key = _OTHER_NAMES.get(key.lower(), key)
    same_key = [known for known in paths if known.rsplit(".", 1)[-1] == key]
    if not same_key:
        same_key = difflib.get_close_matches(path, paths, 1, 0.7)
    if not same_key:
        keys = {known.rsplit(".", 1)[-1]: known for known in paths}
        same_key = [keys[close] for close in difflib.get_close_matches(key, keys, 1, 0.7)]
    return f"; did you mean {same_key[0]}?" if same_key else ""


# ---------------------------------------------------------------- the three sources


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as PyYAML reads it, but `1e-4` is a number and a key given twice is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands here twice", key_node.start_mark
                )
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)

Leaf = tuple[str, Any, str]  # dotted path, value, origin


def _parse_yaml(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}not valid YAML: {getattr(error, 'problem', None) or 'cannot be read'}"


def _file_layer(file: str | Path | None, problems: list[str]) -> Iterator[Leaf]:
    if file is None:
        return
    try:
        content = _parse_yaml(Path(file).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        problems.append(f"{file}: no such config file")
    except OSError as error:
        problems.append(f"{file}: {error.strerror or error}")
    except UnicodeDecodeError:
        problems.append(f"{file}: not a text file in UTF-8")
    except yaml.YAMLError as error:
        problems.append(f"{file}: {_yaml_problem(error)}")
    else:
        if content is not None and not isinstance(content, dict):
            problems.append(f"{file}: should hold the sections {', '.join(Config.model_fields)}")
        else:
            yield from _flatten(content or {}, str(file))


def _flatten(content: Mapping[Any, Any], origin: str, prefix: str = "") -> Iterator[Leaf]:
    """Yield the settings of nested sections; what should be a section but is none is yielded as it is."""
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and (not prefix or path in _sections()):
            yield from _flatten(value, origin, f"{path}.")
        elif value is not None or path not in _sections():  # a section left empty is fine
            yield path, value, origin


def _environment_layer(environment: Mapping[str, str], problems: list[str]) -> Iterator[Leaf]:
    names = {f"W2V_{path.replace('.', '_').upper()}": path for path in _paths()}
    sections = tuple(f"W2V_{section.upper()}_" for section in Config.model_fields)
    keys = {path.partition(".")[2] for path in _paths()}  # other variables may be somebody else's
    for name in sorted(environment):
        if name in names:
            yield from _scalar_leaf(names[name], environment[name], name, problems)
        elif name.startswith(sections) or name.removeprefix("W2V_").lower() in keys:
            close = difflib.get_close_matches(name, names, 1, 0.6)
            problems.append(f"environment: {name} is not a setting" + (f"; did you mean {close[0]}?" if close else ""))


def _override_layer(overrides: Sequence[str], problems: list[str]) -> Iterator[Leaf]:
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            problems.append(f"--set: {override} is not of the form section.key=value")
        else:
            yield from _scalar_leaf(path.strip(), text, "--set", problems)


def _scalar_leaf(path: str, text: str, origin: str, problems: list[str]) -> Iterator[Leaf]:
    try:
        yield path, _parse_yaml(text), origin
    except yaml.YAMLError as error:
        problems.append(f"{origin}: {path}: {_yaml_problem(error)}")


# ---------------------------------------------------------------- checking


def _validate(values: Mapping[str, Any], origins: Mapping[str, str], problems: list[str]) -> Config | None:
    """Return the config, or None after adding to `problems` what is wrong with `values`."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *parents, key = path.split(".")
        section: Any = nested
        for parent in parents:
            section = section.setdefault(parent, {}) if isinstance(section, dict) else None
        if isinstance(section, dict):
            section[key] = value
    try:
        config = Config.model_validate(nested)
    except ValidationError as error:
        problems.extend(_explain(detail, values, origins) for detail in error.errors())
        return None
    return None if problems else config


def _explain(detail: Any, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    path = ".".join(str(part) for part in detail["loc"])
    while path not in values and path not in _sections() and "." in path:  # a part of a value, or of its type
        path = path.rpartition(".")[0]
    message = re.sub(r"^(Value error, |Input )", "", detail["msg"])
    if path in values:
        origin = origins[path]
        message = f"{path} is {yaml_scalar(values[path])}; it {message}"
        if detail["type"] == "literal_error":
            known = re.findall(r"'([^']+)'", detail["ctx"]["expected"])
            close = difflib.get_close_matches(str(values[path]), known, 1)
            message += f"; did you mean {close[0]}?" if close else ""
    else:  # a rule about several settings of a section
        given = [origins[known] for known in values if known.startswith(f"{path}.")]
        origin = given[0] if given else DEFAULT
        message = f"{path}: {message}"
    if path in _sections() and path in values:
        message = f"{path} should be a section with settings below it"
    return f"{origin}: {message}"
