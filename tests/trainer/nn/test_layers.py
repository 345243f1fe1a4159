"""Layers and losses against PyTorch: values, gradients, running statistics."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn
from trainer.core.errors import ConfigError

torch = oracle("torch")
IMAGES, SIGNALS, ROWS = (4, 6, 8, 8), (4, 6, 9), (5, 6)

LAYERS = [
    (nn.Linear(6, 3), lambda: torch.nn.Linear(6, 3), ROWS),
    (nn.Linear(6, 3, bias=False), lambda: torch.nn.Linear(6, 3, bias=False), ROWS),
    (nn.Linear(6, 3), lambda: torch.nn.Linear(6, 3), (2, 4, 6)),
    (nn.Conv2d(6, 4, 3), lambda: torch.nn.Conv2d(6, 4, 3), IMAGES),
    (
        nn.Conv2d(6, 4, (3, 5), stride=2, padding=(1, 2), groups=2, bias=False),
        lambda: torch.nn.Conv2d(6, 4, (3, 5), stride=2, padding=(1, 2), groups=2, bias=False),
        IMAGES,
    ),
    (nn.Conv1d(6, 4, 3, padding=1), lambda: torch.nn.Conv1d(6, 4, 3, padding=1), SIGNALS),
    (
        nn.Conv1d(6, 4, 3, stride=2, dilation=2, groups=2),
        lambda: torch.nn.Conv1d(6, 4, 3, stride=2, dilation=2, groups=2),
        SIGNALS,
    ),
    (nn.ConvTranspose2d(6, 4, 3), lambda: torch.nn.ConvTranspose2d(6, 4, 3), IMAGES),
    (
        nn.ConvTranspose2d(6, 4, (3, 2), 2, 1, (1, 0), groups=2, bias=False),
        lambda: torch.nn.ConvTranspose2d(6, 4, (3, 2), 2, 1, (1, 0), groups=2, bias=False),
        IMAGES,
    ),
    (nn.Conv2d(6, 4, 3, dilation=2), lambda: torch.nn.Conv2d(6, 4, 3, dilation=2), IMAGES),
    (nn.BatchNorm1d(6), lambda: torch.nn.BatchNorm1d(6), ROWS),
    (nn.BatchNorm2d(6, eps=1e-3), lambda: torch.nn.BatchNorm2d(6, eps=1e-3), IMAGES),
    (nn.LayerNorm(6), lambda: torch.nn.LayerNorm(6), (3, 5, 6)),
    (nn.RMSNorm(6), lambda: torch.nn.RMSNorm(6), (3, 5, 6)),
    (nn.GroupNorm(3, 6), lambda: torch.nn.GroupNorm(3, 6), IMAGES),
    (nn.InstanceNorm1d(6), lambda: torch.nn.InstanceNorm1d(6), SIGNALS),
    (
        nn.InstanceNorm2d(6, affine=True),
        lambda: torch.nn.InstanceNorm2d(6, affine=True),
        IMAGES,
    ),
    (nn.MaxPool2d(2), lambda: torch.nn.MaxPool2d(2), IMAGES),
    (nn.MaxPool2d(3, stride=2, padding=1), lambda: torch.nn.MaxPool2d(3, 2, 1), IMAGES),
    (nn.AvgPool2d(3, stride=2, padding=1), lambda: torch.nn.AvgPool2d(3, 2, 1), IMAGES),
    (nn.ReLU(), lambda: torch.nn.ReLU(), ROWS),
    (nn.LeakyReLU(0.2), lambda: torch.nn.LeakyReLU(0.2), ROWS),
    (nn.Sigmoid(), lambda: torch.nn.Sigmoid(), ROWS),
    (nn.Tanh(), lambda: torch.nn.Tanh(), ROWS),
    (nn.GELU(), lambda: torch.nn.GELU(), ROWS),
    (nn.GELU("tanh"), lambda: torch.nn.GELU("tanh"), ROWS),
    (nn.PReLU(), lambda: torch.nn.PReLU(), ROWS),
    (nn.PReLU(6), lambda: torch.nn.PReLU(6), IMAGES),
    (nn.ELU(0.7), lambda: torch.nn.ELU(0.7), ROWS),
    (nn.SELU(), lambda: torch.nn.SELU(), ROWS),
    (nn.SiLU(), lambda: torch.nn.SiLU(), ROWS),
    (nn.Mish(), lambda: torch.nn.Mish(), ROWS),
    (nn.Softplus(), lambda: torch.nn.Softplus(), ROWS),
    (nn.Softsign(), lambda: torch.nn.Softsign(), ROWS),
    (nn.Hardswish(), lambda: torch.nn.Hardswish(), ROWS),
    (nn.Hardsigmoid(), lambda: torch.nn.Hardsigmoid(), ROWS),
    (nn.LogSoftmax(), lambda: torch.nn.LogSoftmax(-1), ROWS),
    (nn.Softmax(), lambda: torch.nn.Softmax(-1), ROWS),
    (nn.Flatten(), lambda: torch.nn.Flatten(), IMAGES),
]


def assert_close(found, expected) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(("layer", "make", "shape"), LAYERS, ids=lambda v: repr(v)[:40])
def test_layers_are_pytorchs(layer: nn.Module, make, shape) -> None:
    other = make()
    generator = np.random.default_rng(0)
    with torch.no_grad():
        for name, tensor in layer.named_tensors().items():
            getattr(other, name).copy_(torch.tensor(np.array(tensor.numpy())))
    layer.train()
    for _ in range(2):
        array = generator.standard_normal(shape).astype(np.float32)
        x, tx = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        for tensor in layer.parameters().values():
            tensor.grad = None
        other.zero_grad()
        y, ty = layer(x), other(tx)
        weights = generator.standard_normal(y.shape).astype(np.float32)
        (y * weights).sum().backward()
        (ty * torch.tensor(weights)).sum().backward()
        assert_close(y.numpy(), ty)
        assert_close(x.grad.numpy(), tx.grad)
        for name, tensor in layer.parameters().items():
            assert_close(tensor.grad.numpy(), getattr(other, name).grad)
    for name, tensor in layer.buffers().items():
        assert_close(tensor.numpy(), getattr(other, name))
    layer.eval()
    other.eval()
    assert_close(layer(Tensor(array)).numpy(), other(torch.tensor(array)))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("cross_entropy", (5, 3), "classes"),
        ("cross_entropy", (5, 3, 4), "classes"),
        ("mse_loss", (5, 3), "reals"),
        ("l1_loss", (5, 3), "reals"),
        ("binary_cross_entropy", (5, 3), "probabilities"),
        ("binary_cross_entropy_with_logits", (5, 3), "probabilities"),
    ],
)
def test_losses_are_pytorchs(name, first, second, reduction) -> None:
    generator = np.random.default_rng(1)
    a = generator.standard_normal(first).astype(np.float32) * 5
    if name == "binary_cross_entropy":
        a = 1 / (1 + np.exp(-a))
        a.flat[:2] = (0.0, 1.0)
    targets = {
        "classes": lambda: generator.integers(0, 3, (first[0], *first[2:])),
        "reals": lambda: generator.standard_normal(first).astype(np.float32),
        "probabilities": lambda: generator.integers(0, 2, first).astype(np.float32),
    }
    b = targets[second]()
    x, tx = Tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y = getattr(nn, name)(x, Tensor(b), reduction=reduction)
    ty = getattr(torch.nn.functional, name)(tx, torch.tensor(b), reduction=reduction)
    assert_close(y.numpy(), ty)
    y.sum().backward()
    ty.sum().backward()
    # At probabilities of exactly 0 and 1 PyTorch bounds a quotient where we have the limit.
    inside = (a > 0) & (a < 1) if name == "binary_cross_entropy" else np.full(a.shape, True)
    assert_close(np.where(inside, x.grad.numpy(), 0), torch.where(torch.tensor(inside), tx.grad, 0))


def test_losses_refuse_shapes_that_would_broadcast() -> None:
    with pytest.raises(ConfigError, match=r"\[5, 1\], targets \[5\]"):
        nn.mse_loss(Tensor(np.zeros((5, 1), np.float32)), Tensor(np.zeros(5, np.float32)))
    with pytest.raises(ConfigError, match="'mean', 'sum' or 'none'"):
        nn.mse_loss(Tensor([1.0]), Tensor([1.0]), reduction="average")


def test_dropout_keeps_the_mean_and_follows_the_seed() -> None:
    import trainer

    layer = nn.Dropout(0.4)
    x = Tensor(np.ones((100, 100), np.float32))
    trainer.random.seed(5)
    first = layer(x).numpy()
    trainer.random.seed(5)
    np.testing.assert_array_equal(layer(x).numpy(), first)
    assert set(np.unique(first)) == {np.float32(0), np.float32(1 / 0.6)}
    assert abs((first == 0).mean() - 0.4) < 0.02
    np.testing.assert_array_equal(layer.eval()(x).numpy(), x.numpy())


def test_gradients_and_initial_values_follow_pytorchs_distribution() -> None:
    weight = nn.Linear(400, 200).weight.numpy()
    bound = 1 / np.sqrt(400)
    assert np.abs(weight).max() <= bound
    np.testing.assert_allclose(weight.std(), bound / np.sqrt(3), rtol=0.02)
