"""Byte strings come back as they were, and the text in between is text that ONNX Runtime takes."""

import pytest
from hypothesis import given, strategies

from serve.errors import InvalidArgument
from serve.octets import from_text, is_text, to_base64, to_bytes, to_json, to_text

# Parts that make up text, broken text, and the characters that the escapes are made of.
PARTS = [b"a", "ö".encode(), b"\xff", b"\xf4", b"\x8f", b"\xbe", b"\x80", b"\xed\xa0\x80"]
PARTS += [character.encode() for character in "\U0010ff7f\U0010ff80\U0010ffff"]
BYTES = strategies.binary() | strategies.lists(strategies.sampled_from(PARTS)).map(b"".join)


@given(BYTES)
def test_every_byte_string_comes_back(raw: bytes) -> None:
    text = to_text(raw)
    assert text.encode().decode() == text  # no surrogates
    assert to_bytes(text) == raw


@given(strategies.text())
def test_text_stays_text(text: str) -> None:
    assert to_bytes(from_text(text)) == text.encode()
    if max(text, default="") < "\U0010ff80":
        assert from_text(text) == text
        assert is_text(text)


@given(BYTES)
def test_what_is_no_text_is_known_as_such(raw: bytes) -> None:
    try:
        private = any(character >= "\U0010ff80" for character in raw.decode())
    except UnicodeDecodeError:
        assert not is_text(to_text(raw))
    else:
        assert is_text(to_text(raw)) != private


def test_only_what_is_no_text_becomes_base64() -> None:
    texts = ["a", [to_text(b"\xff\x00"), "ö"]]
    assert to_json(texts) == ["a", [{"b64": "/wA="}, "ö"]]
    assert to_base64(texts) == [{"b64": "YQ=="}, [{"b64": "/wA="}, {"b64": "w7Y="}]]


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"half a character, '\\ud800', at position 1"):
        from_text("a\ud800")
