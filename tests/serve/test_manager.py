"""The manager with the real source, the real loader and real graphs, one step at a time."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from serve.errors import InvalidArgument, LoadError, NotFound, Unavailable
from serve.manager import Manager
from serve.policy import State
from serve.servable import Servable, load
from serve.source import Candidate, ConfiguredSource, FolderSource
from tests.serve.models import HALF_PLUS, HALF_PLUS_TWO, publish
from tests.serve.process import wait_until

X = {"x": np.array([2.0], np.float32)}
AVAILABLE, UNLOADING, END = State.AVAILABLE, State.UNLOADING, State.END


def loader(candidate: Candidate) -> Servable:
    return load(candidate.path)


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(FolderSource(tmp_path), loader)


def put(models: Path, version: int, name: str = "m") -> Path:
    """A version v answers 1 + v to 2."""
    return publish(models, name, version, HALF_PLUS.format(version))


def states(manager: Manager, name: str = "m") -> dict[int, State]:
    return {v.version: v.state for v in manager.status(name)}


def answer(manager: Manager, version: int | None = None) -> float:
    with manager.handle("m", version) as handle:
        return float(handle.servable.run(X)["y"][0])


def test_a_published_version_becomes_available(tmp_path: Path, manager: Manager) -> None:
    put(tmp_path, 1)
    assert manager.models() == []
    manager.step()
    assert states(manager) == {1: AVAILABLE}
    assert answer(manager) == answer(manager, 1) == 2.0


def test_the_newest_takes_over_and_the_old_one_ends(tmp_path: Path, manager: Manager) -> None:
    put(tmp_path, 1)
    manager.step()
    put(tmp_path, 3)
    put(tmp_path, 2)
    manager.step()
    assert answer(manager) == 4.0
    assert states(manager) == {3: AVAILABLE, 2: State.START, 1: END}
    with pytest.raises(NotFound, match=r"Specific\(m, 1\)"):
        answer(manager, 1)


def test_the_new_version_is_loaded_while_the_old_one_answers(tmp_path: Path) -> None:
    seen = []

    def observing(candidate: Candidate) -> Servable:
        if candidate.version == 2:
            seen.append((states(manager), answer(manager), manager.is_ready()))
        return loader(candidate)

    manager = Manager(FolderSource(tmp_path), observing)
    put(tmp_path, 1)
    manager.step()
    put(tmp_path, 2)
    manager.step()
    assert seen == [({2: State.LOADING, 1: AVAILABLE}, 2.0, True)]


def test_a_handle_keeps_an_old_version_alive(tmp_path: Path, manager: Manager) -> None:
    put(tmp_path, 1)
    manager.step()
    with manager.handle("m") as first:
        with manager.handle("m"):
            put(tmp_path, 2)
            manager.step()
            assert states(manager) == {2: AVAILABLE, 1: UNLOADING}
            assert answer(manager) == 3.0
            with pytest.raises(NotFound):
                answer(manager, 1)
        manager.step()
        assert states(manager)[1] is UNLOADING
        assert first.servable.run(X)["y"] == 2.0
    manager.step()
    assert states(manager) == {2: AVAILABLE, 1: END}


def test_a_failed_version_stops_nobody_and_is_retried_when_its_files_change(
    tmp_path: Path, manager: Manager
) -> None:
    put(tmp_path, 1)
    other = put(tmp_path, 1, "other")
    bad = put(tmp_path, 2)
    good = (bad / "model.onnx").read_bytes()
    (bad / "model.onnx").write_bytes(bytes(len(good)))
    manager.step()
    assert states(manager) == {2: END, 1: AVAILABLE}
    assert "SHA-256" in manager.status("m")[0].error
    assert states(manager, "other") == {1: AVAILABLE}
    manager.step()
    assert states(manager)[2] is END
    (bad / "model.onnx").write_bytes(good)
    manager.step()
    assert states(manager) == {2: AVAILABLE, 1: END}
    assert manager.status("m")[0].error == ""
    assert other.exists()


def test_a_failed_version_is_loaded_once_only(tmp_path: Path) -> None:
    tries = []

    def failing(candidate: Candidate) -> Servable:
        tries.append(candidate.version)
        raise RuntimeError("no")

    manager = Manager(FolderSource(tmp_path), failing)
    put(tmp_path, 1)
    for _ in range(3):
        manager.step()
    assert tries == [1]
    assert manager.status("m")[0].error == "RuntimeError: no"
    assert not manager.is_ready()
    with pytest.raises(NotFound, match=r"Latest\(m\)\. .*version 1 failed: RuntimeError: no"):
        manager.handle("m")


@pytest.mark.parametrize("remove", ["versions", "everything", "the folder itself"])
def test_the_last_good_version_outlives_an_empty_or_unreachable_store(
    tmp_path: Path, remove: str
) -> None:
    models = tmp_path / "models"
    manager = Manager(FolderSource(models), loader)
    path = put(models, 1)
    manager.step()
    shutil.rmtree(
        {"versions": path, "everything": path.parent, "the folder itself": models}[remove]
    )
    manager.step()
    manager.step()
    assert answer(manager) == 2.0
    put(models, 2)
    manager.step()
    assert answer(manager) == 3.0


def test_removing_a_model_s_folder_withdraws_it(tmp_path: Path, manager: Manager) -> None:
    put(tmp_path, 1)
    put(tmp_path, 1, "other")
    manager.step()
    shutil.rmtree(tmp_path / "m")
    manager.step()
    assert manager.models() == ["other"]
    assert manager.is_ready()
    with pytest.raises(NotFound, match=r"Latest\(m\)\. Models here: other"):
        manager.handle("m")


def test_removing_the_newest_version_brings_the_one_before_back(
    tmp_path: Path, manager: Manager
) -> None:
    put(tmp_path, 1)
    manager.step()
    newest = put(tmp_path, 2)
    manager.step()
    shutil.rmtree(newest)
    manager.step()
    assert states(manager) == {1: AVAILABLE}
    assert answer(manager) == 2.0


def test_ready_means_that_every_model_that_counts_can_be_asked(tmp_path: Path) -> None:
    manager = Manager(FolderSource(tmp_path), loader)
    assert not manager.is_ready()  # a server without any model
    put(tmp_path, 1)
    manager.step()
    assert manager.is_ready()
    put(tmp_path, 1, "broken")
    (tmp_path / "broken" / "1" / "model.onnx").write_bytes(b"")
    manager.step()
    manager.step()
    assert not manager.is_ready()
    assert manager.unready() == ["broken"]
    named = Manager(FolderSource(tmp_path, "absent"), loader)
    named.step()
    assert named.unready() == ["absent"]


def test_the_loader_thread_survives_whatever_its_source_does(tmp_path: Path) -> None:
    class Moody(FolderSource):
        looks = 0

        def poll(self):
            self.looks += 1
            if self.looks == 1:
                raise ZeroDivisionError
            return super().poll()

    manager = Manager(Moody(tmp_path), loader, poll_interval=0.01)
    put(tmp_path, 1)
    manager.start()
    wait_until(manager.is_ready, "the second look")
    manager.stop()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """A manager at work, with threads that ask it all the time; gives what publishes a version."""
    manager = Manager(FolderSource(tmp_path), loader, poll_interval=0.005)
    put(tmp_path, 1)
    manager.start()
    wait_until(manager.is_ready, "the first version")
    stop, wrong = threading.Event(), []

    def ask() -> None:
        newest = 0.0
        while not stop.is_set():
            try:
                given = answer(manager)
            except (NotFound, LoadError) as error:
                wrong.append(error)
                return
            if given < newest:
                wrong.append(f"{given} after {newest}")
            newest = given

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()

    def publish_and_wait(version: int) -> None:
        put(tmp_path, version)
        wait_until(lambda: states(manager).get(version) is AVAILABLE, f"version {version}")

    yield publish_and_wait
    stop.set()
    for thread in threads:
        thread.join()
    wait_until(lambda: list(states(manager).values()).count(END) >= 9, "the old ones end")
    manager.stop()
    assert not wrong


def test_swaps_under_load_never_lose_a_request(running: Callable[[int], None]) -> None:
    for version in range(2, 11):
        running(version)


def test_a_foreign_graph_without_a_manifest_takes_two_looks(
    tmp_path: Path, manager: Manager
) -> None:
    publish(tmp_path, "m", 1, HALF_PLUS_TWO, manifest=False)
    manager.step()
    assert manager.models() == []
    manager.step()
    assert states(manager) == {1: AVAILABLE}


def configured(models: Path, text: str, base: str = "m") -> Manager:
    """A manager with a configuration file that is looked at each time."""
    file = models / "models.toml"
    file.write_text(f'[[model]]\nname = "m"\nbase_path = "{models / base}"\n{text}')
    return Manager(ConfiguredSource(file, interval=1e-9), loader)


def test_labels_work_from_the_start_and_keep_their_versions(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        put(tmp_path, version)
    manager = configured(tmp_path, "labels = {stable = 1, next = 4}")
    with pytest.raises(NotFound):
        manager.handle("m", label="stable")
    manager.step()
    assert states(manager) == {3: AVAILABLE, 2: State.START, 1: AVAILABLE}
    with manager.handle("m", label="stable") as handle:
        assert handle.version == 1
    with pytest.raises(Unavailable, match=r"Label next is not available now\. .*Specific\(m, 4\)"):
        manager.handle("m", label="next")
    with pytest.raises(InvalidArgument, match=r"Unrecognized servable version label: beta$"):
        manager.handle("m", label="beta")
    with pytest.raises(InvalidArgument, match=r"label: stabel\. Did you mean stable\?"):
        manager.handle("m", label="stabel")


def test_a_label_takes_its_share_of_the_traffic(tmp_path: Path) -> None:
    for version in (1, 2):
        put(tmp_path, version)
    manager = configured(tmp_path, "labels.canary = {version = 2, percent = 5}\nversions = 'all'")
    manager.step()
    assert [answer(manager) for _ in range(200)].count(3.0) == 10
    assert answer(manager, 2) == 3.0
    with manager.handle("m", label="canary") as handle:
        assert handle.version == 2
    shutil.rmtree(tmp_path / "m" / "2")
    manager.step()
    assert {answer(manager) for _ in range(50)} == {2.0}


def test_a_changed_configuration_replaces_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for version in (1, 2):
        put(tmp_path, version)
        put(tmp_path, version + 2, "other")
    manager = configured(tmp_path, "versions = {specific = [1]}")
    manager.step()
    assert states(manager) == {2: State.START, 1: AVAILABLE}
    configured(tmp_path, "versions = 'all'")
    manager.step()
    assert states(manager) == {2: AVAILABLE, 1: AVAILABLE}
    configured(tmp_path, "", base="other")
    manager.step()
    assert states(manager) == {4: AVAILABLE, 3: State.START}
    (tmp_path / "models.toml").write_text("nonsense")
    manager.step()
    assert answer(manager) == 5.0
    assert "The one before stays in force." in caplog.text
    (tmp_path / "models.toml").write_text("")
    manager.step()
    manager.step()
    assert manager.models() == []


def test_configured_models_count_for_readiness(tmp_path: Path) -> None:
    manager = configured(tmp_path, "")
    manager.step()
    assert manager.unready() == ["m"]
    put(tmp_path, 1)
    manager.step()
    assert manager.is_ready()


def test_a_failed_version_is_tried_again_after_a_while(tmp_path: Path) -> None:
    tries = []

    def failing_twice(candidate: Candidate) -> Servable:
        tries.append(candidate.version)
        if len(tries) < 3:
            raise OSError("the store is away")
        return loader(candidate)

    put(tmp_path, 1)
    manager = Manager(FolderSource(tmp_path), failing_twice, retries=2, retry_interval=0)
    for _ in range(3):
        manager.step()
    assert states(manager) == {1: AVAILABLE}
    tries.clear()
    manager = Manager(FolderSource(tmp_path), failing_twice, retries=1, retry_interval=0)
    for _ in range(4):
        manager.step()
    assert tries == [1, 1]


def test_models_are_unloaded_and_loaded_by_order(tmp_path: Path) -> None:
    put(tmp_path, 1)
    put(tmp_path, 1, "other")
    bad = put(tmp_path, 1, "bad") / "model.onnx"
    good = bad.read_bytes()
    bad.write_bytes(bytes(len(good)))
    manager = Manager(FolderSource(tmp_path), loader, poll_interval=0.005)
    manager.start()
    wait_until(lambda: "bad" in manager.models(), "the first look")
    manager.unload("m")
    with pytest.raises(NotFound, match=r"version 1 is (END|UNLOADING) by order"):
        manager.handle("m")
    put(tmp_path, 2)
    manager.unload("m")
    assert states(manager)[2] is State.START
    assert "m" not in manager.unready()
    manager.load("m")
    assert answer(manager) == 3.0
    for verb in (manager.load, manager.unload):
        with pytest.raises(NotFound, match="Models here: bad, m, other"):
            verb("nobody")
    with pytest.raises(LoadError, match=r"version 1 failed: .*SHA-256"):
        manager.load("bad")
    bad.write_bytes(good)
    manager.load("bad")
    manager.stop()
    with pytest.raises(Unavailable):
        manager.load("m")


def test_an_incomplete_version_has_a_state_and_a_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "m" / "7").mkdir(parents=True)
    manager = Manager(FolderSource(tmp_path), loader)
    for _ in range(3):
        manager.step()
    (state,) = manager.status("m")
    assert (state.version, state.state, state.error) == (7, State.START, "model.onnx is missing.")
    assert [record.message for record in caplog.records] == ["m 7 waits: model.onnx is missing."]
    assert manager.models() == []  # it does not count
    with pytest.raises(NotFound, match=r"version 7 failed: model\.onnx is missing"):
        manager.handle("m")
    shutil.rmtree(tmp_path / "m" / "7")
    manager.step()
    with pytest.raises(NotFound, match="Could not find any versions"):
        manager.status("m")


def test_a_version_whose_files_go_or_change_is_kept_and_noted(tmp_path: Path) -> None:
    put(tmp_path, 1)
    path = put(tmp_path, 2)
    manager = Manager(FolderSource(tmp_path), loader)
    manager.step()
    (path / "model.onnx").write_bytes(b"half")
    manager.step()
    assert answer(manager) == 3.0
    shutil.rmtree(tmp_path / "m")
    (tmp_path / "m").mkdir()
    manager.step()
    assert answer(manager) == 3.0
    assert manager.status("m")[0].note == "its files are not there now; it is served from memory."


def test_a_failed_version_without_a_manifest_is_retried_once_it_is_repaired(
    tmp_path: Path, manager: Manager
) -> None:
    path = publish(tmp_path, "m", 1, HALF_PLUS_TWO, manifest=False) / "model.onnx"
    good = path.read_bytes()
    path.write_bytes(b"no graph")
    manager.step()
    manager.step()
    assert states(manager) == {1: END}
    path.write_bytes(good)
    manager.step()  # its files have changed: it may be half a copy
    assert states(manager) == {1: END}
    manager.step()
    assert states(manager) == {1: AVAILABLE}
