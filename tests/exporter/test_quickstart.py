"""The quickstart as a stranger runs it: in an empty folder, in a process of its own."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from exporter.serving import ask, server

ROOT = Path(__file__).resolve().parent.parent.parent
QUICKSTART = [sys.executable, "-m", "tapeline", "quickstart"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def quickstart(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QUICKSTART, *options],
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_recipe_is_the_one_in_the_repository() -> None:
    packaged = (ROOT / "exporter" / "digits.toml").read_text()
    assert packaged == (ROOT / "models" / "digits" / "recipe.toml").read_text()


def test_it_goes_the_whole_way(tmp_path: Path) -> None:
    done = quickstart(tmp_path, PATH="/usr/bin:/bin")  # the environment is not activated
    assert done.returncode == 0, done.stderr
    steps = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("✓")]
    assert steps == ["trained", "exported", "verified", "serving", "answered"]
    assert "The server says 7; it is a 7." in done.stdout
    assert "\x1b" not in done.stdout
    version = tmp_path / "models" / "digits" / "1"
    assert {file.name for file in version.iterdir()} == {
        "model.onnx",
        "golden.npz",
        "manifest.json",
    }
    inspect = next(line for line in done.stdout.splitlines() if " inspect " in line)
    subprocess.run(
        shlex.split(inspect), cwd=tmp_path, env=ENVIRONMENT | {"PATH": "/usr/bin:/bin"}, check=True
    )
    curl = next(line.strip() for line in done.stdout.splitlines() if line.startswith("  curl"))
    question = json.loads(curl.split("'")[1])
    with server(tmp_path / "models", "digits") as address:
        answer = ask(address + curl.split("localhost:8501")[1], question)
    (probabilities,) = answer["predictions"]
    assert probabilities.index(max(probabilities)) == 7


def test_a_second_time_it_publishes_the_next_version_for_programs_in_ascii(tmp_path: Path) -> None:
    (tmp_path / "models" / "digits" / "1").mkdir(parents=True)
    done = quickstart(tmp_path, "--json", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert result["version"] == 2
    assert result["accuracy"] >= 0.97
    assert result["label"] == 7


def test_another_recipe_in_the_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "recipe.toml").write_text("# mine")
    done = quickstart(tmp_path, "--folder", "mine")
    assert (done.returncode, done.stdout) == (1, "")
    assert "mine/recipe.toml is not the recipe of the quickstart" in done.stderr
    assert (tmp_path / "mine" / "recipe.toml").read_text() == "# mine"
