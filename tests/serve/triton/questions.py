"""What both servers are asked: requests as bytes, by name."""

import gzip
import json
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Question:
    """One HTTP request."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def tensor(name: str, datatype: str, shape: list[int], data: Any = None, **parameters: Any) -> Any:
    made = {"name": name, "shape": shape, "datatype": datatype}
    if data is not None:
        made["data"] = data
    return {**made, "parameters": parameters} if parameters else made


def infer(model: str, *inputs: Any, raw: bytes | None = None, **more: Any) -> Question:
    """An inference request; `raw` follows its JSON."""
    request = json.dumps({**more, "inputs": list(inputs)}).encode()
    if raw is None:
        return Question("POST", f"/v2/models/{model}/infer", request)
    headers = {
        "Inference-Header-Content-Length": str(len(request)),
        "Content-Type": "application/octet-stream",
    }
    return Question("POST", f"/v2/models/{model}/infer", request + raw, headers)


def get(path: str) -> Question:
    return Question("GET", path)


def post(path: str, body: Any = None) -> Question:
    return Question("POST", path, b"" if body is None else json.dumps(body).encode())


def pack(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def binary(model: str, datatype: str, array: Any) -> Question:
    raw = array.tobytes()
    x = tensor("x", datatype, list(array.shape), binary_data_size=len(raw))
    return infer(model, x, raw=raw, parameters={"binary_data_output": True})


ROW = tensor("x", "FP32", [1, 3], [1, 2, 3])
ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
PAIR = tensor("a", "FP32", [2], [1, 2]), tensor("b", "FP32", [2], [10, 20])
RAW = {"Inference-Header-Content-Length": "0", "Content-Type": "application/octet-stream"}
TEXTS = ["größer", "", "b\n"]
PICTURE = bytes(range(256))

QUESTIONS = {
    # the server and its models
    "server": get("/v2"),
    "live": get("/v2/health/live"),
    "ready": get("/v2/health/ready"),
    "metadata": get("/v2/models/linear"),
    "metadata of a version": get("/v2/models/linear/versions/1"),
    "metadata of text": get("/v2/models/text"),
    "metadata of several inputs": get("/v2/models/sum_and_difference"),
    "metadata of no model": get("/v2/models/nobody"),
    "metadata of no version": get("/v2/models/linear/versions/7"),
    "model ready": get("/v2/models/linear/ready"),
    "version ready": get("/v2/models/linear/versions/1/ready"),
    "no model ready": get("/v2/models/nobody/ready"),
    "config": get("/v2/models/linear/config"),
    "config of no model": get("/v2/models/nobody/config"),
    "statistics": get("/v2/models/linear/stats"),
    "statistics of a version": get("/v2/models/linear/versions/1/stats"),
    "statistics of all": get("/v2/models/stats"),
    "statistics of no model": get("/v2/models/nobody/stats"),
    "index": post("/v2/repository/index"),
    "index of the ready": post("/v2/repository/index", {"ready": True}),
    "load no model": post("/v2/repository/models/nobody/load", {}),
    "log settings": get("/v2/logging"),
    "no such path": get("/v2/nothing"),
    "outside of the protocol": get("/nothing"),
    # numbers and text, both ways
    "flat data": infer("linear", tensor("x", "FP32", [2, 3], ROWS.ravel().tolist())),
    "nested data": infer("linear", tensor("x", "FP32", [2, 3], ROWS.tolist())),
    "with an id": infer("linear", ROW, id="42"),
    "by version": Question("POST", "/v2/models/linear/versions/1/infer", infer("linear", ROW).body),
    "all outputs": infer("sum_and_difference", *PAIR),
    "one output": infer("sum_and_difference", *PAIR, outputs=[{"name": "difference"}]),
    "outputs in their order": infer(
        "sum_and_difference", *PAIR, outputs=[{"name": "difference"}, {"name": "sum"}]
    ),
    "own parameters": infer("linear", ROW, parameters={"mine": 1, "yours": "x"}),
    "priority and timeout": infer("linear", ROW, parameters={"priority": 1, "timeout": 10_000_000}),
    "binary both ways": binary("double", "FP64", np.array([0.1, -np.inf, 1e300])),
    "binary in": infer(
        "linear", tensor("x", "FP32", [2, 3], binary_data_size=24), raw=ROWS.tobytes()
    ),
    "binary out": infer("linear", ROW, parameters={"binary_data_output": True}),
    "one of two outputs binary": infer(
        "sum_and_difference",
        *PAIR,
        outputs=[{"name": "sum"}, {"name": "difference", "parameters": {"binary_data": True}}],
    ),
    "two binary inputs": infer(
        "sum_and_difference",
        tensor("b", "FP32", [1], binary_data_size=4),
        tensor("a", "FP32", [1], binary_data_size=4),
        raw=struct.pack("<2f", 3, 5),
    ),
    "raw": Question("POST", "/v2/models/linear/infer", ROWS[:1].tobytes(), RAW),
    "raw text": Question("POST", "/v2/models/text/infer", "größer".encode(), RAW),
    "text": infer("text", tensor("text", "BYTES", [3], TEXTS)),
    "binary text": infer(
        "text",
        tensor("text", "BYTES", [3], binary_data_size=len(pack(*map(str.encode, TEXTS)))),
        raw=pack(*map(str.encode, TEXTS)),
        parameters={"binary_data_output": True},
    ),
    "bytes that are no text": infer(
        "text",
        tensor("text", "BYTES", [2], binary_data_size=len(pack(PICTURE, b"\xff"))),
        raw=pack(PICTURE, b"\xff"),
        parameters={"binary_data_output": True},
    ),
    "largest integer": infer("int64", tensor("x", "INT64", [2], [2**63 - 1, -(2**63)])),
    "truth": infer("bool", tensor("x", "BOOL", [2], [True, False])),
    "small integers": infer("int8", tensor("x", "INT8", [2], [-128, 127])),
    "binary halves": binary("float16", "FP16", np.array([0.5, 65504], np.float16)),
    "halves": infer("float16", tensor("x", "FP16", [2], [0.5, 2])),
    "compressed": Question(
        "POST",
        "/v2/models/linear/infer",
        gzip.compress(infer("linear", ROW).body, mtime=0),
        {"Content-Encoding": "gzip"},
    ),
    "best class": infer(
        "linear", ROW, outputs=[{"name": "y", "parameters": {"classification": 1}}]
    ),
    # what is wrong
    "infer with no model": infer("nobody", ROW),
    "infer with no version": Question(
        "POST", "/v2/models/linear/versions/7/infer", infer("linear", ROW).body
    ),
    "no body": Question("POST", "/v2/models/linear/infer"),
    "no JSON": Question("POST", "/v2/models/linear/infer", b'{"inputs": ['),
    "no inputs": infer("linear"),
    "a missing input": infer("sum_and_difference", PAIR[0]),
    "an unknown input": infer("linear", ROW, tensor("z", "FP32", [1], [1])),
    "an input twice": infer("linear", ROW, ROW),
    "an unknown output": infer("linear", ROW, outputs=[{"name": "z"}]),
    "another datatype": infer("linear", tensor("x", "FP64", [1, 3], [1, 2, 3])),
    "an unknown datatype": infer("linear", tensor("x", "FLOAT", [1, 3], [1, 2, 3])),
    "another shape": infer("linear", tensor("x", "FP32", [1, 4], [1, 2, 3, 4])),
    "another rank": infer("linear", tensor("x", "FP32", [3], [1, 2, 3])),
    "too little data": infer("linear", tensor("x", "FP32", [2, 3], [1, 2, 3])),
    "too much data": infer("linear", tensor("x", "FP32", [1, 3], [1, 2, 3, 4])),
    "no data": infer("linear", tensor("x", "FP32", [1, 3])),
    "text for a number": infer("linear", tensor("x", "FP32", [1, 3], ["a", "b", "c"])),
    "a number for text": infer("text", tensor("text", "BYTES", [1], [1])),
    "a number that is too large": infer("int8", tensor("x", "INT8", [1], [300])),
    "a negative size": infer("linear", tensor("x", "FP32", [-1, 3], [1, 2, 3])),
    "more bytes than there are": infer(
        "linear", tensor("x", "FP32", [2, 3], binary_data_size=24), raw=b"\0" * 12
    ),
    "broken bytes": infer("text", tensor("text", "BYTES", [1], binary_data_size=3), raw=b"\5\0\0"),
    "a JSON longer than the body": Question(
        "POST",
        "/v2/models/linear/infer",
        infer("linear", ROW).body,
        {"Inference-Header-Content-Length": "9999"},
    ),
    "get on infer": get("/v2/models/linear/infer"),
    "post on metadata": post("/v2/models/linear", {}),
}
