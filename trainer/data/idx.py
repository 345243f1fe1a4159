"""Reads the IDX format in which MNIST and its relatives are published.

The format: two zero bytes, a type code, the number of axes, the size of each axis as a big-endian
32-bit integer, then the elements, big-endian, the last axis fastest (http://yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.core.errors import DataError
from trainer.data.dataset import Array, Dataset
from trainer.data.files import read_bytes, stem
from trainer.data.labels import given

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(
    path: str | Path, *, labels: str | Path | None = None, classes: Sequence[str] | None = None
) -> Dataset:
    """Read a pair of IDX files, images and labels.

    Args:
        path: The images, for example `train-images-idx3-ubyte`, `.gz` if it is compressed.
        labels: The labels; a relative path starts at the folder of the images. Defaults to `None`:
            the file beside the images whose name has "labels-idx1" for "images-idx3".
        classes: The class names by index. Defaults to `None`: the classes have no names.

    Returns:
        A dataset whose inputs have the shape and dtype of the file, uint8 [rows, height, width].

    Raises:
        DataError: A file is missing or is not such a file.
    """
    images = Path(path)
    beside = images.parent / labels if labels else _labels_beside(images)
    y = read_idx_array(beside)
    if y.ndim != 1 or y.dtype.kind not in "iu":
        raise DataError(
            f"{beside}: holds {y.dtype}{list(y.shape)}, not labels; "
            "integers with one axis are expected."
        )
    return Dataset(read_idx_array(images), y, classes=given(classes), name=stem(images))


def read_idx_array(path: str | Path) -> Array:
    """Read the array of one IDX file.

    Raises:
        DataError: The file is missing, or its header and its length do not agree.
    """
    content = read_bytes(Path(path))
    dtype = DTYPES.get(content[2]) if content[:2] == b"\0\0" and len(content) >= 4 else None
    if dtype is None:
        raise DataError(
            f"{path}: not an IDX file; it starts with {content[:4].hex(' ') or 'nothing'}."
        )
    start = 4 + 4 * content[3]
    shape = tuple(int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4))
    expected = start + math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise DataError(
            f"{path}: {len(content)} bytes, but its header announces {list(shape)} elements, "
            f"{expected} bytes. Fetch it again."
        )
    elements = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return elements.astype(elements.dtype.newbyteorder("="), copy=False)


def _labels_beside(images: Path) -> Path:
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    if name == images.name:
        raise DataError(f"{images}: name the file with the labels; it has no 'images' in its name.")
    return images.with_name(name)
