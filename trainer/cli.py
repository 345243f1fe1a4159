"""The trainer's command line: new, train, tune, evaluate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trainer.terminal import AsJson, command_line, near, print_json

if TYPE_CHECKING:
    from trainer.loop import Epoch

app = command_line("Train models from recipes.")

RecipePath = Annotated[
    Path, typer.Argument(help="A folder with a recipe.toml, or the file itself.")
]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="The folder to make, such as models/flowers.")],
    json: AsJson = False,
) -> None:
    """Make a folder with a recipe and a model that train as they are, to be changed."""
    from trainer.template import FILES, write_template

    write_template(folder)
    if json:
        print_json({"files": [str(folder / name) for name in FILES]})
        return
    for name in FILES:
        typer.echo(near(folder.resolve() / name))
    typer.echo(f"Change them, then: tapeline train {near(folder.resolve())}")


@app.command()
def train(
    recipe: RecipePath,
    engine: Annotated[
        Literal["auto", "eager", "onnx"] | None,
        typer.Option(
            help="Run operator by operator (eager), as one ONNX graph (onnx), or as one graph "
            "where that is possible (auto). Defaults to the recipe's."
        ),
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option(
            help="Where the graph runs: cuda needs onnxruntime-gpu. Defaults to the recipe's."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="The last epoch. Defaults to the recipe's.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the newest run.")] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Show where the time of a step goes; the weights are the same."
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Train a recipe; the run is kept in its folder under runs/."""
    from trainer import run, tables
    from trainer.config import Recipe

    read = Recipe.read(recipe)
    with Watch(read.name, epochs or read.train.epochs, silent=json) as watch:
        done = run.train(read, engine, epochs, resume, [watch.epoch], watch.step, profile, device)
    last = done.history[-1]
    if json:
        shown = {} if done.profile is None else {"profile": done.profile.to_json()}
        print_json(
            {"run": str(done.folder), "epoch": last.number, "loss": last.loss}
            | last.validation
            | shown
        )
        return
    typer.echo(f"{read.name}: {_summary(last)}\nkept in {near(done.folder)}")
    if done.profile is not None:
        tables.show_profile(tables.console(), done.profile)
        typer.echo(f"\nflame chart: {near(done.folder / 'profile.html')}")


@app.command()
def tune(recipe: RecipePath, json: AsJson = False) -> None:
    """Measure on this machine which formulas train a recipe's convolutions fastest; later runs use them."""
    from trainer.compiled import CompiledStep, choices, tuning
    from trainer.config import Recipe
    from trainer.data import Loader

    read = Recipe.read(recipe)
    training, _ = read.dataset()
    x, y = next(iter(Loader(training, read.train.batch_size, seed=read.train.seed)))
    step = CompiledStep(read.module(), read.loss(), read.optimizer())
    found = tuning.tune(step, x, y)
    if json:
        rows = [{**one.plain(), "milliseconds": dict(one.milliseconds)} for one in found]
        print_json({"table": str(choices.local_table()), "gradients": rows})
        return
    for one in found:
        times = ", ".join(f"{name} {value:.3f} ms" for name, value in one.milliseconds.items())
        typer.echo(f"{one}: {times}")
    if found:
        typer.echo(f"{read.name}: the fastest are kept in {near(choices.local_table())}")
    else:
        typer.echo(f"{read.name}: there is nothing to choose, for it has no convolutions")


@app.command()
def evaluate(recipe: RecipePath, json: AsJson = False) -> None:
    """Measure the newest run on the held-out rows."""
    from trainer import run
    from trainer.config import Recipe

    read = Recipe.read(recipe)
    measured = run.assess(read)
    if json:
        print_json(measured)
    else:
        typer.echo(f"{read.name}: " + ", ".join(f"{k} {v:.4f}" for k, v in measured.items()))


class Watch:
    """A progress bar for a terminal; elsewhere a line per epoch, or nothing.

    Args:
        name: What is trained.
        epochs: The number of the last epoch.
        silent: Whether to print nothing at all.
    """

    def __init__(self, name: str, epochs: int, silent: bool = False) -> None:
        self.name, self.epochs, self.silent = name, epochs, silent
        self._bar: Any = None
        self._task: Any = None
        self._last = ""

    def __enter__(self) -> Watch:
        if sys.stderr.isatty() and not self.silent:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            from rich.progress import TimeRemainingColumn as Remaining

            columns = ("[bold]{task.description}", BarColumn(), MofNCompleteColumn(), Remaining())
            console = Console(stderr=True)
            self._bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
            self._bar.start()
            self._task = self._bar.add_task(self.name, total=None, note="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Show the progress within an epoch."""
        if self._bar is not None:
            note = f"epoch {epoch}/{self.epochs}  loss {loss:.4f}  {self._last}"
            done = (epoch - 1) * steps + step
            self._bar.update(self._task, completed=done, total=self.epochs * steps, note=note)

    def epoch(self, epoch: Epoch) -> None:
        """Show what an epoch gave."""
        self._last = "  ".join(f"{k} {v:.4f}" for k, v in epoch.validation.items() if k != "loss")
        if self._bar is None and not self.silent:
            typer.echo(_summary(epoch), err=True)


def _summary(epoch: Epoch) -> str:
    measured = "".join(f", held-out {k} {v:.4f}" for k, v in epoch.validation.items())
    return f"epoch {epoch.number}: loss {epoch.loss:.4f}{measured}"
