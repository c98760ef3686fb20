"""Gensim's downloader against a server that speaks as its own does."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import socket
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from gensim import downloader

from w2vcli import formats, model, queries
from w2vcli.errors import W2VError
from w2vcli.formats.downloads import fetch

TEXT = b"2 3\nking 1 2 3\nqueen 4 5 6\n"
DATA = gzip.compress(TEXT, mtime=0)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


class Shop:
    """What the server has: `files`, and those it sends only half of."""

    def __init__(self, data: Path, ran: Path) -> None:
        self.data, self.ran = data, ran
        self.asked: list[str] = []
        self.cut: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.listed: dict[str, Any] = {"models": {}, "corpora": {"text8": self.described("text8")}}
        self.sell("small")

    def described(self, name: str, *parts: bytes) -> dict[str, Any]:
        sums = {f"checksum-{number}": md5(part) for number, part in enumerate(parts)}
        return {"checksum": md5(DATA), "parts": len(parts) or 1, "file_name": f"{name}.gz", **sums}

    def sell(self, name: str, *parts: bytes, **more: Any) -> None:
        self.listed["models"][name] = self.described(name, *parts) | more
        self.files[f"/{name}/__init__.py"] = f"open({str(self.ran)!r}, 'w')".encode()
        if parts:
            self.files |= {f"/{name}/{name}.gz_0{number}": part for number, part in enumerate(parts)}
        else:
            self.files[f"/{name}/{name}.gz"] = DATA

    def content(self, path: str) -> bytes | None:
        self.asked.append(path)
        return json.dumps(self.listed).encode() if path == "/list.json" else self.files.get(path)

    def kept(self) -> set[str]:
        """What lies in the data folder, less Gensim's copy of the list."""
        return {str(path.relative_to(self.data)) for path in self.data.rglob("*")} - {"information.json"}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    shop = Shop(tmp_path / "home" / "data", tmp_path / "ran")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = shop.content(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: 20 if self.path in shop.cut else None])

        def log_message(self, *arguments: Any) -> None:
            pass

    monkeypatch.setenv("GENSIM_DATA_DIR", str(shop.data))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloader, "BASE_DIR", str(shop.data))  # both are read when it is first imported
    for folder in ("home", "temporary"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        connect(monkeypatch, f"http://127.0.0.1:{running.server_port}")
        thread = Thread(target=running.serve_forever)
        thread.start()
        yield shop
        running.shutdown()
        thread.join()
    assert not shop.ran.exists(), "code that was downloaded has run"
    assert not list((tmp_path / "temporary").iterdir())
    assert {path.name for path in tmp_path.iterdir()} <= {"home", "temporary"}
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {"data"}


def connect(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Have Gensim's downloader take another server for its own."""
    monkeypatch.setattr(downloader, "DATA_LIST_URL", f"{url}/list.json")
    monkeypatch.setattr(downloader._load_info, "__defaults__", (f"{url}/list.json", "utf-8"))
    monkeypatch.setattr(downloader, "DOWNLOAD_BASE_URL", url)


def refused(name: str) -> str:
    with pytest.raises(W2VError) as caught:
        fetch(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_is_downloaded_once(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    path = fetch("small", said.append)
    assert path == shop.data / "small" / "small.gz"
    assert path.read_bytes() == DATA
    assert said == [f"gensim:small: downloading to {shop.data / 'small'}"]
    assert formats.read_vectors(str(path))["queen"].tolist() == [4, 5, 6]
    assert shop.kept() == {"small", "small/__init__.py", "small/small.gz"}
    asked = len(shop.asked)
    assert fetch("small", said.append) == path
    assert len(shop.asked) == asked and len(said) == 1
    assert downloader.load("small", return_path=True) == str(path)  # Gensim finds it too
    out, err = capfd.readouterr()
    assert out == err == ""


def test_a_model_by_its_name_is_read_once(shop: Shop) -> None:
    """What was downloaded is kept as a file that is mapped into memory, and then neither is asked for again."""
    said: list[str] = []
    for _ in range(2):
        vectors = model.load("gensim:small", say=said.append)
        assert vectors["queen"].tolist() == [4, 5, 6]
        assert [word for word, _ in queries.neighbours(vectors, "king")] == ["queen"]
    kept = shop.data / "small" / "small.safetensors"
    assert model.file_of("gensim:small") == str(kept)
    assert len(said) == 2 and said[1] == f"{shop.data / 'small' / 'small.gz'}: read once, and kept as small.safetensors"
    assert sum(path.endswith("small.gz") for path in shop.asked) == 1
    (shop.data / "small" / "small.gz").write_bytes(b"not read any more")
    assert len(model.load("gensim:small")) == 2


def test_the_settings_of_others_are_as_before(shop: Shop) -> None:
    before = tempfile.tempdir, socket.getdefaulttimeout(), logging.getLogger("gensim.downloader").disabled
    fetch("small")
    refused("other")
    assert before == (tempfile.tempdir, socket.getdefaulttimeout(), logging.getLogger("gensim.downloader").disabled)


def test_a_model_in_parts(shop: Shop) -> None:
    shop.sell("large", DATA[:20], DATA[20:])
    assert gzip.decompress(fetch("large").read_bytes()) == TEXT
    assert shop.kept() == {"large", "large/__init__.py", "large/large.gz"}


def test_what_is_no_model(shop: Shop) -> None:
    assert refused("text8") == "gensim:text8: a corpus, not a model"
    assert refused("smal") == "gensim:smal: Gensim has no such model; did you mean small?"
    assert refused("xyz") == "gensim:xyz: Gensim has no such model; there are small, …"
    assert not shop.kept()


def test_a_wrong_checksum(shop: Shop) -> None:
    shop.files["/small/small.gz"] = DATA + b"!"
    assert refused("small").endswith(": Checksum comparison failed, try again")
    shop.sell("large", DATA[:20], DATA[20:])
    shop.files["/large/large.gz_01"] = b"other"
    assert refused("large").startswith(f"gensim:large: cannot be downloaded from {downloader.DOWNLOAD_BASE_URL} to ")
    assert not shop.kept()
    shop.sell("small")
    assert fetch("small").read_bytes() == DATA


def test_a_transfer_that_is_cut_off(shop: Shop) -> None:
    shop.cut.add("/small/small.gz")
    assert f"retrieval incomplete: got only 20 out of {len(DATA)} bytes" in refused("small")
    shop.sell("large", DATA[:20], DATA[20:])
    shop.cut.add("/large/large.gz_01")
    refused("large")
    assert not shop.kept()
    shop.cut.clear()
    assert fetch("small").read_bytes() == DATA


def test_a_file_that_is_not_there(shop: Shop) -> None:
    del shop.files["/small/small.gz"]
    assert "Not Found" in refused("small")
    assert not shop.kept()


def test_no_network(shop: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens there
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        connect(monkeypatch, nowhere)
        assert refused("small").startswith(f"gensim:small: the list of models cannot be had from {nowhere}/list.json: ")
        shop.data.joinpath("information.json").write_text(json.dumps(shop.listed))  # from an earlier time
        assert refused("small").endswith("Connection refused")
    assert not shop.kept()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "listed", [[], {"models": {}}, {"models": 7, "corpora": {}}, {"models": {"small": {}}, "corpora": {}}]
)
def test_a_list_that_is_none(shop: Shop, listed: Any) -> None:
    shop.listed = listed
    assert refused("small").endswith("the list of models is not as it should be")


@pytest.mark.parametrize("name", ["../../x", "/x", "..", ".", "", "a/b", "a\nb", "-x", "a\\b", "ä"])
def test_a_name_that_leads_elsewhere(shop: Shop, name: str) -> None:
    """Even if it is listed."""
    shop.sell(name)
    with pytest.raises(W2VError, match="no name of a model; gensim"):
        fetch(name)
    assert not shop.asked and not shop.data.exists()


@pytest.mark.parametrize("file_name", ["../../x.gz", "/etc/passwd", "other.gz", None, 7])
def test_a_file_name_that_leads_elsewhere(shop: Shop, file_name: Any) -> None:
    """What the list calls the file is not where it is looked for."""
    shop.sell("small", file_name=file_name)
    try:
        assert fetch("small") == shop.data / "small" / "small.gz"
    except W2VError:
        assert not shop.kept()


def test_what_killed_downloads_leave(shop: Shop) -> None:
    (shop.data / "small_tmp").mkdir(parents=True)
    (shop.data / "small_tmp" / "small.gz").write_bytes(b"half")
    assert fetch("small").read_bytes() == DATA
    assert shop.kept() == {"small", "small/__init__.py", "small/small.gz"}


def test_a_folder_without_the_file(shop: Shop) -> None:
    (shop.data / "small").mkdir(parents=True)
    assert refused("small") == f"{shop.data / 'small'}: has no small.gz; remove the folder, and it is downloaded again"


def test_a_folder_that_cannot_be_made(shop: Shop) -> None:
    shop.data.write_text("a file")
    assert "gensim-data" in refused("small") or "Not a directory" in refused("small")
