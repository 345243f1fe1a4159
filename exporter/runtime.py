"""Runs a file in ONNX Runtime on the CPU, and turns its complaints into sentences."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from exporter.errors import VerificationError
from trainer.core.dtypes import describe
from trainer.core.tensor import Array

onnxruntime.disable_telemetry_events()


class Session:
    """A file, ready to run.

    Args:
        path: The ONNX file.

    Raises:
        VerificationError: ONNX Runtime cannot load it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # complaints arrive as exceptions
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no common base
            raise VerificationError(
                f"ONNX Runtime cannot load {path}: {_reason(error)}."
            ) from error
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name.

        Raises:
            VerificationError: The inputs do not fit, or an output is no tensor.
        """
        outputs = self.answer(inputs)
        for name, value in outputs.items():
            if not isinstance(value, np.ndarray):
                raise VerificationError(
                    f"The output {name} of {self.path} is a {type(value).__name__}; only tensors can "
                    "be compared."
                )
        return outputs

    def answer(self, inputs: Mapping[str, Array]) -> dict[str, Any]:
        """The outputs by name: arrays, or a list where one is a sequence, of dicts if of maps.

        Raises:
            VerificationError: The inputs do not fit.
        """
        try:
            results = self._session.run(None, dict(inputs))
        except Exception as error:
            given = ", ".join(f"{name} {describe(array)}" for name, array in inputs.items())
            raise VerificationError(
                f"ONNX Runtime cannot run {self.path} with {given}: {_reason(error)}."
            ) from error
        return dict(zip(self.outputs, results, strict=True))


def _reason(error: Exception) -> str:
    """Its message on one line, without the code in front."""
    text = " ".join(str(error).split())
    return text.rpartition("[ONNXRuntimeError] : ")[2].rstrip(".")
