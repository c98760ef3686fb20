from __future__ import annotations

import inspect
import itertools
import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from gensim.models import Word2Vec as GensimWord2Vec
from hypothesis import given
from hypothesis import strategies as st

from w2vcli.config import Config, Word2Vec, as_config, resolve, template
from w2vcli.errors import ConfigError

CONFIGS = Path(__file__).parent.parent / "configs"


def problems(*arguments: Any, **keywords: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(*arguments, **{"environment": {}, **keywords})
    assert caught.value.exit_code == 2
    return caught.value.problems


def test_word2vec_has_gensims_names_and_defaults() -> None:
    theirs = {
        name: parameter.default for name, parameter in inspect.signature(GensimWord2Vec.__init__).parameters.items()
    }
    for name, value in Word2Vec().model_dump().items():
        assert theirs[name] == value, name


def test_precedence_and_origins(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("word2vec:\n  window: 2\n  epochs: 2\n  negative: 2\n")
    environment = {"W2V_WORD2VEC_EPOCHS": "3", "W2V_WORD2VEC_NEGATIVE": "3", "HOME": "/"}
    resolved = resolve(file, ["word2vec.negative=4"], environment)
    settings = resolved.config.word2vec
    assert (settings.sg, settings.window, settings.epochs, settings.negative) == (0, 2, 3, 4)
    names = ("sg", "window", "epochs", "negative")
    origins = [resolved.origins[f"word2vec.{name}"] for name in names]
    assert origins == ["default", str(file), "W2V_WORD2VEC_EPOCHS", "--set"]


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "news.yaml"
    file.write_text(
        "word2vec:\n  windw: 5\n  vector_size: -3\n  alpha: .nan\n  min_count: '5'\n"
        "train:\n  checkpoint_every: soon\nwindow: 10\npreproces:\n  unit: line\n"
    )
    found = problems(
        file,
        ["word2vec.epoch=3", "train.shuffle=maybe", "foo"],
        environment={"W2V_EPOCHS": "1", "W2V_DIR": "somebody else's"},
    )
    assert sorted(found) == sorted(
        [
            f"{file}: word2vec.windw is not a setting; did you mean word2vec.window?",
            f"{file}: window is not a setting; did you mean word2vec.window?",
            f"{file}: preproces.unit is not a setting; did you mean preprocess.unit?",
            f"{file}: word2vec.vector_size is -3; it should be greater than or equal to 1",
            f"{file}: word2vec.alpha is .nan; it should be a finite number",
            f"{file}: word2vec.min_count is '5'; it should be a valid integer",
            f"{file}: train.checkpoint_every is soon; it should be a time such as 90s, 10m or 2h, "
            "or an amount such as 5000000 words",
            "environment: W2V_EPOCHS is not a setting; did you mean W2V_WORD2VEC_EPOCHS?",
            "--set: word2vec.epoch is not a setting; did you mean word2vec.epochs?",
            "--set: train.shuffle is maybe; it should be a valid boolean",
            "--set: foo is not of the form section.key=value",
        ]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "word2vec:\n  window: [5\n",
            "line 3, column 1: not valid YAML: expected ',' or ']', but got '<stream end>'",
        ),
        (
            "word2vec:\n  window: 5\n  window: 6\n",
            "line 3, column 3: not valid YAML: the key window stands here twice",
        ),
        ("- a\n", "should hold the sections preprocess, word2vec, train"),
        ("word2vec: 3\n", "word2vec should be a section with settings below it"),
        (
            "word2vec:\n  hs: 0\n  negative: 0\n",
            "word2vec: hs and negative are both 0, so nothing would be trained; set one of them",
        ),
        (
            "word2vec:\n  alpha: 0.01\n  min_alpha: 0.02\n",
            "word2vec: min_alpha (0.02) is larger than alpha (0.01)",
        ),
    ],
)
def test_files_that_make_no_config(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert problems(file) == [f"{file}: {expected}"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(tmp_path / "a.yaml") == [f"{tmp_path / 'a.yaml'}: no such config file"]
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert problems(tmp_path / "b.yaml") == [f"{tmp_path / 'b.yaml'}: not a text file in UTF-8"]
    assert problems(tmp_path) == [f"{tmp_path}: Is a directory"]


def test_numbers_without_a_point_and_empty_sections(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("word2vec:\n  sample: 1e-4\ntrain:\n")
    assert resolve(file, environment={}).config.word2vec.sample == 1e-4
    assert resolve(None, ["word2vec.sample=1E-05"], {}).config.word2vec.sample == 1e-5


@pytest.mark.parametrize(
    ("text", "seconds", "words"),
    [
        ("90s", 90, None),
        ("10m", 600, None),
        ("1.5h", 5400, None),
        ("5000000 words", None, 5e6),
        ("null", None, None),
    ],
)
def test_checkpoint_intervals(text: str, seconds: float | None, words: float | None) -> None:
    train = resolve(None, [f"train.checkpoint_every={text}"], {}).config.train
    assert (train.checkpoint_seconds(), train.checkpoint_words()) == (seconds, words)


def test_template_is_the_default_config_and_stands_in_configs(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(template())
    assert resolve(file, environment={}).config == Config()
    assert set(yaml.safe_load(template())["word2vec"]) == set(Word2Vec.model_fields)
    assert (CONFIGS / "default.yaml").read_text() == template()


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.name)
def test_ready_configs_are_valid_and_say_when_to_pick_them(file: Path) -> None:
    resolve(file, environment={})
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# ")
    for before, line in itertools.pairwise(lines):
        if line.startswith("  ") and not line.strip().startswith("#") and file.name != "default.yaml":
            assert before.strip().startswith("#") or before.endswith(":"), f"no comment on {line}"


def test_the_configs_that_the_readme_names_differ_as_they_say() -> None:
    configs = {file.stem: resolve(file, environment={}).config.word2vec for file in CONFIGS.glob("*.yaml")}
    default = configs["default"]
    assert (default.vector_size, default.window, default.min_count, default.negative) == (100, 5, 5, 5)
    assert (configs["skipgram-300"].sg, configs["skipgram-300"].vector_size) == (1, 300)
    assert configs["cbow"].sg == 0
    assert (configs["hierarchical-softmax"].hs, configs["hierarchical-softmax"].negative) == (1, 0)


def test_what_the_python_api_takes(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("word2vec:\n  epochs: 7\n")
    config = as_config({"word2vec": {"epochs": 7}})
    assert config == as_config(file) == as_config(config)
    assert as_config(None) == Config()
    with pytest.raises(ConfigError, match=r"config: word2vec.epoch is not a setting; did you mean word2vec.epochs\?"):
        as_config({"word2vec": {"epoch": 7}})


@pytest.mark.parametrize(
    ("given", "meant"),
    [("size", "vector_size"), ("iter", "epochs"), ("neg", "negative"), ("ws", "window"), ("learning_rate", "alpha")],
)
def test_names_from_other_tools_are_understood(given: str, meant: str) -> None:
    assert problems(None, [f"word2vec.{given}=1"]) == [
        f"--set: word2vec.{given} is not a setting; did you mean word2vec.{meant}?"
    ]


def test_schema_describes_every_setting() -> None:
    schema = json.loads(json.dumps(Config.model_json_schema()))
    for section in ("Preprocess", "Phrases", "Word2Vec", "Train"):
        for name, setting in schema["$defs"][section]["properties"].items():
            assert setting["description"], name
        assert schema["$defs"][section]["additionalProperties"] is False


words = st.text(string.ascii_letters, min_size=1)
configs = st.builds(
    lambda window, alpha, sample, seed, every: Config.model_validate(
        {
            "word2vec": {"window": window, "alpha": alpha, "min_alpha": 0.0, "sample": sample, "seed": seed},
            "train": {"checkpoint_every": every},
        }
    ),
    st.integers(1, 1000),
    st.floats(1e-9, 10, exclude_min=True),
    st.floats(0, 1e6),
    st.integers(0, 2**32 - 1),
    st.one_of(
        st.none(),
        st.integers(1, 10**9).map(lambda n: f"{n} words"),
        st.integers(1, 99).map(lambda n: f"{n}m"),
    ),
)


@given(configs)
def test_yaml_round_trip(tmp_path_factory: pytest.TempPathFactory, config: Config) -> None:
    file = tmp_path_factory.mktemp("config") / "a.yaml"
    file.write_text(config.to_yaml())
    assert resolve(file, environment={}).config == config
