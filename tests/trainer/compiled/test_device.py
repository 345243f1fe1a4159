"""A compiled step on another device: the same losses, state that stays there, and clear refusals."""

import numpy as np
import onnxruntime
import pytest

import trainer
from tests.trainer.compiled.test_step import batches, network
from trainer import nn, optim
from trainer.compiled import CompiledStep, device
from trainer.compiled.device import DEVICES, Device
from trainer.core.errors import ConfigError
from trainer.optim.schedule import cosine
from trainer.step import EagerStep, Step

HAS_CUDA = "CUDAExecutionProvider" in onnxruntime.get_available_providers()


@pytest.fixture(params=["far", "cuda"])
def far(request, monkeypatch: pytest.MonkeyPatch) -> str:
    """CUDA where there is one, and a stand-in: the processor's memory, but copied to and from."""
    if request.param == "cuda" and not HAS_CUDA:
        pytest.skip("needs onnxruntime-gpu and a GPU")
    monkeypatch.setitem(DEVICES, "far", Device("cpu", "CPUExecutionProvider"))
    return str(request.param)


def go_on(step: Step, first: int, last: int) -> list[float]:
    schedule, data = cosine(0.1, steps=10, warmup=3), list(batches(10))
    return [step.train(*data[i], schedule(i)) for i in range(first, last)]


def made(kind: type, optimizer: optim.Optimizer, **options: str) -> Step:
    return kind(network(), nn.cross_entropy, optimizer, 1.0, **options)


@pytest.mark.parametrize("optimizer", [optim.SGD(momentum=0.9), optim.Adam()], ids=["sgd", "adam"])
def test_ten_steps_there_are_ten_eager_steps(far: str, optimizer: optim.Optimizer) -> None:
    """Dropout, running statistics, a schedule, a last batch that is smaller."""
    eager, step = made(EagerStep, optimizer), made(CompiledStep, optimizer, device=far)
    losses = []
    for one in (eager, step):
        trainer.random.seed(11)
        losses.append(go_on(one, 0, 10))
        one.sync()
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    for name, value in eager.model.state().items():
        found = step.model.state()[name]
        np.testing.assert_allclose(found, value, rtol=1e-3, atol=2e-5, err_msg=name)
    x = next(batches(1))[0]
    np.testing.assert_allclose(step.predict(x), eager.predict(x), rtol=1e-3, atol=1e-4)


def test_a_state_goes_there_and_back(far: str) -> None:
    expected = made(EagerStep, optim.Adam())
    first, second = (made(CompiledStep, optim.Adam(), device=far) for _ in range(2))
    trainer.random.seed(11)
    losses = go_on(expected, 0, 10)
    trainer.random.seed(11)
    found = go_on(first, 0, 4)
    state = first.state()
    second.model.load(first.model.state())
    second.load(state)
    found += go_on(second, 4, 7)
    kept = {name: array.copy() for name, array in second.state().items()}
    model = {name: array.copy() for name, array in second.model.state().items()}
    drawn = trainer.random.state()
    go_on(second, 7, 9)  # and back to where it was, in the memory that is there already
    trainer.random.restore(drawn)
    second.model.load(model)
    second.load(kept)
    found += go_on(second, 7, 10)
    np.testing.assert_allclose(found, losses, rtol=1e-4)


def test_names_that_are_no_device() -> None:
    with pytest.raises(ConfigError, match=r"no device 'cudo'. Did you mean 'cuda'\?"):
        device.find("cudo")


@pytest.mark.skipif(HAS_CUDA, reason="this ONNX Runtime has CUDA")
def test_without_the_provider_the_error_says_what_to_install() -> None:
    with pytest.raises(
        ConfigError, match=r"device = 'cuda' needs .*CPUExecutionProvider.*onnxruntime-gpu"
    ):
        made(CompiledStep, optim.SGD(), device="cuda")


def test_a_session_that_fell_back_to_the_processor_is_refused() -> None:
    class FellBack:
        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    DEVICES["cpu"].check(FellBack())
    with pytest.raises(ConfigError, match="cannot start: there is no GPU"):
        DEVICES["cuda"].check(FellBack())
