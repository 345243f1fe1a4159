"""Refuses requests in an overload before their bodies are read, which would take the others' time."""

from __future__ import annotations

from collections.abc import Callable

from serve.errors import ServeError
from serve.infer import Inference
from serve.metrics import Metrics
from serve.records import Protocol
from serve.version import Handle


def refuse_unread(
    borrow: Callable[[], Handle], inference: Inference, metrics: Metrics, protocol: Protocol
) -> None:
    """Refuse a request where nothing more of its model can wait.

    Args:
        borrow: Lends what the request asks for.
        inference: Knows the queues.
        metrics: Counts the refusal.
        protocol: What the request came by.

    Raises:
        TooManyRequests: It is refused.
    """
    try:
        handle = borrow()
    except ServeError:
        return  # said, and counted, when the request has been read
    with handle:
        refusal = inference.refuses(handle.servable)
        if refusal is not None:
            with metrics.request(protocol) as observation:
                observation.answered_by(handle)
                raise refusal
