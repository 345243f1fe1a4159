"""The application as a whole: FastAPI behind the protocols."""

from importlib.metadata import version

import pytest

import serve
from serve.settings import Settings
from tests.serve.process import Client, Server


def test_what_is_not_a_protocol_s_goes_to_fastapi(client: Client) -> None:
    for path in ("/nothing", "/v2x", "/docs/nothing"):
        status, answer = client.get(path)
        assert (status, list(answer)) == (404, ["error"])
        assert f"There is no {path} here: models are asked under /v1" in answer["error"]
    assert client.ask("POST", "/metrics")[1] == {"error": "Method Not Allowed"}


def test_the_package_gives_what_it_promises() -> None:
    app = serve.create_app(Settings(port=1))
    assert app.settings.port == 1
    assert not app.is_ready()
    assert set(serve.__all__) <= set(dir(serve))


def test_the_version_is_that_of_the_distribution() -> None:
    assert serve.__version__ == version("tapeline")


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/", "/metrics", "/openapi.json"])
def test_head_answers_as_get_without_the_body(server: Server, path: str) -> None:
    """As RFC 9110 (9.3.2) has it, and monitors ask."""
    client = server.client()
    answers = []
    for method in ("HEAD", "GET"):
        client.connection.request(method, path)
        answer = client.connection.getresponse()
        body = answer.read()
        answers.append((answer.status, answer.getheader("content-type"), bool(body)))
    (head, head_kind, head_body), (get, get_kind, _) = answers
    assert (head, head_kind, head_body) == (get, get_kind, False)
    client.close()
