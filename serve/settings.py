"""The server's settings: flags win over the environment, which wins over a TOML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, Self, get_args

from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from serve import batching_parameters
from serve.batching import Batching
from serve.cores import available_cores
from serve.errors import SettingsError
from serve.hint import did_you_mean

ENVIRONMENT_PREFIX = "TAPELINE_"


def _also(name: str) -> Any:
    """A setting that TensorFlow Serving's image reads from a variable without our prefix."""
    return AliasChoices(ENVIRONMENT_PREFIX + name, name)


class Settings(BaseSettings):
    """What an operator can set; every field is also a flag and an environment variable.

    Example:
        >>> Settings(port=9000).port
        9000
    """

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_ignore_empty=True,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
    )

    config: Path | None = None
    """A TOML file with any of these settings."""
    model_base_path: Path = Field(Path("/models"), validation_alias=_also("MODEL_BASE_PATH"))
    """The folder whose children are models."""
    model_name: str | None = Field(None, validation_alias=_also("MODEL_NAME"))
    """Serve this child only, and count it for readiness even when it is not there."""
    model_config_file: Path | None = None
    """A file that names the models instead, as TOML or in TensorFlow Serving's text format."""
    model_config_poll_interval: NonNegativeFloat = 1.0
    """Seconds between two looks at that file; 0 reads it once."""
    host: str = "0.0.0.0"
    """The address to listen on."""
    port: int = Field(8501, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    poll_interval: PositiveFloat = 1.0
    """Seconds between two looks at the model folder."""
    num_versions: PositiveInt = 1
    """How many of the newest versions of a model are served at once."""
    load_retries: NonNegativeInt = 5
    """How often a failed version is tried again though its files have not changed."""
    load_retry_interval: PositiveFloat = 60.0
    """Seconds between two such tries."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What computes the models that do not say so themselves."""
    golden: Literal["refuse", "warn", "off"] = "refuse"
    """What happens to a version that does not reproduce its golden examples."""
    probe: bool = True
    """Whether a version is opened and run in a process of its own before the server does it."""
    probe_seconds: PositiveInt = 60
    """The processor time that the probe of a version may take."""
    probe_memory_bytes: NonNegativeInt = 0
    """The memory that it may take; 0 means 2 GiB and eight times the size of the version."""
    threads: NonNegativeInt = 0
    """The number of threads that may compute at once; 0 means as many as there are cores."""
    enable_batching: bool = False
    """Whether requests for one model that wait at the same time are computed together."""
    max_batch_size: PositiveInt = 32
    """The most examples that are computed together; larger requests are split."""
    batch_delay: NonNegativeFloat = 0.0
    """Seconds that an incomplete batch waits for more."""
    pad_variable_length_inputs: bool = False
    """Whether examples of different lengths are padded so that they can be computed together."""
    batching_parameters_file: Path | None = None
    """TensorFlow Serving's file of batching parameters, in place of the settings above."""
    enable_per_model_batching_parameters: bool = False
    """Whether `batching_params.pbtxt` in a version's folder says so instead, where requests are
    joined at all; a version without that file is not batched."""
    max_queue: PositiveInt = 1000
    """The most requests of one model that wait; more are answered with 429."""
    queue_seconds: PositiveFloat = 0.3
    """The most work of one model that waits, by its measured time; more is answered with 429, and
    little waits until the overload is over."""
    max_connections: PositiveInt = 4096
    """The most connections; one more is answered with 503 and closed."""
    request_timeout: PositiveFloat = 30.0
    """Seconds after which a request is given up and answered with 504."""
    access_log: bool = False
    """Whether each request is logged to standard output, as a line of JSON."""
    tls_certificate: Path | None = None
    """A certificate and those that signed it, as PEM; makes the server speak HTTPS."""
    tls_key: Path | None = None
    """The key of the certificate, as PEM."""
    api_keys_file: Path | None = None
    """A TOML file with a list of API keys for each role: predict, manage, metrics."""
    head_timeout: PositiveFloat = 10.0
    """Seconds in which the head of a request must arrive."""
    body_timeout: PositiveFloat = 60.0
    """Seconds in which the body of a request must arrive."""
    max_body_bytes: PositiveInt = 64 * 2**20
    """The longest body of a request, also when decompressed."""
    drain_delay: NonNegativeFloat = 0.0
    """Seconds between SIGTERM, which makes the server unready, and the end of accepting."""
    finish_timeout: NonNegativeInt = 30
    """Seconds for what is in flight to finish after the server stopped accepting."""
    cors: bool = False
    """Whether scripts of other sites may ask."""
    model_control: bool = False
    """Whether clients may load and unload models and change what is logged, by V2."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; the file is the one named by a flag or by the environment."""
        file = init_settings().get("config") or os.environ.get(ENVIRONMENT_PREFIX + "CONFIG")
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources

    @classmethod
    def read(cls, **flags: Any) -> Self:
        """Read the settings from everywhere.

        Args:
            flags: Settings by name; those that are None count as not given.

        Raises:
            SettingsError: A setting is unknown or has a wrong value, or the file cannot be read.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        file = given.get("config") or os.environ.get(ENVIRONMENT_PREFIX + "CONFIG")
        if file and not Path(file).is_file():
            raise SettingsError(f"There is no settings file {file}.")
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsError("; ".join(map(_sentence, error.errors()))) from error
        except ValueError as error:  # from the TOML parser
            raise SettingsError(f"{file} is not a TOML file: {error}.") from error

    @property
    def batching(self) -> Batching:
        """The bounds of the queue and of the batches of each model."""
        batching = Batching(
            enabled=self.enable_batching,
            max_batch_size=self.max_batch_size,
            delay=self.batch_delay,
            pad_lengths=self.pad_variable_length_inputs,
            max_queue=self.max_queue,
            queue_seconds=self.queue_seconds,
        )
        if self.batching_parameters_file is not None:
            return batching_parameters.read(self.batching_parameters_file, batching)
        return batching

    @property
    def thread_budget(self) -> int:
        """The number of threads that may compute at once."""
        return self.threads or available_cores()


def _sentence(error: Any) -> str:
    """One complaint of pydantic's, with the name of the setting and what was given."""
    name = ".".join(map(str, error["loc"])).removeprefix(ENVIRONMENT_PREFIX).lower()
    if error["type"] == "extra_forbidden":
        known = sorted(Settings.model_fields)
        hint = did_you_mean(name, known)
        return f"There is no setting {name!r}.{hint} There are: {', '.join(known)}."
    choice = error["type"] == "literal_error"
    choices = get_args(Settings.model_fields[name].annotation) if choice else ()
    hint = did_you_mean(str(error["input"]), choices)
    return f"Setting {name} = {error['input']!r}: {error['msg'].lower()}.{hint}"
