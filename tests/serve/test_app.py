"""The application as a whole: FastAPI behind the protocols."""

from importlib.metadata import version

import serve
from serve.settings import Settings
from tests.serve.process import Client


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
