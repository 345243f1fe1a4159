"""The whole training step in one plain graph: forward, backward, clipping, optimizer, statistics."""

import numpy as np
import onnx
import pytest

import trainer
from benchmarks.training import tapeline_engine
from trainer import nn, optim
from trainer.compiled import CompiledStep
from trainer.core.errors import OperatorError
from trainer.core.proto import to_model
from trainer.core.tensor import wrap
from trainer.core.trace import capture
from trainer.optim.schedule import cosine
from trainer.step import EagerStep, training_step


def network() -> nn.Module:
    trainer.random.seed(7)
    return nn.Sequential(
        nn.Reshape(1, 8, 8),
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64, 10),
    )


def batches(count: int, rows: int = 16, last: int = 5):
    generator = np.random.default_rng(0)
    for index in range(count):
        size = last if index == count - 1 else rows
        x = generator.standard_normal((size, 64)).astype(np.float32)
        yield x, generator.integers(0, 10, size)


def train(kind, optimizer, clip=None):
    step = kind(network(), nn.cross_entropy, optimizer, clip)
    schedule = cosine(0.1, steps=10, warmup=3)
    trainer.random.seed(11)
    losses = [step.train(x, y, schedule(i)) for i, (x, y) in enumerate(batches(10))]
    step.sync()
    return losses, step


@pytest.mark.parametrize(
    ("optimizer", "clip"),
    [
        (lambda: optim.SGD(momentum=0.9), None),
        (lambda: optim.SGD(momentum=0.9, nesterov=True, weight_decay=1e-3), 1.0),
        (lambda: optim.Adam(), None),
        (lambda: optim.AdamW(), 0.5),
    ],
    ids=["momentum", "nesterov-clipped", "adam", "adamw-clipped"],
)
def test_ten_compiled_steps_are_ten_eager_steps(optimizer, clip) -> None:
    """BatchNorm, Dropout, a schedule, and a last batch that is smaller."""
    expected, eager = train(EagerStep, optimizer(), clip)
    found, compiled = train(CompiledStep, optimizer(), clip)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    for name, value in eager.model.state().items():
        np.testing.assert_allclose(
            compiled.model.state()[name], value, rtol=1e-3, atol=2e-5, err_msg=name
        )
    assert eager.state().keys() == compiled.state().keys()
    assert int(compiled.state()["step"]) == 10


def test_the_graph_is_plain_opset_21_with_the_names_of_the_model() -> None:
    model = network()
    optimizer = optim.SGD(momentum=0.9)
    step = training_step(nn.cross_entropy, optimizer, 1.0)
    x, y = next(batches(1))
    arguments = (model, optimizer.init(model.parameters()), wrap(np.float64(0.1)), wrap(x), wrap(y))
    captured = capture(step, *arguments, dynamic={"x": {0: "batch"}, "y": {0: "batch"}})
    proto = to_model(captured.graph)
    onnx.checker.check_model(proto, full_check=True)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 21)]
    assert {node.domain for node in proto.graph.node} == {""}
    moving = {*model.named_tensors(), *(f"optimizer.velocity.{n}" for n in model.parameters())}
    assert captured.state.keys() == moving | {"optimizer.step"}
    assert captured.outputs == ("loss",)
    assert [d.distribution for d in captured.draws] == ["uniform"]


def test_the_step_of_a_transformer_stays_small() -> None:
    """What capture and ONNX Runtime's start take grows with the operators: 798 when this was written."""
    step = CompiledStep(tapeline_engine.model("gpt"), nn.cross_entropy, optim.AdamW())
    x = np.zeros((2, 64), np.int64)
    step.train(x, x, 0.1)
    [program] = step._programs.values()
    assert len(program._graph.equations) < 900


def test_the_step_owns_its_buffers() -> None:
    x, y = next(batches(1))
    step = CompiledStep(network(), nn.cross_entropy, optim.SGD(), None)
    before = {name: array.copy() for name, array in step.model.state().items()}
    held = step.model.parameters()
    step.train(x, y, 0.1)
    step.train(x, y, 0.1)
    for name, tensor in held.items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    step.sync()
    assert not np.array_equal(step.model.state()["layers.7.weight"], before["layers.7.weight"])


