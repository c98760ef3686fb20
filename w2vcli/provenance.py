"""What a run is made from: its settings, its text, the model it grew from. Two starts of a run are compared by it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from w2vcli import __version__
from w2vcli.config import Config, yaml_scalar

# What may differ between two starts of one run: it changes no vector, or only which of equally good ones, or how long
# training goes on, or what is made of its end; or it is about the cluster that happens to be there.
_FREE = {
    "word2vec.workers",
    "train.average_base",
    "train.checkpoint_every",
    "train.cluster_workers",
    "train.delta_dtype",
    "train.device",
    "train.early_stopping",
    "train.evaluate",
    "train.evaluate_every",
    "train.heldout",
    "train.keep_checkpoints",
    "train.patience",
    "train.sync_words",
}
_EPOCHS = "word2vec.epochs"  # may grow

Provenance = Mapping[str, Any]
"""`settings`: every setting by its dotted path; `corpus`: the text's fingerprint; `base`: of what it grew from."""


def provenance(config: Config, corpus: str, base: str | None) -> dict[str, Any]:
    """Return what a start with these is made from."""
    return {"settings": config.flat(), "corpus": corpus, "base": base}


def differences(before: Provenance, now: Provenance) -> list[str]:
    """Return a phrase for everything because of which two starts cannot be of one run."""
    phrases = [
        f"{path} was {yaml_scalar(earlier)}, now {yaml_scalar(later)}"
        for path, (earlier, later) in _changes(before, now).items()
        if path not in _FREE and not (path == _EPOCHS and later > earlier)
    ]
    if before["corpus"] != now["corpus"]:
        phrases.append("the text is another")
    if before["base"] != now["base"]:
        if not before["base"]:
            phrases.append("it did not grow from another model")
        else:
            phrases.append("the model it grew from is another" if now["base"] else "it grew from a model (--from)")
    return phrases


def accepted_changes(before: Provenance, now: Provenance) -> dict[str, list[Any]]:
    """Return the settings of training that differ, with both values, between two starts of one run."""
    return {path: list(values) for path, values in _changes(before, now).items()}


def _changes(before: Provenance, now: Provenance) -> dict[str, tuple[Any, Any]]:
    earlier, later = before["settings"], now["settings"]
    return {
        path: (earlier.get(path), later.get(path))
        for path in {**earlier, **later}
        if earlier.get(path) != later.get(path) and not path.startswith("preprocess.")  # the fingerprint knows of that
    }


def versions() -> dict[str, str]:
    """Return the versions of what the vectors depend on."""
    import gensim
    import numba

    torch = sys.modules.get("torch")  # if the engine is PyTorch's
    return {
        "w2vcli": __version__,
        "gensim": gensim.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        **({"torch": str(torch.__version__)} if torch else {}),
    }
