"""Inputs and outputs on other machines, against real servers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from backports import zstd
from botocore.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from tests.conftest import W2V
from tests.servers import HOST, STALL, Sftp, Web, proxied, sftp_server, web_server
from w2vcli import outputs
from w2vcli.errors import W2VError
from w2vcli.preprocessing import preprocess
from w2vcli.sources import Source, expand, open_bytes, open_text, opened_at, total_size

DATA = random.Random(0).randbytes(400_000).hex().encode()  # 800 kB
LINES = [f"line {number} {'x' * (number % 70)}\n" for number in range(20_000)]
TEXT = "".join(LINES).encode()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("w2vcli.sources.steady.BACKOFF", 0)
    monkeypatch.setenv("no_proxy", HOST)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # whose settings are the user's


def content(name: str) -> bytes:
    with open_bytes(Source(name)) as pieces:
        return b"".join(pieces)


def refused(job: Callable[[], object]) -> str:
    with pytest.raises(W2VError) as caught:
        job()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---------------------------------------------------------------- HTTP


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.fixture(scope="module")
def long_web() -> Iterator[Web]:
    with web_server() as server:
        yield server


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("knows_ranges", [True, False])
@given(cuts=st.lists(st.integers(1, len(DATA)), max_size=4), is_zipped=st.booleans())
@settings(max_examples=40)
def test_every_byte_arrives_once_wherever_it_breaks_off(
    long_web: Web, knows_ranges: bool, is_chunked: bool, cuts: list[int], is_zipped: bool
) -> None:
    long_web.files["text.txt"] = gzip.compress(DATA, 1) if is_zipped else DATA
    long_web.knows_ranges, long_web.is_chunked = knows_ranges, is_chunked
    long_web.cuts = list(cuts)
    long_web.asked.clear()
    assert content(long_web.url()) == DATA
    assert long_web.asked[0] == ("GET", None)


@given(st.lists(st.integers(1, 400) | st.integers(1, len(DATA)), max_size=4), st.booleans(), st.booleans())
@settings(max_examples=60)
def test_answers_that_break_off_in_their_headers(
    long_web: Web, cuts: list[int], knows_ranges: bool, is_chunked: bool
) -> None:
    long_web.files["text.txt"], long_web.tags, long_web.cuts = DATA, {"text.txt": '"a long tag"'}, []
    long_web.knows_ranges, long_web.is_chunked = knows_ranges, is_chunked
    with proxied(long_web.port, *cuts) as proxy:
        assert content(f"http://{HOST}:{proxy.port}/text.txt") == DATA


def test_many_cuts_do_no_harm_as_long_as_there_is_progress(web: Web) -> None:
    web.files["text.txt"] = TEXT
    web.cuts = [1] * 7 + [100] * 50 + [len(TEXT) // 8] * 7
    with open_text(Source(web.url())) as lines:
        assert list(lines) == LINES
    starts = [int((wanted or "bytes=0-")[6:-1]) for _, wanted in web.asked]
    assert len(starts) == 65
    assert starts == sorted(starts)


def test_a_transfer_goes_on_where_it_broke_off(web: Web) -> None:
    web.files["text.txt"] = DATA
    web.cuts = [300_000]
    assert content(web.url()) == DATA
    (_, first), (_, second) = web.asked
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 300_000


@pytest.mark.parametrize("knows_ranges", [True, False])
@pytest.mark.parametrize("tags", [True, False])
@pytest.mark.parametrize("longer", [0, 1])
def test_a_file_that_changes_meanwhile_is_not_mixed(web: Web, knows_ranges: bool, tags: bool, longer: int) -> None:
    if knows_ranges and not tags and not longer:
        return  # such a server tells nothing

    def change() -> None:
        web.files["text.txt"] = DATA[::-1] + b"." * longer
        web.tags.update({"text.txt": '"second"'} if tags else {})

    web.files["text.txt"], web.tags = DATA, {"text.txt": '"first"'} if tags else {}
    web.knows_ranges, web.cuts, web.on_cut = knows_ranges, [300_000], change
    told = refused(lambda: content(web.url()))
    assert told == f"{web.url()}: it changed while it was being read; run it again when it is complete"


def test_a_file_that_shrinks_meanwhile(web: Web) -> None:
    web.files["text.txt"], web.cuts, web.is_chunked = DATA, [300_000], True
    web.on_cut = lambda: web.files.update({"text.txt": DATA[:10]})
    assert refused(lambda: content(web.url())).startswith(f"{web.url()}: the server has no bytes from ")
    web.files["text.txt"], web.cuts, web.knows_ranges = DATA, [300_000], False
    assert refused(lambda: content(web.url())).startswith(f"{web.url()}: it changed while")


def test_a_busy_server_is_asked_again(web: Web) -> None:
    web.files["text.txt"], web.statuses = DATA, [503, 429, 500, 408, 200, 502, 504]
    web.cuts = [200_000]
    assert content(web.url()) == DATA
    assert len(web.asked) == 8


def test_what_never_gets_better_is_given_up_after_five_attempts(web: Web) -> None:
    web.files["text.txt"], web.statuses = DATA, [503] * 10
    said = refused(lambda: content(web.url()))
    assert said == (
        f"{web.url()}: cannot be read from byte 0 on, tried 5 times: the server answers 503 Service Unavailable; "
        "try again later"
    )
    assert len(web.asked) == 5
    web.statuses, web.cuts, web.knows_ranges = [], [70_000] * 20, False
    said = refused(lambda: content(web.url()))
    position = int(said.split(" byte ")[1].split(" on,")[0].replace(",", ""))
    assert 65_536 <= position <= 70_000
    assert said.startswith(f"{web.url()}: cannot be read from byte {position:,} on, tried 5 times: the transfer ")


@pytest.mark.parametrize(("status", "phrase"), [(404, "Not Found"), (403, "Forbidden"), (401, "Unauthorized")])
def test_what_cannot_get_better_fails_at_once(web: Web, status: int, phrase: str) -> None:
    web.files["text.txt"], web.statuses = DATA, [status]
    assert refused(lambda: content(web.url())) == f"{web.url()}: the server answers {status} {phrase}"
    assert len(web.asked) == 1


def test_a_server_that_is_not_there(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2vcli.sources.steady.ATTEMPTS", 0)  # one more would be told
    with proxied(web.port) as proxy:
        port = proxy.port
    assert refused(lambda: content(f"http://{HOST}:{port}/a")) == f"http://{HOST}:{port}/a: Connection refused"


def test_a_server_that_falls_silent(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("w2vcli.sources.steady.TIMEOUT", 0.5)
    web.files["text.txt"], web.cuts = DATA, [STALL]
    assert content(web.url()) == DATA
    assert web.asked[1] in (("GET", "bytes=10-"), ("GET", None))


def test_sizes_and_progress_over_http(web: Web) -> None:
    web.files["text.txt"], web.files["other.txt"] = TEXT, b"other\n"
    found = expand([web.url(), web.url("other.txt")])
    assert web.asked == []
    assert total_size(found) == len(TEXT) + 6
    assert [method for method, _ in web.asked] == ["HEAD", "HEAD"]
    seen: list[int] = []
    with open_text(found[0], seen.append) as lines:
        assert list(lines) == LINES
    assert seen == sorted(seen)
    assert (seen[-1], found[0].can_seek) == (len(TEXT), False)
    assert len(web.asked) == 3  # the size is asked for once


def test_a_size_that_is_not_told_does_no_harm(web: Web) -> None:
    web.files["text.txt"], web.answers_head = b"text\n", False
    (source,) = expand([web.url()])
    assert (source.size, total_size([source]), content(source.name)) == (None, None, b"text\n")
    web.answers_head, web.is_chunked = True, True
    assert (Source(web.url()).size, Source(web.url("none.txt")).size) == (None, None)
    assert total_size([Source("-"), Source(web.url())]) is None


def test_passwords_are_not_shown(web: Web) -> None:
    url = web.url("none.txt").replace("http://", "http://ann:secret@")
    shown = web.url("none.txt").replace("http://", "http://ann:***@")
    assert refused(lambda: content(url)) == f"{shown}: the server answers 404 Not Found"


def test_a_web_server_cannot_be_written_to(web: Web) -> None:
    def write() -> None:
        with outputs.open_text(web.url()) as stream:
            stream.write("text\n")

    assert refused(write) == f"{web.url()}: a web server cannot be written to; name a file, or a place such as s3://"


def test_preprocessing_over_a_bad_connection(web: Web, w2v: W2V, lee_raw: Path, tmp_path: Path) -> None:
    web.files["text.txt.gz"] = gzip.compress(lee_raw.read_bytes())
    web.cuts = [20_000]
    preprocess(lee_raw, tmp_path / "local.txt")
    preprocess(web.url("text.txt.gz"), tmp_path / "remote.txt")
    assert web.cuts == []
    assert (tmp_path / "remote.txt").read_bytes() == (tmp_path / "local.txt").read_bytes()
    result = w2v("preprocess", web.url("none.txt"), "-o", tmp_path / "none.txt")
    assert (result.code, len(result.error_lines)) == (1, 1)
    assert result.err.endswith(f"{web.url('none.txt')}: the server answers 404 Not Found\n")


# ---------------------------------------------------------------- S3


@pytest.fixture(scope="module")
def moto_port() -> Iterator[int]:
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


class Bucket:
    """A bucket of a test's own."""

    def __init__(self, client: Any, name: str, port: int) -> None:
        self.client, self.name, self.port = client, name, port
        self.url = f"s3://{name}"
        client.create_bucket(Bucket=name)

    def put(self, **objects: bytes) -> None:
        for key, data in objects.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def get(self, key: str) -> bytes:
        data: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data


