"""The quickstart: trains a convolutional network on digits, exports it, serves it and asks it, for real."""

from __future__ import annotations

import json
import shutil
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from exporter import picture
from exporter.errors import ExportError
from exporter.publisher import Published
from exporter.release import release
from exporter.serving import ask, server
from trainer import run
from trainer.cli import Watch
from trainer.config import Recipe
from trainer.core.errors import ConfigError
from trainer.data import Dataset
from trainer.terminal import near

ACCURACY = 0.97  # what the recipe reaches with room to spare
SHOWN = 7  # the held-out image that the server is asked about


class Quickstart:
    """Goes the whole way once and tells what it does.

    Args:
        folder: The model folder, `models/digits`; what is in it already stays.
        silent: Whether to print nothing.
    """

    def __init__(self, folder: Path, silent: bool = False) -> None:
        self.folder, self.silent = folder.resolve(), silent
        self._console = Console(highlight=False, quiet=silent)
        self._started = time.perf_counter()

    def run(self) -> dict[str, Any]:
        """Train, export, serve, ask.

        Returns:
            What came out, as plain values.

        Raises:
            TapelineError: A step did not succeed; the message says which and why.
        """
        recipe = self._recipe()
        accuracy = self._train(recipe)
        published = self._publish(recipe)
        _, held_out = recipe.dataset()
        probabilities = self._ask(held_out, published)
        self._say_where(held_out, published)
        return {
            "accuracy": accuracy,
            "path": str(published.path),
            "version": published.version,
            "label": int(held_out.y[SHOWN]),
            "probabilities": probabilities,
            "seconds": time.perf_counter() - self._started,
        }

    def _recipe(self) -> Recipe:
        """The recipe in the folder, written there if there is none."""
        text = (files("exporter") / "digits.toml").read_bytes()
        file = self.folder / "recipe.toml"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes(text)
            found = file.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"Cannot write {near(file)}: {error.strerror}. Give a --folder."
            ) from error
        if found != text:
            raise ConfigError(
                f"{near(file)} is not the recipe of the quickstart. Give another --folder, or train "
                f"it: tapeline train {near(self.folder)}"
            )
        return Recipe.read(self.folder)

    def _train(self, recipe: Recipe) -> float:
        start = time.perf_counter()
        with Watch(recipe.name, recipe.train.epochs, silent=self.silent) as watch:
            trained = run.train(recipe, listeners=[watch.epoch], progress=watch.step)
        last = trained.history[-1]
        accuracy = last.validation["accuracy"]
        if accuracy < ACCURACY:
            raise ExportError(
                f"The model is right on {accuracy:.1%} of the held-out images; at least {ACCURACY:.0%} "
                f"was expected. The run is kept in {near(trained.folder)}."
            )
        self._step("trained", f"{accuracy:.1%} right on images it has not seen", start)
        return accuracy

    def _publish(self, recipe: Recipe) -> Published:
        start = time.perf_counter()
        published = release(recipe)
        self._step("exported", f"{near(published.path)}/model.onnx", start)
        worst = published.verification.largest
        self._step("verified", f"ONNX Runtime and the trainer agree to {worst.relative:.0e}")
        return published

    def _ask(self, held_out: Dataset, published: Published) -> list[float]:
        start = time.perf_counter()
        classes = published.signature.classes or ()
        with server(self.folder.parent, self.folder.name) as address:
            self._step("serving", f"{address}, in a process of its own", start)
            start = time.perf_counter()
            url = f"{address}/v1/models/{self.folder.name}:predict"
            answer = ask(url, {"instances": _rows(held_out)})
            self._step("answered", f"POST /v1/models/{self.folder.name}:predict", start)
        probabilities: list[float] = answer["predictions"][0]
        plain = self._console.options.ascii_only
        shown = picture.beside(held_out.x[SHOWN], classes, probabilities, plain)
        says = classes[max(range(len(classes)), key=probabilities.__getitem__)]
        self._console.print("\n", shown, sep="")
        verdict = f"  The server says {says}; it is a {classes[held_out.y[SHOWN]]}.\n"
        self._console.print(Text(verdict, "bold"))
        return probabilities

    def _say_where(self, held_out: Dataset, published: Published) -> None:
        root, name = near(self.folder.parent), self.folder.name
        question = json.dumps({"instances": _rows(held_out)}, separators=(",", ":"))
        tapeline = _program()
        lines = {
            "The recipe, to change and train again": f"{tapeline} train {near(self.folder)}",
            "What is in the file": f"{tapeline} inspect {near(published.path)}",
            "The server": f"{tapeline} serve --model-base-path {root}",
            "The question": f"curl -d '{question}' localhost:8501/v1/models/{name}:predict",
        }
        for title, command in lines.items():
            self._console.print(Text(title, "dim"))
            self._console.print(Text(f"  {command}"), soft_wrap=True)
        seconds = time.perf_counter() - self._started
        self._console.print(Text(f"\nDone in {seconds:.0f} s.", "bold green"))

    def _step(self, what: str, result: str, start: float | None = None) -> None:
        mark = "+" if self._console.options.ascii_only else "✓"
        took = "" if start is None else f"  {_duration(time.perf_counter() - start)}"
        self._console.print(
            Text.assemble((f"{mark} ", "bold green"), f"{what:<10}", result, (took, "dim")),
            soft_wrap=True,
        )


def _program() -> str:
    """The command as it is reached here: by its path where the environment is not activated."""
    beside = Path(sys.executable).with_name("tapeline")
    return "tapeline" if shutil.which("tapeline") or not beside.exists() else str(near(beside))


def _rows(held_out: Dataset) -> list[Any]:
    """The image as a client would write it."""
    whole: list[Any] = held_out.x[SHOWN : SHOWN + 1].astype(int).tolist()
    return whole


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"
