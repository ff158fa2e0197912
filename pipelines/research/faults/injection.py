"""Fault injection: the clock, the disk, the HDF5 reader, and the network to an object store.

The faults of the first part patch functions of the process that calls them, which is a child
forked for the purpose and ends with it. `FaultyProxy` is an HTTP proxy that answers some requests
with status 500, with half of the body, or not at all.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from errno import EIO
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from pipelines.research.faults.runs import ForkedRuns, fork_child, wait_for_child
from seaice.io.object_store import ObjectStore

__all__ = [
    "FILLER",
    "STAGES",
    "Fault",
    "FaultyProxy",
    "clock_jumps",
    "failing_store",
    "faulty_proxy",
    "file_cut_short",
    "fill_disk",
    "reading_fails",
    "serve_store",
    "start_proxy",
]

FILLER = ".filler"  #: takes the room of a disk
SPARE = 4096  #: bytes that it leaves
YEAR = 365.25 * 86400  #: s

Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchPoint:
    """A function by the name under which its caller knows it, and which calls of it count."""

    module: str
    name: str
    counts: Callable[[tuple[Any, ...]], bool] = lambda arguments: True


def _keeps(stage: str) -> PatchPoint:
    return PatchPoint(
        module="seaice.workflow.stages",
        name="_keep",
        counts=lambda arguments: arguments[1].parent.name == stage,
    )


#: stage -> what is called when it is about to write
STAGES: dict[str, PatchPoint] = {
    "grid": _keeps("grid"),
    "refine": _keeps("refine"),
    "concentrate": _keeps("concentrate"),
    "write": PatchPoint(module="seaice.workflow.day", name="write_product"),
    "season": PatchPoint(module="seaice.workflow.season.tasks", name="write_day"),
    "series": PatchPoint(module="seaice.workflow.season.tasks", name="update_series_and_page"),
    "log": PatchPoint(module="seaice.workflow.season.tasks", name="log_event"),
}


def fill_disk(stage: str, out: Path) -> None:
    """Take all room of the disk of `out` when a stage is about to write for the first time."""
    from importlib import import_module

    point = STAGES[stage]
    module = import_module(point.module)
    genuine = getattr(module, point.name)

    def full(*arguments: Any, **result: Any) -> Any:
        if point.counts(arguments) and not (out / FILLER).exists():
            _fill(out)
        return genuine(*arguments, **result)

    setattr(module, point.name, full)


def _fill(out: Path) -> None:
    state = os.statvfs(out)
    room = state.f_bavail * state.f_frsize - SPARE
    with (out / FILLER).open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(room, 1))


def reading_fails(random: Random) -> None:
    """Let the system refuse to read some parts of granules, as a dying disk does."""

    def fails(dataset: h5py.Dataset) -> None:
        if random.random() < 0.02:
            raise OSError(EIO, "Input/output error")

    _before_reading(fails)


def file_cut_short(random: Random) -> None:
    """Cut one granule to half while it is read."""
    left = [int(random.integers(5, 200))]

    def cuts(dataset: h5py.Dataset) -> None:
        left[0] -= 1
        if left[0] == 0:
            path = Path(dataset.file.filename)
            os.truncate(path, path.stat().st_size // 2)

    _before_reading(cuts)


def _before_reading(act: Callable[[h5py.Dataset], None]) -> None:
    for name in ("__getitem__", "read_direct"):
        genuine = getattr(h5py.Dataset, name)

        def read(
            dataset: h5py.Dataset, *arguments: Any, genuine: Any = genuine, **options: Any
        ) -> Any:
            act(dataset)
            return genuine(dataset, *arguments, **options)

        setattr(h5py.Dataset, name, read)


def clock_jumps(random: Random, *folders: Path) -> None:
    """Let the clock jump by years at every look, and files bear times of change from anywhere."""
    genuine, genuine_ns = time.time, time.time_ns
    time.time = lambda: genuine() + random.uniform(-10, 10) * YEAR
    time.time_ns = lambda: genuine_ns() + int(random.uniform(-10, 10) * YEAR * 1e9)
    from seaice.workflow.season import tasks

    note = vars(tasks)["note"]

    def noted(*arguments: Any, **result: Any) -> None:
        for folder in folders:
            _scatter_times(folder, random, genuine())
        note(*arguments, **result)

    vars(tasks)["note"] = noted


def _scatter_times(folder: Path, random: Random, now: float) -> None:
    for path in folder.rglob("*.h5"):
        os.utime(path, times=(now, now + random.uniform(-10, 10) * YEAR))
    for path in folder.glob("stages/*/*"):
        os.utime(path, times=(now, now + random.uniform(-10, 10) * YEAR))


Fault = Literal["500", "silence", "half"]


@dataclass(slots=True, kw_only=True)
class FaultyProxy:
    """How often what happens on the way to a server, and how often it did."""

    host: str
    port: int
    fractions: Mapping[Fault, float]  #: of all requests
    silence: float = 5.0  #: s without an answer
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    counts: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def fault(self) -> Fault | Literal["passed"]:
        """What becomes of the next request."""
        with self.lock:
            drawn = self.random.random()
            for fault, fraction in self.fractions.items():
                drawn -= fraction
                if drawn < 0:
                    self.counts[fault] += 1
                    return fault
            self.counts["passed"] += 1
            return "passed"


def start_proxy(proxy: FaultyProxy) -> tuple[str, ThreadingHTTPServer]:
    """A local server, and its URL, that hands requests on when nothing happens to them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server


