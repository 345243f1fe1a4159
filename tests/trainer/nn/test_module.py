"""Module: a tree with one dotted name for every Tensor."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn
from trainer.core import tree
from trainer.core.errors import ConfigError, TreeError


class Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(2, 3)
        self.blocks = [nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.ReLU()]
        self.heads = {"a": nn.Linear(3, 1), "b": nn.Linear(3, 2)}
        self.scale = nn.Parameter([2.0])
        self.size = 3

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.heads["a"](x) * self.scale


NAMES = [
    "scale",
    "stem.weight",
    "stem.bias",
    "blocks.0.layers.0.weight",
    "blocks.0.layers.0.bias",
    "blocks.0.layers.1.weight",
    "blocks.0.layers.1.bias",
    "heads.a.weight",
    "heads.a.bias",
    "heads.b.weight",
    "heads.b.bias",
]


def test_every_tensor_has_one_dotted_name() -> None:
    model = Blocks()
    assert list(model.parameters()) == NAMES
    assert list(model.buffers()) == [
        "blocks.0.layers.1.running_mean",
        "blocks.0.layers.1.running_var",
    ]
    assert sorted(dict(tree.named_leaves(model))) == sorted(NAMES)


def test_load_lists_everything_that_does_not_fit_and_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 3))
    before = model.state()
    wrong = {"layers.0.weight": np.zeros((3, 3), np.float32), "extra": np.zeros(1)}
    with pytest.raises(TreeError) as caught:
        model.load(wrong)
    assert str(caught.value) == (
        "These values do not fit Sequential: layers.0.weight: float32[3, 3] given, float32[3, 2] "
        "expected; layers.0.bias: missing; extra: unknown."
    )
    assert all(np.array_equal(before[name], array) for name, array in model.state().items())
    model.load({"layers.0.bias": np.ones(3, np.float32)}, strict=False)
    assert model.state()["layers.0.bias"].tolist() == [1, 1, 1]


def test_load_takes_what_pytorch_calls_a_state_dict() -> None:
    torch = oracle("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    # As docs/layers.md says.
    state = {
        f"layers.{name}": value
        for name, value in theirs.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    model.load(state)
    x = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    found, wanted = model(Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy()
    assert np.allclose(found, wanted, atol=1e-6)
    with torch.no_grad():
        theirs[0].weight.zero_()  # theirs change in place, ours do not
    assert np.all(model.state()["layers.0.weight"])
    with pytest.raises(TreeError, match=r"layers.0.bias: int64\[2\] given, float32\[2\] expected"):
        model.load({"layers.0.bias": [1, 2]}, strict=False)


def test_frozen_parameters_stay_parameters_but_are_not_trained() -> None:
    model = Blocks().freeze("blocks", "stem.bias")
    assert list(model.parameters()) == NAMES
    trained = dict(tree.named_leaves(model))
    assert "stem.weight" in trained
    assert "stem.bias" not in trained
    assert not any(name.startswith("blocks") for name in trained)
    model(Tensor([[1.0, 2.0], [3.0, 5.0]])).sum().backward()
    assert model.stem.bias.grad is None
    assert model.stem.weight.grad is not None


def test_modes_reach_every_layer() -> None:
    model = Blocks()
    model.eval()
    assert not any(module.training for _, module in model.modules())
    model.train()
    assert all(module.training for _, module in model.modules())


def test_printing_shows_the_tree() -> None:
    text = repr(nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.1)))
    assert text == "Sequential(\n  (layers.0): Linear(2, 3)\n  (layers.1): Dropout(0.1)\n)"


def test_mistakes_are_explained() -> None:
    class NoInit(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter([1.0])

    with pytest.raises(TreeError, match=r"NoInit.__init__ must call super\(\)"):
        NoInit()
    with pytest.raises(TreeError, match=r"Module does not define forward"):
        nn.Module()(1)
    with pytest.raises(ConfigError, match=r"Dropout\(p=1.5\)"):
        nn.Dropout(1.5)
    layer = nn.Linear(2, 1)
    with pytest.raises(TreeError, match=r"Linear.weight holds a Tensor; it was given float"):
        layer.weight = 0.5
