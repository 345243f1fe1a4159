"""What convolutions and the formulas of their gradients do beyond single cases."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import oracle
from trainer.core.errors import OperatorError
from trainer.core.mode import mode
from trainer.core.proto import to_model
from trainer.core.tape import grad
from trainer.core.tensor import Tensor, apply
from trainer.core.trace import capture
from trainer.ops import convolution_gradient, correlation
from trainer.ops.convolution_gradient import MEASURED, Setting, formula
from trainer.ops.window import slide

torch = oracle("torch")

SMALL = st.integers(1, 3)


@settings(deadline=None, max_examples=40)
@given(SMALL, SMALL, SMALL, st.integers(0, 2), SMALL, st.booleans(), st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_torch(
    kernel, stride, dilation, pad, group, transposed, seed
) -> None:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((2, 2 * group, 8, 7))
    filters = generator.standard_normal((2 * group, 2, kernel, 2))
    name = "conv_transpose2d" if transposed else "conv2d"
    given_to_torch = [torch.tensor(v, requires_grad=True) for v in (x, filters)]
    expected = getattr(torch.nn.functional, name)(
        *given_to_torch, stride=stride, padding=pad, dilation=dilation, groups=group
    )
    weights = generator.standard_normal(expected.shape)
    (expected * torch.tensor(weights)).sum().backward()

    def loss(inputs):
        y = apply(
            "ConvTranspose" if transposed else "Conv",
            *inputs,
            strides=[stride] * 2,
            pads=[pad] * 4,
            dilations=[dilation] * 2,
            group=group,
        )
        return (y * weights).sum()

    for g, wanted in zip(grad(loss)([Tensor(x), Tensor(filters)]), given_to_torch, strict=True):
        np.testing.assert_allclose(g.numpy(), wanted.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_every_combination_of_settings_is_torchs(stride, padding, dilation, groups) -> None:
    generator = np.random.default_rng(0)
    arrays = [
        generator.standard_normal(shape).astype(np.float32)
        for shape in ((2, 4, 9, 8), (8, 4 // groups, 3, 2), (8,))
    ]
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    others = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = apply(
        "Conv",
        *tensors,
        strides=[stride] * 2,
        pads=[padding] * 4,
        dilations=[dilation] * 2,
        group=groups,
    )
    settings = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    expected = torch.nn.functional.conv2d(*others, **settings)
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    weights = generator.standard_normal(y.shape).astype(np.float32)
    (y * weights).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    for mine, other in zip(tensors, others, strict=True):
        np.testing.assert_allclose(mine.grad.numpy(), other.grad.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [1, 10_000])
def test_blocks_of_the_batch_make_no_difference(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = np.random.default_rng(0)
    x, w = generator.standard_normal((7, 4, 6, 6)), generator.standard_normal((4, 4, 3, 3))
    depthwise = generator.standard_normal((4, 1, 3, 3))

    def results():
        return [
            apply("Conv", x, w).numpy(),
            apply("Conv", x, w, strides=[3, 3], pads=[1, 1, 1, 1]).numpy(),
            apply("Conv", x, w[:, :, :, :, None].repeat(6, 4)[..., 0], dilations=[2, 2]).numpy(),
            apply("Conv", x, depthwise, group=4).numpy(),
            apply("Conv", x, x[:4, :2, :5, :5], group=2).numpy(),
            apply("ConvTranspose", x, w, strides=[2, 2]).numpy(),
            apply("ConvTranspose", x, w[:, :2], dilations=[1, 2]).numpy(),
        ]

    expected = results()
    monkeypatch.setattr(correlation, "BLOCK", block)
    for y, wanted in zip(results(), expected, strict=True):
        np.testing.assert_allclose(y, wanted, rtol=1e-12)


# Window, group and dilation that let each formula do all it can do.
SHAPES = {
    "plain": ((6, 5), (3, 2), 1, {}),
    "groups": ((6, 6), (3, 3), 2, {"pads": [1, 1, 1, 1]}),
    "depthwise": ((6, 6), (3, 3), 4, {"pads": [2, 0, 1, 1]}),
    "dilated": ((8, 7), (2, 2), 2, {"dilations": [2, 3], "pads": [1, 1, 1, 1]}),
    "with a tail": ((8, 8), (3, 2), 1, {"strides": [3, 3]}),
    "one element": ((4, 4), (1, 1), 2, {}),
}


FORMULAS = [
    (name, shape)
    for name in ("transpose", "flipped", "exchanged", "rows")
    for shape in SHAPES
    if not (name == "flipped" and shape == "with a tail")  # it is for strides of 1
]


@pytest.mark.parametrize(("name", "shape"), FORMULAS)
def test_every_formula_gives_the_same_in_onnx_runtime(
    name: str, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, kernel, group, attrs = SHAPES[shape]
    generator = np.random.default_rng(1)
    x = Tensor(generator.standard_normal((3, 4, *size)).astype(np.float32))
    w = Tensor(generator.standard_normal((4, 4 // group, *kernel)).astype(np.float32))

    def gradients(x, w):
        def loss(inputs):
            y = apply("Conv", *inputs, group=group, **attrs)
            return (y * y * y).sum()

        return grad(loss)([x, w])

    expected = gradients(x, w)
    other = {"image": "transpose", "filters": "exchanged"}

    def chosen(setting: Setting) -> str:
        image = name in ("transpose", "flipped")
        return name if image == (setting.gradient == "image") else other[setting.gradient]

    monkeypatch.setattr(convolution_gradient, "formula", chosen)
    captured = capture(gradients, x, w, dynamic={"x": {0: "batch"}})
    session = onnxruntime.InferenceSession(
        to_model(captured.graph).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    results = session.run(None, {"x": x.numpy(), "w": w.numpy()})
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-3, atol=1e-3, strict=True)


def test_what_was_measured_decides_and_else_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    window = slide((16, 16), (3, 3), None, None, (1, 1, 1, 1), "NOTSET")
    setting = Setting("filters", 64, 64, window, 1)
    assert formula(setting) == "exchanged"
    with mode(capture=True):
        assert formula(setting) == "rows"
        assert formula(setting._replace(gradient="image")) == "flipped"
        assert formula(setting._replace(gradient="image", channels=3)) == "transpose"
        assert formula(setting._replace(filters=2048)) == "exchanged"
        monkeypatch.setitem(MEASURED, setting, "exchanged")
        assert formula(setting) == "exchanged"


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose"])
def test_halves_are_summed_in_float32(name: str) -> None:
    x, w = np.full((1, 4096, 1), 8, np.float16), np.full((4096, 1, 1), 1 / 8, np.float16)
    y = apply(name, x, w.swapaxes(0, 1) if name == "Conv" else w)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.numpy(), [[[4096]]])


@pytest.mark.parametrize(
    ("image", "filters", "attrs", "reason"),
    [
        (
            (1, 4, 5),
            (2, 3, 3),
            {},
            "images of 4 channels in 1 groups want filters of 4 channels, not 3",
        ),
        ((1, 4, 5), (3, 2, 3), {"group": 2}, "4 channels and 3 filters do not split into 2 groups"),
        ((1, 4, 5), (2, 4, 3), {"kernel_shape": [2]}, "kernel_shape is [2], the filters are [3]"),
        ((1, 4, 5), (2, 4, 3, 3), {}, "want one and the same number of axes"),
        ((1, 4, 2), (2, 4, 3), {}, "a window of 3 does not fit an image of 2 padded by 0 and 0"),
    ],
)
def test_what_does_not_fit_is_said(image, filters, attrs, reason: str) -> None:
    with pytest.raises(OperatorError) as error:
        apply("Conv", np.ones(image, np.float32), np.ones(filters, np.float32), **attrs)
    assert reason in str(error.value)
    assert "Conv(float32[1, 4," in str(error.value)
