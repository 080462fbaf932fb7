"""A real JupyterLab for a student: his home is a folder of `make student`, the exchange is real."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def lab(home: Path) -> Iterator[str]:
    """Run JupyterLab in a student's home; give back its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = home.parent / f"{home.name}-jupyter"
    names = ("CONFIG", "DATA", "RUNTIME")
    settings = {f"JUPYTER_{name}_DIR": str(state / name.lower()) for name in names}
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", "--IdentityProvider.token=", "--ServerApp.port_retries=0"]
    options += ["--LabApp.expose_app_in_browser=True", "--LabApp.news_url="]
    log = state / "log"
    state.mkdir()
    with log.open("w") as file:
        server = subprocess.Popen(
            [*command, *options],
            cwd=home,
            stdout=file,
            stderr=file,
            env={**os.environ, **settings, "OMP_NUM_THREADS": "1"},
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server, log)
            yield address
        finally:
            server.terminate()
            server.wait()


def _wait_for(address: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/api"):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")
