"""Wikipedia: the XML dumps of MediaWiki, their markup taken away by Gensim.

Cutting a dump at the ends of its pages costs next to nothing, so that is all the first step does; XML and markup,
which cost nearly all the time, are left to the second. Dumps are written by a program, always in the same way, and
the text in them is escaped, so `</page>` ends a page wherever it stands. Every batch is a small dump of its own:
that also keeps Gensim's `extract_pages` from holding an empty element for each page it has passed, gigabytes in a
large dump.
"""

from __future__ import annotations

import html
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

from w2vcli.errors import W2VError
from w2vcli.preprocessing.records import Batch, Records

_ROOT, _ROOT_END = b"<mediawiki", b"</mediawiki>"
_PAGE, _PAGE_END = b"<page>", b"</page>"
_NAMESPACE = re.compile(r'<namespace key="(-?\d+)"[^>]*>([^<]+)<')
_FILE, _CATEGORY = "6", "14"  # the keys of these namespaces in every language
_REDIRECT = re.compile(r"\s*#redirect\b", re.IGNORECASE)


class _Pages(Records):
    """The pages of a dump; what stands before the first comes with it, what stands after the last is dropped."""

    def __init__(self, pieces: Iterator[bytes], name: str) -> None:
        super().__init__(pieces, name, _PAGE_END, "page")

    def _finish(self) -> None:
        pages = self.first - 1 + self._held.count(_PAGE_END)
        end = self._held.rfind(_PAGE_END) + len(_PAGE_END) if _PAGE_END in self._held else 0
        if not pages and _ROOT not in self._held:
            raise W2VError(f"{self.name}: not a MediaWiki dump", "it must begin with <mediawiki …>")
        if _ROOT_END not in self._held[end:]:
            where = f"after page {pages}" if pages else "before its first page"
            raise W2VError(f"{self.name}: the dump breaks off {where}", "the file is truncated; fetch it again")
        del self._held[end:]

    def _hint(self) -> str:
        return "is it a MediaWiki dump?"


@dataclass(frozen=True)
class WikipediaReader:
    """Reads the articles of MediaWiki dumps (pages-articles.xml) of any language.

    Redirects and pages outside the namespace of articles are left out. Titles are no part of the texts. Headings
    and items of lists are paragraphs of their own.
    """

    def batches(self, pieces: Iterator[bytes], size: int, *, name: str) -> Iterator[Batch]:
        """Yield small dumps of whole pages, each of about `size` bytes.

        Raises:
            W2VError: when it is no dump, breaks off, or a page is too long.
        """
        source = _Pages(pieces, name)
        head, page, data = source.take(1).partition(_PAGE)
        if page and _ROOT not in head:
            raise W2VError(f"{name}: not a MediaWiki dump", "it must begin with <mediawiki …>")
        head = head[head.find(_ROOT) :]
        first, data = 1, page + data
        while data:
            yield Batch(head + data + _ROOT_END, first)
            first = source.first
            data = source.take(size)

    def documents(self, batch: Batch, counts: Counter[str], *, name: str) -> Iterator[str]:
        """Yield the texts of a batch; counts `articles`, `redirects`, `non_articles` and `records_without_text`.

        Raises:
            W2VError: when a page is not as MediaWiki writes pages.
        """
        from gensim.corpora.wikicorpus import IGNORED_NAMESPACES, extract_pages

        spaces = _namespaces(batch.data)
        articles = _Articles(counts, {*spaces.values(), *IGNORED_NAMESPACES})
        markup = _Markup(spaces.get(_FILE, "File"), spaces.get(_CATEGORY, "Category"))
        pages = extract_pages(io.BytesIO(batch.data), filter_articles=articles)
        number = batch.first
        while True:
            try:
                _, text, _ = next(pages)
            except StopIteration:
                return
            except (ParseError, AttributeError, ValueError) as error:  # AttributeError: an element is missing
                reason = error if not isinstance(error, AttributeError) else "a title, a text or a number is missing"
                raise W2VError(f"{name}: page {number}: not as MediaWiki writes pages: {reason}") from error
            number += 1
            if text:
                yield markup.removed(text)


def _namespaces(data: bytes) -> dict[str, str]:
    """Return the namespaces other than that of articles by their keys, with the names of the dump's language."""
    head = data.partition(_PAGE)[0].decode("utf-8", "replace")
    return {key: html.unescape(name) for key, name in _NAMESPACE.findall(head)}


