"""What is wrong with a model, its data, loss and metrics is one sentence, before a run begins."""

from pathlib import Path

import pytest

from trainer import TapelineError, run
from trainer.config import Recipe
from trainer.core.errors import ConfigError

MODEL = """
import numpy as np
from trainer import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        return self.layer(x)
"""
RECIPE = """
[data]
source = "iris"
[model]
definition = "model.py:Net"
[train]
loss = "cross_entropy"
metrics = ["accuracy"]
epochs = 1
engine = "eager"
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("self.layer(x)", "self.lay(x)", "model.py, line 11: AttributeError: .* 'lay'"),
        ("self.layer(x)", "np.zeros(3) @ x.numpy()", "model.py, line 11: ValueError"),
        ("(self, x)", "(self, x, y)", "The model fails: TypeError: Net.forward.* 'y'"),
        ("return self", "self", "Net.forward returns NoneType; a Tensor is expected"),
        ("self.layer(x)", "self.layer(x).numpy()", "returns ndarray; a Tensor is expected"),
        ("class Net(nn.Module):", "def Net(): pass\nclass N(nn.Module):", "gives NoneType; a Mod"),
        ("nn.Linear(4, 3)", "nn.Linear(4, 2)", "for two rows, but iris has 3 classes"),
        ('["accuracy"]', '["r2"]', "The metric r2 does not fit .*: Predictions"),
        ('"iris"', '"rows.csv"\noptions = { target = "b" }', "amounts: take mse_loss or l1_loss"),
    ],
)
def test_it_is_said_at_once(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "model.py").write_text(MODEL.replace(old, new))
    (tmp_path / "recipe.toml").write_text(RECIPE.replace(old, new))
    rows = [f"{k},{k},{k},{k},{k}.5" for k in range(8)]
    (tmp_path / "rows.csv").write_text("\n".join(["a,c,d,e,b", *rows, ""]))
    with pytest.raises(ConfigError, match=message):
        run.train(Recipe.read(tmp_path))
    assert not (tmp_path / "runs").exists()


def test_what_operators_say_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(MODEL.replace("nn.Linear(4, 3)", "nn.Linear(5, 3)"))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    with pytest.raises(TapelineError, match=r"float32\[2, 4\].*4 and 5"):
        run.train(Recipe.read(tmp_path))
