"""A model's answers to the rows of a file: those of scikit-learn and of numpy, and what is wrong is said."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import exporter
from exporter.errors import ExportError
from trainer import TapelineError, Tensor, nn
from trainer.core.errors import DataError

DATA = Path(__file__).parents[1] / "data" / "skl2onnx"
EXPECTED = json.loads((DATA / "expected.json").read_text())


def columns_of(name: str, rows: list[Any]) -> dict[str, list[Any]]:
    """What scikit-learn answers, a column for each key where it has names for them."""
    if isinstance(rows[0], dict):
        return {f"{name}.{key}": [row[key] for row in rows] for key in rows[0]}
    return {name: rows}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_answers_are_scikit_learn_s(name: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", **EXPECTED[name]["inputs"])
    found = exporter.predict(DATA / f"{name}.onnx", tmp_path / "rows.npz")
    expected = {
        column: values
        for output, rows in EXPECTED[name]["outputs"].items()
        for column, values in columns_of(output, rows).items()
    }
    assert list(found.outputs) == list(expected)
    for column, values in expected.items():
        if isinstance(values[0], str):
            assert found.outputs[column].tolist() == values
        else:
            np.testing.assert_allclose(found.outputs[column], values, rtol=1e-4, atol=1e-4)
    assert all(len(row) == len(found.columns()) for row in found.rows())


def test_a_table_has_a_column_for_each_input(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("embarked,sex,fare,age\nS,male,7,30\nC,female,80,20\n")
    found = exporter.predict(DATA / "titanic.onnx", file)
    assert found.outputs["output_label"].tolist() == ["died", "survived"]
    assert found.columns()[1:] == ["output_probability.died", "output_probability.survived"]


class Line(nn.Module):
    """Two inputs, so that a mistake in their order shows."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(np.float32([1, 10]))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


@pytest.fixture
def line(tmp_path: Path) -> Path:
    path = tmp_path / "line.onnx"
    exporter.export(Line(), np.ones((2, 2), np.float32), path, lineage={"features": ["a", "b"]})
    return path


def test_columns_are_found_by_the_names_that_the_model_was_trained_with(
    line: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv.gz"
    file.write_bytes(gzip.compress(b"other;b;a\nx;3;1\nx;4;2\n"))
    found = exporter.predict(line, file)
    assert found.outputs["y"].tolist() == [[1, 30], [2, 40]]
    assert found.columns() == ["y.0", "y.1"]


@pytest.mark.parametrize("dtype", ["int64", "uint8"])
def test_whole_numbers_of_a_table_are_exact(tmp_path: Path, dtype: str) -> None:
    text = f"""<ir_version: 10, opset_import: ["": 21]>
        g ({dtype}[N,2] x) => ({dtype}[N,2] y) {{ y = Identity(x) }}"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    largest = int(np.iinfo(dtype).max)
    file = tmp_path / "rows.csv"
    file.write_text(f"a,b\n1,{largest}\n")
    found = exporter.predict(tmp_path / "m.onnx", file)
    assert found.outputs["y"].tolist() == [[1, largest]]
    for wrong in ("1.5", str(largest + 1)):
        file.write_text(f"a,b\n1,{wrong}\n")
        with pytest.raises(DataError, match="not every cell of a, b is one of these whole numb"):
            exporter.predict(tmp_path / "m.onnx", file)


def test_a_type_that_rows_cannot_have_is_said(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["": 21]>
        g (seq(float[N]) x) => (int64 y) { y = SequenceLength(x) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"x takes sequence.*no file of rows for that"):
        exporter.predict(tmp_path / "m.onnx", tmp_path / "rows.csv")


def test_an_image_has_a_column_for_each_pixel(tmp_path: Path) -> None:
    exporter.export(nn.Flatten(), np.ones((2, 2, 3), np.float32), tmp_path / "m.onnx")
    file = tmp_path / "rows.csv"
    file.write_text("a,b,c,d,e,f\n1,2,3,4,5,6\n")
    found = exporter.predict(tmp_path / "m.onnx", file)
    assert found.outputs["y"].tolist() == [[1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8"])
def test_many_rows_are_answered_in_their_order(line: Path, tmp_path: Path, dtype: str) -> None:
    rows = np.arange(1400).reshape(700, 2) % 200
    np.save(tmp_path / "rows.npy", rows.astype(dtype))
    found = exporter.predict(line, tmp_path / "rows.npy")
    np.testing.assert_array_equal(found.outputs["y"], rows * np.float32([1, 10]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"a,c\n1,2\n", "no column 'b'"),
        ("rows.csv", b"a,b\n", "at least one"),
        ("rows.csv", b"a,b\n1,x\n", "line 2, column 'b'"),
        ("rows.txt", b"", r"ends in \.csv, \.tsv, \.npy or \.npz"),
        ("rows.npy", b"nonsense", "cannot be read"),
        ("rows.npz", {"y": np.zeros(3), "z": np.zeros(3)}, "no array 'x'. The inputs of .* are x"),
        ("rows.npz", {"x": np.array(["a"])}, r"x takes float32\[batch, 2\], but <U1 is given"),
        ("rows.npz", {"x": np.zeros((2, 3))}, "ONNX Runtime cannot run"),
        ("rows.npz", {"x": np.float32(1)}, "at least one"),
        ("rows.npz", {"x": np.array([{}])}, "cannot be read"),
    ],
)
def test_wrong_files_are_one_sentence(
    line: Path, tmp_path: Path, name: str, content: Any, message: str
) -> None:
    if isinstance(content, dict):
        np.savez(tmp_path / name, **content)
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TapelineError, match=message):
        exporter.predict(line, tmp_path / name)


def test_a_missing_file_names_the_nearest(line: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").touch()
    with pytest.raises(DataError, match=r"no such file\. Did you mean 'rows\.csv'\?"):
        exporter.predict(line, tmp_path / "row.csv")


def test_an_output_that_is_no_answer_per_row(tmp_path: Path) -> None:
    class Total(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum()

    exporter.export(Total(), np.ones((2, 2), np.float32), tmp_path / "m.onnx")
    np.save(tmp_path / "rows.npy", np.ones((3, 2)))
    with pytest.raises(ExportError, match=r"output y has the shape \[\] for 3 rows"):
        exporter.predict(tmp_path / "m.onnx", tmp_path / "rows.npy")
