"""The layering: reads every import of the source, and fails on a cycle or an edge upward."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Lowest first. A module may import from its own layer and from those below it.
LAYERS = [
    ["trainer.core.errors", "trainer.core.allocation"],
    [
        "trainer.core.dtypes",
        "trainer.core.hint",
        "trainer.core.op",
        "trainer.core.tree",
        "trainer.core.sizes",
    ],
    ["trainer.core.mode", "trainer.core.indexing", "trainer.core.node"],
    ["trainer.core.tensor"],
    ["trainer.core.define", "trainer.core.tape", "trainer.core.graph"],
    [
        "trainer.core.lowering",
        "trainer.core.passes",
        "trainer.core.trace",
        "trainer.core.proto",
        "trainer.core.reference",
    ],
    ["trainer.ops", "trainer.random"],
    ["trainer.nn"],
    ["trainer.optim"],
    ["trainer.data", "trainer.metrics"],
    ["trainer.step", "trainer.compiled", "trainer.checkpoint"],
    ["trainer.loop", "trainer.config", "trainer.profile"],
    ["trainer.flame", "trainer.tables"],
    ["trainer.trial", "trainer.template"],
    ["trainer.run"],
    ["trainer.terminal"],
    ["trainer.cli", "trainer.__main__"],
    ["exporter"],
    ["tapeline"],
]
MAY_IMPORT = {
    "onnx": ("trainer.core.proto", "trainer.core.reference", "exporter"),
    "onnxruntime": ("trainer.compiled", "exporter", "serve.servable", "serve.probe"),
    "fastapi": ("serve.app",),
    "torch": (),
}


def sources() -> dict[str, Path]:
    files = [ROOT / "tapeline.py"]
    for package in ("trainer", "exporter", "serve"):
        files += sorted((ROOT / package).rglob("*.py"))
    return {
        ".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f
        for f in files
        if f.exists()
    }


def imports(file: Path, at_top: bool = False) -> set[str]:
    """What a file imports, as dotted names; at the top level only where asked."""
    found = set()
    tree = ast.parse(file.read_text())
    for node in ast.iter_child_nodes(tree) if at_top else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def inner_edges(at_top: bool) -> dict[str, set[str]]:
    """Module to the modules of this project that it imports."""
    known = sources()
    edges = {}
    for name, file in known.items():
        targets = set()
        for target in imports(file, at_top):
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and target != name:
                targets.add(target)
        edges[name] = targets
    return edges


def layer_of(module: str) -> int | None:
    for index, layer in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in layer):
            return index
    return None


def test_every_trainer_module_has_a_layer() -> None:
    homeless = [m for m in sources() if m.startswith("trainer.") and layer_of(m) is None]
    assert set(homeless) <= {"trainer.core"}


def test_no_import_goes_upward() -> None:
    upward = []
    for module, targets in inner_edges(at_top=True).items():
        own = layer_of(module)
        for target in targets:
            other = layer_of(target)
            if own is not None and other is not None and other > own:
                upward.append(f"{module} -> {target}")
    assert not upward


def test_no_cycles() -> None:
    edges = inner_edges(at_top=True)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for target in sorted(edges[module]):
                visit(target, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_heavy_packages_have_one_door(package: str) -> None:
    allowed = MAY_IMPORT[package]
    offenders = [
        module
        for module, file in sources().items()
        if any(target.split(".")[0] == package for target in imports(file))
        and not any(module == name or module.startswith(name + ".") for name in allowed)
    ]
    assert not offenders


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [("serve", ("trainer", "exporter")), ("trainer", ("exporter", "serve"))],
)
def test_packages_keep_apart(package: str, forbidden: tuple[str, ...]) -> None:
    offenders = [
        f"{module} -> {target}"
        for module, targets in inner_edges(at_top=False).items()
        if module.split(".")[0] == package
        for target in targets
        if target.split(".")[0] in forbidden
    ]
    assert not offenders


def test_every_test_folder_is_a_package() -> None:
    folders = {file.parent for file in (ROOT / "tests").rglob("test_*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)
