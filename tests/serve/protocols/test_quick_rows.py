"""The quick reader against Python's own parser and numpy: the same array, or none."""

import json
from typing import Any

import numpy as np
import pytest

from serve.protocols.quick_rows import QuickRows
from serve.signature import Signature
from serve.tensors import TensorSpec


def signature(*shape: int | str, type: str = "tensor(float)", inputs: int = 1) -> Signature:
    specs = [TensorSpec(f"x{i}", type, shape or None) for i in range(inputs)]
    return Signature(tuple(specs), ())


def read(body: Any, of: Signature) -> np.ndarray | None:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    feeds = QuickRows().read(text, of)
    return None if feeds is None else feeds["x0"]


NUMBERS = [0.1, -2.5e-7, 3, -4, 1e300, 16777217, 2**63, 12345.678901234567] * 4


@pytest.mark.parametrize("shape", [(32,), (2, 16), (3, 1, 32), (1, 2, 2, 16)])
@pytest.mark.parametrize("type", ["float", "double"])
def test_numbers_are_those_of_python_and_numpy(shape: tuple[int, ...], type: str) -> None:
    numbers = np.resize(np.array(NUMBERS, object), shape).tolist()
    of = signature("N", *shape[1:], type=f"tensor({type})")
    with np.errstate(over="ignore"):
        expected = np.array(json.loads(json.dumps(numbers)), np.float64).astype(
            np.float32 if type == "float" else np.float64
        )
    for body in (
        {"instances": numbers},
        {"signature_name": "serving_default", "instances": numbers},
        json.dumps({"instances": numbers}, indent=2).encode(),
    ):
        found = read(body, of)
        assert found is not None
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, strict=True)


ROW = [0.123456789012345] * 32
TEXT = json.dumps(ROW).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"instances": [' + TEXT,
        b'{"instances": [' + TEXT + b"]} x",  # text after the value
        b'{"instances": [' + TEXT + b'], "instances": [' + TEXT + b"]}",
        b'{"instances": [' + TEXT.replace(b"]", b", NaN]") + b"]}",
        b'{"instances": [' + TEXT.replace(b"]", b", 1e999]") + b"]}",
        b"[" + TEXT + b"]",
        {"instances": []},
        {"instances": ROW},  # one list too few
        {"instances": [[ROW]]},  # one too many
        {"instances": [[ROW, ROW], [ROW, ROW]]},
        {"instances": [ROW, ROW[:-1]]},
        {"instances": [ROW, [*ROW, 1]]},
        {"instances": [ROW, 1.5]},
        {"instances": [[ROW[:31], *ROW[:31]]]},  # as many numbers, one of them in a list
        {"instances": [[[number] for number in ROW]]},
        {"instances": [[*ROW, True]]},
        {"instances": [[*ROW, None]]},
        {"instances": [[*ROW, "1"]]},
        {"instances": [[*ROW, {"b64": "AA=="}]]},
        {"instances": [{"x0": ROW}]},
        {"instances": {"x0": ROW}},
        {"instances": 1.5},
        {"inputs": [ROW]},
        {"instances": [ROW], "inputs": [ROW]},
        {"instances": [ROW], "signature_name": "other"},
        {"instances": [ROW], "signature_name": 1},
        {"instances": [ROW], "other": "["},
    ],
)
def test_all_else_is_left_to_the_parser_that_says_what_is_wrong(body: Any) -> None:
    reader, of = QuickRows(), signature("N", 32)
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert reader.read(text, of) is None
    after = reader.read(b'{"instances": [' + TEXT + b"]}", of)  # and it can be used again
    assert after is not None
    np.testing.assert_array_equal(after["x0"], np.array([ROW], np.float32))


@pytest.mark.parametrize(
    "of",
    [
        signature("N", 32, type="tensor(int64)"),
        signature("N", 32, type="tensor(string)"),
        signature("N", 32, type="seq(tensor(float))"),
        signature("N", 32, inputs=2),
        signature(),
    ],
)
def test_other_models_are_left_to_it_too(of: Signature) -> None:
    assert read({"instances": [ROW]}, of) is None


def test_long_texts_do_not_make_it_keep_memory() -> None:
    assert read({"instances": [ROW] * 1500}, signature("N", 32)) is not None
    assert read({"instances": [ROW] * 2000}, signature("N", 32)) is None
