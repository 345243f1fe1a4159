"""Rewrites of graphs, against ONNX's own reference evaluator on the graph before and after."""

from dataclasses import replace

import numpy as np
from onnx.reference import ReferenceEvaluator

from trainer.core.graph import Equation, Graph, Value, all_names, interpret
from trainer.core.passes import renamed, without_dead_ends, without_identities
from trainer.core.proto import to_model

FLOAT = np.dtype(np.float32)


def graph(equations: list[tuple[str, str, str]], outputs: str, **constants: float) -> Graph:
    """Operators as (op, "inputs", "outputs") between scalars; the input is x."""
    return Graph(
        (Value("x", FLOAT, ()),),
        tuple(Value(name, FLOAT, ()) for name in outputs.split()),
        tuple(Equation(op, tuple(i.split()), tuple(o.split())) for op, i, o in equations),
        {name: np.asarray(value, np.float32) for name, value in constants.items()},
    )


def operators(made: Graph) -> list[str]:
    return [equation.op for equation in made.equations]


def check_same(before: Graph, after: Graph) -> None:
    x = {"x": np.float32(-2.5)}
    expected = ReferenceEvaluator(to_model(before)).run(None, x)
    found = ReferenceEvaluator(to_model(after)).run(None, x)
    assert [v.name for v in after.outputs] == [v.name for v in before.outputs]
    assert [float(a) for a in found] == [float(a) for a in expected]


def test_identities_go_wherever_they_stand() -> None:
    chains = [
        [("Identity", "x", "a"), ("Abs", "a", "y")],
        [("Abs", "x", "a"), ("Identity", "a", "y")],
        [("Abs", "x", "a"), ("Identity", "a", "b"), ("Identity", "b", "y")],
        [("Identity", "x", "a"), ("Identity", "a", "b"), ("Add", "a b", "y")],
        [("Abs", "x", "a"), ("Identity", "a", "b"), ("Add", "a b", "y")],
        [("Abs", "x", "a"), ("Identity", "a", "b"), ("Neg", "b", "c"), ("Identity", "c", "y")],
    ]
    for chain in chains:
        before = graph(chain, "y")
        after = without_identities(before)
        assert "Identity" not in operators(after)
        check_same(before, after)


def test_an_identity_stays_where_an_output_has_no_name_of_its_own() -> None:
    through = graph([("Identity", "x", "y")], "y")
    twice = graph([("Abs", "x", "a"), ("Identity", "a", "y"), ("Identity", "a", "z")], "y z")
    output_of_output = graph([("Abs", "x", "y"), ("Identity", "y", "z")], "y z")
    for before in (through, twice, output_of_output):
        after = without_identities(before)
        assert operators(after).count("Identity") == 1
        check_same(before, after)


def test_dead_ends_go_with_their_constants() -> None:
    before = graph([("Add", "x c", "y"), ("Add", "x d", "a"), ("Abs", "a", "b")], "y", c=1.0, d=2.0)
    after = without_dead_ends(before)
    assert operators(after) == ["Add"]
    assert [*after.constants] == ["c"]
    check_same(before, after)


def conditional() -> Graph:
    """y = -inner if true else |inner|, where the branches take `inner` from around them."""
    branches = {
        name: Graph((), (Value("r", FLOAT, ()),), (Equation(op, ("inner",), ("r",)),), {})
        for name, op in {"then_branch": "Neg", "else_branch": "Abs"}.items()
    }
    return Graph(
        (Value("x", FLOAT, ()),),
        (Value("y", FLOAT, ()),),
        (
            Equation("Identity", ("x",), ("inner",)),
            Equation("If", ("yes",), ("y",), branches),
        ),
        {"yes": np.asarray(True)},
    )


def test_subgraphs_keep_what_they_use_and_are_renamed() -> None:
    before = conditional()
    after = without_dead_ends(without_identities(before))
    assert operators(after) == ["If"]
    check_same(before, after)
    again = renamed(before, {"inner": "outer", "r": "result"})
    assert {"outer", "result"} <= all_names(again)
    assert not {"inner", "r"} & all_names(again)
    check_same(before, again)


def test_what_a_subgraph_reads_is_kept_until_then_and_no_longer() -> None:
    branch = Graph((), (Value("z", FLOAT, ()),), (Equation("Neg", ("y",), ("z",)),), {})
    plain = graph([("Exp", "x", "y"), ("If", "yes", "v"), ("Tanh", "v", "w")], "w", yes=1)
    exp, choice, tanh = plain.equations
    choice = replace(choice, attrs={"then_branch": branch, "else_branch": branch})
    made = replace(plain, equations=(exp, choice, tanh), constants={"yes": np.array(True)})
    at = {name: index for index, names in made.spent.items() for name in names}
    assert (at["x"], at["y"], at["v"]) == (0, 1, 2)
    (found,) = interpret(made, [np.float32(0.5)])
    np.testing.assert_allclose(found.numpy(), np.tanh(-np.exp(0.5)), rtol=1e-6)
