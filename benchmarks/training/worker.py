"""One engine on one workload in a process of its own; told on stdin how many steps to run.

Answers each number of steps with a line of JSON: seconds per step, losses, and the peak of memory.
"""

from __future__ import annotations

import itertools
import json
import resource
import sys
import time

from benchmarks.training.workloads import WORKLOADS


def main(engine: str, name: str) -> None:
    if engine == "tapeline":
        from benchmarks.training.tapeline_engine import step

        train = step(name)
    elif engine == "jax":
        from benchmarks.training.jax_engine import step as jax_step

        train = jax_step(name)
    else:
        from benchmarks.training.torch_engine import step as torch_step

        train = torch_step(name, compiled=engine == "torch.compile")
    batches = itertools.cycle(list(WORKLOADS[name].batches()))
    for line in sys.stdin:
        seconds, losses = [], []
        for x, y in itertools.islice(batches, int(line)):
            start = time.perf_counter()
            losses.append(train(x, y))
            seconds.append(time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": seconds, "losses": losses, "mib": peak}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
