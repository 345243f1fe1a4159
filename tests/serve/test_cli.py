"""The command line: its flags, its errors, its speed of start."""

import inspect
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from serve.cli import serve as command
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
