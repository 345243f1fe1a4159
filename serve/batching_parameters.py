"""TensorFlow Serving's files of batching parameters, protocol buffers as text."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from serve.batching import Batching
from serve.errors import SettingsError
from serve.hint import did_you_mean
from serve.textproto import parse as parse_text

BESIDE_MODEL = "batching_params.pbtxt"

_NUMBERS = {
    "max_batch_size",
    "batch_timeout_micros",
    "max_enqueued_batches",
    "max_execution_batch_size",
}
_FLAGS = {"pad_variable_length_inputs"}
# Our threads are one budget for all models, and larger requests are always split.
_WITHOUT_MEANING = {"num_batch_threads", "thread_pool_name", "enable_large_batch_splitting"}
COMMON = Batching()

logger = logging.getLogger("serve")


def of_version(folder: Path, common: Batching) -> Batching:
    """What the file in a version's folder says; without one, its requests are not joined.

    Args:
        folder: The version's.
        common: What holds for all models: the bounds of the queue stay, unless the file has some.

    Raises:
        SettingsError: The file cannot be read or is not such a file.
    """
    path = folder / BESIDE_MODEL
    return read(path, common) if path.exists() else replace(common, enabled=False)


def read(path: Path, common: Batching = COMMON) -> Batching:
    """Read the parameters.

    Args:
        path: The file.
        common: Has the bounds of the queue that hold where the file has none.

    Raises:
        SettingsError: The file cannot be read or is not such a file.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The batching parameters {path} cannot be read: {error}.") from error
    try:
        return parse(text, common)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def parse(text: str, common: Batching = COMMON) -> Batching:
    """Understand the text of such a file.

    Example:
        >>> parse("max_batch_size { value: 8 } allowed_batch_sizes: 4 allowed_batch_sizes: 8")
        ... # doctest: +ELLIPSIS
        Batching(enabled=True, max_batch_size=8, delay=0.0, allowed_sizes=(4, 8), ...)

    Raises:
        SettingsError: A field is unknown or has a wrong value.
    """
    fields: dict[str, Any] = {}
    sizes: list[int] = []
    for name, values in parse_text(text).items():
        if name == "allowed_batch_sizes":
            sizes = [_number(name, value) for value in values]
        elif name in _NUMBERS:
            fields[name] = _number(name, _last(values))
        elif name in _FLAGS:
            fields[name] = _flag(name, _last(values))
        elif name in _WITHOUT_MEANING:
            logger.info("batching parameter %s has no meaning here", name)
        else:
            known = sorted({*_NUMBERS, *_FLAGS, *_WITHOUT_MEANING, "allowed_batch_sizes"})
            hint = did_you_mean(name, known)
            raise SettingsError(f"There is no field {name!r}; there are: {', '.join(known)}.{hint}")
    largest = fields.get("max_batch_size", sizes[-1] if sizes else Batching.max_batch_size)
    batch = fields.get("max_execution_batch_size", largest)
    queue: dict[str, Any] = {
        "max_queue": common.max_queue,
        "queue_seconds": common.queue_seconds,
    }
    if batches := fields.get("max_enqueued_batches"):
        queue = {"max_queue": batches * batch, "queue_seconds": math.inf}
    return Batching(
        enabled=True,
        max_batch_size=batch,
        delay=fields.get("batch_timeout_micros", 0) / 1e6,
        allowed_sizes=tuple(sizes),
        pad_lengths=fields.get("pad_variable_length_inputs", False),
        **queue,
    )


def _last(values: Sequence[Any]) -> Any:
    """The last value of a field; those that can be absent stand as `{ value: 1 }`."""
    value = values[-1] if values else None
    return _last(value.get("value", ())) if isinstance(value, dict) else value


def _number(name: str, value: Any) -> int:
    least = 0 if name == "batch_timeout_micros" else 1
    if type(value) is not int or value < least:
        raise SettingsError(f"{name} is {value!r}: expected a whole number, at least {least}.")
    return value


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise SettingsError(f"{name} is {value!r}: expected true or false.")
    return value
