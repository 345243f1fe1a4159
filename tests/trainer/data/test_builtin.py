"""The data sets in the package are those that were published."""

import hashlib

import numpy as np
import pytest

from trainer.data import digits, iris
from trainer.data.builtin import HERE

SHA256 = {
    "iris.csv": "9cc1c345c71bcc9b486b74cbf6063fa66f4bb5e0f603a4b3c3471ec2e5e8e355",
    "digits.npz": "aa0d4ce77d0b799384eb40bab67406a6dad75c5cd7a4643aa2bf2ab3705f7b12",
}


@pytest.mark.parametrize("name", SHA256)
def test_the_files_are_unchanged_and_attributed(name):
    assert hashlib.sha256((HERE / name).read_bytes()).hexdigest() == SHA256[name]
    terms = (HERE / "LICENSE.txt").read_text()
    assert name in terms
    assert "creativecommons.org/licenses/by/4.0" in terms


def test_iris_has_the_published_statistics():
    """The summary statistics in the repository's description, and Fisher's rows 35 and 38."""
    dataset = iris()
    assert dataset.classes == ("setosa", "versicolor", "virginica")
    assert np.bincount(dataset.y).tolist() == [50, 50, 50]
    np.testing.assert_allclose(dataset.x.min(axis=0), [4.3, 2.0, 1.0, 0.1], rtol=1e-6)
    np.testing.assert_allclose(dataset.x.max(axis=0), [7.9, 4.4, 6.9, 2.5], rtol=1e-6)
    np.testing.assert_allclose(dataset.x.mean(axis=0), [5.84, 3.06, 3.76, 1.20], atol=0.005)
    np.testing.assert_allclose(dataset.x[34], [4.9, 3.1, 1.5, 0.2], rtol=1e-6)
    np.testing.assert_allclose(dataset.x[37], [4.9, 3.6, 1.4, 0.1], rtol=1e-6)


def test_digits_have_the_published_counts():
    """The class counts of the test set in the repository's description."""
    dataset = digits()
    assert (dataset.x.shape, dataset.x.dtype) == ((1797, 8, 8), np.float32)
    assert (dataset.x.min(), dataset.x.max()) == (0, 16)
    assert np.bincount(dataset.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert dataset.classes == tuple("0123456789")
    assert (dataset.x == dataset.x.round()).all()


def test_content_hashes_are_stable():
    assert iris().sha256 == "e1c1d8819f31b9eafb0cb8c315bb30a30a0b3fe1a41a605988753f2a7e11614b"
    assert digits().sha256 == "429382455940e56c4bd3f6f2c7afdfa24b39738c067d09fede3b47fe881e0024"
