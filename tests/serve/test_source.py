"""The folder as a source: what counts as a complete version, and when."""

import os
import shutil
from pathlib import Path

import pytest

from serve.source import ConfiguredSource, FolderSource
from tests.serve.models import HALF_PLUS_TWO, publish, write_manifest


def versions(source: FolderSource) -> dict[str, list[int]] | None:
    proposal = source.poll()
    if proposal is None:
        return None
    return {
        name: sorted(version for version, candidate in found.items() if not candidate.waiting)
        for name, found in proposal.items()
    }


def test_a_version_with_a_manifest_is_complete_at_once(tmp_path: Path) -> None:
    path = publish(tmp_path, "iris", 7, HALF_PLUS_TWO)
    proposal = FolderSource(tmp_path).poll()
    assert proposal is not None
    candidate = proposal["iris"][7]
    assert (candidate.model, candidate.version, candidate.path) == ("iris", 7, path)
    assert {name for name, *_ in candidate.stamp} == {"model.onnx", "manifest.json"}


def test_only_integer_named_folders_with_a_graph_are_versions(tmp_path: Path) -> None:
    publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    publish(tmp_path, "iris", 2, HALF_PLUS_TWO).rename(tmp_path / "iris" / "00000123")
    publish(tmp_path, "iris", 3, HALF_PLUS_TWO).rename(tmp_path / "iris" / "latest")
    publish(tmp_path, "iris", 4, HALF_PLUS_TWO).rename(tmp_path / "iris" / "-4")
    publish(tmp_path, "iris", 5, HALF_PLUS_TWO).rename(tmp_path / "iris" / str(2**63))
    publish(tmp_path, "iris", 6, HALF_PLUS_TWO).rename(tmp_path / "iris" / ".incoming-6")
    (tmp_path / "iris" / "8").mkdir()
    (tmp_path / "iris" / "9").touch()
    (tmp_path / "iris" / "recipe.toml").touch()
    (tmp_path / "recipe_only").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.md").touch()
    assert versions(FolderSource(tmp_path)) == {"iris": [1, 123], "recipe_only": []}


def test_without_a_manifest_it_must_stand_still_over_two_looks(tmp_path: Path) -> None:
    path = publish(tmp_path, "iris", 1, HALF_PLUS_TWO, manifest=False)
    source = FolderSource(tmp_path)
    assert versions(source) == {"iris": []}
    (path / "weights.bin").write_bytes(b"first half")
    assert versions(source) == {"iris": []}
    with (path / "weights.bin").open("ab") as file:
        file.write(b"second half")
    assert versions(source) == {"iris": []}
    assert versions(source) == {"iris": [1]}
    os.utime(path / "weights.bin", ns=(1, 1))
    assert versions(source) == {"iris": []}
    assert versions(source) == {"iris": [1]}


def test_a_copy_in_progress_waits_for_the_size_that_the_manifest_says(tmp_path: Path) -> None:
    path = publish(tmp_path / "elsewhere", "iris", 1, HALF_PLUS_TWO)
    target = tmp_path / "models" / "iris" / "1"
    target.mkdir(parents=True)
    source = FolderSource(tmp_path / "models")
    shutil.copy(path / "manifest.json", target)
    whole = (path / "model.onnx").read_bytes()
    for length in (10, 20, len(whole) - 1):
        (target / "model.onnx").write_bytes(whole[:length])
        assert versions(source) == {"iris": []}
    (target / "model.onnx").write_bytes(whole)
    assert versions(source) == {"iris": [1]}


@pytest.mark.parametrize("damage", ["{", '{"format": 1}', '{"format": 99, "files": {}}'])
def test_a_damaged_version_is_proposed_once_it_stands_still(tmp_path: Path, damage: str) -> None:
    path = publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    (path / "manifest.json").write_text(damage)
    source = FolderSource(tmp_path)
    assert versions(source) == {"iris": []}
    assert versions(source) == {"iris": [1]}


def test_the_stamp_changes_with_the_files(tmp_path: Path) -> None:
    path = publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    source = FolderSource(tmp_path)
    before = source.poll()
    (path / "assets").mkdir()
    (path / "assets" / "labels.txt").write_text("setosa")
    write_manifest(path)
    after = source.poll()
    assert before is not None
    assert after is not None
    assert before["iris"][1].stamp != after["iris"][1].stamp


