"""The compiled engine: a training step, or any function, as one ONNX graph in ONNX Runtime."""

from trainer.compiled.auto import AutoStep
from trainer.compiled.step import CompiledStep

__all__ = ["AutoStep", "CompiledStep"]
