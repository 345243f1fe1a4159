"""The signature in a file's metadata: exactly the agreed form, and a sentence where it is not."""

import json

import numpy as np
import pytest

from exporter.errors import ExportError
from exporter.signature import Signature, TensorSpec
from trainer.core.graph import Graph, Value

X = TensorSpec("x", "float32", ("batch", 4))
Y = TensorSpec("probabilities", "float32", ("batch", 3))
SIGNATURE = Signature("classify", (X,), (Y,), ("a", "b", "c"))


def graph(outputs: int = 3) -> Graph:
    x = Value("x", np.dtype(np.float32), ("batch", 4))
    y = Value("y", np.dtype(np.float32), ("batch", outputs))
    return Graph((x,), (y,), (), {})


def test_the_text_is_the_agreed_form() -> None:
    assert json.loads(SIGNATURE.to_json()) == {
        "format": 1,
        "task": "classify",
        "inputs": [{"name": "x", "dtype": "float32", "shape": ["batch", 4]}],
        "outputs": [{"name": "probabilities", "dtype": "float32", "shape": ["batch", 3]}],
        "classes": ["a", "b", "c"],
    }


def test_without_classes_there_is_no_such_key() -> None:
    assert "classes" not in json.loads(Signature("predict", (X,), (Y,)).to_json())


@pytest.mark.parametrize("classes", [None, ("a", "b", "c")])
@pytest.mark.parametrize("shape", [None, (), (None, "n", 3)])
def test_what_is_written_is_read(
    classes: tuple[str, ...] | None, shape: tuple[str, ...] | None
) -> None:
    signature = Signature("classify", (X, TensorSpec("s", "string", shape)), (Y,), classes)
    assert Signature.from_json(signature.to_json()) == signature


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid"),
        ("[]", "not valid"),
        ('{"format": 2}', "format 2; this version reads up to 1"),
        ('{"format": 1}', "cannot be read: 'task'"),
        ('{"task": "guess", "inputs": [], "outputs": []}', "no task 'guess'"),
        ('{"task": "predict", "inputs": [{"name": "x"}], "outputs": []}', "cannot be read"),
    ],
)
def test_what_is_no_signature_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ExportError, match=sentence):
        Signature.from_json(text)


def test_classes_must_fit_the_first_output_and_the_task() -> None:
    assert Signature.of(graph(), "classify", ("a", "b", "c")).classes == ("a", "b", "c")
    with pytest.raises(ExportError, match="3 class names do not fit the task 'classify'"):
        Signature.of(graph(outputs=2), "classify", ("a", "b", "c"))
    with pytest.raises(ExportError, match="the task 'regress'"):
        Signature.of(graph(), "regress", ("a", "b", "c"))
