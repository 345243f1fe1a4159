"""Prepares inputs by affine maps and added axes, which a checkpoint can keep and a graph can hold.

A transform is three public values: `(x - mean) / scale` in float32, then `axes` of size 1 put in. So
what runs here in numpy is the same as Cast, Sub, Div and Unsqueeze in an exported graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from trainer.core.errors import DataError
from trainer.data.dataset import Array
from trainer.data.hint import did_you_mean, listing

Floats = npt.NDArray[np.float32]


class Transform:
    """What the transforms have in common.

    Attributes:
        kind: The name of the transform in recipes and checkpoints.
        mean: What is subtracted, float32, a scalar or of the shape of a row. Defaults to 0.
        scale: What is divided by, float32, a scalar or of the shape of a row. Defaults to 1.
        axes: Where axes of size 1 are put in, counted in the result. Defaults to none.
    """

    kind: ClassVar[str]
    axes: ClassVar[tuple[int, ...]] = ()

    def __init__(self, mean: npt.ArrayLike = 0.0, scale: npt.ArrayLike = 1.0) -> None:
        self.mean: Floats = np.asarray(mean, np.float32)
        self.scale: Floats = np.asarray(scale, np.float32)
        if not (
            np.isfinite(self.mean).all() and (np.isfinite(self.scale) & (self.scale > 0)).all()
        ):
            raise DataError(f"{type(self).__name__} needs finite means and scales above 0.")

    def fit(self, x: Array) -> Self:
        """Learn what there is to learn from the training rows; most transforms learn nothing."""
        return self

    def config(self) -> dict[str, Any]:
        """The transform as plain values, for `Compose.from_config`."""
        return {"kind": self.kind}

    def __call__(self, x: Array) -> Floats:
        """The transformed rows, float32 [rows, ...].

        Raises:
            DataError: The rows do not have the shape of the rows that the transform was fitted to.
        """
        if self.mean.ndim > 0 and x.shape[1:] != self.mean.shape:
            raise DataError(
                f"{type(self).__name__} was fitted to rows of shape {list(self.mean.shape)}, "
                f"but is given rows of shape {list(x.shape[1:])}."
            )
        result: Floats = np.subtract(x, self.mean, dtype=np.float32)
        result /= self.scale
        return np.expand_dims(result, self.axes)


class Standardize(Transform):
    """Gives each feature mean 0 and standard deviation 1 over the training rows.

    Features that are constant in the training rows are only shifted.

    Args:
        mean: The means, of the shape of a row. Defaults to 0, for `fit` to replace.
        scale: The standard deviations, likewise. Defaults to 1.

    Example:
        >>> Standardize().fit(np.array([[1.0, 5.0], [3.0, 5.0]]))(np.array([[3.0, 6.0]]))
        array([[1., 1.]], dtype=float32)
    """

    kind = "standardize"

    def fit(self, x: Array) -> Self:
        """Take mean and (population) standard deviation of each feature of the training rows."""
        constant = x.min(axis=0) == x.max(axis=0)
        self.mean = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = x.std(axis=0, dtype=np.float64).astype(np.float32)
        self.scale = np.where(constant | (deviation == 0), np.float32(1), deviation)
        return self

    def config(self) -> dict[str, Any]:
        """The transform as plain values, for `Compose.from_config`."""
        return {"kind": self.kind, "mean": self.mean.tolist(), "scale": self.scale.tolist()}


class Scale(Transform):
    """Divides by a number, as pixels by the largest they can be.

    Args:
        divisor: The number. Defaults to 255.

    Example:
        >>> Scale()(np.array([[0, 255]], np.uint8))
        array([[0., 1.]], dtype=float32)
    """

    kind = "scale"

    def __init__(self, divisor: float = 255.0) -> None:
        super().__init__(scale=divisor)

    def config(self) -> dict[str, Any]:
        """The transform as plain values, for `Compose.from_config`."""
        return {"kind": self.kind, "divisor": self.scale.item()}


class Channels(Transform):
    """Puts a channel axis into gray images: [rows, height, width] to [rows, 1, height, width].

    Example:
        >>> Channels()(np.zeros((5, 8, 8))).shape
        (5, 1, 8, 8)
    """

    kind = "channels"
    axes = (1,)

    def __init__(self) -> None:
        super().__init__()


class Compose:
    """Transforms one after the other, each fitted to what the ones before it give.

    Example:
        >>> prepare = Compose([Scale(16), Channels()])
        >>> prepare(np.full((2, 8, 8), 8.0)).shape
        (2, 1, 8, 8)
        >>> prepare.config()
        [{'kind': 'scale', 'divisor': 16.0}, {'kind': 'channels'}]
    """

    def __init__(self, transforms: Sequence[Transform] = ()) -> None:
        self.transforms = tuple(transforms)

    @classmethod
    def from_config(cls, configs: Sequence[Mapping[str, Any] | str]) -> Self:
        """Make transforms from plain values, as a recipe or a checkpoint has them.

        Args:
            configs: One mapping per transform, its `kind` and its arguments; a name alone will do.

        Raises:
            DataError: There is no such kind, or it does not take such arguments.

        Example:
            >>> Compose.from_config(["standardize", {"kind": "scale", "divisor": 2}]).config()[1]
            {'kind': 'scale', 'divisor': 2.0}
        """
        return cls([_make(config) for config in configs])

    def fit(self, x: Array) -> Self:
        """Fit every transform to the training rows as they arrive at it."""
        for transform in self.transforms:
            x = transform.fit(x)(x)
        return self

    def config(self) -> list[dict[str, Any]]:
        """The transforms as plain values, for `Compose.from_config`."""
        return [transform.config() for transform in self.transforms]

    def __call__(self, x: Array) -> Array:
        """The rows after the last transform."""
        for transform in self.transforms:
            x = transform(x)
        return x


KINDS: dict[str, type[Transform]] = {kind.kind: kind for kind in (Standardize, Scale, Channels)}


def _make(config: Mapping[str, Any] | str) -> Transform:
    arguments = {"kind": config} if isinstance(config, str) else dict(config)
    kind = str(arguments.pop("kind", None))
    if kind not in KINDS:
        raise DataError(
            f"There is no transform {kind!r}.{did_you_mean(kind, KINDS)} "
            f"The transforms are {listing([*KINDS])}."
        )
    try:
        return KINDS[kind](**arguments)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The transform {kind!r} cannot be made from {arguments}: {error}."
        ) from None
