"""How far losses are apart over 100 steps: tapeline's from PyTorch's, and what rounding alone does.

In float64 both engines must walk along the same curve. In float32 each walks away from it: how far is
decided by the problem: the table also has the float64 curve of weights moved by one rounding of float32.

Run: python -m benchmarks.training.agreement [workload ...] [--steps 100]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.training import tapeline_engine, torch_engine
from benchmarks.training.workloads import WORKLOADS, initial
from trainer import Tensor, compile, nn, optim, value_and_grad
from trainer.compiled import CompiledStep
from trainer.core.tensor import Array
from trainer.step import EagerStep

HALF_ULP = 2.0**-24  # of float32, relative


def batches(name: str, steps: int, rows: int | None, dtype: str) -> Iterator[tuple[Array, Array]]:
    """The batches of a workload again and again, of at most so many rows."""
    given = itertools.cycle([(x[:rows], y[:rows]) for x, y in WORKLOADS[name].batches()])
    for x, y in itertools.islice(given, steps):
        yield x.astype(dtype) if x.dtype.kind == "f" else x, y


def settings(name: str) -> dict[str, float]:
    return {"momentum": 0.9} if WORKLOADS[name].optimizer == "SGD" else {}


def torch_model(name: str, dtype: str, nudge: int | None = None) -> torch.nn.Module:
    """The model in PyTorch; with a seed, every weight moved by at most one rounding of float32."""
    made = torch_engine.model(name).to(getattr(torch, dtype))
    generator = np.random.default_rng(nudge)
    with torch.no_grad():
        for key, parameter in made.named_parameters():
            value = initial(key, tuple(parameter.shape)).astype(dtype)
            if nudge is not None:
                value *= 1.0 + HALF_ULP * generator.uniform(-1.0, 1.0, value.shape)
            parameter.copy_(torch.from_numpy(value))
    return made


def tapeline_model(name: str, dtype: str) -> nn.Module:
    """The same model with the same weights in tapeline."""
    made = tapeline_engine.started(name)
    tensors = made.named_tensors().items()
    made.assign(
        {n: Tensor(t.numpy().astype(dtype), requires_grad=t.requires_grad) for n, t in tensors}
    )
    return made


def torch_losses(
    name: str,
    dtype: str,
    steps: int = 100,
    rows: int | None = None,
    threads: int = 2,
    nudge: int | None = None,
) -> Array:
    """The losses of PyTorch."""
    torch.set_num_threads(threads)
    workload, model = WORKLOADS[name], torch_model(name, dtype, nudge)
    kind = getattr(torch.optim, workload.optimizer)
    optimizer = kind(model.parameters(), lr=workload.lr, **settings(name))
    losses = []
    for x, y in batches(name, steps, rows, dtype):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


def tapeline_losses(
    name: str, engine: Any, dtype: str, steps: int = 100, rows: int | None = None
) -> Array:
    """The losses of tapeline, by `EagerStep` or `CompiledStep`."""
    workload, model = WORKLOADS[name], tapeline_model(name, dtype)
    optimizer = getattr(optim, workload.optimizer)(**settings(name))
    step = engine(model, nn.cross_entropy, optimizer)
    return np.array([step.train(x, y, workload.lr) for x, y in batches(name, steps, rows, dtype)])


def apart(a: Array, b: Array) -> float:
    """The largest difference of two curves, relative to 1 + the loss."""
    return float((np.abs(a - b) / (1.0 + np.abs(b))).max())


def gradient_errors(name: str, rows: int | None = None) -> tuple[float, float]:
    """How far the first gradient in float32 is from float64's, in norm: compiled here, and PyTorch's."""
    eager = value_and_grad(lambda model, x, y: nn.cross_entropy(model(x), y))

    def ours(function: Any, dtype: str) -> Array:
        x, y = next(batches(name, 1, rows, dtype))
        _, gradients = function(tapeline_model(name, dtype), Tensor(x), Tensor(y))
        return np.concatenate([g.numpy().ravel() for g in gradients.values()])

    def theirs(dtype: str) -> Array:
        model = torch_model(name, dtype)
        x, y = next(batches(name, 1, rows, dtype))
        functional.cross_entropy(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        gradients = [p.grad for p in model.parameters()]
        return np.concatenate([g.numpy().ravel() for g in gradients if g is not None])

    def error(found: Array, exact: Array) -> float:
        return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))

    return (
        error(ours(compile(eager), "float32"), ours(eager, "float64")),
        error(theirs("float32"), theirs("float64")),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--steps", type=int, default=100)
    options = parser.parse_args()
    print(
        "| workload | float64: tapeline from PyTorch | float32 from float64: tapeline "
        "| PyTorch | PyTorch, 1 thread | float64, weights nudged | error of the gradient: tapeline "
        "| PyTorch |"
    )
    print("|---" * 8 + "|")
    for name in options.workloads or WORKLOADS:
        exact = torch_losses(name, "float64", options.steps)
        curves = [
            tapeline_losses(name, EagerStep, "float64", options.steps),
            tapeline_losses(name, CompiledStep, "float32", options.steps),
            torch_losses(name, "float32", options.steps),
            torch_losses(name, "float32", options.steps, threads=1),
            torch_losses(name, "float64", options.steps, nudge=0),
        ]
        numbers = [*(apart(curve, exact) for curve in curves), *gradient_errors(name)]
        print(
            f"| {WORKLOADS[name].name} | " + " | ".join(f"{n:.0e}" for n in numbers) + " |",
            flush=True,
        )


if __name__ == "__main__":
    main()