@contextmanager
def faulty_proxy(proxy: FaultyProxy) -> Iterator[str]:
    """The URL of `opened`, for the time of the block."""
    url, server = start_proxy(proxy)
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _passed_on(self) -> None:
            body = self._body()
            fault = proxy.fault()
            if fault == "silence":
                time.sleep(proxy.silence)
                self.close_connection = True
            elif fault == "500":
                self._answer(500, [], b"<Error><Code>InternalError</Code></Error>")
            else:
                status, headers, content = self._asked(body)
                self._answer(status, headers, content, half=fault == "half" and len(content) > 1)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _passed_on

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            server = http.client.HTTPConnection(proxy.host, proxy.port, timeout=60)
            hop = ("transfer-encoding", "content-length", "connection", "expect")
            headers = {k: v for k, v in self.headers.items() if k.lower() not in hop}
            server.request(self.command, self.path, body or None, headers)
            result = server.getresponse()
            content = result.read()
            server.close()
            return result.status, result.getheaders(), content

        def _answer(
            self, status: int, headers: list[tuple[str, str]], content: bytes, *, half: bool = False
        ) -> None:
            self.send_response_only(status)
            arguments = {name.lower() for name, _ in headers}
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if "content-length" not in arguments:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if half else content)
            self.close_connection = self.close_connection or half

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


BUCKET = "chaos"
SHARES: Mapping[Fault, float] = {"500": 0.15, "half": 0.05, "silence": 0.02}
SECRETS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "of-no-account"}


@contextmanager
def serve_store(granules: Path) -> Iterator[tuple[str, int]]:
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
        if wait_for_child(fork_child(partial(_stocked, (host, port), granules))):
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


def failing_store(runs: ForkedRuns, out: Path, random: Random) -> None:
    """Granules and products in a store that answers 500, half, or not at all; killed, too."""
    url = f"s3://{BUCKET}/{out.name}"
    settings = runs.settings(url, f"s3://{BUCKET}/granules")
    child = runs.start(settings, partial(_through, runs.store, SHARES, random))
    if random.random() < 0.5:
        time.sleep(float(random.uniform(0, 3)) * runs.seconds["whole"])
        os.kill(child, signal.SIGKILL)
    wait_for_child(child)
    runs.finish(settings, partial(_through, runs.store, {}, random))
    if wait_for_child(fork_child(partial(_fetched_all, runs.store, url, out, random))):
        raise RuntimeError("the store does not hold what it names")


def _through(server: tuple[str, int], fractions: Mapping[Fault, float], random: Random) -> None:
    """Let this process find its store behind faults, until it ends."""
    from seaice.io import object_store as storage

    storage.FIRST_PAUSE, storage.TIMEOUTS = 0.05, {"connect_timeout": 2, "read_timeout": 2}
    proxy = FaultyProxy(
        host=server[0], port=server[1], fractions=fractions, silence=3, random=random
    )
    os.environ["AWS_ENDPOINT_URL"] = start_proxy(proxy)[0]


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
