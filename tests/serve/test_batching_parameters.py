"""TensorFlow Serving's file of batching parameters, with the text of its own documentation."""

import math
from pathlib import Path

import pytest

from serve.batching_parameters import parse, read
from serve.errors import SettingsError
from serve.settings import Settings

# https://github.com/tensorflow/serving/blob/master/tensorflow_serving/batching/README.md
DOCUMENTED = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 0 }
max_enqueued_batches { value: 1000000 }
num_batch_threads { value: 8 }
"""


def test_the_documented_file() -> None:
    batching = parse(DOCUMENTED)
    assert (batching.enabled, batching.max_batch_size, batching.delay) == (True, 128, 0)
    assert (batching.max_queue, batching.queue_seconds) == (128_000_000, math.inf)


def test_every_field_has_its_effect() -> None:
    batching = parse(
        """# sizes
        max_batch_size: { value: 64 };  # as some write it
        batch_timeout_micros { value: 1500 }
        max_execution_batch_size { value: 16 }
        enable_large_batch_splitting { value: true }
        allowed_batch_sizes: 4
        allowed_batch_sizes: [8, 16]
        thread_pool_name { value: "pool" }
        pad_variable_length_inputs: true
        """
    )
    assert (batching.max_batch_size, batching.delay) == (16, 0.0015)
    assert (batching.allowed_sizes, batching.pad_lengths) == ((4, 8, 16), True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_sise { value: 1 }", "no field 'max_batch_sise'; .*Did you mean max_batch_size"),
        ("max_batch_size { value: many }", "max_batch_size is 'many': expected a whole number"),
        ("max_batch_size { value: 0 }", "max_batch_size is 0"),
        ("pad_variable_length_inputs: 1", "expected true or false"),
        ("max_batch_size { val", "line 1: expected ':' or '{'"),
        ("allowed_batch_sizes: 8 allowed_batch_sizes: 4", r"\[8, 4\] must increase"),
        ("max_batch_size { value: 9 } allowed_batch_sizes: 4", "must .*end with the maximum"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "batching.txt"
    file.write_text(text)
    with pytest.raises(SettingsError, match=f"batching.txt: .*{message}"):
        read(file)


def test_the_bounds_of_the_queue_hold_where_the_file_has_none(tmp_path: Path) -> None:
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 8 }")
    batching = Settings(batching_parameters_file=file, max_queue=7, batch_delay=9.0).batching
    assert (batching.max_batch_size, batching.max_queue, batching.delay) == (8, 7, 0.0)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read(tmp_path / "none")
