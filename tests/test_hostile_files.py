"""Files made to do harm: each is refused in one line, and has taken neither memory nor a file from elsewhere."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import resource
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors

from w2vcli.errors import W2VError
from w2vcli.formats import opening
from w2vcli.model import load

HUGE = 10**12


def npy(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def tensors(header: dict[str, Any], data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def tensor(dtype: str = "F32", shape: tuple[int, ...] = (1, 2), offsets: tuple[int, ...] = (0, 8)) -> dict[str, Any]:
    return {"vectors": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


def array_of(shape: int) -> bytes:
    """A pickle that has NumPy make an array of that many bytes."""
    return (
        b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(J"
        + struct.pack("<i", min(shape, 2**31 - 1))
        + b"J\xff\xff\xff\x7ftX\x01\x00\x00\x00btR."
    )


WORDS = tensor() | {
    "words": {"dtype": "U8", "shape": [1], "data_offsets": [8, 9]},
    "ends": {"dtype": "I64", "shape": [1], "data_offsets": [9, 17]},
    "order": {"dtype": "I32", "shape": [1], "data_offsets": [17, 21]},
}
DATA = struct.pack("<ff", 1, 2) + b"a"

FILES: dict[str, tuple[bytes, str]] = {
    "text that claims 10^12 words": (f"{HUGE} 2\na 1 2\n".encode(), "only 1 of the 1,000,000,000,000 words"),
    "text that claims 10^12 dimensions": (f"1 {HUGE}\na 1 2\n".encode(), "claims vectors of 1000000000000 dimensions"),
    "binary that claims 10^12 words": (f"{HUGE} 2\na ".encode() + bytes(8), "ends after 1 of the 1,000,000,000,000"),
    "a word that never ends": (b"1 2\n" + b"\x01" * 100_000, "ends after 0 of the 1 words"),
    "npy that claims 10^12 rows": (npy((HUGE, 300)), "damaged, or not a model: mmap length is greater than file"),
    "npy of objects": (npy((2, 2), "|O"), "damaged, or not a model"),
    "npy with another shape": (npy((2,)) + bytes(8), "not a row of floats for each word"),
    "safetensors with a long header": (tensors({}, length=1 << 40), "not a model that w2v can read"),
    "safetensors with no tensor": (tensors({}), "has 0 matrices of floats, not one"),
    "safetensors past its end": (tensors(tensor(offsets=(0, 1 << 50)), bytes(8)), "that the file cannot hold"),
    "safetensors of 10^12 rows": (tensors(tensor(shape=(HUGE, 300)), bytes(8)), "that the file cannot hold"),
    "safetensors before its beginning": (tensors(tensor(offsets=(-8, 0)), bytes(8)), "of an impossible shape"),
    "safetensors of fractions": (tensors(tensor(shape=(1.0, 2)), bytes(8)), "of an impossible shape"),  # type: ignore[arg-type]
    "safetensors of text": (tensors({"vectors": "x"}), "damaged, or not a model"),
    "safetensors of bfloat": (tensors(tensor("BF16", offsets=(0, 4)), bytes(8)), "an array vectors of BF16; known are"),
    "words past their end": (tensors(WORDS, DATA + struct.pack("<qi", 9, 0)), "arrays that do not belong together"),
    "words in no order": (tensors(WORDS, DATA + struct.pack("<qi", 1, 7)), "has words in an order that is none"),
    "a pickle of a huge array": (array_of(HUGE), "does not fit into memory"),
    "a pickle that never ends": (b"\x80\x04" + b"(" * 1000, "damaged, or not a model"),
    "a pickle of codecs": (
        b"\x80\x04c_codecs\nencode\n(X\x02\x00\x00\x00abX\x03\x00\x00\x00hextR.",
        "it has bytes encoded in hex, which no Gensim model has",
    ),
    "parquet that is none": (b"PAR1" + bytes(100) + b"PAR1", "deserialize"),
    "fasttext that claims much": (
        struct.pack("<ii12id3i2q", 793712314, 12, 300, *[5] * 7, 2**31 - 1, *[5] * 3, 0.1, 9, 9, 0, 9, 0),
        "more than the file can hold",
    ),
}


@pytest.fixture
def limited() -> Any:
    """Let this process have little more memory than it has: what asks for much fails at once."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", FILES)
