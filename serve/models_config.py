"""The model configuration file: which models there are, where, in which versions, by which labels."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

from serve import textproto
from serve.batching import Batching
from serve.errors import SettingsError
from serve.hint import did_you_mean
from serve.policy import LATEST, VersionPolicy

Device = Literal["cpu", "cuda"]
SessionOptions = Mapping[str, str | int | float | bool]

COUNTS = ("intra_op_thread_count", "inter_op_thread_count", "execution_mode")
SWITCHES = (
    "enable_mem_arena",
    "enable_mem_pattern",
    "session.use_device_allocator_for_initializers",
)
CUDA_OPTIONS = (
    "gpu_mem_limit",
    "arena_extend_strategy",
    "cudnn_conv_algo_search",
    "do_copy_in_default_stream",
)
# The names in the file, and those of the fields.
BATCHING = {
    "enabled": "enabled",
    "max_batch_size": "max_batch_size",
    "batch_delay": "delay",
    "allowed_batch_sizes": "allowed_sizes",
    "pad_variable_length_inputs": "pad_lengths",
    "max_queue": "max_queue",
    "queue_seconds": "queue_seconds",
}


@dataclass(frozen=True, slots=True)
class Label:
    """A name for a version, which may also take a share of the requests that name none."""

    version: int
    percent: float = 0


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """How one model is served.

    Attributes:
        policy: Which versions are served.
        labels: Names for versions.
        device: What computes it; None leaves it to the server's setting.
        session: ONNX Runtime's options by their names in Triton's backend.
        batching: Fields of `Batching` in which its queue differs from those of the other models.
    """

    policy: VersionPolicy = LATEST
    labels: Mapping[str, Label] = field(default_factory=dict)
    device: Device | None = None
    session: SessionOptions = field(default_factory=dict)
    batching: Mapping[str, Any] = field(default_factory=dict)


DEFAULT = ModelConfig()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model of the file: its folder and how it is served."""

    base_path: Path
    config: ModelConfig = DEFAULT


