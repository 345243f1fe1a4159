"""The serving image installs what serve imports, in the versions that pyproject.toml allows."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def read_lines(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", " "))]


def read_lock() -> dict[str, str]:
    pins = (line.removesuffix("\\").strip().split("==") for line in read_lines("serve.txt"))
    return {canonicalize_name(name): version for name, version in pins}


def read_ranges(extra: str | None = None) -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    requirements = map(Requirement, lines)
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def imported_by_serve() -> set[str]:
    names = set()
    for file in (ROOT / "serve").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names) - {"serve"}


@pytest.mark.parametrize("name", read_lines("serve.in"))
def test_a_version_is_pinned_that_pyproject_allows(name: str) -> None:
    assert read_lock()[name] in read_ranges()[name].specifier, "run scripts/lock-requirements"


def test_serve_imports_nothing_that_the_image_lacks() -> None:
    distributions = packages_distributions()
    needed = {canonicalize_name(distributions.get(name, [name])[0]) for name in imported_by_serve()}
    optional = read_ranges("images").keys()  # decoding pictures, answered 501 without it
    assert needed - optional <= read_lock().keys(), "add it to requirements/serve.in"


def test_the_image_gets_nothing_that_trains() -> None:
    assert read_lock().keys().isdisjoint({"onnx", "scipy", "safetensors", "torch"})
