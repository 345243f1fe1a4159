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
_ESCAPE = re.compile(r"\\(.)")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}


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


def _message(tokens: _Tokens, end: str) -> Message:
    fields: Message = {}
    while not (tokens.kind == "end" if end == "" else tokens.skip(end)):
        if tokens.kind != "word":
            raise tokens.wrong("a field's name")
        values = fields.setdefault(tokens.advance(), [])
        colon = tokens.skip(":")
        if tokens.skip("["):
            while not tokens.skip("]"):
                values.append(_value(tokens))
                tokens.skip(",")
        elif colon or tokens.value in ("{", "<"):
            values.append(_value(tokens))
        else:
            raise tokens.wrong("':' or '{'")
        tokens.skip(",", ";")
    return fields


def _value(tokens: _Tokens) -> Any:
    if tokens.skip("{"):
        return _message(tokens, "}")
    if tokens.skip("<"):
        return _message(tokens, ">")
    if tokens.kind == "string":
        text = ""
        while tokens.kind == "string":  # neighbors are one string
            text += _ESCAPE.sub(lambda m: _LETTERS.get(m[1], m[1]), tokens.advance()[1:-1])
        return text
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
