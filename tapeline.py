"""The `tapeline` command: the verbs of trainer, exporter and serve in one place."""

from exporter import cli as exporting
from serve import cli as serving
from trainer import cli as training
from trainer.terminal import command_line, run

app = command_line(
    "Train, export and serve small and medium neural networks, with ONNX all the way."
)
for part in (training, exporting, serving):
    app.registered_commands += part.app.registered_commands
app.registered_commands += serving.benching.registered_commands


def main() -> None:
    """Run the command line."""
    run(app, "tapeline")


if __name__ == "__main__":
    main()
