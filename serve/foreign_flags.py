"""TensorFlow Serving's flags that have no meaning here, each with the reason and what to do instead."""

from __future__ import annotations

_GRPC = "this server speaks REST only"
_TENSORFLOW = "it sets up TensorFlow's runtime, and models here run on ONNX Runtime"
_THREADS = "all models share one budget of threads: use --threads"
_LABELS = "labels work here before their version is available"

REASONS = {
    "grpc-socket-path": _GRPC,
    "grpc-channel-arguments": _GRPC,
    "grpc-max-threads": _GRPC,
    "enable-grpc-healthcheck-service": f"{_GRPC}; ask /v2/health/ready",
    "ssl-config-file": f"{_GRPC}, and that file is for gRPC",
    "rest-api-num-threads": "one event loop answers all connections",
    "allow-version-labels-for-unavailable-models": _LABELS,
    "num-load-threads": "versions are loaded one after the other, beside the requests",
    "num-unload-threads": "versions are unloaded one after the other, beside the requests",
    "load-retry-interval-micros": "it is in seconds here: use --load-retry-interval",
    "flush-filesystem-caches": "the operating system decides what it caches",
    "tensorflow-session-parallelism": _THREADS,
    "tensorflow-intra-op-parallelism": _THREADS,
    "tensorflow-inter-op-parallelism": _THREADS,
    "tensorflow-session-config-file": _TENSORFLOW,
    "platform-config-file": _TENSORFLOW,
    "per-process-gpu-memory-fraction": (
        "set session = {gpu_mem_limit = BYTES} of a model in --model-config-file"
    ),
    "saved-model-tags": "an ONNX model has one graph",
    "enable-model-warmup": "a version is always warmed up before it takes traffic",
    "num-request-iterations-for-warmup": "repeat the lines of warmup.jsonl",
    "monitoring-config-file": "metrics are always at /metrics and /monitoring/prometheus/metrics",
    "enable-signature-method-name-check": "the method of a signature is always checked",
    "xla-cpu-compilation-enabled": _TENSORFLOW,
    "xla-gpu-compilation-enabled": _TENSORFLOW,
    "enable-profiler": _TENSORFLOW,
    "thread-pool-factory-config-file": _THREADS,
    "prefer-tflite-model": _TENSORFLOW,
    "num-tflite-pools": _TENSORFLOW,
    "num-tflite-interpreters-per-pool": _TENSORFLOW,
    "mixed-precision": "the precision is the model's: export it as float16 or int8",
    "enable-serialization-as-tensor-content": _GRPC,
}


def reason_against(argument: str) -> str:
    """Why a command line's argument has no meaning here; empty where it is not such a flag.

    Example:
        >>> reason_against("--grpc_max_threads=4")
        '--grpc_max_threads has no meaning here: this server speaks REST only.'
    """
    if not argument.startswith("--"):
        return ""
    flag = argument.partition("=")[0]
    reason = REASONS.get(flag[2:].replace("_", "-"))
    return f"{flag} has no meaning here: {reason}." if reason else ""
