"""Times forward and backward of operators in one engine: `python -m benchmarks.operators.worker torch`."""

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.pairing import THREADS, milliseconds

MILLION = (1000, 1000)
ELEMENTWISE = {
    # name: (ours, torch's), as functions of one tensor with values in (0.1, 0.9)
    "Abs": ("abs", "abs"),
    "Acos": ("acos", "acos"),
    "Asinh": ("asinh", "asinh"),
    "Atan": ("atan", "atan"),
    "Cos": ("cos", "cos"),
    "Elu": ("elu", "nn.functional.elu"),
    "Erf": ("erf", "erf"),
    "Exp": ("exp", "exp"),
    "Gelu": ("gelu", "nn.functional.gelu"),
    "HardSwish": ("hard_swish", "nn.functional.hardswish"),
    "LeakyRelu": ("leaky_relu", "nn.functional.leaky_relu"),
    "Log": ("log", "log"),
    "Mish": ("mish", "nn.functional.mish"),
    "Neg": ("neg", "neg"),
    "Reciprocal": ("reciprocal", "reciprocal"),
    "Relu": ("relu", "relu"),
    "Sigmoid": ("sigmoid", "sigmoid"),
    "Sin": ("sin", "sin"),
    "Sinh": ("sinh", "sinh"),
    "Softplus": ("softplus", "nn.functional.softplus"),
    "Softsign": ("softsign", "nn.functional.softsign"),
    "Sqrt": ("sqrt", "sqrt"),
    "Tan": ("tan", "tan"),
    "Tanh": ("tanh", "tanh"),
}
BINARY = {
    "Add": ("add", "add"),
    "Sub": ("sub", "sub"),
    "Mul": ("mul", "mul"),
    "Div": ("div", "div"),
    "Max": ("max", "maximum"),
    "Min": ("min", "minimum"),
    "Pow": ("pow", "pow"),
}
REDUCTIONS = {
    "ReduceSum": ("reduce_sum", "sum"),
    "ReduceMean": ("reduce_mean", "mean"),
    "ReduceMax": ("reduce_max", "amax"),
    "ReduceMin": ("reduce_min", "amin"),
    "ReduceL2": ("reduce_l2", "norm"),
    "ReduceLogSumExp": ("reduce_log_sum_exp", "logsumexp"),
}


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, shape).astype(np.float32)


def ours() -> dict[str, Callable[[], object]]:
    from trainer import Tensor, nn, ops, optim
    from trainer.core.tape import walk
    from trainer.core.tensor import apply
    from trainer.step import EagerStep

    def both(function: Callable[..., Any], *arrays: np.ndarray) -> Callable[[], object]:
        tensors = [Tensor(a, requires_grad=True) for a in arrays]
        y = function(*tensors)
        seed = Tensor(np.ones(y.shape, np.float32))

        def run() -> None:
            for tensor in tensors:
                tensor.grad = None
            walk([function(*tensors)], [seed], [(t._node, 0) for t in tensors], record=False)

        return run

    def lstm(x: Tensor, w: Tensor, r: Tensor, b: Tensor) -> Tensor:
        return apply("LSTM", x, w, r, b, hidden_size=128)

    works = {
        "Conv 3x3": both(
            lambda x, w: ops.conv(x, w, pads=[1] * 4), values(32, 64, 16, 16), values(64, 64, 3, 3)
        ),
        "MatMul 512": both(ops.matmul, values(512, 512), values(512, 512)),
        "LSTM": both(
            lstm, values(64, 32, 64), values(1, 512, 64), values(1, 512, 128), values(1, 1024)
        ),
        "Softmax": both(ops.softmax, values(*MILLION)),
        "LayerNorm": both(
            lambda x, w, b: ops.layer_normalization(x, w, b),
            values(*MILLION),
            values(1000),
            values(1000),
        ),
    }
    for name, (function, _) in (ELEMENTWISE | BINARY | REDUCTIONS).items():
        found = getattr(ops, function)
        if name in REDUCTIONS:
            works[name] = both(lambda x, f=found: f(x, [1], keepdims=0), values(*MILLION))
        else:
            works[name] = both(found, *[values(*MILLION) for _ in range(1 + (name in BINARY))])
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip
    step = EagerStep(model, nn.cross_entropy, optim.Adam())
    x, y = values(64, 1, 28, 28), np.arange(64) % 10
    works["LeNet-5 step"] = lambda: step.train(x, y, 0.001)
    return works


def torchs() -> dict[str, Callable[[], object]]:
    import torch

    torch.set_num_threads(THREADS)

    def both(function: Callable[..., Any], *arrays: np.ndarray) -> Callable[[], object]:
        tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
        seed = torch.ones_like(function(*tensors))

        def run() -> None:
            torch.autograd.grad(function(*tensors), tensors, seed)

        return run

    def path(name: str) -> Callable[..., Any]:
        found: Any = torch
        for part in name.split("."):
            found = getattr(found, part)
        return found

    lstm = torch.nn.LSTM(64, 128)
    works = {
        "Conv 3x3": both(
            lambda x, w: torch.nn.functional.conv2d(x, w, padding=1),
            values(32, 64, 16, 16),
            values(64, 64, 3, 3),
        ),
        "MatMul 512": both(torch.matmul, values(512, 512), values(512, 512)),
        "Softmax": both(lambda x: torch.softmax(x, -1), values(*MILLION)),
        "LayerNorm": both(
            lambda x, w, b: torch.nn.functional.layer_norm(x, (1000,), w, b),
            values(*MILLION),
            values(1000),
            values(1000),
        ),
    }
    x = torch.tensor(values(64, 32, 64), requires_grad=True)
    weights = [x, *lstm.parameters()]
    seed = torch.ones(64, 32, 128)
    works["LSTM"] = lambda: torch.autograd.grad(lstm(x)[0], weights, seed)
    for name, (_, function) in (ELEMENTWISE | BINARY | REDUCTIONS).items():
        found = path(function)
        if name in REDUCTIONS:
            works[name] = both(lambda x, f=found: f(x, dim=1), values(*MILLION))
        else:
            works[name] = both(found, *[values(*MILLION) for _ in range(1 + (name in BINARY))])
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(400, 120), torch.nn.ReLU(), torch.nn.Linear(120, 84), torch.nn.ReLU(),
        torch.nn.Linear(84, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    images, labels = torch.tensor(values(64, 1, 28, 28)), torch.arange(64) % 10

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    works["LeNet-5 step"] = step
    return works


def main() -> None:
    works = {"tapeline": ours, "torch": torchs}[sys.argv[1]]()
    chosen = sys.argv[2:] or list(works)
    print(json.dumps({name: milliseconds(works[name]) for name in chosen}))


if __name__ == "__main__":
    main()
