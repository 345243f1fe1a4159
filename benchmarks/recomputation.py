"""Peak memory of a training step with and without `nn.recompute`: 8 layers of a transformer.

Width 128, 4 heads, 64 places, batch 32, SGD. Eager, and the captured step as ONNX Runtime runs it, each in
a process of its own. ONNX Runtime plans its memory anew for the second run, so it runs three times.
Run: python -m benchmarks.recomputation
"""

import gc
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime

from benchmarks.memory import peak_above_start
from trainer import nn, optim
from trainer.compiled.passes import optimize
from trainer.core.proto import to_model
from trainer.core.tensor import Tensor, wrap
from trainer.core.trace import capture
from trainer.step import EagerStep, training_step

LAYERS, WIDTH, PLACES, BATCH, CLASSES = 8, 128, 64, 32, 16
DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}


class Network(nn.Module):
    """Layers of a transformer, and a linear layer on their mean."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.twice = twice
        self.blocks = [
            nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, causal=True)
            for _ in range(LAYERS)
        ]
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = nn.recompute(block, x) if self.twice else block(x)
        return self.head(x.mean(axis=1))


def batch() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.standard_normal((BATCH, PLACES, WIDTH)).astype(np.float32)
    return x, generator.integers(0, CLASSES, BATCH)


def eager(twice: bool, _folder: str) -> float:
    step, (x, y) = EagerStep(Network(twice), nn.cross_entropy, optim.SGD()), batch()
    step.train(x[:2], y[:2], 0.1)
    return peak_above_start(lambda: step.train(x, y, 0.1))


def write(twice: bool, folder: str) -> float:
    model, optimizer = Network(twice), optim.SGD()
    step = training_step(nn.cross_entropy, optimizer, None)
    rate, x, y = wrap(np.float64(0.1)), *map(wrap, batch())
    captured = capture(step, model, optimizer.init(model.tree_children()), rate, x, y)
    proto = to_model(optimize(captured.graph))
    Path(folder, "step.onnx").write_bytes(proto.SerializeToString())
    return 0.0


def onnx(_twice: bool, folder: str) -> float:
    session = onnxruntime.InferenceSession(
        str(Path(folder, "step.onnx")), providers=["CPUExecutionProvider"]
    )
    feeds = {v.name: np.zeros(v.shape, DTYPES[v.type]) for v in session.get_inputs()}
    gc.collect()
    return peak_above_start(lambda: [session.run(None, feeds) for _ in range(3)])


def main() -> None:
    if len(sys.argv) > 1:
        kind, twice, folder = sys.argv[1:]
        print({"eager": eager, "write": write, "onnx": onnx}[kind](twice == "twice", folder))
        return
    print("| MiB above the start | plain | recomputed | share |\n|---|---|---|---|")
    with TemporaryDirectory() as folder:

        def measured(kind: str, twice: str) -> float:
            command = [sys.executable, "-m", "benchmarks.recomputation", kind, twice, folder]
            return float(subprocess.run(command, check=True, capture_output=True).stdout)

        for kind in ("eager", "onnx"):
            found = []
            for twice in ("once", "twice"):
                if kind == "onnx":
                    measured("write", twice)
                found.append(measured(kind, twice))
            print(f"| {kind} | {found[0]:.0f} | {found[1]:.0f} | {found[1] / found[0]:.2f} |")


if __name__ == "__main__":
    main()
