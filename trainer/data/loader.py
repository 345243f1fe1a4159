"""Deals the rows of a dataset in batches, in an order that follows from the seed and the epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.core.errors import DataError
from trainer.data.dataset import Array, Dataset


class Loader:
    """Batches of a dataset; iterating once is one epoch.

    The order of an epoch depends on the seed and the number of the epoch only, so that a run can be
    taken up where it stopped. An epoch that is left before its end is dealt from its start again.

    Args:
        dataset: The rows.
        batch_size: Rows per batch. Defaults to 32.
        shuffle: Whether to deal the rows in a new random order in each epoch. Defaults to True.
        seed: Chooses the orders; any integer from 0. Defaults to 0.
        drop_last: Whether to leave out a last batch that is smaller. Defaults to False.

    Raises:
        DataError: The batch size is not positive, or no batch is left.

    Example:
        >>> rows = Dataset(np.arange(10.0).reshape(5, 2), np.arange(5))
        >>> [y.tolist() for x, y in Loader(rows, batch_size=2, shuffle=False)]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"The batch size is {batch_size}; at least 1 is needed.")
        if drop_last and len(dataset) < batch_size:
            raise DataError(
                f"{dataset.name}: {len(dataset)} rows do not fill one batch of {batch_size}. "
                "Take smaller batches, or do not drop the last one."
            )
        self.dataset, self.batch_size, self.shuffle = dataset, batch_size, shuffle
        self.seed, self.drop_last = seed, drop_last
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The number of the epoch that is dealt now or next, from 0; set it to start another."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self.state = {"epoch": epoch, "batch": 0}

    @property
    def state(self) -> dict[str, int]:
        """The place after the last batch that was dealt; set it to go on from there."""
        if self._next == len(self):
            return {"epoch": self._epoch + 1, "batch": 0}
        return {"epoch": self._epoch, "batch": self._next}

    @state.setter
    def state(self, state: dict[str, int]) -> None:
        epoch, batch = state["epoch"], state["batch"]
        if epoch < 0 or not 0 <= batch < len(self):
            raise DataError(
                f"{self.dataset.name}: cannot go on from batch {batch} of epoch {epoch}; "
                f"an epoch has {len(self)} batches of {self.batch_size}. Was the batch size changed?"
            )
        self._epoch = epoch
        self._first = self._next = batch  # an epoch left early is dealt again from its first batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        epoch = self._epoch
        order = self._order(epoch)
        x, y = self.dataset.x, self.dataset.y
        for batch in range(self._first, len(self)):
            rows = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            self._next = batch + 1
            yield x.take(rows, axis=0), y.take(rows, axis=0)
        self.epoch = epoch + 1

    def _order(self, epoch: int) -> Array:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.dataset))
