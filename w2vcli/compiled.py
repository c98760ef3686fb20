"""How functions are compiled: by numba, once for a processor, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import njit


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` compiled by numba to run without the GIL, taken from numba's cache on disk where it is.

    The cache is beside the source, else in the user's cache folder or $NUMBA_CACHE_DIR; where none of them can be
    written, every process compiles anew.
    """
    try:
        kernel = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba finds no folder for its cache
        kernel = njit(nogil=True)(function)
    return cast("Callable[..., Any]", kernel)
