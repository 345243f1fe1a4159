"""CSV files, good and bad."""

import csv
import gzip

import numpy as np
import pytest

from trainer.core.errors import DataError
from trainer.data import Table, read_table


@pytest.fixture
def write(tmp_path):
    """Writes a file and gives its path."""

    def written(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return written


FLOWERS = "length,width,species\n1.5,2,rose\n3,4e-1,lily\n-5,.6,rose\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_features_and_labels(write, delimiter, end):
    path = write(FLOWERS.replace(",", delimiter).replace("\n", end))
    dataset = read_table(path, target="species")
    expected = np.array([[1.5, 2], [3, 0.4], [-5, 0.6]], np.float32)
    np.testing.assert_array_equal(dataset.x, expected)
    assert dataset.y.tolist() == [1, 0, 1]
    assert dataset.features == ("length", "width")
    assert dataset.classes == ("lily", "rose")
    assert dataset.name == "data"


def test_what_the_standard_library_writes_is_read_back(tmp_path):
    rows = [["1.25", 'so "called"'], ["-3e-3", "two\nlines"], ["7", "a,b;c"]]
    for delimiter in ",;\t":
        path = tmp_path / "quoted.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
            writer.writerows([["the, x", "y"], *rows])
        dataset = read_table(path, target="y")
        assert dataset.features == ("the, x",)
        assert [dataset.classes[index] for index in dataset.y] == [label for _, label in rows]
        np.testing.assert_array_equal(dataset.x[:, 0], np.float32([1.25, -0.003, 7]))


def test_numbers_equal_those_of_numpy(write):
    x = np.random.default_rng(0).normal(size=(200, 7)) * 10.0 ** np.arange(-20, 15, 5)
    header = ",".join("abcdefg")
    lines = [",".join(map(repr, row)) for row in x.tolist()]
    path = write("\n".join([header, *lines]))
    expected = np.loadtxt(path, np.float32, delimiter=",", skiprows=1)
    np.testing.assert_array_equal(Table(path).numbers("abcdefg"), expected)


def test_listed_features_keep_their_order(write):
    dataset = read_table(write(FLOWERS), target="species", features=["width", "length"])
    assert dataset.features == ("width", "length")
    assert dataset.x[1].tolist() == [np.float32(0.4), 3.0]
    assert read_table(write(FLOWERS), target="species", features="width").x.shape == (3, 1)


def test_whole_numbers_are_classes_in_order_of_value(write):
    dataset = read_table(write("x,y\n0,10\n0,9\n0,-1\n0,10\n"), target="y")
    assert dataset.classes == ("-1", "9", "10")
    assert dataset.y.tolist() == [2, 1, 0, 2]


def test_decimals_are_amounts(write):
    dataset = read_table(write("x,y\n0,1.5\n0,2\n"), target="y")
    assert dataset.task == "regress"
    assert dataset.y.tolist() == [[1.5], [2.0]]


def test_several_targets_are_amounts(write):
    dataset = read_table(write("x,y,z\n0,1,2\n0,3,4\n"), target=["z", "y"])
    assert dataset.y.tolist() == [[2, 1], [4, 3]]


def test_the_task_can_be_said(write):
    path = write("x,y\n0,1\n0,2\n")
    assert read_table(path, target="y", task="regress").y.tolist() == [[1.0], [2.0]]
    path = write("x,y\n0,1.5\n0,2.5\n")
    assert read_table(path, target="y", task="classify").classes == ("1.5", "2.5")


def test_classes_of_the_training_data_are_remembered(write):
    path = write("x,y\n0,rose\n")
    assert read_table(path, target="y", classes=("lily", "rose", "tulip")).y.tolist() == [1]
    path = write("x,y\n0,7\n")
    assert read_table(path, target="y", classes=[5, 7]).y.tolist() == [1]
    with pytest.raises(
        DataError, match=r"line 2, column 'y': '7' is not one of the classes lily, rose\."
    ):
        read_table(path, target="y", classes=("lily", "rose"))


def test_gzip_byte_order_mark_blanks_and_blank_lines(write):
    text = "\ufeff\n x , y \n\n 1 , a b \n   \n2, c\n\n"
    dataset = read_table(write(gzip.compress(text.encode()), "data.csv.gz"), target="y")
    assert dataset.features == ("x",)
    assert dataset.x.tolist() == [[1], [2]]
    assert dataset.classes == ("a b", "c")
    assert dataset.name == "data"


def test_a_table_gives_features_without_a_target(write):
    table = Table(write(FLOWERS))
    assert table.columns == ("length", "width", "species")
    assert table.numbers(["width"]).ravel().tolist() == np.float32([2, 0.4, 0.6]).tolist()
    assert table.text("species") == ["rose", "lily", "rose"]


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("", {}, r"the file is empty; a line of column names is expected\."),
        ("1,2\n3,4\n", {}, r"the first line holds numbers \(1, 2\); a line of column names"),
        ("x,x,y\n1,2,3\n", {}, r"two columns are called 'x'\. Rename one\."),
        (
            ",x,y\n0,1,a\n",
            {},
            r"column 1 has no name\. Name it in the header, or list the features",
        ),
        ("x,y\n", {}, r"there are no rows below the header\."),
        (
            "y\na\n",
            {},
            r"there is no column beside y to predict from; columns are divided by commas",
        ),
        ("x|y\n1|a\n", {}, r"there is no column 'y'\. The columns are x\|y\."),
        ("x,y\n1,a\n", {"target": "yy"}, r"there is no column 'yy'\. Did you mean 'y'\?"),
        ("x,y\n1,a\n", {"target": None}, r"no target column was named\. .* one of x, y\."),
        ("x,y\n1,a\n", {"features": ["x", "y"]}, r"'y' is a feature as well\."),
        ("width,y\n1,a\n", {"features": ["widht"]}, r"no column 'widht'\. Did you mean 'width'\?"),
        ("x,y\n1,a\n,b\n", {}, r"data\.csv, line 3, column 'x': the cell is empty\. Correct it"),
        ("x,y\n1,a\nnan,b\n", {}, r"line 3, column 'x': the cell is NaN\."),
        ("x,y\n1,a\n\n1e39,b\n", {}, r"line 4, column 'x': the cell holds '1e39', .* not finite"),
        ("x,y\ninf,a\n", {}, r"line 2, column 'x': the cell holds 'inf', which is not finite"),
        (
            "x,y\n1,a\none,b\n",
            {},
            r"line 3, column 'x': the cell holds 'one', which is not a number",
        ),
        ("x,y\n1,a\n2, \n", {}, r"line 3, column 'y': the cell is empty\."),
        ("x,y\n1,a\n2,NaN\n3,\n", {}, r"line 3, column 'y': the cell is NaN\."),
        ("x,y\n1,1.5\n2,b\n", {"task": "regress"}, r"line 3, column 'y': the cell holds 'b'"),
        ("x,y\n1,a\n1,a,2\n", {}, r"line 3: 3 cells, but the header has 2\."),
        ('x,y\n1,"a\n2,b\n', {}, r"line 3: not CSV \(unexpected end of data\)\."),
        (b"x,y\n1,\xe9\n", {}, r"not UTF-8 text\. Save it as CSV in UTF-8\."),
        (
            "x,y\n1,a\n",
            {"task": "cluster"},
            r"The task is 'classify' or 'regress', not 'cluster'\.",
        ),
        ("x,y,z\n1,a,b\n", {"target": ["y", "z"], "task": "classify"}, r"one target, not y, z\."),
        ("x,y\n1,1.5\n", {"task": "regress", "classes": ["a"]}, r"the targets are amounts"),
    ],
)
def test_bad_tables_are_one_sentence(write, text, options, sentence):
    with pytest.raises(DataError, match=sentence) as failure:
        read_table(write(text), **{"target": "y", **options})
    assert "\n" not in str(failure.value)


def test_classes_that_are_hardly_repeated_need_the_task(write):
    path = write("x,y\n" + "".join(f"0,{row % 60}\n" for row in range(100)))
    with pytest.raises(
        DataError, match=r"'y' has 60 different values in 100 rows\. .* 'classify' or 'regress'\."
    ):
        read_table(path, target="y")
    assert len(read_table(path, target="y", task="classify").classes) == 60


def test_long_lists_of_columns_are_cut_short(write):
    names = ",".join(f"c{number}" for number in range(50))
    with pytest.raises(DataError, match=r"c11, \.\.\. \(50 in all\)\.$"):
        Table(write(names + "\n")).numbers(["missing"])
