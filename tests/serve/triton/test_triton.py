"""The same requests to a real Triton and to this server: the same statuses, numbers and keys.

`answers.json` is what Triton Inference Server 2.51 answered, written by `record.py`; where an interpreter
with PyTriton is named by `PYTRITON`, it is asked again.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serve import models
from tests.serve.conftest import SERVED
from tests.serve.process import Server, wait_until
from tests.serve.triton.peer import NUMBERS
from tests.serve.triton.questions import QUESTIONS
from tests.serve.triton.record import ANSWERS, ask, triton

RECORDED: dict[str, Any] = json.loads(ANSWERS.read_text())

# Where this server answers otherwise on purpose, and why.
BODY = "the protocol's text has a body where Triton's is empty"
CLIENT = "a mistake of the client is 400, and never 500, which wakes operators"
DIFFERENT = {
    "live": BODY,
    "ready": BODY,
    "model ready": BODY,
    "version ready": BODY,
    "index": "PyTriton's repository is empty: it loads its models from memory",
    "index of the ready": "PyTriton's repository is empty: it loads its models from memory",
    "load no model": "403: clients may not load unless the operator lets them",
    "outputs in their order": "the order of the request, not that of the model",
    "best class": "the first axis holds examples, as it does where Triton's batching is on",
    "raw text": "a free size is 1, and need not be written into the model",
    "halves": "float16 works in JSON, too",
    "a number that is too large": "400: silently computing with another number is worse",
    "no body": CLIENT,
    "no JSON": CLIENT,
    "too little data": CLIENT,
    "too much data": CLIENT,
    "text for a number": CLIENT,
    "a number for text": CLIENT,
    "a negative size": CLIENT,
}


def keys(value: Any) -> Any:
    """The keys of an answer, of the first element where there is a list."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return [keys(value[0])] if isinstance(value, list) and value else None


def compared(name: str, answer: Any) -> Any:
    """What must be equal of an answer: all that was computed, else the status class and the keys."""
    content, kind = answer["json"], answer["status"] // 100
    if kind == 2 and QUESTIONS[name].path.endswith("/infer"):
        return kind, content, answer["raw"]
    if kind == 2 and name.startswith("metadata"):
        return kind, {key: content[key] for key in content if key != "platform"}, keys(content)
    if name == "config":
        content = {key: content[key] for key in content if key != "parameters"}  # of the backend
    return kind, keys(content)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """This server with the models of `peer.py`."""
    folder = tmp_path_factory.mktemp("models")
    graphs = {name: SERVED[name] for name in ("linear", "sum_and_difference", "text", *NUMBERS)}
    for name, graph in graphs.items():
        models.publish(folder, name, 1, graph)
    with Server(folder) as server:
        client = server.client()
        for name in graphs:
            wait_until(lambda name=name: client.is_available(name), name)
        yield server


@pytest.mark.parametrize("name", QUESTIONS)
def test_triton_answers_alike(name: str, server: Server) -> None:
    ours, theirs = ask(server.port, QUESTIONS[name]), RECORDED[name]
    equal = compared(name, ours) == compared(name, theirs)
    assert equal == (name not in DIFFERENT), (ours, theirs)


def test_there_is_an_answer_to_every_question() -> None:
    assert RECORDED.keys() == QUESTIONS.keys()
    assert DIFFERENT.keys() <= QUESTIONS.keys()


@pytest.mark.slow
def test_triton_answers_as_it_was_recorded() -> None:
    python = os.environ.get("PYTRITON")
    if not python:
        pytest.skip("PYTRITON names no interpreter that has nvidia-pytriton")
    with triton(python) as port:
        for name, question in QUESTIONS.items():
            assert compared(name, ask(port, question)) == compared(name, RECORDED[name]), name
