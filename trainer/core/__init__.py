"""The core: operators, Tensors, the tape, graphs, and capture."""
