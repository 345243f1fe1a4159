"""Attention and the transformer's encoder layer against PyTorch, with PyTorch's parameters by name."""

import numpy as np
import pytest

from tests.oracle import oracle
from trainer import Tensor, nn
from trainer.core.errors import ConfigError

torch = oracle("torch")
BATCH, TIME, SOURCE, FEATURES, HEADS = 3, 5, 7, 8, 2


def close(found, expected) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=2e-4, atol=2e-5)


def rows(time: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.standard_normal((BATCH, time, FEATURES)).astype(np.float32)


def take_over(ours: nn.Module, theirs) -> None:
    """PyTorch's parameters under their own names; none may be left over."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    ours.load({name: t.detach().numpy().copy() for name, t in theirs.named_parameters()})


def same_gradients(ours: nn.Module, theirs) -> None:
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.parameters().items():
        close(parameter.grad.numpy(), expected[name].grad)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_self_attention_is_pytorchs(causal, bias) -> None:
    ours = nn.MultiHeadAttention(FEATURES, HEADS, bias=bias, causal=causal)
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, bias=bias, batch_first=True)
    take_over(ours, theirs)
    array = rows(TIME, 1)
    x, tx = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(TIME) if causal else None
    y, ty = ours(x), theirs(tx, tx, tx, attn_mask=mask, is_causal=causal, need_weights=False)[0]
    close(y.numpy(), ty)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    close(x.grad.numpy(), tx.grad)
    same_gradients(ours, theirs)


def test_cross_attention_with_padding_is_pytorchs() -> None:
    ours = nn.MultiHeadAttention(FEATURES, HEADS)
    theirs = torch.nn.MultiheadAttention(FEATURES, HEADS, batch_first=True)
    take_over(ours, theirs)
    padding = np.arange(SOURCE) >= np.array([[7], [3], [5]])
    arrays = [rows(TIME, 1), rows(SOURCE, 2), rows(SOURCE, 3)]
    given = [Tensor(a, requires_grad=True) for a in arrays]
    theirs_given = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = ours(*given, padding=Tensor(padding))
    ty, _ = theirs(*theirs_given, key_padding_mask=torch.tensor(padding))
    close(y.numpy(), ty)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    for one, other in zip(given, theirs_given, strict=True):
        close(one.grad.numpy(), other.grad)
    same_gradients(ours, theirs)


@pytest.mark.parametrize("norm_first", [True, False])
def test_the_encoder_layer_is_pytorchs(norm_first) -> None:
    ours = nn.TransformerEncoderLayer(FEATURES, HEADS, 16, dropout=0.0, norm_first=norm_first)
    theirs = torch.nn.TransformerEncoderLayer(
        FEATURES, HEADS, 16, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    take_over(ours, theirs)
    array = rows(TIME, 4)
    x, tx = Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y, ty = ours(x), theirs(tx)
    close(y.numpy(), ty)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    close(x.grad.numpy(), tx.grad)
    same_gradients(ours, theirs)


def test_a_causal_row_does_not_see_what_comes_later() -> None:
    layer = nn.MultiHeadAttention(FEATURES, HEADS, causal=True)
    array = rows(TIME, 5)
    changed = array.copy()
    changed[:, 3:] += 1.0
    one, other = layer(Tensor(array)).numpy(), layer(Tensor(changed)).numpy()
    np.testing.assert_allclose(one[:, :3], other[:, :3], rtol=1e-6)
    assert np.abs(one[:, 3:] - other[:, 3:]).max() > 1e-2


def test_initial_values_have_pytorchs_distribution() -> None:
    layer = nn.MultiHeadAttention(64, 4)
    bound = np.sqrt(6 / (64 + 3 * 64))
    weight = layer.in_proj_weight.numpy()
    assert np.abs(weight).max() <= bound
    np.testing.assert_allclose(weight.std(), bound / np.sqrt(3), rtol=0.03)
    assert not layer.in_proj_bias.numpy().any()
    assert not layer.out_proj.bias.numpy().any()


def test_features_that_do_not_split_into_heads_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of the heads"):
        nn.MultiHeadAttention(7, 2)
