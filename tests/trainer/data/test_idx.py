"""IDX files, written here byte by byte from the description of the format."""

import gzip
import struct

import numpy as np
import pytest

from trainer.core.errors import DataError
from trainer.data import read_idx, read_idx_array

PIXELS = np.arange(3 * 2 * 4, dtype=np.uint8).reshape(3, 2, 4)


def idx(code, shape, elements):
    """The bytes of an IDX file."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + elements


IMAGES = idx(0x08, (3, 2, 4), bytes(range(24)))
LABELS = idx(0x08, (3,), bytes([7, 0, 9]))


@pytest.mark.parametrize("infix", ["-idx3-ubyte", ".idx3-ubyte"])
def test_a_pair_is_found_by_the_name_of_the_images(tmp_path, infix):
    images = tmp_path / f"train-images{infix}"
    images.write_bytes(IMAGES)
    (tmp_path / f"train-labels{infix.replace('3', '1')}").write_bytes(LABELS)
    dataset = read_idx(images)
    assert dataset.x.dtype == np.uint8
    np.testing.assert_array_equal(dataset.x, PIXELS)
    assert dataset.y.tolist() == [7, 0, 9]


def test_compressed_with_labels_and_classes_named(tmp_path):
    (tmp_path / "a.idx.gz").write_bytes(gzip.compress(IMAGES))
    (tmp_path / "b.idx.gz").write_bytes(gzip.compress(LABELS))
    for labels in ("b.idx.gz", tmp_path / "b.idx.gz"):
        dataset = read_idx(tmp_path / "a.idx.gz", labels=labels, classes="0123456789")
        assert dataset.y.tolist() == [7, 0, 9]
        assert dataset.classes == tuple("0123456789")
        assert dataset.name == "a"


@pytest.mark.parametrize(
    ("code", "form", "dtype"),
    [
        (0x08, "B", np.uint8),
        (0x09, "b", np.int8),
        (0x0B, "h", np.int16),
        (0x0C, "i", np.int32),
        (0x0D, "f", np.float32),
        (0x0E, "d", np.float64),
    ],
)
def test_every_type_of_the_format(tmp_path, code, form, dtype):
    (tmp_path / "a.idx").write_bytes(idx(code, (2, 2), struct.pack(f">4{form}", 1, 2, 3, 100)))
    elements = read_idx_array(tmp_path / "a.idx")
    assert elements.dtype == dtype
    assert elements.dtype.isnative
    assert elements.tolist() == [[1, 2], [3, 100]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"not an IDX file; it starts with nothing\."),
        (b"PK\x03\x04zip", r"not an IDX file; it starts with 50 4b 03 04\."),
        (idx(0x07, (1,), b"0"), r"not an IDX file; it starts with 00 00 07 01\."),
        (IMAGES[:-1], r"39 bytes, but its header announces \[3, 2, 4\] elements, 40 bytes\."),
        (IMAGES + b"0", r"41 bytes, but its header announces"),
        (IMAGES[:6], r"6 bytes, but its header announces"),
    ],
)
def test_other_files_are_one_sentence(tmp_path, content, sentence):
    (tmp_path / "a.idx").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_idx_array(tmp_path / "a.idx")


def test_pairs_that_do_not_fit_are_one_sentence(tmp_path):
    for name, content in (("images", IMAGES), ("labels", LABELS), ("other", IMAGES)):
        (tmp_path / f"{name}.idx").write_bytes(content)
    with pytest.raises(DataError, match=r"other\.idx: name the file with the labels"):
        read_idx(tmp_path / "other.idx")
    with pytest.raises(DataError, match=r"images\.idx: holds uint8\[3, 2, 4\], not labels"):
        read_idx(tmp_path / "images.idx", labels="images.idx")
    with pytest.raises(DataError, match=r"inputs have shape \[3\]"):
        read_idx(tmp_path / "labels.idx", labels="labels.idx")
    with pytest.raises(DataError, match=r"missing\.idx: there is no such file"):
        read_idx(tmp_path / "images.idx", labels="missing.idx")
    (tmp_path / "labels.idx").write_bytes(idx(0x08, (2,), b"\0\0"))
    with pytest.raises(DataError, match="images: 3 rows of inputs, but 2 targets"):
        read_idx(tmp_path / "images.idx")
