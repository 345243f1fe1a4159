"""The server process: a socket, uvicorn, and an orderly end on SIGTERM or SIGHUP."""

from __future__ import annotations

import errno
import gc
import logging
import math
import resource
import signal
import socket
import ssl
import time
from functools import partial
from types import FrameType

import uvicorn

from serve.app import ServeApplication, create_app
from serve.connection import Connection
from serve.errors import StartError
from serve.settings import Settings

# Longer than the minute after which common load balancers drop an idle connection: whoever
# closes first must not be the one that does not send requests.
KEEP_ALIVE = 75

# Files that are open beside the connections: models, the probe's pipes, libraries.
_OTHER_FILES = 128

logger = logging.getLogger("serve")


def run(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or SIGHUP.

    Raises:
        StartError: The model folder is missing, or the address cannot be listened on.
    """
    if settings.model_config_file is None and not settings.model_base_path.is_dir():
        raise StartError(
            f"There is no folder {settings.model_base_path}: "
            "name the folder that holds your models with --model-base-path."
        )
    _check_tls(settings)
    with listen(settings.host, settings.port) as sock:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            http=partial(Connection, most=_connections(settings.max_connections)),  # type: ignore[arg-type]
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=settings.finish_timeout,
        )
        Server(config, app).run(sockets=[sock])


def listen(host: str, port: int) -> socket.socket:
    """Take an address before anything else is done.

    Raises:
        StartError: It is in use, or not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = f"Port {port} of {host} is in use: choose another with --port, or 0 for any."
        elif error.errno == errno.EACCES:
            problem = f"Port {port} is reserved: choose one above 1023 with --port."
        else:
            problem = f"Cannot listen on {host!r}: {error.strerror or error}. Choose with --host."
        raise StartError(problem) from error


def _connections(wanted: int) -> int:
    """How many connections there may be: with one more, no model could be opened any more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_FILES))


class Server(uvicorn.Server):
    """Uvicorn that says when it serves, is unready before it stops, and exits with 0."""

    def __init__(self, config: uvicorn.Config, app: ServeApplication) -> None:
        super().__init__(config)
        self.app = app
        self._exit_at = math.inf

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say where the server can be reached once it can."""
        await super().startup(sockets)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else nohup has said to go on
            signal.signal(signal.SIGHUP, self.handle_exit)
        # What is there now stays: a look through all of it takes 50 ms, in which nobody is answered.
        gc.collect()
        gc.freeze()
        for sock in sockets or []:
            logger.info("serving on %s", _url(sock, "https" if self.config.is_ssl else "http"))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain first; the second signal, or Ctrl+C, ends it now."""
        interactive = sig == signal.SIGINT
        self.force_exit = self.app.draining and interactive
        delay = 0.0 if interactive or self.app.draining else self.app.settings.drain_delay
        self.app.draining = True
        self._exit_at = time.monotonic() + delay

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: give up what does not arrive; say whether to stop accepting."""
        settings = self.app.settings
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.expire(settings.head_timeout, settings.body_timeout, KEEP_ALIVE)
        return await super().on_tick(counter) or time.monotonic() >= self._exit_at


def _check_tls(settings: Settings) -> None:
    """Look at the certificate before anything else is done."""
    if settings.tls_certificate is None:
        if settings.tls_key is not None:
            raise StartError("A TLS key is of no use without its --tls-certificate.")
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            settings.tls_certificate, settings.tls_key
        )
    except OSError as error:  # among them those of ssl
        raise StartError(
            f"The TLS certificate {settings.tls_certificate} with its key {settings.tls_key} "
            f"cannot be used: {error}."
        ) from error


def _url(sock: socket.socket, scheme: str) -> str:
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"{scheme}://{host}:{port}"
