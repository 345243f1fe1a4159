"""One run of a recipe: trains it, keeps its checkpoint and history beside the recipe, reads it back."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainer import random
from trainer.checkpoint import Checkpoint
from trainer.compiled import AutoStep, CompiledStep, choices
from trainer.config import Recipe
from trainer.core.errors import CheckpointError, ConfigError
from trainer.core.hint import did_you_mean
from trainer.data import Dataset, Loader
from trainer.flame import page
from trainer.loop import Epoch, Listener, Progress, evaluate, fit
from trainer.nn.module import Module
from trainer.profile import Profile, Recording
from trainer.step import EagerStep, Step
from trainer.trial import try_out

ENGINES: dict[str, Callable[..., Step]] = {
    "auto": AutoStep,
    "eager": EagerStep,
    "onnx": CompiledStep,
}


@dataclass(frozen=True)
class Run:
    """A finished or interrupted training run.

    Attributes:
        folder: `models/<name>/runs/<number>`, with `checkpoint.safetensors` and `history.json`.
        history: What each epoch gave.
        model: The trained Module.
        profile: Where the time of a step went, if that was asked for.
    """

    folder: Path
    history: list[Epoch]
    model: Module
    profile: Profile | None = None

    @property
    def checkpoint(self) -> Path:
        """The file with parameters, optimizer and random state."""
        return self.folder / "checkpoint.safetensors"


def train(
    recipe: Recipe,
    engine: str | None = None,
    epochs: int | None = None,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
    progress: Progress | None = None,
    profile: bool = False,
    device: str | None = None,
) -> Run:
    """Train a recipe and keep the run; the checkpoint is written after every epoch.

    The same recipe gives the same weights to the bit, on the same machine with as many threads, also
    when it was interrupted and resumed.

    Args:
        recipe: What to train.
        engine: "auto", "eager" or "onnx". Defaults to the recipe's.
        epochs: The number of the last epoch. Defaults to the recipe's.
        resume: Whether to go on from the newest run. Defaults to starting a new one.
        listeners: Called after each epoch.
        progress: Called after each step.
        profile: Whether to note where the time of a step goes, and to write it as a flame chart,
            `profile.html`, beside the checkpoint. The weights are the same. Defaults to False.
        device: "cpu" or "cuda". Defaults to the recipe's.

    Returns:
        The run, with the trained model.

    Raises:
        ConfigError, DataError, CheckpointError: The recipe, its data or the run to resume is wrong.
    """
    training, held_out = recipe.dataset()
    model = recipe.module()
    for _, layer in model.modules():
        if hasattr(layer, "adapt"):
            layer.adapt(training.x)
    try_out(model, training, recipe)
    chosen, place = _where(engine or recipe.train.engine, device or recipe.train.device, profile)
    clip, accumulate = recipe.train.clip, recipe.train.accumulate
    step = ENGINES[chosen](model, recipe.loss(), recipe.optimizer(), clip, accumulate, **place)
    loader = Loader(training, recipe.train.batch_size, seed=recipe.train.seed)
    last = epochs or recipe.train.epochs
    rate = recipe.schedule(max(1, len(loader) * last // accumulate))
    before: list[Epoch] = []
    folder = _newest(recipe) if resume else _fresh(recipe)
    if resume:
        saved = Checkpoint.load(folder / "checkpoint.safetensors")
        model.load(saved.model)
        step.load(saved.optimizer)
        random.restore(saved.meta["random"])
        choices.restore(saved.meta.get("choices", []))
        before = _history(folder)[: saved.meta["epoch"]]
    lineage = _lineage(recipe, training, chosen)
    history = list(before)

    def keep(epoch: Epoch) -> None:
        history.append(epoch)
        meta = {
            **lineage,
            "epoch": epoch.number,
            "random": random.state(),
            "choices": choices.used(),
            "metrics": {"train_loss": epoch.loss, **epoch.validation},
        }
        step.sync()
        Checkpoint(model.state(), step.state(), meta).save(folder / "checkpoint.safetensors")
        _write(folder / "history.json", json.dumps([asdict(one) for one in history], indent=1))

    try:
        with Recording(step) if profile else nullcontext(step) as watched:
            fit(
                watched,
                loader,
                lambda batch: rate(batch // accumulate),
                last,
                validation=held_out,
                metrics=recipe.metrics(),
                first_epoch=len(before) + 1,
                listeners=[keep, *listeners],
                progress=progress,
            )
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()  # ended before there was anything to keep
    if not isinstance(watched, Recording):
        return Run(folder, history, model)
    seen = watched.profile()
    _write(folder / "profile.html", page(seen, recipe.name))
    return Run(folder, history, model, seen)


def _where(engine: str, device: str, profile: bool) -> tuple[str, dict[str, str]]:
    """The engine, and what it is told about a device that is not the processor."""
    if engine not in ENGINES:
        hint = did_you_mean(engine, ENGINES)
        raise ConfigError(f"There is no engine {engine!r}.{hint} There are: {', '.join(ENGINES)}.")
    if device == "cpu":
        return engine, {}
    if engine == "eager":
        raise ConfigError(
            f"device = {device!r} runs the compiled graph; the eager engine runs on the processor. "
            "Choose engine = 'onnx'."
        )
    if profile:
        raise ConfigError(
            f"A profile times operators on the processor; on {device} only their start would be "
            "seen. Profile with device = 'cpu'."
        )
    return "onnx", {"device": device}


def load(recipe: Recipe) -> tuple[Run, Checkpoint]:
    """The newest run of a recipe with its trained model, and its checkpoint.

    Raises:
        CheckpointError: It was not trained yet, or the recipe's model has changed since.
    """
    folder = _newest(recipe)
    checkpoint = Checkpoint.load(folder / "checkpoint.safetensors")
    model = recipe.module()
    model.load(checkpoint.model)
    return Run(folder, _history(folder), model.eval()), checkpoint


def assess(recipe: Recipe) -> dict[str, float]:
    """The loss and the metrics of the newest run on the recipe's held-out rows."""
    run, _ = load(recipe)
    _, held_out = recipe.dataset()
    step = EagerStep(run.model, recipe.loss(), recipe.optimizer())
    return evaluate(step, held_out, recipe.metrics())


