"""Values and gradients against PyTorch, at ties and kinks, too."""

import numpy as np
import pytest

from tests.oracle import oracle
from tests.trainer.ops.case import Case, all_cases, ids
from tests.trainer.ops.differentiation import forward, function_of, pull_back
from trainer.core.tensor import wrap

torch = oracle("torch")

CASES = [case for case in all_cases() if case.torch is not None]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_value_and_gradient_are_those_of_torch(case: Case) -> None:
    assert case.torch is not None
    case = case.cast(np.float32)
    places = case.differentiated() if case.order else ()
    given = [None if x is None else torch.tensor(x) for x in case.inputs]
    for place in places:
        given[place].requires_grad_()
    result = case.torch(*given)
    expected = list(result) if isinstance(result, tuple | list) else [result]
    for y, wanted in zip(forward(case), expected, strict=False):
        close(y.numpy(), wanted)
    if places:
        function, inputs = function_of(case)
        computed = function(*inputs)
        generator = np.random.default_rng(0)
        seeds = [np.asarray(generator.standard_normal(y.shape), y.dtype) for y in computed]
        gradients = pull_back(function, inputs, [wrap(seed) for seed in seeds])
        wanted_gradients = torch.autograd.grad(
            expected[: len(seeds)],
            [given[place] for place in places],
            [torch.tensor(seed) for seed in seeds],
            allow_unused=True,
        )
        for g, wanted, x in zip(gradients, wanted_gradients, inputs, strict=True):
            zeros = np.zeros(x.shape, x.dtype)
            close(
                zeros if g is None else g.numpy(), torch.tensor(zeros) if wanted is None else wanted
            )


def close(given: np.ndarray, wanted: "torch.Tensor") -> None:
    expected = wanted.detach().numpy()
    assert given.dtype == expected.dtype
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-5, strict=True)
