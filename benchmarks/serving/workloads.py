"""The models that are served and the bodies that are sent, written into a folder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from benchmarks.serving.load import Body

WIDTH = 96
DEPTH = 8


@dataclass(frozen=True)
class Bodies:
    """One example in the forms of both protocols."""

    rows: Body
    json: Body
    binary: Body


def write_mlp(
    models: Path, name: str = "mlp", sizes: tuple[int, int, int] = (784, 128, 10)
) -> Path:
    """Write an MLP with one hidden layer as version 1 of a model; returns its file."""
    rng = np.random.default_rng(0)
    weights = [
        (rng.standard_normal(shape) * 0.05).astype(np.float32) for shape in (sizes[:2], sizes[1:])
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "w1"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"]),
    ]
    return _save(models / name, nodes, [sizes[0]], weights)


def write_cnn(models: Path, name: str = "cnn") -> Path:
    """Write a CNN for 3x64x64 images that takes some 20 ms for one of them."""
    rng = np.random.default_rng(0)
    nodes, weights, x = [], [], "x"
    channels = 3
    for layer in range(DEPTH):
        weights.append(
            (rng.standard_normal((WIDTH, channels, 3, 3)) / (3 * channels**0.5)).astype(np.float32)
        )
        nodes += [
            helper.make_node("Conv", [x, f"w{layer}"], [f"a{layer}"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", [f"a{layer}"], [f"b{layer}"]),
        ]
        x, channels = f"b{layer}", WIDTH
    weights.append((rng.standard_normal((WIDTH, 10)) * 0.1).astype(np.float32))
    nodes += [
        helper.make_node("GlobalAveragePool", [x], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", f"w{DEPTH}"], ["y"]),
    ]
    return _save(models / name, nodes, [3, 64, 64], weights)


def write_copies(models: Path, file: Path, count: int) -> list[str]:
    """Write a model under many names; returns the names."""
    names = [f"{file.parent.parent.name}{number}" for number in range(count)]
    for name in names:
        folder = models / name / "1"
        folder.mkdir(parents=True)
        shutil.copy(file, folder)
    return names


def write_bodies(folder: Path, shape: list[int]) -> Bodies:
    """Write requests for one example of `x`, whose output `y` comes back in the same form."""
    x = np.random.default_rng(0).random((1, *shape)).astype(np.float32).round(4)
    tensor = {"name": "x", "shape": list(x.shape), "datatype": "FP32"}
    header = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": x.nbytes}}],
            "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
        }
    ).encode()
    contents = {
        "rows.json": json.dumps({"instances": x.tolist()}).encode(),
        "v2.json": json.dumps({"inputs": [{**tensor, "data": x.ravel().tolist()}]}).encode(),
        "v2.bin": header + x.tobytes(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return Bodies(
        Body(folder / "rows.json"),
        Body(folder / "v2.json"),
        Body(folder / "v2.bin", len(header)),
    )


def _save(model: Path, nodes: list, shape: list[int], weights: list) -> Path:
    graph = helper.make_graph(
        nodes,
        model.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", weights[-1].shape[1]])],
        [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)],
    )
    opsets = [helper.make_opsetid("", 21)]
    file = model / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)
    return file
