"""Embedding against PyTorch: values, gradients, the token that is not trained."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn
from trainer.core.errors import ConfigError

torch = oracle("torch")


@pytest.mark.parametrize("padding_idx", [None, 0, -1])
def test_embedding_is_pytorchs(padding_idx) -> None:
    ours, theirs = nn.Embedding(6, 4, padding_idx), torch.nn.Embedding(6, 4, padding_idx)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(np.array(ours.weight.numpy())))
    tokens = np.random.default_rng(0).integers(0, 6, (3, 5))
    weights = np.random.default_rng(1).standard_normal((3, 5, 4)).astype(np.float32)
    y, ty = ours(Tensor(tokens)), theirs(torch.tensor(tokens))
    np.testing.assert_array_equal(y.numpy(), ty.detach().numpy())
    (y * weights).sum().backward()
    (ty * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad, rtol=1e-5, atol=1e-6)
    if padding_idx is not None:
        assert not ours.weight.numpy()[padding_idx].any()


def test_vectors_are_drawn_from_the_normal_distribution() -> None:
    weight = nn.Embedding(1000, 20).weight.numpy()
    assert abs(weight.mean()) < 0.03
    np.testing.assert_allclose(weight.std(), 1.0, rtol=0.03)


def test_a_padding_token_beyond_the_table_is_refused() -> None:
    with pytest.raises(ConfigError, match="from 0 to 5"):
        nn.Embedding(6, 4, padding_idx=6)
