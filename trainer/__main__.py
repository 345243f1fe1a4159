"""`python -m trainer`."""

from trainer.cli import app
from trainer.terminal import run

run(app, "python -m trainer")
