"""Which formula a gradient is written with: measured, kept, followed, and remembered by a checkpoint."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trainer import nn, optim
from trainer.cli import app
from trainer.compiled import CompiledStep, choices, tuning
from trainer.core.errors import ConfigError
from trainer.ops.convolution_gradient import ASKED, MEASURED

GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal((4, 2, 6, 6)).astype(np.float32)
Y = np.arange(4) % 3


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before, asked = dict(MEASURED), dict(ASKED)
    ASKED.clear()
    monkeypatch.setenv("TAPELINE_CHOICES", str(tmp_path / "folder" / "choices.json"))
    choices.install.cache_clear()
    yield choices.local_table()
    for state, old in ((MEASURED, before), (ASKED, asked)):
        state.clear()
        state.update(old)
    choices.install.cache_clear()


def new_step() -> CompiledStep:
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 3)
    )
    return CompiledStep(model, nn.cross_entropy, optim.SGD())


def other(chosen: str) -> str:
    pairs = {"rows": "exchanged", "transpose": "flipped"}
    return (pairs | {b: a for a, b in pairs.items()})[chosen]


def test_tuning_writes_a_table_that_a_later_process_follows(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "_SECONDS", 0.001)
    found = tuning.tune(new_step(), X, Y)
    gradients = [one.setting.gradient for one in found]
    assert sorted(gradients) == ["filters", "filters", "image"]  # nobody asks for the first image's
    assert all(len(one.milliseconds) == 2 for one in found)
    written = json.loads(table.read_text())
    assert written["format"] == 1
    assert [e["formula"] for e in written["choices"]] == [one.fastest for one in found]

    for entry in written["choices"]:
        entry["formula"] = other(entry["formula"])
    table.write_text(json.dumps(written))
    MEASURED.clear()
    choices.install.cache_clear()
    new_step().train(X, Y, 0.1)
    assert all(ASKED[one.setting] == other(one.fastest) for one in found)


def test_a_run_goes_on_with_what_it_began_with(table: Path) -> None:
    new_step().train(X, Y, 0.1)
    used = json.loads(json.dumps(choices.used()))
    assert len(used) == 3
    first = dict(ASKED)
    step = new_step()
    MEASURED.update({setting: other(chosen) for setting, chosen in first.items()})
    choices.restore(used)
    step.train(X, Y, 0.1)
    assert first == ASKED


def test_tables_are_added_to(table: Path) -> None:
    new_step().train(X, Y, 0.1)
    one, two, *_ = ASKED.items()
    choices.write(table, dict([one]))
    choices.write(table, dict([two]))
    assert len(json.loads(table.read_text())["choices"]) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no table of choices"),
        ('{"format": 1}', "is no table of choices: 'choices'"),
        ('{"format": 99, "choices": []}', "has the format 99; this version reads up to 1"),
        (
            '{"format": 1, "choices": [{"gradient": "image", "channels": 1, "filters": 1, '
            '"group": 1, "window": [[6, 3, 2, 1, 0, 2]], "formula": "flipped"}]}',
            "by image has no formula 'flipped'",
        ),
    ],
)
def test_a_damaged_table_is_said_and_kept(table: Path, text: str, reason: str) -> None:
    table.parent.mkdir()
    table.write_text(text)
    with pytest.raises(ConfigError) as error:
        choices.install()
    assert reason in str(error.value)
    with pytest.raises(ConfigError):
        choices.write(table, {})
    assert table.read_text() == text


def test_the_command_measures_a_recipe(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_SECONDS", 0.001)
    digits = str(Path(__file__).parents[3] / "models" / "digits")
    done = CliRunner().invoke(app, ["tune", digits, "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert result["table"] == str(table)
    assert [row["gradient"] for row in result["gradients"]].count("filters") == 2
    for row in result["gradients"]:
        assert row["formula"] == min(row["milliseconds"], key=row["milliseconds"].get)
    told = CliRunner().invoke(app, ["tune", digits])
    assert "12 to 32 channels, 3x3 on 4x4, by filters: exchanged " in told.output
    assert f"the fastest are kept in {table}" in told.output
