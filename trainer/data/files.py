"""Reads the bytes of a data file, plain or gzipped, or says in one sentence why it cannot."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from trainer.core.errors import DataError
from trainer.core.hint import did_you_mean


def read_bytes(path: Path) -> bytes:
    """The whole content of a file, decompressed if its name ends in `.gz`.

    Raises:
        DataError: The file is missing, is a folder, may not be read or is damaged.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.{_neighbor(path)}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a complete gzip file ({error}). Fetch it again.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from None


def stem(path: Path) -> str:
    """The name of a file without its folder and its suffixes.

    Example:
        >>> stem(Path("data/train.v2.csv.gz"))
        'train.v2'
    """
    return Path(path.name.removesuffix(".gz")).stem


def _neighbor(path: Path) -> str:
    if not path.parent.is_dir():
        return f" There is no folder {str(path.parent)!r} either."
    return did_you_mean(path.name, (other.name for other in path.parent.iterdir()))
