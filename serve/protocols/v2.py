"""The Open Inference Protocol, version 2, over REST.

The specification is https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from serve import __version__
from serve.errors import InvalidArgument, MethodNotAllowed, NotFound, Unimplemented
from serve.infer import Inference
from serve.manager import Handle, Manager
from serve.metrics import Metrics
from serve.policy import State
from serve.protocols.http import Answer, Receive, Scope, Send, read_body, read_version, respond
from serve.servable import Servable
from serve.signature import Signature
from serve.tensors import TensorSpec, from_json, loads, to_json

_MODEL = re.compile(
    r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?:/(?P<verb>ready|infer))?"
)
_PLATFORM = "onnx_onnxv1"


class V2:
    """An ASGI application for everything under `/v2`.

    Args:
        manager: Lends the models.
        inference: Runs them.
        metrics: Counts the requests.
        is_ready: Says whether the server wants traffic.
        max_body_bytes: The longest body of a request.
    """

    def __init__(
        self,
        manager: Manager,
        inference: Inference,
        metrics: Metrics,
        is_ready: Callable[[], bool],
        max_body_bytes: int,
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.metrics = metrics
        self.is_ready = is_ready
        self.max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(self._answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["raw_path"].decode("latin-1").rstrip("/"), scope["method"]
        match = _MODEL.fullmatch(path)
        if match is not None and match["verb"] == "infer":
            _expect(method, "POST")
            return await self._infer(match, await read_body(scope, receive, self.max_body_bytes))
        if match is not None:
            _expect(method, "GET", "HEAD")
            return self._describe(match)
        answer = {
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
        }
        if path not in answer:
            raise NotFound(f"There is no {path} in the Open Inference Protocol.")
        _expect(method, "GET", "HEAD")
        return answer[path]()

    def _server(self) -> Answer:
        return Answer({"name": "tapeline", "version": __version__, "extensions": []})

    def _live(self) -> Answer:
        return Answer({"live": True})

    def _ready(self) -> Answer:
        ready = self.is_ready()
        return Answer({"ready": ready}, 200 if ready else 503)

    def _describe(self, match: re.Match[str]) -> Answer:
        model, version = _target(match)
        if match["verb"] == "ready":
            return self._model_ready(model, version)
        with self.manager.handle(model, version) as handle:
            return Answer(self._metadata(handle))

    def _model_ready(self, model: str, version: int | None) -> Answer:
        states = [v for v in self.manager.status(model) if version in (None, v.version)]
        if not states:
            raise NotFound(f"Could not find version {version} of model {model}")
        ready = any(v.state is State.AVAILABLE for v in states)
        return Answer({"name": model, "ready": ready}, 200 if ready else 503)

    def _metadata(self, handle: Handle) -> dict[str, Any]:
        states = self.manager.status(handle.model)
        available = sorted(v.version for v in states if v.state is State.AVAILABLE)
        signature = handle.servable.signature
        return {
            "name": handle.model,
            "versions": [str(version) for version in available],
            "platform": _PLATFORM,
            "inputs": [_write_spec(spec) for spec in signature.inputs],
            "outputs": [_write_spec(spec) for spec in signature.outputs],
        }

    async def _infer(self, match: re.Match[str], body: bytes) -> Answer:
        with self.metrics.request("v2") as observation:
            model, version = _target(match)
            with self.manager.handle(model, version) as handle:
                observation.answered_by(handle)
                answer = {"model_name": model, "model_version": str(handle.version)}
                return Answer(answer | await self._run(loads(body), handle.servable))

    async def _run(self, request: Any, servable: Servable) -> dict[str, Any]:
        if type(request) is not dict:
            raise InvalidArgument("The request must be a JSON object with 'inputs'.")
        identifier = request.get("id")
        if identifier is not None and type(identifier) is not str:
            raise InvalidArgument("'id' must be a string.")
        signature = servable.signature
        feeds = read_inputs(request, signature)
        names = read_output_names(request, signature)
        outputs = await self.inference.run(servable, feeds, names)
        written = [write_output(signature.output[name], outputs[name]) for name in names]
        return (
            {"outputs": written} if identifier is None else {"id": identifier, "outputs": written}
        )


def read_inputs(
    request: Mapping[str, Any], signature: Signature
) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs by name of a request's "inputs".

    Raises:
        InvalidArgument: One is malformed, unknown, twice there, or has another datatype.
    """
    tensors = request.get("inputs")
    if type(tensors) is not list or not tensors:
        raise InvalidArgument(
            "'inputs' must be a list of tensors with name, shape, datatype and data."
        )
    feeds: dict[str, np.ndarray[Any, Any]] = {}
    for tensor in tensors:
        name = tensor.get("name") if type(tensor) is dict else None
        if type(name) is not str:
            raise InvalidArgument("Every input must be an object with a 'name'.")
        if name not in signature.input:
            raise InvalidArgument(
                f"There is no input {name!r}; inputs are: {', '.join(signature.input)}."
            )
        if name in feeds:
            raise InvalidArgument(f"Input {name!r} is given twice.")
        feeds[name] = _read(tensor, signature.input[name])
    return feeds


