"""Recorded requests that a version answers before it takes traffic."""

from __future__ import annotations

from pathlib import Path

from serve.errors import LoadError, ServeError
from serve.infer import check
from serve.protocols.tfserving_tensors import read_columns, read_rows
from serve.servable import Servable
from serve.tensors import loads

NAME = "warmup.jsonl"
MOST = 1000  # TensorFlow Serving's limit: what takes longer to warm up than to load is a mistake


def replay(servable: Servable, folder: Path) -> None:
    """Run the requests of a version's file, if it has one: a predict body of TensorFlow Serving a line.

    Raises:
        LoadError: A line is not a request, or the version cannot answer it, or there are too many.
    """
    try:
        lines = (folder / NAME).read_bytes().splitlines()
    except FileNotFoundError:
        return
    if len(lines) > MOST:
        raise LoadError(f"{NAME} has {len(lines)} requests; at most {MOST} are run.")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            request = loads(line)
            if "instances" in request:
                feeds = read_rows(request["instances"], servable.signature)
            else:
                feeds = read_columns(request["inputs"], servable.signature)
            check(feeds, servable.signature)
            servable.run(feeds)
        except (ServeError, KeyError, TypeError) as error:
            reason = (
                str(error) if isinstance(error, ServeError) else "it needs inputs or instances."
            )
            raise LoadError(f"{NAME}, line {number}: {reason}") from error
