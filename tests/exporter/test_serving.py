"""A server for as long as a question takes: it is asked, it is quoted, and it never stays behind."""

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

import exporter
from exporter.errors import ExportError
from exporter.serving import ask, server
from trainer import nn

ROWS = np.array([[-1.0, 2.0]], np.float32)
# A process that was started in the background may have been told to ignore Ctrl-C.
INTERRUPTED = """
import signal
import time
from pathlib import Path
from exporter.serving import server
signal.signal(signal.SIGINT, signal.default_int_handler)
with server(Path("."), "relu") as address:
    print(address, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    exporter.publish(nn.ReLU(), ROWS, "relu", tmp_path)
    return tmp_path


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/v1/models/relu", timeout=5):
            return True
    except OSError:
        return False


def test_it_is_asked_and_then_gone(root: Path) -> None:
    with server(root, "relu") as address:
        assert ask(f"{address}/v1/models/relu:predict", {"instances": ROWS.tolist()}) == {
            "predictions": [[0.0, 2.0]]
        }
        with pytest.raises(ExportError, match=r"The server answered 400: .*instances"):
            ask(f"{address}/v1/models/relu:predict", {})
    assert not answers(address)
    with pytest.raises(ExportError, match="does not answer"):
        ask(f"{address}/v1/models/relu:predict", {})


def test_interrupted_it_leaves_no_server_behind(root: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert answers(address)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert not answers(address)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    with (
        pytest.raises(ExportError, match=f"did not start: There is no folder {nowhere}"),
        server(nowhere, "relu"),
    ):
        pass


def test_a_server_that_refuses_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "relu" / "1").mkdir(parents=True)
    (tmp_path / "relu" / "1" / "model.onnx").write_bytes(b"not a model")
    with (
        pytest.raises(ExportError, match=r"The server refuses the model: .*Protobuf"),
        server(tmp_path, "relu"),
    ):
        pass
