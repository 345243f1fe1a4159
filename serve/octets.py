"""Byte strings as the text that a model has, and back: none is refused, none is changed.

ONNX's strings are UTF-8 text. A byte that is none stands in the text as a character of the private
range U+10FF80 to U+10FFFF, one for each byte from 0x80 on, much as Python's `surrogateescape` does
(PEP 383), whose surrogates ONNX Runtime does not take. Characters of that range that a client sends
are escaped byte by byte themselves, so that the way back is always exact.
"""

from __future__ import annotations

import base64
import codecs
import re
from typing import Any

from serve.errors import InvalidArgument

_OFFSET = 0x10FF00  # from a byte to its character
_SIGN = b"\xf4\x8f"  # how all of these begin in UTF-8
_PRIVATE = re.compile(rb"\xf4\x8f[\xbe\xbf][\x80-\xbf]")
_ESCAPED = re.compile("[\U0010ff80-\U0010ffff]")
_HANDLER = "tapeline.octets"


def to_text(raw: bytes) -> str:
    r"""The text that stands for a byte string.

    Example:
        >>> to_text("größer".encode()), to_bytes(to_text(b"\xff\x00"))
        ('größer', b'\xff\x00')
    """
    if _SIGN in raw:
        raw = _PRIVATE.sub(lambda found: _escape(found[0]).encode(), raw)
    return raw.decode("utf-8", _HANDLER)


def to_bytes(text: str) -> bytes:
    """The byte string that a text stands for."""
    raw = text.encode()
    if _SIGN in raw:
        raw = _PRIVATE.sub(lambda found: bytes([ord(found[0].decode()) - _OFFSET]), raw)
    return raw


def from_text(text: str) -> str:
    """The same as `to_text` for a text that a client sent as one.

    Raises:
        InvalidArgument: It has half a character: a surrogate without the other one.
    """
    if text.isascii():
        return text
    try:
        return to_text(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidArgument(
            f"A string has half a character, {text[error.start]!r}, at position {error.start}: "
            "send bytes as base64 or as a binary tensor."
        ) from error


def is_text(text: str) -> bool:
    """Say whether a model's text is no more than that, and may be shown as it is."""
    return text.isascii() or _ESCAPED.search(text) is None


def to_json(value: Any) -> Any:
    """A model's text, or nested lists of it, as TensorFlow Serving reads it: bytes as base64.

    Example:
        >>> to_json(["a", to_text(b"\\xff")])
        ['a', {'b64': '/w=='}]
    """
    if type(value) is list:
        return [to_json(item) for item in value]
    return value if is_text(value) else to_base64(value)


def to_base64(value: Any) -> Any:
    """Texts, or nested lists of them, as the objects that stand for bytes in JSON."""
    if type(value) is list:
        return [to_base64(item) for item in value]
    return {"b64": base64.b64encode(to_bytes(value)).decode()}


def _escape(raw: bytes) -> str:
    return "".join(chr(byte + _OFFSET) for byte in raw)


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _escape(error.object[error.start : error.end]), error.end


codecs.register_error(_HANDLER, _replace)
