"""A folder sealed by one JSON file: some content, and a checksum of every other file in the folder and of itself.

And checksums of parts of files that are too large to be read for one question.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from w2vcli.errors import W2VError

_PIECE = 1 << 22


class BrokenSealError(Exception):
    """The folder is not as it was sealed; says which file, in words fit for a user."""


def write(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    """Write `content` and the checksums of all files in `folder` into its file `name`."""
    checksums = {file.name: _checksum(file) for file in sorted(folder.iterdir()) if file.name != name}
    sealed: dict[str, Any] = {"content": dict(content), "checksums": checksums}
    sealed["checksum"] = _checksum_of(sealed)
    (folder / name).write_text(json.dumps(sealed, indent=1) + "\n", encoding="utf-8")


def peek(folder: Path, name: str) -> dict[str, Any]:
    """Return the content of a seal that is itself unharmed; the other files are not looked at.

    Raises:
        BrokenSealError: when there is none.
        W2VError: when it cannot be read.
    """
    return _sealed(folder, name)["content"]  # type: ignore[no-any-return]


def read(folder: Path, name: str) -> dict[str, Any]:
    """Return the content of a seal after reading every file of the folder and comparing its checksum.

    Raises:
        BrokenSealError: when one is missing or is not as it was.
        W2VError: when one cannot be read.
    """
    sealed = _sealed(folder, name)
    for file, checksum in sealed["checksums"].items():
        try:
            found = _checksum(folder / file)
        except FileNotFoundError:
            raise BrokenSealError(f"{file} is missing") from None
        except OSError as error:  # which need not be damage
            raise W2VError(f"{folder / file}: cannot be read: {error.strerror}") from error
        if found != checksum:
            raise BrokenSealError(f"{file} does not match its checksum")
    return sealed["content"]  # type: ignore[no-any-return]


def _sealed(folder: Path, name: str) -> dict[str, Any]:
    try:
        sealed = json.loads((folder / name).read_text(encoding="utf-8"))
        checksum = sealed.pop("checksum")
        is_whole = checksum == _checksum_of(sealed) and isinstance(sealed["content"], dict)
    except FileNotFoundError:
        raise BrokenSealError(f"{name} is missing") from None
    except NotADirectoryError:
        raise BrokenSealError(f"{name} is missing") from None
    except OSError as error:
        raise W2VError(f"{folder / name}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise BrokenSealError(f"{name} does not match its checksum")
    return dict(sealed)


def _checksum(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _checksum_of(content: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()


def checksum_of_parts(path: Path, parts: int, part_bytes: int) -> int:
    """Return the CRC-32 of parts of a file, spread over it from its first byte to its last; of a small one, of all.

    Raises:
        OSError: when it cannot be read.
    """
    checksum, last = 0, max(0, path.stat().st_size - part_bytes)
    with path.open("rb") as stream:
        for part in range(parts):
            stream.seek(last * part // (parts - 1))
            checksum = zlib.crc32(stream.read(part_bytes), checksum)
    return checksum
