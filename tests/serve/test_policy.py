"""The policy as a table: states of a model's versions to the next action."""

import itertools

import pytest

from serve.policy import Load, State, Unload, VersionPolicy, VersionState, next_action

START, LOADING, AVAILABLE = State.START, State.LOADING, State.AVAILABLE
UNLOADING, END = State.UNLOADING, State.END


def version(number: int, state: State, proposed: bool = True, error: str = "") -> VersionState:
    return VersionState(number, state, proposed, error)


def failed(number: int, proposed: bool = True) -> VersionState:
    return VersionState(number, END, proposed, "damaged")


TABLE = {
    "nothing": ([], None),
    "a first version loads": ([version(1, START)], Load(1)),
    "nothing to do": ([version(1, AVAILABLE)], None),
    "the newest loads first": ([version(1, START), version(2, START)], Load(2)),
    "older ones never load": ([version(1, START), version(2, AVAILABLE)], None),
    "the new one loads before the old one goes": (
        [version(1, AVAILABLE), version(2, START)],
        Load(2),
    ),
    "the old one stays while the new one loads": (
        [version(1, AVAILABLE), version(2, LOADING)],
        None,
    ),
    "the old one goes": ([version(1, AVAILABLE), version(2, AVAILABLE)], Unload(1)),
    "the old one stays when the new one fails": ([version(1, AVAILABLE), failed(2)], None),
    "an older one loads when the newest fails": ([version(1, START), failed(2)], Load(1)),
    "the last good one stays though its files are gone": (
        [version(1, AVAILABLE, proposed=False), failed(2)],
        None,
    ),
    "a withdrawn model goes": ([version(1, AVAILABLE, proposed=False)], Unload(1)),
    "who removes the newest gets the one before": (
        [version(1, END), version(2, AVAILABLE, proposed=False)],
        Load(1),
    ),
    "and then the removed one goes": (
        [version(1, AVAILABLE), version(2, AVAILABLE, proposed=False)],
        Unload(2),
    ),
    "what is on its way out is left alone": ([version(1, UNLOADING), version(2, AVAILABLE)], None),
    "a failed one is not tried again": ([failed(1)], None),
}


@pytest.mark.parametrize("case", TABLE)
def test_next_action(case: str) -> None:
    versions, action = TABLE[case]
    for order in itertools.permutations(versions):
        assert next_action(order) == action


def test_several_versions_may_serve_at_once() -> None:
    versions = [version(n, AVAILABLE) for n in (1, 2, 3)]
    assert next_action(versions, VersionPolicy(latest=2)) == Unload(1)
    assert next_action(versions[1:], VersionPolicy(latest=2)) is None


def test_all_versions_may_be_wanted() -> None:
    everything = VersionPolicy(latest=None)
    assert next_action([version(1, START), version(2, AVAILABLE)], everything) == Load(1)
    assert next_action([version(n, AVAILABLE) for n in range(5)], everything) is None


def test_specific_versions_are_wanted_and_no_others() -> None:
    specific = VersionPolicy(specific=frozenset([1, 2]))
    assert next_action([version(1, START), version(2, AVAILABLE)], specific) == Load(1)
    assert next_action([version(2, AVAILABLE), version(3, AVAILABLE)], specific) == Unload(3)
    # but the last good one stays until one of them is there
    assert next_action([failed(2), version(3, AVAILABLE)], specific) is None


def test_a_labelled_version_is_wanted_beside_the_newest() -> None:
    labelled = VersionPolicy(labelled=frozenset([1]))
    assert next_action([version(1, START), version(2, AVAILABLE)], labelled) == Load(1)
    three = [version(1, AVAILABLE), version(2, AVAILABLE), version(3, AVAILABLE)]
    assert next_action(three, labelled) == Unload(2)
    assert next_action([*three[:2], version(3, LOADING)], labelled) is None


def test_acting_always_comes_to_rest_with_the_newest_working_version() -> None:
    """Whatever the start, following the policy ends, and never leaves a model without a version."""
    states = (START, AVAILABLE, END)
    for combination in itertools.product(states, (True, False), repeat=3):
        versions = {n: version(n, combination[2 * n], combination[2 * n + 1]) for n in range(3)}
        if not any(v.proposed for v in versions.values()):
            continue
        was_served = any(v.state is AVAILABLE for v in versions.values())
        for _ in range(10):
            action = next_action(list(versions.values()))
            if action is None:
                break
            new = AVAILABLE if isinstance(action, Load) else END
            n = action.version
            versions[n] = version(n, new, versions[n].proposed)
            if was_served:
                assert any(v.state is AVAILABLE for v in versions.values())
        newest = max(n for n, v in versions.items() if v.proposed)
        assert [n for n, v in versions.items() if v.state is AVAILABLE] == [newest]