def read_output_names(request: Mapping[str, Any], signature: Signature) -> list[str]:
    """The outputs that a request asks for; all where it does not say.

    Raises:
        InvalidArgument: One is malformed or unknown.
    """
    wanted = request.get("outputs") or [{"name": name} for name in signature.output]
    if type(wanted) is not list:
        raise InvalidArgument("'outputs' must be a list of objects with a 'name'.")
    names = []
    for output in wanted:
        name = output.get("name") if type(output) is dict else None
        if type(name) is not str or name not in signature.output:
            raise InvalidArgument(
                f"There is no output {name!r}; outputs are: {', '.join(signature.output)}."
            )
        names.append(name)
    return names


def write_output(spec: TensorSpec, value: Any) -> dict[str, Any]:
    """Write an output as a tensor object.

    Raises:
        InvalidArgument: It is not a tensor.
    """
    if spec.element is None:
        raise InvalidArgument(
            f"Output {spec.name!r} is {spec.type}: ask for the other outputs only."
        )
    array = np.asarray(value)
    data = to_json(array.reshape(-1))
    return {"name": spec.name, "datatype": spec.element.v2, "shape": array.shape, "data": data}


def _read(tensor: Mapping[str, Any], spec: TensorSpec) -> np.ndarray[Any, Any]:
    """The data of one input, flat or nested, in the shape that it says it has."""
    if spec.element is None:
        raise Unimplemented(f"Input {spec.name!r} is {spec.type}: the protocol has no form for it.")
    if tensor.get("datatype") != spec.element.v2:
        raise InvalidArgument(
            f"Input {spec.name!r} is {spec.element.v2}, given is {tensor.get('datatype')!r}."
        )
    shape = tensor.get("shape")
    if type(shape) is not list or not all(type(size) is int and size >= 0 for size in shape):
        raise InvalidArgument(f"Input {spec.name!r} needs a 'shape': a list of sizes.")
    if "data" not in tensor:
        raise InvalidArgument(f"Input {spec.name!r} has no 'data'.")
    array = from_json(tensor["data"], spec.element)
    if array.shape == tuple(shape):
        return array
    if array.ndim > 1 or array.size != math.prod(shape):
        raise InvalidArgument(
            f"Input {spec.name!r} says shape {shape}; its data has shape {list(array.shape)}."
        )
    return array.reshape(shape)


def _target(match: re.Match[str]) -> tuple[str, int | None]:
    """The model and version that a path asks for."""
    return unquote(match["model"]), read_version(match["version"])


def _expect(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise MethodNotAllowed(method, allowed)


def _write_spec(spec: TensorSpec) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in spec.shape or ()]
    datatype = spec.element.v2 if spec.element else spec.type
    return {"name": spec.name, "datatype": datatype, "shape": shape}
