"""A Docker engine and a base image for scripts/test-image: those at hand, or made for the test.

Root on Debian gets an engine for the time of the test where none answers. A base image that cannot
be pulled is made from the Debian archive, from which the official one is made, too.
"""

import functools
import glob
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

Docker = Callable[..., str]

DOCKERFILE = Path(__file__).resolve().parent.parent / "Dockerfile"
STAND_IN = "tapeline/stand-in-for-debian:trixie-slim"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Failed(Exception):
    """Something does not do what it should."""


class Unavailable(Exception):
    """No container can be run here, and why."""


def run(*command: str | Path, timeout: float = 600, **options: Any) -> str:
    """Runs a command and returns what it prints; a failure shows the end of that."""
    arguments = list(map(str, command))
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    with subprocess.Popen(arguments, **options) as process:
        try:
            printed, complaints = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"`{' '.join(arguments[:3])}` did not end in {timeout:g} s") from error
        finally:
            _end(process)
    if process.returncode:
        tail = "\n".join(f"{printed}{complaints or ''}".strip().splitlines()[-25:])
        raise Failed(f"`{' '.join(arguments[:3])}` exited {process.returncode}:\n{tail}")
    return str(printed).strip()


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a process that an interruption left running, gently: mmdebstrap cleans up first."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Polls until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


def find_engine(stack: ExitStack, work: Path) -> tuple[Docker, bool]:
    """Returns a function that runs `docker` with an engine that answers, and whether it is ours.

    Args:
        stack: gets what stops the engine, if one had to be started.
        work: a folder for its sockets, images and containers.
    """
    client = shutil.which("docker")
    if client and subprocess.run([client, "info"], capture_output=True).returncode == 0:
        return functools.partial(run, client), False
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable("no Docker engine answers, and only root on Debian can start one")
    try:
        return _start_engine(stack, work), True
    except Failed as error:
        raise Unavailable(f"no Docker engine answers, and none starts: {error}") from error


def _start_engine(stack: ExitStack, work: Path) -> Docker:
    if not all(map(shutil.which, ("dockerd", "mmdebstrap", "ip"))):
        packages = ("docker.io", "mmdebstrap", "iproute2")
        run("apt-get", "update")
        run("apt-get", "install", "--yes", "--no-install-recommends", *packages)
    had_bridge = Path("/sys/class/net/docker0").exists()
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    forwarding = forward.read_text()
    log = stack.enter_context((work / "dockerd.log").open("w+"))
    host = f"unix://{work}/docker.sock"
    options = [f"--host={host}", f"--pidfile={work}/dockerd.pid"]
    options += [f"--data-root={work}/root", f"--exec-root={work}/exec"]
    # The machine's firewall and routes stay as they are: containers have no way out, and need none.
    options += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    daemon = subprocess.Popen(["dockerd", *options], stdout=log, stderr=log, start_new_session=True)

    def stop() -> None:
        daemon.terminate()
        daemon.wait(30)
        for namespace in glob.glob(f"{work}/exec/netns/*"):
            subprocess.run(["umount", namespace], capture_output=True)
        if not had_bridge:
            subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True)
        forward.write_text(forwarding)

    stack.callback(stop)
    # By its path: another client that comes first in PATH may lack what builds images.
    client = "/usr/bin/docker"
    environment = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "1"}

    def answers() -> bool:
        if daemon.poll() is not None:
            log.seek(0)
            raise Failed(f"dockerd exited: {log.read().strip().splitlines()[-1]}")
        return not subprocess.run([client, "info"], env=environment, capture_output=True).returncode

    wait_until(answers, 30, "dockerd answers")
    return functools.partial(run, client, env=environment)


def find_base(docker: Docker, stack: ExitStack, work: Path) -> str:
    """Pulls the base image that the Dockerfile names, or makes one like it; returns its name."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    if not found:
        raise Failed("the Dockerfile has no line ARG BASE_IMAGE=...")
    try:
        docker("pull", found[1], timeout=300)
        return found[1]
    except Failed:
        if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
            raise Unavailable(f"{found[1]} can't be pulled, nor made without mmdebstrap") from None
    _make_base(docker, work)
    stack.callback(docker, "image", "rm", "--force", STAND_IN)
    return STAND_IN


def _make_base(docker: Docker, work: Path) -> None:
    options = ["--quiet", "--variant=minbase"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    if CERTIFICATES.exists():
        # The image trusts whom this machine trusts, so that the Dockerfile needs no word about it.
        (work / "pip.conf").write_text("[global]\ncert = /etc/host-certificates.crt\n")
        options.append(f"--customize-hook=upload {CERTIFICATES} /etc/host-certificates.crt")
        options.append(f"--customize-hook=upload {work}/pip.conf /etc/pip.conf")
    targets = ("indextargets", "--format=$(REPO_URI)", "Created-By: Packages", "Label: Debian")
    mirror = run("apt-get", *targets).splitlines()[0]
    try:
        run("mmdebstrap", *options, "trixie", work / "base.tar", mirror)
    except Failed as error:
        raise Unavailable(f"no base image can be pulled or made: {error}") from error
    docker("import", work / "base.tar", STAND_IN)
