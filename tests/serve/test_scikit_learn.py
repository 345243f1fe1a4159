"""Models of scikit-learn, converted by skl2onnx, answer over both protocols what scikit-learn answers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.process import Client, Server, wait_until

DATA = Path(__file__).parents[1] / "data" / "skl2onnx"
EXPECTED = json.loads((DATA / "expected.json").read_text())
NAMES = sorted(EXPECTED)


@pytest.fixture(scope="module")
def estimators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server that has nothing but the files, as anybody would copy them there."""
    folder: Path = tmp_path_factory.mktemp("models")
    for name in NAMES:
        version = folder / name / "1"
        version.mkdir(parents=True)
        shutil.copy(DATA / f"{name}.onnx", version / "model.onnx")
    with Server(folder) as server:
        client = server.client()
        for name in NAMES:
            wait_until(lambda name=name: client.is_available(name), name)
        yield client


def check(given: Any, expected: Any) -> None:
    """Compare texts and whole numbers exactly, objects by their keys and floats nearly."""
    if isinstance(expected, list):
        assert len(given) == len(expected)
        for item, other in zip(given, expected, strict=True):
            check(item, other)
    elif isinstance(expected, dict):
        assert list(given) == list(expected)
        check(list(given.values()), list(expected.values()))
    elif isinstance(expected, float):
        assert given == pytest.approx(expected, rel=1e-4, abs=1e-4)
    else:
        assert (given, type(given)) == (expected, type(expected))


def rows_of(columns: dict[str, Any]) -> list[Any]:
    """Columns as rows: objects, or bare values where there is one column."""
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_rows(estimators: Client, name: str) -> None:
    inputs, outputs = EXPECTED[name]["inputs"], EXPECTED[name]["outputs"]
    check(estimators.predict(name, rows_of(inputs)), rows_of(outputs))


@pytest.mark.parametrize("name", NAMES)
def test_columns(estimators: Client, name: str) -> None:
    inputs, outputs = EXPECTED[name]["inputs"], EXPECTED[name]["outputs"]
    status, answer = estimators.post(f"/v1/models/{name}:predict", {"inputs": inputs})
    assert status == 200, answer
    check(answer["outputs"], outputs if len(outputs) > 1 else next(iter(outputs.values())))


@pytest.mark.parametrize("name", NAMES)
def test_tensors(estimators: Client, name: str) -> None:
    inputs = [
        {
            "name": x,
            "datatype": "BYTES" if isinstance(column[0][0], str) else "FP32",
            "shape": np.shape(column),
            "data": column,
        }
        for x, column in EXPECTED[name]["inputs"].items()
    ]
    status, answer = estimators.post(f"/v2/models/{name}/infer", {"inputs": inputs})
    assert status == 200, answer
    given = {part["name"]: np.reshape(part["data"], part["shape"]) for part in answer["outputs"]}
    for y, rows in EXPECTED[name]["outputs"].items():
        if isinstance(rows[0], dict):
            assert given.pop(f"{y}.keys").tolist() == list(rows[0])
            rows = [list(row.values()) for row in rows]
        check(given.pop(y).tolist(), rows)
    assert not given
