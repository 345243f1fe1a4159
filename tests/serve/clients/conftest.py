"""An environment of its own for the clients: what they depend on is not what the server does."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.process import Server

PACKAGES = ["tritonclient[http]==2.73.0", "ovmsclient==2023.1", "open-inference-openapi==2.0.0.1"]
CACHE = Path(__file__).parents[3] / ".cache" / "clients"

Ask = Callable[[str], Any]


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter of the clients' environment, made once if `ORACLES=require`."""
    program, ready = CACHE / "bin" / "python", CACHE / "ready"
    if not ready.exists() or ready.read_text().split() != PACKAGES:
        if os.environ.get("ORACLES") != "require":
            pytest.skip("the clients are not installed: `ORACLES=require` installs them, 200 MB")
        venv.create(CACHE, with_pip=True, clear=True)
        install = [program, "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True, stdout=sys.stderr)
        ready.write_text(" ".join(PACKAGES))
    return program


@pytest.fixture
def ask(python: Path, server: Server) -> Ask:
    """Run a client's script, which finds the server's address in `address` and prints JSON."""

    def run(script: str) -> Any:
        program = f"import json\nimport numpy as np\naddress = '127.0.0.1:{server.port}'\n{script}"
        done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
