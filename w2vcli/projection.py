"""Vectors as points in the plane, where near ones should be near.

To add a way, write a function of unit vectors and a seed, and its line in PROJECTIONS.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vcli.errors import ConfigError, W2VError
from w2vcli.vectors import Rows
from w2vcli.wording import percent

Points = NDArray[np.float64]
_SEED = 1
_NEIGHBOURS = 15
_FLAT = 0.2  # a share; below it a plane shows little


class Projected(NamedTuple):
    """Points, float64 (n, 2), around the origin, and what is to be said of them."""

    points: Points
    remark: str


def _pca(units: Rows) -> Projected:
    """Return the two directions in which the vectors differ most (Pearson 1901)."""
    centred = units.astype(np.float64) - units.mean(axis=0, dtype=np.float64)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2] * np.sign(directions[:2].sum(axis=1, keepdims=True) + 1e-12)  # else a sign is chance
    share = float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-300))
    remark = f"PCA: these two directions hold {percent(share)} of how the vectors differ."
    if share < _FLAT:
        remark += " So most of it is not seen here; UMAP (--projection umap) shows better who is near whom."
    return Projected(centred @ directions.T, remark)


def _umap(units: Rows) -> Projected:
    """Return what UMAP makes of them (McInnes et al. 2018, https://arxiv.org/abs/1802.03426)."""
    from umap import UMAP

    found = UMAP(metric="cosine", n_neighbors=min(_NEIGHBOURS, len(units) - 1), random_state=_SEED).fit_transform(units)
    return Projected(
        np.asarray(found, dtype=np.float64), "UMAP: near points are neighbours; long distances say little."
    )


def _tsne(units: Rows) -> Projected:
    """Return what t-SNE makes of them (van der Maaten and Hinton 2008)."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(1.0, (len(units) - 1) / 3))
    found = TSNE(metric="cosine", init="pca", perplexity=perplexity, random_state=_SEED).fit_transform(units)
    return Projected(
        np.asarray(found, dtype=np.float64), "t-SNE: near points are neighbours; long distances say little."
    )


PROJECTIONS: dict[str, tuple[Callable[[Rows], Projected], str | None]] = {
    "pca": (_pca, None),
    "umap": (_umap, "umap"),
    "tsne": (_tsne, "sklearn"),
}
"""A function, and the library it needs besides."""


def check(name: str) -> None:
    """Make sure that there is such a projection.

    Raises:
        ConfigError: when there is not.
        W2VError: when its library is not installed.
    """
    if name not in PROJECTIONS:
        raise ConfigError([f"{name} is no projection; known are {', '.join(PROJECTIONS)}"])
    library = PROJECTIONS[name][1]
    if library is not None and find_spec(library) is None:
        raise W2VError(f"the projection {name} needs {library}", "pip install 'w2vcli[maps]'")


def project(units: Rows, name: str = "pca") -> Projected:
    """Return vectors of length 1, float32 (n, d), as points whose coordinates lie within -1 and 1.

    Raises:
        ConfigError: when there is no such projection.
        W2VError: when its library is not installed.
    """
    check(name)
    if len(units) < 4:  # too few for the others
        name = "pca"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what a seed costs, and libraries' own futures
        points, remark = PROJECTIONS[name][0](units)
    if points.shape[1] < 2:  # of vectors of a single dimension
        points = np.column_stack([points, np.zeros(len(points))])
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return Projected(points / max(float(np.abs(points).max()), 1e-12), remark)