@pytest.fixture
def bucket(
    moto_port: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Bucket]:
    endpoint = f"http://{HOST}:{moto_port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("w2vcli.sources.s3._sessions", threading.local())
    client = boto3.session.Session().client("s3", config=Config(retries={"total_max_attempts": 2}))
    yield Bucket(client, f"bucket-{abs(hash(request.node.name)):x}", moto_port)
    client.close()


def test_an_object_uploaded_in_parts(bucket: Bucket) -> None:
    parts = [b"a" * (5 << 20), DATA]
    upload = {"Bucket": bucket.name, "Key": "big.txt"}
    upload["UploadId"] = bucket.client.create_multipart_upload(**upload)["UploadId"]
    tags = [
        {"PartNumber": number, "ETag": bucket.client.upload_part(**upload, PartNumber=number, Body=part)["ETag"]}
        for number, part in enumerate(parts, 1)
    ]
    bucket.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": tags})
    (source,) = expand([f"{bucket.url}/big.txt"])
    assert source == Source(f"{bucket.url}/big.txt")
    assert (source.size, source.can_seek, source.stamp()) == (len(b"".join(parts)), True, None)
    assert content(source.name) == b"".join(parts)


def test_compressed_objects(bucket: Bucket) -> None:
    bucket.put(**{"text.gz": gzip.compress(TEXT), "text.bz2": bz2.compress(TEXT), "text.xz": lzma.compress(TEXT)})
    bucket.put(**{"text.zst": zstd.compress(TEXT), "misnamed.txt": gzip.compress(TEXT), "empty": b""})
    for name in ("text.gz", "text.bz2", "text.xz", "text.zst", "misnamed.txt"):
        seen: list[int] = []
        with open_text(Source(f"{bucket.url}/{name}"), seen.append) as lines:
            assert list(lines) == LINES
        assert seen[-1] == Source(f"{bucket.url}/{name}").size
    assert content(f"{bucket.url}/empty") == b""


