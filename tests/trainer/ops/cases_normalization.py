"""Cases of normalization."""

from typing import Any

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(33)


def _x(*shape: int) -> np.ndarray:
    return 2 * _R.standard_normal(shape) + 0.5


def _batch(x: np.ndarray, torch: Any, note: str, **attrs: Any) -> Case:
    channels = x.shape[1]
    running = (_x(channels), _x(channels) ** 2 + 0.1)
    return Case(
        "BatchNormalization",
        (x, _x(channels), _x(channels), *running),
        attrs,
        torch=torch,
        note=note,
    )


def _batch_inference(x, scale, b, mean, var):
    import torch

    return torch.nn.functional.batch_norm(x, mean, var, scale, b, eps=1e-3)


def _batch_training(x, scale, b, mean, var):
    import torch

    y = torch.nn.functional.batch_norm(x, None, None, scale, b, training=True)
    axes = [0, *range(2, x.ndim)]
    new_mean, new_var = x.mean(axes), x.var(axes, correction=0)
    return y, mean * 0.9 + new_mean * 0.1, var * 0.9 + new_var * 0.1


def _layer(axes: int):
    def same(x, scale, b=None):
        import torch

        y = torch.nn.functional.layer_norm(x, x.shape[-axes:])
        return y * scale if b is None else y * scale + b

    return same


def _group(groups: int):
    def same(x, scale, b):
        import torch

        each = x.shape[1] // len(scale)
        scale, b = scale.repeat_interleave(each), b.repeat_interleave(each)
        return torch.nn.functional.group_norm(x, groups, scale, b)

    return same


def _instance(x, scale, b):
    import torch

    return torch.nn.functional.instance_norm(x, weight=scale, bias=b)


def _standardized(axes: Any):
    def same(x):
        return (x - x.mean(axes, keepdim=True)) / x.std(axes, correction=0, keepdim=True)

    return same


CASES = [
    _batch(_x(3, 2, 2, 3), None, "inference"),
    _batch(_x(3, 2, 2, 3), _batch_inference, "constant statistics", epsilon=1e-3)._replace(
        wrt=(0, 1, 2)
    ),
    _batch(_x(4, 3), None, "inference of rows", epsilon=1e-3),
    _batch(_x(3, 2, 2, 3), _batch_training, "training", training_mode=1),
    _batch(_x(3, 2, 2, 3), _batch_training, "running", training_mode=1, outputs=3),
    _batch(_x(4, 3), _batch_training, "training of rows", training_mode=1),
    _batch(_x(4, 2), _batch_training, "momentum", training_mode=1, momentum=0.5)._replace(
        torch=None
    ),
    _batch(_x(0, 3, 2), None, "no images"),
    Case("LayerNormalization", (_x(3, 5), _x(5), _x(5)), torch=_layer(1)),
    Case("LayerNormalization", (_x(3, 5), _x(5)), torch=_layer(1), note="no shift"),
    Case(
        "LayerNormalization",
        (_x(2, 3, 4), _x(3, 4), _x(3, 4)),
        {"axis": 1},
        torch=_layer(2),
        note="two axes",
    ),
    Case(
        "LayerNormalization",
        (_x(2, 3, 4), _x(4), _x(3, 1)),
        {"axis": -2},
        torch=_layer(2),
        note="broadcast",
    ),
    Case("LayerNormalization", (_x(2, 3), _x(2, 3)), {"axis": 0}, torch=_layer(2), note="all axes"),
    Case("LayerNormalization", (_x(3, 5), _x(5), _x(5)), {"outputs": 3}, note="with statistics"),
    Case("LayerNormalization", (_x(3, 5), _x(5)), {"outputs": 2, "epsilon": 0.1}, note="with mean"),
    Case("LayerNormalization", (_x(0, 5), _x(5), _x(5)), torch=_layer(1), note="no rows"),
    Case("InstanceNormalization", (_x(2, 3, 4), _x(3), _x(3)), torch=_instance),
    Case("InstanceNormalization", (_x(2, 2, 3, 2), _x(2), _x(2)), torch=_instance, note="2d"),
    Case("InstanceNormalization", (_x(1, 2, 3), _x(2), _x(2)), {"epsilon": 0.1}, note="epsilon"),
    Case("GroupNormalization", (_x(2, 4, 3), _x(4), _x(4)), {"num_groups": 2}, torch=_group(2)),
    Case(
        "GroupNormalization",
        (_x(2, 6, 2, 2), _x(6), _x(6)),
        {"num_groups": 3},
        torch=_group(3),
        note="2d",
    ),
    Case(
        "GroupNormalization",
        (_x(2, 4, 3), _x(4), _x(4)),
        {"num_groups": 1},
        torch=_group(1),
        note="one group",
    ),
    Case("MeanVarianceNormalization", (_x(3, 2, 2, 2),), torch=_standardized((0, 2, 3))),
    Case(
        "MeanVarianceNormalization",
        (_x(3, 4),),
        {"axes": [-1]},
        torch=_standardized(-1),
        note="axis",
    ),
]
