"""Drives the server and its peers under the same load: `python -m benchmarks.serving`."""