def test_an_unreachable_or_empty_store_proposes_nothing_at_all(tmp_path: Path) -> None:
    assert FolderSource(tmp_path / "missing").poll() is None
    assert FolderSource(tmp_path).poll() is None


def test_one_model_by_name(tmp_path: Path) -> None:
    publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    publish(tmp_path, "digits", 1, HALF_PLUS_TWO)
    assert versions(FolderSource(tmp_path, "iris")) == {"iris": [1]}
    assert versions(FolderSource(tmp_path, "nobody")) == {"nobody": []}


def test_one_unreadable_version_does_not_hide_the_others(tmp_path: Path) -> None:
    publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    loop = publish(tmp_path, "loop", 1, HALF_PLUS_TWO) / "model.onnx"
    loop.unlink()
    loop.symlink_to(loop)  # even root cannot follow it
    source = FolderSource(tmp_path)
    assert versions(source) == {"iris": [1], "loop": []}
    (tmp_path / "iris" / "1" / "also.bin").symlink_to(tmp_path / "iris" / "1" / "also.bin")
    assert versions(source) == {"iris": [], "loop": []}
    proposal = source.poll()
    assert proposal is not None
    assert "it cannot be read: " in proposal["iris"][1].waiting


def test_a_model_s_own_folder_as_tensorflow_serving_is_given_it(tmp_path: Path) -> None:
    path = publish(tmp_path, "iris", 1, HALF_PLUS_TWO)
    source = FolderSource(tmp_path / "iris", "flowers")
    assert versions(source) == {"flowers": [1]}
    assert versions(FolderSource(tmp_path / "iris")) == {"default": [1]}
    shutil.rmtree(path)
    assert versions(source) == {"flowers": []}


def test_a_configuration_names_folders_and_is_read_again_when_it_changes(tmp_path: Path) -> None:
    publish(tmp_path / "a", "iris", 1, HALF_PLUS_TWO)
    publish(tmp_path / "b", "iris", 2, HALF_PLUS_TWO)
    file = tmp_path / "models.config"
    text = 'model_config_list {{ config {{ name: "m" base_path: "{}" }} }}'
    file.write_text(text.format(tmp_path / "a" / "iris"))
    source, once = ConfiguredSource(file, interval=1e-9), ConfiguredSource(file, interval=0)
    assert versions(source) == {"m": [1]}
    file.write_text(text.format(tmp_path / "b" / "iris") + "# changed")
    assert versions(source) == {"m": [2]}
    assert versions(once) == {"m": [1]}
    file.unlink()
    assert versions(source) == {"m": [2]}


def test_an_unreachable_folder_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = FolderSource(tmp_path / "missing")
    for _ in range(3):
        source.poll()
    (tmp_path / "missing").mkdir()
    source.poll()
    shutil.rmtree(tmp_path / "missing")
    source.poll()
    messages = [record.message.split(":")[0] for record in caplog.records]
    assert messages == ["the model folder cannot be read"] * 2


def test_a_version_that_is_named_and_not_there_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    file = tmp_path / "models.toml"
    policy = "versions = {specific = [1, 5]}\nlabels = {stable = 1, next = 7}"
    file.write_text(f'[[model]]\nname = "m"\nbase_path = "{tmp_path / "m"}"\n{policy}')
    source = ConfiguredSource(file)
    for _ in range(3):
        source.poll()
    publish(tmp_path, "m", 5, HALF_PLUS_TWO)
    assert versions(source) == {"m": [1, 5]}
    told = "m {} cannot be read: there is none in {}, though its configuration names it"
    assert [record.message for record in caplog.records] == [
        told.format(5, tmp_path / "m"),
        told.format(7, tmp_path / "m"),
    ]


def test_links_in_a_circle_are_told_and_hide_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    publish(tmp_path, "m", 1, HALF_PLUS_TWO)
    (tmp_path / "m" / "2").symlink_to("2")
    (tmp_path / "circle").symlink_to("circle")
    found = FolderSource(tmp_path).poll()
    assert found is not None
    assert found["m"][1].waiting == ""
    assert "Too many levels of symbolic links" in found["m"][2].waiting
    assert [record.message[:22] for record in caplog.records] == ["circle cannot be read:"]
