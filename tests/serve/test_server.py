"""The server process: how it starts, swaps and ends."""

import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from serve.errors import StartError
from serve.server import listen, run
from serve.settings import Settings
from tests.serve import models
from tests.serve.models import HALF_PLUS_TWO, publish
from tests.serve.process import Server, wait_until

IN_PROGRESS = "tapeline_requests_in_progress"


def test_it_says_what_is_ready_and_where(tmp_path: Path) -> None:
    publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    publish(tmp_path, "broken", 3, HALF_PLUS_TWO)
    (tmp_path / "broken" / "3" / "model.onnx").write_bytes(b"")
    with Server(tmp_path) as server:
        wait_until(lambda: "iris 1 ready\n" in server.lines, "iris is announced")
        assert f"serving on http://127.0.0.1:{server.port}\n" in server.lines
        wait_until(lambda: server.errors, "broken is announced")
        assert server.errors[0].startswith("ERROR: broken 3 failed: model.onnx has 0 bytes")
    assert len(server.errors) == 1


def test_a_server_without_models_waits_for_them(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        client = server.client()
        assert client.get("/v2/health/live")[0] == 200
        assert client.get("/v2/health/ready")[0] == 503
        publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "iris is ready")
        client.close()
    assert server.errors == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")
def test_all_addresses_are_those_of_both_families() -> None:
    with listen("::", 0) as sock:
        port = sock.getsockname()[1]
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, port), 5).close()


def test_swapping_under_load_loses_no_request(tmp_path: Path) -> None:
    publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    answers: list[Any] = []
    with Server(tmp_path) as server:
        client = server.client()
        wait_until(lambda: client.is_available("m"), "version 1")
        swapped = threading.Event()

        def ask() -> None:
            own = server.client()
            while not swapped.is_set():
                answers.append(own.predict("m", [2]))
            own.close()

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        publish(tmp_path, "m", 2, models.HALF_PLUS_THREE)
        wait_until(lambda: client.predict("m", [2]) == [4.0], "version 2 answers")
        wait_until(lambda: not client.is_available("m", 1), "version 1 is gone")
        swapped.set()
        for thread in threads:
            thread.join()
        client.close()
    assert [3.0] in answers
    assert all(answer in ([3.0], [4.0]) for answer in answers)
    assert server.errors == []


def ask_slow(server: Server, rounds: int) -> tuple[threading.Thread, list[Any]]:
    """Ask for a long run; what comes back, or the exception, is put into the list."""
    result: list[Any] = []

    def ask() -> None:
        client = server.client()
        try:
            result.append(client.post("/v1/models/slow:predict", {"inputs": rounds})[0])
        except (OSError, http.client.HTTPException) as error:
            result.append(error)
        client.close()

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, result


@pytest.fixture
def slow_models(tmp_path: Path) -> Path:
    publish(tmp_path, "slow", 1, models.SLOW)
    publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    return tmp_path


def test_sigterm_ends_it_with_0_and_what_is_in_flight_is_answered(slow_models: Path) -> None:
    with Server(slow_models) as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")
        thread, result = ask_slow(server, 50_000)
        wait_until(lambda: client.metric(IN_PROGRESS) or result, "the request is being answered")
        assert client.predict("m", [2]) == [3.0]  # beside it
        assert server.stop() == 0
        thread.join()
        client.close()
    assert result == [200]
    assert server.errors == []


def test_a_terminal_that_hangs_up_loses_no_answer(slow_models: Path) -> None:
    with Server(slow_models) as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")
        thread, result = ask_slow(server, 50_000)
        wait_until(lambda: client.metric(IN_PROGRESS) or result, "the request is being answered")
        server.process.send_signal(signal.SIGHUP)
        assert server.wait() == 0
        thread.join()
        client.close()
    assert result == [200]


def test_what_outlasts_the_limit_is_ended(slow_models: Path) -> None:
    with Server(slow_models, "--finish-timeout", "1") as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")
        thread, result = ask_slow(server, 2**40)
        wait_until(lambda: client.metric(IN_PROGRESS), "the request is being answered")
        assert server.stop() == 0
        thread.join()
        client.close()
    assert result == [503]
    assert server.errors == [
        "ERROR: Cancel 1 running task(s), timeout graceful shutdown exceeded\n"
    ]


def test_while_draining_it_answers_and_is_not_ready(slow_models: Path) -> None:
    with Server(slow_models, "--drain-delay", "60") as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: client.get("/v2/health/ready")[0] == 503, "it is not ready")
        assert client.predict("m", [2]) == [3.0]
        assert client.get("/v2/health/live")[0] == 200
        client.close()
        time.sleep(0.5)  # several times as long as uvicorn takes to see that it should stop
        assert client.predict("m", [2]) == [3.0]  # on a new connection
        client.close()
        assert server.stop() == 0  # who says it twice means it


def test_ctrl_c_ends_it_with_0(tmp_path: Path) -> None:
    with Server(tmp_path, "--drain-delay", "60") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.wait() == 0
    assert server.errors == []


def test_sigterm_with_100_requests_in_flight_loses_none(slow_models: Path) -> None:
    with Server(slow_models, "--queue-seconds", "60") as server:
        client = server.client()
        wait_until(lambda: client.get("/v2/health/ready")[0] == 200, "it is ready")
        asked = [ask_slow(server, 300) for _ in range(100)]
        blocker, _ = ask_slow(server, 20_000)
        wait_until(lambda: client.metric(IN_PROGRESS) > 0, "requests are being answered")
        wait_until(
            lambda: client.metric(IN_PROGRESS) + sum(len(r) for _, r in asked) >= 100,
            "all have come",
        )
        client.close()
        assert server.stop() == 0
        for thread, _ in [*asked, (blocker, None)]:
            thread.join()
    assert [result for _, result in asked] == [[200]] * 100
    assert server.errors == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return certificate, key


def test_it_speaks_https(slow_models: Path, certificate: tuple[str, str]) -> None:
    flags = ["--tls-certificate", certificate[0], "--tls-key", certificate[1]]
    with Server(slow_models, *flags) as server:
        client = server.client()
        trust = ssl.create_default_context(cafile=certificate[0])
        client.connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trust)
        wait_until(lambda: client.is_available("m"), "it is ready")
        assert client.predict("m", [2]) == [3.0]
        client.close()
        assert any(line.startswith("serving on https://") for line in server.lines)


def test_a_certificate_that_cannot_be_used_is_named(
    tmp_path: Path, certificate: tuple[str, str]
) -> None:
    models_ = tmp_path / "models"
    models_.mkdir()
    wrong = Settings(model_base_path=models_, tls_certificate=certificate[1], port=0)
    with pytest.raises(StartError, match=r"key.pem with its key None cannot be used"):
        run(wrong)
    with pytest.raises(StartError, match="without its --tls-certificate"):
        run(Settings(model_base_path=models_, tls_key=certificate[1], port=0))
