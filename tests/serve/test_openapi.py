"""What /docs shows: the models that are there, with requests that run, on a page that needs no network."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.openapi.models import OpenAPI

from tests.serve import models
from tests.serve.conftest import SERVED
from tests.serve.process import Client, Server, wait_until


def described(client: Client) -> Any:
    status, document = client.get("/openapi.json")
    assert status == 200
    return document


def read(client: Client, path: str) -> tuple[int, str, bytes]:
    """The status, the content type and the body."""
    client.connection.request("GET", path)
    answer = client.connection.getresponse()
    return answer.status, answer.getheader("Content-Type") or "", answer.read()


def examples(document: Any) -> dict[str, Any]:
    """The examples by the path that they are for."""
    found = {}
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        media = content.get("application/json", {})
        if "example" in media:
            found[path] = media["example"]
    return found


def test_it_is_an_openapi_document(client: Client) -> None:
    OpenAPI.model_validate(described(client))


def test_every_request_of_the_document_runs(client: Client) -> None:
    document = described(client)
    asked = 0
    for path, operations in document["paths"].items():
        if "get" in operations and path != "/v2/health/ready":  # one of these models is broken
            assert read(client, path)[0] == 200, path
            asked += 1
    for path, body in examples(document).items():
        status, answer = client.post(path, body)
        assert status == 200, (path, answer)
    assert asked > 5 * len(SERVED)


def test_every_model_has_an_example_for_both_protocols(client: Client) -> None:
    given = examples(described(client))
    for name in SERVED.keys() - {"bfloat16"}:  # which has no JSON
        name = name.replace(" ", "%20")
        assert f"/v1/models/{name}:predict" in given
        assert f"/v2/models/{name}/infer" in given
    assert given["/v2/models/linear/infer"] == {
        "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.0, 0.0, 0.0]}]
    }
    assert given["/v1/models/classifier:classify"] == {"examples": [{"x": [0.0, 0.0, 0.0]}]}
    assert given["/v1/models/total:predict"] == {"inputs": [0.0]}


def test_names_and_shapes_are_those_of_the_model(client: Client) -> None:
    document = described(client)
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert tags["linear"] == "Version 1: x FP32 [batch, 3] → y FP32 [batch, 2]"
    text = document["paths"]["/v2/models/classifier/infer"]["post"]["description"]
    assert "| input | `x` | FP32 | [batch, 3] |" in text
    assert "Classes: setosa, versicolor, virginica." in text
    assert "broken" not in tags


def test_it_follows_the_models(tmp_path: Path) -> None:
    golden = {"input/x": [[1.5, 2, 3], [4, 5, 6]], "output/y": [[22.5, 29], [49, 64]]}
    arrays = {name: models.np.array(rows, "float32") for name, rows in golden.items()}
    models.publish(tmp_path, "linear", 1, models.LINEAR, golden=arrays)
    with Server(tmp_path, "--num-versions", "2", "--model-control") as server:
        client = server.client()
        wait_until(lambda: client.is_available("linear"), "version 1")
        assert examples(described(client))["/v1/models/linear:predict"] == {
            "instances": [[1.5, 2.0, 3.0]]
        }
        pictures = "(float[N,3,64,64] x) => (float[N,3,64,64] y) { y = Identity(x) }"
        models.publish(tmp_path, "linear", 2, models.LINEAR)
        models.publish(tmp_path, "pictures", 1, pictures)
        wait_until(lambda: client.is_available("linear", 2), "version 2")
        wait_until(lambda: client.is_available("pictures"), "the other model")
        paths = described(client)["paths"]
        assert {"/v1/models/linear:predict", "/v1/models/linear/versions/1:predict"} <= paths.keys()
        infer = paths["/v2/models/pictures/infer"]["post"]
        assert next(iter(infer["requestBody"]["content"])) == "application/octet-stream"
        assert "too large to be shown" in infer["description"]
        path = "/v2/repository/models/pictures/unload"
        assert path.replace("pictures", "{model}") in paths
        assert client.post(path, {})[0] == 200
        assert "/v2/models/pictures/infer" not in described(client)["paths"]


def test_the_page_needs_nothing_of_other_sites(client: Client) -> None:
    for path in ("/", "/docs"):
        assert read(client, path)[0] == 307
    status, kind, page = read(client, "/docs/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b"//" not in page.replace(b"<!--", b"")
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.decode())
    assert {"swagger-ui-bundle.js", "swagger-ui.css", "page.js"} <= set(assets)
    for asset in assets:
        if not asset.startswith("data:"):
            status, _, content = read(client, f"/docs/{asset}" if "/" not in asset else asset[2:])
            assert (status, bool(content)) == (200, True)


def test_with_keys_the_page_is_open_and_the_models_are_not(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text('predict = ["secret"]')
    folder = tmp_path / "models"
    models.publish(folder, "linear", 1, models.LINEAR)
    with Server(folder, "--api-keys-file", str(keys)) as server:
        client = server.client()
        assert read(client, "/docs/page.js")[0] == 200
        assert client.get("/openapi.json")[0] == 401
        _, document = client.ask("GET", "/openapi.json", headers={"X-API-Key": "secret"})
        assert document["security"] == [{"key": []}]


@pytest.mark.parametrize("path", ["/docs/../keys.py", "/docs/%2e%2e/keys.py", "/docs/__init__.py"])
def test_the_page_gives_nothing_else_away(client: Client, path: str) -> None:
    status, _, content = read(client, path)
    assert status == 404
    assert list(json.loads(content)) == ["error"]
