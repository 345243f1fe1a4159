"""The official ONNX node tests, run through the registry at the version each is stamped with."""

import fnmatch
import tomllib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

import trainer.core.reference  # noqa: F401  (so that operators without a kernel of ours are found)
from tests.trainer.ops.case import operators
from trainer.core.graph import interpret
from trainer.core.proto import from_model
from trainer.core.tensor import Tensor

SKIPS: dict[str, str] = tomllib.loads(Path(__file__).with_name("skips.toml").read_text())

operators()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the generators of the onnx package divide by zero on purpose
    CASES = [
        pytest.param(case, id=case.name.removeprefix("test_"))
        for case in load_model_tests(kind="node")
    ]


def reason_to_skip(name: str) -> str | None:
    return next((why for what, why in SKIPS.items() if fnmatch.fnmatchcase(name, what)), None)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # infinities are part of what is tested
@pytest.mark.parametrize("case", CASES)
def test_node_case(case: Any) -> None:
    if "image_decoder" in case.name:
        pytest.importorskip("PIL", reason="the reference kernel needs Pillow, which is an extra")
    reason = reason_to_skip(case.name.removeprefix("test_"))
    if reason is None:
        check(case)
        return
    try:
        check(case)
    except (Exception, AssertionError):
        pytest.skip(reason)
    pytest.fail("It passes: its line in skips.toml is not needed any more.")


def check(case: Any) -> None:
    graph = from_model(case.model)
    for inputs, outputs in case.data_sets:
        results = interpret(graph, [array(value) for value in inputs])
        for given, expected in zip(results, outputs, strict=True):
            same(given, array(expected), case.rtol, case.atol)


def array(value: Any) -> Any:
    """The small types come as protobuf."""
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else value


def same(given: Any, expected: Any, rtol: float, atol: float) -> None:
    """A Tensor, or a sequence of them, is what the test says it should be."""
    if isinstance(expected, list):
        assert len(given) == len(expected)
        for one, wanted in zip(given, expected, strict=True):
            same(one, wanted, rtol, atol)
        return
    assert isinstance(given, Tensor)
    wanted = np.asarray(expected)
    assert given.shape == wanted.shape
    if wanted.dtype.kind in "OSU":
        assert given.tolist() == wanted.tolist()
        return
    assert given.dtype == wanted.dtype
    if wanted.dtype.kind in "biuc":
        np.testing.assert_allclose(given.numpy(), wanted, rtol, atol)
    else:  # the small floating types of ml_dtypes compare as numbers, too
        np.testing.assert_allclose(
            given.numpy().astype(np.float64), wanted.astype(np.float64), rtol, atol
        )


def test_every_skip_names_a_case() -> None:
    names = [case.values[0].name.removeprefix("test_") for case in CASES]
    assert not [pattern for pattern in SKIPS if not fnmatch.filter(names, pattern)]


def test_at_least_1800_cases_are_not_skipped() -> None:
    counted = [c for c in CASES if reason_to_skip(c.values[0].name.removeprefix("test_")) is None]
    assert len(counted) >= 1800
