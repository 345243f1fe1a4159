"""The real server in a process of its own, and a client that asks as anybody would."""

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

PATIENCE = 60.0  # on a machine that has much else to do


def wait_until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited too long until {what}"
        time.sleep(0.01)


def resident(pid: int) -> int:
    """The bytes of memory that a process has."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Client:
    """Keeps one connection; not for several threads."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.headers: dict[str, str] = {}

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the parsed answer."""
        if body is not None and not isinstance(body, str | bytes):
            body = json.dumps(body)
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        content = answer.read()
        return answer.status, json.loads(content) if content else None

    def get(self, path: str) -> tuple[int, Any]:
        return self.ask("GET", path)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self.ask("POST", path, body)

    def post_gzip(self, path: str, body: Any) -> tuple[int, Any]:
        packed = gzip.compress(json.dumps(body).encode())
        return self.ask("POST", path, packed, {"Content-Encoding": "gzip"})

    def predict(self, model: str, instances: Any) -> Any:
        status, answer = self.post(f"/v1/models/{model}:predict", {"instances": instances})
        assert status == 200, answer
        return answer["predictions"]

    def is_available(self, model: str, version: int | None = None) -> bool:
        target = "" if version is None else f"/versions/{version}"
        return self.get(f"/v2/models/{model}{target}/ready")[0] == 200

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        self.connection.request("GET", "/metrics")
        lines = self.connection.getresponse().read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(name + " "))

    def close(self) -> None:
        self.connection.close()


class Server:
    """`python -m serve` on a free port; leaving the `with` block ends it and checks how it ended."""

    def __init__(self, models: Path, *flags: str, **environment: str) -> None:
        command = [sys.executable, "-m", "serve", "--port", "0", "--host", "127.0.0.1"]
        command += ["--model-base-path", str(models), "--poll-interval", "0.05", *flags]
        ours = {k: v for k, v in os.environ.items() if not k.startswith("TAPELINE_")}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdout=pipe, stderr=pipe, text=True, env={**ours, **environment}
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._readers = [
            threading.Thread(target=self.lines.extend, args=[self.process.stdout], daemon=True),
            threading.Thread(target=self.errors.extend, args=[self.process.stderr], daemon=True),
        ]
        self.port = 0
        self._clients: list[Client] = []

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        wait_until(lambda: self._address() or self.process.poll() is not None, "it serves")
        assert self._address(), "".join(self.errors)
        self.port = urlsplit(self._address()).port or 0
        return self

    def __exit__(self, *error: object) -> None:
        for client in self._clients:
            client.close()
        if self.process.poll() is None:
            assert self.stop() == 0, "".join(self.errors)

    def client(self) -> Client:
        """A client of one's own; closed with the server at the latest."""
        self._clients.append(Client(self.port))
        return self._clients[-1]

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE)
        for reader, stream in zip(
            self._readers, (self.process.stdout, self.process.stderr), strict=True
        ):
            reader.join()
            if stream is not None:
                stream.close()
        return code

    def _address(self) -> str:
        news = [line for line in self.lines if line.startswith("serving on ")]
        return news[0].removeprefix("serving on ").strip() if news else ""