KEYS = {
    "a/1.txt": b"one\n",
    "a/10.txt": b"ten\n",
    "a/2.txt.gz": gzip.compress(b"two\n"),
    "a/b/3.txt": b"three\n",
    "a/b/c/4.txt": b"four\n",
    "a/b/.hidden/5.txt": b"five\n",
    "a/.6.txt": b"six\n",
    "a/empty.txt": b"",
    "a1.txt": b"beside\n",
    "odd[1].txt": b"odd\n",
    "odd1.txt": b"not so odd\n",
}


@pytest.mark.parametrize(
    "patterns",
    [
        ["a/*.txt", "a/*", "*.txt", "*/*/*.txt", "a?.txt", "a/?.txt", "a/[!1]*", "a/b*/3.txt", "a*"],
        ["a/**", "**", "**/*.txt", "a/**/*.txt", "a/**/c/*"],
        ["a/.*", "a/b/.hidden/*", "**/.hidden/*"],
        ["odd[1].txt", "odd[[]1].txt"],
    ],
)
def test_globs_match_as_they_do_here(bucket: Bucket, tmp_path: Path, patterns: list[str]) -> None:
    bucket.put(**KEYS)
    for key, data in KEYS.items():
        (tmp_path / "here" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / key).write_bytes(data)
    for pattern in patterns:
        here = expand([f"{tmp_path}/here/{pattern}"])
        there = expand([f"{bucket.url}/{pattern}"])
        keys = [source.name.removeprefix(f"{bucket.url}/") for source in there]
        assert keys == sorted(source.name.removeprefix(f"{tmp_path}/here/") for source in here), pattern
        assert [source.size for source in there] == [len(KEYS[key]) for key in keys]


