"""Recomputed blocks: the plain model's losses and gradients, less memory, both runs in the graph."""

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import exporter
import trainer
from trainer import Tensor, nn, optim
from trainer.compiled import CompiledStep
from trainer.compiled.passes import optimize
from trainer.core.errors import CaptureError
from trainer.core.proto import to_model
from trainer.core.tape import grad
from trainer.core.tensor import wrap
from trainer.core.trace import capture
from trainer.step import EagerStep, training_step

BLOCKS = 3


class Chain(nn.Module):
    """Residual blocks with everything that happens inside of blocks: statistics and draws."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.twice = twice
        self.blocks = [
            nn.Sequential(
                nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 8)
            )
            for _ in range(BLOCKS)
        ]

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + (nn.recompute(block, x) if self.twice else block(x))
        return x


class Network(nn.Module):
    """Blocks, which may be recomputed each, all together or both, and a linear layer."""

    def __init__(self, twice: bool, nested: bool = False) -> None:
        super().__init__()
        self.nested = nested
        self.chain, self.head = Chain(twice), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.recompute(self.chain, x) if self.nested else self.chain(x))


def trained(kind, model: nn.Module):
    step = kind(model, nn.cross_entropy, optim.Adam(), 1.0)
    trainer.random.seed(2)
    generator, losses = np.random.default_rng(0), []
    for rows in (6, 6, 6, 4):
        x = generator.standard_normal((rows, 8)).astype(np.float32)
        losses.append(step.train(x, generator.integers(0, 3, rows), 0.01))
    step.sync()
    return losses, step.model.state()


def network(*arguments) -> nn.Module:
    trainer.random.seed(1)
    return Network(*arguments)


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
def test_training_is_that_of_the_plain_model(kind, nested) -> None:
    expected, state = trained(kind, network(False))
    found, recomputed = trained(kind, network(True, nested))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    for name, value in state.items():
        np.testing.assert_allclose(recomputed[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


class Tokens(nn.Module):
    """Whole numbers and real ones in, two Tensors out."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.linear = nn.Embedding(5, 4), nn.Linear(4, 4)

    def forward(self, tokens: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.embedding(tokens) * x
        return self.linear(y).tanh(), y.exp()


def test_several_inputs_and_outputs_and_a_second_derivative() -> None:
    block = Tokens()
    tokens = Tensor(np.array([1, 4, 1]))
    x = Tensor(np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32))

    def squared_slope(run):
        def loss(x):
            first, second = run(tokens, x)
            return (first * second).sum()

        return lambda x: (grad(loss)(x) ** 2.0).sum()

    plain = grad(squared_slope(block))(x)
    recomputed = grad(squared_slope(lambda *given: nn.recompute(block, *given)))(x)
    np.testing.assert_allclose(recomputed.numpy(), plain.numpy(), rtol=1e-5)
    first, _ = nn.recompute(block, tokens, x)  # only one of the outputs goes on
    first.sum().backward()
    found = {name: p.grad.numpy() for name, p in block.parameters().items()}
    for parameter in block.parameters().values():
        parameter.grad = None
    block(tokens, x)[0].sum().backward()
    for name, parameter in block.parameters().items():
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-6, err_msg=name)


def peak(twice: bool) -> int:
    """Bytes that an eager backward pass of 20 blocks needs at most."""
    blocks = [nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 8)) for _ in range(20)]
    x = Tensor(np.ones((2000, 8), np.float32))
    tracemalloc.start()
    y = x
    for block in blocks:
        y = nn.recompute(block, y) if twice else block(y)
    y.sum().backward()
    needed = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return needed


def test_an_eager_backward_pass_needs_a_third_of_the_memory() -> None:
    assert peak(True) < peak(False) / 3


def count_tanh(model: onnx.ModelProto) -> int:
    return Counter(node.op_type for node in model.graph.node)["Tanh"]


def test_the_graph_keeps_both_runs_through_all_optimizations(tmp_path: Path) -> None:
    model, optimizer = network(True), optim.SGD()
    arguments = (
        wrap(np.float64(0.1)),
        wrap(np.ones((6, 8), np.float32)),
        wrap(np.zeros(6, np.int64)),
    )
    step = training_step(nn.cross_entropy, optimizer, None)
    captured = capture(step, model, optimizer.init(model.tree_children()), *arguments)
    proto = to_model(optimize(captured.graph))
    onnx.checker.check_model(proto, full_check=True)
    assert count_tanh(proto) == 2 * BLOCKS
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert count_tanh(onnx.load(tmp_path / "optimized.onnx")) == 2 * BLOCKS


def test_an_exported_model_runs_its_blocks_once(tmp_path: Path) -> None:
    model = network(True).eval()
    exporter.export(model, np.ones((3, 8), np.float32), tmp_path / "model.onnx")
    exporter.verify(tmp_path / "model.onnx", model)
    assert count_tanh(onnx.load(tmp_path / "model.onnx")) == BLOCKS


class Nothing(nn.Module):
    """One of its outputs depends on nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), Tensor([1.0])


def test_an_output_made_of_nothing_cannot_be_captured() -> None:
    block = Nothing()

    def loss(model, x):
        y, one = nn.recompute(model, x)
        return trainer.value_and_grad(lambda _: (y * one).sum())(model)[0]

    with pytest.raises(CaptureError, match="depends on none of its inputs"):
        capture(loss, block, Tensor(np.ones((3, 2), np.float32)))
