"""The command line: its flags, its errors, its speed of start."""

import inspect
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from serve.cli import app
from serve.cli import serve as command
from serve.foreign_flags import reason_against
from serve.settings import Settings


def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `python -m serve`."""
    done = subprocess.run(
        [sys.executable, "-m", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


def test_every_setting_has_a_flag() -> None:
    assert set(Settings.model_fields) == set(inspect.signature(command).parameters) - {"debug"}


def test_help_needs_nothing_heavy() -> None:
    program = """
import sys
from serve.cli import app
try:
    app(["--help"], prog_name="serve")
except SystemExit:
    heavy = {"numpy", "onnxruntime", "fastapi", "pydantic", "uvicorn"} & sys.modules.keys()
    sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--model-base-path" in done.stdout


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    code, output, errors = run("--model_base_path", str(tmp_path / "nowhere"))
    assert (code, output) == (1, "")
    assert errors.startswith(f"There is no folder {tmp_path / 'nowhere'}: ")
    assert errors.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    code, _, errors = run("--debug", MODEL_BASE_PATH=str(tmp_path / "nowhere"))
    assert code == 1
    assert "Traceback" in errors


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, output, errors = run(
            "--rest_api_port", port, "--host", "127.0.0.1", "--model-base-path", str(tmp_path)
        )
    assert (code, output) == (1, "")
    expected = f"Port {port} of 127.0.0.1 is in use: choose another with --port, or 0 for any.\n"
    assert errors == expected


def test_an_address_that_is_not_ours_is_one_sentence(tmp_path: Path) -> None:
    code, _, errors = run("--host", "192.0.2.1", "--model-base-path", str(tmp_path))
    assert code == 1
    assert errors.startswith("Cannot listen on '192.0.2.1': ")


def test_a_wrong_option_names_the_nearest() -> None:
    code, _, errors = run("--prot", "1")
    assert code == 2
    assert "--port" in errors


@pytest.mark.parametrize("arguments", [["--port", "many"], ["--port", "70000"], ["--golden", "no"]])
def test_wrong_values_are_wrong_usage(arguments: list[str]) -> None:
    code, _, errors = run(*arguments)
    assert code == 2
    assert arguments[0].removeprefix("--") in errors
    assert "Traceback" not in errors


def test_a_wrong_choice_is_told_the_nearest_in_plain_words() -> None:
    last = " ".join(run("--golden", "refus")[2].split("Error: ")[-1].split())
    assert last == (
        "Invalid value for '--golden': 'refus' is not one of 'refuse', 'warn', 'off'. "
        "Did you mean refuse?"
    )


def test_flags_of_tensorflow_serving_without_a_meaning_are_told_why() -> None:
    code, _, errors = run("--rest_api_port=0", "--grpc_max_threads=4")
    assert code == 2
    assert "--grpc_max_threads has no meaning here: this server speaks REST only." in " ".join(
        errors.replace("│", "").split()
    )


# `tensorflow_model_server --help` of 2026-07.
TENSORFLOW_SERVING = """port grpc_socket_path rest_api_port rest_api_num_threads rest_api_timeout_in_ms
rest_api_enable_cors_support enable_batching allow_version_labels_for_unavailable_models
batching_parameters_file enable_per_model_batching_parameters model_config_file
model_config_file_poll_wait_seconds model_name model_base_path num_load_threads num_unload_threads
max_num_load_retries load_retry_interval_micros file_system_poll_wait_seconds flush_filesystem_caches
tensorflow_session_parallelism tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism
tensorflow_session_config_file ssl_config_file platform_config_file per_process_gpu_memory_fraction
saved_model_tags grpc_channel_arguments grpc_max_threads enable_model_warmup
num_request_iterations_for_warmup version monitoring_config_file enable_signature_method_name_check
xla_cpu_compilation_enabled xla_gpu_compilation_enabled enable_profiler
thread_pool_factory_config_file prefer_tflite_model num_tflite_pools num_tflite_interpreters_per_pool
mixed_precision enable_grpc_healthcheck_service enable_serialization_as_tensor_content"""
LATER = {"rest_api_timeout_in_ms", "batching_parameters_file", "enable_batching", "version"}


def test_every_flag_of_tensorflow_serving_is_an_alias_or_refused_with_a_reason() -> None:
    root = typer.main.get_command(app)
    ours = {name for parameter in root.params for name in parameter.opts}
    unknown = {
        flag
        for flag in TENSORFLOW_SERVING.split()
        if f"--{flag.replace('_', '-')}" not in ours and not reason_against(f"--{flag}")
    }
    assert unknown <= LATER


@pytest.mark.parametrize("flag", ["--model_config_file", "--config"])
def test_a_wrong_configuration_is_one_sentence(flag: str, tmp_path: Path) -> None:
    (tmp_path / "models.config").write_text("model_config_list {")
    code, _, errors = run(flag, str(tmp_path / "models.config"), "--port", "0")
    assert code in (1, 2)
    assert str(tmp_path / "models.config") in errors
    assert "Traceback" not in errors
