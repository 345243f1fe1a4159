"""Inputs that come as files: NumPy's .npy, and PNG or JPEG for models of images.

A picture becomes what such models take before anything is done to it: numbers from 0 to 255, RGB or gray
by the model's number of channels, channels first or last as it has them, in its size where that is fixed.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from serve.errors import InvalidArgument, TooLarge, Unimplemented
from serve.tensors import TensorSpec, describe

try:
    from PIL import Image
except ImportError:  # an optional dependency: the extra `images`
    Image = None  # type: ignore[assignment]

MOST_PIXELS = 50_000_000  # of one picture, decoded: 150 MB
_NPY = b"\x93NUMPY"
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_MODES = {1: "L", 3: "RGB"}


def is_file(body: bytes) -> bool:
    """Say whether a body is a file of such a kind, by the bytes that it begins with.

    Example:
        >>> is_file(b'{"inputs": []}'), is_file(b"\\x93NUMPY\\x01\\x00")
        (False, True)
    """
    return body.startswith((_NPY, *_PICTURES))


def read_file(body: bytes, spec: TensorSpec) -> np.ndarray[Any, Any]:
    """Make an input of a file.

    Raises:
        InvalidArgument: The file is damaged, or the model takes no such thing.
    """
    return read_npy(body, spec) if body.startswith(_NPY) else read_pictures([body], spec)


def read_npy(body: bytes, spec: TensorSpec) -> np.ndarray[Any, Any]:
    """Make an input of an .npy file; it must have the type and the shape that the model takes.

    Raises:
        InvalidArgument: The file is damaged, or of another type.
    """
    assert spec.element is not None
    try:
        array = np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise InvalidArgument(f"The .npy file cannot be read: {error}.") from error
    if array.dtype.newbyteorder("=") != spec.element.dtype:
        raise InvalidArgument(
            f"Input {spec.name!r} is {spec.element.dtype}, the .npy file has {array.dtype}: "
            f"save it with .astype({str(spec.element.dtype)!r})."
        )
    return np.asarray(array, spec.element.dtype, order="C")


def read_pictures(files: Sequence[bytes], spec: TensorSpec) -> np.ndarray[Any, Any]:
    """Make a batch of pictures.

    Args:
        files: Each is a PNG or a JPEG.
        spec: What the model takes: [N, C, H, W] or [N, H, W, C] with 1 or 3 channels.

    Raises:
        InvalidArgument: One is damaged, they differ in size, or the model takes no pictures.
        Unimplemented: Pillow is not installed.
    """
    sizes = spec.shape or ()
    first = len(sizes) == 4 and sizes[1] in _MODES
    if not first and not (len(sizes) == 4 and sizes[3] in _MODES):
        raise InvalidArgument(
            f"Input {spec.name!r} of shape {describe(spec.shape)} takes no pictures: it would need "
            "four dimensions, with 1 or 3 channels as the second or the last."
        )
    if spec.element is None or spec.element.code == "":
        raise InvalidArgument(f"Input {spec.name!r} is {spec.type}, and pictures are numbers.")
    if Image is None:
        raise Unimplemented(
            "This server cannot decode pictures: it needs Pillow (pip install 'tapeline[images]')."
        )
    channels = sizes[1] if first else sizes[3]
    height, width = sizes[2:] if first else sizes[1:3]
    pictures = [_decode(file, _MODES[int(str(channels))], width, height) for file in files]
    if len({picture.shape for picture in pictures}) > 1:
        raise InvalidArgument("The pictures of one request must have one size.")
    batch = np.stack(pictures)
    batch = batch.reshape(*batch.shape[:3], -1)
    batch = batch.transpose(0, 3, 1, 2) if first else batch
    return np.ascontiguousarray(batch, spec.element.dtype)


def _decode(
    file: bytes, mode: str, width: int | str | None, height: int | str | None
) -> np.ndarray[Any, Any]:
    try:
        with Image.open(io.BytesIO(file), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise TooLarge(f"A picture may have {MOST_PIXELS} pixels at most.")
            decoded = picture.convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidArgument(f"The picture cannot be read: {error}.") from error
    size = (
        width if isinstance(width, int) else decoded.width,
        height if isinstance(height, int) else decoded.height,
    )
    if size != decoded.size:
        decoded = decoded.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(decoded)
