"""What the README shows is run: its Python as it stands, its commands as far as they need no docker."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tapeline

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_runs_as_it_stands(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), scope)
    assert (tmp_path / "iris.onnx").is_file()


def test_the_first_commands_run_in_order(tmp_path) -> None:
    recipes = [name for name in ("iris-mlp", "digits") if f"models/{name}" in README]
    for name in recipes:
        shutil.copytree(
            ROOT / "models" / name,
            tmp_path / "models" / name,
            ignore=lambda _, names: [n for n in names if n.isdigit() or n == "runs"],
        )
    script = Path(sys.executable).parent / "tapeline"
    ran = 0
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["tapeline"] and words[1] not in ("serve", "bench"):
            done = subprocess.run(
                [script, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stderr}"
            ran += 1
    assert ran >= 4


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_links_lead_somewhere(link) -> None:
    assert link.startswith("https://") or (ROOT / link).exists()


def test_every_verb_that_is_named_exists() -> None:
    named = set(re.findall(r"tapeline ([a-z]+)", README)) - {"serves", "is"}
    import typer

    known = set(typer.main.get_command(tapeline.app).list_commands(None))  # type: ignore[arg-type]
    assert named <= known
