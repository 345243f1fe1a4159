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
from typing import IO, Any

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
    lines: Queue[str | None] = Queue()
    # Keeps reading, so that what the server says never blocks it.
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        address = _address(lines)
        _wait_until_available(f"{address}/v1/models/{name}")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()


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


def _read(stream: IO[str], lines: Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line.strip())
    lines.put(None)


def _address(lines: Queue[str | None]) -> str:
    """What the server says it serves on."""
    said: list[str] = []
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            line = lines.get(timeout=max(deadline - time.monotonic(), 0.01))
        except Empty:
            line = None
        if line is None:
            raise ExportError(f"The server did not start: {' '.join(said) or 'it said nothing'}")
        if line.startswith(_ANNOUNCEMENT):
            return line.removeprefix(_ANNOUNCEMENT)
        said.append(line)


def _wait_until_available(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with _direct.open(url, timeout=5) as response:
                newest = json.load(response)["model_version_status"][0]
        except urllib.error.HTTPError as error:
            newest = {"state": f"unknown to the server ({error.code})"}
        if newest["state"] == "AVAILABLE":
            return
        if newest["state"] == "END":
            raise ExportError(f"The server refuses the model: {newest['status']['error_message']}")
        time.sleep(0.05)
    raise ExportError(f"The model is {newest['state']} after {START_SECONDS:.0f} s.")
