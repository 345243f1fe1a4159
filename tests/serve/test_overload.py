"""More than a model can do: refused at once, answered as quickly as else, and over when it is over."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import uvloop

from serve.bench.loops import closed_loop, open_loop
from serve.bench.target import find
from tests.serve import models
from tests.serve.process import Server, wait_until

BODY = b'{"inputs": 1000}'  # some 20 ms


def test_an_overload_is_refused_within_bounds_and_ends(tmp_path: Path) -> None:
    models.publish(tmp_path, "slow", 1, models.SLOW)
    with Server(tmp_path) as server:
        client = server.client()
        wait_until(lambda: client.is_available("slow"), "the model is there")
        url = f"http://127.0.0.1:{server.port}/v1/models/slow"
        target = find(url, BODY)
        watch = Watch(server)
        tally = uvloop.run(open_loop(target, 500.0, 2.0))
        watch.end()
        assert set(tally.statuses) == {200, 429}
        assert tally.statuses.total() == 1000
        assert tally.retry_after == tally.statuses[429] > 500
        assert "try again later" in tally.complaint
        assert 0 < watch.in_progress < 100
        assert watch.refused_unread  # who could only be refused is not listened to
        wait_until(lambda: client.post(target.path, BODY)[0] == 200, "the overload is over")

        def few_are_welcome() -> bool:
            return uvloop.run(closed_loop(target, 3, 0.2)).refused == 0

        wait_until(few_are_welcome, "three clients can take turns")
    assert server.errors == []


class Watch:
    """Looks at a server while others ask it: how much is in progress, and who is refused when."""

    def __init__(self, server: Server) -> None:
        self.in_progress = 0.0
        self.refused_unread = False
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        client = self._server.client()
        head = b"POST /v1/models/slow:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        while not self._over.wait(0.02):
            value = client.metric("tapeline_requests_in_progress")
            self.in_progress = max(self.in_progress, value)
            with socket.create_connection(("127.0.0.1", self._server.port), 0.02) as sock:
                sock.sendall(head)  # and no body
                with suppress(TimeoutError):
                    self.refused_unread |= sock.recv(100).startswith(b"HTTP/1.1 429 ")
