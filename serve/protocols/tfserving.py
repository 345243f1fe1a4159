"""TensorFlow Serving's REST API.

The paths and the messages are those of TensorFlow Serving's own `http_rest_api_util.cc`; its
documentation is https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from serve.errors import InvalidArgument, NotFound
from serve.executions import rows_in
from serve.infer import Inference
from serve.manager import Manager
from serve.metrics import Metrics
from serve.observation import Observation
from serve.policy import State, VersionState
from serve.protocols.examples import check_method, read_examples, write_amounts, write_classes
from serve.protocols.http import (
    Answer,
    Receive,
    Scope,
    Send,
    header,
    read_body,
    read_version,
    respond,
)
from serve.protocols.overload import refuse_unread
from serve.protocols.quick_rows import QuickRows
from serve.protocols.tfserving_tensors import (
    read_columns,
    read_rows,
    write_columns,
    write_rows,
)
from serve.servable import Feeds
from serve.signature import Signature
from serve.tensors import TensorSpec, loads
from serve.version import Handle

_TARGET = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_TARGET}:(?P<verb>classify|regress|predict)", re.IGNORECASE
)
_MODELS = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_TARGET}(?P<metadata>/metadata)?", re.IGNORECASE
)
_SIGNATURE = "serving_default"
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (b"access-control-allow-headers", b"Content-Type"),
)


class TFServing:
    """An ASGI application for everything under `/v1/`.

    Args:
        manager: Lends the models.
        inference: Runs them.
        metrics: Counts the requests.
        max_body_bytes: The longest body of a request.
        cors: Whether scripts of other sites may ask.
    """

    def __init__(
        self,
        manager: Manager,
        inference: Inference,
        metrics: Metrics,
        max_body_bytes: int,
        cors: bool = False,
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.metrics = metrics
        self.max_body_bytes = max_body_bytes
        self._headers = _CORS if cors else ()
        self._quick_rows = QuickRows()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(self._answer, scope, receive, send, self._headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        # The original matches the encoded path with its query; so an encoded slash is no slash.
        path = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode("latin-1")
        method = scope["method"]
        if method == "POST" and (match := _PREDICT.fullmatch(path)):
            if self.inference.refused_lately:
                borrow = partial(self._handle, match)
                refuse_unread(borrow, self.inference, self.metrics, "tfserving")
            return await self._infer(match, await read_body(scope, receive, self.max_body_bytes))
        if method == "GET" and (match := _MODELS.fullmatch(path)):
            return self._describe(match)
        if method == "OPTIONS":
            return _answer_preflight(scope)
        raise InvalidArgument(f"Malformed request: {method} {path}")

    async def _infer(self, match: re.Match[str], body: bytes) -> Answer:
        with self.metrics.request("tfserving") as observation, self._handle(match) as handle:
            observation.answered_by(handle)
            observation.verb = match["verb"].lower()
            return Answer(await self._compute(body, handle, observation))

    async def _compute(self, body: bytes, handle: Handle, observation: Observation) -> Any:
        verb = observation.verb
        if verb == "predict":
            feeds = self._quick_rows.read(body, handle.servable.signature)
            if feeds is not None:
                return {"predictions": write_rows(await self._run(handle, feeds, observation))}
        request = loads(body)
        if type(request) is not dict:
            raise InvalidArgument("The request must be a JSON object.")
        _check_signature_name(request)
        answer = self._predict if verb == "predict" else self._judge
        return await answer(request, handle, observation)

    async def _run(
        self,
        handle: Handle,
        feeds: Feeds,
        observation: Observation,
        names: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        observation.has_read(rows_in(feeds))
        outputs = await self.inference.run(handle.servable, feeds, names, observation.arrived)
        observation.has_computed()
        return outputs

    async def _predict(
        self, request: Mapping[str, Any], handle: Handle, observation: Observation
    ) -> dict[str, Any]:
        signature = handle.servable.signature
        if ("instances" in request) == ("inputs" in request):
            problem = "Missing" if "inputs" not in request else "Request has both"
            raise InvalidArgument(f"{problem} 'inputs' or 'instances' key")
        if "instances" in request:
            feeds = read_rows(request["instances"], signature)
            return {"predictions": write_rows(await self._run(handle, feeds, observation))}
        feeds = read_columns(request["inputs"], signature)
        return {"outputs": write_columns(await self._run(handle, feeds, observation))}

    async def _judge(
        self, request: Mapping[str, Any], handle: Handle, observation: Observation
    ) -> dict[str, Any]:
        """Classify or regress."""
        signature = handle.servable.signature
        check_method(observation.verb, signature)
        first = signature.outputs[0].name
        feeds = read_examples(request, signature)
        outputs = await self._run(handle, feeds, observation, [first])
        if observation.verb == "classify":
            return {"results": write_classes(outputs, signature)}
        return {"results": write_amounts(outputs)}

    def _handle(self, match: re.Match[str]) -> Handle:
        """Borrow what a path asks for: the newest version, or that of a number or a label."""
        label = None if match["label"] is None else unquote(match["label"])
        return self.manager.handle(*self._version(match), label)

    def _version(self, match: re.Match[str]) -> tuple[str, int | None]:
        """The model and version; clients of OpenVINO Model Server call the newest version 0."""
        model, version = unquote(match["model"]), read_version(match["version"])
        if version == 0 and all(known.version for known in self.manager.status(model)):
            return model, None
        return model, version

    def _describe(self, match: re.Match[str]) -> Answer:
        if match["model"] is None:
            if match["metadata"] or match["version"] or match["label"]:
                raise InvalidArgument("Missing model name in request.")
            return Answer(
                {"models": [{"name": m, **self._status(m)} for m in self.manager.models()]}
            )
        if not match["metadata"]:  # the original ignores a label here
            return Answer(self._status(*self._version(match)))
        with self._handle(match) as handle:
            spec = {"name": handle.model, "signature_name": "", "version": str(handle.version)}
            metadata = {"signature_def": write_signature(handle.servable.signature)}
            return Answer({"model_spec": spec, "metadata": metadata})

    def _status(self, model: str, version: int | None = None) -> dict[str, Any]:
        versions = [v for v in self.manager.status(model) if version in (None, v.version)]
        if not versions:
            raise NotFound(f"Could not find version {version} of model {model}")
        return {"model_version_status": [_write_state(v) for v in versions]}


def write_signature(signature: Signature) -> dict[str, Any]:
    """Write a signature as TensorFlow Serving's metadata has it."""
    return {
        "signature_def": {
            _SIGNATURE: {
                "inputs": {spec.name: _write_spec(spec) for spec in signature.inputs},
                "outputs": {spec.name: _write_spec(spec) for spec in signature.outputs},
                "method_name": f"tensorflow/serving/{signature.task}",
            }
        }
    }


