"""A way to an HTTP server that fails as often as it is told to: 500, silence, half an answer."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

import numpy as np

__all__ = ["Fault", "Way", "faulty_way", "opened"]

Fault = Literal["500", "silence", "half"]


@dataclass(slots=True, kw_only=True)
class Way:
    """How often what happens on the way to a server, and how often it did."""

    host: str
    port: int
    shares: Mapping[Fault, float]  #: of all requests
    silence: float = 5.0  #: s without an answer
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    happened: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def fate(self) -> Fault | Literal["passed"]:
        """What becomes of the next request."""
        with self.lock:
            drawn = self.random.random()
            for fault, share in self.shares.items():
                drawn -= share
                if drawn < 0:
                    self.happened[fault] += 1
                    return fault
            self.happened["passed"] += 1
            return "passed"


def opened(way: Way) -> tuple[str, ThreadingHTTPServer]:
    """A local server, and its URL, that hands requests on when nothing happens to them."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(way))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}", server


@contextmanager
def faulty_way(way: Way) -> Iterator[str]:
    """The URL of `opened`, for the time of the block."""
    url, server = opened(way)
    try:
        yield url
    finally:
        server.shutdown()
        server.server_close()


def _handler(way: Way) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _passed_on(self) -> None:
            body = self._body()
            fate = way.fate()
            if fate == "silence":
                time.sleep(way.silence)
                self.close_connection = True
            elif fate == "500":
                self._answer(500, [], b"<Error><Code>InternalError</Code></Error>")
            else:
                status, headers, content = self._asked(body)
                self._answer(status, headers, content, half=fate == "half" and len(content) > 1)

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
            server = http.client.HTTPConnection(way.host, way.port, timeout=60)
            hop = ("transfer-encoding", "content-length", "connection", "expect")
            headers = {k: v for k, v in self.headers.items() if k.lower() not in hop}
            server.request(self.command, self.path, body or None, headers)
            told = server.getresponse()
            content = told.read()
            server.close()
            return told.status, told.getheaders(), content

        def _answer(
            self, status: int, headers: list[tuple[str, str]], content: bytes, *, half: bool = False
        ) -> None:
            self.send_response_only(status)
            given = {name.lower() for name, _ in headers}
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            if "content-length" not in given:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content[: len(content) // 2] if half else content)
            self.close_connection = self.close_connection or half

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler
