"""ONNX Runtime without any server: examples per second by batch size, and one run's median time.

Run: python raw_runtime.py MODEL THREADS SECONDS BATCH...
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime


def measure(session, batch, seconds):
    """Seconds of each run."""
    node = session.get_inputs()[0]
    x = np.random.default_rng(0).random((batch, *node.shape[1:]), np.float32)
    for _ in range(3):
        session.run(None, {node.name: x})
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        session.run(None, {node.name: x})
        times.append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    model, threads, seconds, *batches = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found = {}
    for batch in map(int, batches):
        times = measure(session, batch, float(seconds))
        rate = batch * len(times) / sum(times)
        found[batch] = {"examples_per_second": rate, "median": statistics.median(times)}
    print(json.dumps(found))
