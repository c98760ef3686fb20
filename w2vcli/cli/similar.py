"""`w2v similar` and `w2v analogy`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2vcli.cli.asking import batches, exit_if, load_model, tell_of_unknown, unknown_as_json
from w2vcli.cli.options import (
    Approximate,
    Exclude,
    IgnoreCase,
    Json,
    Method,
    Model,
    Number,
    Oov,
    RestrictVocab,
    Threshold,
    Tsv,
)
from w2vcli.cli.output import Format, error_line, format_of, note, print_json, print_table, print_tsv
from w2vcli.errors import ConfigError, W2VError

if TYPE_CHECKING:
    from w2vcli.queries import Answer, Expression, Options, Questions


def similar(
    model: Model,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORD", help="Words to look up; without any they are read from stdin, one a line."),
    ] = None,
    number: Number = 10,
    method: Method = "3cosadd",
    restrict_vocab: RestrictVocab = None,
    exclude: Exclude = None,
    threshold: Threshold = None,
    oov: Oov = "fail",
    ignore_case: IgnoreCase = False,
    approximate: Approximate = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Show the nearest neighbours of words.

    Nearest are those with the largest cosine similarity. What is asked may be a sum of words, too.

    Examples: w2v similar runs/novels king queen -n 5, or w2v similar runs/novels 'king - man + woman' 'new + york'

    Without words they come from standard input, one or a sum a line, and are answered as they come; on a terminal
    there is a prompt. A word that is not in the vocabulary is reported and the others are answered; the exit code is
    then 3. With --json every line is answered by one line.
    """
    from w2vcli.queries import Options

    form = format_of(as_json, as_tsv)
    options = Options(number, method, restrict_vocab, tuple(exclude or ()), threshold, ignore_case, oov)
    questions = _questions(model, words, options, approximate)
    if words and {"+", "-"} & set(words):
        words = [" ".join(words)]
    wanted = "a word, or words with + and - between them"
    _answer(questions, words, wanted, questions.expression, _Printer(form))


def analogy(
    model: Model,
    terms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TERM",
            help="A B C (A is to B as C is to ...), or words with + and - between them; without any, lines of stdin.",
        ),
    ] = None,
    number: Number = 10,
    method: Method = "3cosadd",
    restrict_vocab: RestrictVocab = None,
    exclude: Exclude = None,
    threshold: Threshold = None,
    oov: Oov = "fail",
    ignore_case: IgnoreCase = False,
    approximate: Approximate = False,
    as_json: Json = False,
    as_tsv: Tsv = False,
) -> None:
    """Solve an analogy: man is to king as woman to ...

    Examples: w2v analogy runs/novels man king woman, or the same as w2v analogy runs/novels 'king - man + woman'

    The answer are the words nearest to the sum of the unit vectors (3CosAdd), or with the largest product of
    similarities (3CosMul); the words of the question are left out. Without terms, questions are read as w2v similar
    reads words.
    """
    from w2vcli.queries import FORMULAS, Options, parse_analogy

    form = format_of(as_json, as_tsv)
    arguments = [" ".join(terms)] if terms else None
    for text in arguments or ():
        parse_analogy(text)  # before the model is opened
    options = Options(number, method, restrict_vocab, tuple(exclude or ()), threshold, ignore_case, oov)
    questions = _questions(model, arguments, options, approximate)
    _answer(
        questions,
        arguments,
        "three words, as man king woman, or words with + and - between them",
        parse_analogy,
        _Printer(form, lambda options: {"formula": FORMULAS[options.method]}),
    )


def _questions(model: str, arguments: Sequence[str] | None, options: Options, approximate: bool) -> Questions:
    from w2vcli.queries import Questions

    if approximate and options.method != "3cosadd":
        raise ConfigError(["--approximate: an index knows no products of similarities; leave out --method"])
    vectors = load_model(model, arguments)
    for word in options.excluded:
        if word not in vectors.words:
            note(f"--exclude {word}: not in the vocabulary")
    if not approximate:
        return Questions(vectors, options)
    from w2vcli.index import open_index
    from w2vcli.model import file_of

    return Questions(vectors, options, open_index(file_of(model), vectors))


def _answer(
    questions: Questions,
    arguments: Sequence[str] | None,
    wanted: str,
    parse: Callable[[str], Expression],
    printer: _Printer,
) -> None:
    """Answer all that is asked, in its order; `wanted`: what a line is to be.

    Raises:
        typer.Exit: at the end, if something could not be answered and nobody was at a prompt to see it.
    """
    failed: W2VError | None = None
    for batch in batches(arguments, questions, wanted, True, printer.form is Format.JSON):
        for query, answer in _answers(questions, batch, parse):
            printer.show(query, answer, questions.options)
            failed = failed or answer.error
    exit_if(failed, arguments)


def _answers(
    questions: Questions, batch: Sequence[str], parse: Callable[[str], Expression]
) -> Iterator[tuple[str, Answer]]:
    """Yield what was asked, as it was understood, and the answer."""
    from w2vcli.queries import Answer

    parsed: list[Expression | ConfigError | None] = []
    for text in batch:
        try:
            parsed.append(parse(text) if text else None)
        except ConfigError as error:
            parsed.append(error)
    found = iter(questions.ask([one for one in parsed if one is not None and not isinstance(one, ConfigError)]))
    for text, one in zip(batch, parsed, strict=True):
        if one is None:
            yield text, Answer()  # to an empty line, which is answered as well
        else:
            yield (text, Answer(error=one)) if isinstance(one, ConfigError) else (str(one), next(found))


class _Printer:
    """Prints one answer after another, each as soon as it is known.

    Args:
        form: how.
        about: gives what else is to be said of an answer.
    """

    def __init__(self, form: Format, about: Callable[[Options], dict[str, str]] = lambda options: {}) -> None:
        self.form = form
        self._about = about
        self._header_due = form is Format.TSV

    def show(self, query: str, answer: Answer, options: Options) -> None:
        """Print an answer, and what went wrong, on stderr."""
        score = "similarity" if options.method == "3cosadd" else "score"
        about = self._about(options)
        if answer.error is not None:
            error_line(str(answer.error))
        if self.form is Format.JSON:
            print_json(_as_json(query, answer, score, about))
            return
        tell_of_unknown(answer.replaced, answer.passed_over)
        if self.form is Format.TSV:
            header = [("query", "word", score)] if self._header_due else []
            print_tsv([*header, *((query, word, similarity) for word, similarity in answer.neighbours)])
            self._header_due = False
        elif answer.error is None and not (answer.passed_over and not answer.neighbours):
            title = query + "".join(f" ({value})" for value in about.values())
            print_table((title, score), answer.neighbours)


def _as_json(query: str, answer: Answer, score: str, about: dict[str, str]) -> dict[str, Any]:
    """Return an answer as JSON has it; what went otherwise than asked only where it did."""
    found = [{"word": word, score: round(similarity, 6)} for word, similarity in answer.neighbours]
    told = {"query": query, **about, "neighbours": found, **unknown_as_json(answer.replaced, answer.passed_over)}
    return told | ({"error": str(answer.error)} if answer.error else {})
