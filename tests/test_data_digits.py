"""The embedded digits are the table that scikit-learn ships, with their attribution."""

from importlib import resources

import numpy as np
import pytest

from hermite_dual.data import load_digits


def test_shape_types_and_range():
    X, labels = load_digits()
    assert X.shape == (1797, 64)
    assert X.dtype == np.float64
    assert labels.shape == (1797,)
    assert labels.dtype == np.int64
    assert X.min() == 0.0
    assert X.max() == 16.0


def test_known_sums_of_the_published_table():
    # The published description: 1797 images; class counts as listed there for the test part.
    X, labels = load_digits()
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert X[0, :8].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_equal_to_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    table = datasets.load_digits()
    X, labels = load_digits()
    np.testing.assert_array_equal(X, table.data)
    np.testing.assert_array_equal(labels, table.target)


def test_arrays_are_fresh():
    load_digits()[0][0, 0] = 99.0
    assert load_digits()[0][0, 0] == 0.0


def test_attribution_is_packaged():
    text = resources.files("hermite_dual.data").joinpath("digits.LICENSE").read_text(encoding="utf-8")
    for words in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0", "Changes made"):
        assert words in text
