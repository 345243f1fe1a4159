"""Cases of reshaping, transposing, expanding, joining and splitting."""

import numpy as np

from tests.trainer.ops.case import Case

_R = np.random.default_rng(7)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


def _i(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _cat(parts, dim):
    import torch

    return torch.cat(parts, dim)


CASES = [
    Case("Identity", (_x(2, 3),), torch=lambda x: x * 1),
    Case("Identity", (_x(),), note="scalar"),
    Case("Reshape", (_x(2, 6), _i(3, 4)), torch=lambda x, _: x.reshape(3, 4)),
    Case("Reshape", (_x(2, 6), _i(4, -1)), torch=lambda x, _: x.reshape(4, -1), note="minus one"),
    Case("Reshape", (_x(2, 3, 2), _i(0, -1)), torch=lambda x, _: x.reshape(2, 6), note="copied"),
    Case("Reshape", (_x(1, 1), _i()), torch=lambda x, _: x.reshape(()), note="to a scalar"),
    Case("Reshape", (_x(), _i(1, 1)), torch=lambda x, _: x.reshape(1, 1), note="of a scalar"),
    Case("Reshape", (_x(0, 3), _i(3, 0)), {"allowzero": 1}, note="empty"),
    Case("Reshape", (_x(2, 0, 3), _i(0, -1)), note="empty and copied"),
    Case("Flatten", (_x(2, 3, 4),), torch=lambda x: x.flatten(1)),
    Case("Flatten", (_x(2, 3, 4),), {"axis": 0}, torch=lambda x: x.reshape(1, 24), note="axis 0"),
    Case("Flatten", (_x(2, 3, 4),), {"axis": -1}, torch=lambda x: x.reshape(6, 4), note="axis -1"),
    Case("Flatten", (_x(2, 3),), {"axis": 2}, torch=lambda x: x.reshape(6, 1), note="axis rank"),
    Case("Flatten", (_x(0, 3, 2),), note="empty"),
    Case("Transpose", (_x(2, 3, 4),), torch=lambda x: x.permute(2, 1, 0)),
    Case(
        "Transpose",
        (_x(2, 3, 4, 1),),
        {"perm": [1, 3, 0, 2]},
        torch=lambda x: x.permute(1, 3, 0, 2),
        note="perm",
    ),
    Case("Transpose", (_x(),), note="scalar"),
    Case("Squeeze", (_x(1, 3, 1), _i(0, -1)), torch=lambda x, _: x.squeeze(0).squeeze(-1)),
    Case("Squeeze", (_x(1, 3, 1),), torch=lambda x: x.squeeze(), note="all"),
    Case("Squeeze", (_x(2, 3),), note="none"),
    Case("Unsqueeze", (_x(2, 3), _i(1)), torch=lambda x, _: x.unsqueeze(1)),
    Case("Unsqueeze", (_x(2, 3), _i(-1, 0)), torch=lambda x, _: x[None, ..., None], note="two"),
    Case("Unsqueeze", (_x(), _i(0)), torch=lambda x, _: x.unsqueeze(0), note="scalar"),
    Case("Expand", (_x(3, 1), _i(2, 3, 4)), torch=lambda x, _: x.expand(2, 3, 4)),
    Case("Expand", (_x(3, 4), _i(1, 1)), torch=lambda x, _: x * 1, note="ones keep"),
    Case("Expand", (_x(), _i(2, 2)), torch=lambda x, _: x.expand(2, 2), note="scalar"),
    Case("Expand", (_x(1, 3), _i(0, 3)), note="to nothing"),
    Case("Tile", (_x(2, 3), _i(2, 3)), torch=lambda x, _: x.repeat(2, 3)),
    Case("Tile", (_x(2, 1, 2), _i(1, 4, 1)), torch=lambda x, _: x.repeat(1, 4, 1), note="one axis"),
    Case("Tile", (_x(2, 3), _i(0, 1)), note="never"),
    Case("Tile", (_x(), _i()), note="scalar"),
    Case(
        "Concat",
        (_x(2, 3), _x(2, 1), _x(2, 0)),
        {"axis": 1},
        torch=lambda *x: _cat(x, 1),
    ),
    Case(
        "Concat",
        (_x(2, 3), _x(1, 3)),
        {"axis": -2},
        torch=lambda *x: _cat(x, -2),
        note="negative axis",
    ),
    Case("Concat", (_x(3),), {"axis": 0}, torch=lambda x: x * 1, note="single"),
    Case("Split", (_x(5, 2), _i(2, 3)), torch=lambda x, _: x.split([2, 3])),
    Case(
        "Split",
        (_x(2, 6), _i(1, 0, 5)),
        {"axis": -1},
        torch=lambda x, _: x.split([1, 0, 5], -1),
        note="an empty part",
    ),
    Case(
        "Split",
        (_x(2, 7),),
        {"axis": 1, "num_outputs": 3},
        torch=lambda x: x.chunk(3, 1),
        note="number",
    ),
]
