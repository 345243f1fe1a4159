"""Two small data sets that come with the package: where they are from stands in `LICENSE.txt`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.archive import read_npz
from trainer.data.dataset import Dataset
from trainer.data.table import read_table

HERE = Path(__file__).parent


def iris() -> Dataset:
    """150 iris flowers of three species by four lengths in centimeters.

    Example:
        >>> iris().classes
        ('setosa', 'versicolor', 'virginica')
    """
    return read_table(HERE / "iris.csv", target="species")


def digits() -> Dataset:
    """1,797 handwritten digits: float32 images of 8 x 8 pixels from 0 to 16.

    Example:
        >>> digits()
        Dataset(digits: 1797 rows of float32[8, 8], 10 classes)
    """
    stored = read_npz(HERE / "digits.npz", classes=tuple("0123456789"))
    return replace(stored, x=stored.x.astype(np.float32))
