"""`.npz` files, good and bad."""

import zipfile

import numpy as np
import pytest

from trainer.core.errors import DataError
from trainer.data import read_npz

X = np.arange(12, dtype=np.float32).reshape(4, 3)


def test_arrays_are_read_as_they_are(tmp_path):
    images = np.arange(4 * 5 * 5, dtype=np.uint8).reshape(4, 5, 5)
    np.savez_compressed(tmp_path / "images.npz", x=images, y=np.array([3, 0, 1, 3], np.uint8))
    dataset = read_npz(tmp_path / "images.npz")
    np.testing.assert_array_equal(dataset.x, images)
    assert dataset.x.dtype == np.uint8
    assert dataset.y.tolist() == [3, 0, 1, 3]
    assert (dataset.classes, dataset.name) == (None, "images")


def test_arrays_of_other_names(tmp_path):
    np.savez(tmp_path / "data.npz", inputs=X, price=X[:, :2])
    dataset = read_npz(tmp_path / "data.npz", x="inputs", y="price")
    np.testing.assert_array_equal(dataset.y, X[:, :2])


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_strings_become_classes(tmp_path, dtype):
    np.savez(tmp_path / "data.npz", x=X, y=np.array(["b", "a", "b", "c"], dtype))
    dataset = read_npz(tmp_path / "data.npz")
    assert dataset.y.tolist() == [1, 0, 1, 2]
    assert dataset.classes == ("a", "b", "c")
    with pytest.raises(DataError, match=r"array 'y', row 3: 'c' is not one of the classes a, b\."):
        read_npz(tmp_path / "data.npz", classes=["a", "b"])


def test_the_task_can_be_said(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, whole=np.array([0.0, 1.0, 0.0, 2.0]), half=X[:, 0] / 2)
    assert read_npz(tmp_path / "data.npz", y="whole").task == "regress"
    assert read_npz(tmp_path / "data.npz", y="whole", task="classify").y.tolist() == [0, 1, 0, 2]
    with pytest.raises(DataError, match="to classify takes whole numbers, but the targets are not"):
        read_npz(tmp_path / "data.npz", y="half", task="classify")
    with pytest.raises(DataError, match="not 'cluster'"):
        read_npz(tmp_path / "data.npz", y="half", task="cluster")
    np.savez(tmp_path / "counts.npz", x=X, y=np.array([5, 6, 7, 8]))
    assert read_npz(tmp_path / "counts.npz", task="regress").y.tolist() == [[5], [6], [7], [8]]


def test_a_missing_array_is_named(tmp_path):
    np.savez(tmp_path / "data.npz", inputs=X, label=X)
    with pytest.raises(
        DataError,
        match=r"no array 'labels'\. Did you mean 'label'\? The arrays are inputs, label\.",
    ):
        read_npz(tmp_path / "data.npz", x="inputs", y="labels")


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=np.array(["a", None, 1, 2], object))
    with pytest.raises(
        DataError, match=r"cannot be read \(Object arrays cannot be loaded.*numbers\."
    ):
        read_npz(tmp_path / "data.npz")


def test_row_counts_must_agree(tmp_path):
    np.savez(tmp_path / "data.npz", x=X, y=np.zeros(3, int))
    with pytest.raises(DataError, match="data: 4 rows of inputs, but 3 targets"):
        read_npz(tmp_path / "data.npz")


def test_other_files_are_one_sentence(tmp_path):
    path = tmp_path / "data.npz"
    np.save(tmp_path / "one.npy", X)
    for content in (b"", b"x,y\n1,2\n", (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"data\.npz: not an \.npz file\."):
            read_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", b"not an array")
        archive.writestr("y", b"not an array")
    with pytest.raises(DataError, match="the inputs are"):
        read_npz(path)


def test_every_kind_of_damage_is_one_sentence(tmp_path):
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).normal(size=(4, 50)), y=np.zeros(4, int))
    whole = path.read_bytes()
    for cut in range(2, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match="cannot be read"):
            read_npz(path)
    path.write_bytes(whole[:200] + b"\0" * 50 + whole[250:])
    with pytest.raises(DataError, match="cannot be read"):
        read_npz(path)
