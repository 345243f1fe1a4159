"""Reads protocol buffers' text format: what TensorFlow Serving's configuration files are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from serve.errors import SettingsError

Message = dict[str, list[Any]]
"""The values of every field, in order; a message is again such a dictionary."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[A-Za-z_][\w.]*|[+-]?(?:\d[\w.+-]*|\.\d[\w.+-]*))
    |(?P<sign>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}
_DEEPEST = 100  # messages within messages; protocol buffers' own limit


def parse(text: str) -> Message:
    """Read a message.

    Example:
        >>> parse('config { name: "m" versions: [1, 2] } # two')
        {'config': [{'name': ['m'], 'versions': [1, 2]}]}

    Raises:
        SettingsError: It is not in the text format; the message says in which line.
    """
    tokens = _Tokens(text)
    message = _message(tokens, end="")
    return message


class _Tokens:
    """The tokens of a text, one ahead."""

    def __init__(self, text: str) -> None:
        self._all = self._cut(text)
        self.kind = self.value = ""
        self.line = 1
        self.advance()

    def advance(self) -> str:
        """Go to the next token; returns the one left behind."""
        value = self.value
        self.kind, self.value, self.line = next(self._all, ("end", "", self.line))
        return value

    def skip(self, *signs: str) -> bool:
        """Go over one of these signs, if it is next."""
        found = self.kind == "sign" and self.value in signs
        if found:
            self.advance()
        return found

    def wrong(self, expected: str) -> SettingsError:
        given = repr(self.value) if self.value else "the end"
        return SettingsError(f"line {self.line}: expected {expected}, found {given}")

    def _cut(self, text: str) -> Iterator[tuple[str, str, int]]:
        position, line = 0, 1
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise SettingsError(f"line {line}: {text[position : position + 10]!r} is no token")
            kind, value = match.lastgroup or "", match.group()
            if kind != "space":
                yield kind, value, line
            line += value.count("\n")
            position = match.end()


def _message(tokens: _Tokens, end: str, depth: int = 0) -> Message:
    if depth > _DEEPEST:
        raise tokens.wrong(f"at most {_DEEPEST} messages within each other")
    fields: Message = {}
    while not (tokens.kind == "end" if end == "" else tokens.skip(end)):
        if tokens.kind != "word":
            raise tokens.wrong("a field's name")
        name = tokens.advance()
        values: list[Any] = []
        colon = tokens.skip(":")
        if tokens.skip("["):
            while not tokens.skip("]"):
                values.append(_value(tokens, depth))
                tokens.skip(",")
        elif colon or tokens.value in ("{", "<"):
            values.append(_value(tokens, depth))
        else:
            raise tokens.wrong("':' or '{'")
        if values:  # an empty list says nothing
            fields.setdefault(name, []).extend(values)
        tokens.skip(",", ";")
    return fields


def _value(tokens: _Tokens, depth: int) -> Any:
    if tokens.skip("{"):
        return _message(tokens, "}", depth + 1)
    if tokens.skip("<"):
        return _message(tokens, ">", depth + 1)
    if tokens.kind == "string":
        text = b""
        while tokens.kind == "string":  # neighbors are one string
            text += _ESCAPE.sub(_unescape, tokens.advance()[1:-1].encode())
        try:
            return text.decode()
        except UnicodeDecodeError:
            raise tokens.wrong(f"text in UTF-8 in place of {text!r}") from None
    if tokens.kind != "word":
        raise tokens.wrong("a value")
    word = tokens.advance()
    if word in ("true", "false"):
        return word == "true"
    for number in (int, float):
        try:
            return number(word)
        except ValueError:
            continue
    return word  # an enumeration's


def _unescape(escape: re.Match[bytes]) -> bytes:
    """The bytes of an escape; printed messages have all that is not ASCII in octal ones."""
    hexadecimal, octal, letter = escape.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    return bytes([int(hexadecimal, 16) if hexadecimal else int(octal, 8) & 255])
