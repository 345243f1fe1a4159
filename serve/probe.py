"""Tries a version in a process of its own first: one that crashes takes no server along."""

from __future__ import annotations

import hashlib
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import onnxruntime

from serve.errors import LoadError
from serve.servable import try_out

# What the runtime may take beside the weights, and how many times the weights it may hold.
ROOM, COPIES = 2 * 2**30, 8
# Lowest priority on a busy machine: the wall clock gets this many times the processor's time.
WALL = 5
REFUSED = 3  # the child's exit code for a version that cannot be served

logger = logging.getLogger("serve")


class Probe:
    """Opens versions and runs an example of each in a spawned child.

    Versions that passed are remembered by the hash of their files and the version of the runtime,
    across restarts as well, where there is a folder to remember in.

    Args:
        seconds: The processor time that opening and one run may take.
        memory: The address space in bytes that they may take; 0 derives it from the files' size.
        memo: Where to remember what passed. Defaults to `default_memo()`.
        module: The module that the child runs.
    """

    def __init__(
        self,
        seconds: int = 60,
        memory: int = 0,
        memo: Path | None = None,
        module: str = "serve.probe",
    ) -> None:
        self.seconds = seconds
        self.memory = memory
        self.memo = memo or default_memo()
        self.module = module
        self._passed: set[str] = set()
        self._child: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def check(self, folder: Path) -> None:
        """Return if a version can be opened and run.

        Args:
            folder: The version's folder.

        Raises:
            LoadError: It cannot; the message says how it ended.
        """
        key = fingerprint(folder)
        if key in self._passed or self._is_remembered(key):
            return
        self._spawn(folder)
        self._passed.add(key)
        try:
            self.memo.mkdir(parents=True, exist_ok=True)
            (self.memo / key).touch()
        except OSError as error:  # a read-only home: then it is tried again after a restart
            logger.debug("cannot remember the probe of %s: %s", folder, error)

    def close(self) -> None:
        """End a child that is at work; whoever waits for it is told so."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()

    def _is_remembered(self, key: str) -> bool:
        try:
            return (self.memo / key).exists()
        except OSError:  # somebody else's home
            return False

    def _spawn(self, folder: Path) -> None:
        memory = self.memory or ROOM + COPIES * _size(folder)
        command = [sys.executable, "-m", self.module, str(folder), str(memory), str(self.seconds)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with self._lock:
            if self._closed:
                raise LoadError("the server is stopping.")
            child = self._child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        _give_way(child.pid)
        try:
            reason, _ = child.communicate(timeout=self.seconds * WALL)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            raise LoadError(f"the probe was not done after {self.seconds * WALL} s.") from None
        finally:
            self._child = None
        if child.returncode:
            raise LoadError(self._verdict(child.returncode, reason.strip()))

    def _verdict(self, code: int, reason: str) -> str:
        """What an exit code means."""
        if self._closed:
            return "the server is stopping."
        if code == REFUSED and reason:
            return reason
        if code == -signal.SIGXCPU:
            return (
                f"opening it and running an example took more than {self.seconds} s of processor "
                "time in the probe; allow more with probe_seconds."
            )
        end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"opening it or running an example ended the probe with {end}."


def default_memo() -> Path:
    """The user's cache folder, where what passed is remembered; none can be where there is no home."""
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache) if cache else Path.home() / ".cache") / "tapeline" / "probed"
    except RuntimeError:  # a user that the system does not know, as in many a cluster
        return Path(os.devnull) / "probed"


def fingerprint(folder: Path) -> str:
    """A hash of a version's files by name and content, and of the runtime that opens them."""
    digest = hashlib.sha256(onnxruntime.__version__.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(b"\0" + str(path.relative_to(folder)).encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def confine(memory: int, seconds: int) -> None:
    """Make this process the first to go, the last to run, and bounded in memory and time."""
    os.nice(19)
    killable = Path("/proc/self/oom_score_adj")
    if killable.exists():
        killable.write_text("1000")
        memory += int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _give_way(child: int) -> None:
    """Let a child run only where nobody else would: its imports alone take a third of a second."""
    with suppress(OSError):  # it may have ended
        os.setpriority(os.PRIO_PROCESS, child, 19)
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(child, os.SCHED_IDLE, os.sched_param(0))


def main(folder: str, memory: str, seconds: str) -> int:
    """Be the child: try a version, print why it cannot be served."""
    confine(int(memory), int(seconds))
    try:
        try_out(Path(folder))
    except LoadError as error:
        print(error)
        return REFUSED
    except MemoryError:
        print(f"opening it and running an example takes more memory than {int(memory):,} bytes.")
        return REFUSED
    return 0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