def test_a_saved_state_goes_on_in_the_other_engine() -> None:
    expected, _ = train(EagerStep, optim.Adam())
    schedule, data = cosine(0.1, steps=10, warmup=3), list(batches(10))
    first = CompiledStep(network(), nn.cross_entropy, optim.Adam())
    trainer.random.seed(11)
    losses = [first.train(x, y, schedule(i)) for i, (x, y) in enumerate(data[:5])]
    drawn = trainer.random.state()
    second = EagerStep(network(), nn.cross_entropy, optim.Adam())
    trainer.random.restore(drawn)
    state = first.state()
    second.model.load(first.model.state())
    second.load(state)
    losses += [second.train(x, y, schedule(5 + i)) for i, (x, y) in enumerate(data[5:])]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)


def test_what_leaks_from_a_loss_is_refused_before_anything_moves() -> None:
    def loss(prediction, target):
        value = nn.cross_entropy(prediction, target)
        return value * 2.0 if value > 1.0 else value

    x, y = next(batches(1))
    step = CompiledStep(network(), loss, optim.SGD())
    with pytest.raises(trainer.TapelineError, match=r"test_step\.py:\d+: the truth of a bool"):
        step.train(x, y, 0.1)


def test_a_batch_that_onnx_runtime_refuses_changes_nothing() -> None:
    x, y = next(batches(1))
    step = CompiledStep(network(), nn.cross_entropy, optim.Adam())
    step.train(x, y, 0.1)
    before = step.state() | step.model.state()
    with pytest.raises(OperatorError, match=r"ScatterElements in ONNX Runtime: indices.*idx="):
        step.train(x, y + 77, 0.1)
    for name, value in (step.state() | step.model.state()).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_compiled_steps_mix_with_reads_writes_checkpoints_and_an_eager_step() -> None:
    expected, eager = train(EagerStep, optim.Adam())
    schedule, data = cosine(0.1, steps=10, warmup=3), list(batches(10))
    step = CompiledStep(network(), nn.cross_entropy, optim.Adam())
    trainer.random.seed(11)
    losses = []
    for i, (x, y) in enumerate(data):
        losses.append(step.train(x, y, schedule(i)))
        if i == 1:  # a read, and a prediction from memory that the model does not have yet
            drawn = trainer.random.state()
            ahead = step.predict(x)
            step.sync()
            np.testing.assert_allclose(
                ahead, step.model.eval()(wrap(x)).numpy(), rtol=1e-4, atol=1e-5
            )
            assert drawn == trainer.random.state()
        if i == 3:  # a write of one parameter, and back
            step.sync()
            kept = np.array(step.model.state()["layers.7.bias"])
            step.model.assign({"layers.7.bias": nn.Parameter(kept + 1.0)})
            moved = step.predict(x)
            step.model.assign({"layers.7.bias": nn.Parameter(kept)})
            np.testing.assert_allclose(moved - 1.0, step.predict(x), rtol=1e-4, atol=1e-5)
        if i == 5:  # a checkpoint, loaded into the same step
            state, model = step.state(), {n: a.copy() for n, a in step.model.state().items()}
            step.model.load(model)
            step.load(state)
        if i == 6:  # an eager step on the same model, which does not count
            state = step.state()
            model = {n: a.copy() for n, a in step.model.state().items()}
            drawn = trainer.random.state()
            other = EagerStep(step.model, nn.cross_entropy, optim.SGD())
            other.train(x, y, 0.5)
            trainer.random.restore(drawn)
            step.model.load(model)
            step.load(state)
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    step.sync()
    for name, value in eager.model.state().items():
        np.testing.assert_allclose(
            step.model.state()[name], value, rtol=1e-3, atol=2e-5, err_msg=name
        )


def test_two_runs_are_equal_to_the_bit() -> None:
    (first, one), (second, two) = (train(CompiledStep, optim.Adam()) for _ in range(2))
    assert first == second
    for name, value in one.model.state().items():
        np.testing.assert_array_equal(two.model.state()[name], value, err_msg=name)


def test_another_number_of_rows_needs_one_graph_more_and_no_third() -> None:
    step = CompiledStep(network(), nn.cross_entropy, optim.SGD())
    eager = EagerStep(network(), nn.cross_entropy, optim.SGD())
    for rows in (4, 3, 1, 2, 4):
        x, y = next(batches(1, last=rows))
        trainer.random.seed(1)
        expected = eager.train(x, y, 0.1)
        trainer.random.seed(1)
        np.testing.assert_allclose(step.train(x, y, 0.1), expected, rtol=1e-4, err_msg=str(rows))
    assert len({id(program) for program in step._programs.values()}) == 2
