"""The application: FastAPI with the protocols in front, and the parts they share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from serve import __version__
from serve.access import Access, identifiers
from serve.errors import ServeError
from serve.infer import Inference
from serve.keys import Keys
from serve.loader import Loader, open_source
from serve.manager import Manager
from serve.metrics import CONTENT_TYPE, Metrics
from serve.openapi import document
from serve.policy import State
from serve.protocols.http import Application, Receive, Scope, Send, refuse
from serve.protocols.statistics import Statistics
from serve.protocols.tfserving import TFServing
from serve.protocols.v2 import V2
from serve.queues import Queues
from serve.settings import Settings
from serve.states import States
from serve.tensors import dumps
from serve.tfserving_metrics import TFServingMetrics
from serve.triton_metrics import TritonMetrics

METRICS_PATHS = ("/metrics", "/monitoring/prometheus/metrics")  # the second is TensorFlow Serving's


class ServeApplication(FastAPI):
    """FastAPI, but paths of a protocol go straight to it: routing and decoding would cost more.

    Attributes:
        settings: What it was made with.
        loader: Makes servables.
        manager: Has them made while the application's lifespan lasts.
        inference: Runs them.
        metrics: What Prometheus is told.
        keys: Who may ask for what; None where everybody may.
        draining: Set when the server is about to stop: from then on it is not ready.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            title="tapeline",
            version=__version__,
            lifespan=_lifespan,
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        )
        self.settings = settings
        self.draining = False
        self.keys = Keys.read(settings.api_keys_file) if settings.api_keys_file else None
        self.loader = Loader(settings)
        self.inference = Inference(
            settings.thread_budget, self.loader.batching, settings.request_timeout
        )
        self.manager = Manager(
            open_source(settings),
            self.loader,
            settings.poll_interval,
            settings.load_retries,
            settings.load_retry_interval,
        )
        self.metrics = Metrics()
        statistics = Statistics(self.inference)
        for collector in (
            States(self.manager),
            Queues(self.manager, self.inference),
            TFServingMetrics(self.manager, self.inference, self.metrics.records.tfserving),
            TritonMetrics(self.manager, self.inference, statistics),
        ):
            self.metrics.registry.register(collector)
        shared = self.manager, self.inference, self.metrics
        limit = settings.max_body_bytes
        self._v1: Application = TFServing(*shared, limit, settings.cors)
        self._v2: Application = V2(
            *shared, statistics, self.is_ready, limit, settings.model_control, settings.cors
        )
        reading = ["GET", "HEAD"]
        for path in METRICS_PATHS:
            self.add_api_route(path, self._render_metrics, methods=reading)
        self.add_api_route("/openapi.json", self._describe, methods=reading)
        # Relative, so that it holds behind a proxy that serves all this under a path of its own.
        for path in ("/", "/docs"):
            self.add_api_route(path, lambda: RedirectResponse("docs/"), methods=reading)
        # The package brings Swagger UI, which FastAPI alone would load from another site.
        page = StaticFiles(packages=[("serve", "page"), ("fastapi_offline", "static")], html=True)
        self.mount("/docs", page)
        self.add_exception_handler(HTTPException, _explain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "http":
            echoed = identifiers(scope["headers"])
            if echoed or self.settings.access_log:
                access = Access(scope, send, echoed)
                try:
                    return await self._answer(scope, receive, access.send)
                finally:
                    if self.settings.access_log:
                        access.log()
        await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["raw_path"] if scope["type"] == "http" else b""
        if self.keys is not None and path and scope["method"] != "OPTIONS":
            try:
                self.keys.check(scope["path"], scope["headers"])
            except ServeError as error:
                await refuse(error, send)
                return
        if path[:4].lower() == b"/v1/":
            await self._v1(scope, receive, send)
        elif path == b"/v2" or path.startswith(b"/v2/"):
            await self._v2(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def is_ready(self) -> bool:
        """Say whether the server wants traffic."""
        return not self.draining and self.manager.is_ready()

    def _describe(self) -> Response:
        keys, control = self.keys is not None, self.settings.model_control
        described = document(self.manager, __version__, keys=keys, control=control)
        return Response(dumps(described), media_type="application/json")

    def _render_metrics(self) -> Response:
        gone = (State.START, State.END)
        states = self.manager.states()
        self.metrics.records.keep(
            {(m, view.version) for m, view in states if view.state not in gone}
        )
        return Response(self.metrics.render(), headers={"Content-Type": CONTENT_TYPE})


def create_app(settings: Settings | None = None) -> ServeApplication:
    """Make the ASGI application that serves a folder of models.

    Args:
        settings: Defaults to what the environment says.

    Raises:
        SettingsError: The environment says something wrong.
    """
    return ServeApplication(settings or Settings.read())


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    assert isinstance(app, ServeApplication)
    app.manager.start()
    try:
        yield
    finally:
        app.inference.close()
        app.loader.close()
        app.manager.stop()


def _explain(request: Request, error: Exception) -> Response:
    """An error in the form that both protocols have, and what there is instead."""
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code == 404:
        message = (
            f"There is no {request.url.path} here: models are asked under /v1 (TensorFlow Serving) "
            "or /v2 (Open Inference Protocol); /docs shows how."
        )
    body = dumps({"error": message})
    return Response(body, error.status_code, error.headers, media_type="application/json")
