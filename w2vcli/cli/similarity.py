"""`w2v similarity`, `w2v odd-one-out` and `w2v vectors`: words compared with each other, and their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2vcli.cli.asking import batches, exit_if, load_model, tell_of_unknown, unknown_as_json
from w2vcli.cli.options import IgnoreCase, Json, Model, Oov, Tsv
from w2vcli.cli.output import Format, Row, error_line, format_of, print_json, print_table, print_tsv
from w2vcli.errors import ConfigError, W2VError

if TYPE_CHECKING:
    from w2vcli.queries import Known, Questions

Asked = tuple[dict[str, Any], list[Row]]
"""An answer, as JSON and as rows."""


def similarity(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Two words or more; without any, lines of two are read from stdin."),
    ] = None,
    oov: Oov = "fail",
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Show the cosine similarity of words, of each with each.

    Example: w2v similarity runs/novels king queen

    A word may be a sum of words, as in 'new + york'. On standard input a pair has a space between its words, or a tab
    where they are sums.
    """
    form = format_of(as_json, as_tsv)
    if words and len(words) < 2:
        raise ConfigError(["a similarity has two words, as in: w2v similarity MODEL king queen"])
    questions = _questions(model, words, oov, ignore_case)

    def ask(line: str) -> Asked:
        pair = line.split("\t") if "\t" in line else line.split()
        if len(pair) != 2:
            raise ConfigError([f"{line}: not two words"])
        (one, first), (other, second) = (_understood(questions, word.strip(), form) for word in pair)
        score = questions.similarity(first, second)
        return {"a": one, "b": other, "similarity": round(score, 6)} | _as_json(first, second), [(one, other, score)]

    lines = ["\t".join(pair) for pair in combinations(words, 2)] if words else None
    _answer(questions, lines, "two words", ask, ("a", "b", "similarity"), form)


def odd_one_out(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Three words or more; without any, lines of them are read from stdin."),
    ] = None,
    oov: Oov = "fail",
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Find the word that does not belong to the others.

    Example: w2v odd-one-out runs/novels breakfast dinner supper horse

    It is the one whose vector is least similar to the mean of all their unit vectors; the words are shown in that
    order, the odd one first.
    """
    form = format_of(as_json, as_tsv)
    if words and len(words) < 3:
        raise ConfigError(["one can only be odd among three words or more"])
    from w2vcli.queries import Expression

    questions = _questions(model, words, oov, ignore_case)

    def ask(line: str) -> Asked:
        several = tuple(line.split("\t") if "\t" in line else line.split())
        if len(several) < 3:
            raise ConfigError([f"{line}: one can only be odd among three words or more"])
        known = questions.known(Expression(several))
        _tell(known, form)
        ranked = questions.odd_one_out(known)
        found = [{"word": word, "similarity": round(score, 6)} for word, score in ranked]
        asked = " ".join(several)
        rows: list[Row] = [(asked, *row) if form is Format.TSV else row for row in ranked]
        return {"query": asked, "odd": ranked[0][0], "words": found} | _as_json(known), rows

    columns = ("query", "word", "similarity") if form is Format.TSV else ("word", "similarity")
    _answer(questions, ["\t".join(words)] if words else None, "three words or more", ask, columns, form)


def vectors(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Words to look up; without any they are read from stdin, one a line."),
    ] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Divide each vector by its length.")] = False,
    oov: Oov = "fail",
    ignore_case: IgnoreCase = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Print the vectors of words.

    Example: w2v vectors runs/novels king queen

    A line is the word and its numbers, with spaces between. A sum of words, as in 'new + york', is that of their unit
    vectors.
    """
    form = format_of(as_json, as_tsv)
    questions = _questions(model, words, oov, ignore_case)

    def ask(text: str) -> Asked:
        from w2vcli.vectors import unit_rows

        shown, known = _understood(questions, text, form)
        vector = questions.vector(known)
        numbers = (unit_rows(vector[None])[0] if normalize else vector).astype(str).tolist()
        if form is Format.TABLE:
            print(shown, *numbers, flush=True)
        return {"word": shown, "vector": list(map(float, numbers))} | _as_json(known), [(shown, *numbers)]

    _answer(questions, words, "a word, or words with + and - between them", ask, None, form)


def _questions(model: str, words: Sequence[str] | None, oov: Any, ignore_case: bool) -> Questions:
    from w2vcli.queries import Options, Questions

    return Questions(load_model(model, words), Options(unknown=oov, ignore_case=ignore_case))


def _understood(questions: Questions, text: str, form: Format) -> tuple[str, Known]:
    """Return what was asked for, as text and in numbers of words; say what was taken for it."""
    expression = questions.expression(text)
    known = questions.known(expression)
    _tell(known, form)
    return str(expression), known


def _tell(known: Known, form: Format) -> None:
    """Say on stderr what was taken for unknown words, unless it is said in JSON."""
    if form is not Format.JSON:
        tell_of_unknown(known.replaced, known.passed_over)


def _as_json(*known: Known) -> dict[str, Any]:
    """Return what was taken for unknown words, as JSON has it."""
    replaced = {word: taken for one in known for word, taken in one.replaced.items()}
    passed_over = [word for one in known for word in one.passed_over]
    return unknown_as_json(replaced, passed_over)


def _answer(
    questions: Questions,
    arguments: Sequence[str] | None,
    wanted: str,
    ask: Callable[[str], Asked],
    columns: Sequence[str] | None,
    form: Format,
) -> None:
    """Answer all that is asked, in its order; a table has what was asked at once. `wanted`: what a line is to be.

    Raises:
        typer.Exit: at the end, if something could not be answered and nobody was at a prompt to see it.
    """
    failed: W2VError | None = None
    header = [columns] if columns and form is Format.TSV else []
    for batch in batches(arguments, questions, wanted, keep_empty=form is Format.JSON):
        rows: list[Row] = []
        for line in batch:
            try:
                answer, found = ask(line) if line else ({"query": ""}, [])
            except W2VError as error:
                error_line(str(error))
                failed, answer, found = failed or error, {"query": line.replace("\t", " "), "error": str(error)}, []
            if form is Format.JSON:
                print_json(answer)
            rows += found
        if form is Format.TSV:
            print_tsv([*header, *rows])
            header = []
        elif form is Format.TABLE and columns and rows:
            print_table(columns, rows)
    exit_if(failed, arguments)
