"""Vectors in the plane: PCA as NumPy's eigenvectors and SciPy's singular vectors have it, and what others keep near."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from w2vcli import projection
from w2vcli.errors import ConfigError, W2VError
from w2vcli.projection import PROJECTIONS, Points, check, project
from w2vcli.vectors import Rows, unit_rows

from .conftest import need


def units_of(number: int, dimensions: int, seed: int = 1) -> Rows:
    """Return random unit vectors that differ more in some directions than in others."""
    rows = np.random.default_rng(seed).normal(size=(number, dimensions)) * np.geomspace(4, 0.1, dimensions)
    return unit_rows(rows.astype(np.float32))


def framed(points: Points) -> Points:
    """Return points moved and scaled as `project` has them."""
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(points / np.abs(points).max())


@pytest.mark.parametrize(("number", "dimensions"), [(200, 12), (5, 30), (4, 2)])
def test_pca_is_that_of_eigenvectors_and_of_singular_vectors(number: int, dimensions: int) -> None:
    units = units_of(number, dimensions)
    found = project(units)
    variances, directions = np.linalg.eigh(np.cov(units.astype(np.float64), rowvar=False))
    by_eigenvectors = framed((units - units.mean(axis=0, dtype=np.float64)) @ directions[:, [-1, -2]])
    left, sizes, _ = scipy.linalg.svd(units - units.mean(axis=0, dtype=np.float64), full_matrices=False)
    for theirs in (by_eigenvectors, framed(left[:, :2] * sizes[:2])):
        signs = np.sign((theirs * found.points).sum(axis=0))
        np.testing.assert_allclose(found.points, theirs * signs, atol=1e-6)
    share = 100 * variances[-2:].sum() / variances.sum()
    assert found.remark == f"PCA: these two directions hold {share:.3g} % of how the vectors differ."


def test_no_sign_is_chance() -> None:
    """The directions point to where most coordinates are positive, so the order of the words changes nothing."""
    units = units_of(60, 8)
    order = np.random.default_rng(2).permutation(60)
    np.testing.assert_allclose(project(units).points[order], project(units[order]).points, atol=1e-9)


def test_pca_by_hand() -> None:
    """On a square whose width is larger than its height."""
    rows = np.array([[3, 1], [-3, 1], [3, -1], [-3, -1], [0, 0]], dtype=np.float32)
    found = project(rows)
    np.testing.assert_allclose(found.points, rows / 3, atol=1e-7)
    assert found.remark.startswith("PCA: these two directions hold 100 %")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_of_very_few_words(number: int, dimensions: int) -> None:
    """However few: one stands in the middle, two at the ends of a line."""
    points = project(units_of(number, dimensions)).points
    assert points.shape == (number, 2)
    if number == 1:
        assert points.tolist() == [[0, 0]]
    elif number == 2 and dimensions > 1:
        np.testing.assert_allclose(np.abs(points), [[1, 0], [1, 0]], atol=1e-6)
        np.testing.assert_allclose(points.sum(axis=0), 0, atol=1e-6)


def test_words_that_are_all_alike_stand_in_one_place() -> None:
    np.testing.assert_allclose(project(np.ones((6, 3), dtype=np.float32)).points, 0, atol=1e-12)


@given(arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.integers(-4, 4)))
def test_points_lie_around_the_origin_within_1(rows: Rows) -> None:
    points = project(unit_rows(rows)).points
    assert np.abs(points).max() <= 1
    np.testing.assert_allclose(points.max(axis=0) + points.min(axis=0), 0, atol=1e-12)
    if len(np.unique(unit_rows(rows), axis=0)) > 1:
        assert np.abs(points).max() == pytest.approx(1)


def test_projections_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="lda is no projection; known are pca, umap, tsne"):
        project(units_of(5, 3), "lda")
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    check("pca")
    for name, library in (("umap", "umap"), ("tsne", "sklearn")):
        with pytest.raises(W2VError, match=rf"the projection {name} needs {library}; pip install 'w2vcli\[maps\]'"):
            check(name)


@pytest.mark.parametrize("name", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])  # which compiles
def test_groups_stay_together(name: str) -> None:
    """Three groups of words, far from each other: each word's nearest in the plane is of its own."""
    library = PROJECTIONS[name][1]
    if library:
        need(library, "'w2vcli[maps]'")
    of = np.repeat(np.arange(3), 15)
    units = unit_rows((np.eye(3, 8)[of] + 0.05 * np.random.default_rng(1).normal(size=(45, 8))).astype(np.float32))
    found = project(units, name)
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=2) + 9 * np.eye(45)
    assert (of[distances.argmin(axis=1)] == of).all()
    assert found.remark.startswith({"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}[name])
    np.testing.assert_array_equal(project(units, name).points, found.points)
