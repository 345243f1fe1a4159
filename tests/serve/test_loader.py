"""Loading by the settings: recorded requests, devices, session options, batches."""

import asyncio
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from serve.errors import LoadError, SettingsError
from serve.infer import Inference
from serve.loader import Loader
from serve.models_config import ModelConfig
from serve.settings import Settings
from serve.source import Candidate
from tests.serve.models import HALF_PLUS_TWO, SLOW, publish


def load(folder: Path, config: ModelConfig | None = None, **settings: Any) -> Any:
    loader = Loader(Settings(probe=False, threads=4, **settings))
    return loader(Candidate("m", 1, folder, (), config=config or ModelConfig()))


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('{"instances": [1, 2]}\n\n{"inputs": [1]}\n', ""),
        (
            '{"instances": [1]}\n{"instances": ["a"]}',
            "warmup.jsonl, line 2: .*not of expected type",
        ),
        ('{"instances": [[1]]}', "warmup.jsonl, line 1: "),
        ("{}", "line 1: it needs inputs or instances"),
        ("[1]", "line 1: it needs inputs or instances"),
        ("{", "warmup.jsonl, line 1: "),
        ("\n" * 1001, "has 1001 requests; at most 1000"),
    ],
)
def test_recorded_requests_are_answered_before_traffic(
    lines: str, problem: str, tmp_path: Path
) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO, manifest=False)
    (folder / "warmup.jsonl").write_text(lines)
    if problem:
        with pytest.raises(LoadError, match=problem):
            load(folder)
    else:
        load(folder)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this one has CUDA"
)
def test_a_device_that_the_runtime_does_not_have_is_a_reason(tmp_path: Path) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    for servable in (
        lambda: load(folder, device="cuda"),
        lambda: load(folder, ModelConfig(device="cuda")),
    ):
        with pytest.raises(LoadError, match="install onnxruntime-gpu"):
            servable()
    assert load(folder, ModelConfig(device="cpu"), device="cuda").run


def test_session_options_reach_the_runtime(tmp_path: Path) -> None:
    folder = publish(tmp_path, "m", 1, SLOW)
    options = {
        "intra_op_thread_count": 3,
        "inter_op_thread_count": 2,
        "execution_mode": 1,
        "enable_mem_arena": False,
        "enable_mem_pattern": False,
        "session.use_device_allocator_for_initializers": True,
    }
    servable = load(folder, ModelConfig(session=options))
    given = servable._session.get_session_options()
    assert (servable.threads, given.intra_op_num_threads, given.inter_op_num_threads) == (3, 3, 2)
    assert given.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert not given.enable_cpu_mem_arena
    assert not given.enable_mem_pattern
    name = "session.use_device_allocator_for_initializers"
    assert given.get_session_config_entry(name) == "1"


@pytest.mark.parametrize(
    ("file", "settings", "expected"),
    [
        # as TensorFlow Serving has it: the file instead of all that is said in common,
        ("max_batch_size { value: 8 }", {"batch_delay": 9.0}, (True, 8, 0.0, 7)),
        ("max_enqueued_batches { value: 3 }", {"max_batch_size": 9}, (True, 32, 0.0, 96)),
        # no batches for a model without one,
        (None, {}, (False, 32, 0.0, 7)),
        # and no meaning of the flag where there are no batches at all.
        ("max_batch_size { value: 8 }", {"enable_batching": False}, None),
    ],
)
def test_the_batching_parameters_beside_a_model(
    file: str | None, settings: dict[str, Any], expected: object, tmp_path: Path
) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    if file is not None:
        (folder / "batching_params.pbtxt").write_text(file)
    flags = {"enable_batching": True, "enable_per_model_batching_parameters": True, "max_queue": 7}
    own = load(folder, **flags | settings).batching
    assert expected == (own and (own.enabled, own.max_batch_size, own.delay, own.max_queue))
    configured = ModelConfig(batching={"enabled": True, "max_batch_size": 5})
    assert load(folder, configured, **flags | settings).batching.max_batch_size == 5
    without = {"enable_per_model_batching_parameters": False}
    assert load(folder, **flags | settings | without).batching is None


def test_wrong_batching_parameters_beside_a_model_are_its_failure(tmp_path: Path) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    (folder / "batching_params.pbtxt").write_text("max_batch_sise { value: 8 }")
    with pytest.raises(SettingsError, match=r"1/batching_params.pbtxt: There is no field 'max_ba"):
        load(folder, enable_batching=True, enable_per_model_batching_parameters=True)


def test_batches_of_its_own_differ_from_those_of_the_server(tmp_path: Path) -> None:
    folder = publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    config = ModelConfig(batching={"enabled": True, "max_batch_size": 2})
    servable = load(folder, config, max_queue=7)
    assert servable.batching is not None
    own = servable.batching
    assert (own.enabled, own.max_batch_size, own.max_queue) == (True, 2, 7)
    assert load(folder, max_queue=7).batching is None
    servable.seconds = math.inf  # else it is run inline

    async def main() -> Any:
        asked = [made.run(servable, {"x": np.full(1, i, np.float32)}) for i in range(4)]
        return await asyncio.gather(*asked)

    made = Inference(1)  # which joins nothing by itself
    try:
        assert [r["y"].tolist() for r in asyncio.run(main())] == [[2], [2.5], [3], [3.5]]
        queue = made.queue_of(servable)
        assert queue is not None
        assert (queue.totals.runs, queue.totals.requests) == (2, 4)
    finally:
        made.close()
