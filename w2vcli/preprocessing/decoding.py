"""Bytes in any encoding into UTF-8."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from w2vcli.errors import W2VError

_REPLACEMENT = "\ufffd"
_CUT_ANYWHERE = "utf-8", "ascii", "gb18030", "gbk", "big5", "iso8859", "cp125", "koi8", "euc_", "shift_jis"


def may_be_cut(encoding: str) -> bool:
    """Return whether text in an encoding can be cut after any byte 10, and decoded from there.

    >>> may_be_cut("latin-1"), may_be_cut("utf-16")
    (True, False)
    """
    return codecs.lookup(encoding).name.startswith(_CUT_ANYWHERE)


@dataclass(frozen=True)
class Decoder:
    """How a source is decoded.

    Args:
        name: of the source, for errors.
        encoding: as Python names it.
        refuse: whether bytes that cannot be decoded are an error; otherwise they become U+FFFD.
    """

    name: str
    encoding: str
    refuse: bool

    def decoded(self, pieces: Iterable[bytes], counts: Counter[str], start: int = 0) -> Iterator[bytes]:
        """Yield text as UTF-8; a byte-order mark at byte 0 is gone.

        Args:
            pieces: the bytes.
            counts: `bytes` read, and places that were `undecodable`, are added to them.
            start: where in the source the bytes begin.

        Raises:
            W2VError: for bytes that cannot be decoded, with their place.
        """
        is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
        transcoded = self._checked if is_utf8 else self._transcoded
        texts = transcoded(_counted(pieces, counts), counts, start)
        return _without_mark(texts) if start == 0 else texts

    def _checked(self, pieces: Iterable[bytes], counts: Counter[str], start: int) -> Iterator[bytes]:
        """Yield UTF-8 that was UTF-8 already, cut between characters."""
        rest = b""
        for piece in pieces:
            data = rest + piece
            used = len(data)
            text = data
            if not data.isascii():
                try:
                    _, used = codecs.utf_8_decode(data, "strict", not piece)
                    text = data[:used]
                except UnicodeDecodeError as error:
                    self._check(start + error.start, error)
                    replaced, used = codecs.utf_8_decode(data, "replace", not piece)
                    text = replaced.encode()
                    counts["undecodable"] += replaced.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())
            start += used
            rest = data[used:]
            yield text

    def _transcoded(self, pieces: Iterable[bytes], counts: Counter[str], start: int) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(self.encoding)("strict" if self.refuse else "replace")
        for piece in pieces:
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(piece, not piece)
            except UnicodeDecodeError as error:
                self._check(start - waiting + error.start, error)
                raise
            except UnicodeError as error:  # it has no byte-order mark
                raise W2VError(
                    f"{self.name}: cannot be decoded as {self.encoding}: {error}",
                    "give preprocess.encoding with the order of bytes, such as utf-16-le or utf-16-be",
                ) from error
            start += len(piece)
            counts["undecodable"] += text.count(_REPLACEMENT)
            yield text.encode("utf-8", "replace")

    def _check(self, place: int, error: UnicodeDecodeError) -> None:
        if self.refuse:
            raise W2VError(
                f"{self.name}: byte {place:,} cannot be decoded as {self.encoding}: {error.reason}",
                "give preprocess.encoding, or bad_bytes: replace",
            ) from error


def _counted(pieces: Iterable[bytes], counts: Counter[str]) -> Iterator[bytes]:
    """Yield the pieces that are not empty, and an empty one at the end."""
    for piece in pieces:
        if piece:
            counts["bytes"] += len(piece)
            yield piece
    yield b""


def with_newlines(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield text with a newline for whatever ends its lines."""
    held = b""
    for text in texts:
        text = held + text
        held = b"\r" if text.endswith(b"\r") else b""
        text = text[: len(text) - len(held)]
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield text
    if held:
        yield b"\n"


def _without_mark(texts: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out a byte-order mark at the beginning of text that is cut between characters."""
    for text in texts:
        if text:
            yield text.removeprefix(codecs.BOM_UTF8)
            break
    yield from texts
