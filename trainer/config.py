"""Recipes: a TOML file that says which data, which model and how to train it, read into objects."""

from __future__ import annotations

import importlib.util
import inspect
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trainer import nn, optim, random
from trainer.core.errors import ConfigError, TapelineError
from trainer.core.hint import did_you_mean
from trainer.data import Dataset, read, split
from trainer.metrics import METRICS, Metric
from trainer.nn.module import Module
from trainer.optim import schedule
from trainer.optim.schedule import Schedule
from trainer.step import Loss

FORMAT = 1
_NO_LAYERS = {"Module", "Parameter"}  # what layers are made of


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Data(_Section):
    """`[data]`: where rows come from. A relative path starts at the recipe's folder."""

    source: str
    holdout: float = Field(default=0.2, gt=0.0, lt=1.0)
    seed: int = 0
    options: dict[str, Any] = {}


class Model(_Section):
    """`[model]`: a list of layers, or a class in a Python file of one's own with its arguments."""

    layers: list[Any] | None = None
    definition: str | None = None
    arguments: dict[str, Any] = {}


class Train(_Section):
    """`[train]`: how it is trained. Optimizer and schedule are tables with a `name`."""

    loss: Literal[
        "cross_entropy",
        "mse_loss",
        "l1_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    ]
    epochs: int = Field(ge=1)
    batch_size: int = Field(default=32, ge=1)
    optimizer: dict[str, Any] = {"name": "Adam", "lr": 0.001}
    schedule: dict[str, Any] = {"name": "constant"}
    clip: float | None = Field(default=None, gt=0.0)
    accumulate: int = Field(default=1, ge=1)
    seed: int = 0
    engine: Literal["auto", "eager", "onnx"] = "auto"
    device: Literal["cpu", "cuda"] = "cpu"
    metrics: list[str] = []


class Recipe(_Section):
    """A whole recipe.

    Attributes:
        name: What the model is called, also the name of its folder.
        folder: Where the recipe lies.
        format: The version of this form; this program writes and reads 1.
    """

    name: str
    folder: Path
    format: int = FORMAT
    data: Data
    model: Model
    train: Train

    @staticmethod
    def read(path: str | Path) -> Recipe:
        """Read `recipe.toml`, given the file or its folder.

        Raises:
            ConfigError: It is missing or wrong; the message names the key and the nearest valid one.
        """
        given = Path(path)
        file = given / "recipe.toml" if given.is_dir() else given
        try:
            values = tomllib.loads(file.read_bytes().decode())
        except OSError as error:
            others = [str(found.parent) for found in given.parent.glob("*/recipe.toml")]
            raise ConfigError(
                f"There is no recipe at {file} ({error.strerror}).{did_you_mean(str(given), others)} "
                "Give a folder with a recipe.toml."
            ) from error
        except ValueError as error:  # the text is not UTF-8, or not TOML
            raise ConfigError(f"{file} is not valid TOML: {error}.") from error
        number = values.get("format", FORMAT)
        if isinstance(number, int) and number > FORMAT:
            raise ConfigError(
                f"{file} has the format {number}; this version reads up to {FORMAT}. Update tapeline."
            )
        folder = file.parent.resolve()
        try:
            return Recipe(**{"name": folder.name, **values, "folder": folder})
        except ValidationError as error:
            raise ConfigError(f"{file}: {_first_problem(error)}") from error

    def dataset(self) -> tuple[Dataset, Dataset]:
        """The training rows and the held-out rows."""
        source = self.data.source
        beside = self.folder / source
        rows = read(str(beside) if beside.exists() else source, **self.data.options)
        return split(rows, self.data.holdout, self.data.seed)

    def module(self) -> Module:
        """The model, freshly initialized from the recipe's seed."""
        random.seed(self.train.seed)
        if (self.model.layers is None) == (self.model.definition is None):
            raise ConfigError("[model] needs either `layers` or `definition`, and not both.")
        if self.model.layers is not None:
            return nn.Sequential(*[build_layer(entry) for entry in self.model.layers])
        assert self.model.definition is not None
        made = _called(_defined(self.folder, self.model.definition), self.model.arguments)
        if not isinstance(made, Module):
            raise ConfigError(
                f"{self.model.definition} gives {type(made).__name__}; a Module is expected."
            )
        return made

    def loss(self) -> Loss:
        """The loss function."""
        found: Loss = getattr(nn, self.train.loss)
        return found

    def optimizer(self) -> optim.Optimizer:
        """The optimizer, without a model: the step uses its pure functions."""
        settings = dict(self.train.optimizer)
        known = {name: getattr(optim, name) for name in ("SGD", "Adam", "AdamW")}
        return _called(_chosen("optimizer", settings.pop("name", None), known), settings)

    def schedule(self, steps: int) -> Schedule:
        """The learning rate by step, for a run of so many steps."""
        settings = dict(self.train.schedule)
        known = {
            "constant": schedule.constant,
            "step_decay": schedule.step_decay,
            "cosine": schedule.cosine,
        }
        chosen = _chosen("schedule", settings.pop("name", None), known)
        if chosen is schedule.cosine:
            settings.setdefault("steps", steps)
        rate: Schedule = _called(chosen, {"lr": self.optimizer().lr, **settings})
        try:
            fits = rate(0) >= 0.0
        except (TypeError, ArithmeticError):
            fits = False
        if not fits:
            raise ConfigError(
                f"The schedule {self.train.schedule} of {self.train.optimizer} gives no learning rate: "
                "numbers from 0 are expected, and counts of steps from 1."
            )
        return rate

    def metrics(self) -> dict[str, Metric]:
        """The metrics by name."""
        return {name: _chosen("metric", name, METRICS) for name in self.train.metrics}


def build_layer(entry: Any) -> Module:
    """A layer from a recipe: `"ReLU"`, `{ Linear = [4, 10] }`, `{ Conv2d = [1, 6, 5], padding = 2 }`.

    Example:
        >>> build_layer({"Linear": [4, 10]})
        Linear(4, 10)
    """
    layers = {n: getattr(nn, n) for n in nn.__all__ if n[0].isupper() and n not in _NO_LAYERS}
    if isinstance(entry, str):
        return _called(_chosen("layer", entry, layers), {})
    if not isinstance(entry, dict) or not entry:
        raise ConfigError(
            f"{entry!r} is no layer: write a name, or a table like {{ Linear = [4, 10] }}."
        )
    (name, value), *keywords = entry.items()
    positional = value if isinstance(value, list) else [value]
    return _called(_chosen("layer", name, layers), dict(keywords), *positional)


def _chosen(kind: str, name: Any, known: dict[str, Any]) -> Any:
    if name in known:
        return known[name]
    hint = did_you_mean(str(name), known)
    raise ConfigError(f"There is no {kind} {name!r}.{hint} There are: {', '.join(known)}.")


def _called(function: Callable[..., Any], keywords: dict[str, Any], *positional: Any) -> Any:
    """Call with a sentence instead of a traceback where the arguments do not fit."""
    names = [p for p in inspect.signature(function).parameters if p != "model"]
    takes = ", ".join(names) or "nothing"
    try:
        inspect.signature(function).bind(*positional, **keywords)
    except TypeError as error:
        unknown = next((keyword for keyword in keywords if keyword not in names), "")
        hint = did_you_mean(unknown, names)
        raise ConfigError(f"{function.__name__}: {error}.{hint} It takes: {takes}.") from error
    try:
        return function(*positional, **keywords)
    except (TypeError, ValueError, ArithmeticError) as error:
        given = ", ".join([*map(repr, positional), *(f"{k}={v!r}" for k, v in keywords.items())])
        raise ConfigError(
            f"{function.__name__} cannot be made of {given}: {error}. It takes: {takes}."
        ) from error


def _defined(folder: Path, definition: str) -> Callable[..., Module]:
    """The class named by `model.py:Net`, loaded from its path under a private name."""
    file, _, name = definition.partition(":")
    path = folder / file
    if not name or not path.is_file():
        hint = did_you_mean(file, (other.name for other in folder.glob("*.py")))
        raise ConfigError(
            f"[model] definition = {definition!r}: write `file.py:Class`, beside the recipe.{hint}"
        )
    spec = importlib.util.spec_from_file_location(f"_tapeline_recipe_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except TapelineError:
        raise
    except Exception as error:
        raise ConfigError(f"{path} cannot be loaded: {type(error).__name__}: {error}.") from error
    classes = {n: c for n, c in vars(module).items() if callable(c) and not n.startswith("_")}
    return _chosen(f"class in {file}", name, classes)


def _first_problem(error: ValidationError) -> str:
    """One complaint of pydantic as a sentence: an unknown key first, with the nearest valid one."""
    problem = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        section: Any = Recipe
        for part in problem["loc"][:-1]:
            section = section.model_fields[part].annotation
        known = [name for name in section.model_fields if name != "folder"]
        hint = did_you_mean(str(problem["loc"][-1]), known)
        return f"{where} is not known.{hint} Valid here: {', '.join(known)}."
    if problem["type"] == "missing":
        return f"{where} is missing."
    choices = re.findall("'(.*?)'", problem["msg"]) if problem["type"] == "literal_error" else ()
    hint = did_you_mean(str(problem["input"]), choices)
    return f"{where} = {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}.{hint}"
