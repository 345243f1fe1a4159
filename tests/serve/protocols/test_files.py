"""Inputs as files: .npy written by numpy, pictures written by Pillow, asked as curl would."""

import base64
import io
import json
import select
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.serve import models
from tests.serve.process import Client, Server, wait_until
from tests.serve.protocols.test_binary import ask, pack, send, tensor

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed: pip install .[images]")

FIRST = "(float[N,3,4,6] x) => (float[N,3,4,6] y) { y = Identity(x) }"
LAST = "(uint8[N,H,W,3] x) => (uint8[N,H,W,3] y) { y = Identity(x) }"
GRAY = "(float[N,1,H,W] x) => (float[N,1,H,W] y) { y = Identity(x) }"
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}  # curl's own


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("models")
    graphs = {"first": FIRST, "last": LAST, "gray": GRAY, "text": models.TEXT}
    for name, graph in graphs.items():
        models.publish(folder, name, 1, graph)
    with Server(folder) as server:
        client = server.client()
        for name in graphs:
            wait_until(lambda name=name: client.is_available(name), name)
        yield client


def written(pixels: Any, form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def result(client: Client, model: str, body: bytes, headers: Any = FORM) -> Any:
    status, answer, _ = send(client, model, body, headers)
    assert status == 200, answer
    (output,) = answer["outputs"]
    return np.array(output["data"]).reshape(output["shape"])


def refused(client: Client, model: str, body: bytes, headers: Any = FORM) -> str:
    status, answer, _ = send(client, model, body, headers)
    assert status == 400
    return answer["error"]


@pytest.mark.parametrize("wrapped", [False, True])
def test_others_are_answered_while_a_picture_is_decoded(pictures: Client, wrapped: bool) -> None:
    body = written(np.zeros((6000, 6000), np.uint8))
    headers = dict(FORM)
    if wrapped:
        raw = pack(body)
        head = json.dumps({"inputs": [tensor("x", "BYTES", [1], len(raw))]}).encode()
        body, headers = head + raw, {"Inference-Header-Content-Length": str(len(head))}
    patient = Client(pictures.connection.port)
    patient.connection.request("POST", "/v2/models/first/infer", body, headers)
    wait_until(lambda: pictures.metric("tapeline_requests_in_progress"), "it has begun")
    sock = patient.connection.sock
    assert not select.select([sock], [], [], 0)[0]
    answer = patient.connection.getresponse()
    assert (answer.status, len(json.loads(answer.read())["outputs"][0]["data"])) == (200, 72)
    patient.connection.close()


@pytest.mark.parametrize("headers", [FORM, {"Content-Type": "image/png"}, {}])
def test_a_png_is_its_pixels(pictures: Client, headers: dict[str, str]) -> None:
    body = written(PIXELS)
    np.testing.assert_array_equal(result(pictures, "last", body, headers), PIXELS[None])
    expected = PIXELS.transpose(2, 0, 1)[None]
    np.testing.assert_array_equal(result(pictures, "first", body, headers), expected)


def test_a_jpeg_is_what_pillow_makes_of_it(pictures: Client) -> None:
    body = written(PIXELS, "JPEG")
    expected = np.asarray(Image.open(io.BytesIO(body)))
    np.testing.assert_array_equal(result(pictures, "last", body)[0], expected)


def test_a_picture_follows_the_model_in_colors_and_size(pictures: Client) -> None:
    gray = np.asarray(Image.fromarray(PIXELS).convert("L"))
    np.testing.assert_array_equal(result(pictures, "gray", written(PIXELS))[0, 0], gray)
    np.testing.assert_array_equal(result(pictures, "last", written(gray))[0, ..., 1], gray)
    large = Image.fromarray(PIXELS).resize((60, 40))
    expected = np.asarray(large.resize((6, 4), Image.Resampling.BILINEAR))
    given = result(pictures, "first", written(np.asarray(large)))
    np.testing.assert_array_equal(given[0], expected.transpose(2, 0, 1))


def test_pictures_are_bytes_within_a_request(pictures: Client) -> None:
    files = [written(PIXELS), written(PIXELS[::-1])]
    raw = pack(*files)
    x = tensor("x", "BYTES", [2], len(raw))
    status, answer, _ = ask(pictures, "last", {"inputs": [x]}, raw)
    assert status == 200, answer
    assert answer["outputs"][0]["data"] == np.stack([PIXELS, PIXELS[::-1]]).ravel().tolist()
    coded = [{"b64": base64.b64encode(file).decode()} for file in files]
    body = {"inputs": [{**tensor("x", "BYTES", [2]), "data": coded}]}
    assert pictures.post("/v2/models/last/infer", body)[1] == answer


def test_an_array_file_is_its_array(pictures: Client) -> None:
    x = np.arange(72, dtype=np.float32).reshape(1, 3, 4, 6)
    for array in (x, np.asfortranarray(x), x.astype(">f4")):
        np.testing.assert_array_equal(result(pictures, "first", npy(array)), x)


def test_models_of_bytes_take_the_file_itself(pictures: Client) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    status, _, raw = send(pictures, "text", written(PIXELS), headers)
    assert (status, raw) == (200, pack(written(PIXELS)))
    assert "no JSON form here: ask for it" in refused(pictures, "text", written(PIXELS))


def test_bytes_of_a_tensor_are_never_taken_for_a_file(pictures: Client) -> None:
    pixels = np.zeros((1, 1, 2, 3), np.uint8)
    pixels[0, 0, 0] = 0xFF, 0xD8, 0xFF  # a JPEG begins like this
    request = {"inputs": [tensor("x", "UINT8", [1, 1, 2, 3], 6)]}
    status, answer, _ = ask(pictures, "last", request, pixels.tobytes())
    assert (status, answer["outputs"][0]["data"]) == (200, pixels.ravel().tolist())
    headers = {"Content-Type": "application/octet-stream"}
    body = np.broadcast_to(pixels[:, :, :1], (1, 1, 1, 3)).tobytes()
    assert "do not say which of its sizes" in refused(pictures, "last", body, headers)


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        ("last", written(PIXELS)[:60], "The picture cannot be read"),
        ("last", b"\xff\xd8\xff nothing", "The picture cannot be read"),
        ("first", npy(np.zeros(3)), "'x' is float32, the .npy file has float64: save it with"),
        ("first", npy(np.zeros(3, np.float32)), "has shape [N, 3, 4, 6], given is [3]"),
        ("first", npy(np.zeros(3, np.float32))[:20], "The .npy file cannot be read"),
        ("first", npy(np.array([{}]), allow_pickle=True), "The .npy file cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    pictures: Client, model: str, body: bytes, message: str
) -> None:
    assert message in refused(pictures, model, body)


def test_only_models_of_images_take_pictures(client: Client) -> None:
    assert "takes no pictures" in refused(client, "linear", written(PIXELS))
    message = "for models with one input"
    assert message in refused(client, "sum_and_difference", npy(np.zeros(2)))


def test_a_request_s_pictures_have_one_size(pictures: Client) -> None:
    raw = pack(written(PIXELS), written(PIXELS[:2]))
    status, answer, _ = ask(
        pictures, "last", {"inputs": [tensor("x", "BYTES", [2], len(raw))]}, raw
    )
    assert (status, "must have one size" in json.dumps(answer)) == (400, True)


def test_without_pillow_pictures_are_501(monkeypatch: pytest.MonkeyPatch) -> None:
    from serve.errors import Unimplemented
    from serve.protocols import files
    from serve.tensors import TensorSpec

    monkeypatch.setattr(files, "Image", None)
    with pytest.raises(Unimplemented, match=r"pip install 'tapeline\[images\]'"):
        files.read_pictures([written(PIXELS)], TensorSpec("x", "tensor(uint8)", (1, 3, 2, 2)))