class _Articles:
    """Tells Gensim which pages to keep.

    Gensim by itself keeps redirects, and drops them later for being short. `<redirect>` is there in every language;
    dumps from before 2010 have neither it nor `<ns>`, so text and title are asked as well.
    """

    def __init__(self, counts: Counter[str], namespaces: set[str]) -> None:
        self._counts, self._namespaces = counts, namespaces

    def __call__(self, page: Any, *, namespace: str, title: str, text: str | None, ns_path: str, **_: Any) -> bool:
        """Count a page; return whether its text is wanted."""
        kind = self._kind(page, namespace, title or "", text or "", page.findtext(ns_path))
        self._counts[kind] += 1
        if kind == "articles" and not text:
            self._counts["records_without_text"] += 1
        return kind == "articles"

    def _kind(self, page: Any, xml: str, title: str, text: str, number: str | None) -> str:
        prefix, colon, _ = title.partition(":")
        article = number == "0" if number is not None else not (colon and prefix in self._namespaces)
        model = page.findtext(f"./{{{xml}}}revision/{{{xml}}}model", "wikitext")  # others are data or programs
        if not article or model != "wikitext":
            return "non_articles"
        redirect = page.find(f"./{{{xml}}}redirect") is not None or _REDIRECT.match(text)
        return "redirects" if redirect else "articles"


# ---------------------------------------------------------------- markup

_TAG = re.compile(
    r"</?(?:blockquote|br|center|dd|div|dl|dt|gallery|hr|li|ol|p|poem|td|th|tr|ul)\b[^<>]*>", re.IGNORECASE
)
_SWITCH = re.compile(r"__[^\W_]+(?:_[^\W_]+)*__")
_HEADING = re.compile(r"(=+)(.+?)=+")
_ITEM = "*#:;|!"  # what an item of a list, or a cell that was left, begins with
_QUOTES = re.compile("'{2,}")
_APOSTROPHES = [re.compile(r"(?<!\w)(\w)'''(?!')"), re.compile(r"(\w)'''(?!')")]
_EMPTY = re.compile(r"\n{3,}")


class _Markup:
    """Takes markup away.

    Args:
        file: the name of the namespace of files in the dump's language.
        category: that of categories.
    """

    def __init__(self, file: str, category: str) -> None:
        files = f"file|image|{re.escape(file)}"
        self._bare = re.compile(rf"\[\[\s*(?:{files})\s*:[^][|]*\]\]", re.IGNORECASE)
        self._link = re.compile(rf"\[\[\s*(?:({files})|category|{re.escape(category)})\s*:", re.IGNORECASE)
        self._picture = re.compile(rf"(?:{files})\s*:[^|]*\.\w{{2,4}}\s*(?:\|.*)?", re.IGNORECASE)

    def removed(self, text: str) -> str:
        r"""Return the text of an article, paragraphs with empty lines between them.

        Gensim does nearly all of it. It takes tags away without a trace, which would join the words around them,
        knows files and categories only by their English names, keeps the names of files without a caption, and leaves
        headings, lists, galleries and quotes.

        >>> _Markup("Datei", "Kategorie").removed("== Eis ==\n* '''kalt'''<br>[[Wasser|nass]]\n[[Kategorie:Eis]]")
        'Eis\n\nkalt nass'
        """
        from gensim.corpora.wikicorpus import filter_wiki

        text = self._bare.sub("", _TAG.sub(" ", text))
        text = self._link.sub(lambda link: "[[File:" if link[1] else "[[Category:", text)
        lines: list[str] = []
        for line in _SWITCH.sub(" ", filter_wiki(text)).split("\n"):
            line = _without_quotes(line.strip())
            if self._picture.fullmatch(line):
                line = line.rpartition("|")[2] if "|" in line else ""
            line = " ".join(line.replace("|", " ").split())
            if heading := _HEADING.fullmatch(line):
                lines += ["", heading[2].strip(), ""]
            elif line[:1] and line[0] in _ITEM:
                lines += ["", line.lstrip(_ITEM + " ")]
            else:
                lines.append(line)
        return _EMPTY.sub("\n\n", "\n".join(lines)).strip()


def _without_quotes(line: str) -> str:
    """Return a line without the quotes of bold and italics.

    Where both are left open, MediaWiki takes three quotes in a row for an apostrophe and italics; so does this.

    >>> _without_quotes("'''Homère''' a écrit l'''Iliade''")
    "Homère a écrit l'Iliade"
    """
    if "''" not in line:
        return line
    lengths = [len(quotes) for quotes in _QUOTES.findall(line)]
    bold = sum(length in (3, 5) for length in lengths)
    italics = sum(length in (2, 5) for length in lengths)
    if bold % 2 and italics % 2:
        apostrophe = next((pattern for pattern in _APOSTROPHES if pattern.search(line)), None)
        line = apostrophe.sub(r"\1'", line, count=1) if apostrophe else line
    return _QUOTES.sub("", line)
