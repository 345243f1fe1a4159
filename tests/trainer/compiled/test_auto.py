"""Engine "auto": compiled where possible, otherwise eager with one line that says why."""

import logging

import numpy as np

import trainer
from trainer import nn, optim
from trainer.compiled import AutoStep
from trainer.core.tensor import Tensor
from trainer.step import EagerStep


class Undecided(nn.Module):
    """Decides on a value once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.decides = False

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return y * 2.0 if self.decides and float(y.sum()) > 1e9 else y


def batch(rows: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(rows)
    return generator.standard_normal((rows, 3)).astype(np.float32), generator.integers(0, 2, rows)


def model(decides: bool) -> Undecided:
    trainer.random.seed(2)
    made = Undecided()
    made.decides = decides
    return made


def test_what_can_be_compiled_is() -> None:
    step = AutoStep(model(False), nn.cross_entropy, optim.Adam())
    step.train(*batch(4), 0.1)
    assert step.engine == "onnx"


def test_a_decision_on_a_value_runs_eagerly_and_says_so(caplog) -> None:
    step = AutoStep(model(True), nn.cross_entropy, optim.Adam())
    eager = EagerStep(model(True), nn.cross_entropy, optim.Adam())
    with caplog.at_level(logging.WARNING):
        found = [step.train(*batch(4), 0.1) for _ in range(3)]
    expected = [eager.train(*batch(4), 0.1) for _ in range(3)]
    assert step.engine == "eager"
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    [line] = caplog.messages
    assert "test_auto.py:" in line
    assert "\n" not in line


def test_it_goes_on_from_where_the_compiled_step_stood() -> None:
    """The first shape of batches compiles; from the second on the model decides on a value."""
    step = AutoStep(model(False), nn.cross_entropy, optim.Adam())
    eager = EagerStep(model(False), nn.cross_entropy, optim.Adam())
    for one in (step, eager):
        for rows in (4, 4, 5, 5):
            one.model.decides = rows == 5
            one.train(*batch(rows), 0.1)
    assert step.engine == "eager"
    for name, value in eager.model.state().items():
        np.testing.assert_allclose(step.model.state()[name], value, rtol=1e-5, err_msg=name)
    assert int(step.state()["step"]) == 4
