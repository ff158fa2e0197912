"""A store that speaks S3 on this machine, and runs that reach it through a network that fails."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.research.faults.network import Fault, Way, opened
from pipelines.research.faults.trial import Trial, ended, forked
from seaice.io.object_store import ObjectStore

__all__ = ["store_fails", "store_served"]

BUCKET = "chaos"
SHARES: Mapping[Fault, float] = {"500": 0.15, "half": 0.05, "silence": 0.02}
SECRETS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "of-no-account"}

Random = np.random.Generator


@contextmanager
def store_served(granules: Path) -> Iterator[tuple[str, int]]:
    """Host and port of a store that holds the granules.

    Raises
    ------
    RuntimeError
        If it cannot be started; it needs moto and s3fs, of the extra `test`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host, port = free.getsockname()
    command = [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=quiet, stderr=quiet)  # noqa: S603
    try:
        os.environ |= SECRETS | {"AWS_DEFAULT_REGION": "us-east-1"}
        _await(host, port)
        if ended(forked(partial(_stocked, (host, port), granules))):
            raise RuntimeError("the store took no granules")
        yield host, port
    finally:
        server.kill()
        server.wait()


def _await(host: str, port: int) -> None:
    for _ in range(600):
        with socket.socket() as caller:
            if caller.connect_ex((host, port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("moto did not start")


def _stocked(server: tuple[str, int], granules: Path) -> int:
    import fsspec

    _through(server, {}, np.random.default_rng(0))
    fsspec.filesystem("s3").mkdirs(BUCKET)
    store = ObjectStore.from_url(f"s3://{BUCKET}/granules")
    for path in granules.iterdir():
        store.upload(path.name, path)
    return 0


def store_fails(trial: Trial, out: Path, random: Random) -> None:
    """Granules and products in a store that answers 500, half, or not at all; killed, too."""
    url = f"s3://{BUCKET}/{out.name}"
    settings = trial.settings(url, f"s3://{BUCKET}/granules")
    child = trial.start(settings, partial(_through, trial.store, SHARES, random))
    if random.random() < 0.5:
        time.sleep(float(random.uniform(0, 3)) * trial.seconds["whole"])
        os.kill(child, signal.SIGKILL)
    ended(child)
    trial.finish(settings, partial(_through, trial.store, {}, random))
    if ended(forked(partial(_fetched_all, trial.store, url, out, random))):
        raise RuntimeError("the store does not hold what it names")


def _through(server: tuple[str, int], shares: Mapping[Fault, float], random: Random) -> None:
    """Let this process find its store behind faults, until it ends."""
    from seaice.io import object_store as storage

    storage.FIRST_PAUSE, storage.TIMEOUTS = 0.05, {"connect_timeout": 2, "read_timeout": 2}
    way = Way(host=server[0], port=server[1], shares=shares, silence=3, random=random)
    os.environ["AWS_ENDPOINT_URL"] = opened(way)[0]


def _fetched_all(server: tuple[str, int], url: str, out: Path, random: Random) -> int:
    """Bring what the store's lists name to `out`, as the folders it was made as."""
    from seaice.workflow.published import fetch_product, list_stored_damages, list_stored_statuses

    _through(server, {}, random)
    store = ObjectStore.from_url(url)
    if [*list_stored_damages(store)] or any(
        day.state != "final" for day in list_stored_statuses(store)
    ):
        return 1
    for name in {path.partition("/")[0] for path in store.list_files()}:
        fetch_product(store, name, out / name)
    return 0
