"""Cases of sampling images at coordinates."""

from itertools import product

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(15)
_IMAGES, _GRID = _R.standard_normal((2, 3, 4, 5)), _R.uniform(-1.3, 1.3, (2, 3, 2, 2))
_VOLUMES, _PLACES = _R.standard_normal((1, 2, 3, 2, 4)), _R.uniform(-1.2, 1.2, (1, 2, 2, 3, 3))
_TORCH = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}


def _grid_sample(mode, padding, align):
    def function(x, grid):
        import torch

        return torch.nn.functional.grid_sample(x, grid, _TORCH[mode], padding, bool(align))

    return function


def _affine_grid(size, align):
    def function(theta, _):
        import torch

        return torch.nn.functional.affine_grid(theta, size, bool(align))

    return function


CASES = [
    *(
        Case(
            "GridSample",
            (_IMAGES, _GRID),
            {"mode": mode, "padding_mode": padding, "align_corners": align},
            order=1 if mode == "cubic" else 2,
            torch=_grid_sample(mode, padding, align),
            note=f"{mode} {padding} {align}",
        )
        for mode, padding, align in product(_TORCH, ("zeros", "border", "reflection"), (0, 1))
    ),
    *(
        Case(
            "GridSample",
            (_VOLUMES, _PLACES),
            {"mode": mode, "padding_mode": padding},
            order=1,
            torch=_grid_sample(mode, padding, 0),
            note=f"volume {mode} {padding}",
        )
        for mode, padding in (("linear", "reflection"), ("nearest", "border"))
    ),
    Case(
        "AffineGrid",
        (_R.standard_normal((2, 2, 3)), np.array([2, 3, 4, 5])),
        torch=_affine_grid((2, 3, 4, 5), 0),
    ),
    Case(
        "AffineGrid",
        (_R.standard_normal((2, 3, 4)), np.array([2, 1, 3, 2, 2])),
        {"align_corners": 1},
        torch=_affine_grid((2, 1, 3, 2, 2), 1),
        note="volume, corners aligned",
    ),
]
