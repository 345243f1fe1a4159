"""API keys: who may ask for predictions, manage models or read metrics."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from serve.errors import Forbidden, SettingsError, Unauthorized

Role = Literal["predict", "manage", "metrics"]

# What probes ask, and the page of the documentation, which asks for a key itself.
_OPEN = re.compile(r"/v2/health/(live|ready)/?|/|/docs(/.*)?")
_MANAGE = re.compile(r"/v2/(repository|logging|trace)\b|/v2/models/[^/]+/trace\b")
_METRICS = re.compile(r"/metrics|/monitoring/prometheus/metrics|/v2/models(/.*)?/stats/?")

Headers = Iterable[tuple[bytes, bytes]]


class Keys:
    """Knows which key has which roles.

    A key comes as `Authorization: Bearer KEY` or as `X-API-Key: KEY`.

    Args:
        roles: The roles of each key. Keys are kept as hashes only, so that neither a dump of the
            memory nor the time of a comparison tells them.
    """

    def __init__(self, roles: dict[str, set[Role]]) -> None:
        self._roles = {_hash(key.encode()): frozenset(given) for key, given in roles.items()}

    @classmethod
    def read(cls, path: Path) -> Keys:
        """Read a TOML file that has a list of keys for each role.

        Raises:
            SettingsError: It cannot be read, or is not such a file.
        """
        try:
            content = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SettingsError(f"The API keys {path} cannot be read: {error}.") from error
        roles: dict[str, set[Role]] = {}
        if unknown := sorted(content.keys() - set(get_args(Role))):
            raise SettingsError(
                f"{path}: there is no role {unknown[0]!r}; there are: {', '.join(get_args(Role))}."
            )
        for role in get_args(Role):
            keys = content.get(role, [])
            if not isinstance(keys, list) or not all(isinstance(k, str) and k for k in keys):
                raise SettingsError(f"{path}: {role} must be a list of keys, which are texts.")
            for key in keys:
                roles.setdefault(key, set()).add(role)
        return cls(roles)

    def check(self, path: str, headers: Headers) -> None:
        """Let a request pass whose key has the role that its path needs.

        Raises:
            Unauthorized: It has no key, or an unknown one.
            Forbidden: Its key has another role.
        """
        if _OPEN.fullmatch(path):
            return
        needed = role_of(path)
        key = _key(headers)
        given = self._roles.get(_hash(key)) if key else None
        if given is None:
            raise Unauthorized("Send an API key, as 'Authorization: Bearer KEY'.")
        if needed not in given:
            raise Forbidden(f"This API key is not for {needed}.")


def role_of(path: str) -> Role:
    """The role that a path needs.

    Example:
        >>> role_of("/v2/repository/index")
        'manage'
    """
    if _MANAGE.match(path):
        return "manage"
    return "metrics" if _METRICS.fullmatch(path) else "predict"


def _key(headers: Headers) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return b""


def _hash(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
