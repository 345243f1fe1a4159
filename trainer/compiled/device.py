"""Where a compiled step runs: the processor, or a GPU through ONNX Runtime's CUDA provider."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime

from trainer.core.errors import ConfigError
from trainer.core.hint import did_you_mean

_LIBRARIES = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
_INSTALL = f"pip uninstall onnxruntime && {_LIBRARIES}"
_SILENT, _WARNINGS = 4, 2  # ONNX Runtime's levels; the second is its default


@dataclass(frozen=True)
class Device:
    """A device.

    Attributes:
        name: What ONNX Runtime calls its memory.
        provider: What runs operators there.
        options: The provider's settings.
        far: Whether its memory is another than numpy's, so that arrays are copied.
    """

    name: str
    provider: str
    options: Mapping[str, str] = field(default_factory=dict)
    far: bool = True

    def try_memory(self) -> None:
        """Make sure that there is memory of this device.

        Raises:
            ConfigError: There is none.
        """
        onnxruntime.set_default_logger_severity(_SILENT)
        try:
            onnxruntime.OrtValue.ortvalue_from_shape_and_type([1], np.float32, self.name, 0)
        except Exception as error:  # what the runtime raises has no base class of its own
            raise self._unusable() from error
        finally:
            onnxruntime.set_default_logger_severity(_WARNINGS)

    def check(self, session: Any) -> None:
        """Make sure that a session runs here, for ONNX Runtime falls back to the processor silently.

        Raises:
            ConfigError: It does not.
        """
        if self.provider not in session.get_providers():
            raise self._unusable()

    def _unusable(self) -> ConfigError:
        return ConfigError(
            f"ONNX Runtime has the {self.provider}, but it cannot start: there is no GPU, or the driver, "
            f"CUDA or cuDNN do not fit onnxruntime-gpu {onnxruntime.__version__}. Look at nvidia-smi and "
            f"install the libraries ({_LIBRARIES}), or train with device = 'cpu'."
        )


CPU = Device("cpu", "CPUExecutionProvider", far=False)
# Full precision, so that both devices agree; and no algorithm chosen by timing, so that a run repeats.
_CUDA = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
DEVICES = {"cpu": CPU, "cuda": Device("cuda", "CUDAExecutionProvider", _CUDA)}


def find(name: str) -> Device:
    """The device of that name.

    Example:
        >>> find("cpu").provider
        'CPUExecutionProvider'

    Raises:
        ConfigError: There is none, or this ONNX Runtime cannot use it; the message says what to install.
    """
    if name not in DEVICES:
        raise ConfigError(
            f"There is no device {name!r}.{did_you_mean(name, DEVICES)} There are: {', '.join(DEVICES)}."
        )
    device, present = DEVICES[name], onnxruntime.get_available_providers()
    if device.provider not in present:
        raise ConfigError(
            f"device = {name!r} needs ONNX Runtime with the {device.provider}; the one installed has "
            f"{', '.join(present)}. Install it: {_INSTALL}."
        )
    if device.far:
        device.try_memory()
    return device
