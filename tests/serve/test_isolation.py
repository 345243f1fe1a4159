"""The server runs where nothing that trains is installed."""

import subprocess
import sys
from pathlib import Path

from tests.serve.models import HALF_PLUS_TWO, publish

PROGRAM = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import pkgutil
import serve
for module in pkgutil.walk_packages(serve.__path__, "serve."):
    if module.name != "serve.__main__":
        __import__(module.name)

import numpy as np
from pathlib import Path
from serve.servable import load
y = load(Path({path!r})).run({{"x": np.float32([1, 2, 5])}})["y"]
assert y.tolist() == [2.5, 3, 4.5]
"""


def test_serve_needs_neither_onnx_nor_the_trainer(tmp_path: Path) -> None:
    path = publish(tmp_path, "half_plus_two", 1, HALF_PLUS_TWO)
    blocked = {"onnx", "trainer", "exporter", "torch", "scipy", "safetensors", "ml_dtypes"}
    program = PROGRAM.format(blocked=blocked, path=str(path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
