"""Publishing: a version is complete, proven and readable by the server, or it is not there."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import exporter
from exporter import publisher
from exporter.errors import ExportError, PublishError, VerificationError
from serve.servable import load
from tests.limits import file_size_limit
from trainer import Tensor, nn, random
from trainer.core.tensor import apply

ROWS = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)


def model() -> nn.Sequential:
    random.seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def publish(root: Path, **options: Any) -> publisher.Published:
    return exporter.publish(model(), ROWS, "tiny", root, **options)


def test_versions_are_numbered(tmp_path: Path) -> None:
    assert [publish(tmp_path).version for _ in range(3)] == [1, 2, 3]
    (tmp_path / "tiny" / "007").mkdir()
    (tmp_path / "tiny" / "9").write_text("a file in the way")
    assert publish(tmp_path).version == 10
    assert not [p for p in (tmp_path / "tiny").iterdir() if p.name.startswith(".")]


def test_the_manifest_describes_every_file(tmp_path: Path) -> None:
    path = publish(tmp_path).path
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["format"] == 1
    assert manifest["name"] == "tiny"
    assert manifest["created"].endswith("+00:00")
    assert manifest["files"].keys() == {p.name for p in path.iterdir()} - {"manifest.json"}
    for name, entry in manifest["files"].items():
        content = (path / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    tolerance = {"rtol": 1e-3, "atol": 1e-4, "compare": "close"}
    assert manifest["golden"] == {"rows": 8, "outputs": {"y": tolerance}}
    assert manifest["trainer_difference"]["y"] < 1e-5
    assert manifest["verification"]["batches"] == [1, 2, 7, 64]


def test_the_golden_outputs_are_those_of_the_file(tmp_path: Path) -> None:
    path = publish(tmp_path).path
    with np.load(path / "golden.npz", allow_pickle=False) as golden:
        np.testing.assert_array_equal(golden["input/x"], ROWS[:8])
        session = onnxruntime.InferenceSession(path / "model.onnx")
        np.testing.assert_array_equal(golden["output/y"], session.run(None, {"x": ROWS[:8]})[0])


def test_the_server_loads_what_is_published(tmp_path: Path) -> None:
    head = lambda logits: apply("Softmax", logits, axis=1)  # noqa: E731
    path = publish(tmp_path, head=head, task="classify", classes=["a", "b", "c"]).path
    servable = load(path)
    assert servable.signature.task == "classify"
    assert servable.signature.classes == ("a", "b", "c")
    assert servable.signature.input["x"].shape == ("batch", 4)
    logits = model()(Tensor(ROWS)).numpy()
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(servable.run({"x": ROWS})["y"], expected, rtol=1e-5)


def test_everyone_may_read_a_version(tmp_path: Path) -> None:
    path = publish(tmp_path).path
    assert path.stat().st_mode & 0o777 == 0o755
    assert all(file.stat().st_mode & 0o444 == 0o444 for file in path.iterdir())


def test_a_number_that_another_takes_first_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def late(incoming: Path, target: Path) -> Path:
        """Another publisher is faster, twice."""
        if target.name in ("1", "2"):
            target.mkdir()
            (target / "model.onnx").write_text("another's")
        return rename(incoming, target)

    monkeypatch.setattr(Path, "rename", late)
    assert publish(tmp_path).version == 3
    assert (tmp_path / "tiny" / "2" / "model.onnx").read_text() == "another's"


@pytest.mark.parametrize(("size", "failing"), [(0, "model.onnx"), (1000, "golden.npz")])
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, size: int, failing: str) -> None:
    rows = np.ones((9, 500), np.float32)
    path = exporter.publish(nn.ReLU(), rows, "relu", tmp_path).path
    assert (path / failing).stat().st_size > size
    before = sorted(p.name for p in (tmp_path / "relu").rglob("*"))
    sentence = "relu: File too large. Nothing was published."
    with file_size_limit(size), pytest.raises(PublishError, match=sentence):
        exporter.publish(nn.ReLU(), rows, "relu", tmp_path)
    assert sorted(p.name for p in (tmp_path / "relu").rglob("*")) == before


def test_a_model_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="names"):
        publish(tmp_path, output_names=["x"])
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, head=interrupted)
    assert not [*(tmp_path / "tiny").iterdir()]


def interrupted(_: Any) -> Any:
    raise KeyboardInterrupt


def test_a_file_that_differs_from_the_module_is_not_published(tmp_path: Path) -> None:
    class Fickle(nn.Module):
        """Right as long as it is captured, then something else."""

        calls = 0

        def forward(self, x: Any) -> Any:
            Fickle.calls += 1
            return x if Fickle.calls < 4 else x + 1.0

    with pytest.raises(VerificationError, match="an error of"):
        exporter.publish(Fickle(), ROWS, "fickle", tmp_path)
    assert not [*(tmp_path / "fickle").iterdir()]


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "a b", "ä"])
def test_a_name_must_be_usable_as_a_folder_and_in_an_address(tmp_path: Path, name: str) -> None:
    with pytest.raises(PublishError, match="is no name for a model"):
        exporter.publish(model(), ROWS, name, tmp_path)
    assert not [*tmp_path.iterdir()]


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PublishError, match=r"file/tiny: Not a directory. Nothing was published"):
        publish(tmp_path / "file")


HOLDING = """
import sys
from pathlib import Path
from exporter.publisher import _incoming
with _incoming(Path(sys.argv[1])) as incoming:
    print(incoming, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_publisher_left_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    command = [sys.executable, "-c", HOLDING, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as publisher_:
        assert publisher_.stdout is not None
        left = Path(publisher_.stdout.readline().strip())
        fresh = folder / ".incoming-of-another-tool"
        fresh.mkdir()
        os.utime(left, (0, 0))
        publish(tmp_path)
        assert left.is_dir()  # its publisher lives, however slow it is
        publisher_.kill()
    assert left.is_dir()
    publish(tmp_path)
    assert not left.exists()
    assert fresh.is_dir()  # nobody has locked it; it may be at work
    assert sorted(p.name for p in folder.iterdir() if p != fresh) == ["1", "2"]
