"""The command line as a process: what is printed where, and the exit codes."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from w2vcli.training import events

from .conftest import W2V
from .terminal import at_terminal

# ---------------------------------------------------------------- the main job


def test_preprocess_and_the_same_through_stdin(w2v: W2V, lee_raw: Path, tmp_path: Path) -> None:
    direct = w2v("preprocess", lee_raw, "-o", tmp_path / "a.txt.gz")
    piped = w2v("preprocess", "-", "-o", tmp_path / "b.txt.gz", stdin=lee_raw.read_bytes())
    packed = w2v("preprocess", "-", "-o", tmp_path / "c.txt.gz", stdin=gzip.compress(lee_raw.read_bytes()))
    assert direct.code == piped.code == packed.code == 0
    contents = {(tmp_path / f"{name}.txt.gz").read_bytes() for name in "abc"}
    assert len(contents) == 1
    assert direct.out == ""
    for part in (
        "2,683 sentences",
        "60,005 tokens",
        "1 file,",
        "360,082 bytes",
        "lines: 300",
        "MB/s",
    ):
        assert part in direct.err
    to_stdout = w2v("preprocess", lee_raw, "-o", "-", "-q")
    assert (to_stdout.out.encode(), to_stdout.err) == (gzip.decompress(contents.pop()), "")


def test_warnings_survive_quiet(w2v: W2V, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"word " * 10_001 + b"\ncaf\xe9\n")
    result = w2v("preprocess", tmp_path / "a.txt", "-o", tmp_path / "out.txt", "-q")
    assert result.error_lines == [
        "warning: 1 sentence of over 10,000 tokens split",
        f"warning: {tmp_path}/a.txt: 1 place not valid text, taken for spaces; is preprocess.encoding another?",
    ]


def test_train_says_what_it_does_off_a_terminal(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    command = ["train", lee, "-o", tmp_path / "run", "--set", "word2vec.epochs=1"]
    first, second = w2v(*command), w2v(*command)
    assert (first.code, second.code, first.out) == (0, 0, "")
    assert (
        "60,005 words in 2,683 sentences, 26 held out; vocabulary 1,799 of 7,577 distinct words; engine numba"
        in first.err
    )
    assert f"{tmp_path}/run/model/word2vec.model: 1,799 vectors; 59,442 words in 0:0" in first.err
    assert second.err.rstrip().endswith("model/word2vec.model: up to date")
    assert "\x1b" not in first.err
    assert w2v(*command, "-q").err == ""


def test_log_json_is_the_event_log(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    result = w2v("train", lee, "-o", tmp_path / "run", "--engine", "gensim", "--log-json", "--set", "word2vec.epochs=1")
    logged = [json.loads(line) for line in result.error_lines]
    stored = [json.loads(line) for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()]
    assert [event for event in logged if event["event"] != "encode"] == stored


def test_stdin_trains_the_same_run(w2v: W2V, lee: Path, lee_run: Path) -> None:
    result = w2v(
        "train",
        "-",
        "-o",
        lee_run,
        "--set",
        "word2vec.workers=1",
        "--set",
        "word2vec.epochs=2",
        stdin=lee.read_bytes(),
    )
    assert (result.code, "up to date" in result.err) == (0, True)


def test_vocab(w2v: W2V, lee: Path, lee_run: Path) -> None:
    tsv = w2v("vocab", lee, "-n", "2", "--tsv").out.splitlines()
    assert tsv[0].split("\t") == ["word", "count", "share", "keep", "noise"]
    assert tsv[1].split("\t")[:2] == ["the", "4133"]
    assert len(tsv) == 3
    assert w2v("vocab", lee_run, "-n", "2", "--tsv").out.splitlines() == tsv
    about = json.loads(w2v("vocab", lee, "--min-count", "7", "-n", "0", "--json").out)
    assert [row["min_count"] for row in about["min_count"]] == [1, 2, 5, 7, 10, 20, 50, 100]
    preview = next(row for row in about["min_count"] if row["min_count"] == 7)
    assert preview["words"] == len(about["words"])
    assert preview["tokens_covered"] == pytest.approx(sum(row["count"] for row in about["words"]) / 60005)
    assert sum(row["share"] for row in about["words"]) == pytest.approx(1)
    rare = w2v("vocab", lee, "--min-count", "99999")
    assert (rare.code, rare.error_lines) == (0, ["warning: no word occurs 99999 times; lower word2vec.min_count"])
    assert "tokens covered" in rare.out
    table = w2v("vocab", lee, "-n", "1").out
    assert "tokens covered" in table
    assert "84.04%" in table


def test_info(w2v: W2V, lee_run: Path) -> None:
    about = json.loads(w2v("info", lee_run, "--json").out)
    assert (about["state"], about["config"]["word2vec.epochs"]) == ("finished", 2)
    assert "word2vec.epochs" in w2v("info", lee_run).out
    assert "Word2Vec" in w2v("info", lee_run / "model" / "word2vec.model", "--tsv").out


def test_config_commands(w2v: W2V, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    assert w2v("config", "init", "-o", file).code == 0
    assert w2v("config", "init").out == file.read_text()
    again = w2v("config", "init", "-o", file)
    assert (again.code, again.error_lines) == (
        1,
        [f"w2v: error: {file}: exists already; --force replaces it"],
    )
    assert w2v("config", "check", file).code == 0
    file.write_text("word2vec:\n  windw: 3\n")
    bad = w2v("config", "check", file)
    assert (bad.code, bad.error_lines) == (
        2,
        [f"w2v: error: {file}: word2vec.windw is not a setting; did you mean word2vec.window?"],
    )
    file.write_text("word2vec:\n  window: 3\n")
    shown = w2v("config", "show", "-c", file, "--set", "word2vec.epochs=9", "--tsv", W2V_WORD2VEC_SEED="4").out
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in shown.splitlines()}
    assert rows["word2vec.window"] == ["3", str(file)]
    assert rows["word2vec.epochs"] == ["9", "--set"]
    assert rows["word2vec.seed"] == ["4", "W2V_WORD2VEC_SEED"]
    assert rows["word2vec.max_final_vocab"] == ["null", "default"]
    schema = json.loads(w2v("config", "schema").out)
    assert set(schema["properties"]) == {"preprocess", "word2vec", "train"}


def test_version_and_help(w2v: W2V) -> None:
    assert w2v("--version").out.startswith("w2v 0.")
    for bare in (w2v(), w2v("config")):
        assert bare.code == 2
        assert bare.err.startswith("Usage: w2v")
        assert "w2v: error" not in bare.err
    for command in (
        "preprocess",
        "train",
        "similar",
        "analogy",
        "vocab",
        "info",
        "config init",
        "config check",
        "config show",
    ):
        assert "Example" in w2v(*command.split(), "--help").out, command


# ---------------------------------------------------------------- at a terminal


def test_progress_on_a_terminal(lee: Path, tmp_path: Path) -> None:
    code, screen = at_terminal([], "train", lee, "-o", tmp_path / "run", "--set", "train.block_words=10000")
    assert code == 0
    assert "words/s alpha" in screen
    assert "up to date" not in screen


# ---------------------------------------------------------------- bad input: one line, the right code


@pytest.fixture
def place(tmp_path: Path, lee: Path) -> Path:
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "no-text").mkdir()
    (tmp_path / "no-text" / "a.png").write_bytes(b"\x89PNG\0\0")
    (tmp_path / "cut.txt.gz").write_bytes(gzip.compress(lee.read_bytes())[:5000])
    (tmp_path / "unparsable.yaml").write_text("word2vec: [\n")
    (tmp_path / "unknown.yaml").write_text("word2vec:\n  windw: 5\n")
    (tmp_path / "text.txt").write_bytes(lee.read_bytes())
    (tmp_path / "odd.model").write_text("this is not a model\n")
    (tmp_path / "a-run").mkdir()
    for name in ("events.jsonl", "lock", "notes.txt"):
        (tmp_path / "a-run" / name).write_text("words\n")
    return tmp_path


BAD = {
    "preprocess none.txt -o out": (1, "none.txt: no such file or folder"),
    "preprocess *.md -o out": (1, "*.md: no file matches"),
    "preprocess empty.txt -o out": (1, "empty.txt: no text in the input; nothing was written to out"),
    "preprocess no-text -o out": (1, "no-text: no text file in this folder"),
    "preprocess no-text/a.png -o out": (1, "no-text/a.png: not text; it holds NUL bytes"),
    "preprocess cut.txt.gz -o out": (
        1,
        "cut.txt.gz: the compressed data ends too early; the file is truncated; fetch it again",
    ),
    "preprocess text.txt -o nowhere/out": (
        1,
        "nowhere/out: the folder {}/nowhere does not exist; create it first",
    ),
    "preprocess text.txt -o /proc/out": (1, "/proc/out: cannot be written: No such file or directory"),
    "preprocess text.txt -o no-text": (1, "no-text: is a folder; name a file"),
    "preprocess text.txt -o text.txt": (1, "text.txt: is also an input; write to another place"),
    "preprocess text.txt -o out --format nonsense": (2, "Invalid value for '--format': 'nonsense' is not one of"),
    "preprocess text.txt -o out --set preprocess.stop_words=none": (2, "preprocess.stop_words: none: No such file"),
    "preprocess text.txt -o out --set preprocess.phrases.passes=1 --set preprocess.phrases.connector_words=none": (
        2,
        "preprocess.phrases.connector_words: none: no such file",
    ),
    "preprocess text.txt -o out --set preprocess.phrases.scoring=npmi": (
        2,
        "--set: preprocess.phrases: threshold (10) should be between -1 and 1 where scoring is npmi",
    ),
    "preprocess text.txt": (
        2,
        "Missing option '--output' / '-o'; w2v preprocess --help shows how it is used",
    ),
    "preprocess text.txt -o out --bnicate": (
        2,
        "No such option: --bnicate; w2v preprocess --help shows how it is used",
    ),
    "train none.txt -o run": (1, "none.txt: no such file or folder"),
    "train empty.txt -o run": (1, "empty.txt: no words in the text"),
    "train no-text -o run": (1, "no-text: no text file in this folder"),
    "train cut.txt.gz -o run": (
        1,
        "cut.txt.gz: the compressed data ends too early; the file is truncated; fetch it again",
    ),
    "train text.txt -o nowhere/run": (1, "nowhere/run: the folder nowhere does not exist; create it first"),
    "train text.txt -o /proc/run": (1, "/proc/run: the folder /proc does not exist; create it first"),
    "train text.txt -o run -c none.yaml": (2, "none.yaml: no such config file"),
    "train text.txt -o run -c unparsable.yaml": (
        2,
        "unparsable.yaml: line 2, column 1: not valid YAML: expected the node content, but found '<stream end>'",
    ),
    "train text.txt -o run -c unknown.yaml": (
        2,
        "unknown.yaml: word2vec.windw is not a setting; did you mean word2vec.window?",
    ),
    "train text.txt -o run --set word2vec.vector_size=-3": (
        2,
        "--set: word2vec.vector_size is -3; it should be greater than or equal to 1",
    ),
    "train text.txt -o run --set word2vec.alpha=.nan": (
        2,
        "--set: word2vec.alpha is .nan; it should be a finite number",
    ),
    "train text.txt -o run --engine gensm": (2, "train.engine: gensm is not an engine; did you mean gensim?"),
    "train text.txt -o run --set word2vec.min_count=99999": (
        1,
        "text.txt: no word occurs 99999 times, the most frequent (the) 4133 times; lower word2vec.min_count",
    ),
    "similar odd.model king": (
        1,
        "odd.model: not a model that w2v can read; known formats: gensim, word2vec-text, word2vec-binary",
    ),
    "similar none king": (1, "none: no such file or run"),
    "similar no-text king": (1, "no-text: a folder, but not a run; name a run directory or a vector file"),
    "similar odd.model king --tsv --json": (2, "--json and --tsv cannot be given together"),
    "analogy odd.model a b c": (
        1,
        "odd.model: not a model that w2v can read; known formats: gensim, word2vec-text, word2vec-binary",
    ),
    "info odd.model": (
        1,
        "odd.model: not a model that w2v can read; known formats: gensim, word2vec-text, word2vec-binary",
    ),
    "vocab none.txt": (1, "none.txt: no such file or folder"),
    "vocab a-run": (1, "a-run/vocab.tsv: not a vocabulary file"),
    "preprocess a-run -o out": (1, "a-run: is a run directory, not text; name the text itself"),
    "train . -o a-run": (1, "./a-run: is a run directory, not text; name the text itself"),
    "train a-run/notes.txt -o a-run": (1, "a-run/notes.txt: is inside the run a-run; keep text and runs apart"),
    "train text.txt -o run --epochs 3": (
        2,
        "No such option: --epochs; settings are given as --set word2vec.epochs=VALUE",
    ),
    "train text.txt -o run --set word2vec.iter=3": (
        2,
        "--set: word2vec.iter is not a setting; did you mean word2vec.epochs?",
    ),
    "train text.txt -o run --set word2vec.ns_exponent=100": (
        2,
        "--set: word2vec.ns_exponent is 100; it should be less than or equal to 10",
    ),
    "preprocess gopher://a/b -o out": (1, "gopher://a/b: no way is known to open gopher://"),
    "preprocess text.txt -o gopher://a/b": (1, "gopher://a/b: no way is known to open gopher://"),
    "preprocess text.txt -o /dev/full": (1, "/dev/full: cannot be written: No space left on device"),
    "analogy odd.model king-man+woman": (
        2,
        "an analogy has three words, as in: man king woman; here are 1 (+ and - need spaces around them)",
    ),
    "config check none.yaml": (2, "none.yaml: no such config file"),
    "simlar x": (2, "No such command 'simlar'"),
}


@pytest.mark.parametrize("command", BAD)
def test_bad_input_is_one_line_and_the_right_code(w2v: W2V, place: Path, command: str) -> None:
    code, message = BAD[command]
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    result = w2v(*command.split(), cwd=place)
    assert result.code == code
    # the one time that kernels have to be compiled, it is said
    (error,) = (line for line in result.error_lines if "compiled for this processor" not in line)
    assert error.startswith(f"w2v: error: {message.format(place)}")
    assert result.out == ""
    made = {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and "run" not in path.parts}
    assert made == before, "what was there is untouched, and nothing half-written is left"


def test_a_read_only_folder(w2v: W2V, place: Path) -> None:
    """As a user without rights, since root may write anywhere."""
    folder = place / "read-only"
    folder.mkdir()
    (folder / "run").mkdir()
    folder.chmod(0o555)
    (folder / "run").chmod(0o555)
    code = (
        "import os, sys\n"
        "if os.geteuid() == 0:\n"
        "    # imported before the rights to read them are gone\n"
        "    from w2vcli import cli, preprocessing, training, config, model\n"
        "    import gensim.models\n"
        "    os.setuid(65534)\n"
        "from w2vcli.cli import main\n"
        "main()\n"
    )
    os.chmod(place, 0o755)  # noqa: PTH101
    for parent in place.parents:
        if parent.stat().st_uid == os.geteuid() and Path(tempfile.gettempdir()).resolve() in parent.parents:
            parent.chmod(0o755)
    for command, message in (
        (
            ["preprocess", "text.txt", "-o", "read-only/out"],
            f"read-only/out: the folder {folder} is not writable",
        ),
        (["train", "text.txt", "-o", "read-only/new"], "read-only/new: cannot be created: Permission denied"),
        (["train", "text.txt", "-o", "read-only/run"], "read-only/run: this folder is not writable"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *command], cwd=place, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, f"w2v: error: {message}\n")


def test_training_twice_into_one_run(w2v: W2V, place: Path) -> None:
    first = events(place / "text.txt", place / "run")
    next(first)
    result = w2v("train", "text.txt", "-o", "run", cwd=place)
    first.close()  # type: ignore[attr-defined]
    assert result.code == 75
    assert len(result.error_lines) == 1
    assert result.err.startswith(f"w2v: error: run: process {os.getpid()} on ")
    assert result.err.endswith("is training this run; --wait 10m waits for it\n")


def test_options_for_cron(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    """A time limit ends with 0 and says what is left; errors in a log of JSON are JSON."""
    command = ["train", lee, "-o", tmp_path / "run", "--set", "train.block_words=20000", "--set", "word2vec.epochs=2"]
    limited = w2v(*command, "--max-time", "0.001s")
    assert limited.code == 0
    assert re.search(r"checkpoints/000001: unfinished \(1\d%\), run again$", limited.err)
    assert w2v(*command, "--max-time", "1d", "--quiet").err == ""
    assert "up to date" in w2v(*command, "--max-time", "1h", "--wait", "10m").err
    for wrong in ("soon", "0s", "5"):
        result = w2v(*command, "--wait", wrong)
        assert (result.code, result.error_lines) == (
            2,
            [f"w2v: error: --wait: {wrong} is not a time such as 90s, 10m or 2h"],
        )
    result = w2v("train", "none.txt", "-o", tmp_path / "other", "--log-json")
    error = json.loads(result.err)
    assert (result.code, error["event"], error["message"]) == (1, "error", "none.txt: no such file or folder")
    assert json.loads(w2v("train", "none.txt", "--log-json", "--bogus").err)["message"].startswith("No such option")


def test_the_loss_is_shown(w2v: W2V, lee: Path, tmp_path: Path) -> None:
    options = ["--set", "word2vec.alpha=0.3", "--set", "word2vec.min_alpha=0.3", "--set", "word2vec.epochs=30"]
    result = w2v("train", lee, "-o", tmp_path / "run", *options, "--set", "train.early_stopping=loss")
    assert re.search(r"held-out loss \d\.\d{4}$", result.error_lines[-2])
    assert re.search(r"stopped early: the model is the best one, after \d+ epochs \(loss", result.error_lines[-1])
    shown = w2v("info", tmp_path / "run").out
    assert re.search(r"^held-out loss +\d\.\d{4}", shown, re.MULTILINE)
    assert re.search(r"^best checkpoint +loss \d\.\d{4}, after \d+ epochs: .*/00\d+", shown, re.MULTILINE)


def test_growing(w2v: W2V, lee: Path, lee_run: Path, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("a brand-new word about the police and the government\n" * 30)
    result = w2v("train", tmp_path / "new.txt", "-o", tmp_path / "grown", "--from", lee_run)
    assert result.code == 0, result.err
    assert f"growing from {lee_run}" in result.err
    assert re.search(r"2 new words; the 1,799 old ones moved by \d", result.err)
    assert w2v("similar", tmp_path / "grown", "brand-new").code == 0


def test_a_run_from_something_else_is_refused(w2v: W2V, lee: Path, lee_run: Path) -> None:
    result = w2v("train", lee, "-o", lee_run, "--set", "word2vec.epochs=1")
    assert (result.code, len(result.error_lines)) == (1, 1)
    assert "was made from something else: word2vec.epochs was 2, now 1; --force starts over" in result.err


def test_several_mistakes_are_a_line_each(w2v: W2V, place: Path) -> None:
    (place / "bad.yaml").write_text(yaml.safe_dump({"word2vec": {"windw": 1, "vector_size": 0}}))
    result = w2v("train", "text.txt", "-o", "run", "-c", "bad.yaml", cwd=place)
    assert (result.code, len(result.error_lines)) == (2, 2)


def test_debug_shows_where(w2v: W2V, place: Path) -> None:
    for command in (["--debug", "similar", "none", "king"], ["similar", "none", "king", "--debug"]):
        result = w2v(*command, cwd=place)
        assert result.code == 1
        assert result.err.startswith("Traceback")


def test_a_reader_that_goes_away(lee: Path) -> None:
    command = [sys.executable, "-m", "w2vcli", "vocab", str(lee), "-n", "0", "--tsv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)  # 0 if all of it fitted into the pipe


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(lee_run: Path, closed: str) -> None:
    command = f"{sys.executable} -m w2vcli similar {lee_run} government -n 1 --tsv {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("government" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_output_to_a_pipe_by_name(w2v: W2V, lee_raw: Path) -> None:
    assert len(w2v("preprocess", lee_raw, "-o", "/dev/stdout", "-q").out.splitlines()) == 2683


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_ends_preprocess_that_waits_for_input(tmp_path: Path, number: int, workers: int) -> None:
    command = [sys.executable, "-m", "w2vcli", "preprocess", "-", "-o", str(tmp_path / "out"), "-q"]
    command += ["--set", f"preprocess.workers={workers}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(b"some words\n" * 600_000)  # more than a pipe holds: it is being read
        process.stdin.flush()
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        process.stdin.close()
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_preprocess_that_goes_away(lee_raw: Path) -> None:
    command = [sys.executable, "-m", "w2vcli", "preprocess", str(lee_raw), "-o", "-", "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_files_without_text_in_a_folder_are_named(w2v: W2V, place: Path) -> None:
    (place / "no-text" / "words.txt").write_text("some words\n")
    result = w2v("preprocess", "no-text", "-o", "out", "-q", cwd=place)
    assert (result.code, result.error_lines) == (0, ["warning: 1 file without text passed over: no-text/a.png"])


def test_text_that_is_not_tokenised_is_doubted(w2v: W2V, lee_raw: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw.txt"
    raw.write_bytes(lee_raw.read_bytes() + b"caf\xe9\n")
    result = w2v("train", raw, "-o", tmp_path / "run", "-q", "--set", "word2vec.epochs=1")
    assert (result.code, len(result.error_lines)) == (0, 2)
    assert result.error_lines[0].startswith("warning: 1 words have bytes in them that are not UTF-8")
    assert "of the words end in punctuation: this text is not tokenised" in result.error_lines[1]


def test_any_locale(w2v: W2V, lee_run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Čapek naïve 東京\n", encoding="utf-8")
    result = w2v("preprocess", tmp_path / "a.txt", "-o", "-", "-q", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (result.code, result.out) == (0, "čapek naïve 東京\n")