def _answer_preflight(scope: Scope) -> Answer:
    """Answer a browser that asks first whether it may; the headers say so, or their absence does."""
    origin = header(scope, b"origin")
    if origin is None or not origin.lower().startswith((b"http://", b"https://")):
        raise InvalidArgument("Origin header is missing in CORS preflight")
    return Answer(None)


def _check_signature_name(request: Mapping[str, Any]) -> None:
    name = request.get("signature_name", _SIGNATURE)
    if type(name) is not str:
        raise InvalidArgument("'signature_name' key must be a string value.")
    if name and name != _SIGNATURE:
        raise InvalidArgument(
            f'Serving signature name: "{name}" not found in signature def. '
            f'The one of a model here is "{_SIGNATURE}".'
        )


def _write_spec(spec: TensorSpec) -> dict[str, Any]:
    sizes = [size if isinstance(size, int) else -1 for size in spec.shape or ()]
    shape = {
        "dim": [{"size": str(size), "name": ""} for size in sizes],
        "unknown_rank": spec.shape is None,
    }
    dtype = spec.element.tfs if spec.element else "DT_VARIANT"
    return {"dtype": dtype, "tensor_shape": shape, "name": spec.name}


def _write_state(version: VersionState) -> dict[str, Any]:
    failed = version.state is State.END and version.error
    status = {
        "error_code": "INTERNAL" if failed else "OK",
        "error_message": version.error or version.note,
    }
    return {"version": str(version.version), "state": version.state, "status": status}
