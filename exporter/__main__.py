"""`python -m exporter`."""

from exporter.cli import app
from trainer.terminal import run

run(app, "python -m exporter")
