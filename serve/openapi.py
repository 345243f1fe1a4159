"""The OpenAPI document of what is served at this moment: real names, real shapes, requests that run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from serve.errors import NotFound
from serve.manager import Manager
from serve.policy import State
from serve.protocols import sample
from serve.signature import Signature
from serve.tensors import TensorSpec, describe
from serve.version import Handle

_SERVER = "server"
_ABOUT = (
    "Every model that is loaded now, by two protocols: TensorFlow Serving's REST API under `/v1` and "
    "the Open Inference Protocol under `/v2`. Open a request and press **Execute**: it runs as it is."
)
_ERRORS = (
    "**400** The request does not fit the model: the message says where. "
    "**404** There is no such model or version. "
    "**429** Too much is waiting: try again after the seconds of `Retry-After`. "
    "**503** It is not available now. **504** There was no result in time."
)
_JSON = "application/json"
_BYTES = "application/octet-stream"
_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}

Document = dict[str, Any]


def document(manager: Manager, version: str, *, keys: bool, control: bool) -> Document:
    """Describe the server and every version that can be asked.

    Args:
        manager: Knows them.
        version: The server's own.
        keys: Whether requests need an API key.
        control: Whether clients may load and unload models.
    """
    paths, tags = _server_paths(control), []
    for model in manager.models():
        with suppress(NotFound):  # unloaded in this moment
            states = [v.version for v in manager.status(model) if v.state is State.AVAILABLE]
            for place, number in enumerate(states):
                # The newest is asked without its number.
                tag, target = (f"{model} {number}", f"/versions/{number}") if place else (model, "")
                with manager.handle(model, number) as handle:
                    paths |= _model_paths(handle, tag, target)
                    tags.append({"name": tag, "description": _summary(handle)})
    described: Document = {
        "openapi": "3.1.0",
        "info": {"title": "tapeline", "version": version, "description": _ABOUT},
        "servers": [{"url": "."}],
        "tags": [*tags, {"name": _SERVER, "description": "The server and all its models"}],
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}},
    }
    if keys:
        scheme = {"type": "http", "scheme": "bearer", "description": "An API key of this server."}
        described["components"]["securitySchemes"] = {"key": scheme}
        described["security"] = [{"key": []}]
    return described


def _server_paths(control: bool) -> Document:
    paths: Document = {
        "/v1/models": {"get": _read(_SERVER, "All models and the states of their versions")},
        "/v2": {"get": _read(_SERVER, "The server's version and the extensions that it speaks")},
        "/v2/health/live": {"get": _read(_SERVER, "Whether the server runs")},
        "/v2/health/ready": {"get": _read(_SERVER, "Whether every model can be asked")},
        "/v2/models/stats": {"get": _read(_SERVER, "What every version has done so far")},
        "/v2/repository/index": {
            "post": _send(_SERVER, "All versions and their states", {"ready": False})
        },
        "/metrics": {"get": _read(_SERVER, "What Prometheus is told", "text/plain")},
    }
    if control:
        name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
        for verb in ("load", "unload"):
            operation = _send(_SERVER, f"{verb.capitalize()} a model of the folder", {})
            operation["parameters"] = [name]
            paths[f"/v2/repository/models/{{model}}/{verb}"] = {"post": operation}
    return paths


def _model_paths(handle: Handle, tag: str, target: str) -> Document:
    servable, name = handle.servable, quote(handle.model, safe="")
    signature = servable.signature
    v1, v2 = f"/v1/models/{name}{target}", f"/v2/models/{name}{target}"
    feeds = sample.sample(servable)
    paths: Document = {}
    if signature.task != "predict":
        body = None if feeds is None else sample.features(feeds)
        summary = f"{signature.task.capitalize()} (TensorFlow Serving)"
        paths[f"{v1}:{signature.task}"] = {"post": _send(tag, summary, body)}
    body = None if feeds is None else sample.tfserving(feeds, signature)
    predict = _send(tag, "Predict (TensorFlow Serving)", body)
    body = None if feeds is None else sample.v2(feeds, signature)
    infer = _send(tag, "Infer (Open Inference Protocol)", body)
    described = _describe(signature)
    if feeds is None:
        described += "\n\nThere is no example here: its inputs are too large to be shown as JSON."
    predict["description"] = infer["description"] = described
    if len(signature.required) == 1:
        infer["description"] += f"\n\nAs `{_BYTES}`, the body is nothing but the input's bytes."
        media = {"schema": {"type": "string", "format": "binary"}}
        content = infer["requestBody"]["content"]
        # First comes what the page offers: JSON, unless it is too much of it.
        infer["requestBody"]["content"] = (
            {_BYTES: media, **content} if feeds is None else {**content, _BYTES: media}
        )
    return {
        f"{v1}:predict": {"post": predict},
        f"{v2}/infer": {"post": infer},
        **paths,
        v1: {"get": _read(tag, "The states of its versions (TensorFlow Serving)")},
        f"{v1}/metadata": {"get": _read(tag, "Its inputs and outputs (TensorFlow Serving)")},
        v2: {"get": _read(tag, "Its inputs and outputs (Open Inference Protocol)")},
        f"{v2}/ready": {"get": _read(tag, "Whether it can be asked (Open Inference Protocol)")},
        f"{v2}/stats": {"get": _read(tag, "What it has done so far (Open Inference Protocol)")},
    }


def _read(tag: str, summary: str, kind: str = _JSON) -> Document:
    """An operation that only asks."""
    answer = {"description": "OK", "content": {kind: {}}}
    return {"tags": [tag], "summary": summary, "responses": {"200": answer}}


def _send(tag: str, summary: str, example: Any) -> Document:
    """An operation with a body of JSON, and an example of it where there is one."""
    operation = _read(tag, summary)
    media: Document = {"schema": {"type": "object"}}
    if example is not None:
        media["example"] = example
    operation["requestBody"] = {"required": True, "content": {_JSON: media}}
    failure = {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation["responses"]["default"] = {"description": _ERRORS, "content": failure}
    return operation


def _summary(handle: Handle) -> str:
    """A version in one line."""
    signature = handle.servable.signature
    inputs, outputs = map(_line, (signature.inputs, signature.outputs))
    return f"Version {handle.version}: {inputs} → {outputs}"


def _line(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {_datatype(spec)} {describe(spec.shape)}" for spec in specs)


def _describe(signature: Signature) -> str:
    """The inputs and outputs as a table in Markdown."""
    rows = ["| | name | datatype | shape |", "|---|---|---|---|"]
    for kind, specs in (("input", signature.inputs), ("output", signature.outputs)):
        rows += [
            f"| {'optional ' * spec.optional}{kind} | `{spec.name}` | {_datatype(spec)} "
            f"| {describe(spec.shape)} |"
            for spec in specs
        ]
    table = "\n".join(rows)
    return f"{table}\n\nClasses: {', '.join(signature.classes)}." if signature.classes else table


def _datatype(spec: TensorSpec) -> str:
    """The datatype as V2 has it, or the ONNX type of what is no tensor."""
    return spec.element.v2 if spec.element else spec.type
