"""The exporter's command line: quickstart, export, verify, inspect, predict."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.terminal import AsJson, command_line, print_json

app = command_line("Export, prove and publish models.")

ModelPath = Annotated[
    Path, typer.Argument(help="An .onnx file, a published version, or a model folder.")
]


@app.command()
def quickstart(
    folder: Annotated[Path, typer.Option(help="The model folder that is written.")] = Path(
        "models/digits"
    ),
    json: AsJson = False,
) -> None:
    """Train, export, serve and ask an image classifier, in seconds."""
    from exporter.quickstart import Quickstart

    result = Quickstart(folder, silent=json).run()
    if json:
        print_json(result)


@app.command()
def export(
    recipe: Annotated[
        Path, typer.Argument(help="A folder with a recipe.toml, or the file itself.")
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A file with the weights. Defaults to that of the newest run."),
    ] = None,
    train_step: Annotated[
        bool,
        typer.Option(
            "--train-step",
            help="Write train_step.onnx beside the checkpoint instead: a whole training step, for "
            "any ONNX runtime.",
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """Publish the newest run of a recipe as the next version."""
    from exporter import tables
    from exporter.release import release, release_train_step
    from trainer.config import Recipe

    if train_step:
        written = release_train_step(Recipe.read(recipe), checkpoint)
        if json:
            print_json(written.to_json())
        else:
            tables.show_train_step(_console(), written)
        return
    published = release(Recipe.read(recipe), checkpoint)
    if json:
        worst = published.verification.largest
        print_json(
            {
                "path": str(published.path),
                "version": published.version,
                "signature": asdict(published.signature),
                "largest_relative_error": worst.relative,
            }
        )
    else:
        tables.show_published(_console(), published)


@app.command()
def verify(
    path: ModelPath,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="The largest error relative to an output's largest value. Defaults to 1e-5 for float32.",
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Prove that a file computes what the trainer computes."""
    from exporter import manifest, opened, tables, verification

    file = opened.find(path)
    version = opened.version_of(file)
    if version is not None:
        manifest.check(version)
    inputs = None if version is None else manifest.load_golden_inputs(version)
    proof = verification.verify(file, inputs=inputs, tolerance=tolerance)
    if json:
        keys = ("output", "batch", "error", "relative", "tolerance")
        rows = [{key: getattr(one, key) for key in keys} for one in proof.comparisons]
        print_json({"path": str(file), "comparisons": rows})
    else:
        tables.show_verification(_console(), file, proof)


@app.command()
def inspect(path: ModelPath, json: AsJson = False) -> None:
    """Show what a file takes and gives, and where it comes from."""
    from exporter import inspection, tables

    found = inspection.inspect(path)
    if json:
        print_json(found.to_json())
    else:
        tables.show_inspection(_console(), found)


@app.command()
def predict(
    model: ModelPath,
    data: Annotated[
        Path,
        typer.Argument(
            help="The rows: a .csv with the columns that it was trained with, an .npy or an .npz."
        ),
    ],
    json: AsJson = False,
) -> None:
    """Ask a model about the rows of a file, without a server; the answers are CSV."""
    import csv
    import sys

    from exporter import prediction

    answers = prediction.predict(model, data)
    if json:
        labels = {} if answers.labels is None else {"labels": answers.labels}
        outputs = {name: array.tolist() for name, array in answers.outputs.items()}
        print_json({**labels, "outputs": outputs})
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answers.columns())
    writer.writerows(answers.rows())


def _console() -> Any:
    """A terminal as wide as it is; elsewhere lines are not broken."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)
