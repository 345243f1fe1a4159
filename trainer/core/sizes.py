"""Sizes as formulas: which constant of a captured graph is made of a size that may vary, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True)
class Size:
    """factor * product of symbol ** power + offset, or symbol // divisor.

    Example:
        >>> str(Size(factor=2, powers=(("batch", 1),)))
        '2*batch'
    """

    factor: int = 1
    powers: tuple[tuple[str, int], ...] = ()
    offset: int = 0
    divisor: int = 1

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number at these sizes.

        Example:
            >>> Size(factor=2, powers=(("batch", 1),), offset=1).at({"batch": 8})
            17
        """
        above = self.factor
        below = self.divisor
        for symbol, power in self.powers:
            above *= sizes[symbol] ** max(power, 0)
            below *= sizes[symbol] ** max(-power, 0)
        return above // below + self.offset

    def __str__(self) -> str:
        above = [name for name, power in self.powers for _ in range(max(power, 0))]
        below = [name for name, power in self.powers for _ in range(max(-power, 0))]
        text = "*".join([*([str(self.factor)] if self.factor != 1 or not above else []), *above])
        text += "".join(f"/{name}" for name in below)
        text += f"/{self.divisor}" if self.divisor != 1 else ""
        return text + (f"{self.offset:+d}" if self.offset else "")


def fit(
    base: Number, varied: Mapping[str, Number], sizes: Mapping[str, tuple[int, int]]
) -> Size | None:
    """The formula behind a number that changes with sizes, if there is a simple one.

    A multiple, a sum with an integer, a quotient or a product of sizes; anything else is a leak.

    Args:
        base: The number at the first sizes.
        varied: Per symbol the number when only that size changed.
        sizes: Per symbol the first and the changed size.

    Returns:
        The formula, or `None` if none of these forms holds.

    Example:
        >>> str(fit(40, {"batch": 60}, {"batch": (4, 6)}))
        '10*batch'
        >>> str(fit(1 / 4, {"batch": 1 / 6}, {"batch": (4, 6)}))
        '1/batch'
        >>> fit(0.37 * 4, {"batch": 0.37 * 6}, {"batch": (4, 6)}) is None
        True
    """
    moving = [symbol for symbol, value in varied.items() if value != base]
    return _product(base, varied, sizes, moving) or (
        _sum_or_quotient(base, varied[moving[0]], *sizes[moving[0]], moving[0])
        if len(moving) == 1
        else None
    )


def _product(
    base: Number,
    varied: Mapping[str, Number],
    sizes: Mapping[str, tuple[int, int]],
    moving: list[str],
) -> Size | None:
    powers = []
    rest = float(base)
    for symbol in moving:
        first, second = sizes[symbol]
        for power in (1, -1, 2, -2):
            if base and _same(varied[symbol] / base, (second / first) ** power):
                powers.append((symbol, power))
                rest /= first**power
                break
        else:
            return None
    factor, divisor = round(rest), round(1 / rest)
    if factor and _same(rest, factor):
        return Size(factor, tuple(powers))
    if divisor and _same(rest, 1 / divisor):
        return Size(1, tuple(powers), divisor=divisor)
    return None


def _sum_or_quotient(
    base: Number, varied: Number, first: int, second: int, symbol: str
) -> Size | None:
    if base != round(base) or varied != round(varied):
        return None
    slope, odd = divmod(round(varied - base), second - first)
    if not odd and 0 < abs(slope) <= 4:
        return Size(slope, ((symbol, 1),), offset=round(base) - slope * first)
    for divisor in range(2, 65) if isinstance(base, int) else ():
        if base == first // divisor and varied == second // divisor:
            return Size(1, ((symbol, 1),), divisor=divisor)
    return None


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * abs(b)
