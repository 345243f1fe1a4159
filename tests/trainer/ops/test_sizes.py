"""Captured gradients of what takes and moves elements hold at sizes they were not captured at.

Capturing proves it: the graph runs once at another size and is compared with eager.
"""

from collections.abc import Callable

import numpy as np
import pytest

from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply
from trainer.core.trace import capture

_X = Tensor(np.random.default_rng(0).standard_normal((6, 8, 4)).astype(np.float32))
_ROWS = np.array([[0, 2], [1, 1]])


def _first(x: Tensor) -> Tensor:
    """The index 0, once per row."""
    return (x[:, :1, :1] * 0).cast(np.int64)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "reshape": lambda x: x.reshape(-1, 4),
    "flatten": lambda x: apply("Flatten", x),
    "transpose": lambda x: x.permute(1, 2, 0),
    "tile": lambda x: apply("Tile", x, [2, 1, 3]),
    "concat": lambda x: apply("Concat", x, x * x, x[:1], axis=0),
    "split": lambda x: apply("Split", x, [3, 5], axis=1)[0],
    "first": lambda x: x[0],
    "last": lambda x: x[-1],
    "but the ends": lambda x: x[1:-1],
    "the end": lambda x: x[-3:],
    "backwards": lambda x: x[::-1],
    "backwards within": lambda x: x[-2:1:-1],
    "every second column": lambda x: x[:, 1::2],
    "pad": lambda x: apply("Pad", x, [1, 0, 0, 2, 0, 0]),
    "reflect": lambda x: apply("Pad", x, [1, 2, 0, 2, 0, 0], mode="reflect"),
    "wrap": lambda x: apply("Pad", x, [1, 2, 0, 2, 0, 0], mode="wrap"),
    "edge": lambda x: apply("Pad", x, [1, -2, 0, 2, 0, 0], mode="edge"),
    "crop": lambda x: apply("CenterCropPad", x, [3, 3], axes=[1, 2]),
    "gather rows": lambda x: apply("Gather", x, _ROWS),
    "gather columns": lambda x: apply("Gather", x, _ROWS, axis=1),
    "gather elements": lambda x: apply("GatherElements", x, (x * 0).cast(np.int64), axis=1),
    "gather slices": lambda x: apply("GatherND", x, _ROWS),
    "gather from each": lambda x: apply("GatherND", x, _first(x), batch_dims=1),
    "compress": lambda x: apply("Compress", x, np.array([True, False, True])),
    "compress columns": lambda x: apply("Compress", x, np.array([True, False, True]), axis=1),
    "scatter elements": lambda x: apply(
        "ScatterElements", x * 2, _first(x), x[:, :1, :1], axis=1, reduction="max"
    ),
    "scatter slices": lambda x: apply("ScatterND", x * 2, _ROWS, x[:2, 0], reduction="mul"),
    "resize": lambda x: apply("Resize", x, None, None, [5, 8], axes=[1, 2], mode="linear"),
    "enlarge": lambda x: apply("Resize", x, None, np.float32([2, 3]), axes=[1, 2]),
    "diagonal": lambda x: apply("Einsum", x[:, :, 0] @ x[:, :, 0].T, equation="ii->i"),
    "sum by letters": lambda x: apply("Einsum", x, x[0], equation="bij,ij->j"),
    "depth to space": lambda x: apply("DepthToSpace", x.unsqueeze(2), blocksize=2, mode="CRD"),
    "sample": lambda x: apply("GridSample", x.unsqueeze(1), x[:, :, :2].unsqueeze(1)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_holds_at_other_sizes(name: str) -> None:
    function = FUNCTIONS[name]

    def cubed(x: Tensor) -> Tensor:
        y = function(x)
        return (y * y * y).sum()

    def gradient(x: Tensor) -> Tensor:
        return grad(cubed)(x)

    captured = capture(gradient, _X, dynamic={"x": {0: "batch"}})
    assert captured.graph.equations
