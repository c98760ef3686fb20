"""How `similar` and `analogy` show their answers."""

from __future__ import annotations

from typing import Any

from w2vcli.cli.output import Format, print_json, print_table, print_tsv


class Answers:
    """Prints the answer to one query after another, each as soon as it is known."""

    def __init__(self, form: Format) -> None:
        self.form = form
        self._header_due = form is Format.TSV

    def show(self, query: str, neighbours: list[tuple[str, float]], **about: Any) -> None:
        """Print the neighbours of `query`; `about` is what else is to be said of it."""
        if self.form is Format.JSON:
            found = [{"word": word, "similarity": round(similarity, 6)} for word, similarity in neighbours]
            print_json({"query": query, **about, "neighbours": found})
        elif self.form is Format.TSV:
            header = [("query", "word", "similarity")] if self._header_due else []
            print_tsv([*header, *((query, word, similarity) for word, similarity in neighbours)])
            self._header_due = False
        else:
            title = query + "".join(f" ({value})" for value in about.values())
            print_table((title, "similarity"), neighbours)
