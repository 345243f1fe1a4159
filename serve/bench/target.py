"""What is asked: finds the model behind a URL, its inputs, and makes a request of them."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from serve.bench.body import Body, examples, given, tensors
from serve.errors import BenchError

_TIMEOUT = 60.0
_SHOWN = 300  # characters of what a server answers


@dataclass(frozen=True)
class Target:
    """A request, ready to be sent, and where to.

    Attributes:
        host: The server's name or address.
        port: The server's port.
        tls: What HTTPS needs; None for HTTP.
        path: What is asked.
        request: Head and body.
        summary: What the body holds.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    path: str
    request: bytes
    summary: str

    @property
    def address(self) -> str:
        """Where it is, as in a URL."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.host}:{self.port}"


def find(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Target:
    """Make the request for a URL, and see that it is answered.

    Args:
        url: A server, if it has one model; else a model of TensorFlow Serving's API
            (`/v1/models/NAME`) or of the Open Inference Protocol (`/v2/models/NAME`). With a
            body, anything.
        body: What to send. Defaults to random values of the types and shapes that the server says
            the model takes.
        headers: Sent with each request.

    Raises:
        BenchError: Nobody answers, or not with success.
    """
    server = _Server(url, headers or {})
    try:
        if body is not None:
            path, content = _verb(server.path or "/"), given(body)
        else:
            path, content = _ask_for_body(server)
        status, answer = server.ask("POST", path, content)
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{server.address} does not answer: {error}.") from error
    finally:
        server.close()
    if not 200 <= status < 300:
        text = answer.decode("utf-8", "replace")[:_SHOWN]
        raise BenchError(
            f"{server.address}{path} answers {content.summary} with {status}: {text}"
            + ("" if body is not None else " Give a request that fits with --body FILE.")
        )
    request = server.head("POST", path, content) + content.content
    return Target(server.host, server.port, server.tls, path, request, content.summary)


class _Server:
    """Asks a server a few things before it is measured."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        self.host, self.port = self._place(url, parts)
        self.path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
        self.headers = headers
        self.refusal = ""  # its last one, in its own words
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._connection = (
            http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT)
            if self.tls is None
            else http.client.HTTPSConnection(
                self.host, self.port, timeout=_TIMEOUT, context=self.tls
            )
        )

    @staticmethod
    def _place(url: str, parts: SplitResult) -> tuple[str, int]:
        try:
            if parts.scheme in ("http", "https") and parts.hostname:
                return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:  # the port
            pass
        raise BenchError(f"{url!r} is no URL of a server: try http://127.0.0.1:8501.")

    @property
    def address(self) -> str:
        """The URL without a path."""
        return f"{'http' if self.tls is None else 'https'}://{self.host}:{self.port}"

    def head(self, method: str, path: str, body: Body) -> bytes:
        """The head of a request, to the byte."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{self.port}"]
        lines += [f"{n}: {v}" for n, v in {**body.headers, **self.headers}.items()]
        lines += [f"Content-Length: {len(body.content)}", "", ""]
        return "\r\n".join(lines).encode("latin-1")

    def ask(self, method: str, path: str, body: Body | None = None) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        headers = {**(body.headers if body else {}), **self.headers}
        content = body.content if body else None
        self._connection.request(method, path, content, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def json(self, path: str, method: str = "GET") -> Any:
        """What a path answers; None where it is not JSON with status 200."""
        status, content = self.ask(method, path)
        try:
            value = json.loads(content)
        except ValueError:
            return None
        if status == 200:
            return value
        if type(value) is dict and type(value.get("error")) is str:
            self.refusal = f" ({value['error'][:_SHOWN]})"
        return None

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def _ask_for_body(server: _Server) -> tuple[str, Body]:
    """The path to ask and a body for it, by what the server says of the model."""
    path = server.path
    if path in ("", "/v1", "/v1/models", "/v2", "/v2/models"):
        path = _only_model(server, path)
    model = path.removesuffix("/infer").removesuffix(":predict")
    if model.startswith("/v2/models/"):
        metadata = server.json(model)
        if type(metadata) is dict and "inputs" in metadata:
            described = server.json("/v2") or {}
            binary = "binary_tensor_data" in described.get("extensions", ())
            return f"{model}/infer", tensors(metadata["inputs"], binary)
    elif model.startswith("/v1/models/"):
        metadata = server.json(f"{model}/metadata")
        if type(metadata) is dict and "metadata" in metadata:
            definitions = metadata["metadata"]["signature_def"]["signature_def"]
            signature = definitions.get("serving_default") or next(iter(definitions.values()))
            return f"{model}:predict", examples(signature)
    raise BenchError(
        f"{server.address}{path} does not say what it takes{server.refusal}: name a model of the server "
        "(/v1/models/NAME or /v2/models/NAME), or give a request with --body FILE."
    )


def _only_model(server: _Server, path: str) -> str:
    """The path of the one model that a server has."""
    names: list[str] = []
    listed = server.json("/v1/models")
    if type(listed) is dict and type(listed.get("models")) is list:  # not in the original
        names = [entry["name"] for entry in listed["models"]]
    else:
        index = server.json("/v2/repository/index", "POST")
        if type(index) is list:
            names = list(dict.fromkeys(entry["name"] for entry in index))
    if len(names) == 1:
        return f"{path[:3] or '/v2'}/models/{quote(names[0], safe='')}"
    found = f"has these models: {', '.join(sorted(names))}" if names else "does not list models"
    raise BenchError(
        f"{server.address} {found}. Name one: {server.address}/v2/models/"
        f"{quote(min(names, default='NAME'))}"
    )


def _verb(path: str) -> str:
    """Complete the path of a model by what it is asked for."""
    if path.startswith("/v1/models/") and ":" not in path.rpartition("/")[2]:
        return f"{path}:predict"
    if path.startswith("/v2/models/") and not path.endswith("/infer"):
        return f"{path}/infer"
    return path
