"""The Open Inference Protocol, version 2, over REST.

The specification is https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from serve import __version__
from serve.errors import Forbidden, InvalidArgument, MethodNotAllowed, NotFound, Unimplemented
from serve.infer import Inference
from serve.manager import Manager
from serve.metrics import Metrics
from serve.policy import State
from serve.protocols.http import (
    Answer,
    Receive,
    Scope,
    Send,
    read_body,
    read_version,
    respond,
    wanted_coding,
)
from serve.protocols.overload import refuse_unread
from serve.protocols.sequences import parts_of
from serve.protocols.statistics import Statistics
from serve.protocols.v2_inference import V2Inference
from serve.protocols.v2_management import LogSettings, config, index
from serve.tensors import TensorSpec, loads
from serve.version import Handle

_MODEL = re.compile(
    r"/v2/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?:/(?P<verb>ready|infer|stats|config))?"
)
_CONTROL = re.compile(r"/v2/repository/models/(?P<model>[^/]+)/(?P<verb>load|unload)")
_PLATFORM = "onnx_onnxv1"
_CORS = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"POST, GET"),
    (
        b"access-control-allow-headers",
        b"Content-Type, Authorization, X-API-Key, Inference-Header-Content-Length",
    ),
    (b"access-control-expose-headers", b"Inference-Header-Content-Length"),
)
EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
    "logging",
)


class V2:
    """An ASGI application for everything under `/v2`.

    Args:
        manager: Lends the models.
        inference: Runs them.
        metrics: Counts the requests.
        statistics: What each version has done, for clients that ask.
        is_ready: Says whether the server wants traffic.
        max_body_bytes: The longest body of a request.
        model_control: Whether clients may load and unload models and set the log.
        cors: Whether scripts of other sites may ask.
    """

    def __init__(
        self,
        manager: Manager,
        inference: Inference,
        metrics: Metrics,
        statistics: Statistics,
        is_ready: Callable[[], bool],
        max_body_bytes: int,
        model_control: bool = False,
        cors: bool = False,
    ) -> None:
        self.manager = manager
        self.inference = inference
        self.metrics = metrics
        self.statistics = statistics
        self.is_ready = is_ready
        self.max_body_bytes = max_body_bytes
        self.model_control = model_control
        self._headers = _CORS if cors else ()
        self._requests = V2Inference(inference)
        self.log_settings = LogSettings(logging.getLogger("serve"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await respond(self._answer, scope, receive, send, self._headers)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["raw_path"].decode("latin-1").rstrip("/"), scope["method"]
        if method == "OPTIONS" and self._headers:  # a browser asks first whether it may
            return Answer(None)
        match = _MODEL.fullmatch(path)
        if path == "/v2/models/stats":
            match = None  # of all models, and not a model of this name
        if match is not None and match["verb"] == "infer":
            _expect(method, "POST")
            if self.inference.refused_lately:
                refuse_unread(
                    lambda: self.manager.handle(*_target(match)),
                    self.inference,
                    self.metrics,
                    "v2",
                )
            return await self._infer(
                scope, match, await read_body(scope, receive, self.max_body_bytes)
            )
        if match is not None:
            _expect(method, "GET", "HEAD")
            return self._describe(match)
        control = _CONTROL.fullmatch(path)
        if path in ("/v2/repository/index", "/v2/logging") or control is not None:
            return await self._manage(control, path, scope, receive)
        answer = {
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/v2/models/stats": self._all_statistics,
        }
        if path not in answer:
            raise NotFound(f"There is no {path} in the Open Inference Protocol.")
        _expect(method, "GET", "HEAD")
        return answer[path]()

    def _server(self) -> Answer:
        return Answer({"name": "tapeline", "version": __version__, "extensions": list(EXTENSIONS)})

    def _live(self) -> Answer:
        return Answer({"live": True})

    def _ready(self) -> Answer:
        ready = self.is_ready()
        return Answer({"ready": ready}, 200 if ready else 503)

    def _describe(self, match: re.Match[str]) -> Answer:
        model, version = _target(match)
        if match["verb"] == "ready":
            return self._model_ready(model, version)
        if match["verb"] == "stats":
            return Answer({"model_stats": self._statistics(model, version)})
        with self.manager.handle(model, version) as handle:
            if match["verb"] == "config":
                return Answer(config(handle, self.manager.source.config(model).policy))
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
            "inputs": _write_specs(signature.inputs),
            "outputs": _write_specs(signature.outputs),
        }

    def _statistics(self, model: str, version: int | None = None) -> list[dict[str, Any]]:
        states = [v for v in self.manager.status(model) if version in (None, v.version)]
        available = [v.version for v in states if v.state is State.AVAILABLE]
        if not available and version is not None:
            raise NotFound(f"Could not find version {version} of model {model}")
        entries = []
        for number in sorted(available):
            with suppress(NotFound), self.manager.handle(model, number) as handle:
                entries.append(self.statistics.write(handle))  # unless unloaded in this moment
        return entries

    def _all_statistics(self) -> Answer:
        stats = [entry for model in self.manager.models() for entry in self._statistics(model)]
        return Answer({"model_stats": stats})

    async def _manage(
        self, control: re.Match[str] | None, path: str, scope: Scope, receive: Receive
    ) -> Answer:
        """Answer what is for operators; what changes something must be allowed."""
        method = scope["method"]
        if path == "/v2/logging" and method == "GET":
            return Answer(self.log_settings.show())
        _expect(method, "POST", *(["GET"] if path == "/v2/logging" else []))
        if path != "/v2/repository/index" and not self.model_control:
            raise Forbidden(
                "Clients may not load or unload models or set the log: "
                "the server was not started with --model-control."
            )
        body = await read_body(scope, receive, self.max_body_bytes)
        request = loads(body) if body.strip() else {}
        if type(request) is not dict:
            raise InvalidArgument("The request must be a JSON object.")
        if path == "/v2/repository/index":
            return Answer(index(self.manager, request))
        if path == "/v2/logging":
            self.log_settings.change(request)
            return Answer(self.log_settings.show())
        if control is not None:
            await self._control(unquote(control["model"]), control["verb"], request)
        return Answer(None)

    async def _control(self, model: str, verb: str, request: Mapping[str, Any]) -> None:
        """Load or unload a model that the source has; none can be brought along."""
        parameters = request.get("parameters", {})
        if type(parameters) is not dict:
            raise InvalidArgument("'parameters' must be an object.")
        if foreign := sorted(parameters.keys() - {"unload_dependents"}):
            raise Unimplemented(
                f"The parameter {foreign[0]!r} is not taken: files and settings of a model come "
                "from the model folder, never over the network."
            )
        act = self.manager.load if verb == "load" else self.manager.unload
        await asyncio.to_thread(act, model)

    async def _infer(self, scope: Scope, match: re.Match[str], body: bytes) -> Answer:
        with self.metrics.request("v2") as observation:
            model, version = _target(match)
            with self.manager.handle(model, version) as handle:
                observation.answered_by(handle)
                answer = await self._requests.answer(handle, scope, body, observation)
                answer.coding = wanted_coding(scope)
                return answer


def _target(match: re.Match[str]) -> tuple[str, int | None]:
    """The model and version that a path asks for."""
    return unquote(match["model"]), read_version(match["version"])


def _expect(method: str, *allowed: str) -> None:
    if method not in allowed:
        raise MethodNotAllowed(method, allowed)


def _write_specs(specs: Sequence[TensorSpec]) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": datatype, "shape": shape}
        for spec in specs
        for name, datatype, shape in parts_of(spec)
    ]
