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
    **{dtype: models.identity(dtype) for dtype in ("float16", "double", "int8", "int64", "bool")},
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("models")
    for name, graph in SERVED.items():
        models.publish(folder, name, 1, graph)
    broken = folder / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "model.onnx").write_bytes(b"not a graph")
    (folder / "recipe_only").mkdir()
    (folder / "recipe_only" / "recipe.toml").touch()
    with Server(folder, "--max-body-bytes", "1000000") as server:
        client = server.client()
        for name in SERVED:
            wait_until(lambda name=name: client.is_available(name.replace(" ", "%20")), name)
        wait_until(lambda: client.get("/v1/models/broken")[0] == 200, "broken is looked at")
        client.close()
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()
