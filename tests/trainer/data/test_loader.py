"""Batches: every row once an epoch, in an order that can be repeated and taken up again."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.core.errors import DataError
from trainer.data import Dataset, Loader


def numbered(rows):
    """A dataset whose inputs and targets are the number of the row."""
    return Dataset(np.arange(rows).reshape(-1, 1), np.arange(rows))


def dealt(loader):
    """The row numbers of each batch of one epoch."""
    return [y.tolist() for _, y in loader]


@given(st.integers(1, 60), st.integers(1, 20), st.booleans(), st.integers(0, 2**32))
def test_every_row_is_dealt_once_an_epoch(rows, batch_size, shuffle, seed):
    loader = Loader(numbered(rows), batch_size, shuffle, seed)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == -(-rows // batch_size)
        assert all(len(x) == batch_size for x, _ in batches[:-1])
        assert all(np.array_equal(x[:, 0], y) for x, y in batches)
        assert sorted(itertools.chain(*(y.tolist() for _, y in batches))) == list(range(rows))


@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 2**32), st.data())
def test_a_run_goes_on_where_it_stopped(rows, batch_size, seed, data):
    whole = Loader(numbered(rows), batch_size, seed=seed)
    expected = [batch for _ in range(3) for batch in dealt(whole)]
    stop = data.draw(st.integers(0, 2 * len(whole) - 1))

    first = Loader(numbered(rows), batch_size, seed=seed)
    epochs = itertools.chain.from_iterable(iter(first) for _ in range(3))
    before = [y.tolist() for _, y in itertools.islice(epochs, stop)]
    second = Loader(numbered(rows), batch_size, seed=seed)
    second.state = first.state
    after = [batch for _ in range(3 - second.epoch) for batch in dealt(second)]
    assert before + after == expected


def test_orders_differ_by_epoch_and_by_seed():
    loader = Loader(numbered(50), 50)
    first, second = dealt(loader), dealt(loader)
    other = dealt(Loader(numbered(50), 50, seed=1))
    assert first != second
    assert first != other


def test_an_epoch_can_be_chosen():
    loader = Loader(numbered(20), 7)
    orders = [dealt(loader) for _ in range(3)]
    assert loader.epoch == 3
    loader.epoch = 1
    assert dealt(loader) == orders[1]


def test_an_epoch_left_early_is_dealt_again():
    loader = Loader(numbered(20), 7)
    x, _ = next(iter(loader))
    assert loader.epoch == 0
    np.testing.assert_array_equal(next(iter(loader))[0], x)


def test_looking_at_a_batch_does_not_lose_the_place_to_go_on_from():
    loader = Loader(numbered(20), 7)
    loader.state = {"epoch": 1, "batch": 2}
    next(iter(loader))
    assert len(dealt(loader)) == 1


def test_without_shuffling_the_order_is_that_of_the_rows():
    assert dealt(Loader(numbered(5), 2, shuffle=False)) == [[0, 1], [2, 3], [4]]


def test_a_small_last_batch_can_be_dropped():
    loader = Loader(numbered(5), 2, shuffle=False, drop_last=True)
    assert dealt(loader) == [[0, 1], [2, 3]]
    assert len(loader) == 2


def test_batches_are_contiguous_and_owned_by_the_receiver():
    dataset = numbered(8)
    for shuffle in (True, False):
        for x, y in Loader(dataset, 3, shuffle):
            assert x.flags.c_contiguous
            x[:] = -1
            y[:] = -1
    assert dataset.x.min() == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"batch_size": 0}, r"The batch size is 0; at least 1 is needed\."),
        ({"batch_size": 9, "drop_last": True}, r"data: 5 rows do not fill one batch of 9\."),
    ],
)
def test_bad_arguments_are_one_sentence(arguments, sentence):
    with pytest.raises(DataError, match=sentence):
        Loader(numbered(5), **arguments)


@pytest.mark.parametrize("state", [{"epoch": 0, "batch": 3}, {"epoch": -1, "batch": 0}])
def test_a_place_that_does_not_exist_is_one_sentence(state):
    with pytest.raises(
        DataError, match=r"an epoch has 3 batches of 2\. Was the batch size changed"
    ):
        Loader(numbered(5), 2).state = state
