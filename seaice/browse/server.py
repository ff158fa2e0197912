"""A shelf of products in, a page at an address of this machine out; nothing else is served."""

import json
import re
from collections.abc import Callable
from functools import lru_cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from math import isnan
from typing import Any
from urllib.parse import parse_qs, urlsplit

from seaice.browse.index import Shelf, lines_of
from seaice.browse.tiles import tile
from seaice.errors import SeaIceError
from seaice.product.cell import cell_in
from seaice.product.opened import open_product
from seaice.write.names import named

__all__ = ["PAGE", "server"]

HOST = "127.0.0.1"
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


def server(shelf: Shelf, port: int) -> ThreadingHTTPServer:
    """A server of these products, at this machine's own address alone; `serve_forever` runs it.

    Parameters
    ----------
    port : 0: any that is free

    Raises
    ------
    OSError
        If the port is taken.
    """
    answer = partial(_answer, shelf, lru_cache(TILES_KEPT)(partial(_tile, shelf)))
    return ThreadingHTTPServer((HOST, port), partial(_Handler, answer))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, answer: Callable[[str, dict[str, list[str]]], Answer | None], *rest: Any):
        self._answer = answer
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer a request of this machine; pages of others that point here get none."""
        if self.headers.get("Host", "").partition(":")[0] not in (HOST, "localhost"):
            return self.send_error(403)
        asked = urlsplit(self.path)
        try:
            found = self._answer(asked.path.lstrip("/") or "index.html", parse_qs(asked.query))
        except SeaIceError as error:
            found = json.dumps({"error": str(error)}).encode(), JSON
        if found is None:
            return self.send_error(404)
        content, kind = found
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
    if (found := TILE.fullmatch(asked)) and found[1] in shelf.folders:
        picture = tiles(found[1], found[2], *map(int, found.groups()[2:]))
        return None if picture is None else (picture, "image/png")
    if (found := LINES.fullmatch(asked)) and found[1] in shelf.folders:
        return json.dumps(lines_of(shelf.folders[found[1]])).encode(), JSON
    if (found := CELL.fullmatch(asked)) and found[1] in shelf.folders:
        return json.dumps(_cell(shelf, found[1], query)).encode(), JSON
    return None


def _tile(shelf: Shelf, name: str, kind: str, *place: int) -> bytes | None:
    folder = shelf.folders[name]
    return tile(folder / folder.name, kind, *place)


def _cell(shelf: Shelf, name: str, query: dict[str, list[str]]) -> dict[str, Any]:
    """All that is known of the cell in a row and column, in words too."""
    folder = shelf.folders[name]
    stem = folder / folder.name
    if not any(named(stem, ending).exists() for ending in (".zarr", ".nc")):
        return {}
    product = open_product(folder)
    try:
        row, column = (int(query[key][0]) for key in ("row", "column"))
    except (KeyError, ValueError):
        return {}
    if not (0 <= row < product.sizes["y"] and 0 <= column < product.sizes["x"]):
        return {}
    cell = cell_in(product, row, column)
    values = {key: None if isnan(value) else value for key, value in cell.values.items()}
    return {
        "longitude": cell.longitude,
        "latitude": cell.latitude,
        "values": values,
        "reasons": cell.reasons,
        "text": str(cell),
    }
