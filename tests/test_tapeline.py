"""The command line: exit codes, one sentence for every error, and a --help that imports next to nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import onnxruntime
import pytest

import tapeline
from tests.limits import file_size_limit

RECIPE = """
[data]
source = "flowers.csv"
options = {{ target = "{target}" }}
[model]
layers = [{{ Linear = [2, 2] }}]
[train]
loss = "cross_entropy"
epochs = {epochs}
metrics = ["accuracy"]
"""
ROWS = [f"{i / 10},{1 - i / 10},{'ab'[i % 2]}" for i in range(10)]

Result = tuple[int, str, str]
Command = Callable[..., Result]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Command]:
    """Runs `tapeline` in an empty folder; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["tapeline", *arguments])
        with pytest.raises(SystemExit) as left:
            tapeline.main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    yield command
    signal.signal(signal.SIGTERM, handler)


def write_model(rows: list[str] = ROWS, target: str = "kind", epochs: int = 1) -> None:
    Path("flowers").mkdir(exist_ok=True)
    Path("flowers/recipe.toml").write_text(RECIPE.format(target=target, epochs=epochs))
    Path("flowers/flowers.csv").write_text("\n".join(["length,width,kind", *rows, ""]))


def check_sentence(result: Result, *parts: str) -> None:
    code, out, err = result
    assert (code, out) == (1, "")
    assert err.startswith("tapeline: ")
    assert err.count("\n") == 1
    assert all(part in err for part in parts), err


def test_what_is_new_trains_as_it_is(run: Command) -> None:
    code, out, _ = run("new", "models/flowers")
    assert (code, out.splitlines()[0]) == (0, "models/flowers/recipe.toml")
    assert out.splitlines()[-1].endswith("tapeline train models/flowers")
    assert sorted(p.name for p in Path("models/flowers").iterdir()) == ["model.py", "recipe.toml"]
    assert [p.name for p in Path("models").iterdir()] == ["flowers"]
    assert run("train", "models/flowers", "--engine", "eager")[0] == 0
    assert json.loads(run("evaluate", "models/flowers", "--json")[1])["accuracy"] > 0.85


def test_the_rows_of_a_file_are_answered(run: Command) -> None:
    run("new", "flowers")
    run("train", "flowers", "--engine", "eager")
    run("export", "flowers")
    Path("rows.csv").write_text(
        "note,petal_length,petal_width,sepal_length,sepal_width\na,1.4,0.2,5.1,3.5\nb,5.8,2.2,6.5,3.0\n"
    )
    code, out, _ = run("predict", "flowers", "rows.csv")
    header, *rows = (line.split(",") for line in out.splitlines())
    assert (code, header) == (0, ["class", "setosa", "versicolor", "virginica"])
    assert [row[0] for row in rows] == ["setosa", "virginica"]
    answers = json.loads(run("predict", "flowers", "rows.csv", "--json")[1])
    assert answers["labels"] == ["setosa", "virginica"]
    assert [[float(cell) for cell in row[1:]] for row in rows] == [
        pytest.approx(row) for row in answers["outputs"]["probabilities"]
    ]
    Path("rows.csv").write_text("petal_length,petal_widht,sepal_length,sepal_width\n1,2,3,4\n")
    check_sentence(run("predict", "flowers", "rows.csv"), "Did you mean 'petal_widht'?")


def test_new_never_writes_over_anything(run: Command) -> None:
    Path("flowers").mkdir()
    check_sentence(run("new", "flowers"), "flowers is there already")
    Path("file").touch()
    check_sentence(run("new", "file/flowers"), "Cannot make file/flowers: ")
    assert sorted(p.name for p in Path().iterdir()) == ["file", "flowers"]


def test_the_list_of_layers_in_the_template_is_its_model(run: Command) -> None:
    run("new", "flowers")
    recipe = Path("flowers/recipe.toml")
    lines = recipe.read_text().splitlines()
    kept = [x for x in lines if not x.startswith(("definition", "arguments"))]
    recipe.write_text("\n".join(x.removeprefix("# ") if "# layers" in x else x for x in kept))
    assert run("train", "flowers", "--engine", "eager", "--epochs", "1")[0] == 0


def test_train_export_verify_and_inspect(run: Command) -> None:
    write_model()
    code, out, err = run("train", "flowers")
    assert (code, out.splitlines()[-1]) == (0, "kept in flowers/runs/1")
    assert err.startswith("epoch 1: loss ")
    assert run("evaluate", "flowers")[0] == 0
    code, out, _ = run("export", "flowers")
    assert code == 0
    assert out.startswith("published flowers/1\n")
    code, out, _ = run("verify", "flowers")
    assert code == 0
    assert out.splitlines()[0] == "flowers/1/model.onnx"
    code, out, _ = run("inspect", "flowers/1/model.onnx")
    assert code == 0
    assert "probabilities float32[batch, 2]" in out


