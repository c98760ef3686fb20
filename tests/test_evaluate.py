"""Scores: the same as Gensim's, on random vectors and on a trained model; and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.word2vec import LineSentence
from gensim.test.utils import datapath

from w2vcli.errors import ConfigError, W2VError
from w2vcli.evaluate import bootstrap, built_in, metric, question_sets
from w2vcli.evaluate.analogies import read_analogies
from w2vcli.evaluate.answers import Choices, Similarities
from w2vcli.evaluate.odd_one_out import read_odd_one_out
from w2vcli.evaluate.pairs import read_pairs
from w2vcli.evaluate.questions import Asking, KnownWords
from w2vcli.vectors import Vectors


def vectors_of(words: Sequence[str], rows: Any) -> KeyedVectors:
    vectors = KeyedVectors(np.shape(rows)[1])
    vectors.add_vectors(words, np.asarray(rows, dtype=np.float32))
    return vectors


@pytest.fixture(scope="module")
def trained(lee: Path) -> Vectors:
    """A small model of real text, trained by Gensim."""
    model = Word2Vec(LineSentence(str(lee)), vector_size=40, sg=1, epochs=20, min_count=2, workers=1, seed=1)
    return Vectors.of(model.wv)


def known(vectors: Any, **asking: Any) -> KnownWords:
    return KnownWords(vectors if isinstance(vectors, Vectors) else Vectors.of(vectors), Asking(**asking))


def cased(rng: np.random.Generator, spellings: int) -> list[str]:
    """Return 40 words in up to so many spellings, in any order."""
    words = [
        "".join(letter.upper() if bits >> place & 1 else letter for place, letter in enumerate(f"abc{i:02}"))
        for i in range(40)
        for bits in range(spellings if i % 3 == 0 else 1)
    ]
    return [words[place] for place in rng.permutation(len(words))]


# ---------------------------------------------------------------- analogies, as Gensim counts them


def same_as_gensim(vectors: KeyedVectors, file: str | Path, restrict_vocab: int, fold: bool, wrong: bool) -> None:
    score, sections = vectors.evaluate_word_analogies(str(file), restrict_vocab, fold, wrong)
    questions = read_analogies(Path(file))
    answers = questions.ask(known(vectors, restrict_vocab=restrict_vocab, fold_case=fold, unknown_is_wrong=wrong))
    parts = {name: answers.of(which) for name, which in questions.parts() if not name.endswith(" (total)")}
    assert list(parts) == [section["section"] for section in sections[:-1]]
    for section, part in zip(sections, [*parts.values(), answers], strict=True):
        assert part.right == len(section["correct"])
        assert part.counted.sum() == len(section["correct"]) + len(section["incorrect"])
    assert answers.score().value == score
    assert 0 < score < 1


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize(("dimensions", "spellings", "restrict_vocab"), [(3, 2, 1000), (3, 8, 1000), (5, 8, 60)])
def test_analogies_are_gensims(
    tmp_path: Path, dimensions: int, spellings: int, restrict_vocab: int, fold: bool, wrong: bool
) -> None:
    """On random vectors of few dimensions, words in so many cases that they take all of the five best places."""
    rng = np.random.default_rng(dimensions + spellings)
    words = cased(rng, spellings)
    rows = np.array([np.random.default_rng(int(word[3:])).normal(size=dimensions) for word in words])
    vectors = vectors_of(words, rows + rng.normal(size=rows.shape) * 0.02)
    lines = []
    for section in "one", "gram1-two", "gram2-three":
        chosen = rng.choice([*words, "unknown"], size=(400, 4))
        lines += [f": {section}", *(" ".join(line) for line in chosen)]
        lines += [" ".join((a, b, c, a)) for a, b, c, _ in chosen[:50]]
    file = tmp_path / "questions.txt"
    file.write_text("\n".join(lines) + "\n")
    same_as_gensim(vectors, file, restrict_vocab, fold, wrong)


def test_googles_analogies_are_gensims() -> None:
    """On vectors that solve some: those of a section have its offset, and noise."""
    rng = np.random.default_rng(1)
    found: dict[str, Any] = {}
    for section in built_in("analogies").sections:
        offset = rng.normal(size=20)
        for a, (b,), _, _ in section.questions:
            found.setdefault(a, rng.normal(size=20))
            found.setdefault(b, found[a] + offset + 0.4 * rng.normal(size=20))
    words = [*found, *(word.lower() for word in found if not word.islower())]
    rows = [found[word] if word in found else rng.normal(size=20) for word in words]
    order = rng.permutation(len(words))
    vectors = vectors_of([words[place] for place in order], np.array(rows)[order])
    same_as_gensim(vectors, datapath("questions-words.txt"), 1000, True, False)


def test_a_trained_models_analogies_are_gensims(trained: Vectors) -> None:
    score, sections = trained.to_gensim().evaluate_word_analogies(datapath("questions-words.txt"), 30_000)
    answers = built_in("analogies").ask(known(trained))
    assert isinstance(answers, Choices)
    assert (answers.score().value, answers.right) == (score, len(sections[-1]["correct"]))
    assert answers.score().asked == sum(len(section["incorrect"] + section["correct"]) for section in sections[:-1])


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")  # by Gensim itself
def test_3cosmul_is_gensims(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    words = [f"w{number}" for number in range(50)]
    vectors = vectors_of(words, rng.normal(size=(50, 3)))
    asked = [rng.permutation(words)[:4].tolist() for _ in range(700)]
    (tmp_path / "questions.txt").write_text("\n".join(" ".join(line) for line in asked))
    answers = read_analogies(tmp_path / "questions.txt").ask(known(vectors, method="3cosmul"))
    expected = [vectors.most_similar_cosmul([b, c], [a], topn=1)[0][0] == d for a, b, c, d in asked]
    assert answers.values.tolist() == expected
    assert answers.values.tolist() != read_analogies(tmp_path / "questions.txt").ask(known(vectors)).values.tolist()
    assert 10 < answers.right < 690


def test_nothing_but_given_words_leaves_no_answer(tmp_path: Path) -> None:
    (tmp_path / "questions.txt").write_text("a b c a\n")
    answers = read_analogies(tmp_path / "questions.txt").ask(known(vectors_of(["a", "b", "c"], np.eye(3))))
    assert (answers.score().value, answers.score().asked) == (0, 1)


def test_google_has_semantic_and_syntactic_totals() -> None:
    questions = built_in("analogies")
    sizes = {name: int(which.sum()) for name, which in questions.parts()}
    assert len(questions.questions) == 19_544
    assert sizes["semantic (total)"] == 8_869
    assert sizes["syntactic (total)"] == 10_675
    assert sizes["family"] == 506
    assert len(sizes) == 2 + 14


# ---------------------------------------------------------------- BATS


def test_bats_by_hand(tmp_path: Path) -> None:
    """Each of two lines with the other; b the first answer that is known, and any answer of c's is right."""
    (tmp_path / "bats" / "1_Inflection").mkdir(parents=True)
    (tmp_path / "bats" / "2_Lexicon").mkdir()
    (tmp_path / "bats" / "1_Inflection" / "I01 [noun].txt").write_text("mouse\tmice\ncat cats/Felines\ndog dogs\n")
    (tmp_path / "bats" / "2_Lexicon" / "L01.txt").write_text("big\tgreat/large\nunknown\twords/more\n")
    words = ["mouse", "cat", "felines", "mice", "dog", "cats", "big", "large"]
    rows = [[9, 0, 0], [0, 9, 0], [0, 9, 5], [9, 0, 6], [5, 6, 0], [0, 9, 4.5], [1, 1, 1], [1, 1, -1]]
    questions = read_analogies(tmp_path / "bats")
    asked = [(a, tuple(b), c) for a, b, c, _ in questions.questions]
    assert asked[:3] == [
        ("mouse", ("mice",), "cat"),
        ("mouse", ("mice",), "dog"),
        ("cat", ("cats", "Felines"), "mouse"),
    ]
    assert len(asked) == 3 * 2 + 2
    answers = questions.ask(known(vectors_of(words, rows)))
    assert answers.known.tolist() == [True, False, True, False, False, False, False, False]
    assert answers.values.tolist() == [1, 0, 1, 0, 0, 0, 0, 0]  # felines, the second of cat's answers; mice
    parts = [(name, int(which.sum())) for name, which in questions.parts()]
    assert parts == [
        ("1_Inflection (total)", 6),
        ("2_Lexicon (total)", 2),
        ("1_Inflection/I01 [noun]", 6),
        ("2_Lexicon/L01", 2),
    ]


