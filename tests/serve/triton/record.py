"""Ask a real Triton everything and write down what it answers.

    python -m tests.serve.triton.record PYTHON

PYTHON is an interpreter (3.11) with `nvidia-pytriton==0.7.0` installed.
"""

import base64
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.serve.triton.peer import NUMBERS
from tests.serve.triton.questions import QUESTIONS, Question

HERE = Path(__file__).parent
ANSWERS = HERE / "answers.json"
PORT = 8790
SHOWN = 100  # characters of an error


def ask(port: int, question: Question) -> dict[str, Any]:
    """The status, the JSON of the answer and the bytes that follow it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(question.method, question.path, question.body, question.headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    length = answer.getheader("Inference-Header-Content-Length")
    text, raw = (body, b"") if length is None else (body[: int(length)], body[int(length) :])
    try:
        content = json.loads(text) if text else None
    except ValueError:
        content = {"no JSON": text.decode(errors="replace")}
    if answer.status >= 400 and isinstance(content, dict):
        content = {key: str(value)[:SHOWN] for key, value in content.items()}
    return {"status": answer.status, "json": content, "raw": base64.b64encode(raw).decode()}


@contextmanager
def triton(python: str) -> Iterator[int]:
    """The port of a Triton that serves the models of `peer.py`."""
    command = [python, str(HERE / "peer.py"), str(PORT)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        last = Question("GET", f"/v2/models/{list(NUMBERS)[-1]}/ready")
        end = time.monotonic() + 120
        while True:
            try:
                if ask(PORT, last)["status"] == 200:
                    break
            except OSError:
                pass
            assert process.poll() is None, "Triton ended"
            assert time.monotonic() < end, "Triton did not start in time"
            time.sleep(0.2)
        yield PORT
    finally:
        process.terminate()
        process.wait(60)


def main() -> None:
    with triton(sys.argv[1]) as port:
        answers = {name: ask(port, question) for name, question in QUESTIONS.items()}
    ANSWERS.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")
    print(f"{ANSWERS}: {len(answers)} answers")


if __name__ == "__main__":
    main()
