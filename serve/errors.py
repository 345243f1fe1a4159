"""Every error that a client or an operator can cause; a client's carries its HTTP status."""

import math


class ServeError(Exception):
    """Base of all errors whose message is written for its reader: what was given, expected, to do."""

    status = 500
    headers: tuple[tuple[bytes, bytes], ...] = ()


class InvalidArgument(ServeError):
    """The request is malformed or does not fit the model."""

    status = 400


class RunFailed(InvalidArgument):
    """The model itself could not compute what was asked."""


class Forbidden(ServeError):
    """The server was not started to allow this, or not for this key."""

    status = 403


class Unauthorized(ServeError):
    """The request needs a key that is known here."""

    status = 401
    headers = ((b"www-authenticate", b"Bearer"),)


class NotFound(ServeError):
    """There is no such model, version or path."""

    status = 404


class MethodNotAllowed(ServeError):
    """The path exists, but not for this HTTP method."""

    status = 405

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"The method must be {' or '.join(allowed)}, not {method}.")
        self.headers = ((b"allow", ", ".join(allowed).encode()),)


class TooLarge(ServeError):
    """The body is longer than the server takes."""

    status = 413


class TooManyRequests(ServeError):
    """More is waiting already than can be answered soon."""

    status = 429

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.headers = ((b"retry-after", b"%d" % max(1, math.ceil(seconds))),)


class DeadlineExceeded(ServeError):
    """The answer would have come too late."""

    status = 504


class Unimplemented(ServeError):
    """The request is well-formed and asks for what this server does not do."""

    status = 501


class Unavailable(ServeError):
    """The server cannot answer now; it may later."""

    status = 503


class LoadError(ServeError):
    """A version cannot be served; the message is its reason in the status."""


class SettingsError(ServeError):
    """A flag, an environment variable or the settings file is wrong."""


class StartError(ServeError):
    """The server cannot start: the port or the folder is not usable."""


class BenchError(ServeError):
    """A server cannot be measured: nobody listens there, or it refuses the request."""
