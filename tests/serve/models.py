"""Tiny models, published as any tool could: files in a hidden folder that is then renamed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx

HALF_PLUS = """(float[N] x) => (float[N] y) {{
    half = Constant<value_float = 0.5>() addend = Constant<value_float = {}.0>()
    product = Mul(x, half) y = Add(product, addend)
}}"""
HALF_PLUS_TWO = HALF_PLUS.format(2)
HALF_PLUS_THREE = HALF_PLUS.format(3)
# What half_plus_two answers is TensorFlow Serving's own example.
LINEAR = """(float[batch,3] x) => (float[batch,2] y)
    <float[3,2] w = {1, 2, 3, 4, 5, 6}> { y = MatMul(x, w) }"""
SUM_AND_DIFFERENCE = """(float[N] a, float[N] b) => (float[N] sum, float[N] difference) {
    sum = Add(a, b) difference = Sub(a, b)
}"""
UPPER_BYTES = "(string[N] text) => (string[N] same_bytes) { same_bytes = Identity(text) }"
TEXT = "(string[N] text) => (string[N] same) { same = Identity(text) }"
TOTAL = "(float[N] x) => (float total) { total = ReduceSum<keepdims = 0>(x) }"
SEQUENCE = "(float[N] a, float[M] b) => (seq(float[K]) s) { s = SequenceConstruct(a, b) }"
OPTIONAL = "(float[N] x) => (optional(float[N]) y) { y = Optional(x) }"
# As scikit-learn's converter ends its classifiers.
ZIPMAP = """(float[N,2] x) => (seq(map(string,float[1])) z) {
    z = ai.onnx.ml.ZipMap<classlabels_strings = ["no", "yes"]>(x)
}"""
ZIPMAP_OF_NUMBERS = """(float[N,2] x) => (seq(map(int64,float[1])) z) {
    z = ai.onnx.ml.ZipMap<classlabels_int64s = [7, 9]>(x)
}"""
SCORES = "(float[N,3] x) => (float[N,3] scores) { scores = Identity(x) }"
AMOUNT = "(float[N,1] x) => (float[N,1] amount) { amount = Identity(x) }"
CLASSES = ("setosa", "versicolor", "virginica")
# Takes as long as it is told to: each round is a product of two 96 x 96 matrices.
SLOW = """(int64 rounds) => (float[96,96] y) {
    size = Constant<value_ints = [96, 96]>() more = Constant<value = bool {1}>()
    zeros = ConstantOfShape(size)
    y = Loop(rounds, more, zeros) <body = body (int64 i, bool go, float[96,96] m)
        => (bool on, float[96,96] n) { on = Identity(go) n = MatMul(m, m) }>
}"""


def described(
    task: str, x: str, y: str, width: int, classes: tuple[str, ...] = ()
) -> dict[str, str]:
    """The metadata of a model whose publisher says what it is for."""
    inputs, outputs = ([{"name": name, "shape": ["batch", width]}] for name in (x, y))
    content = {"format": 1, "task": task, "inputs": inputs, "outputs": outputs, "classes": classes}
    return {"tapeline.signature": json.dumps(content)}


def identity(dtype: str) -> str:
    return f"({dtype}[N] x) => ({dtype}[N] y) {{ y = Identity(x) }}"


def build(graph: str, metadata: dict[str, str] | None = None) -> onnx.ModelProto:
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21, "ai.onnx.ml": 1]> g {graph}'
    )
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    return model


def publish(
    models: Path,
    name: str,
    version: int,
    graph: str,
    *,
    metadata: dict[str, str] | None = None,
    golden: dict[str, Any] | None = None,
    tolerances: dict[str, Any] | None = None,
    manifest: bool = True,
) -> Path:
    """Write a version; its manifest as the exporter's contract has it."""
    incoming = models / name / f".incoming-{version}"
    incoming.mkdir(parents=True)
    onnx.save(build(graph, metadata), str(incoming / "model.onnx"))
    if golden is not None:
        np.savez(incoming / "golden.npz", **golden)
    if manifest:
        write_manifest(incoming, tolerances)
    return incoming.rename(models / name / str(version))


def write_manifest(folder: Path, tolerances: dict[str, Any] | None = None) -> None:
    files = {
        str(path.relative_to(folder)): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    content = {"format": 1, "files": files, "golden": {"rows": 2, "outputs": tolerances or {}}}
    (folder / "manifest.json").write_text(json.dumps(content))