def test_prefixes_and_buckets(bucket: Bucket) -> None:
    bucket.put(**KEYS, **{"a/folder/": b"", "z/": b"", ".git/config": b"x"})
    below = ["a/1.txt", "a/10.txt", "a/2.txt.gz", "a/b/3.txt", "a/b/c/4.txt"]
    found = expand([f"{bucket.url}/a/"])
    assert found == [Source(f"{bucket.url}/{key}", len(KEYS[key])) for key in below]
    assert total_size(found) == sum(len(KEYS[key]) for key in below)
    assert expand([f"{bucket.url}/a/b/.hidden/"]) == [Source(f"{bucket.url}/a/b/.hidden/5.txt", 5)]
    for name in (bucket.url, f"{bucket.url}/"):
        keys = [source.name.removeprefix(f"{bucket.url}/") for source in expand([name])]
        assert keys == [*below, "a1.txt", "odd1.txt", "odd[1].txt"]


def test_more_objects_than_a_page_holds(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
    keys = [f"many/{number:04}.txt" for number in range(10)]
    bucket.put(**dict.fromkeys(keys, b"text\n"))
    assert [source.name for source in expand([f"{bucket.url}/many/"])] == [f"{bucket.url}/{key}" for key in keys]


def test_objects_that_are_not_there(bucket: Bucket) -> None:
    bucket.put(**{"a/empty.txt": b"", "folder/": b""})
    for name, said in {
        "/a/": "no object with content below it",
        "/none/": "no object with content below it",
        "/a/*.gz": "no object matches",
        "-2/a/": "no such bucket",
        "-2": "no such bucket",
        "-2/*": "no such bucket",
    }.items():
        assert refused(lambda name=name: expand([bucket.url + name])) == f"{bucket.url}{name}: {said}"  # type: ignore[misc]
    assert refused(lambda: content(f"{bucket.url}/none")) == f"{bucket.url}/none: no such object"
    assert refused(lambda: content(f"{bucket.url}-2/none")) == f"{bucket.url}-2/none: no such bucket"
    assert Source(f"{bucket.url}/none").size is None


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = "no credentials; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    assert refused(lambda: content(f"{bucket.url}/a")) == f"{bucket.url}/a: {said}"
    assert refused(lambda: expand([f"{bucket.url}/"])) == f"{bucket.url}/: {said}"
    bucket.put(a=b"text\n")
    assert content(f"s3://key:secret@{bucket.name}/a") == b"text\n"
    assert (
        refused(lambda: content(f"s3://key:se/cret@{bucket.name}/b")) == f"s3://key:***@{bucket.name}/b: no such object"
    )


@pytest.mark.parametrize("seed", range(3))
def test_an_object_over_a_bad_connection(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    cuts = [random.Random(seed).randrange(1, 500_000) for _ in range(4)]
    bucket.put(text=TEXT, zipped=gzip.compress(DATA))
    with proxied(bucket.port, *cuts) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.port}")
        with open_text(Source(f"{bucket.url}/text")) as lines:
            assert list(lines) == LINES
        assert content(f"{bucket.url}/zipped") == DATA
        assert proxy.cuts >= 3
        assert proxy.connections == proxy.cuts + 2


def test_an_object_that_never_comes_or_changes(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put(text=DATA)
    with proxied(bucket.port, *[400_000] + [100] * 10) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.port}")
        said = refused(lambda: content(f"{bucket.url}/text"))
        assert said.startswith(f"{bucket.url}/text: cannot be read from byte 3")
        assert " on, tried 5 times: " in said
        assert proxy.connections == 5
    with proxied(bucket.port, 400_000, on_cut=lambda: bucket.put(text=DATA[::-1])) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.port}")
        said = refused(lambda: content(f"{bucket.url}/text"))
        assert said == f"{bucket.url}/text: it changed while it was being read; run it again when it is complete"
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.port}")
    assert refused(lambda: content(f"{bucket.url}/text")) == f"{bucket.url}/text: Connection refused"


