"""The application as a whole: FastAPI behind the protocols."""

from importlib.metadata import version

import serve
from serve.settings import Settings
from tests.serve.process import Client


def test_what_is_not_a_protocol_s_goes_to_fastapi(client: Client) -> None:
    assert client.get("/nothing") == (404, {"detail": "Not Found"})
    assert client.get("/v2x") == (404, {"detail": "Not Found"})
    assert client.get("/openapi.json")[1]["info"]["title"] == "tapeline"
    client.connection.request("GET", "/docs")
    page = client.connection.getresponse()
    assert page.status == 200
    assert b"swagger" in page.read()


def test_the_package_gives_what_it_promises() -> None:
    app = serve.create_app(Settings(port=1))
    assert app.settings.port == 1
    assert not app.is_ready()
    assert set(serve.__all__) <= set(dir(serve))


def test_the_version_is_that_of_the_distribution() -> None:
    assert serve.__version__ == version("tapeline")
