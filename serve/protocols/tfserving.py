"""TensorFlow Serving's REST API.

The paths, the formats and the messages are those of TensorFlow Serving's own sources
(`http_rest_api_util.cc`, `json_tensor.cc`); its documentation is
https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import numpy as np

from serve.errors import InvalidArgument, NotFound, Unimplemented
from serve.infer import Inference
from serve.manager import Handle, Manager
from serve.metrics import Metrics
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
from serve.protocols.statistics import Statistics, Watch, rows_of
from serve.servable import Feeds
from serve.signature import Signature
from serve.tensors import TensorSpec, from_json, is_base64, loads, to_json

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
        statistics: What each version has done, for clients of the other protocol that ask.
        max_body_bytes: The longest body of a request.
        cors: Whether scripts of other sites may ask.
    """

    def __init__(
        self,
        manager: Manager,
        inference: Inference,
        metrics: Metrics,
        statistics: Statistics,
        max_body_bytes: int,
        cors: bool = False,
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.metrics = metrics
        self.statistics = statistics
        self.max_body_bytes = max_body_bytes
        self._headers = _CORS if cors else ()

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
            return await self._infer(match, await read_body(scope, receive, self.max_body_bytes))
        if method == "GET" and (match := _MODELS.fullmatch(path)):
            return self._describe(match)
        if method == "OPTIONS":
            return _answer_preflight(scope)
        raise InvalidArgument(f"Malformed request: {method} {path}")

    async def _infer(self, match: re.Match[str], body: bytes) -> Answer:
        with self.metrics.request("tfserving") as observation, self._handle(match) as handle:
            observation.answered_by(handle)
            with self.statistics.watch(handle) as watch:
                request = loads(body)
                if type(request) is not dict:
                    raise InvalidArgument("The request must be a JSON object.")
                _check_signature_name(request)
                answer = self._predict if match["verb"].lower() == "predict" else self._judge
                return Answer(await answer(match["verb"].lower(), request, handle, watch))

    async def _run(
        self, handle: Handle, feeds: Feeds, watch: Watch, names: Sequence[str] | None = None
    ) -> dict[str, Any]:
        watch.lap()
        watch.rows = rows_of(feeds)
        outputs = await self.inference.run(handle.servable, feeds, names)
        watch.lap()
        return outputs

    async def _predict(
        self, _verb: str, request: Mapping[str, Any], handle: Handle, watch: Watch
    ) -> dict[str, Any]:
        signature = handle.servable.signature
        if ("instances" in request) == ("inputs" in request):
            problem = "Missing" if "inputs" not in request else "Request has both"
            raise InvalidArgument(f"{problem} 'inputs' or 'instances' key")
        if "instances" in request:
            feeds = read_rows(request["instances"], signature)
            return {"predictions": write_rows(await self._run(handle, feeds, watch))}
        feeds = read_columns(request["inputs"], signature)
        return {"outputs": write_columns(await self._run(handle, feeds, watch))}

    async def _judge(
        self, verb: str, request: Mapping[str, Any], handle: Handle, watch: Watch
    ) -> dict[str, Any]:
        """Classify or regress."""
        signature = handle.servable.signature
        check_method(verb, signature)
        first = signature.outputs[0].name
        outputs = await self._run(handle, read_examples(request, signature), watch, [first])
        if verb == "classify":
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


def read_rows(instances: Any, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs of the row format: a list of examples, each a value or an object of values.

    Args:
        instances: The parsed value of "instances".
        signature: What the model takes.

    Raises:
        InvalidArgument: It does not fit.
    """
    if type(instances) is not list:
        raise InvalidArgument("Expecting 'instances' to be an array/list.")
    if not instances:
        raise InvalidArgument("No values in 'instances' array.")
    if not _is_object(instances[0]):
        if len(signature.inputs) != 1:
            raise InvalidArgument(
                f"instances must be objects; keys must be equal to: {_names(signature)}"
            )
        return {signature.inputs[0].name: _read(instances, signature.inputs[0])}
    if not all(map(_is_object, instances)):
        raise InvalidArgument(
            "Mixed objects and values in 'instances': give all as one or the other."
        )
    names = instances[0].keys()
    fits = signature.required <= names <= signature.input.keys()
    if not fits or any(instance.keys() != names for instance in instances):
        raise InvalidArgument(f"instances object keys must be equal to: {_names(signature)}")
    return {n: _read([row[n] for row in instances], signature.input[n]) for n in names}


def read_columns(inputs: Any, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """Make inputs of the columnar format: a whole tensor, or an object of tensors by name.

    Args:
        inputs: The parsed value of "inputs".
        signature: What the model takes.

    Raises:
        InvalidArgument: It does not fit.
    """
    if not _is_object(inputs):
        if len(signature.inputs) != 1:
            raise InvalidArgument(f"'inputs' must be an object with the keys: {_names(signature)}")
        return {signature.inputs[0].name: _read(inputs, signature.inputs[0])}
    for spec in signature.inputs:
        if spec.name not in inputs and not spec.optional:
            raise InvalidArgument(f"Missing named input: {spec.name} in 'inputs' object.")
    return {s.name: _read(inputs[s.name], s) for s in signature.inputs if s.name in inputs}


def write_rows(outputs: Mapping[str, Any]) -> Any:
    """Write outputs in the row format: a list of values, or of objects where there are several.

    Raises:
        InvalidArgument: The outputs do not have the same number of rows.
    """
    rows: int | None = None
    for name, value in outputs.items():
        if isinstance(value, np.ndarray) and value.ndim == 0:
            raise InvalidArgument(f"Tensor name: {name} has no shape information ")
        if rows is None:
            rows = len(value)
        if len(value) != rows:
            raise InvalidArgument(
                f"Tensor name: {name} has inconsistent batch size: {len(value)} expecting: {rows}"
            )
    if len(outputs) == 1:
        return write_columns(outputs)
    columns = [[_write(name, row) for row in value] for name, value in outputs.items()]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]


def write_columns(outputs: Mapping[str, Any]) -> Any:
    """Write outputs in the columnar format: a value, or an object of values where there are several."""
    written = {name: _write(name, value) for name, value in outputs.items()}
    return next(iter(written.values())) if len(written) == 1 else written


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
        raise InvalidArgument(f'Serving signature name: "{name}" not found in signature def')


def _is_object(value: Any) -> bool:
    return type(value) is dict and not is_base64(value)


def _names(signature: Signature) -> str:
    return ",".join(sorted(signature.input))


def _read(value: Any, spec: TensorSpec) -> np.ndarray[Any, Any]:
    if spec.element is None:
        raise Unimplemented(f"Input {spec.name!r} is {spec.type}: JSON has no form for it.")
    return from_json(value, spec.element)


def _write(name: str, value: Any) -> Any:
    """An output as JSON; text becomes base64 where the name of the output says that it is bytes."""
    if isinstance(value, dict):  # of a seq(map(...)), as scikit-learn's converters make
        return {str(key): _write(name, item) for key, item in value.items()}
    if isinstance(value, list):
        return [_write(name, item) for item in value]
    if value is None:
        raise InvalidArgument(f"Tensor name: {name} has no value in this answer")
    array = np.asarray(value)
    if array.dtype.kind == "O" and name.endswith("_bytes"):
        return _base64(array.tolist())
    return to_json(array)


def _base64(value: Any) -> Any:
    if type(value) is list:
        return [_base64(item) for item in value]
    return {"b64": base64.b64encode(value.encode()).decode()}


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
