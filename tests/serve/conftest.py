"""One server for all tests that only ask; tests that change models start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve import models
from tests.serve.process import Client, Server, wait_until

SERVED = {
    "half_plus_two": models.HALF_PLUS_TWO,
    "linear": models.LINEAR,
    "sum_and_difference": models.SUM_AND_DIFFERENCE,
    "text": models.TEXT,
    "bytes": models.UPPER_BYTES,
    "total": models.TOTAL,
    "slow": models.SLOW,
    "with space": models.HALF_PLUS_TWO,
    **{
        dtype: models.identity(dtype)
        for dtype in ("float16", "double", "int8", "int64", "bool", "bfloat16")
    },
    "sequence": models.SEQUENCE,
    "optional": models.OPTIONAL,
    "zipmap": models.ZIPMAP,
    "zipmap_of_numbers": models.ZIPMAP_OF_NUMBERS,
    "unnamed_scores": models.SCORES,
    "classifier": models.SCORES,
    "regressor": models.AMOUNT,
}
DESCRIBED = {
    "classifier": models.described("classify", "x", "scores", 3, models.CLASSES),
    "regressor": models.described("regress", "x", "amount", 1),
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("models")
    for name, graph in SERVED.items():
        models.publish(folder, name, 1, graph, metadata=DESCRIBED.get(name))
    broken = folder / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"not a graph")
    (folder / "recipe_only").mkdir()
    (folder / "recipe_only" / "recipe.toml").touch()
    with Server(folder, "--max-body-bytes", "1000000") as server:
        client = server.client()
        for name in SERVED:
            wait_until(lambda name=name: client.is_available(name.replace(" ", "%20")), name)
        wait_until(lambda: "END" in str(client.get("/v1/models/broken")), "broken has failed")
        client.close()
        yield server


@pytest.fixture(scope="session")
def permissive_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that lets clients do what is off by default."""
    folder: Path = tmp_path_factory.mktemp("models")
    models.publish(folder, "half_plus_two", 1, models.HALF_PLUS_TWO)
    flags = ["--rest_api_enable_cors_support", "--model-control", "--num-versions", "2"]
    with Server(folder, *flags) as server:
        client = server.client()
        wait_until(lambda: client.is_available("half_plus_two"), "it is ready")
        client.close()
        yield server


@pytest.fixture
def permissive(permissive_server: Server) -> Iterator[Client]:
    client = permissive_server.client()
    yield client
    client.close()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()
