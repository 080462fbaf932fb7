"""A real Dask cluster on this machine: a scheduler and workers as processes, with TLS."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from distributed.security import Security

_DASK = Path(sys.executable).with_name("dask")


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        address: of the scheduler.
        environment: what a client needs to be let in.
        scheduler, workers: the processes; there is no other between one and Dask's own.
    """

    address: str
    environment: dict[str, str]
    scheduler: "subprocess.Popen[bytes]"
    workers: list["subprocess.Popen[bytes]"]


@contextmanager
def running(folder: Path, workers: int, **environment: str) -> Iterator[Cluster]:
    """A cluster whose certificates and logs lie in a folder; its workers have that environment."""
    folder.mkdir(parents=True, exist_ok=True)
    security = Security.temporary()
    parts = {
        "ca-file": security.tls_ca_file,
        "cert": security.tls_client_cert,
        "key": security.tls_client_key,
    }
    tls = []
    for name, text in parts.items():
        (folder / name).write_text(text)
        tls += [f"--tls-{name}", str(folder / name)]
    told = folder / "scheduler.json"
    here = ("--host", "127.0.0.1", "--no-dashboard", *tls)
    processes = []

    def start(name: str, *words: str, **more: str) -> "subprocess.Popen[bytes]":
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [_DASK, *words, *here], stderr=log, cwd=folder, env={**os.environ, **more}
            )
        processes.append(process)
        return process

    try:
        scheduler = start(
            "scheduler",
            *("scheduler", "--protocol", "tls", "--port", "0", "--scheduler-file", str(told)),
            DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0",
        )
        address = ""
        while not address:
            assert scheduler.poll() is None, (folder / "scheduler.log").read_text()
            time.sleep(0.1)
            if told.exists() and (text := told.read_text()).endswith("}"):
                address = json.loads(text)["address"]
        started = [
            start(f"worker-{number}", "worker", address, "--nthreads", "1", "--no-nanny",
                  **environment)
            for number in range(workers)
        ]  # fmt: skip
        names = {"CA_FILE": "ca-file", "CLIENT__CERT": "cert", "CLIENT__KEY": "key"}
        client = {
            f"DASK_DISTRIBUTED__COMM__TLS__{key}": str(folder / name) for key, name in names.items()
        }
        yield Cluster(address, client, scheduler, started)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