def _lineage(recipe: Recipe, training: Dataset, engine: str) -> dict[str, Any]:
    """Where the weights come from, and what the columns and classes of the data are called."""
    text = recipe.model_dump_json(exclude={"folder"})
    return {
        "recipe": hashlib.sha256(text.encode()).hexdigest(),
        "data": training.sha256,
        "features": training.features,
        "classes": training.classes,
        "engine": engine,
        "seed": recipe.train.seed,
        "code": _revision(recipe.folder),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tapeline", "numpy", "onnx", "onnxruntime")},
        },
    }


def _revision(folder: Path) -> str | None:
    """The commit that the recipe's folder is at, if it is under version control."""
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _numbered(recipe: Recipe) -> list[Path]:
    runs = recipe.folder / "runs"
    found = [p for p in runs.iterdir() if p.name.isdigit()] if runs.is_dir() else []
    return sorted(found, key=lambda path: int(path.name))


def _newest(recipe: Recipe) -> Path:
    whole = [p for p in _numbered(recipe) if (p / "checkpoint.safetensors").is_file()]
    if not whole:
        raise CheckpointError(
            f"{recipe.name} was not trained yet. Run: tapeline train {os.path.relpath(recipe.folder)}"
        )
    return whole[-1]


def _fresh(recipe: Recipe) -> Path:
    numbers = [int(path.name) for path in _numbered(recipe)]
    folder = recipe.folder / "runs" / str(max(numbers, default=0) + 1)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise CheckpointError(f"Cannot create {folder}: {error.strerror}.") from error
    return folder


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".partial")
    try:
        temporary.write_text(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CheckpointError(f"Cannot write {path}: {error.strerror}.") from error


def _history(folder: Path) -> list[Epoch]:
    file = folder / "history.json"
    try:
        return [Epoch(**epoch) for epoch in json.loads(file.read_text())]
    except (OSError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file} is missing or damaged: {error}. Train again: tapeline train "
            f"{os.path.relpath(folder.parent.parent)}"
        ) from error
