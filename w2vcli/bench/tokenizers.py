"""Ways from raw text to tokens, each as a program of its own: `python -m w2vcli.bench.tokenizers NAME SETTINGS`.

SETTINGS is a JSON object: input, output, and for ours the settings of the `preprocess` section. Printed is a JSON
object: `seconds`, from opening the text until the output is complete; imports are done before, and kernels compiled.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

OURS = "w2v"
_BUFFER = 1 << 20
_WORD = re.compile(r"\w+(?:['-]\w+)*")

Settings = Mapping[str, Any]


def ours(settings: Settings) -> float:
    """`w2v preprocess`; what starting its worker processes and flushing to the disk takes counts."""
    from w2vcli.preprocessing import preprocess

    config = {"preprocess": settings["preprocess"]}
    _load_kernels(config)
    started = time.perf_counter()
    preprocess(settings["input"], settings["output"], config)
    return time.perf_counter() - started


def _load_kernels(config: Mapping[str, Any]) -> None:
    """Load or compile what these settings need, which only using them does."""
    from w2vcli.errors import W2VError
    from w2vcli.preprocessing import preprocess

    with tempfile.TemporaryDirectory(prefix="w2v-bench-") as folder, suppress(W2VError):  # no word may be left of it
        text = Path(folder, "text.txt")
        text.write_text("A few words. A few words.\n", encoding="utf-8")
        preprocess(text, Path(folder, "tokens.txt"), config)


def gensim_simple_preprocess(settings: Settings) -> float:
    """Gensim's function, with its defaults, a call a line."""
    from gensim.utils import simple_preprocess

    started = time.perf_counter()
    with _opened(settings) as (text, output):
        output.writelines(" ".join(simple_preprocess(line)) + "\n" for line in text)
    return time.perf_counter() - started


def regex_a_line(settings: Settings) -> float:
    """The usual recipe: all matches of a compiled regular expression in each lowercased line."""
    started = time.perf_counter()
    words = _WORD.findall
    with _opened(settings) as (text, output):
        output.writelines(" ".join(words(line.lower())) + "\n" for line in text)
    return time.perf_counter() - started


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[TextIO, TextIO]]:
    """Yield the text and the output."""
    with (
        Path(settings["input"]).open(encoding="utf-8", errors="replace", buffering=_BUFFER) as text,
        Path(settings["output"]).open("w", encoding="utf-8", buffering=_BUFFER) as output,
    ):
        yield text, output


PEERS: dict[str, Callable[[Settings], float]] = {
    "gensim simple_preprocess": gensim_simple_preprocess,
    "regex a line": regex_a_line,
}

if __name__ == "__main__":
    print(json.dumps({"seconds": {OURS: ours, **PEERS}[sys.argv[1]](json.loads(sys.argv[2]))}))
