"""Checking a version against its manifest."""

import json
from pathlib import Path

import numpy as np
import pytest

import exporter
from exporter import manifest
from exporter.errors import VerificationError
from trainer import nn


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return exporter.publish(nn.ReLU(), np.ones((9, 2), np.float32), "relu", tmp_path).path


def test_what_was_published_is_accepted(version: Path) -> None:
    manifest.check(version)


def test_a_changed_file_is_found(version: Path) -> None:
    with (version / "model.onnx").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(VerificationError, match=r"model.onnx is not what was published"):
        manifest.check(version)


def test_a_missing_file_is_found(version: Path) -> None:
    (version / "golden.npz").unlink()
    with pytest.raises(VerificationError, match=r"lacks golden.npz"):
        manifest.check(version)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "cannot be read"),
        ("{}", "cannot be read"),
        (json.dumps({"format": 2, "files": {}}), "format 2; this version reads up to 1"),
    ],
)
def test_an_unknown_form_is_refused(version: Path, text: str, sentence: str) -> None:
    (version / "manifest.json").write_text(text)
    with pytest.raises(VerificationError, match=sentence):
        manifest.check(version)


def test_a_version_without_a_manifest_is_accepted(version: Path) -> None:
    (version / "manifest.json").unlink()
    manifest.check(version)


def test_strings_survive_without_pickle(tmp_path: Path) -> None:
    words = np.array(["a", "longer"], object)
    manifest.save_golden(tmp_path, {"words": words}, {"y": np.ones(2)})
    read = manifest.load_golden_inputs(tmp_path)
    assert read is not None
    assert read["words"].dtype == object
    assert read["words"].tolist() == ["a", "longer"]
