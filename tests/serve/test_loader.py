"""Loading by the settings: recorded requests, devices, session options."""

from pathlib import Path

import onnxruntime
import pytest

from serve.errors import LoadError
from serve.loader import Loader
from serve.models_config import ModelConfig
from serve.settings import Settings
from serve.source import Candidate
from tests.serve.models import HALF_PLUS_TWO, SLOW, publish


def load(folder: Path, config: ModelConfig | None = None, **settings: object):
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
