from __future__ import annotations

import fcntl
import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vcli import outputs
from w2vcli.errors import LockedError, W2VError
from w2vcli.sources import Source
from w2vcli.sources import open_text as read_text


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("former")
    with pytest.raises(ZeroDivisionError), outputs.open_text(path) as stream:
        stream.write("half")
        assert path.read_text() == "former"
        raise ZeroDivisionError
    assert path.read_text() == "former"
    assert entries(tmp_path) == ["out.txt"]
    with outputs.open_text(path) as stream:
        stream.write("whole")
        assert path.read_text() == "former"
    assert path.read_text() == "whole"
    assert entries(tmp_path) == ["out.txt"]


def test_what_a_killed_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    code = (
        "import os, signal, sys; from w2vcli import outputs\n"
        "with outputs.open_text(sys.argv[1]) as stream:\n"
        "    stream.write('half'); stream.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert entries(tmp_path) == [".out.txt.tmp"]
    outputs.write_text(path, "whole")
    assert (entries(tmp_path), path.read_text()) == (["out.txt"], "whole")


def test_two_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with outputs.open_text(path) as stream:
        stream.write("first")
        with pytest.raises(LockedError, match="another process is writing it") as caught:
            outputs.write_text(path, "second")
        assert caught.value.exit_code == 75
    assert path.read_text() == "first"


@pytest.mark.parametrize("extension", ["", ".gz", ".bz2", ".xz", ".zst"])
@given(text=st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=20)
def test_compressed_round_trip(tmp_path_factory: pytest.TempPathFactory, extension: str, text: str) -> None:
    path = tmp_path_factory.mktemp("output") / f"a.txt{extension}"
    with outputs.open_text(path) as stream:
        stream.write(text)
    with read_text(Source(str(path))) as lines:
        assert "".join(lines) == text


def test_gzip_output_depends_on_nothing_but_the_text(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with outputs.open_text(tmp_path / name) as stream:
            stream.write("text\n")
    content = (tmp_path / "a.gz").read_bytes()
    assert content == (tmp_path / "b.gz").read_bytes()
    assert content[3:8] == b"\0\0\0\0\0"  # no name, no time
    assert gzip.decompress(content) == b"text\n"


def test_links_and_devices(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "real" / "file.txt")
    outputs.write_text(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "real" / "file.txt").read_text() == "text"
    outputs.write_text("/dev/null", "text")
    assert Path("/dev/null").is_char_device()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(
        W2VError, match=f"{tmp_path}/no/out.txt: the folder {tmp_path}/no does not exist; create it first"
    ):
        outputs.write_text(tmp_path / "no" / "out.txt", "")
    with pytest.raises(W2VError, match=f"{tmp_path}: is a folder; name a file"):
        outputs.write_text(tmp_path, "")
    with pytest.raises(W2VError, match=r"/proc/out\.txt: "):
        outputs.write_text("/proc/out.txt", "")


def test_a_folder_is_replaced_only_when_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with outputs.atomic_folder(path) as temporary:
        (temporary / "a").write_text("former")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), outputs.atomic_folder(path) as temporary:
        (temporary / "a").write_text("half")
        raise ZeroDivisionError
    assert (path / "a").read_text() == "former"
    with outputs.atomic_folder(path) as temporary:
        (temporary / "b").write_text("new")
    assert (entries(path), entries(tmp_path)) == (["b"], ["model"])


def test_a_replacement_that_was_cut_off_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "model"
    (tmp_path / ".model.former").mkdir()
    (tmp_path / ".model.former" / "a").write_text("former")
    outputs.recover_folder(path)  # cut off between the two renames
    assert (path / "a").read_text() == "former"
    (tmp_path / ".model.former").mkdir()
    outputs.recover_folder(path)  # cut off after the second
    assert entries(tmp_path) == ["model"]


def test_new_files_get_the_usual_permissions(tmp_path: Path) -> None:
    outputs.write_text(tmp_path / "a", "")
    (tmp_path / "b").write_text("")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_the_lock_is_on_the_temporary_file(tmp_path: Path) -> None:
    with (
        outputs.atomic_file(tmp_path / "a"),
        (tmp_path / ".a.tmp").open() as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
