"""V2's binary tensors, asked over HTTP with bodies put together by hand."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from tests.serve.process import Client

KINDS = {"FP32": "<f4", "FP64": "<f8", "FP16": "<f2", "INT8": "i1", "INT64": "<i8", "BOOL": "?"}


def pack(*texts: bytes) -> bytes:
    """BYTES as the extension has them."""
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def ask(client: Client, model: str, request: Any, *raw: bytes) -> tuple[int, Any, bytes]:
    """The status, the JSON and the bytes after it."""
    header = json.dumps(request).encode()
    headers = {
        "Inference-Header-Content-Length": str(len(header)),
        "Content-Type": "application/octet-stream",
    }
    return send(client, model, b"".join((header, *raw)), headers)


def send(
    client: Client, model: str, body: bytes, headers: dict[str, str]
) -> tuple[int, Any, bytes]:
    client.connection.request("POST", f"/v2/models/{model}/infer", body, headers)
    answer = client.connection.getresponse()
    content = answer.read()
    length = answer.getheader("Inference-Header-Content-Length")
    kind = "application/json" if length is None else "application/octet-stream"
    assert answer.getheader("Content-Type") == kind
    size = len(content) if length is None else int(length)
    return answer.status, json.loads(content[:size]), content[size:]


def tensor(name: str, datatype: str, shape: list[int], size: int | None = None) -> Any:
    parameters = {} if size is None else {"parameters": {"binary_data_size": size}}
    return {"name": name, "datatype": datatype, "shape": shape, **parameters}


def refused(client: Client, model: str, request: Any, *raw: bytes) -> str:
    status, answer, rest = ask(client, model, request, *raw)
    assert (status, list(answer), rest) == (400, ["error"], b"")
    return answer["error"]


BARE = {"Inference-Header-Content-Length": "0"}
BINARY = {"binary_data_output": True}


@pytest.mark.parametrize(
    ("model", "datatype", "values"),
    [
        ("double", "FP64", [0.1, -np.inf, np.nan]),
        ("float16", "FP16", [0.5, 65504.0]),
        ("int8", "INT8", [-128, 127]),
        ("int64", "INT64", [2**63 - 1, 0]),
        ("bool", "BOOL", [True, False, True]),
    ],
)
def test_numbers_go_both_ways_to_the_bit(
    client: Client, model: str, datatype: str, values: list[Any]
) -> None:
    raw = np.array(values, KINDS[datatype]).tobytes()
    given = tensor("x", datatype, [len(values)], len(raw))
    status, answer, rest = ask(client, model, {"inputs": [given], "parameters": BINARY}, raw)
    assert (status, rest) == (200, raw)
    assert answer["outputs"] == [{**given, "name": "y"}]


def test_the_same_request_again_is_checked_and_answered_again(client: Client) -> None:
    given = {"inputs": [tensor("x", "FP64", [2], 16)], "parameters": BINARY}
    for values in ([1.0, 2.0], [3.0, -4.0], [np.nan, 5.0]):
        raw = np.array(values).tobytes()
        status, answer, rest = ask(client, "double", given, raw)
        assert (status, answer["outputs"][0]["shape"], rest) == (200, [2], raw)
    narrow = {"inputs": [tensor("x", "FP32", [1, 2], 8)], "parameters": BINARY}
    for _ in range(3):
        assert "has shape [" in refused(client, "linear", narrow, bytes(8))


def test_bfloat16_goes_raw_only(client: Client) -> None:
    raw = struct.pack("<2H", 0x3F80, 0xC000)  # 1 and -2
    given = tensor("x", "BF16", [2], 4)
    status, _, rest = ask(client, "bfloat16", {"inputs": [given], "parameters": BINARY}, raw)
    assert (status, rest) == (200, raw)
    assert "BF16, which has no JSON form" in refused(client, "bfloat16", {"inputs": [given]}, raw)
    json_input = {**tensor("x", "BF16", [1]), "data": [1.0]}
    assert "BF16, which has no JSON form" in refused(client, "bfloat16", {"inputs": [json_input]})


def test_bytes_go_both_ways_with_their_lengths(client: Client) -> None:
    raw = pack("größer".encode(), b"", b"a\x00b")
    given = tensor("text", "BYTES", [3], len(raw))
    status, answer, rest = ask(client, "text", {"inputs": [given], "parameters": BINARY}, raw)
    assert (status, rest) == (200, raw)
    assert answer["outputs"][0] == {**given, "name": "same"}
    assert ask(client, "text", {"inputs": [given]}, raw)[1]["outputs"][0]["data"] == [
        "größer",
        "",
        "a\x00b",
    ]


def test_bytes_that_are_no_text_go_both_ways(client: Client) -> None:
    picture = bytes(range(256))
    raw = pack(picture, b"", "\U0010ff80 is a character".encode(), b"\xc3", b"\xed\xa0\x80")
    given = tensor("text", "BYTES", [5], len(raw))
    status, answer, rest = ask(client, "text", {"inputs": [given], "parameters": BINARY}, raw)
    assert (status, answer["outputs"], rest) == (200, [{**given, "name": "same"}], raw)
    message = "Output 'same' is BYTES, which has no JSON form here: ask for it with"
    assert message in refused(client, "text", {"inputs": [given]}, raw)
    assert send(client, "text", picture, BARE)[2] == pack(picture)


@pytest.mark.parametrize("padding", range(5))
def test_tensors_may_begin_anywhere_in_the_body(client: Client, padding: int) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    request = {"id": "i" * padding, "inputs": [tensor("x", "FP32", [2, 3], 24)]}
    status, answer, _ = ask(client, "linear", request, x.tobytes())
    expected = x @ np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    assert (status, answer["id"]) == (200, "i" * padding)
    assert answer["outputs"][0]["data"] == expected.ravel().tolist()


def test_binary_and_json_mix_and_each_output_has_its_own_way(client: Client) -> None:
    request = {
        "inputs": [
            {**tensor("a", "FP32", [1]), "data": [3]},
            tensor("b", "FP32", [1], 4),
        ],
        "outputs": [
            {"name": "difference", "parameters": {"binary_data": True}},
            {"name": "sum"},
        ],
    }
    status, answer, rest = ask(client, "sum_and_difference", request, struct.pack("<f", 1))
    assert (status, rest) == (200, struct.pack("<f", 2))
    difference, total = answer["outputs"]
    assert (difference["name"], difference["parameters"]) == ("difference", {"binary_data_size": 4})
    assert (total["name"], total["data"]) == ("sum", [4.0])
    request["parameters"] = BINARY
    request["outputs"] = [{"name": "sum", "parameters": {"binary_data": False}}, {"name": "sum"}]
    _, answer, rest = ask(client, "sum_and_difference", request, struct.pack("<f", 1))
    assert [sorted(output) for output in answer["outputs"]] == [
        ["data", "datatype", "name", "shape"],
        ["datatype", "name", "parameters", "shape"],
    ]
    assert rest == struct.pack("<f", 4)


def test_several_binary_inputs_share_the_bytes_in_their_order(client: Client) -> None:
    inputs = [tensor("b", "FP32", [2], 8), tensor("a", "FP32", [2], 8)]
    raw = struct.pack("<4f", 1, 2, 10, 20)
    for given in (inputs, [{k: v for k, v in i.items() if k != "parameters"} for i in inputs]):
        answer = ask(client, "sum_and_difference", {"inputs": given}, raw)[1]
        assert [output["data"] for output in answer["outputs"]] == [[11, 22], [9, 18]]


def test_the_size_of_bytes_may_be_left_out(client: Client) -> None:
    request = {"inputs": [tensor("text", "BYTES", [1])]}
    assert ask(client, "text", request, pack(b"ab"))[1]["outputs"][0]["data"] == ["ab"]


@pytest.mark.parametrize(
    "headers",
    [{"Inference-Header-Content-Length": "0"}, {"Content-Type": "application/octet-stream"}],
)
def test_a_body_may_be_nothing_but_the_tensor(client: Client, headers: dict[str, str]) -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    status, answer, rest = send(client, "linear", x.tobytes(), headers)
    assert status == 200
    assert answer["outputs"] == [tensor("y", "FP32", [2, 2], 16)]
    assert rest == struct.pack("<4f", 22, 28, 49, 64)
    status, answer, rest = send(client, "text", "größer".encode(), headers)
    assert (status, answer["outputs"][0]["shape"]) == (200, [1])
    assert rest == pack("größer".encode())


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("linear", b"\0" * 13, "has 12 bytes, given are 13"),
        ("sum_and_difference", b"\0" * 8, "for models with one input; inputs are: a, b"),
    ],
)
def test_bare_bytes_must_fit(client: Client, model: str, body: bytes, message: str) -> None:
    status, answer, _ = send(client, model, body, {"Inference-Header-Content-Length": "0"})
    assert (status, message in answer["error"]) == (400, True), answer


@pytest.mark.parametrize(
    ("change", "raw", "message"),
    [
        ({}, b"\0" * 8, "binary_data_size of 12, but only 8 bytes are left"),
        ({}, b"\0" * 16, "16 bytes follow the JSON, but its inputs have a binary_data_size of 12"),
        ({"shape": [2, 3]}, b"\0" * 12, "has 24 bytes, given are 12"),
        ({"data": [1, 2, 3]}, b"\0" * 12, "both 'data' and 'binary_data_size'"),
        ({"parameters": {"binary_data_size": "12"}}, b"\0" * 12, "must be of type int"),
        ({"parameters": [12]}, b"\0" * 12, "'parameters' must be an object"),
        ({"parameters": {}}, b"", "'x' has no 'data'"),
    ],
)
def test_wrong_sizes_are_named(client: Client, change: Any, raw: bytes, message: str) -> None:
    request = {"inputs": [{**tensor("x", "FP32", [1, 3], 12), **change}]}
    assert message in refused(client, "linear", request, raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (pack(b"ab")[:-1], "element 0 of BYTES ends after its bytes do"),
        (pack(b"ab") + b"\1\0", "element 1 of BYTES ends after its bytes do"),
        (pack(b"ab", b"c"), "has 1 elements, given are 2"),
    ],
)
def test_wrong_bytes_are_named(client: Client, raw: bytes, message: str) -> None:
    request = {"inputs": [tensor("text", "BYTES", [1], len(raw))]}
    assert message in refused(client, "text", request, raw)


@pytest.mark.parametrize("length", ["x", "-1", "1e2", "9" * 30, "1000"])
def test_a_wrong_length_of_the_json_is_named(client: Client, length: str) -> None:
    status, answer, _ = send(client, "linear", b"{}", {"Inference-Header-Content-Length": length})
    assert (status, "must be a number" in answer["error"]) == (400, True)


def test_no_header_means_json(client: Client) -> None:
    body = json.dumps({"inputs": [{**tensor("x", "FP32", [1, 3]), "data": [1, 2, 3]}]})
    assert send(client, "linear", body.encode(), {})[0] == 200
    assert send(client, "linear", b"", {})[1]["error"].startswith("JSON Parse error")


def test_binary_tensors_may_be_compressed(client: Client) -> None:
    import gzip

    header = json.dumps({"inputs": [tensor("x", "FP32", [1, 3], 12)]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(header)), "Content-Encoding": "gzip"}
    body = gzip.compress(header + struct.pack("<3f", 1, 2, 3))
    assert send(client, "linear", body, headers)[1]["outputs"][0]["data"] == [22.0, 28.0]