def test_a_training_step_leaves_as_a_file_and_comes_back(run: Command) -> None:
    write_model()
    run("train", "flowers")
    code, out, err = run("export", "flowers", "--train-step")
    assert (code, err, out.splitlines()[0]) == (0, "", "wrote flowers/runs/1/train_step.onnx")
    assert "x float32[batch, 2]" in out
    code, out, _ = run("export", "flowers", "--train-step", "--json")
    assert (code, json.loads(out)["state"]["optimizer.step"]) == (0, "optimizer.step.next")
    code, out, _ = run("export", "flowers", "--checkpoint", "flowers/runs/1/checkpoint.safetensors")
    assert (code, out.splitlines()[0]) == (0, "published flowers/1")
    check_sentence(run("export", "flowers", "--checkpoint", "none"), "There is no checkpoint none")


def test_a_profile_shows_layers_and_leaves_a_flame_chart(run: Command) -> None:
    write_model(epochs=4)
    code, out, _ = run("train", "flowers", "--profile")
    assert code == 0
    assert "layers.0 Linear" in out
    assert out.splitlines()[-1] == "flame chart: flowers/runs/1/profile.html"
    assert "layers.0 Linear" in Path("flowers/runs/1/profile.html").read_text()
    code, out, _ = run("train", "flowers", "--profile", "--json")
    assert (code, "backward" in json.loads(out)["profile"]["parts"]) == (0, True)
    check_sentence(run("train", "flowers", "--profile", "--epochs", "1", "--json"), "second step")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "onnxruntime-gpu"),
        (["--engine", "eager"], "engine = 'onnx'"),
        (["--profile"], "device = 'cpu'"),
    ],
)
def test_a_gpu_that_cannot_be_used(run: Command, arguments: list[str], sentence: str) -> None:
    write_model()
    if not arguments and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    check_sentence(run("train", "flowers", "--device", "cuda", *arguments), sentence)
    assert not Path("flowers/runs").exists()


def test_json_is_one_line_that_a_program_reads(run: Command) -> None:
    write_model()
    results = {}
    for verb in ("train", "evaluate", "export", "verify", "inspect"):
        code, out, err = run(verb, "flowers", "--json")
        assert (code, err, out.count("\n")) == (0, "", 1)
        results[verb] = json.loads(out)
    assert results["train"]["epoch"] == 1
    assert results["evaluate"]["accuracy"] == results["train"]["accuracy"]
    assert results["export"]["version"] == 1
    assert [row["batch"] for row in results["verify"]["comparisons"]] == [1, 2, 7, 64]
    assert results["inspect"]["signature"]["classes"] == ["a", "b"]


def test_a_missing_recipe(run: Command) -> None:
    check_sentence(run("train", "nowhere"), "There is no recipe at nowhere")


def test_a_missing_data_file(run: Command) -> None:
    write_model()
    Path("flowers/flowers.csv").unlink()
    check_sentence(run("train", "flowers"), "flowers.csv")


def test_a_wrong_column(run: Command) -> None:
    write_model(target="kinds")
    check_sentence(run("train", "flowers"), "'kinds'", "Did you mean 'kind'?")


def test_a_cell_that_is_not_a_number(run: Command) -> None:
    write_model([*ROWS, "nan,1.0,a"])
    check_sentence(run("train", "flowers"), "flowers.csv", "12", "length")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("epochs = 1", "epoch = 1", "epoch is not known. Did you mean 'epochs'?"),
        ("[2, 2]", "[2]", "Linear: missing a required argument: 'out_features'"),
        ("[2, 2]", '["two", 2]', "Linear cannot be made of 'two', 2"),
        ("[2, 2]", "[3, 2]", "inner dimensions 2 and 3 differ"),
        ("epochs = 1", "epochs = 1\nschedule = {name='step_decay', every=0}", "no learning rate"),
        ("epochs = 1", "epochs = 1\noptimizer = {name='Adam', lr='fast'}", "no learning rate"),
        ("epochs = 1", "epochs = 1\ndevice = 'tpu'", "train.device = 'tpu'"),
        ("[data]", "[data", "not valid TOML"),
        ("[data]", "format = 2\n[data]", "format 2; this version reads up to 1"),
        ("[data]", "format = 'two'\n[data]", "format = 'two'"),
        ("[data]", "# \udcff\n[data]", "not valid TOML: 'utf-8'"),
    ],
)
def test_a_wrong_recipe(run: Command, old: str, new: str, sentence: str) -> None:
    write_model()
    text = Path("flowers/recipe.toml").read_text().replace(old, new)
    Path("flowers/recipe.toml").write_bytes(text.encode(errors="surrogateescape"))
    check_sentence(run("train", "flowers"), sentence)
    assert not [*Path("flowers").glob("runs/*")]


def test_a_model_that_was_not_trained(run: Command) -> None:
    write_model()
    check_sentence(run("export", "flowers"), "not trained yet", "tapeline train flowers")


