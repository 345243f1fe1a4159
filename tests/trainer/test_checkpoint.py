"""Checkpoints: whole or not at all, and readable by others."""

import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import trainer
from trainer import nn
from trainer.checkpoint import Checkpoint
from trainer.core.errors import CheckpointError, TreeError


def test_a_checkpoint_comes_back_and_others_can_read_it(tmp_path) -> None:
    path = tmp_path / "deep" / "c.safetensors"
    model = {"layers.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3).T}
    Checkpoint(model, {"step": np.array(3), "velocity.w": np.ones(2)}, {"epoch": 4}).save(path)
    found = Checkpoint.load(path)
    np.testing.assert_array_equal(found.model["layers.0.weight"], model["layers.0.weight"])
    assert found.optimizer["step"] == 3
    assert found.meta == {"epoch": 4}
    assert set(load_file(path)) == {"layers.0.weight", "optimizer.step", "optimizer.velocity.w"}
    assert [entry.name for entry in path.parent.iterdir()] == ["c.safetensors"]


def test_missing_damaged_and_newer_files_are_explained(tmp_path) -> None:
    path = tmp_path / "c.safetensors"
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*tapeline train"):
        Checkpoint.load(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"damaged or no safetensors"):
        Checkpoint.load(path)
    save_file({"w": np.ones(1)}, path, {"format": "99"})
    with pytest.raises(CheckpointError, match=r"format 99.*Update tapeline"):
        Checkpoint.load(path)


def test_a_failing_write_keeps_the_last_good_file(tmp_path, monkeypatch) -> None:
    path = tmp_path / "c.safetensors"
    Checkpoint({"w": np.zeros(1)}).save(path)

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CheckpointError, match=r"No space left"):
        Checkpoint({"w": np.ones(1)}).save(path)
    assert Checkpoint.load(path).model["w"] == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.safetensors"]


def test_loading_into_another_model_lists_what_differs(tmp_path) -> None:
    trainer.save(nn.Linear(2, 3), tmp_path / "m.safetensors")
    with pytest.raises(TreeError, match=r"weight: float32\[3, 2\] given, float32\[3, 4\] expected"):
        trainer.load(nn.Linear(4, 3), tmp_path / "m.safetensors")
