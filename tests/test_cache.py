"""No test reads or writes the cache of whoever runs it."""

import pytest

from serve.probe import default_memo
from trainer.compiled import choices


def test_what_is_remembered_on_this_machine_is_of_this_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    base = tmp_path_factory.getbasetemp()
    assert choices.local_table().is_relative_to(base)
    assert default_memo().is_relative_to(base)
