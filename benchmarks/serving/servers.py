"""Starts each server in a process of its own, in an environment of its own, and waits until it answers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.load import Body

PEERS = Path(__file__).with_name("peers")
ROOT = PEERS.parents[2]
PATIENCE = 60.0
REQUIREMENTS = {
    "fastapi": ["fastapi", "uvicorn[standard]", "onnxruntime", "numpy"],
    "mlserver": ["mlserver", "onnxruntime", "numpy"],
    "triton": ["nvidia-pytriton==0.7.0", "onnxruntime", "numpy"],
}


@dataclass(frozen=True)
class Peers:
    """The environments of the peers, each made when it is first asked for.

    Attributes:
        home: The folder that holds them.
    """

    home: Path

    def python(self, peer: str) -> Path:
        """The interpreter that has a peer installed."""
        folder = self.home / peer
        python = folder / "bin" / "python"
        if not (folder / "ready").exists():
            print(f"installing {peer} into {folder}", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([_interpreter(peer), "-m", "venv", folder], check=True)
            install = [python, "-m", "pip", "install", "--quiet", *REQUIREMENTS[peer]]
            subprocess.run(install, check=True)
            (folder / "ready").touch()
        return python


@contextmanager
def tapeline(models: Path, probe: str, *flags: str) -> Iterator[int]:
    """Our server as it is delivered, access log off; gives its port.

    Args:
        models: The folder of models.
        probe: The model that must be there, and every other one with it.
        flags: More flags.
    """
    port = _free_port()
    command = [sys.executable, "-m", "serve", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--model-base-path", str(models), *flags]
    with _running(
        command, models.parent / "tapeline.log", f"http://127.0.0.1:{port}/v2/health/ready"
    ):
        _wait_for(f"http://127.0.0.1:{port}/v2/models/{probe}/ready")
        yield port


@contextmanager
def bare(work: Path) -> Iterator[int]:
    """Uvicorn with nothing behind it, in our own environment; gives its port."""
    port = _free_port()
    command = [sys.executable, PEERS / "bare_asgi.py", port]
    with _running(command, work / "bare.log", f"http://127.0.0.1:{port}/"):
        yield port


@contextmanager
def fastapi(peers: Peers, model: Path, work: Path) -> Iterator[int]:
    """The obvious FastAPI; gives its port."""
    port = _free_port()
    command = [peers.python("fastapi"), PEERS / "fastapi_server.py", model, port]
    with _running(command, work / "fastapi.log", f"http://127.0.0.1:{port}/openapi.json"):
        yield port


@contextmanager
def mlserver(peers: Peers, model: Path, work: Path) -> Iterator[int]:
    """MLServer without its pool of workers, which is its fastest for small models; gives its port."""
    folder = work / "mlserver"
    folder.mkdir()
    shutil.copy(PEERS / "mlserver_runtime.py", folder)
    ports = {f"{name}_port": _free_port() for name in ("http", "grpc", "metrics")}
    settings = {**ports, "parallel_workers": 0, "debug": False}
    implementation = {"name": "mlp", "implementation": "mlserver_runtime.OnnxRuntime"}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(implementation))
    command = [peers.python("mlserver").with_name("mlserver"), "start", folder]
    address = f"http://127.0.0.1:{ports['http_port']}/v2/models/mlp/ready"
    with _running(command, work / "mlserver.log", address, PYTHONPATH=folder, MODEL=model):
        yield ports["http_port"]


@contextmanager
def triton(peers: Peers, model: Path, work: Path) -> Iterator[int]:
    """Triton with the Python backend; gives its port."""
    ports = [_free_port() for _ in range(3)]
    command = [peers.python("triton"), PEERS / "triton_server.py", model, *ports]
    address = f"http://127.0.0.1:{ports[0]}/v2/models/mlp/ready"
    with _running(command, work / "triton.log", address):
        yield ports[0]


def ask(port: int, path: str, body: Body) -> None:
    """Post a body once, so that a wrong request is seen before it is sent a thousand times.

    Raises:
        SystemExit: The answer is an error.
    """
    headers = {"Content-Type": "application/json"}
    if body.header is not None:
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(body.header),
        }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body.file.read_bytes(), headers
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise SystemExit(f"{path} on port {port}: {error} {error.read()[:300]!r}") from error


def microseconds_of_runs(port: int) -> float:
    """How long the runtime took for a run so far, over all models, by our server's own statistics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/stats") as answer:
        models = json.load(answer)["model_stats"]
    runs = [size["compute_infer"] for model in models for size in model["batch_stats"]]
    return sum(run["ns"] for run in runs) / sum(run["count"] for run in runs) / 1e3


@contextmanager
def _running(command: list, log: Path, ready: str, **variables: object) -> Iterator[None]:
    """A process, and all that it starts, from its first good answer to the end of the block."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TAPELINE_")}
    environment |= {"ORT_DISABLE_TELEMETRY": "1", **{k: str(v) for k, v in variables.items()}}
    with log.open("wb") as file:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=file,
            stderr=file,
            env=environment,
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            _wait_for(ready, process, log)
            yield
        finally:
            _end(process)


def _wait_for(url: str, process: subprocess.Popen | None = None, log: Path | None = None) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except OSError:
            if process is not None and process.poll() is not None:
                break
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer. {log.read_text()[-2000:] if log else ''}")


def _end(process: subprocess.Popen) -> None:
    for kind, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, PATIENCE)):
        try:
            os.killpg(process.pid, kind)
            process.wait(patience)
            return
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _interpreter(peer: str) -> str:
    """PyTriton brings a Triton that is built for Debian's Python 3.11."""
    return "/usr/bin/python3.11" if peer == "triton" else sys.executable


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
