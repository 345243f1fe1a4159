"""`python -m serve bench`: what it prints and draws, and that it leaves the server's flags alone."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.serve.process import Server


def bench(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "serve", "bench", *arguments], capture_output=True, text=True
    )
    return done.returncode, done.stdout, done.stderr


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}/v2/models/linear"


def test_a_table_and_a_drawing(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "plot.svg"
    flags = ["--concurrency", "1,2", "--seconds", "0.2", "--plot", str(file)]
    code, output, errors = bench(url(server), *flags)
    assert (code, errors) == (0, "")
    lines = output.splitlines()
    assert lines[0] == f"{url(server)}/infer: random x [1, 3] as binary"
    assert lines[1].split()[:2] == ["load", "answers/s"]
    assert [line.split()[:2] for line in lines[2:4]] == [["1", "client"], ["2", "clients"]]
    assert all("a second" in line for line in lines[4:6])
    assert lines[6] == f"drawn in {file}" == lines[-1]
    image = ElementTree.parse(file).getroot()
    circles = image.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 3 * 4  # percentiles, rounds
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < 760
        assert 0 < float(circle.attrib["cy"]) < 440


def test_results_for_programs_and_a_page(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "plot.html"
    flags = ["--json", "--concurrency", "2", "--rate", "50", "--seconds", "0.2"]
    code, output, errors = bench(url(server), *flags, "--plot", str(file))
    assert (code, errors) == (0, "")
    answer = json.loads(output)
    assert answer["url"] == f"{url(server)}/infer"
    closed, open_ = answer["rounds"]
    assert (closed["loop"], closed["clients"]) == ("closed", 2)
    assert (open_["loop"], open_["rate"], open_["asked"], open_["answered"]) == ("open", 50, 10, 10)
    assert 0 < open_["p50_ms"] <= open_["p99_ms"] <= open_["p99.9_ms"]
    assert file.read_text().startswith("<!doctype html>")


def test_fixed_rates_alone(server: Server, tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    body.write_text('{"inputs": [[1, 2, 3]]}')
    target = f"http://127.0.0.1:{server.port}/v1/models/linear"
    flags = ["--concurrency", "", "--rate", "20,40", "--seconds", "0.2", "--json"]
    code, output, _ = bench(target, *flags, "--body", str(body))
    assert code == 0
    assert [r["rate"] for r in json.loads(output)["rounds"]] == [20, 40]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["http://127.0.0.1:9/v2/models/x"], 1, "http://127.0.0.1:9 does not answer: "),
        (["x", "--body", "/nowhere"], 1, "Cannot read /nowhere: No such file"),
        (["x", "--concurrency", "1,many"], 2, "'1,many' must be numbers above 0"),
        (["x", "--concurrency", "0.5"], 2, "'0.5' must be numbers above 0"),
        (["x", "--rate", "-5"], 2, "'-5' must be numbers above 0"),
        (["x", "--header", "nothing"], 2, "'nothing' must be 'Name: value'"),
        ([], 2, "Missing argument 'url'"),
    ],
)
def test_errors_are_one_sentence(arguments: list[str], code: int, reason: str) -> None:
    given, output, errors = bench(*arguments)
    assert (given, output) == (code, "")
    assert reason in errors
    assert "Traceback" not in errors


def test_it_is_cheap_to_import() -> None:
    program = """
import sys
import serve.bench, serve.cli
heavy = {"numpy", "rich.live", "uvloop", "httptools", "onnxruntime"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