def test_a_damaged_checkpoint(run: Command) -> None:
    write_model()
    run("train", "flowers")
    Path("flowers/runs/1/checkpoint.safetensors").write_bytes(b"no checkpoint")
    check_sentence(run("export", "flowers"), "checkpoint.safetensors is damaged")


def test_a_damaged_history(run: Command) -> None:
    write_model()
    run("train", "flowers")
    Path("flowers/runs/1/history.json").write_text("[")
    check_sentence(run("export", "flowers"), "history.json is missing or damaged")


def test_a_model_changed_since_it_was_trained(run: Command) -> None:
    write_model()
    run("train", "flowers")
    text = Path("flowers/recipe.toml").read_text().replace("[2, 2]", "[2, 3]")
    Path("flowers/recipe.toml").write_text(text)
    check_sentence(run("export", "flowers"), "layers.0.weight", "float32[2, 2] given")


def test_a_full_disk_while_exporting(run: Command) -> None:
    write_model()
    run("train", "flowers")
    with file_size_limit(200):
        check_sentence(run("export", "flowers"), "File too large", "Nothing was published")
    assert sorted(p.name for p in Path("flowers").iterdir()) == [
        "flowers.csv",
        "recipe.toml",
        "runs",
    ]


def test_a_full_disk_while_training(run: Command) -> None:
    write_model()
    run("train", "flowers")
    with file_size_limit(200):
        code, _, err = run("train", "flowers", "--epochs", "2")
    assert code == 1
    assert "Cannot write the checkpoint" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert [p.name for p in Path("flowers/runs").iterdir()] == ["1"]
    assert run("evaluate", "flowers")[0] == 0


def test_a_missing_file_to_verify_or_inspect(run: Command) -> None:
    for verb in ("verify", "inspect"):
        check_sentence(run(verb, "nothing.onnx"), "There is no model at nothing.onnx. Give")
        Path("flowers").mkdir(exist_ok=True)
        check_sentence(run(verb, "flower"), "model at flower. Did you mean 'flowers'? Give")
        Path("flowers/recipe.toml").touch()
        check_sentence(run(verb, "flowers"), "flowers has no published version yet. Run: tapeline")


def test_a_file_that_was_changed_after_publication(run: Command) -> None:
    write_model()
    run("train", "flowers")
    run("export", "flowers")
    with Path("flowers/1/model.onnx").open("ab") as file:
        file.write(b"\n")
    check_sentence(run("verify", "flowers"), "is not what was published")


def test_a_port_in_use(run: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, err = run("serve", "--host", "127.0.0.1", "--port", port, "--model_base_path", ".")
    assert code == 1
    assert f"Port {port}" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (["trian", "flowers"], "Did you mean 'train'?"),
        (["train", "--epoch", "3", "flowers"], "--epochs"),
        (["train"], "recipe"),
        (["train", "flowers", "--engine", "gpu"], "eager"),
        (
            ["train", "flowers", "--engine", "onx"],
            "'--engine': 'onx' is not one of 'auto', 'eager', 'onnx'. Did you mean 'onnx'?",
        ),
        (
            ["serve", "--golden", "of"],
            "'of' is not one of 'refuse', 'warn', 'off'. Did you mean off?",
        ),
        (["train", "flowers", "--device", "gpu"], "cuda"),
        (["serve", "--prot", "1"], "--port"),
    ],
)
def test_wrong_usage_leaves_with_2_and_names_the_nearest(
    run: Command, arguments: list[str], nearest: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert nearest in err.splitlines()[-1]
    assert "Traceback" not in err


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_the_traceback_wherever_it_stands(run: Command, place: int) -> None:
    arguments = ["train", "nowhere"]
    arguments.insert(place, "--debug")
    code, _, err = run(*arguments)
    assert code == 1
    assert "Traceback" in err
    assert "ConfigError" in err


def test_a_defect_is_reported_as_one(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.config.Recipe.read", lambda path: 1 // 0)
    check_sentence(run("train", "flowers"), "ZeroDivisionError", "defect", "--debug")


def test_an_end_from_outside_goes_through_every_finally(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "trainer.config.Recipe.read", lambda path: os.kill(os.getpid(), signal.SIGTERM)
    )
    assert run("train", "flowers") == (128 + signal.SIGTERM, "", "")


def test_without_a_command_there_is_help(run: Command) -> None:
    code, out, _ = run()
    assert code == 0
    verbs = {line.split()[0] for line in out.split("Commands:")[1].splitlines() if line.strip()}
    assert verbs >= {"quickstart", "train", "evaluate", "export", "verify", "inspect", "serve"}


def test_the_version(run: Command) -> None:
    assert run("--version") == (0, "tapeline 0.1.0\n", "")


@pytest.mark.parametrize("module", ["tapeline", "trainer", "exporter", "serve"])
def test_help_imports_nothing_heavy(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", module, "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.stdout.startswith("Usage:")
    assert "typer" in imported
    heavy = {"numpy", "onnx", "onnxruntime", "pydantic", "fastapi", "uvicorn", "rich", "scipy"}
    assert not heavy & imported
