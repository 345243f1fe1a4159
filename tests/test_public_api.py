"""The public names: what users may import, and nothing by accident."""

import pkgutil

import exporter
import serve
import trainer
from trainer import nn, ops, optim
from trainer.core.op import COMPOSITES, REGISTRY


def test_the_packages_offer_these_names() -> None:
    assert sorted(trainer.__all__) == [
        "TapelineError", "Tensor", "apply", "capture", "compile", "data", "detect_anomaly", "fit",
        "grad", "jvp", "load", "nn", "no_grad", "op", "ops", "optim", "random", "save",
        "value_and_grad", "vjp",
    ]  # fmt: skip
    assert sorted(exporter.__all__) == [
        "Signature", "TensorSpec", "export", "export_train_step", "inspect", "load", "predict", "publish",
        "verify",
    ]  # fmt: skip
    assert {"create_app", "run"} <= set(serve.__all__)
    for package in (trainer, exporter, serve, nn, optim, ops):
        for name in package.__all__:
            assert getattr(package, name) is not None, name


def test_every_operator_with_a_kernel_of_its_own_has_a_function() -> None:
    functions = {getattr(ops, name).operator for name in ops.__all__}
    own = {name for name, op in REGISTRY.items() if op.kernel.__module__.startswith("trainer.ops")}
    assert own | COMPOSITES.keys() == functions


def test_no_module_has_the_name_of_a_public_function() -> None:
    for package in (trainer, exporter, serve, nn, optim, ops):
        modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
        functions = {
            name for name in package.__all__ if type(getattr(package, name)).__name__ == "function"
        }
        assert not modules & functions, package.__name__
