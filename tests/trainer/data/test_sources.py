"""Finding the reader of a source by its name, and the sentences where there is none."""

import gzip

import numpy as np
import pytest

from trainer.core.errors import DataError
from trainer.data import iris, read


def test_built_in_data_by_name():
    assert read("iris").sha256 == iris().sha256
    assert len(read("digits")) == 1797


def test_files_by_their_endings(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")
    (tmp_path / "A.TSV").write_text("x\ty\n1\t0\n2\t1\n")
    np.savez(tmp_path / "a.npz", x=np.ones((2, 1)), y=[0, 1])
    (tmp_path / "images-idx3-ubyte.gz").write_bytes(
        gzip.compress(b"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\1ab")
    )
    (tmp_path / "labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\2\0\1"))
    for source, options in (
        (tmp_path / "a.csv", {"target": "y"}),
        (str(tmp_path / "A.TSV"), {"target": "y", "features": ["x"], "task": None}),
        (tmp_path / "a.npz", {}),
        (tmp_path / "images-idx3-ubyte.gz", {}),
    ):
        assert read(source, **options).y.tolist() == [0, 1]


def test_a_file_named_as_built_in_data_is_not_taken_for_it():
    with pytest.raises(DataError, match="unknown data source"):
        read("folder/iris")


@pytest.mark.parametrize(
    ("source", "options", "sentence"),
    [
        (
            "irsi",
            {},
            r"irsi: unknown data source\. Did you mean 'iris'\? Known are iris, digits and",
        ),
        ("data.xlsx", {}, r"files that end in \.csv, \.tsv, \.npz, ubyte, \.idx\."),
        (
            "iris",
            {"target": "species"},
            r"no option 'target' for this source\. It takes no options",
        ),
        (
            "a.csv",
            {"traget": "y"},
            r"no option 'traget' .* Did you mean 'target'\? It takes target, ",
        ),
        ("a.npz", {"target": "y"}, r"It takes x, y, task, classes\."),
        ("a.csv", {"target": 3}, r"a\.csv: target is 3; a name or a list of names is expected\."),
        ("a.csv", {"features": ["x", 1]}, r"features is \['x', 1\]; a name or a list"),
        ("a.csv", {"target": "y"}, r"a\.csv: there is no such file\."),
        ("no/such/a.csv", {}, r"there is no such file\. There is no folder 'no/such' either\."),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, monkeypatch, source, options, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=sentence):
        read(source, **options)


def test_a_misspelled_file_names_its_neighbor(tmp_path):
    (tmp_path / "train.csv").write_text("x,y\n1,a\n")
    with pytest.raises(
        DataError, match=r"trian\.csv: there is no such file\. Did you mean 'train\.csv'"
    ):
        read(tmp_path / "trian.csv", target="y")


def test_folders_and_damaged_gzip_are_one_sentence(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv: cannot be read \(Is a directory\)\."):
        read(tmp_path / "folder.csv")
    whole = gzip.compress(b"x,y\n1,a\n" * 100)
    for content in (b"x,y\n1,a\n", whole[:30], whole[:12] + b"\xff" * 20 + whole[32:]):
        (tmp_path / "a.csv.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.csv\.gz: not a complete gzip file"):
            read(tmp_path / "a.csv.gz")