def test_any_part_of_an_object(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bucket.put(text=DATA)
    (tmp_path / "text").write_bytes(DATA)
    with proxied(bucket.port, 2000, 300_000) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{proxy.port}")
        for name in (f"{bucket.url}/text", str(tmp_path / "text")):
            for start in (0, 1, 70_001, len(DATA) - 1, len(DATA)):
                with opened_at(Source(name), start) as stream:
                    assert stream.read() == DATA[start:]
            with opened_at(Source(name), 500_000) as stream:
                assert stream.read(10) == DATA[500_000:500_010]
        assert proxy.cuts == 2
    for name in ("-", str(tmp_path), "http://host/a", "sftp://host/a"):
        assert not Source(name).can_seek
    assert Source("gs://b/k").can_seek
    assert Source("azure://b/k").can_seek

    def read() -> None:
        with opened_at(Source("http://host/a"), 1):
            pass

    assert refused(read) == "http://host/a: can only be read from its beginning"


def test_processes_read_parts_of_one_object(bucket: Bucket) -> None:
    bucket.put(text=DATA)
    code = """
import hashlib, multiprocessing, sys
from w2vcli.sources import Source, opened_at
source = Source(sys.argv[1])
part = source.size // 4
def read(start):
    with opened_at(source, start) as stream:
        return stream.read(part)
with opened_at(source, 0) as stream:
    first = stream.read(10)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        parts = pool.map(read, range(0, source.size, part))
    assert first + stream.read() == b"".join(parts)
sys.stdout.buffer.write(b"".join(parts))
"""
    done = subprocess.run([sys.executable, "-c", code, f"{bucket.url}/text"], capture_output=True, check=True)
    assert done.stdout == DATA


def test_preprocessing_from_s3_to_s3(bucket: Bucket, w2v: W2V, lee_raw: Path, tmp_path: Path) -> None:
    text = lee_raw.read_bytes()
    middle = text.index(b"\n", len(text) // 2) + 1
    bucket.put(**{"raw/1.txt": text[:middle], "raw/2.txt.gz": gzip.compress(text[middle:])})
    local = tmp_path / "out.txt.gz"
    preprocess(lee_raw, local)
    result = w2v("preprocess", f"{bucket.url}/raw/", "-o", f"{bucket.url}/out.txt.gz")
    assert (result.code, result.out) == (0, "")
    assert bucket.get("out.txt.gz") == local.read_bytes()
    assert "NoSuchBucket" in refused(lambda: preprocess(local, f"{bucket.url}-2/out.txt.gz"))


# ---------------------------------------------------------------- SFTP


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Sftp]:
    (tmp_path / "served").mkdir()
    with sftp_server(tmp_path / "served") as server:
        yield server


def test_over_sftp(sftp: Sftp, tmp_path: Path) -> None:
    (tmp_path / "served" / "a b.txt").write_bytes(TEXT)
    (tmp_path / "served" / "b.txt.gz").write_bytes(gzip.compress(DATA))
    for scheme in ("sftp", "ssh", "scp"):
        (source,) = expand([f"{scheme}://ann:p%40ss@{HOST}:{sftp.port}/a b.txt"])
        seen: list[int] = []
        with open_text(source, seen.append) as lines:
            assert list(lines) == LINES
        assert (source.size, seen[-1], source.can_seek) == (len(TEXT), len(TEXT), False)
    assert content(f"sftp://ann:p%40ss@{HOST}:{sftp.port}/b.txt.gz") == DATA


@pytest.mark.parametrize("seed", range(3))
def test_sftp_over_a_bad_connection(sftp: Sftp, tmp_path: Path, seed: int) -> None:
    (tmp_path / "served" / "a.txt").write_bytes(TEXT)
    cuts = [random.Random(seed).randrange(1, 400_000) for _ in range(4)]
    with proxied(sftp.port, *cuts) as proxy:
        with open_text(Source(f"sftp://ann:p%40ss@{HOST}:{proxy.port}/a.txt")) as lines:
            assert list(lines) == LINES
        assert proxy.connections == proxy.cuts + 1
        assert proxy.cuts >= 3


def test_a_file_that_changes_meanwhile_over_sftp(sftp: Sftp, tmp_path: Path) -> None:
    path = tmp_path / "served" / "a.txt"
    path.write_bytes(DATA)

    def change() -> None:
        path.write_bytes(DATA[::-1])
        os.utime(path, (1, 1))

    with proxied(sftp.port, 200_000, on_cut=change) as proxy:
        url = f"sftp://ann:p%40ss@{HOST}:{proxy.port}/a.txt"
        said = refused(lambda: content(url))
    shown = f"sftp://ann:***@{HOST}:{proxy.port}/a.txt"
    assert said == f"{shown}: it changed while it was being read; run it again when it is complete"
    assert refused(lambda: content(url)).endswith(f"Unable to connect to port {proxy.port} on {HOST}")


def test_what_sftp_refuses(sftp: Sftp) -> None:
    shown = f"sftp://ann:***@{HOST}:{sftp.port}/none.txt"
    said = refused(lambda: content(f"sftp://ann:p%40ss@{HOST}:{sftp.port}/none.txt"))
    assert said == f"{shown}: no such file on that machine"
    assert sftp.logins == [("ann", "p@ss")]
    said = refused(lambda: content(f"sftp://ann:wrong@{HOST}:{sftp.port}/none.txt"))
    assert said == f"{shown}: Authentication failed."
    assert sftp.logins == [("ann", "p@ss"), ("ann", "wrong")]
    assert Source(f"sftp://ann:wrong@{HOST}:{sftp.port}/none.txt").size is None


# ---------------------------------------------------------------- the rest


class Unsteady(io.BytesIO):
    """A stream that breaks off after 100,000 bytes."""

    def __init__(self, data: bytes, error: Exception | None) -> None:
        super().__init__(data)
        self._error, self._left = error, 100_000

    def read(self, size: int | None = -1) -> bytes:
        self._left -= size or 0
        if self._error is not None and self._left < 0:
            raise self._error
        return super().read(size)


class CloudError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__("the cloud has its reasons")
        self.code = code


def test_places_that_smart_open_alone_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    from smart_open import transport

    opened: list[str] = []
    errors: list[Exception | None] = []
    versions = [DATA]

    def open_uri(uri: str, mode: str, transport_params: object) -> Unsteady:
        opened.append(uri)
        return Unsteady(versions[0], errors.pop(0))

    cloud: Any = SimpleNamespace(open_uri=open_uri, parse_uri=lambda uri: {"scheme": "gs"})
    monkeypatch.setitem(transport._REGISTRY, "gs", cloud)
    monkeypatch.delitem(transport._ERRORS, "gs", raising=False)
    monkeypatch.setitem(transport._REGISTRY, "ftp", cloud)
    troubles: dict[str, list[Exception | None]] = {
        "gs://bucket/key": [CloudError(503), RuntimeError("gone"), CloudError(429), None],
        "ftp://host/file": [CloudError(503), None],  # cannot seek
    }
    for url, trouble in troubles.items():
        errors[:] = trouble
        opened.clear()
        assert content(url) == DATA
        assert opened == [url] * len(trouble)
    errors[:] = [None]
    assert Source("gs://bucket/key").size == len(DATA)
    errors[:] = [CloudError(403)]
    said = refused(lambda: content("gs://bucket/key"))
    assert said == "gs://bucket/key: the server answers 403 the cloud has its reasons"


BLOCKED = """
import sys
for name in ("boto3", "requests", "paramiko", "google", "google.cloud", "azure", "azure.storage.blob"):
    sys.modules[name] = None
from w2vcli import outputs
from w2vcli.errors import W2VError
from w2vcli.sources import Source, expand, open_bytes
for name in sys.argv[1:]:
    try:
        with open_bytes(*expand([name])):
            print("opened")
    except W2VError as error:
        print(error)
    try:
        with outputs.open_bytes(name):
            print("opened")
    except W2VError as error:
        print(error)
"""


def test_missing_libraries_are_named_as_our_extras() -> None:
    extras = {
        "s3://bucket/key": "s3",
        "s3://bucket": "s3",
        "s3://bucket/*": "s3",
        "gs://bucket/key": "gs",
        "gcs://bucket/key": "gs",
        "azure://box/key": "azure",
        "http://host/a": "http",
        "https://host/a": "http",
        "webhdfs://host/a": "http",
        "sftp://host/a": "sftp",
        "ssh://host/a": "sftp",
        "scp://host/a": "sftp",
    }
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *extras], capture_output=True, text=True, check=True, timeout=100
    )
    said = [
        f"{name}: the library for it is not installed; pip install 'w2vcli[{extra}]'" for name, extra in extras.items()
    ]
    assert done.stdout.splitlines()[::2] == said
    assert done.stdout.splitlines()[1::2] == said


def test_azure_needs_to_know_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    for name in ("azure", "azure.storage", "azure.storage.blob"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(BlobServiceClient=None))
    said = refused(lambda: content("azure://box/key"))
    assert said == (
        "azure://box/key: AZURE_STORAGE_CONNECTION_STRING is not set; set it to the storage account's connection string"
    )
