"""A shelf of products in, a page at an address of this machine out; nothing else is served."""

import json
import logging
import re
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from math import isnan
from threading import BoundedSemaphore, Timer
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from seaice.browse.index import Shelf, lines_of
from seaice.browse.tiles import tile
from seaice.errors import SeaIceError
from seaice.product.cell import cell_at_index
from seaice.product.folder import add_suffix
from seaice.product.reader import open_product

__all__ = ["PAGE", "server"]

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")  #: hosts that requests may name
IDLE = 15.0  #: s without a byte, or without a further request, after which a connection is closed
DEADLINE = 30.0  #: s within which a request must have come, however slowly its bytes arrive
MOST = 64  #: connections at the same time; further ones are closed
FIELDS = 8  #: of a query
#: "%" that two hexadecimal digits do not follow, and bytes that no address holds
MALFORMED = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\x21-\x7e]|%00")
#: files of the page and their media types; no other file is ever read for a request
PAGE = {
    "index.html": "text/html; charset=utf-8",
    "browse.js": "text/javascript; charset=utf-8",
    "browse.css": "text/css; charset=utf-8",
    "ol.js": "text/javascript; charset=utf-8",
    "ol.css": "text/css; charset=utf-8",
    "ol-LICENSE.md": "text/plain; charset=utf-8",
}
JSON = "application/json"
TILE = re.compile(r"tiles/([\w.]+)/(\w+)/(\d{1,2})/(\d{1,4})/(\d{1,4})\.png", re.ASCII)
LINES = re.compile(r"lines/([\w.]+)\.json", re.ASCII)
CELL = re.compile(r"cell/([\w.]+)\.json", re.ASCII)
GUARD = "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'"
TILES_KEPT = 2000  #: in memory, of some 20 kB each at most

Answer = tuple[bytes, str]


def server(
    shelf: Shelf, port: int, *, idle: float = IDLE, deadline: float = DEADLINE
) -> ThreadingHTTPServer:
    """A server of these products, at this machine's own address alone; `serve_forever` runs it.

    Parameters
    ----------
    port : 0: any that is free
    idle : s without a byte after which a connection is closed
    deadline : s within which a request must have come

    Raises
    ------
    OSError
        If the port is taken.
    """
    answer = partial(_answer, shelf, lru_cache(TILES_KEPT)(partial(_tile, shelf)))
    return _Server(port, answer, idle, deadline)


Answers = Callable[[str, dict[str, list[str]]], Answer | None]


class _Server(ThreadingHTTPServer):
    """A thread a connection, some at most; a client that goes away is no error."""

    request_queue_size = MOST  #: connections that wait to be taken up

    def __init__(self, port: int, answer: Answers, idle: float, deadline: float) -> None:
        self.idle, self.deadline = idle, deadline
        self._places = BoundedSemaphore(MOST)
        super().__init__((HOST, port), partial(_Handler, answer))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for a connection, or close it where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer the requests of one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what is a fault of the program; a connection that broke is none."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            logger.error("a request ended with an error", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def __init__(self, answer: Answers, *rest: Any):
        self._answer = answer
        super().__init__(*rest)

    def setup(self) -> None:
        """Set the connection's time-out."""
        super().setup()
        self.connection.settimeout(self.server.idle)

    def handle_one_request(self) -> None:
        """Read a request and answer it; one that does not come within the deadline is cut off."""
        self._waiting = Timer(self.server.deadline, self._cut_off)
        self._waiting.daemon = True
        self._waiting.start()
        try:
            super().handle_one_request()
        finally:
            self._waiting.cancel()

    def _cut_off(self) -> None:
        with suppress(OSError):  # it went away meanwhile
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        """Answer a request of this machine; pages of others that point here get none."""
        self._waiting.cancel()  # all of it has come
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # its body is not read, and is no further request
        asked = _split(self.path)
        if asked is None:
            return self.send_error(400)
        named_host = asked.hostname or self.headers.get("Host", "").partition(":")[0]
        if named_host not in NAMES or self.headers.get("Host", "").partition(":")[0] not in NAMES:
            return self.send_error(403)
        try:
            query = parse_qs(asked.query, max_num_fields=FIELDS)
        except ValueError:
            return self.send_error(400)
        try:
            result = self._answer(asked.path.lstrip("/") or "index.html", query)
        except SeaIceError as error:
            result = json.dumps({"error": str(error)}).encode(), JSON
        except Exception:
            logger.exception("%s was not answered", self.path)
            return self.send_error(500)
        if result is None:
            return self.send_error(404)
        content, kind = result
        self.send_response(200)
        for name, value in (
            ("Content-Type", kind), ("Content-Length", str(len(content))),
            ("Cache-Control", "no-cache"), ("Content-Security-Policy", GUARD),
            ("X-Content-Type-Options", "nosniff"),
        ):  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *told: Any) -> None:
        """Say nothing of single requests."""


def _split(target: str) -> SplitResult | None:
    """The parts of what a request asks for; None where it is malformed.

    >>> _split("http://[bad/"), _split("/tiles/%zz"), _split("/index.html?a=%20").path
    (None, None, '/index.html')
    """
    if MALFORMED.search(target):
        return None
    try:
        return urlsplit(target)
    except ValueError:
        return None


def _answer(
    shelf: Shelf,
    tiles: Callable[..., bytes | None],
    asked: str,
    query: dict[str, list[str]],
) -> Answer | None:
    """What a path means; None where it means nothing."""
    if asked in PAGE:
        return (files("seaice.browse") / "page" / asked).read_bytes(), PAGE[asked]
    if asked == "index.json":
        return json.dumps(shelf.index()).encode(), JSON
    if (result := TILE.fullmatch(asked)) and result[1] in shelf.folders:
        picture = tiles(result[1], result[2], *map(int, result.groups()[2:]))
        return None if picture is None else (picture, "image/png")
    if (result := LINES.fullmatch(asked)) and result[1] in shelf.folders:
        return json.dumps(lines_of(shelf.folders[result[1]])).encode(), JSON
    if (result := CELL.fullmatch(asked)) and result[1] in shelf.folders:
        return json.dumps(_cell(shelf, result[1], query)).encode(), JSON
    return None


def _tile(shelf: Shelf, name: str, kind: str, *place: int) -> bytes | None:
    folder = shelf.folders[name]
    return tile(folder / folder.name, kind, *place)


def _cell(shelf: Shelf, name: str, query: dict[str, list[str]]) -> dict[str, Any]:
    """All that is known of the cell in a row and column, in words too."""
    folder = shelf.folders[name]
    stem = folder / folder.name
    if not any(add_suffix(stem, ending).exists() for ending in (".zarr", ".nc")):
        return {}
    product = open_product(folder)
    try:
        row, column = (int(query[key][0]) for key in ("row", "column"))
    except (KeyError, ValueError):
        return {}
    if not (0 <= row < product.sizes["y"] and 0 <= column < product.sizes["x"]):
        return {}
    cell = cell_at_index(product, row, column)
    values = {key: None if isnan(value) else value for key, value in cell.values.items()}
    return {
        "longitude": cell.longitude,
        "latitude": cell.latitude,
        "values": values,
        "reasons": cell.reasons,
        "text": str(cell),
    }
