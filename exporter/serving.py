"""A server in a process of its own, for as long as a question takes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from exporter.errors import ExportError

START_SECONDS = 30.0
_ANNOUNCEMENT = "serving on "
# A proxy that the environment names is none of ours: the server is on this machine.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def server(root: Path, name: str) -> Iterator[str]:
    """Serve one model of a folder on a free port of this machine, and stop at the end of the block.

    Yields:
        The address, `http://127.0.0.1:<port>`, once the model answers.

    Raises:
        ExportError: The server does not start; the message is what it said.
    """
    command = [sys.executable, "-m", "serve", "--model-base-path", str(root), "--model-name", name]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        address = _address(process)
        _wait_until_ready(f"{address}/v2/models/{name}/ready")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(url: str, question: Any) -> Any:
    """Send JSON and return the JSON of the answer.

    Raises:
        ExportError: The server answers with an error.
    """
    request = urllib.request.Request(url, json.dumps(question).encode())
    try:
        with _direct.open(request, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace").strip()
        raise ExportError(f"The server answered {error.code}: {said}") from error
    except OSError as error:
        raise ExportError(f"The server at {url} does not answer: {error}.") from error


def _address(process: subprocess.Popen[str]) -> str:
    """What the server says it serves on; a thread keeps reading, so that its output never blocks it."""
    assert process.stdout is not None
    lines: Queue[str | None] = Queue()

    def read(stream: Any) -> None:
        for line in stream:
            lines.put(line.strip())
        lines.put(None)

    threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    said: list[str] = []
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0.01))
        except Empty:
            line = None
        if line is None:
            raise ExportError(f"The server did not start: {' '.join(said) or 'it said nothing'}.")
        if line.startswith(_ANNOUNCEMENT):
            return line.removeprefix(_ANNOUNCEMENT)
        said.append(line)


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with _direct.open(url, timeout=5):
                return
        except (urllib.error.HTTPError, OSError) as error:
            if time.monotonic() > deadline:
                raise ExportError(f"The model is not served: {error}.") from error
            time.sleep(0.05)