# ---------------------------------------------------------------- pairs


@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("name", ["WordSim-353", "SimLex-999"])
def test_pairs_are_gensims(trained: Vectors, name: str, fold: bool, wrong: bool) -> None:
    file = datapath({"WordSim-353": "wordsim353.tsv", "SimLex-999": "simlex999.txt"}[name])
    pearson, spearman, unknown = trained.to_gensim().evaluate_word_pairs(
        file, restrict_vocab=1200, case_insensitive=fold, dummy4unknown=wrong
    )
    answers = built_in(name).ask(known(trained, restrict_vocab=1200, fold_case=fold, unknown_is_wrong=wrong))
    assert isinstance(answers, Similarities)
    score = answers.score()
    assert score.value == pytest.approx(spearman.statistic, abs=1e-6)
    assert answers.pearson() == pytest.approx(pearson.statistic, abs=1e-6)
    assert 1 - score.asked / score.total == pytest.approx(unknown / 100)
    assert score.total == {"WordSim-353": 353, "SimLex-999": 999}[name]


def test_pairs_by_hand(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("\ufeffa\tB\t3\na\tc\t1\r\nb\tc\t2\n# a\tb\t9\na\tzzz\t4\n", encoding="utf-8")
    answers = read_pairs(tmp_path / "pairs.tsv").ask(known(vectors_of(["a", "b", "c"], [[1, 0], [1, 1], [0, 1]])))
    half = 0.5**0.5
    assert answers.values.tolist() == pytest.approx([half, 0, half, 0])
    assert answers.score().value == pytest.approx(3**0.5 / 2)  # ranks 3, 1, 2 and 2.5, 1, 2.5
    assert (answers.score().asked, answers.score().total) == (3, 4)
    alike = read_pairs(tmp_path / "pairs.tsv").ask(known(vectors_of(["a", "b", "c"], [[1, 0], [2, 0], [3, 0]])))
    assert (alike.score().value, alike.interval()) == (None, None)


# ---------------------------------------------------------------- odd ones out


def test_odd_ones_out_are_gensims(tmp_path: Path, trained: Vectors) -> None:
    vectors = trained.to_gensim()
    rng = np.random.default_rng(3)
    asked = [rng.choice(vectors.index_to_key[:300], size, replace=False).tolist() for size in [3, 4, 9] * 50]
    (tmp_path / "odd.txt").write_text("\n".join(" ".join(words) for words in [*asked, ["zzz", "police", "fire"]]))
    answers = read_odd_one_out(tmp_path / "odd.txt").ask(known(vectors))
    expected = [vectors.doesnt_match(words) == words[-1] for words in asked]
    assert answers.values.tolist() == [*expected, 0]
    assert 10 < answers.right < 100
    assert (answers.score().asked, answers.score().total) == (150, 151)


def test_8_8_8_by_hand(tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "animals.txt").write_text("cat\ndog\n\ncar\nmouse\n")
    (tmp_path / "sets" / "things.txt").write_text("car bus cat\n")
    questions = read_odd_one_out(tmp_path / "sets")
    assert questions.questions == [("cat", "dog", "car"), ("cat", "dog", "mouse"), ("car", "bus", "cat")]
    vectors = vectors_of(["cat", "dog", "mouse", "car", "bus"], [[4, 0], [4, 1], [8, 1], [0, 3], [1, 3]])
    assert questions.ask(known(vectors)).values.tolist() == [1, 0, 1]
    assert [name for name, _ in questions.parts()] == ["animals", "things"]


# ---------------------------------------------------------------- how sure the scores are


def choices(*values: float) -> Choices:
    return Choices(np.ones(len(values), dtype=np.bool_), np.array(values), False)


def test_the_interval_of_a_share_is_that_of_a_binomial() -> None:
    interval = choices(*[1] * 400, *[0] * 600).interval()
    assert interval == pytest.approx((0.4 - 1.96 * 0.01549, 0.4 + 1.96 * 0.01549), abs=0.002)
    assert interval == choices(*[0] * 600, *[1] * 400).interval()  # seeded
    assert choices(1, 1).interval() == (1, 1)
    assert choices().interval() is None


def test_the_draws_of_a_correlation_are_those_of_scipy() -> None:
    """The ranks of a draw are found without sorting it: they are what sorting gives, with equal values and all."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    judged, similar = rng.integers(0, 5, 30).astype(float), rng.normal(size=30).round(1)
    found = bootstrap.rank_correlations(judged, similar)
    times = next(bootstrap._drawn(30)).astype(int)
    assert times.sum(axis=1).tolist() == [30] * len(times)
    for draw, value in zip(times[:100], found, strict=False):
        assert value == pytest.approx(spearmanr(judged.repeat(draw), similar.repeat(draw)).statistic, abs=1e-12)


def test_the_interval_of_a_correlation_is_about_fishers() -> None:
    rng = np.random.default_rng(2)
    judged = rng.normal(size=500)
    answers = Similarities(np.ones(500, dtype=np.bool_), judged + 1.5 * rng.normal(size=500), False, judged)
    value, interval = answers.score().value, answers.interval()
    assert value is not None
    fishers = np.tanh(np.arctanh(value) + np.array([-1.96, 1.96]) * np.sqrt((1 + value**2 / 2) / 497))
    assert interval == pytest.approx(fishers, abs=0.015)


def test_differences_are_of_the_questions_that_both_know() -> None:
    one = Choices(np.array([True] * 40 + [False] * 10), np.array([1.0] * 30 + [0] * 20), False)
    other = Choices(np.array([False] * 5 + [True] * 45), np.array([0.0] * 15 + [1] * 35), False)
    difference = other.difference(one)
    assert difference is not None
    assert difference.asked == 35  # of which one has 25 right, and the other 25
    assert (difference.value, difference.p > 0.5) == (0, True)
    assert choices(1, 0).difference(choices(1, 0)) == (0, (0, 0), 1, 2)
    better = choices(*[1] * 60, *[0] * 40).difference(choices(*[1] * 40, *[0] * 60))
    assert better is not None
    assert better.value == pytest.approx(0.2)
    assert better.p < 0.01
    assert better.interval[0] > 0
    # one question more of three is right in all draws but those without it, (2/3)**3 of them
    chance = choices(1, 1, 0).difference(choices(1, 0, 0))
    assert chance is not None
    assert chance.p == pytest.approx(2 * (2 / 3) ** 3, abs=0.03)


def test_unknown_questions_that_are_wrong_are_compared_too() -> None:
    """Of three questions one model knows two and answers one, the other knows one and answers none."""
    known, others = np.array([True, True, False]), np.array([True, False, False])
    values, none = np.array([1.0, 0.0, 0.0]), np.zeros(3)
    for wrong, value, asked in ((True, 1 / 3, 3), (False, 1.0, 1)):
        difference = Choices(known, values, wrong).difference(Choices(others, none, wrong))
        assert difference is not None
        assert difference.value == pytest.approx(value)
        assert difference.asked == asked


def test_differences_of_correlations_have_the_same_draws() -> None:
    rng = np.random.default_rng(4)
    judged, everything = rng.normal(size=200), np.ones(200, dtype=np.bool_)
    similar = judged + rng.normal(size=200)
    one = Similarities(everything, similar, False, judged)
    same = one.difference(one)
    assert same == (0, (0, 0), 1, 200)
    worse = Similarities(everything, similar + rng.normal(size=200), False, judged).difference(one)
    assert worse is not None
    assert (worse.value < -0.1, worse.p < 0.01) == (True, True)
    assert Similarities(~everything, similar, False, judged).difference(one) is None


# ---------------------------------------------------------------- files


def test_own_files_are_recognised(tmp_path: Path, trained: Vectors) -> None:
    pairs, questions, other = (tmp_path / name for name in ("pairs.tsv", "questions.txt", "other.txt"))
    pairs.write_text("# pairs\nminister\tgovernment\t7.5\npolice\tfire\t3\nday\tyear\t-1\n")
    assert metric(str(pairs))(trained).asked == 3
    questions.write_text("minister government police fire\nday year zzz man\n")
    assert metric(str(questions))(trained).asked == 1
    other.write_text("two words\n")
    with pytest.raises(W2VError, match=r"other.txt: neither analogies nor pairs; a line should be four words, or two"):
        metric(str(other))
    with pytest.raises(ConfigError, match=r"WordSim is neither a score nor a file; did you mean WordSim-353\?"):
        metric("WordSim")


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("analogies", ": section\na b c d\na b c\n", "line 3: not four words; an analogy is: man king woman queen"),
        ("analogies", ": section\n", "holds no analogies; a line should be four words"),
        ("analogies", b"a b c d\ncaf\xe9 b c d\n", "line 2: not text in UTF-8; save it in that encoding"),
        ("pairs", "Word 1\tWord 2\tMean\na\tb\t1\n", "line 1: not two words and a number; .* a heading should begin"),
        ("pairs", "a b 1\n", "line 1: not two words and a number; they should have tabs between them"),
        ("pairs", "\n", "holds no pairs"),
        ("odd_one_out", "a b c\na b\n", "line 2: fewer than three words; the odd one should be last"),
        ("odd_one_out", "a\nb\nc\n", "not words, a blank line and odd ones"),
        ("odd_one_out", "\n\n", "holds no questions"),
    ],
)
def test_bad_files(tmp_path: Path, option: str, content: str | bytes, message: str) -> None:
    file = tmp_path / "questions.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(W2VError, match=rf"questions\.txt: {message}"):
        question_sets(**{option: [str(file)]})


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(W2VError, match="no files of questions in this folder"):
        read_analogies(tmp_path)
    with pytest.raises(W2VError, match="cannot be read: Is a directory"):
        read_pairs(tmp_path)
    (tmp_path / "file.txt").write_text("mouse\n")
    with pytest.raises(W2VError, match=r"file.txt: line 1: not a word and its answers; a line in a folder should be"):
        read_analogies(tmp_path)
    (tmp_path / "file.txt").write_text("mouse mice\n")
    with pytest.raises(W2VError, match=r"file.txt: holds fewer than two lines"):
        read_analogies(tmp_path)


def test_sets_by_name() -> None:
    assert [asked.name for asked in question_sets()] == ["analogies", "WordSim-353", "SimLex-999"]
    named = question_sets(["Google"], ["simlex-999", "simlex-999"])
    assert [asked.name for asked in named] == ["analogies", "SimLex-999"]
    with pytest.raises(ConfigError, match=r"--pairs: SimLex: neither a file nor .*; did you mean SimLex-999\?"):
        question_sets(pairs=["SimLex"])
    with pytest.raises(ConfigError, match="--odd-one-out: SimLex-999: no such file"):
        question_sets(odd_one_out=["SimLex-999"])
