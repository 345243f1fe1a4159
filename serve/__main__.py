"""Runs the server, `python -m serve`, or measures one, `python -m serve bench URL`."""

import sys

from serve.cli import app, benching

if sys.argv[1:2] == ["bench"]:
    benching(sys.argv[2:], prog_name="python -m serve bench")
else:
    app(prog_name="python -m serve")
