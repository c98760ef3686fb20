"""What the README prints works as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from . import readme_reference
from .conftest import need

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def home(tmp_path: Path, lee_raw: Path) -> Path:
    """A folder as the README takes it to be: texts, the configs, and an environment with w2v."""
    (tmp_path / "texts").mkdir()
    lines = lee_raw.read_text().splitlines(keepends=True)
    (tmp_path / "texts" / "a.txt").write_text("".join(lines[:150]))
    (tmp_path / "texts" / "b.txt").write_text("".join(lines[150:]))
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    return tmp_path


def shell(script: str, folder: Path, path: str = f"{BIN}:/usr/bin:/bin", **extra: str) -> str:
    environment = {"PATH": path, "HOME": str(folder.parent), **extra}
    done = subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_pipeline_by_hand(home: Path) -> None:
    (script,) = [block for block in blocks("sh") if "w2v vocab" in block]
    output = shell(script, home)
    assert "3CosAdd" in output
    assert re.search(r"state +finished", output)
    (scored,) = [block for block in blocks("sh") if "w2v evaluate" in block]
    assert "SimLex-999" in shell(scored, home)
    (seen,) = [block for block in blocks("sh") if "w2v report" in block]
    assert "Zipf's law" in shell(seen.partition("\n")[2], home)  # all but the installation
    stopped, grown = (shell(block, home) for block in blocks("sh") if "runs/stopped" in block or "runs/grown" in block)
    assert "the model is the best one" in stopped
    assert "growing from runs/first" in grown
    assert "old ones moved by" in grown


def test_any_text_in(home: Path) -> None:
    (script,) = [block for block in blocks("sh") if "posts.jsonl" in block]
    posts = [f'{{"user": {{"text": "New South Wales is {number}, see http://a.org"}}}}\n' for number in range(9)]
    (home / "posts.jsonl").write_text("".join(posts))
    output = shell(script, home)
    assert '"shards": ["big-00000.txt.gz"]' in output
    assert "new_south_wales" in (home / "phrased.txt").read_text()
    assert (home / "more.txt").read_text().splitlines()[0] == "new_south_wales is 0 see http a org"


def test_a_tokenizer_of_ones_own(home: Path) -> None:
    need("pythainlp", "pythainlp")
    (session,) = [block for block in blocks("console") if "pythainlp" in block]
    *_, command, output = session.splitlines()
    assert shell(command.removeprefix("$ "), home) == f"{output}\n"


@pytest.mark.slow
def test_the_makefile_rule(home: Path) -> None:
    (home / "Makefile").write_text(blocks("make")[0])
    (home / "news.yaml").write_text("word2vec: {epochs: 1}\n")
    (home / "runs").mkdir()
    assert "w2v preprocess texts/" in shell("make", home)
    assert "up to date" in shell("make", home)
    (home / "news.yaml").write_text("word2vec: {epochs: 2}\n")
    assert "engine numba (the fastest for these settings), 2 epochs" in shell("make", home)
    (home / "texts" / "c.txt").write_text("Some more text about the police.\n" * 10)
    again = shell("make", home)
    assert "w2v preprocess texts/" in again
    assert "up to date" in shell("make", home)


@pytest.mark.slow
def test_the_crontab_line(home: Path) -> None:
    """As cron does it: five fields of time, and a command for /bin/sh with next to no environment."""
    (line,) = blocks("crontab")[0].splitlines()
    *times, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"\*|\d+", field) for field in times)
    assert "%" not in command
    home.rename(home.parent / "w2vcli")
    folder = home.parent / "w2vcli"
    model = folder / "runs" / "news" / "model" / "word2vec.model"
    for text in ("", "", "A new day, a new text about the police.\n" * 10):
        (folder / "texts" / "c.txt").write_text(text)
        assert shell(command, folder.parent, path="/usr/bin:/bin", HOME=str(folder.parent)) == ""
        assert model.is_file()


def test_the_python_example(home: Path) -> None:
    (code,) = blocks("python")
    (home / "runs").mkdir()
    output = shell('python -c "$CODE"', home, CODE=code)
    assert "'event': 'done'" in output
    assert output.rstrip().endswith(")]")


@pytest.mark.slow
def test_make_model_does_again_only_what_changed(home: Path) -> None:
    (home / "my.yaml").write_text("word2vec: {epochs: 1}\n")
    (home / ".venv" / "bin").unlink()
    command = (
        f"make -f {ROOT}/Makefile model CORPUS='texts/*.txt' CONFIG=my.yaml RUN=runs/mine "
        f"W2V={BIN}/w2v VENV={home}/.venv PYTHON={sys.executable}"
    )
    (home / "pyproject.toml").write_text("")
    os.utime(home / "pyproject.toml", (0, 0))
    (home / ".venv" / "installed").write_text("")
    first = shell(command, home)
    assert "w2v preprocess" in first
    assert "w2v train" in first
    nothing = shell(command, home)
    assert "w2v" not in nothing.replace("word2vec.model", "")
    (home / "my.yaml").write_text("word2vec: {epochs: 2}\n")
    config_changed = shell(command, home)
    assert "w2v preprocess" not in config_changed
    assert "w2v train" in config_changed
    (home / "my.yaml").write_text("word2vec: {epochs: 2}\npreprocess: {lowercase: false}\n")
    assert "w2v preprocess" in shell(command, home)
    (home / "texts" / "a.txt").touch()
    touched = shell(command, home)
    assert "w2v preprocess" in touched
    assert "up to date" in touched
    assert "w2v" not in shell(command, home).replace("word2vec.model", "")
    (home / "texts" / "an old one.txt").write_text("Words of the past.\n")
    os.utime(home / "texts" / "an old one.txt", (0, 0))
    assert "from 3 files" in shell(command, home)
    (home / "texts" / "b.txt").unlink()
    assert "from 2 files" in shell(command, home)
    for corpus in ("", "txets/*.txt"):
        broken = subprocess.run(
            ["/bin/sh", "-c", command.replace("texts/*.txt", corpus)],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert broken.returncode != 0
        assert f"make model: CORPUS='{corpus}' names no file" in broken.stderr


def test_make_lists_its_targets() -> None:
    listed = shell(f"make -f {ROOT}/Makefile", ROOT)
    targets = [line.split()[1] for line in listed.splitlines()]
    assert targets == [
        "help",
        "demo",
        "model",
        "test",
        "test-slow",
        "check",
        "fix",
        "bench",
        "torture",
        "smoke",
        "clean",
    ]


def test_the_reference_covers_every_command() -> None:
    reference = README.partition(readme_reference.BEGIN)[2].partition(readme_reference.END)[0]
    assert re.findall(r"^#### w2v (.*)$", reference, re.MULTILINE) == list(readme_reference.COMMANDS)


def test_every_file_the_readme_names_is_there() -> None:
    for name in re.findall(r"`((?:configs|w2vcli)/[\w./-]+)`", README):
        assert (ROOT / name).exists(), name


def test_scripts_for_clusters_are_well_formed() -> None:
    (script,) = blocks("bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    (job,) = (yaml.safe_load(block) for block in blocks("yaml") if "RayJob" in block)
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] == "16"
    assert job["spec"]["entrypoint"].startswith("w2v preprocess ")
