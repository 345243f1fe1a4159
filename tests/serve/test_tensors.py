"""JSON to numpy and back, against the rules of TensorFlow Serving and against numpy."""

import base64
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serve.errors import InvalidArgument, TooLarge, Unimplemented
from serve.tensors import (
    ELEMENTS,
    MAX_ELEMENTS,
    Element,
    TensorSpec,
    describe,
    dumps,
    from_json,
    loads,
    to_json,
)

BY_NAME = {element.onnx: element for element in ELEMENTS}
INTEGERS = [e for e in ELEMENTS if e.code and e.dtype.kind in "iu"]
FLOATS = [e for e in ELEMENTS if e.code and e.dtype.kind == "f"]
FLOAT, BOOL, STRING = BY_NAME["float"], BY_NAME["bool"], BY_NAME["string"]


def same(given: np.ndarray, expected: np.ndarray) -> None:
    assert given.dtype == expected.dtype
    np.testing.assert_array_equal(given, expected, strict=True)


@pytest.mark.parametrize("element", [e for e in ELEMENTS if e.code], ids=lambda e: e.onnx)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_arrays_survive_the_way_there_and_back(element: Element, data: st.DataObject) -> None:
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4)
    array = data.draw(hnp.arrays(element.dtype, shapes))
    same(from_json(loads(dumps(to_json(array))), element), array)
    same(from_json(array.tolist(), element), array)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float32, 3))
def test_json_is_what_the_standard_parser_reads(array: np.ndarray) -> None:
    same(np.array(json.loads(dumps(to_json(array))), np.float32), array)


@pytest.mark.parametrize("element", INTEGERS, ids=lambda e: e.onnx)
def test_integers_are_never_rounded_or_wrapped(element: Element) -> None:
    bounds = np.iinfo(element.dtype)
    for number in (bounds.min, bounds.max):
        assert from_json(number, element) == number
    for wrong in (bounds.min - 1, bounds.max + 1):
        with pytest.raises(InvalidArgument, match=f"{wrong} is out of range for {element.onnx}"):
            from_json([0, wrong], element)
    for wrong in (1.0, True, "1", None):
        with pytest.raises(InvalidArgument, match=f"not of expected type: {element.onnx}"):
            from_json([0, wrong], element)


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx)
def test_floats_take_any_number_and_nothing_else(element: Element) -> None:
    huge = [1e300, -1e300] if element.onnx != "double" else [10**400, -(10**400)]
    result = from_json([1, 2.5, math.inf, *huge], element)
    same(result, np.array([1, 2.5, np.inf, np.inf, -np.inf], element.dtype))
    for wrong, kind in ((True, "Boolean"), ("1", "String"), (None, "Null"), ({}, "Object")):
        with pytest.raises(InvalidArgument, match=f"Type: {kind} is not of expected type"):
            from_json([0.5, wrong], element)


def test_booleans_are_true_or_false() -> None:
    same(from_json([[True], [False]], BOOL), np.array([[True], [False]]))
    with pytest.raises(InvalidArgument, match="JSON Value: 1 Type: Number"):
        from_json([True, 1], BOOL)


def test_text_may_be_base64() -> None:
    coded = {"b64": base64.b64encode("größer".encode()).decode()}
    same(from_json(["a", coded], STRING), np.array(["a", "größer"], object))
    for wrong, message in (
        ({"b64": "%"}, "Unable to base64 decode"),
        ("\ud800", "half a character"),
        ({"b64": "YQ==", "more": 1}, "Type: Object"),
        (3, "Type: Number"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            from_json(["a", wrong], STRING)


@pytest.mark.parametrize(
    "ragged", [[[1, 2], [3]], [[1], 2], [1, [2]], [[[1]], [[1, 2]]], [[[1]], [1]], [[], [1]]]
)
def test_ragged_lists_are_refused(ragged: list) -> None:
    with pytest.raises(InvalidArgument):
        from_json(ragged, FLOAT)


@pytest.mark.parametrize("shape", [(0,), (1, 0), (3, 0)])
def test_empty_lists_keep_their_shape(shape: tuple[int, ...]) -> None:
    empty = np.zeros(shape, np.float32)
    same(from_json(empty.tolist(), FLOAT), empty)
    assert loads(dumps(to_json(empty))) == empty.tolist()


def test_lists_nested_too_deeply_are_refused() -> None:
    deep: list = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(InvalidArgument, match="deeper than 32"):
        from_json(deep, FLOAT)


def test_bfloat16_has_no_json() -> None:
    with pytest.raises(Unimplemented, match="bfloat16"):
        from_json([1.0], BY_NAME["bfloat16"])


def test_an_error_repeats_only_the_start_of_a_long_text() -> None:
    with pytest.raises(InvalidArgument) as error:
        from_json("x" * 10_000, FLOAT)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"[1, Infinity, -Infinity]", [1, math.inf, -math.inf]),
        (b' {"a": 1} trailing', {"a": 1}),
        (b"[18446744073709551616]", [2**64]),
    ],
)
def test_json_beyond_the_standard_is_read(text: bytes, value: object) -> None:
    assert loads(text) == value


def test_bare_nan_is_read() -> None:
    assert math.isnan(loads(b"NaN"))


@pytest.mark.parametrize("text", [b"", b"  ", b"[1", b"\xff", b"[" * 100_000, b"9" * 5000, b"nope"])
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidArgument, match="JSON Parse error"):
        loads(text)


def test_non_finite_numbers_are_written_bare_and_the_others_shortest() -> None:
    array = np.array([[0.1, np.nan], [np.inf, -np.inf]], np.float32)
    assert dumps({"y": to_json(array)}) == b'{"y":[[0.1,NaN],[Infinity,-Infinity]]}'
    assert dumps(to_json(np.array(7, np.float32))) == b"7.0"


@pytest.mark.parametrize("code", "qQlL")
def test_scalars_of_both_names_of_64_bits_are_written(code: str) -> None:
    assert dumps([to_json(row) for row in np.array([7], code)]) == b"[7]"


def test_a_spec_accepts_what_its_shape_leaves_free() -> None:
    spec = TensorSpec("x", "tensor(float)", ("batch", None, 4))
    assert spec.accepts((1, 9, 4))
    assert not spec.accepts((1, 9, 5))
    assert not spec.accepts((9, 4))
    assert TensorSpec("x", "tensor(float)", None).accepts((1, 2, 3))
    assert describe(spec.shape) == "[batch, ?, 4]"
    assert TensorSpec("x", "seq(map(int64,tensor(float)))", None).element is None


def test_json_of_too_many_elements_is_refused_before_it_is_read() -> None:
    many = b"[" + b"[]," * MAX_ELEMENTS + b"[]]"
    with pytest.raises(TooLarge, match="more than 10000000 elements"):
        loads(many)
