"""Optimizers against PyTorch over many steps, as shells and as pure functions."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn, optim
from trainer.core.errors import GradientError

torch = oracle("torch")

PAIRS = [
    (lambda m: optim.SGD(m, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    (
        lambda m: optim.SGD(m, lr=0.05, momentum=0.9),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    ),
    (
        lambda m: optim.SGD(m, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    ),
    (lambda m: optim.Adam(m, lr=0.01), lambda p: torch.optim.Adam(p, lr=0.01)),
    (
        lambda m: optim.Adam(m, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    ),
    (lambda m: optim.AdamW(m, lr=0.01), lambda p: torch.optim.AdamW(p, lr=0.01)),
]


def twins():
    mine = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    other = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    with torch.no_grad():
        for index in (0, 2):
            for name in ("weight", "bias"):
                value = np.array(mine.state()[f"layers.{index}.{name}"])
                getattr(other[index], name).copy_(torch.tensor(value))
    return mine, other


@pytest.mark.parametrize(("make", "make_other"), PAIRS)
def test_fifty_steps_are_pytorchs(make, make_other) -> None:
    mine, other = twins()
    optimizer, other_optimizer = make(mine), make_other(other.parameters())
    generator = np.random.default_rng(0)
    for _ in range(50):
        x = generator.standard_normal((16, 4)).astype(np.float32)
        y = generator.integers(0, 3, 16)
        optimizer.zero_grad()
        loss = nn.cross_entropy(mine(Tensor(x)), Tensor(y))
        loss.backward()
        optimizer.step()
        other_optimizer.zero_grad()
        other_loss = torch.nn.functional.cross_entropy(other(torch.tensor(x)), torch.tensor(y))
        other_loss.backward()
        other_optimizer.step()
        np.testing.assert_allclose(loss.item(), other_loss.item(), rtol=1e-4)
    for index in (0, 2):
        for name in ("weight", "bias"):
            expected = getattr(other[index], name).detach().numpy()
            found = mine.state()[f"layers.{index}.{name}"]
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("make", [pair[0] for pair in PAIRS])
def test_a_learning_rate_of_zero_changes_nothing(make) -> None:
    optimizer = make(None)
    parameters = {"w": Tensor([1.0, -2.0, 0.0])}
    state = optimizer.init(parameters)
    for gradient in ([0.5, 0.0, -1.0], [0.0, 0.0, 0.0]):
        parameters, state = optimizer.update(parameters, {"w": Tensor(gradient)}, state, 0.0)
    np.testing.assert_allclose(parameters["w"].numpy(), [1.0, -2.0, 0.0], atol=1e-15)
    assert state["step"].item() == 2


def test_clipping_is_pytorchs() -> None:
    generator = np.random.default_rng(0)
    arrays = {name: generator.standard_normal(5).astype(np.float32) for name in "abc"}
    for limit in (0.5, 100.0):
        others = [torch.nn.Parameter(torch.zeros(5)) for _ in arrays]
        for other, array in zip(others, arrays.values(), strict=True):
            other.grad = torch.tensor(array)
        torch.nn.utils.clip_grad_norm_(others, limit)
        clipped = optim.clip_by_global_norm({n: Tensor(a) for n, a in arrays.items()}, limit)
        for other, found in zip(others, clipped.values(), strict=True):
            np.testing.assert_allclose(found.numpy(), other.grad.numpy(), rtol=1e-5)


def test_a_step_without_gradients_is_explained() -> None:
    with pytest.raises(GradientError, match=r"loss\.backward\(\) first"):
        optim.SGD(nn.Linear(2, 1)).step()
    with pytest.raises(GradientError, match="without a model"):
        optim.SGD().step()
