"""The graph of a compiled step, run by something that computes every operator in every dtype."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from onnx.reference import ReferenceEvaluator

from trainer import nn, random
from trainer.compiled.passes import optimize
from trainer.compiled.session import session
from trainer.core.graph import Graph, interpret
from trainer.core.proto import to_model
from trainer.core.tensor import Array, wrap
from trainer.core.trace import Captured, capture
from trainer.optim.base import Optimizer
from trainer.step import Loss, flat_state, training_step

Run = Callable[[dict[str, Array]], list[Any]]


def reference(graph: Graph) -> Run:
    """ONNX's own reference evaluator."""
    evaluator = ReferenceEvaluator(to_model(graph))
    return lambda feeds: evaluator.run(None, feeds)


def runtime(graph: Graph) -> Run:
    """ONNX Runtime."""
    made = session(graph)
    return lambda feeds: made.run(None, feeds)


def kernels(graph: Graph) -> Run:
    """The eager kernels."""
    return lambda feeds: [y.numpy() for y in interpret(graph, feeds)]


class GraphStep:
    """`CompiledStep` of training alone: captured and optimized as there, run by `evaluate`."""

    def __init__(
        self,
        evaluate: Callable[[Graph], Run],
        model: nn.Module,
        loss: Loss,
        optimizer: Optimizer,
        clip: float | None = None,
    ) -> None:
        self.model, self._evaluate = model, evaluate
        self._function = training_step(loss, optimizer, clip)
        self._first = optimizer.init(model.tree_children())
        self._state = {f"optimizer.{n}": t.numpy() for n, t in flat_state(self._first).items()}
        self._state |= {n: np.array(a) for n, a in model.state().items()}
        self._graphs: dict[tuple[int, ...], tuple[Captured, Run]] = {}

    def train(self, x: Array, y: Array, lr: float) -> float:
        captured, run = self._graph(x, y)
        feeds = {**self._state, "x": x, "y": y, "lr": np.asarray(lr)}
        for drawn in captured.draws:
            feeds[drawn.name] = random.sample(drawn.distribution, drawn.shape, drawn.dtype)
        given = {value.name for value in captured.graph.inputs}
        found = run({n: a for n, a in feeds.items() if n in given})
        results = dict(zip([v.name for v in captured.graph.outputs], found, strict=True))
        self._state |= {name: results[output] for name, output in captured.state.items()}
        return float(results["loss"])

    def _graph(self, x: Array, y: Array) -> tuple[Captured, Run]:
        if x.shape not in self._graphs:
            rate = wrap(np.asarray(1e-3))
            captured = capture(self._function, self.model, self._first, rate, wrap(x), wrap(y))
            self._graphs[x.shape] = captured, self._evaluate(optimize(captured.graph))
        return self._graphs[x.shape]

    def sync(self) -> None:
        self.model.load({name: self._state[name] for name in self.model.named_tensors()})

    def state(self) -> Mapping[str, Array]:
        return {n.removeprefix("optimizer."): a for n, a in self._state.items()}
