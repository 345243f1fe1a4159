"""Recipes: what they build, and what a wrong one is told."""

from pathlib import Path

import numpy as np
import pytest

from trainer import Tensor, nn, optim
from trainer.config import Recipe, build_layer
from trainer.core.errors import ConfigError, TapelineError

GOOD = """
format = 1
[data]
source = "iris"
holdout = 0.2
[model]
layers = [{ Standardize = 4 }, { Linear = [4, 8] }, "ReLU", { Linear = [8, 3], bias = false }]
[train]
loss = "cross_entropy"
epochs = 3
optimizer = { name = "SGD", lr = 0.1, momentum = 0.9 }
schedule = { name = "cosine", warmup = 2 }
metrics = ["accuracy"]
"""


def recipe(folder: Path, text: str = GOOD) -> Recipe:
    (folder / "recipe.toml").write_text(text)
    return Recipe.read(folder)


def test_a_recipe_builds_everything(tmp_path) -> None:
    read = recipe(tmp_path)
    assert read.name == tmp_path.name
    training, held_out = read.dataset()
    assert (len(training), len(held_out)) == (120, 30)
    model = read.module()
    assert [type(layer) for layer in model.layers] == [
        nn.Standardize,
        nn.Linear,
        nn.ReLU,
        nn.Linear,
    ]
    assert model.layers[3].bias is None
    optimizer = read.optimizer()
    assert isinstance(optimizer, optim.SGD)
    assert (optimizer.lr, optimizer.momentum) == (0.1, 0.9)
    rate = read.schedule(10)
    assert (rate(0), rate(1), rate(10)) == (0.05, 0.1, 0.0)
    assert list(read.metrics()) == ["accuracy"]


def test_a_recipe_names_layers_that_are_recurrent(tmp_path) -> None:
    layers = next(part for part in GOOD.splitlines() if part.startswith("layers"))
    recurrent = """layers = [
        { Reshape = [4, 1] }, { LSTM = [1, 6], batch_first = true, bidirectional = true },
        { LastState = [], bidirectional = true }, { Linear = [12, 3] },
    ]"""
    model = recipe(tmp_path, GOOD.replace(layers, recurrent)).module()
    assert model(Tensor(np.ones((5, 4), np.float32))).shape == (5, 3)


def test_the_same_seed_gives_the_same_model(tmp_path) -> None:
    first, second = (recipe(tmp_path).module().state() for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_an_architecture_of_ones_own(tmp_path) -> None:
    (tmp_path / "model.py").write_text(
        "from trainer import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(4, width)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x)\n"
    )
    line = 'definition = "model.py:Net"\narguments = { width = 3 }'
    layers = next(part for part in GOOD.splitlines() if part.startswith("layers"))
    model = recipe(tmp_path, GOOD.replace(layers, line)).module()
    assert model(Tensor(np.zeros((1, 4), np.float32))).shape == (1, 3)
    wrong = recipe(tmp_path, GOOD.replace(layers, line.replace(":Net", ":Nett")))
    match = r"no class in model\.py 'Nett'. Did you mean 'Net'\? There are: Net\.$"
    with pytest.raises(ConfigError, match=match):
        wrong.module()
    wrong = recipe(tmp_path, GOOD.replace(layers, line.replace("model.py", "modle.py")))
    with pytest.raises(ConfigError, match=r"beside the recipe\. Did you mean 'model\.py'\?"):
        wrong.module()
    wrong = recipe(tmp_path, GOOD.replace(layers, line.replace("width", "widht")))
    with pytest.raises(ConfigError, match=r"Did you mean 'width'\? It takes: width\."):
        wrong.module()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 3", "epoch = 3", r"train\.epoch is not known. Did you mean 'epochs'"),
        ("epochs = 3", "", r"train\.epochs is missing"),
        ("epochs = 3", 'epochs = "many"', r"train\.epochs = 'many'"),
        ("epochs = 3", "epochs = 0", r"train\.epochs = 0: .*greater than or equal to 1"),
        ("[train]", "[trian]", "trian is not known. Did you mean 'train'"),
        ('loss = "cross_entropy"', 'loss = "cross"', "train.loss = 'cross'"),
        ('"cross_entropy"', '"cross_entrpy"', r"'\. Did you mean 'cross_entropy'\?$"),
        ("format = 1", "format = 7", "format 7; this version reads up to 1"),
        ("format = 1", "format = ", "is not valid TOML"),
    ],
)
def test_a_wrong_key_names_the_nearest(tmp_path, old, new, message) -> None:
    with pytest.raises(ConfigError, match=message):
        recipe(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"ReLU"', '"Relu"', "no layer 'Relu'. Did you mean 'ReLU'"),
        (
            "bias = false",
            "bais = false",
            "Linear: .*bais.*Did you mean 'bias'.*It takes: in_features",
        ),
        ('"ReLU"', '"Module"', "no layer 'Module'"),
        ('name = "SGD"', 'name = "Sgd"', "no optimizer 'Sgd'. Did you mean 'SGD'"),
        (
            "momentum = 0.9",
            "momentun = 0.9",
            "SGD: .*momentun.*Did you mean 'momentum'.*It takes: lr,",
        ),
        ('"cosine"', '"cosinus"', "no schedule 'cosinus'. Did you mean 'cosine'"),
        ('["accuracy"]', '["acuracy"]', "no metric 'acuracy'. Did you mean 'accuracy'"),
        ('source = "iris"', 'source = "iriss"', "iris"),
    ],
)
def test_a_wrong_value_names_the_nearest(tmp_path, old, new, message) -> None:
    read = recipe(tmp_path, GOOD.replace(old, new))
    with pytest.raises(TapelineError, match=message):
        (read.module(), read.optimizer(), read.schedule(5), read.metrics(), read.dataset())


def test_layers_that_are_none() -> None:
    with pytest.raises(ConfigError, match="3 is no layer"):
        build_layer(3)


def test_a_missing_recipe_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"There is no recipe at .*nowhere"):
        Recipe.read(tmp_path / "nowhere")


def test_a_misspelled_folder_is_answered_with_the_nearest_recipe(tmp_path) -> None:
    (tmp_path / "flowers").mkdir()
    recipe(tmp_path / "flowers")
    with pytest.raises(ConfigError, match=r"Did you mean '.*/flowers'\?"):
        Recipe.read(tmp_path / "flowres")
