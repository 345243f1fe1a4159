"""A Module or a parameter in several places is one: trained, saved, exported, as in PyTorch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import exporter
import trainer
from tests.oracle import oracle
from trainer import Tensor, nn, optim
from trainer.compiled import CompiledStep
from trainer.core.errors import TreeError
from trainer.step import EagerStep

torch = oracle("torch")
X = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
Y = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)


class SharedModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # A bias would have no gradient but rounding, as the norm takes it away.
        self.first = self.second = nn.Linear(5, 5, bias=False)
        self.norms = [nn.BatchNorm1d(5)] * 2

    def forward(self, x: Tensor) -> Tensor:
        return self.norms[1](self.second(self.norms[0](self.first(x)).tanh()))


class SharedParameter(nn.Module):
    """Weight tying, as language models have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).tanh())


class TheirModule(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = torch.nn.Linear(5, 5, bias=False)
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm1d(5)] * 2)

    def forward(self, x: Any) -> Any:
        return self.norms[1](self.second(self.norms[0](self.first(x)).tanh()))


class TheirParameter(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(5, 5), torch.nn.Linear(5, 5)
        self.second.weight = self.first.weight

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x).tanh())


PAIRS = [(SharedModule, TheirModule), (SharedParameter, TheirParameter)]
KINDS = [SharedModule, SharedParameter]


def state_of(theirs: Any) -> dict[str, np.ndarray[Any, Any]]:
    """PyTorch's, without the count of batches that only it keeps."""
    found = theirs.state_dict().items()
    return {n: t.detach().numpy().copy() for n, t in found if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize("kind", [EagerStep, CompiledStep])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_training_is_pytorch_s(ours: Any, theirs: Any, kind: Any) -> None:
    model, expected = ours(), theirs()
    names = [name for name, _ in expected.named_parameters()]
    assert list(model.parameters()) == names
    model.load(state_of(expected))
    step = kind(model, nn.mse_loss, optim.Adam(), 0.5)
    optimizer = torch.optim.Adam(expected.parameters(), lr=0.1)
    for _ in range(4):
        step.train(X, Y, 0.1)
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(expected(torch.tensor(X)), torch.tensor(Y)).backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.5)  # counts what is shared once
        optimizer.step()
    step.sync()
    found = model.state()
    assert found.keys() == state_of(expected).keys()
    for name, value in state_of(expected).items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("ours", KINDS)
def test_the_shell_of_an_optimizer_keeps_them_together(ours: Any) -> None:
    model = ours()
    optimizer = optim.SGD(model, lr=0.1)
    before = model.first.weight.numpy().copy()
    for _ in range(2):
        optimizer.zero_grad()
        nn.mse_loss(model(Tensor(X)), Tensor(Y)).backward()
        optimizer.step()
    assert model.second.weight is model.first.weight
    assert not np.array_equal(model.first.weight.numpy(), before)


@pytest.mark.parametrize("ours", KINDS)
def test_a_file_has_it_once(ours: Any, tmp_path: Path) -> None:
    model = ours()
    exporter.export(model, X, tmp_path / "model.onnx")
    exporter.verify(tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    squares = [w.name for w in graph.initializer if list(w.dims) == [5, 5]]
    assert len(squares) == 1
    assert model.second.weight is model.first.weight


@pytest.mark.parametrize("ours", KINDS)
def test_a_checkpoint_has_every_name_and_any_of_them_will_do(ours: Any, tmp_path: Path) -> None:
    model, other = ours(), ours()
    trainer.save(model, tmp_path / "m.safetensors")
    trainer.load(other, tmp_path / "m.safetensors")
    assert other.second.weight is other.first.weight
    state = model.state()
    assert {"first.weight", "second.weight"} <= state.keys()
    np.testing.assert_array_equal(other.state()["second.weight"], state["first.weight"])
    for name in ("first.weight", "second.weight"):
        other = ours()
        other.load({key: array for key, array in state.items() if key != name})
        np.testing.assert_array_equal(other.state()[name], state[name])
    neither = {key: array for key, array in state.items() if not key.endswith("weight")}
    with pytest.raises(TreeError, match=r"first\.weight: missing.*second\.weight: missing"):
        other.load(neither)


@pytest.mark.parametrize("ours", KINDS)
def test_frozen_by_either_name_it_is_frozen(ours: Any) -> None:
    for name in ("first.weight", "second.weight"):
        model = ours().freeze(name)
        assert "first.weight" not in model.tree_children()
        assert model.second.weight is model.first.weight