def test_what_is_refused(tmp_path: Path, limited: None, name: str) -> None:
    content, message = FILES[name]
    file = tmp_path / "a.model"
    file.write_bytes(content)
    (tmp_path / "a.words.txt").write_text("a\n")
    with pytest.raises(W2VError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def bomb(start: bytes) -> bytes:
    """A few kB that become many MB."""
    return gzip.compress(start + bytes(64 << 20))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"1000000 300\na ", "ends after 1 of the 1,000,000 words"),
        (b"5 2\na 1 2\n", "has a line of over 16 MB|grows to over 200 times"),
        (npy((HUGE, 300)), "grows to over 200 times its compressed size"),
        (b"\x80\x04X\x00\x00\x00\x04", "grows to over 200 times its compressed size"),
    ],
)
def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: None, start: bytes, message: str) -> None:
    monkeypatch.setattr(opening, "LARGE", 1 << 24)
    (tmp_path / "a.gz").write_bytes(bomb(start))
    with pytest.raises(W2VError, match=message):
        load(tmp_path / "a.gz")


def write_all(descriptor: int, content: bytes) -> None:
    with os.fdopen(descriptor, "wb", buffering=0) as stream:
        stream.write(content)


def test_a_bomb_through_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: None) -> None:
    monkeypatch.setattr(opening, "LARGE", 1 << 24)
    read, write = os.pipe()
    with ThreadPoolExecutor(1) as pool, os.fdopen(read, "rb") as stream:
        pool.submit(write_all, write, bomb(npy((HUGE, 300))))
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(W2VError, match="grows to over 200 times its compressed size"):
            load("-")


def test_what_compresses_well_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors of zeros, of which gzip leaves a thousandth, as long as there are not very many."""
    content = b"3000 300\n" + b"".join(b"w%d " % number + bytes(1200) for number in range(3000))
    (tmp_path / "a.gz").write_bytes(gzip.compress(content))
    assert len(load(tmp_path / "a.gz")) == 3000


@pytest.mark.parametrize("name", ["/../secret", "../secret", "vectors/../../secret", "a.b"])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    vectors = KeyedVectors(2)
    vectors.add_vectors(["a"], np.ones((1, 2), dtype=np.float32))
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "secret.npy", np.ones((1, 2), dtype=np.float32))
    file = tmp_path / "folder" / "a.kv"
    vectors.__dict__ |= {"__numpys": [name], "__scipys": [], "__ignoreds": [], "__recursive_saveloads": []}
    del vectors.vectors
    file.write_bytes(pickle.dumps(vectors, 4))
    with pytest.raises(W2VError, match="beside it, which is no name of one"):
        load(file)


@pytest.mark.parametrize("form", ["safetensors", "kv", "bin", "npy", "parquet"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, form: str) -> None:
    from w2vcli.convert import convert

    rng = np.random.default_rng(1)
    vectors = KeyedVectors(8)
    vectors.add_vectors([f"word{number}" for number in range(50)], rng.standard_normal((50, 8)).astype(np.float32))
    vectors.save(str(tmp_path / "source.kv"))
    file = tmp_path / f"a.{form}"
    convert(str(tmp_path / "source.kv"), str(file))
    target = file if form != "kv" else tmp_path / "a.kv.vectors.npy"
    content = target.read_bytes()
    for length in range(0, len(content), max(1, len(content) // 40)):
        target.write_bytes(content[:length])
        with pytest.raises(W2VError) as caught:
            load(file)
        assert "\n" not in str(caught.value)
    target.write_bytes(content)
    assert len(load(file)) == 50
