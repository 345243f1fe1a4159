"""Every kernel's signature says what the ONNX schema of its operator says."""

import inspect
from collections import defaultdict
from typing import Any

import onnx.defs
import onnx.helper
import pytest

from tests.trainer.ops.case import composites, operators
from trainer.core.op import Op

OLDEST, USUAL = 13, 21

# How kernels annotate an input whose type is fixed by the schema.
FIXED = {
    "tensor(int64)": "Int64",
    "tensor(int32)": "Int32",
    "tensor(float)": "Float32",
    "tensor(bool)": "Bool",
    "tensor(string)": "String",
    "tensor(uint8)": "UInt8",
}

OPERATORS = [*operators(), *composites()]
HISTORY: dict[str, list[onnx.defs.OpSchema]] = defaultdict(list)
for schema in sorted(onnx.defs.get_all_schemas_with_history(), key=lambda s: s.since_version):
    if not schema.domain:
        HISTORY[schema.name].append(schema)


def usual(op: Op) -> onnx.defs.OpSchema:
    """The schema in force at the version that our graphs are stamped with."""
    return onnx.defs.get_schema(op.name, op.since, op.domain)


def positional(op: Op) -> list[inspect.Parameter]:
    parameters = inspect.signature(op.kernel).parameters.values()
    return [p for p in parameters if p.kind is not p.KEYWORD_ONLY]


def attributes(op: Op) -> dict[str, Any]:
    """Name and default of every attribute in the versions from 13 on, the usual version's first."""
    history = HISTORY[op.name]
    retired = [schema for schema in history if schema.since_version <= OLDEST][:-1]
    found: dict[str, Any] = {}
    for schema in [usual(op), *history]:
        if schema not in retired:
            for name, attribute in schema.attributes.items():
                found.setdefault(name, default_of(attribute))
    return found


def default_of(attribute: Any) -> Any:
    """The default of an attribute; absent is None, required has none."""
    if attribute.required:
        return inspect.Parameter.empty
    if not attribute.default_value.name:
        return None
    value = onnx.helper.get_attribute_value(attribute.default_value)
    if isinstance(value, list):
        return [decoded(one) for one in value]
    return decoded(value)


def decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def annotations(formal: onnx.defs.OpSchema.FormalParameter) -> set[str]:
    """What an input may be annotated with: its type variable, or the only type there is."""
    fixed = {FIXED.get(t, t) for t in formal.types}
    return (
        fixed
        if formal.type_str in FIXED
        else {formal.type_str} | (fixed if len(fixed) == 1 else set())
    )


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
def test_inputs_are_those_of_the_schema(op: Op) -> None:
    schema = usual(op)
    given = positional(op)
    assert [p.name.strip("_").lower() for p in given] == [i.name.lower() for i in schema.inputs]
    for parameter, formal in zip(given, schema.inputs, strict=True):
        option = onnx.defs.OpSchema.FormalParameterOption
        variadic = parameter.kind is parameter.VAR_POSITIONAL
        assert variadic == (formal.option == option.Variadic), parameter.name
        optional = parameter.default is None
        assert optional == (formal.option == option.Optional), parameter.name
        annotation = parameter.annotation.removesuffix(" | None" if optional else "")
        assert annotation in annotations(formal), parameter.name


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
def test_attributes_are_those_of_every_version_from_13_on(op: Op) -> None:
    inputs = {p.name for p in positional(op)}
    wanted = {name: value for name, value in attributes(op).items() if name not in inputs}
    assert set(op.defaults) == set(wanted)
    for name, default in op.defaults.items():
        if isinstance(wanted[name], float):
            assert default == pytest.approx(wanted[name], rel=1e-6), name
        else:
            given = list(default) if isinstance(default, tuple) else default
            assert given == wanted[name], name


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
def test_outputs_are_those_of_the_schema(op: Op) -> None:
    schema = usual(op)
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    assert op.several == (schema.max_output > 1)
    assert op.counts_outputs == any(o.option == optional for o in schema.outputs)


@pytest.mark.parametrize("op", OPERATORS, ids=repr)
def test_since_is_the_first_version_if_that_is_later_than_usual(op: Op) -> None:
    assert op.since == max(USUAL, HISTORY[op.name][0].since_version)
