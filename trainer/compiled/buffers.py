"""The memory of a compiled step: two sets of everything it changes, which take turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.compiled.device import CPU, Device
from trainer.compiled.session import aligned, bound, placed
from trainer.core.tensor import Array


class Buffers:
    """Arrays by name, twice: what one run writes, the next one reads.

    A group of arrays shares one vector, known by the group's name; its members are views of it, so that
    a graph can read each of them and write all of them at once without a copy.

    Args:
        arrays: The first values by name. They are copied.
        groups: Names of vectors, each with the names of its members in order.

    Attributes:
        values: The two sets as ONNX Runtime takes them.
        turn: Which of the two sets is read next.
        device: Where they are.
    """

    def __init__(self, arrays: Mapping[str, Array], groups: Mapping[str, Sequence[str]]) -> None:
        self._sets = [_laid_out(arrays, groups) for _ in range(2)]
        self._groups = groups
        self.values: list[dict[str, Any]] = [
            {name: bound(array) for name, array in one.items()} for one in self._sets
        ]
        self.turn = 0
        self.device = CPU

    def arrays(self) -> dict[str, Array]:
        """A copy of every present value; members instead of their groups."""
        present = self._sets[self.turn].items()
        return {name: np.array(array) for name, array in present if name not in self._groups}

    def write(self, arrays: Mapping[str, Array]) -> None:
        """Replace values. In both sets, for what a graph does not change it does not write, either."""
        for name, array in arrays.items():
            for one in self._sets:
                one[name][...] = array


class DeviceBuffers:
    """The same in the memory of a device: values are copied there and back, and there are no groups.

    Args:
        arrays: The first values by name. They are copied.
        device: Where they go.
    """

    def __init__(self, arrays: Mapping[str, Array], device: Device) -> None:
        self.values: list[dict[str, Any]] = [
            {name: placed(np.array(array), device) for name, array in arrays.items()}
            for _ in range(2)
        ]
        self.turn = 0
        self.device = device

    def arrays(self) -> dict[str, Array]:
        """A copy of every present value."""
        return {name: np.array(value.numpy()) for name, value in self.values[self.turn].items()}

    def write(self, arrays: Mapping[str, Array]) -> None:
        """Replace values in both sets."""
        for name, array in arrays.items():
            for one in self.values:
                one[name].update_inplace(np.asarray(array, order="C"))


def _laid_out(arrays: Mapping[str, Array], groups: Mapping[str, Sequence[str]]) -> dict[str, Array]:
    made: dict[str, Array] = {}
    for group, members in groups.items():
        made[group] = aligned(np.concatenate([arrays[name].reshape(-1) for name in members]))
        parts = np.split(made[group], np.cumsum([arrays[name].size for name in members])[:-1])
        made |= {n: part.reshape(arrays[n].shape) for n, part in zip(members, parts, strict=True)}
    return made | {name: aligned(array) for name, array in arrays.items() if name not in made}
