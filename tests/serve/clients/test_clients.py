"""The clients that people use, each with its own calls against the real server."""

from tests.serve.clients.conftest import Ask

TRITON = """
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(address)

def tensor(name, array, datatype, binary):
    given = triton.InferInput(name, list(array.shape), datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return given
"""


def test_tritonclient_infers_in_json_and_in_binary(ask: Ask) -> None:
    answers = ask(
        TRITON
        + """
x = np.arange(6, dtype=np.float32).reshape(2, 3)
answers = []
for binary_in in (False, True):
    for binary_out in (False, True):
        wanted = triton.InferRequestedOutput("y", binary_data=binary_out)
        given = tensor("x", x, "FP32", binary_in)
        answer = client.infer("linear", [given], outputs=[wanted], request_id="7")
        assert answer.get_response()["id"] == "7"
        answers.append(answer.as_numpy("y").tolist())
answers.append(client.infer("linear", [given]).as_numpy("y").tolist())
zipped = client.infer("linear", [given], request_compression_algorithm="gzip")
answers.append(zipped.as_numpy("y").tolist())
for way in ("gzip", "deflate"):
    zipped = client.infer("linear", [given], response_compression_algorithm=way)
    answers.append(zipped.as_numpy("y").tolist())
print(json.dumps(answers))
"""
    )
    assert answers == [[[13.0, 16.0], [40.0, 52.0]]] * 8


def test_tritonclient_sends_every_type(ask: Ask) -> None:
    answers = ask(
        TRITON
        + """
def echo(model, datatype, array, binary=True, name="x", output="y"):
    given = tensor(name, array, datatype, binary)
    return client.infer(model, [given]).as_numpy(output).tolist()

import ml_dtypes
texts = np.array(["größer", ""], object)
same = [text.decode() for text in echo("text", "BYTES", texts, True, "text", "same")]
print(json.dumps([
    echo("double", "FP64", np.array([0.1])),
    echo("float16", "FP16", np.array([0.5], np.float16)),
    echo("bfloat16", "BF16", np.array([1, -2], ml_dtypes.bfloat16)),
    echo("int8", "INT8", np.array([-128], np.int8), False),
    echo("int64", "INT64", np.array([2**63 - 1])),
    echo("bool", "BOOL", np.array([True, False])),
    same,
]))
"""
    )
    assert answers == [
        [0.1],
        [0.5],
        [1.0, -2.0],
        [-128],
        [2**63 - 1],
        [True, False],
        ["größer", ""],
    ]


def test_tritonclient_asks_about_server_and_models(ask: Ask) -> None:
    answers = ask(
        TRITON
        + """
def status(call, *arguments):
    try:
        call(*arguments)
    except InferenceServerException as error:
        return error.status()

x = tensor("x", np.ones((1, 3), np.float32), "FP32", True)
client.infer("linear", [x])
best = triton.InferRequestedOutput("scores", class_count=1)
scores = client.infer("classifier", [x], outputs=[best]).as_numpy("scores")
print(json.dumps({
    "live": client.is_server_live(),
    "ready": [client.is_server_ready(), client.is_model_ready("linear"), client.is_model_ready("broken")],
    "name": client.get_server_metadata()["name"],
    "inputs": client.get_model_metadata("linear")["inputs"],
    "backend": client.get_model_config("linear")["backend"],
    "asked": client.get_inference_statistics("linear")["model_stats"][0]["inference_count"] > 0,
    "index": {"name": "linear", "version": "1", "state": "READY", "reason": ""}
    in client.get_model_repository_index(),
    "verbose": client.get_log_settings()["log_verbose_level"],
    "refused": [status(client.infer, "nobody", [x]), status(client.load_model, "linear"),
                status(client.infer, "text", [x])],
    "best": scores[0, 0].decode(),
}))
"""
    )
    assert answers == {
        "live": True,
        "ready": [False, True, False],
        "name": "tapeline",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "backend": "onnxruntime",
        "asked": True,
        "index": True,
        "verbose": 0,
        "refused": ["404", "403", "400"],
        "best": "1.000000:0:setosa",
    }


def test_ovmsclient_speaks_tensorflow_serving_s_api(ask: Ask) -> None:
    answers = ask(
        """
import ovmsclient
client = ovmsclient.make_http_client(address)
status = client.get_model_status("linear")
metadata = client.get_model_metadata("linear")
rows = client.predict({"x": np.ones((2, 3), np.float32)}, "linear")
columns = client.predict({"a": [1.0], "b": [2.0]}, "sum_and_difference", 1)
try:
    client.predict({"x": [1.0]}, "nobody")
except ovmsclient.ModelNotFoundError as error:
    refused = str(error)
print(json.dumps([status["1"] if "1" in status else status[1], metadata["model_spec"], rows.tolist(),
    {name: value.tolist() for name, value in columns.items()}, "nobody" in refused]))
"""
    )
    assert answers == [
        {"state": "AVAILABLE", "error_code": 0, "error_message": ""},
        {"name": "linear", "signature_name": "", "version": "1"},
        [[9.0, 12.0], [9.0, 12.0]],
        {"sum": [3.0], "difference": [-1.0]},
        True,
    ]


def test_the_protocol_s_own_client_reads_every_answer(ask: Ask) -> None:
    answers = ask(
        """
from open_inference.openapi.client import InferenceRequest, OpenInferenceClient
from open_inference.openapi.errors import ServiceUnavailableError
from open_inference.openapi.types import RequestInput, TensorData
client = OpenInferenceClient(base_url=f"http://{address}")
client.check_server_liveness()
client.check_model_readiness("linear")
try:
    client.check_server_readiness()
except ServiceUnavailableError:
    ready = False
data = TensorData.parse_obj([1.0, 2.0, 3.0])
x = RequestInput(name="x", shape=[1, 3], datatype="FP32", data=data)
answer = client.model_infer("linear", request=InferenceRequest(id="7", inputs=[x]))
print(json.dumps([ready, client.read_server_metadata().name,
    client.read_model_metadata("linear").platform, answer.id, answer.outputs[0].data.dict()]))
"""
    )
    assert answers[:4] == [False, "tapeline", "onnx_onnxv1", "7"]
    assert answers[4] == {"__root__": [22.0, 28.0]}
