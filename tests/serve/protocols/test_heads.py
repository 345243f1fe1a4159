"""What is remembered of requests is what they say; what differs in anything is read anew."""

import json
from typing import Any

import numpy as np
import pytest

from serve.protocols.heads import Head, Heads
from serve.protocols.http import Answer
from serve.protocols.v2_tensors import read_inputs, read_order, read_wanted
from serve.signature import Signature
from serve.tensors import TensorSpec

X = np.arange(6, dtype=np.float32).reshape(2, 3)
K = np.array([7, 8], np.int64)


def signature(type: str = "tensor(float)") -> Signature:
    inputs = TensorSpec("x", type, ("N", 3)), TensorSpec("k", "tensor(int64)", ("N",))
    return Signature(inputs, (TensorSpec("y", "tensor(float)", ("N",)),))


def request(**more: Any) -> tuple[bytes, int]:
    """A body and the length of its JSON."""
    inputs = [
        {
            "name": name,
            "shape": list(array.shape),
            "datatype": datatype,
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, datatype, array in (("x", "FP32", X), ("k", "INT64", K))
    ]
    head = json.dumps({"inputs": inputs, **more}).encode()
    return head + X.tobytes() + K.tobytes(), len(head)


def learn(heads: Heads, body: bytes, length: int, of: Signature) -> None:
    parsed = json.loads(body[:length])
    feeds = read_inputs(parsed, memoryview(body)[length:], of)
    heads.remember(body, length, parsed, feeds, read_wanted(parsed, of), read_order(parsed), of)


@pytest.mark.parametrize("spaces", range(8))  # wherever the tensors begin in memory
def test_the_tensors_of_a_known_head_are_those_of_the_body(spaces: int) -> None:
    heads, of = Heads(), signature()
    body, length = request(parameters={"timeout": 2_000_000, "fill": " " * spaces})
    learn(heads, body, length, of)
    other = body[:length] + (X + 1).tobytes() + (K + 1).tobytes()
    head = heads.find(other, length, of)
    assert head is not None
    assert head.order.timeout == 2
    assert [want.spec.name for want in head.wanted] == ["y"]
    feeds = head.feeds(other)
    np.testing.assert_array_equal(feeds["x"], X + 1, strict=True)
    np.testing.assert_array_equal(feeds["k"], K + 1, strict=True)
    assert all(array.flags.aligned for array in feeds.values())


def test_what_differs_is_not_known() -> None:
    heads, of = Heads(), signature()
    body, length = request()
    assert heads.find(body, length, of) is None
    learn(heads, body, length, of)
    assert heads.find(body, length, of) is not None
    assert heads.find(body + b"\0", length, of) is None
    assert heads.find(body[:-1], length, of) is None
    assert heads.find(body, length - 1, of) is None
    assert heads.find(body, length, signature()) is None  # of the next version
    assert heads.find(body.replace(b"FP32", b"FP64"), length, of) is None


def test_requests_with_a_name_or_with_data_in_their_json_are_not_kept() -> None:
    heads, of = Heads(), signature()
    body, length = request(id="42")
    learn(heads, body, length, of)
    assert heads.find(body, length, of) is None
    inputs = [
        {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": X.tolist()},
        {"name": "k", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": 16}},
    ]
    head = json.dumps({"inputs": inputs}).encode()
    learn(heads, head + K.tobytes(), len(head), of)
    assert heads.find(head + K.tobytes(), len(head), of) is None


def test_there_is_a_limit() -> None:
    heads, of = Heads(), signature()
    for number in range(1000):
        learn(heads, *request(parameters={"number": number}), of)
    assert 0 < len(heads._known) <= 256
    body, length = request(parameters={"fill": " " * 5000})
    learn(heads, body, length, of)
    assert heads.find(body, length, of) is None


def known(**more: Any) -> Head:
    heads, of = Heads(), signature()
    body, length = request(**more)
    learn(heads, body, length, of)
    found = heads.find(body, length, of)
    assert found is not None
    return found


RAW = {"outputs": [{"name": "y", "parameters": {"binary_data": True}}]}


def test_an_answer_of_known_shapes_differs_in_its_numbers_only() -> None:
    head = known(**RAW)
    first, second = ({"y": np.array(y, np.float32)} for y in ([1, 2], [3, 4]))
    assert head.find_answer(first) is None
    head.remember_answer(first, Answer({"outputs": ["of two"]}, tensors=[b"anything"]))
    answer = head.find_answer(second)
    assert answer is not None
    assert answer.body()[0] == b'{"outputs":["of two"]}' + second["y"].tobytes()
    assert head.find_answer({"y": np.zeros(3, np.float32)}) is None
    for size in range(3, 100):
        head.remember_answer({"y": np.zeros(size, np.float32)}, answer)
    assert len(head._answers) <= 8


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"outputs": [{"name": "y", "parameters": {"binary_data": True, "classification": 1}}]},
        {"outputs": RAW["outputs"] * 2},
    ],
)
def test_answers_that_are_more_than_raw_numbers_are_written_anew(more: dict[str, Any]) -> None:
    head, outputs = known(**more), {"y": np.zeros(2, np.float32)}
    head.remember_answer(outputs, Answer({}))
    assert head.find_answer(outputs) is None
