"""Cases of resizing.

ONNX Runtime 1.31 takes no part of an axis whose size stays the same ("tf_crop_and_resize" with scale 1),
so that is compared with the reference of ONNX only, in test_resizing.py.
"""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(14)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _scales(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _sizes(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _interpolated(x, size, mode, align_corners=None, antialias=False):
    import torch

    return torch.nn.functional.interpolate(
        x, size, mode=mode, align_corners=align_corners, antialias=antialias
    )


def _to_4_7(mode, align_corners=None):
    return lambda x, *_: _interpolated(x, (4, 7), mode, align_corners)


_X = _x(2, 1, 3, 5)
_HALF = "half_pixel"

CASES = [
    Case(
        "Resize",
        (_X, None, None, _sizes(2, 1, 4, 7)),
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        wrt=(0,),
        torch=_to_4_7("nearest"),
    ),
    Case(
        "Resize",
        (_X, None, _scales(2, 3)),
        {"axes": [2, 3]},
        wrt=(0,),
        torch=lambda x, *_: x.repeat_interleave(2, 2).repeat_interleave(3, 3),
        note="nearest by whole numbers",
    ),
    Case(
        "Resize",
        (_X, None, None, _sizes(4, 7)),
        {"mode": "linear", "axes": [-2, -1]},
        wrt=(0,),
        torch=_to_4_7("bilinear", False),
        note="linear",
    ),
    Case(
        "Resize",
        (_X, None, None, _sizes(4, 7)),
        {"mode": "linear", "axes": [2, 3], "coordinate_transformation_mode": "align_corners"},
        wrt=(0,),
        torch=_to_4_7("bilinear", True),
        note="linear, corners aligned",
    ),
    Case(
        "Resize",
        (_X, None, None, _sizes(2, 1, 4, 7)),
        {"mode": "cubic"},
        wrt=(0,),
        torch=_to_4_7("bicubic", False),
        note="cubic",
    ),
    Case(
        "Resize",
        (_x(1, 2, 9, 8), None, None, _sizes(3, 5)),
        {"mode": "linear", "axes": [2, 3], "antialias": 1, "exclude_outside": 1},
        wrt=(0,),
        torch=lambda x, *_: _interpolated(x, (3, 5), "bilinear", False, True),
        note="antialias",
    ),
    Case(
        "Resize",
        (_x(1, 1, 9, 8), None, None, _sizes(1, 1, 4, 5)),
        {"mode": "cubic", "antialias": 1, "cubic_coeff_a": -0.5, "exclude_outside": 1},
        wrt=(0,),
        torch=lambda x, *_: _interpolated(x, (4, 5), "bicubic", False, True),
        note="cubic antialias",
    ),
    Case(
        "Resize",
        (_x(1, 2, 2, 3, 2), None, None, _sizes(3, 5, 4)),
        {"mode": "linear", "axes": [2, 3, 4]},
        wrt=(0,),
        torch=lambda x, *_: _interpolated(x, (3, 5, 4), "trilinear", False),
        note="volume",
    ),
    Case(
        "Resize",
        (_X, np.array([0, 0, 0.2, 0.9, 1, 1, 1.3, -0.2]), None, _sizes(2, 1, 4, 3)),
        {
            "mode": "linear",
            "coordinate_transformation_mode": "tf_crop_and_resize",
            "extrapolation_value": 2.0,
        },
        wrt=(0,),
        note="crop",
    ),
    Case(
        "Resize",
        (_x(1, 1, 4, 4), np.array([0, 0, 0.1, -0.3, 1, 1, 1.2, 0.7]), None, _sizes(1, 1, 3, 5)),
        {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 2.0},
        wrt=(0,),
        note="nearest crop",
    ),
    Case(
        "Resize",
        (_X, None, None, _sizes(6, 6)),
        {"mode": "linear", "axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"},
        wrt=(0,),
        note="not larger",
    ),
    Case("Resize", (_X, None, _scales(1, 1, 0.6, 1)), {"mode": "linear"}, wrt=(0,), note="shrunk"),
    Case("Resize", (_X, None, _scales(1, 1, 1, 1)), wrt=(0,), note="the same"),
]
