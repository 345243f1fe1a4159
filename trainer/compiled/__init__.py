"""The compiled engine: a whole training step as one ONNX graph in ONNX Runtime."""

from trainer.compiled.step import CompiledStep

__all__ = ["CompiledStep"]
