"""The quick reader against the one that makes Python objects: the same request, or none."""

import json
from typing import Any

import numpy as np
import pytest

from serve.protocols.quick_tensors import QuickTensors
from serve.protocols.v2_tensors import read_inputs
from serve.signature import Signature
from serve.tensors import TensorSpec, loads

SIGNATURE = Signature(
    (TensorSpec("x", "tensor(float)", ("N", 32)), TensorSpec("k", "tensor(double)", None)), ()
)
NUMBERS = [0.1, -2.5e-7, 3, -4, 1e300, 16777217, 2**63, 12345.678901234567] * 8


def tensor(**other: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [2, 32], "data": NUMBERS, **other}


DOUBLES = tensor(name="k", datatype="FP64", shape=[64])
OUTPUTS = [{"name": "y", "parameters": {"classification": 2}}, {"name": "z"}]


@pytest.mark.parametrize(
    "request_",
    [
        {"inputs": [tensor()]},
        {"inputs": [tensor(), DOUBLES]},
        {"inputs": [DOUBLES], "id": "42", "outputs": OUTPUTS, "parameters": {"timeout": 5}},
        {"inputs": [tensor(name="k", datatype="FP64", shape=[1], data=[1.5])], "id": "x" * 200},
        {"inputs": [tensor(name="k", datatype="FP64", shape=[], data=[1.5])], "id": "x" * 200},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_plain_request_is_read_as_the_other_reader_does(
    request_: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(request_, indent=indent).encode()
    expected = read_inputs(loads(text), memoryview(b""), SIGNATURE)
    found = QuickTensors().read(text, SIGNATURE)
    assert found is not None
    rest, feeds = found
    assert rest == {key: value for key, value in request_.items() if key != "inputs"}
    assert list(feeds) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(feeds[name], array, strict=True)


GOOD = json.dumps({"inputs": [tensor()]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        GOOD[:-1],
        GOOD + b" x",  # text after the value
        b"[" + GOOD + b"]",
        GOOD.replace(b"0.1,", b"NaN,", 1),
        GOOD.replace(b"0.1,", b"1e999,", 1),
        GOOD.replace(b'"inputs"', b'"inputs": [], "inputs"'),
        GOOD.replace(b'"inputs"', b'"id": "1", "id": "2", "inputs"'),
        GOOD.replace(b'"name"', b'"name": "k", "name"'),
        {"inputs": [], "id": "x" * 200},
        {"inputs": tensor()},
        {"inputs": [tensor(data=[NUMBERS[:32], NUMBERS[32:]])]},
        {"inputs": [tensor(data=[*NUMBERS[:-2], NUMBERS[:2]])]},  # as many numbers, some in a list
        {"inputs": [tensor(data=NUMBERS[1:])]},
        {"inputs": [tensor(data=[*NUMBERS[1:], True])]},
        {"inputs": [tensor(data=[*NUMBERS[1:], None])]},
        {"inputs": [tensor(data=[*NUMBERS[1:], "1"])]},
        {"inputs": [tensor(data=1.5)]},
        {"inputs": [tensor(shape=[2, 32.0])]},
        {"inputs": [tensor(shape=[-2, -32])]},
        {"inputs": [tensor(shape=[True, 64])]},
        {"inputs": [tensor(shape=64)]},
        {"inputs": [tensor(datatype="FP64")]},
        {"inputs": [tensor(name="y")]},
        {"inputs": [tensor(name=1)]},
        {"inputs": [tensor(), tensor()]},
        {"inputs": [tensor(parameters={})]},
        {"inputs": [1.5, tensor()]},
        {"inputs": [tensor()], "other": 1},
        {"inputs": [tensor()], "id": "["},
        {"outputs": OUTPUTS, "parameters": {"text": "x" * 200}},
    ],
)
def test_all_else_is_left_to_the_parser_that_says_what_is_wrong(body: Any) -> None:
    reader = QuickTensors()
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert reader.read(text, SIGNATURE) is None
    assert reader.read(GOOD, SIGNATURE) is not None  # and it can be used again


@pytest.mark.parametrize("type", ["tensor(int64)", "tensor(string)", "seq(tensor(float))"])
def test_models_of_anything_but_floats_are_left_to_it_too(type: str) -> None:
    of = Signature((TensorSpec("x", type, None),), ())
    text = json.dumps({"inputs": [tensor(datatype="INT64")]}).encode()
    assert QuickTensors().read(text, of) is None
