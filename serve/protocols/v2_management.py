"""V2's extensions for operators: which models there are, how they are set up, what is logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from serve.errors import InvalidArgument, Unimplemented
from serve.manager import Manager
from serve.policy import State, VersionPolicy
from serve.tensors import TensorSpec
from serve.version import Handle

_STATES = {
    State.START: "UNAVAILABLE",
    State.LOADING: "LOADING",
    State.AVAILABLE: "READY",
    State.UNLOADING: "UNLOADING",
    State.END: "UNAVAILABLE",
}
_LEVELS = {"log_info": logging.INFO, "log_warning": logging.WARNING, "log_error": logging.ERROR}


def index(manager: Manager, request: Mapping[str, Any]) -> list[dict[str, str]]:
    """List all versions of all models, or those that can be asked.

    Raises:
        InvalidArgument: "ready" is not true or false.
    """
    ready = request.get("ready", False)
    if type(ready) is not bool:
        raise InvalidArgument("'ready' must be true or false.")
    return [
        {
            "name": model,
            "version": str(version.version),
            "state": _STATES[version.state],
            "reason": version.error,
        }
        for model in manager.models()
        for version in sorted(manager.status(model), key=lambda v: v.version)
        if version.state is State.AVAILABLE or not ready
    ]


def config(handle: Handle, policy: VersionPolicy) -> dict[str, Any]:
    """A version's set-up as Triton's configuration has it, all of its keys included.

    Args:
        handle: The version.
        policy: Which versions of its model are served.
    """
    signature = handle.servable.signature
    common = {"is_shape_tensor": False, "is_non_linear_format_io": False}
    only_input = {"format": "FORMAT_NONE", "allow_ragged_batch": False}
    return {
        "name": handle.model,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "runtime": "",
        "version_policy": _write_policy(policy),
        "max_batch_size": 0,  # shapes have their batch axis
        "input": [
            {**_write(spec), **common, **only_input, "optional": spec.optional}
            for spec in signature.inputs
        ],
        "output": [{**_write(spec), **common, "label_filename": ""} for spec in signature.outputs],
        "batch_input": [],
        "batch_output": [],
        "optimization": {
            "priority": "PRIORITY_DEFAULT",
            "input_pinned_memory": {"enable": False},
            "output_pinned_memory": {"enable": False},
            "gather_kernel_buffer_threshold": 0,
            "eager_batching": False,
        },
        "instance_group": [
            {
                "name": handle.model,
                "kind": "KIND_CPU",
                "count": 1,
                "gpus": [],
                "secondary_devices": [],
                "profile": [],
                "passive": False,
                "host_policy": "",
            }
        ],
        "default_model_filename": "model.onnx",
        "cc_model_filenames": {},
        "metric_tags": {},
        "parameters": {},
        "model_warmup": [],
    }


def _write_policy(policy: VersionPolicy) -> dict[str, Any]:
    if policy.specific:
        return {"specific": {"versions": sorted(policy.specific)}}
    return {"all": {}} if policy.latest is None else {"latest": {"num_versions": policy.latest}}


class LogSettings(logging.Filter):
    """Which of the server's messages are logged; added to a logger as its filter.

    Args:
        logger: The logger that it rules.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._logger = logger
        self._shown = dict.fromkeys(_LEVELS, True)
        logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a message is logged."""
        names = [name for name, level in _LEVELS.items() if level <= record.levelno]
        return self._shown[names[-1]] if names else True

    def show(self) -> dict[str, Any]:
        """The settings as the extension names them."""
        verbose = int(self._logger.isEnabledFor(logging.DEBUG))
        return {
            "log_file": "",
            **self._shown,
            "log_verbose_level": verbose,
            "log_format": "default",
        }

    def change(self, request: Mapping[str, Any]) -> None:
        """Set what a request names, all or nothing.

        Raises:
            InvalidArgument: A setting is unknown or has a wrong value.
            Unimplemented: It is one that no client may set.
        """
        for name, value in request.items():
            if name == "log_file":
                raise Unimplemented("The log file cannot be set over the network.")
            if name == "log_format" and value != "default":
                raise InvalidArgument("'log_format' can be 'default' only.")
            if name == "log_verbose_level" and (type(value) is not int or value < 0):
                raise InvalidArgument("'log_verbose_level' must be a number from 0 on.")
            if name in _LEVELS and type(value) is not bool:
                raise InvalidArgument(f"{name!r} must be true or false.")
            if name not in (*_LEVELS, "log_format", "log_verbose_level"):
                raise InvalidArgument(f"There is no log setting {name!r}.")
        self._shown.update({name: request[name] for name in _LEVELS if name in request})
        if "log_verbose_level" in request:
            self._logger.setLevel(logging.DEBUG if request["log_verbose_level"] else logging.INFO)


def _write(spec: TensorSpec) -> dict[str, Any]:
    datatype = spec.element.v2 if spec.element else "INVALID"
    name = "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"
    sizes = [size if isinstance(size, int) else -1 for size in spec.shape or ()]
    return {"name": spec.name, "data_type": name, "dims": sizes}
