"""The curves and gradients of PyTorch, on all workloads of the benchmark.

In float64 100 losses agree: the mathematics is the same. In float32 no engine can promise that, PyTorch with
another number of threads neither: one rounding in the weights moves the curves of some workloads by 1e-2
(`benchmarks.training.agreement` shows it). There the gradient must be as exact as PyTorch's.
"""

import pytest

from tests.oracle import oracle
from trainer.compiled import CompiledStep
from trainer.step import EagerStep

oracle("torch")
from benchmarks.training import agreement  # noqa: E402  (it imports torch)
from benchmarks.training.workloads import WORKLOADS  # noqa: E402

ROWS = 2


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_hundred_losses_in_float64(name: str) -> None:
    expected = agreement.torch_losses(name, "float64", rows=ROWS, threads=1)
    found = agreement.tapeline_losses(name, EagerStep, "float64", rows=ROWS)
    assert agreement.apart(found, expected) < 1e-10


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_compiled_gradient_is_as_exact_as_pytorchs(name: str) -> None:
    found, theirs = agreement.gradient_errors(name, rows=ROWS)
    assert found < 2 * theirs


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKLOADS)
def test_a_hundred_losses_of_whole_batches(name: str) -> None:
    exact = agreement.torch_losses(name, "float64")
    assert agreement.apart(agreement.tapeline_losses(name, EagerStep, "float64"), exact) < 1e-10
    compiled = agreement.tapeline_losses(name, CompiledStep, "float32")
    assert agreement.apart(compiled[:10], exact[:10]) < 1e-4
    assert agreement.apart(compiled, exact) < 5e-2
