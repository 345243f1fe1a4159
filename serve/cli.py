"""The server's command lines: serve, which needs no word, and bench."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from serve.foreign_flags import reason_against
from serve.hint import complaint

PLAIN: dict[str, Any] = {
    "add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None,
}  # fmt: skip
app = typer.Typer(**PLAIN)
benching = typer.Typer(
    **PLAIN
)  # of its own: a second command would make the first one need its name

# TensorFlow Serving writes its flags with underscores.
UNDERSCORES = {"token_normalize_func": lambda token: token.replace("_", "-")}


class ServeCommand(TyperCommand):
    """The command, which knows why some of TensorFlow Serving's flags are not among its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse a flag without meaning by its reason, before it is refused as unknown."""
        for argument in args:
            if reason := reason_against(argument):
                ctx.fail(reason)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = complaint(error.message)
            raise


@app.command(cls=ServeCommand, context_settings=UNDERSCORES)
def serve(
    model_base_path: Annotated[
        Path | None,
        typer.Option(
            help="The folder whose children are models.  [env: MODEL_BASE_PATH; default: /models]"
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(help="Serve this child only.  [env: MODEL_NAME; default: all]"),
    ] = None,
    model_config_file: Annotated[
        Path | None,
        typer.Option(
            help="A file that names the models: TOML, or TensorFlow Serving's text format."
        ),
    ] = None,
    model_config_poll_interval: Annotated[
        float | None,
        typer.Option(
            "--model-config-poll-interval",
            "--model-config-file-poll-wait-seconds",
            help="Seconds between two looks at that file; 0 reads it once.  [default: 1]",
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="The address to listen on.  [default: 0.0.0.0]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            "--rest-api-port",
            help="The port to listen on; 0 takes a free one.  [default: 8501]",
        ),
    ] = None,
    poll_interval: Annotated[
        float | None,
        typer.Option(
            "--poll-interval",
            "--file-system-poll-wait-seconds",
            help="Seconds between two looks at the folder.  [default: 1]",
        ),
    ] = None,
    num_versions: Annotated[
        int | None,
        typer.Option(help="How many of the newest versions are served at once.  [default: 1]"),
    ] = None,
    load_retries: Annotated[
        int | None,
        typer.Option(
            "--load-retries",
            "--max-num-load-retries",
            help="How often a failed version is tried again unchanged.  [default: 5]",
        ),
    ] = None,
    load_retry_interval: Annotated[
        float | None, typer.Option(help="Seconds between two such tries.  [default: 60]")
    ] = None,
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option(help="What computes the models that do not say so.  [default: cpu]"),
    ] = None,
    golden: Annotated[
        Literal["refuse", "warn", "off"] | None,
        typer.Option(
            help="What happens to a version that does not reproduce its golden examples.  "
            "[default: refuse]"
        ),
    ] = None,
    probe: Annotated[
        bool | None,
        typer.Option(
            help="Open and run a version in a process of its own first.  [default: probe]",
        ),
    ] = None,
    probe_seconds: Annotated[
        int | None, typer.Option(help="Processor time that a probe may take.  [default: 60]")
    ] = None,
    probe_memory_bytes: Annotated[
        int | None,
        typer.Option(help="Memory that a probe may take; 0: by the version's size.  [default: 0]"),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="Threads that may compute at once; 0 means all cores.  [default: 0]"),
    ] = None,
    enable_batching: Annotated[
        bool | None,
        typer.Option(
            help="Compute requests together that wait at the same time.  "
            "[default: no-enable-batching]"
        ),
    ] = None,
    max_batch_size: Annotated[
        int | None, typer.Option(help="The most examples computed together.  [default: 32]")
    ] = None,
    batch_delay: Annotated[
        float | None,
        typer.Option(help="Seconds that an incomplete batch waits for more.  [default: 0]"),
    ] = None,
    pad_variable_length_inputs: Annotated[
        bool | None,
        typer.Option(
            help="Pad examples of different lengths to compute them together.  "
            "[default: no-pad-variable-length-inputs]"
        ),
    ] = None,
    batching_parameters_file: Annotated[
        Path | None,
        typer.Option(help="TensorFlow Serving's file of batching parameters.  [default: none]"),
    ] = None,
    enable_per_model_batching_parameters: Annotated[
        bool | None,
        typer.Option(
            help="With batching: read batching_params.pbtxt in each version's folder instead; a "
            "version without it is not batched.  [default: off]"
        ),
    ] = None,
    max_queue: Annotated[
        int | None,
        typer.Option(help="Requests of one model that may wait.  [default: 1000]"),
    ] = None,
    queue_seconds: Annotated[
        float | None,
        typer.Option(help="Work of one model, in seconds, that may wait.  [default: 0.3]"),
    ] = None,
    max_connections: Annotated[
        int | None, typer.Option(help="Connections at once; one more gets 503.  [default: 4096]")
    ] = None,
    request_timeout: Annotated[
        float | None,
        typer.Option(help="Seconds after which a request is given up.  [default: 30]"),
    ] = None,
    access_log: Annotated[
        bool | None,
        typer.Option(help="Log each request as a line of JSON.  [default: no-access-log]"),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(help="A PEM file of certificates; makes it HTTPS.  [default: none]"),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="A PEM file with the certificate's key.  [default: none]")
    ] = None,
    api_keys_file: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file: predict, manage, metrics = lists of keys.  [default: none]"
        ),
    ] = None,
    head_timeout: Annotated[
        float | None,
        typer.Option(help="Seconds in which a request's head must arrive.  [default: 10]"),
    ] = None,
    body_timeout: Annotated[
        float | None,
        typer.Option(help="Seconds in which a request's body must arrive.  [default: 60]"),
    ] = None,
    max_body_bytes: Annotated[
        int | None, typer.Option(help="The longest body of a request.  [default: 67108864]")
    ] = None,
    drain_delay: Annotated[
        float | None,
        typer.Option(
            help="Seconds after SIGTERM in which the server, unready, still accepts.  [default: 0]"
        ),
    ] = None,
    finish_timeout: Annotated[
        int | None,
        typer.Option(help="Seconds for requests in flight to finish at the end.  [default: 30]"),
    ] = None,
    cors: Annotated[
        bool | None,
        typer.Option(
            "--cors/--no-cors",
            "--rest-api-enable-cors-support/--no-rest-api-enable-cors-support",
            help="Let scripts of other sites ask.  [default: no]",
        ),
    ] = None,
    model_control: Annotated[
        bool | None,
        typer.Option(help="Let clients load and unload models, and set the log.  [default: no]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A TOML file with any of these settings.  [env: TAPELINE_CONFIG]"),
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    """Serve a folder of ONNX models over HTTP.

    Every child of the folder that holds an integer-named version, such as iris/1/model.onnx, is
    a model. A flag wins over its environment variable (TAPELINE_ and its name in capitals), which
    wins over the file. Stop with Ctrl+C or SIGTERM.
    """
    flags = {name: value for name, value in locals().items() if name != "debug"}
    from serve.errors import ServeError, SettingsError
    from serve.server import run
    from serve.settings import Settings

    _show_log()
    try:
        run(Settings.read(**flags))
    except ServeError as error:
        if debug:
            raise
        typer.echo(str(error), err=True)
        raise typer.Exit(2 if isinstance(error, SettingsError) else 1) from error


@benching.command()
def bench(
    url: Annotated[
        str,
        typer.Argument(
            help="A server with one model, or a model: http://HOST:PORT/v2/models/NAME."
        ),
    ],
    body: Annotated[
        Path | None,
        typer.Option(help="A request to send.  [default: random values that fit the model]"),
    ] = None,
    concurrency: Annotated[
        str, typer.Option(help="Numbers of clients that each wait for their answer; '' for none.")
    ] = "1,2,4,8,16,32,64",
    rate: Annotated[
        str,
        typer.Option(
            help="Requests a second, sent whether earlier ones have been answered or not.  "
            "[default: 0.5 and 0.8 of what the clients reached]"
        ),
    ] = "",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each round takes.")] = 2.0,
    header: Annotated[
        list[str] | None, typer.Option(help="Sent with each request, as 'Name: value'.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw latency over answers a second: .svg or .html.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print machine-readable results.")] = False,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    """Measure a server: answers a second, and how long they take.

    Works with every server that speaks TensorFlow Serving's REST API or the Open Inference
    Protocol V2, and with --body with any other. First clients ask, more and more of them, each
    again when it has its answer; then requests come at fixed rates, and each latency counts from
    when its request was due.
    """
    from serve.errors import BenchError

    clients, rates = _numbers("concurrency", concurrency), _numbers("rate", rate)
    headers = dict(_header(line) for line in header or [])
    try:
        _bench(url, body, [round(count) for count in clients], rates, seconds, headers, plot, json)
    except BenchError as error:
        if debug:
            raise
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _bench(
    url: str,
    body: Path | None,
    clients: list[int],
    rates: list[float],
    seconds: float,
    headers: dict[str, str],
    plot: Path | None,
    json: bool,
) -> None:
    import orjson
    from rich.console import Console

    from serve.bench import plotting, report, target
    from serve.bench.rounds import measure
    from serve.errors import BenchError

    try:
        content = None if body is None else body.read_bytes()
    except OSError as error:
        raise BenchError(f"Cannot read {body}: {error.strerror}.") from error
    found = target.find(url, content, headers)
    rounds = []
    console = Console(quiet=json, highlight=False)
    try:
        for tally in report.show(found, measure(found, seconds, clients, rates), console):
            rounds.append(tally)
    except KeyboardInterrupt:  # what has been measured is worth showing
        typer.echo("Stopped.", err=True)
    if json:
        results = [report.as_data(tally) for tally in rounds]
        named = {"url": found.address + found.path, "request": found.summary, "rounds": results}
        typer.echo(orjson.dumps(named).decode())
    if plot is not None:
        try:
            plotting.save(rounds, f"{found.address}{found.path}", plot)
        except OSError as error:
            raise BenchError(f"Cannot write {plot}: {error.strerror}.") from error
        if not json:
            typer.echo(f"drawn in {plot}")


def _numbers(option: str, text: str) -> list[float]:
    """Read numbers above 0 with commas between them."""
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = [0.0]
    least = 1 if option == "concurrency" else 0
    if any(not least <= number < 1e6 or number == 0 for number in numbers):
        raise typer.BadParameter(
            f"{text!r} must be numbers above 0 with commas between, such as 1,8,64.",
            param_hint=f"--{option}",
        )
    return numbers


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip() or not line.isprintable():
        raise typer.BadParameter(f"{line!r} must be 'Name: value'.", param_hint="--header")
    return name.strip(), value.strip()


def _show_log() -> None:
    """Print what the server has to say: news to standard output, warnings to standard error."""
    news, warnings = logging.StreamHandler(sys.stdout), logging.StreamHandler(sys.stderr)
    news.addFilter(lambda record: record.levelno < logging.WARNING)
    warnings.setLevel(logging.WARNING)
    warnings.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[news, warnings])
    logging.getLogger("serve").setLevel(logging.INFO)
