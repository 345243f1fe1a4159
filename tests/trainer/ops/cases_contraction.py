"""Cases of Einstein's summation."""

import numpy as np

from tests.trainer.ops.case import Case
from tests.trainer.ops.peer import of_torch

_R = np.random.default_rng(13)


def _x(*shape: int) -> np.ndarray:
    return _R.standard_normal(shape)


CASES = [
    Case(
        "Einsum",
        inputs,
        {"equation": equation},
        torch=lambda *x, equation=equation: of_torch("einsum")(equation, *x),
        note=f"{equation}{note}",
    )
    for equation, inputs, note in [
        ("ij->ji", (_x(2, 3),), ""),
        ("ij->i", (_x(2, 3),), ""),
        ("ij->", (_x(2, 3),), ""),
        ("ji", (_x(2, 3),), ""),
        ("ii->i", (_x(3, 3),), ""),
        ("ii", (_x(3, 3),), ""),
        ("iij->j", (_x(2, 2, 3),), ""),
        ("i,i", (_x(3), _x(3)), ""),
        ("i,j->ij", (_x(2), _x(3)), ""),
        ("ij,jk->ik", (_x(2, 3), _x(3, 4)), ""),
        ("ij, kj -> ki", (_x(2, 3), _x(4, 3)), ""),
        ("bij,bjk->bik", (_x(2, 2, 3), _x(2, 3, 2)), ""),
        ("bhqd,bhkd->bhqk", (_x(1, 2, 3, 2), _x(1, 2, 2, 2)), ""),
        ("bi,bi->b", (_x(2, 3), _x(2, 3)), ""),
        ("bi,bi->bi", (_x(2, 3), _x(2, 3)), ""),
        ("ij,k->i", (_x(2, 3), _x(2)), " summed before"),
        ("ii,ij->j", (_x(3, 3), _x(3, 2)), ""),
        ("...ij,...jk->...ik", (_x(2, 2, 3), _x(2, 3, 2)), ""),
        ("...ij,jk->...ik", (_x(2, 2, 3), _x(3, 2)), " ranks"),
        ("...,...->...", (_x(1, 3), _x(4, 3)), " broadcast"),
        ("i...j->j...", (_x(2, 3, 4),), ""),
        ("ij,jk,kl->il", (_x(2, 3), _x(3, 2), _x(2, 2)), ""),
        ("i,i,i->i", (_x(3), _x(3), _x(3)), ""),
        ("ij,j->i", (_x(0, 3), _x(3)), " empty"),
    ]
]
