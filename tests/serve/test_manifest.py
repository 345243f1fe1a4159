"""The manifest: the contract with whoever publishes."""

import json
from pathlib import Path
from typing import Any

import pytest

from serve.errors import LoadError
from serve.manifest import Manifest, Tolerance
from tests.serve.models import HALF_PLUS_TWO, publish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return publish(tmp_path, "m", 1, HALF_PLUS_TWO, tolerances={"y": {"rtol": 0.5}, "z": {}})


def rewrite(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(content | changes))


def test_a_true_manifest_verifies(folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert manifest is not None
    assert manifest.tolerances == {"y": Tolerance(rtol=0.5), "z": Tolerance(1e-3, 1e-4, "close")}
    assert manifest.lacks(folder) == ""
    manifest.verify(folder)


def test_there_may_be_none(tmp_path: Path) -> None:
    assert Manifest.read(tmp_path) is None


def test_a_changed_file_does_not_verify(folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert manifest is not None
    graph = bytearray((folder / "model.onnx").read_bytes())
    graph[-1] ^= 1
    (folder / "model.onnx").write_bytes(graph)
    with pytest.raises(LoadError, match=r"model\.onnx does not have the SHA-256"):
        manifest.verify(folder)
    (folder / "model.onnx").write_bytes(graph[:-1])
    with pytest.raises(LoadError, match=rf"has {len(graph) - 1} bytes, .* says {len(graph)}"):
        manifest.verify(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(LoadError, match=r"model\.onnx is missing"):
        manifest.verify(folder)


def test_a_newer_format_is_refused_with_a_remedy(folder: Path) -> None:
    rewrite(folder, format=2)
    with pytest.raises(LoadError, match="format 2, this server knows 1: update the server"):
        Manifest.read(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": None},
        {"files": {"model.onnx": {}}},
        {"files": {"model.onnx": {"size": "many", "sha256": ""}}},
        {"golden": {"outputs": {"y": {"compare": "somehow"}}}},
        {"golden": {"outputs": {"y": {"rtol": "loose"}}}},
        {"format": "one"},
    ],
)
def test_a_damaged_manifest_is_named_so(folder: Path, changes: dict[str, Any]) -> None:
    rewrite(folder, **changes)
    with pytest.raises(LoadError, match=r"manifest\.json is damaged"):
        Manifest.read(folder)


@pytest.mark.parametrize("path", ["../2/model.onnx", "/etc/passwd", "a/../../b"])
def test_files_stay_inside_the_version(folder: Path, path: str) -> None:
    rewrite(folder, files={path: {"size": 1, "sha256": ""}})
    with pytest.raises(LoadError, match="outside the version's folder"):
        Manifest.read(folder)