def read(path: Path) -> dict[str, ModelEntry]:
    """Read a file: TOML where its name ends in .toml, else TensorFlow Serving's text format.

    Raises:
        SettingsError: It cannot be read, or says what is not understood.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The model configuration {path} cannot be read: {error}.") from error
    try:
        if path.suffix == ".toml":
            entries = [_from_toml(table) for table in _tables(tomllib.loads(text))]
        else:
            entries = [_from_proto(message) for message in _configs(textproto.parse(text))]
        models = dict(entries)
        if len(models) < len(entries):
            raise SettingsError("two models have one name")
    except (SettingsError, KeyError, ValueError, TypeError, AttributeError) as error:
        end = "" if str(error).endswith("?") else "."
        raise SettingsError(f"The model configuration {path} is wrong: {error}{end}") from error
    return models


def _tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    _known(content, "the file", "model")
    tables = content.get("model", [])
    if not isinstance(tables, list):
        raise SettingsError("models are written as [[model]], each with name and base_path")
    return tables


def _from_toml(table: dict[str, Any]) -> tuple[str, ModelEntry]:
    name, base = _name_and_path(table)
    where = f"model {name}"
    _known(table, where, "name", "base_path", "versions", "labels", "device", "session", "batching")
    labels = {
        label: Label(target)
        if isinstance(target, int)
        else Label(
            _number(target.get("version"), f"{where}: version of label {label}"),
            _percent(target, where),
        )
        for label, target in table.get("labels", {}).items()
    }
    device = table.get("device")
    if device is not None and device not in get_args(Device):
        raise SettingsError(f"{where}: device = {device!r} must be 'cpu' or 'cuda'")
    session = table.get("session", {})
    _known(session, f"{where}: session", *COUNTS, *SWITCHES, *CUDA_OPTIONS)
    for option in session.keys() & set(COUNTS):
        _number(session[option], option, at_least=int(option != "execution_mode"))
    for option in session.keys() & set(SWITCHES):
        if type(session[option]) is not bool:
            raise SettingsError(f"{where}: {option} = {session[option]!r} must be true or false")
    policy = _policy(table.get("versions", {"latest": 1}), where)
    batching = _batching(table.get("batching", {}), where)
    return name, _entry(base, policy, labels, cast(Device | None, device), session, batching)


def _batching(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    _known(table, f"{where}: batching", *BATCHING)
    for option in table.keys() & {"max_batch_size", "max_queue"}:
        _number(table[option], option, at_least=1)
    for option in table.keys() & {"enabled", "pad_variable_length_inputs"}:
        if type(table[option]) is not bool:
            raise SettingsError(f"{where}: {option} = {table[option]!r} must be true or false")
    for option in table.keys() & {"batch_delay", "queue_seconds"}:
        if type(table[option]) not in (int, float) or table[option] < 0:
            raise SettingsError(f"{where}: {option} = {table[option]!r} must be seconds, from 0 on")
    fields = {BATCHING[option]: value for option, value in table.items()}
    if sizes := fields.get("allowed_sizes"):
        fields["allowed_sizes"] = tuple(_number(size, "allowed_batch_sizes", 1) for size in sizes)
        fields.setdefault("max_batch_size", sizes[-1])
    Batching(**fields)  # which says what does not fit together
    return {"enabled": True, **fields} if fields else {}


def _policy(versions: Any, where: str) -> VersionPolicy:
    if versions == "all":
        return VersionPolicy(latest=None)
    if isinstance(versions, dict) and len(versions) == 1:
        if "latest" in versions:
            return VersionPolicy(latest=_number(versions["latest"], "latest", at_least=1))
        if versions.get("specific"):
            numbers = (_number(v, "specific") for v in versions["specific"])
            return VersionPolicy(specific=frozenset(numbers))
    raise SettingsError(
        f"{where}: versions = {versions!r} must be 'all', {{latest = 2}} or {{specific = [1, 2]}}"
    )


def _configs(message: textproto.Message) -> list[textproto.Message]:
    if "custom_model_config" in message:
        raise SettingsError("custom_model_config is for sources that are compiled in; name models")
    _known(message, "the file", "model_config_list")
    configs = []
    for models in message.get("model_config_list", []):
        _known(models, "model_config_list", "config")
        configs += models.get("config", [])
    return configs


def _from_proto(message: textproto.Message) -> tuple[str, ModelEntry]:
    last = {name: values[-1] for name, values in message.items()}
    name, base = _name_and_path(last)
    where = f"model {name}"
    if "logging_config" in message:
        raise SettingsError(f"{where}: logging_config has no meaning here; use the access log")
    # The platform says how TensorFlow Serving loads a model; here all are ONNX.
    known = "name", "base_path", "model_platform", "model_type"
    _known(message, where, *known, "model_version_policy", "version_labels")
    labels = {}
    for entry in message.get("version_labels", []):
        _known(entry, f"{where}: version_labels", "key", "value")
        labels[str(entry["key"][-1])] = Label(_number(entry["value"][-1], "value"))
    versions: Any = {"latest": 1}
    for kind, values in last.get("model_version_policy", {}).items():
        inner = values[-1]
        if kind == "all":
            versions = "all"
        elif kind == "latest":
            versions = {"latest": inner.get("num_versions", [1])[-1]}
        else:
            versions = {kind: inner.get("versions", [])}
    return name, _entry(base, _policy(versions, where), labels, None, {}, {})


def _entry(
    base: Path,
    policy: VersionPolicy,
    labels: Mapping[str, Label],
    device: Device | None,
    session: Mapping[str, Any],
    batching: Mapping[str, Any],
) -> ModelEntry:
    labelled = frozenset(label.version for label in labels.values())
    policy = VersionPolicy(policy.latest, policy.specific, labelled)
    return ModelEntry(base, ModelConfig(policy, labels, device, session, batching))


def _name_and_path(fields: Mapping[str, Any]) -> tuple[str, Path]:
    name, base = fields.get("name"), fields.get("base_path")
    if not isinstance(name, str) or not name or not isinstance(base, str) or not base:
        raise SettingsError(f"a model needs a name and a base_path, given are {dict(fields)}")
    return name, Path(base)


def _known(fields: Mapping[str, Any], where: str, *names: str) -> None:
    if unknown := sorted(fields.keys() - set(names)):
        problem = f"{where} has {', '.join(unknown)}; known are {', '.join(names)}"
        hint = did_you_mean(unknown[0], names)
        raise SettingsError(f"{problem}.{hint}" if hint else problem)


def _number(value: Any, name: str, at_least: int = 0) -> int:
    if type(value) is not int or value < at_least:
        raise SettingsError(f"{name} = {value!r} must be a whole number from {at_least}")
    return value


def _percent(target: Mapping[str, Any], where: str) -> float:
    _known(target, f"{where}: a label", "version", "percent")
    percent = target.get("percent", 0)
    if not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise SettingsError(f"{where}: percent = {percent!r} must be between 0 and 100")
    return float(percent)
