"""The examples that train without the trainer give its losses, and what they write comes back."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.release import release, release_train_step
from trainer import run
from trainer.checkpoint import Checkpoint
from trainer.compiled import CompiledStep
from trainer.config import Recipe

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "train-step"
RATE, STEPS = 0.02, 5


@pytest.fixture(params=["digits", "iris-mlp"])
def recipe(request: pytest.FixtureRequest, tmp_path: Path) -> Recipe:
    """A recipe trained for an epoch, its training step in a file, and a batch beside it."""
    folder = tmp_path / request.param
    folder.mkdir()
    shutil.copy(ROOT / "models" / request.param / "recipe.toml", folder)
    made = Recipe.read(folder)
    run.train(made, epochs=1)
    release_train_step(made)
    rows, _ = made.dataset()
    x, y = rows.x[:24], rows.y[:24]
    np.savez(folder / "rows.npz", x=x, y=y)
    (folder / "rows.json").write_text(json.dumps({"x": x.tolist(), "y": y.tolist()}))
    return made


def own_losses(recipe: Recipe) -> list[float]:
    """What the trainer gets from the same checkpoint and the same batch."""
    trained, saved = run.load(recipe)
    step = CompiledStep(trained.model, recipe.loss(), recipe.optimizer(), recipe.train.clip)
    step.load(saved.optimizer)
    rows = np.load(recipe.folder / "rows.npz")
    return [step.train(rows["x"], rows["y"], RATE) for _ in range(STEPS)]


def check(recipe: Recipe, command: list[str | Path], rows: str) -> None:
    folder = recipe.folder / "runs" / "1"
    arguments = [folder, recipe.folder / rows, str(RATE), str(STEPS)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [float(line) for line in done.stdout.split()]
    # Adam divides the gradient of a bias before BatchNorm, which is nothing but rounding, by itself.
    np.testing.assert_allclose(found, own_losses(recipe), rtol=1e-3)
    tuned = folder / "continued.safetensors"
    before = Checkpoint.load(folder / "checkpoint.safetensors").optimizer["step"]
    assert Checkpoint.load(tuned).optimizer["step"] == before + STEPS
    assert release(recipe, tuned).version == 1


def test_python_with_onnxruntime_and_numpy_alone(recipe: Recipe) -> None:
    """No module of this project is on its path."""
    check(recipe, [sys.executable, "-I", EXAMPLE / "train.py"], "rows.npz")


def test_node(recipe: Recipe, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "train.mjs", tmp_path)
    (tmp_path / "node_modules").symlink_to(node_modules())
    check(recipe, ["node", tmp_path / "train.mjs"], "rows.json")


def node_modules() -> Path:
    """The packages of the example, installed once into `.cache`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = ROOT / ".cache" / "train-step"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(EXAMPLE / "package.json", folder)
    if not (folder / "node_modules" / "onnxruntime-node").is_dir():
        done = subprocess.run(
            # The CPU's binaries are in the package; what its script would fetch are those for CUDA.
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            env={**os.environ, "ONNXRUNTIME_NODE_INSTALL": "skip"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm cannot install onnxruntime-node: {done.stderr.strip()[-200:]}")
    return folder / "node_modules"
