"""Peak memory of a backward pass beside PyTorch: 50 layers of Linear and ReLU, width 256, batch 4096.

Each engine in a process of its own, garbage collector off. Run: python -m benchmarks.memory
"""

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

LAYERS, WIDTH, BATCH = 50, 256, 4096


def peak_above_start(run: Callable[[], object]) -> float:
    """How far the resident set grows while running, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    start = _status("VmRSS")
    gc.disable()
    run()
    return (_status("VmHWM") - start) / 1024


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1])


def ours() -> float:
    from trainer import Tensor, nn

    layers = [part for _ in range(LAYERS) for part in (nn.Linear(WIDTH, WIDTH), nn.ReLU())]
    model = nn.Sequential(*layers)
    nn.Sequential(nn.Linear(2, 2), nn.ReLU())(Tensor(np.ones((2, 2), np.float32))).sum().backward()
    x = Tensor(np.random.default_rng(0).standard_normal((BATCH, WIDTH)).astype(np.float32))
    return peak_above_start(lambda: model(x).sum().backward())


def torchs() -> float:
    import torch

    torch.set_num_threads(2)
    layers = [
        part for _ in range(LAYERS) for part in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU())
    ]
    model = torch.nn.Sequential(*layers)
    torch.nn.Linear(2, 2)(torch.ones(2, 2)).relu().sum().backward()
    x = torch.tensor(np.random.default_rng(0).standard_normal((BATCH, WIDTH)).astype(np.float32))
    return peak_above_start(lambda: model(x).sum().backward())


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps({"tapeline": ours, "torch": torchs}[sys.argv[1]]()))
        return
    found: dict[str, list[float]] = {"tapeline": [], "torch": []}
    for _ in range(3):
        for engine, peaks in found.items():
            command = [sys.executable, "-m", "benchmarks.memory", engine]
            peaks.append(json.loads(subprocess.check_output(command, text=True)))
    a, b = (sorted(found[engine])[1] for engine in ("tapeline", "torch"))
    print(
        f"peak above the start, MiB: tapeline {a:.0f}, torch {b:.0f}, ratio {a / b:.2f} (limit 1.1)"
    )


if __name__ == "__main__":
    main()
