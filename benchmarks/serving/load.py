"""The load: wrk, a number of connections that each ask again as soon as they are answered."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
_MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True)
class Body:
    """What is posted.

    Attributes:
        file: The bytes.
        header: How many of them are JSON, where raw tensors follow.
    """

    file: Path
    header: int | None = None


@dataclass(frozen=True)
class Result:
    """What wrk saw: requests per second, and the median latency in microseconds."""

    rate: float
    median: float


def post(
    port: int, paths: Sequence[str], body: Body, connections: int = 16, seconds: float = 2.0
) -> Result:
    """Load a server on this machine.

    Args:
        port: Where it listens.
        paths: Asked in turn.
        body: Posted to each.
        connections: How many ask at the same time.
        seconds: For how long, in whole seconds.

    Raises:
        SystemExit: wrk is missing, or an answer was an error.
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk makes the load and is missing: apt-get install wrk")
    environment = {**os.environ, "BODY": str(body.file), "PATHS": " ".join(paths)}
    if body.header is not None:
        environment["HEADER"] = str(body.header)
    command = [
        "wrk",
        "--latency",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:.0f}s",
        "-s",
        str(SCRIPT),
    ]
    text = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    if "Non-2xx" in text or "Socket errors" in text or rate is None or median is None:
        raise SystemExit(f"{paths[0]} on port {port} did not answer all requests well:\n{text}")
    return Result(float(rate[1]), float(median[1]) * _MICROSECONDS[median[2]])
